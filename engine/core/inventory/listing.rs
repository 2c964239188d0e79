//! The inventory in the format of `ansible-inventory`: as JSON, as a tree, or one host's variables.

use std::{collections::HashSet, path::Path, sync::Arc};

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use super::{
    Inventory, InventoryError, Matched,
    host::{ALL, Group},
    json,
};
use crate::{
    limits,
    source::Problems,
    vars::{Layer, Lazy},
};

/// The playbook's directory whose variables the tree shows: for hosts, and for groups.
#[derive(Clone, Copy, Default)]
pub struct TreeVars<'s> {
    pub hosts: Option<&'s Path>,
    pub groups: Option<&'s Path>,
}

/// How an inventory is listed.
#[derive(Clone, Copy, Default)]
pub struct Listing<'l> {
    /// The playbook's directory, for its `group_vars` and `host_vars`.
    pub playbook_dir: Option<&'l Path>,
    /// Show variables where they were defined, rather than all of them with each host.
    pub export: bool,
    /// Only these hosts.
    pub allowed: Option<&'l Matched>,
}

impl Inventory {
    /// All groups, and `_meta` with the hosts' variables; templates as they were written. `extra` wins
    /// over all other variables.
    ///
    /// # Errors
    /// If variables cannot be read.
    pub fn list(&self, how: Listing<'_>, extra: &Layer) -> Result<Json, Problems> {
        let mut groups = Map::new();
        let allowed = how.allowed.map(|allowed| allowed.hosts.iter().map(|host| &**host).collect::<HashSet<&str>>());
        let is_allowed = |host: &str| allowed.as_ref().is_none_or(|allowed| allowed.contains(host));
        if let Some(all) = self.group(ALL) {
            self.list_group(all, how, &is_allowed, &mut groups)?;
        }
        let mut hostvars = Map::new();
        for host in self.hosts().filter(|host| is_allowed(&host.name)) {
            let vars = match how.export {
                true => merged(self.layers_of_host(host, how.playbook_dir)?.iter().map(|layer| &**layer)),
                false => self.host_vars(&host.name, how.playbook_dir, extra)?,
            };
            if vars.as_object().is_some_and(|vars| !vars.is_empty()) {
                hostvars.insert(host.name.to_string(), vars);
            }
        }
        let meta = Map::from_iter([
            ("hostvars".to_owned(), Json::Object(hostvars)),
            // Ansible's name of the reader that understands this JSON.
            ("profile".to_owned(), Json::from("inventory_legacy")),
        ]);
        let mut listing = Map::from_iter([("_meta".to_owned(), Json::Object(meta))]);
        listing.extend(groups);
        let mut listing = Json::Object(listing);
        listing.sort_all_objects();
        Ok(listing)
    }

    fn list_group(
        &self,
        group: &Group,
        how: Listing<'_>,
        is_allowed: &dyn Fn(&str) -> bool,
        listing: &mut Map<String, Json>,
    ) -> Result<(), Problems> {
        if listing.contains_key(&*group.name) {
            return Ok(());
        }
        let mut shown = Map::new();
        // Every host is in `all`, so only hosts of no other group are listed there.
        let hosts: Vec<Json> = if &*group.name == ALL {
            Vec::new()
        } else {
            let own = self.own_hosts(group).filter(|host| is_allowed(&host.name));
            own.map(|host| Json::from(&*host.name)).collect()
        };
        if !hosts.is_empty() {
            shown.insert("hosts".to_owned(), Json::from(hosts));
        }
        let children: Vec<Json> = self.children(group).map(|child| Json::from(&*child.name)).collect();
        if !children.is_empty() {
            shown.insert("children".to_owned(), Json::from(children));
        }
        if how.export {
            let vars = merged(self.layers_of_group(group, how.playbook_dir)?.iter().map(|layer| &**layer));
            if vars.as_object().is_some_and(|vars| !vars.is_empty()) {
                shown.insert("vars".to_owned(), vars);
            }
        }
        if !shown.is_empty() {
            listing.insert(group.name.to_string(), Json::Object(shown));
        }
        for child in self.children(group) {
            limits::with_stack(|| self.list_group(child, how, is_allowed, listing))?;
        }
        Ok(())
    }

    /// The variables of one host itself, without those of its groups; unrendered.
    ///
    /// # Errors
    /// If a variable file cannot be read.
    pub fn own_vars(&self, host: &str, playbook_dir: Option<&Path>) -> Result<Json, Problems> {
        let layers = self.host(host).map(|host| self.layers_of_host(host, playbook_dir)).transpose()?;
        Ok(merged(layers.iter().flat_map(|layers| layers.iter()).map(|layer| &**layer)))
    }

    /// The variables of one host, unrendered.
    ///
    /// # Errors
    /// If a variable file cannot be read.
    pub fn host_vars(&self, host: &str, playbook_dir: Option<&Path>, extra: &Layer) -> Result<Json, Problems> {
        let layers = self.layers(host, playbook_dir)?;
        Ok(merged(std::iter::once(extra).chain(layers.iter().map(|layer| &**layer))))
    }

    /// The tree of groups below `from`; `None` if there is no such group.
    pub fn tree(&self, from: &str, vars: Option<TreeVars<'_>>) -> Option<Result<String, Problems>> {
        let group = self.group(from)?;
        let mut text = String::new();
        Some(self.tree_group(group, 0, vars, &mut text).map(|()| text))
    }

    fn tree_group(
        &self,
        group: &Group,
        depth: usize,
        vars: Option<TreeVars<'_>>,
        text: &mut String,
    ) -> Result<(), Problems> {
        if text.len() > limits::LARGEST {
            // A group appears below each of its parents.
            return Err(InventoryError::TooLarge { most: limits::LARGEST >> 20 }.into());
        }
        line(text, depth, &format!("@{}:", group.name));
        for child in self.children(group) {
            limits::with_stack(|| self.tree_group(child, depth + 1, vars, text))?;
        }
        if &*group.name != ALL {
            let mut seen = HashSet::new();
            for host in self.own_hosts(group).filter(|host| seen.insert(&host.name)) {
                line(text, depth + 1, &host.name);
                if let Some(seen) = vars {
                    let shown = self.host_vars(&host.name, seen.hosts, &Layer::new())?;
                    for (name, value) in shown.as_object().into_iter().flatten() {
                        line(text, depth + 2, &format!("{{{name} = {}}}", json::python(value, false)));
                    }
                }
            }
        }
        if let Some(seen) = vars {
            let mut shown = merged(self.layers_of_group(group, seen.groups)?.iter().map(|layer| &**layer));
            if group.priority != 1 {
                shown["ansible_group_priority"] = Json::from(group.priority);
                shown.sort_all_objects();
            }
            for (name, value) in shown.as_object().into_iter().flatten() {
                line(text, depth + 1, &format!("{{{name} = {}}}", json::python(value, false)));
            }
        }
        Ok(())
    }
}

/// The variables of all layers, strongest layer first.
fn merged<'l>(layers: impl Iterator<Item = &'l Layer>) -> Json {
    let mut merged: IndexMap<&Arc<str>, &Lazy> = IndexMap::new();
    for (name, value) in layers.flat_map(|layer| layer.iter()) {
        merged.entry(name).or_insert(value);
    }
    let mut vars: Json =
        Json::Object(merged.into_iter().map(|(name, value)| (name.to_string(), json::marked(value))).collect());
    vars.sort_all_objects();
    vars
}

fn line(text: &mut String, depth: usize, what: &str) {
    let stem = if depth == 0 { String::new() } else { "  |".repeat(depth) + "--" };
    text.push_str(&format!("{stem}{what}\n"));
}
