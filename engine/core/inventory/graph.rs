//! The hosts and groups themselves.

mod building;

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use indexmap::{IndexMap, IndexSet};

use super::{
    GroupNames, HostSource, Plugins,
    host::{ALL, Group, Host, LOCALHOST, UNGROUPED},
    layers::Layers,
    places::Places,
    rules::{INVALID_GROUPS, is_valid_group},
};

/// Hosts and groups in the order they were first named.
#[derive(Debug)]
pub struct Inventory {
    hosts: IndexMap<Arc<str>, Host>,
    groups: IndexMap<Arc<str>, Group>,
    /// Directories next to the sources, searched for `group_vars` and `host_vars`; later ones win.
    pub(super) directories: Vec<PathBuf>,
    /// Warnings to be shown once.
    pub warnings: Vec<String>,
    /// Notes of plugins about their work, up to the current verbosity.
    pub notes: Vec<String>,
    pub(super) layers: Layers,
    /// Whether to warn about deprecated features.
    pub(super) tells_deprecated: bool,
    /// Names of variables that were checked.
    pub(super) checked_names: HashSet<Arc<str>>,
    /// How invalid characters in group names are handled.
    pub(super) group_names: GroupNames,
    /// Whether the current source is of an unsupported kind, as opposed to malformed.
    pub(super) refused: bool,
    /// The current source is for plugins: no other reader is tried.
    pub(super) is_plugins: bool,
    /// The current source.
    pub(super) source: Option<Arc<HostSource>>,
    /// Runs inventory plugins written in Python; set while sources are read.
    pub(super) plugins: Option<Arc<dyn Plugins>>,
    /// Where sources give variables their values, if requested.
    pub(super) places: Option<Places>,
    /// The sources that were understood, in order.
    pub(super) processed: Vec<String>,
}

/// A snapshot of hosts and groups.
pub(super) struct Snapshot {
    hosts: IndexMap<Arc<str>, Host>,
    groups: IndexMap<Arc<str>, Group>,
    places: Option<Places>,
}

impl Default for Inventory {
    fn default() -> Self {
        let mut inventory = Inventory {
            hosts: IndexMap::new(),
            groups: IndexMap::new(),
            directories: Vec::new(),
            warnings: Vec::new(),
            notes: Vec::new(),
            layers: Layers::default(),
            tells_deprecated: true,
            checked_names: HashSet::new(),
            group_names: GroupNames::default(),
            refused: false,
            is_plugins: false,
            source: None,
            plugins: None,
            places: None,
            processed: Vec::new(),
        };
        let all = inventory.group_index(ALL);
        let ungrouped = inventory.group_index(UNGROUPED);
        inventory.tie(all, ungrouped);
        inventory
    }
}

