//! `meta/runtime.yml`: redirected, deprecated and removed names of a collection, and its action groups.

use std::{collections::HashMap, path::Path};

use crate::{
    source::Source,
    syntax::{Kind, Node, yaml},
};

/// The content of a collection's `meta/runtime.yml`.
#[derive(Debug, Default)]
pub struct Runtime {
    /// The supported versions of Ansible, such as `>=2.15.0`.
    pub requires_ansible: Option<String>,
    /// By kind (`modules`, `lookup`, `filter` ...), then by name.
    routes: HashMap<String, HashMap<String, Route>>,
    groups: HashMap<String, Group>,
}

/// What happened to a name.
#[derive(Debug, Default)]
pub struct Route {
    /// The full name to use instead.
    pub redirect: Option<String>,
    /// The full name of the action plugin that does a module's work.
    pub action_plugin: Option<String>,
    pub deprecation: Option<Removal>,
    /// Set if it was removed.
    pub tombstone: Option<Removal>,
}

/// When something is or was removed, and what to do about it.
#[derive(Debug, Default)]
pub struct Removal {
    pub text: Option<String>,
    pub version: Option<String>,
    pub date: Option<String>,
}

/// A group of modules that share defaults.
#[derive(Debug, Default)]
pub struct Group {
    pub members: Vec<String>,
    pub extends: Vec<String>,
    /// Entries in the list of members that are not members.
    pub metadata: Vec<Node>,
}

impl Runtime {
    /// Reads the file.
    ///
    /// # Errors
    /// If it cannot be read, is not YAML, or is not a mapping; in one sentence.
    pub fn read(path: &Path) -> Result<Self, String> {
        let source = Source::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let node = yaml::load(&source)
            .map_err(|problems| match problems.0.first() {
                Some(problem) => format!("{}: {problem}", path.display()),
                None => path.display().to_string(),
            })?
            .node;
        match node.kind {
            Kind::Map(_) | Kind::Null => Ok(Runtime::of(&node)),
            _ => Err(format!("{}: it must be a mapping", path.display())),
        }
    }

    fn of(node: &Node) -> Self {
        let named = |node: Option<&Node>| -> Vec<(String, Node)> {
            let entries = node.and_then(Node::as_map).unwrap_or_default();
            entries.iter().filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value.clone()))).collect()
        };
        let routes = named(node.get("plugin_routing"))
            .into_iter()
            .map(|(kind, names)| {
                (kind, named(Some(&names)).into_iter().map(|(name, route)| (name, Route::of(&route))).collect())
            })
            .collect();
        let groups =
            named(node.get("action_groups")).into_iter().map(|(name, group)| (name, Group::of(&group))).collect();
        Runtime { requires_ansible: text(node.get("requires_ansible")), routes, groups }
    }

    /// The entry for a name of a kind.
    pub fn route(&self, kind: &str, name: &str) -> Option<&Route> {
        self.routes.get(kind)?.get(name)
    }

    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }
}

impl Route {
    fn of(node: &Node) -> Self {
        Route {
            redirect: text(node.get("redirect")),
            action_plugin: text(node.get("action_plugin")),
            deprecation: node.get("deprecation").filter(|node| !node.is_null()).map(Removal::of),
            tombstone: node.get("tombstone").filter(|node| !node.is_null()).map(Removal::of),
        }
    }
}

/// A sentence ends with a mark.
fn sentence(text: &str) -> String {
    let end = if text.is_empty() || text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{text}{end}")
}

impl Removal {
    fn of(node: &Node) -> Self {
        Removal {
            text: text(node.get("warning_text")).map(|text| sentence(text.trim())),
            version: text(node.get("removal_version")),
            date: text(node.get("removal_date")),
        }
    }

    /// The warning about a deprecated name, in Ansible's words.
    pub fn deprecated(&self, name: &str, collection: &str) -> String {
        let when = match (&self.date, &self.version) {
            (Some(date), _) => format!("in a release after {date}."),
            (None, Some(version)) => format!("version {version}."),
            (None, None) => "in a future release.".to_owned(),
        };
        let text = self.text.as_ref().map(|text| format!(" {text}")).unwrap_or_default();
        format!("{name} has been deprecated.{text} This feature will be removed from collection '{collection}' {when}")
    }

    /// The error about a removed name, in Ansible's words.
    pub fn removed(&self, name: &str, collection: &str) -> String {
        let when = match (&self.date, &self.version) {
            (Some(date), _) => format!(" in a release after {date}."),
            (None, Some(version)) => format!(" version {version}."),
            (None, None) => ".".to_owned(),
        };
        let text = self.text.as_ref().map(|text| format!(" {text}")).unwrap_or_default();
        format!(
            "The '{name}' module has been removed.{text} This feature was removed from collection '{collection}'{when}"
        )
    }
}

impl Group {
    fn of(node: &Node) -> Self {
        let mut group = Group::default();
        for item in node.as_seq().unwrap_or_default() {
            match item.as_str() {
                Some(member) => group.members.push(member.to_owned()),
                None => {
                    group.metadata.push(item.clone());
                    let extended = item.get("metadata").and_then(|about| about.get("extend_group"));
                    let names = extended.map(|node| node.as_seq().unwrap_or(std::slice::from_ref(node)));
                    group.extends.extend(names.unwrap_or_default().iter().filter_map(|name| text(Some(name))));
                }
            }
        }
        group
    }
}

/// A scalar as written: versions and dates may be unquoted.
fn text(node: Option<&Node>) -> Option<String> {
    let node = node?;
    match &node.kind {
        Kind::Str(text) => Some(text.value.to_string()),
        Kind::Null | Kind::Seq(_) | Kind::Map(_) => None,
        _ => Some(node.span.text().to_owned()),
    }
}
