//! Adds hosts and groups, the ties between them, and their variables.

use std::{path::Path, sync::Arc};

use indexmap::IndexSet;

use super::Inventory;
use crate::inventory::{
    InventoryError,
    host::{ALL, Group, Host, UNGROUPED},
};
use crate::{
    source::Span,
    syntax::{is_variable_name, reserved_name},
    vars::{Layer, Lazy, Value},
};

impl Inventory {
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
    /// If a parent is a descendant of the group.
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

    pub(in crate::inventory) fn host_index(&mut self, name: &str) -> usize {
        if let Some(at) = self.hosts.get_index_of(name) {
            return at;
        }
        let name: Arc<str> = name.into();
        let host = Host {
            name: name.clone(),
            vars: Arc::default(),
            groups: IndexSet::new(),
            implicit: false,
            source: self.source.clone(),
        };
        self.hosts.insert_full(name, host).0
    }

    pub(in crate::inventory) fn group_index(&mut self, name: &str) -> usize {
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

    /// Adds a host to a group; returns whether that is new.
    pub(in crate::inventory) fn put(&mut self, group: usize, host: usize) -> bool {
        if let Some((_, group)) = self.groups.get_index_mut(group) {
            group.hosts.insert(host);
        }
        self.hosts.get_index_mut(host).is_some_and(|(_, host)| host.groups.insert(group))
    }

    /// Adds a child to a group, unless that creates a cycle; returns whether that is new.
    pub(in crate::inventory) fn add_child(&mut self, parent: usize, child: usize) -> Result<bool, String> {
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

    pub(super) fn tie(&mut self, parent: usize, child: usize) -> bool {
        if let Some((_, group)) = self.groups.get_index_mut(child) {
            group.parents.insert(parent);
        }
        self.groups.get_index_mut(parent).is_some_and(|(_, group)| group.children.insert(child))
    }

    /// Sets variables of a host; returns whether any value is new.
    pub(in crate::inventory) fn set_host_vars(&mut self, host: usize, vars: Layer) -> bool {
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
    pub(in crate::inventory) fn set_group_var(
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

    /// Called when sources have been read or hosts added: puts every group below `all`, and every host into a group.
    pub(in crate::inventory) fn settle(&mut self) {
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
                    // Slower, but keeps the order; only a few hosts are ever removed here.
                    group.hosts.shift_remove(&at);
                }
            }
        }
        self.layers.forget();
    }

    /// Warns about variables of a source whose names are invalid or reserved, once for each name.
    pub(in crate::inventory) fn check_names<'n>(
        &mut self,
        names: impl IntoIterator<Item = &'n Arc<str>>,
        place: &Span,
    ) {
        for name in names {
            if !self.checked_names.insert(name.clone()) {
                continue;
            }
            let warning = match is_variable_name(name) {
                true => reserved_name(name).map(|warning| format!("{warning} ({place})")),
                false => self.tells_deprecated.then(|| {
                    format!(
                        "Accepting inventory variable with invalid name '{name}'. This feature will be removed from \
                         ansible-core version 2.23. ({place})\n\nVariable names must be strings starting with a letter or \
                         underscore character, and contain only letters, numbers and underscores."
                    )
                }),
            };
            self.warnings.extend(warning);
        }
    }

    /// Adds a directory to be searched for `group_vars` and `host_vars`.
    pub(in crate::inventory) fn add_directory(&mut self, directory: &Path) {
        // The last mention counts, because later directories win.
        self.directories.retain(|known| known != directory);
        self.directories.push(directory.to_owned());
    }
}