impl Inventory {
    /// The host of that name; `localhost` and its addresses always exist.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.get(name).or_else(|| {
            LOCALHOST
                .contains(&name)
                .then(|| self.named_localhost().unwrap_or_else(|| self.layers.implicit_localhost(name)))
        })
    }

    /// The first host in a source that has one of the names of this machine.
    fn named_localhost(&self) -> Option<&Host> {
        self.hosts.values().find(|host| LOCALHOST.contains(&&*host.name))
    }

    /// All hosts named by sources.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = &Host> {
        self.hosts.values()
    }

    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    pub fn groups(&self) -> impl ExactSizeIterator<Item = &Group> {
        self.groups.values()
    }

    /// The children of a group.
    pub fn children<'i>(&'i self, group: &'i Group) -> impl Iterator<Item = &'i Group> {
        group.children.iter().filter_map(|at| self.group_at(*at))
    }

    /// The hosts that a group contains directly.
    pub fn own_hosts<'i>(&'i self, group: &'i Group) -> impl Iterator<Item = &'i Host> {
        group.hosts.iter().filter_map(|at| self.host_at(*at))
    }

    /// All hosts of a group and its descendants, in Ansible's order: level by level.
    pub fn hosts_of(&self, group: &str) -> Vec<Arc<str>> {
        let Some(at) = self.groups.get_index_of(group) else { return Vec::new() };
        let hosts = self.layers.members.get_or_init(|| self.members()).get(at);
        let hosts = hosts.map(|hosts| hosts.iter()).unwrap_or_default();
        hosts.filter_map(|at| self.host_at(*at)).map(|host| host.name.clone()).collect()
    }

    /// The hosts of each group, including those of its descendants. A group that only has the hosts of its one child
    /// shares the child's list, so that a long chain of groups costs only its length.
    fn members(&self) -> Vec<Arc<IndexSet<usize>>> {
        let mut members: Vec<Arc<IndexSet<usize>>> = vec![Arc::default(); self.groups.len()];
        // Children are processed before their parents.
        let mut waiting: Vec<usize> = self.groups.values().map(|group| group.children.len()).collect();
        let mut ready: Vec<usize> = (0..waiting.len()).filter(|at| waiting.get(*at) == Some(&0)).collect();
        while let Some(at) = ready.pop() {
            let Some(group) = self.group_at(at) else { continue };
            let below = match group.children.len() {
                0 => Some(Arc::default()),
                1 => group.children.first().and_then(|child| members.get(*child).cloned()),
                _ => None,
            };
            let own = match below {
                Some(below) if group.hosts.is_empty() => below,
                Some(below) => Arc::new(group.hosts.iter().chain(&*below).copied().collect()),
                None => Arc::new(self.level_by_level(at)),
            };
            if let Some(slot) = members.get_mut(at) {
                *slot = own;
            }
            for parent in &group.parents {
                if let Some(left) = waiting.get_mut(*parent) {
                    *left -= 1;
                    if *left == 0 {
                        ready.push(*parent);
                    }
                }
            }
        }
        members
    }

    fn level_by_level(&self, start: usize) -> IndexSet<usize> {
        let mut level = vec![start];
        let mut seen: IndexSet<usize> = IndexSet::from([start]);
        let mut found = IndexSet::new();
        while !level.is_empty() {
            let mut next = Vec::new();
            for group in level.iter().filter_map(|at| self.group_at(*at)) {
                found.extend(group.hosts.iter().copied());
                next.extend(group.children.iter().copied().filter(|child| seen.insert(*child)));
            }
            level = next;
        }
        found
    }

    /// The names of all groups of a host, for the variable `group_names`: sorted, without `all`.
    pub fn group_names(&self, host: &str) -> Vec<Arc<str>> {
        let Some(host) = self.host(host) else { return Vec::new() };
        let mut names: Vec<Arc<str>> = self
            .with_ancestors(&host.groups)
            .iter()
            .filter_map(|at| self.group_at(*at))
            .map(|group| group.name.clone())
            .filter(|name| &**name != ALL)
            .collect();
        names.sort();
        names
    }

    /// These groups and all their ancestors.
    pub(super) fn with_ancestors(&self, groups: &IndexSet<usize>) -> IndexSet<usize> {
        let mut found = groups.clone();
        let mut at = 0;
        while let Some(index) = found.get_index(at).copied() {
            found.extend(self.group_at(index).into_iter().flat_map(|group| group.parents.iter().copied()));
            at += 1;
        }
        found
    }

    pub(super) fn host_at(&self, at: usize) -> Option<&Host> {
        self.hosts.get_index(at).map(|(_, host)| host)
    }

    pub(super) fn group_at(&self, at: usize) -> Option<&Group> {
        self.groups.get_index(at).map(|(_, group)| group)
    }

    /// The depth of each group below `all`, by the longest path.
    pub(super) fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.groups.len()];
        let mut waiting: Vec<usize> = self.groups.values().map(|group| group.parents.len()).collect();
        let mut ready: Vec<usize> = (0..waiting.len()).filter(|at| waiting.get(*at) == Some(&0)).collect();
        while let Some(at) = ready.pop() {
            let below = depths.get(at).map_or(1, |depth: &usize| depth + 1);
            for child in self.group_at(at).into_iter().flat_map(|group| &group.children) {
                if let (Some(depth), Some(left)) = (depths.get_mut(*child), waiting.get_mut(*child)) {
                    *depth = below.max(*depth);
                    *left -= 1;
                    if *left == 0 {
                        ready.push(*child);
                    }
                }
            }
        }
        depths
    }

    /// Warns about names that are both a host and a group.
    pub(super) fn warn_of_names(&mut self) {
        let both = self.hosts.keys().filter(|name| self.groups.contains_key(*name));
        let mut odd: Vec<String> =
            both.map(|name| format!("Found both group and host with same name: {name}")).collect();
        if self.group_names.warns() && !self.groups.keys().all(|name| is_valid_group(name)) {
            odd.push(INVALID_GROUPS.to_owned());
        }
        self.warnings.extend(odd);
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot { hosts: self.hosts.clone(), groups: self.groups.clone(), places: self.places.clone() }
    }

    pub(super) fn restore(&mut self, snapshot: Snapshot) {
        self.hosts = snapshot.hosts;
        self.groups = snapshot.groups;
        self.places = snapshot.places;
    }
}
