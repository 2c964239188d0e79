//! All places in the inventory that give a variable of a host a value, for `rplay why`.

use std::path::Path;

use super::{
    Inventory,
    directory::definition_in,
    host::{ALL, Group, Host},
    places::Owner,
};
use crate::{
    source::{Problems, Span, absolute},
    vars::{Definition, Layer, Lazy},
};

impl Inventory {
    /// All places that give this variable of a host a value, strongest first, in the order of [`Inventory::layers`].
    /// Sources have places only if [`super::SourceRules::records_places`] was set when they were read.
    ///
    /// # Errors
    /// If a file of `group_vars` or `host_vars` cannot be read.
    pub fn definitions(
        &self,
        host: &str,
        name: &str,
        playbook_dir: Option<&Path>,
    ) -> Result<Vec<Definition>, Problems> {
        let Some(host) = self.host(host) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        let directories: Vec<&Path> = self.var_directories(playbook_dir).collect();
        for directory in &directories {
            let files = self.layers.directory(directory)?.host_files(&host.name)?;
            self.of_files(&files, name, &format!("host_vars of {}", host.name), &mut found)?;
        }
        self.of_sources(Owner::Host(host.name.clone()), &host.vars, name, &mut found);
        let groups = self.groups_in_order(host);
        for directory in &directories {
            for group in &groups {
                self.of_group_files(directory, group, name, &mut found)?;
            }
        }
        let all = self.group(ALL);
        for (directory, all) in directories.iter().flat_map(|directory| all.map(|all| (directory, all))) {
            self.of_group_files(directory, all, name, &mut found)?;
        }
        for group in groups.into_iter().chain(all) {
            self.of_sources(Owner::Group(group.name.clone()), &group.vars, name, &mut found);
        }
        Ok(found)
    }

    fn of_group_files(
        &self,
        directory: &Path,
        group: &Group,
        name: &str,
        found: &mut Vec<Definition>,
    ) -> Result<(), Problems> {
        let files = self.layers.directory(directory)?.group_files(&group.name)?;
        self.of_files(&files, name, &format!("group_vars of {}", group.name), found)
    }

    /// Among several files for the same host or group, the last one wins.
    fn of_files(
        &self,
        files: &[std::path::PathBuf],
        name: &str,
        origin: &str,
        found: &mut Vec<Definition>,
    ) -> Result<(), Problems> {
        for file in files.iter().rev() {
            let is_same = |known: &Definition| {
                let path = known.place.as_ref().and_then(|place| place.source.path.as_deref());
                path.is_some_and(|path| absolute(path) == absolute(file))
            };
            // The playbook's directory may be the inventory's, too.
            if found.iter().any(is_same) {
                continue;
            }
            if let Some((value, place)) = definition_in(&self.layers.vault.read(file)?, name)? {
                found.push(Definition { origin: origin.to_owned(), value, place: Some(place) });
            }
        }
        Ok(())
    }

    fn of_sources(&self, owner: Owner, layer: &Layer, name: &str, found: &mut Vec<Definition>) {
        let Some(value) = layer.get(name) else { return };
        let origin = match &owner {
            Owner::Host(host) => format!("inventory, host {host}"),
            Owner::Group(group) => format!("inventory, group {group}"),
        };
        let places = self.places.as_ref().and_then(|places| places.get(&(owner, name.into())));
        let before = found.len();
        for (value, place) in places.into_iter().flatten().rev() {
            found.push(Definition { origin: origin.clone(), value: value.clone(), place: Some(place.clone()) });
        }
        if found.len() == before {
            found.push(Definition { origin, value: value.clone(), place: None });
        }
    }

    /// Records the places of a host's variables, if requested.
    pub(super) fn record_host(&mut self, host: &str, vars: &Layer, place_of: impl Fn(&str) -> Span) {
        if let Some(places) = &mut self.places {
            for (name, value) in vars {
                let key = (Owner::Host(host.into()), name.clone());
                places.entry(key).or_default().push((value.clone(), place_of(name)));
            }
        }
    }

    /// Records the place of a group's variable, if requested.
    pub(super) fn record_group(&mut self, group: usize, name: &str, value: &Lazy, place: &Span) {
        let Some(group) = self.group_at(group).map(|group| group.name.clone()) else { return };
        if let Some(places) = &mut self.places {
            places.entry((Owner::Group(group), name.into())).or_default().push((value.clone(), place.clone()));
        }
    }

    /// The groups of a host without `all`, strongest first.
    pub(super) fn groups_in_order(&self, host: &Host) -> Vec<&Group> {
        let depths = self.layers.depths.get_or_init(|| self.depths());
        let above = self.with_ancestors(&host.groups);
        let mut groups: Vec<(usize, &Group)> = above
            .iter()
            .filter_map(|at| Some((depths.get(*at).copied().unwrap_or(0), self.group_at(*at)?)))
            .filter(|(_, group)| &*group.name != ALL)
            .collect();
        groups.sort_by(|(depth, a), (other, b)| (other, b.priority, &b.name).cmp(&(depth, a.priority, &a.name)));
        groups.into_iter().map(|(_, group)| group).collect()
    }
}
