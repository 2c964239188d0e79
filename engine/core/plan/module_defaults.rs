//! Which actions `module_defaults` apply to.

use std::sync::Arc;

use super::{
    Action, PlanError, Project,
    catalogue::{Catalogue, Meant, Named},
};
use crate::{
    collections::Qualified,
    external::Around,
    source::Problems,
    syntax::{Kind, Known, Modules, Node, builtin_name},
    template,
    vars::Lazy,
};

/// The groups that ansible-core itself names; all but the last belong to collections, which need not be installed.
const GROUPS_OF_CORE: &[&str] =
    &["acme", "aws", "azure", "cpm", "docker", "gcp", "k8s", "os", "ovirt", "vmware", "testgroup"];

impl Project {
    /// Whether a key of `module_defaults` applies to an action: the key is its name, or a group (`group/NAME`) that
    /// contains it. Short names are also searched for in `collections`.
    pub fn has_defaults(&self, key: &str, action: &Action, collections: &[Arc<str>]) -> bool {
        let around = Around { collections, ..Around::default() };
        let same = |name: &str| {
            let meant = match Qualified::parse(name) {
                // A short name must be the action's own.
                None => return name == action.name(),
                Some(_) => Named::find(name, &self.collections, &[]).meant,
            };
            matches!(meant, Meant::Action(found) if found.name() == action.name())
        };
        let same = |name: &str| match action {
            Action::External(module) => {
                let leads_here = |found| matches!(found, Ok(Action::External(found)) if std::ptr::eq(found, *module));
                name == module.full_name
                    || module.collection().is_none() && name == module.name
                    || leads_here(self.action_quietly(name, around))
            }
            Action::Plugin(plugin) => {
                let leads_here = |found| matches!(found, Ok(Action::Plugin(found)) if std::ptr::eq(found, *plugin));
                name == plugin.full_name
                    || plugin.collection().is_none() && name == plugin.name
                    || leads_here(self.action_quietly(name, around))
            }
            _ => same(name),
        };
        let Some(group) = key.strip_prefix("group/") else { return same(key) };
        let short = group.rsplit('.').next().unwrap_or(group);
        // The groups of rplay's own modules are named after their collections.
        let is_short = !group.contains('.');
        let of_collections = collections.iter().filter(|_| is_short).map(|collection| format!("{collection}.{group}"));
        let mut groups = of_collections.chain([group.to_owned()]);
        if let Some(qualified) = Qualified::parse(group) {
            self.warn_of_group(group, &qualified);
        }
        action.group() == short || groups.any(|group| self.collections.group(&group).iter().any(|member| same(member)))
    }

    /// Finds keys of `module_defaults` that name no module and no group. As in Ansible, they end the run before it starts.
    pub(super) fn check_defaults(&self, written: Option<&Node>, collections: &[Arc<str>], problems: &mut Problems) {
        let Some(written) = written else { return };
        let parts = match &written.kind {
            Kind::Seq(parts) => parts.as_slice(),
            _ => std::slice::from_ref(written),
        };
        for (key, _) in parts.iter().filter_map(Node::as_map).flatten() {
            let Some(name) = key.as_str() else { continue };
            let msg = match name.strip_prefix("group/") {
                Some(group) if self.has_group(group, collections) => continue,
                Some(group) => {
                    let prefix = if Qualified::parse(group).is_some() { "" } else { "ansible.builtin." };
                    format!(
                        "Error loading module_defaults: could not resolve the module_defaults group {prefix}{group}"
                    )
                }
                None => {
                    let file = key.span.source.path.as_deref();
                    let known = Catalogue { collections: &self.collections, finder: self.finder(), file, search: &[] };
                    if !matches!(known.find_among(name, collections), Known::No) {
                        continue;
                    }
                    let prefix = if Qualified::parse(name).is_some() { "" } else { "ansible.legacy." };
                    format!("Could not resolve action {prefix}{name} in module_defaults")
                }
            };
            let (at, label) = (key.span.clone(), "named here".to_owned());
            problems.push(PlanError::Argument { msg, at, label, help: None });
        }
    }

    /// Whether there is a group of this name.
    fn has_group(&self, group: &str, collections: &[Arc<str>]) -> bool {
        let group = builtin_name(group);
        let short = group.rsplit('.').next().unwrap_or(group);
        let is_short = !group.contains('.');
        let of_collections = collections.iter().filter(|_| is_short).map(|collection| format!("{collection}.{group}"));
        is_short && GROUPS_OF_CORE.contains(&group)
            || Action::has_group(short)
            || of_collections.chain([group.to_owned()]).any(|group| self.collections.has_group(&group))
    }

    /// Warns about invalid metadata of a group, unless the settings disable that.
    fn warn_of_group(&self, name: &str, qualified: &Qualified) {
        let Some(collection) = self.collections.find(&qualified.collection).filter(|_| self.checks_groups) else {
            return;
        };
        let group = collection.runtime.group(&qualified.resource());
        if let Some(why) = group.and_then(|group| wrong_metadata(&group.metadata)) {
            self.warn_once(&format!(
                "Invalid metadata was found for action_group {name} while loading module_defaults. {why}"
            ));
        }
    }
}

/// What is wrong with the metadata of a group, in ansible-core's words.
fn wrong_metadata(entries: &[Node]) -> Option<String> {
    let shown = |node: &Node| template::repr(&Lazy::constant(node).data().unwrap_or_default());
    let names = |node: &Node| -> Vec<String> {
        let entries = node.as_map().unwrap_or_default().iter();
        let mut names: Vec<_> = entries.map(|(key, _)| key.as_str().unwrap_or(key.span.text()).to_owned()).collect();
        names.sort();
        names
    };
    let first = entries.first()?;
    if let Some(odd) = entries.iter().find(|entry| names(entry) != ["metadata"]) {
        return Some(format!("The only expected key is metadata, but got keys: {}", names(odd).join(", ")));
    }
    if entries.len() > 1 {
        return Some("The group contains multiple metadata entries.".to_owned());
    }
    let about = first.get("metadata")?;
    if about.as_map().is_none() {
        return Some(format!("The metadata is not a dictionary. Got {}", shown(about)));
    }
    let odd: Vec<String> = names(about).into_iter().filter(|name| name != "extend_group").collect();
    if !odd.is_empty() {
        return Some(format!("The metadata contains unexpected keys: {}", odd.join(", ")));
    }
    let extended = about.get("extend_group").filter(|node| !matches!(node.kind, Kind::Str(_) | Kind::Seq(_)))?;
    let shown = shown(extended);
    Some(format!("The metadata contains unexpected key types: extend_group is {shown} (expected type list)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{source::Source, syntax::yaml};

    #[test]
    fn metadata_is_one_mapping_with_one_key() {
        for (text, expected) in [
            ("[metadata: {extend_group: a}]", None),
            ("[metadata: {}]", None),
            ("[{metadata: {}, more: 1}]", Some("The only expected key is metadata, but got keys: metadata, more")),
            ("[metadata: {}, metadata: {}]", Some("The group contains multiple metadata entries.")),
            ("[metadata: [a]]", Some("The metadata is not a dictionary. Got ['a']")),
            ("[metadata: {b: 1}]", Some("The metadata contains unexpected keys: b")),
            (
                "[metadata: {extend_group: {name: a}}]",
                Some("The metadata contains unexpected key types: extend_group is {'name': 'a'} (expected type list)"),
            ),
        ] {
            let node = yaml::load(&Source::inline("runtime.yml", text)).expect(text).node;
            assert_eq!(wrong_metadata(node.as_seq().unwrap_or_default()).as_deref(), expected, "{text}");
        }
    }
}
