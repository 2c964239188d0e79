//! What the keys of a dict demand of each other: `required_together` and the like.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::Value;

use super::convert::{python_text, value_of};
use crate::syntax::{Kind, Node};

/// Demands on the keys of a dict, as written.
#[derive(Clone, Debug, Default)]
pub struct Relations {
    /// At most one of each group.
    pub mutually_exclusive: Vec<Vec<Arc<str>>>,
    /// All of each group, or none.
    pub required_together: Vec<Vec<Arc<str>>>,
    /// At least one of each group.
    pub required_one_of: Vec<Vec<Arc<str>>>,
    pub required_if: Vec<Condition>,
    /// Each key, if it has a value, needs the others to have values.
    pub required_by: IndexMap<Arc<str>, Vec<Arc<str>>>,
}

/// An entry of `required_if`: `[state, present, [path, url], true]`.
#[derive(Clone, Debug)]
pub struct Condition {
    name: Arc<str>,
    value: Node,
    needed: Vec<Arc<str>>,
    /// One of the needed keys is enough.
    any: bool,
}

impl Relations {
    /// Reads the value of one of the keys. What has another form than Ansible can use demands nothing.
    pub(in crate::syntax) fn read(&mut self, key: &str, node: &Node) {
        let groups = || node.as_seq().unwrap_or_default().iter().map(names).collect();
        match key {
            "mutually_exclusive" => self.mutually_exclusive = groups(),
            "required_together" => self.required_together = groups(),
            "required_one_of" => self.required_one_of = groups(),
            "required_if" => {
                self.required_if = node.as_seq().unwrap_or_default().iter().filter_map(Condition::read).collect();
            }
            _ => {
                let entries = node.as_map().unwrap_or_default().iter();
                self.required_by = entries
                    .filter_map(|(name, needed)| {
                        let needed = needed.as_str().map_or_else(|| names(needed), |name| vec![name.into()]);
                        Some((name.as_str()?.into(), needed))
                    })
                    .collect();
            }
        }
    }

    /// The keys given that exclude each other, as a message.
    pub(super) fn excluded(&self, given: &IndexMap<Arc<str>, Value>) -> Option<String> {
        let several = |group: &&Vec<Arc<str>>| group.iter().filter(|name| given.contains_key(*name)).count() > 1;
        let wrong: Vec<String> = self.mutually_exclusive.iter().filter(several).map(|group| group.join("|")).collect();
        match wrong.is_empty() {
            true => None,
            false => Some(format!("parameters are mutually exclusive: {}", wrong.join(", "))),
        }
    }

    /// What the other demands miss, with defaults among the values: a message for the first of each kind.
    pub(super) fn missing(&self, given: &IndexMap<Arc<str>, Value>) -> Vec<String> {
        let has = |name: &Arc<str>| given.contains_key(name);
        let has_value = |name: &Arc<str>| given.get(name).is_some_and(|value| !value.is_none());
        let together = self.required_together.iter().find(|group| group.iter().any(has) && !group.iter().all(has));
        let one_of = self.required_one_of.iter().find(|group| !group.iter().any(has));
        let conditional = self.required_if.iter().find_map(|condition| condition.unmet(given));
        let by = self.required_by.iter().filter(|(name, _)| has_value(name)).find_map(|(name, needed)| {
            let missing: Vec<&str> = needed.iter().filter(|name| !has_value(name)).map(|name| &**name).collect();
            (!missing.is_empty()).then(|| format!("missing parameter(s) required by '{name}': {}", missing.join(", ")))
        });
        [
            together.map(|group| format!("parameters are required together: {}", group.join(", "))),
            one_of.map(|group| format!("one of the following is required: {}", group.join(", "))),
            conditional,
            by,
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Condition {
    fn read(node: &Node) -> Option<Self> {
        let parts = node.as_seq()?;
        let [name, value, needed] = parts.get(..3)? else { return None };
        let any = parts.get(3).is_some_and(|any| matches!(any.kind, Kind::Bool(true)));
        Some(Condition { name: name.as_str()?.into(), value: value.clone(), needed: names(needed), any })
    }

    fn unmet(&self, given: &IndexMap<Arc<str>, Value>) -> Option<String> {
        let value = value_of(&self.value);
        if given.get(&self.name) != Some(&value) {
            return None;
        }
        let missing: Vec<&str> =
            self.needed.iter().filter(|name| !given.contains_key(*name)).map(|name| &**name).collect();
        let enough = if self.any { missing.len() < self.needed.len() } else { missing.is_empty() };
        (!enough).then(|| {
            let extent = if self.any { "any" } else { "all" };
            let Condition { name, .. } = self;
            format!(
                "{name} is {} but {extent} of the following are missing: {}",
                python_text(&value),
                missing.join(", ")
            )
        })
    }
}

/// The names of a group. As in Ansible, text counts as the list of its characters.
fn names(node: &Node) -> Vec<Arc<str>> {
    match node.as_str() {
        Some(text) => text.chars().map(|c| c.to_string().into()).collect(),
        None => node.as_seq().unwrap_or_default().iter().filter_map(Node::as_str).map(Arc::from).collect(),
    }
}
