//! The hosts and groups themselves.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use indexmap::{IndexMap, IndexSet};

use super::{
    GroupNames, InventoryError, Plugins,
    host::{ALL, Group, Host, LOCALHOST, UNGROUPED},
    layers::Layers,
    places::Places,
    rules::is_valid_group,
};
use crate::{
    source::Span,
    vars::{Layer, Lazy, Value},
};

/// Hosts and groups in the order they were first named.
#[derive(Debug)]
pub struct Inventory {
    hosts: IndexMap<Arc<str>, Host>,
    groups: IndexMap<Arc<str>, Group>,
    /// Directories next to the sources, searched for `group_vars` and `host_vars`; later ones win.
    pub(super) folders: Vec<PathBuf>,
    /// Warnings to be shown once.
    pub warnings: Vec<String>,
    pub(super) layers: Layers,
    /// How invalid characters in group names are handled.
    pub(super) group_names: GroupNames,
    /// Whether the current source is of an unsupported kind, as opposed to malformed.
    pub(super) refused: bool,
    /// The source at hand is for plugins: no other reader is tried.
    pub(super) is_plugins: bool,
    /// What reads sources with plugins written in Python, while sources are read.
    pub(super) plugins: Option<Arc<dyn Plugins>>,
    /// Where sources give variables their values, if that was asked for.
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
            folders: Vec::new(),
            warnings: Vec::new(),
            layers: Layers::default(),
            group_names: GroupNames::default(),
            refused: false,
            is_plugins: false,
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

    /// Adds or changes a host during a play (`add_host`); returns whether anything is new.
    pub fn add_host(&mut self, name: &str, groups: &[&str], vars: Layer) -> bool {
        let before = (self.hosts.len(), self.groups.len());
        let host = self.host_index(name);
        let mut changed = false;
        for group in groups {
            let group = self.group_index(group);
            changed |= self.put(group, host);
        }
        changed |= self.set_host_vars(host, vars);
        self.settle();
        changed || before != (self.hosts.len(), self.groups.len())
    }

    /// Adds a group during a play (`group_by`) with hosts and parents; returns whether anything is new.
    ///
    /// # Errors
    /// If a parent stands below the group.
    pub fn add_group(&mut self, name: &str, parents: &[&str], hosts: &[&str]) -> Result<bool, InventoryError> {
        let before = self.groups.len();
        let group = self.group_index(name);
        let mut changed = self.groups.len() != before;
        for parent in parents {
            let parent = self.group_index(parent);
            changed |= self.add_child(parent, group).map_err(|message| InventoryError::Loop { message })?;
        }
        for host in hosts {
            if let Some(host) = self.hosts.get_index_of(*host) {
                changed |= self.put(group, host);
            }
        }
        self.settle();
        Ok(changed)
    }

    pub(super) fn host_index(&mut self, name: &str) -> usize {
        if let Some(at) = self.hosts.get_index_of(name) {
            return at;
        }
        let name: Arc<str> = name.into();
        let host = Host { name: name.clone(), vars: Arc::default(), groups: IndexSet::new(), implicit: false };
        self.hosts.insert_full(name, host).0
    }

    pub(super) fn group_index(&mut self, name: &str) -> usize {
        if let Some(at) = self.groups.get_index_of(name) {
            return at;
        }
        let applied = self.group_names.applied(name);
        if applied != name {
            if self.group_names.warns() {
                let warning = "Invalid characters were found in group names and automatically replaced".to_owned();
                if !self.warnings.contains(&warning) {
                    self.warnings.push(warning);
                }
            }
            return self.group_index(&applied);
        }
        let name: Arc<str> = name.into();
        let group = Group {
            name: name.clone(),
            vars: Arc::default(),
            hosts: IndexSet::new(),
            children: IndexSet::new(),
            parents: IndexSet::new(),
            priority: 1,
        };
        self.groups.insert_full(name, group).0
    }

    pub(super) fn host_at(&self, at: usize) -> Option<&Host> {
        self.hosts.get_index(at).map(|(_, host)| host)
    }

    pub(super) fn group_at(&self, at: usize) -> Option<&Group> {
        self.groups.get_index(at).map(|(_, group)| group)
    }

    /// Adds a host to a group; returns whether that is new.
    pub(super) fn put(&mut self, group: usize, host: usize) -> bool {
        if let Some((_, group)) = self.groups.get_index_mut(group) {
            group.hosts.insert(host);
        }
        self.hosts.get_index_mut(host).is_some_and(|(_, host)| host.groups.insert(group))
    }

    /// Adds a child to a group, unless that creates a cycle; returns whether that is new.
    pub(super) fn add_child(&mut self, parent: usize, child: usize) -> Result<bool, String> {
        let name = |at| self.group_at(at).map_or("", |group| &group.name);
        if parent == child {
            return Err(format!("group `{}` cannot be its own child", name(parent)));
        }
        if self.is_above(child, parent) {
            return Err(format!(
                "group `{}` cannot be a child of `{}`, which is already below it",
                name(child),
                name(parent)
            ));
        }
        Ok(self.tie(parent, child))
    }

    /// Whether a group is an ancestor of another one. Searches from both sides at once: in most inventories one side is
    /// short, and when chains of groups are joined, the shorter one decides the cost.
    fn is_above(&self, upper: usize, lower: usize) -> bool {
        let (mut up, mut down) = (IndexSet::from([lower]), IndexSet::from([upper]));
        let mut at = 0;
        while let (Some(from_below), Some(from_above)) = (up.get_index(at).copied(), down.get_index(at).copied()) {
            up.extend(self.group_at(from_below).into_iter().flat_map(|group| group.parents.iter().copied()));
            down.extend(self.group_at(from_above).into_iter().flat_map(|group| group.children.iter().copied()));
            if up.contains(&upper) || down.contains(&lower) {
                return true;
            }
            at += 1;
        }
        false
    }

    fn tie(&mut self, parent: usize, child: usize) -> bool {
        if let Some((_, group)) = self.groups.get_index_mut(child) {
            group.parents.insert(parent);
        }
        self.groups.get_index_mut(parent).is_some_and(|(_, group)| group.children.insert(child))
    }

    /// Sets variables of a host; returns whether any value is new.
    pub(super) fn set_host_vars(&mut self, host: usize, vars: Layer) -> bool {
        let Some((_, host)) = self.hosts.get_index_mut(host) else { return false };
        if vars.is_empty() {
            return false;
        }
        let own = Arc::make_mut(&mut host.vars);
        let mut changed = false;
        for (name, value) in vars {
            changed |= match (own.get(&name).and_then(Lazy::data), value.data()) {
                (Some(before), Some(after)) => before != after,
                _ => true,
            };
            value.set_in(own, name);
        }
        changed
    }

    /// Sets a variable of a group. `ansible_group_priority` is not a variable but the group's priority.
    pub(super) fn set_group_var(
        &mut self,
        group: usize,
        name: &str,
        value: Lazy,
        place: &Span,
    ) -> Result<(), InventoryError> {
        if name != "ansible_group_priority" {
            self.record_group(group, name, &value, place);
        }
        let Some((_, group)) = self.groups.get_index_mut(group) else { return Ok(()) };
        if name != "ansible_group_priority" {
            value.set_in(Arc::make_mut(&mut group.vars), name.into());
            return Ok(());
        }
        let number = value.data().and_then(|value: Value| match value.as_str() {
            Some(text) => text.trim().parse().ok(),
            None => i64::try_from(value).ok(),
        });
        match number {
            Some(number) => group.priority = number,
            None => {
                let message = "ansible_group_priority must be a whole number";
                return Err(InventoryError::syntax(place.clone(), message));
            }
        }
        Ok(())
    }

    /// Called once sources are read or hosts were added: puts every group below `all`, and every host into a group.
    pub(super) fn settle(&mut self) {
        let all = self.group_index(ALL);
        let ungrouped = self.group_index(UNGROUPED);
        for group in 0..self.groups.len() {
            if group != all && self.group_at(group).is_some_and(|group| group.parents.is_empty()) {
                self.tie(all, group);
            }
        }
        for at in 0..self.hosts.len() {
            let Some(host) = self.host_at(at) else { continue };
            let grouped = host.groups.iter().any(|group| *group != all && *group != ungrouped);
            if !grouped {
                self.put(ungrouped, at);
            } else if host.groups.contains(&ungrouped) {
                if let Some((_, host)) = self.hosts.get_index_mut(at) {
                    host.groups.shift_remove(&ungrouped);
                }
                if let Some((_, group)) = self.groups.get_index_mut(ungrouped) {
                    // Keeps the order, though slower: only few hosts are ever removed here.
                    group.hosts.shift_remove(&at);
                }
            }
        }
        self.layers.forget();
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
            odd.push(
                "Invalid characters were found in group names but not replaced, use -vvvv to see details".to_owned(),
            );
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

    /// Adds a directory to be searched for `group_vars` and `host_vars`.
    pub(super) fn add_folder(&mut self, folder: &Path) {
        // The last mention counts, because later directories win.
        self.folders.retain(|known| known != folder);
        self.folders.push(folder.to_owned());
    }
}
