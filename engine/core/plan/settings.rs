//! The inheritance of keywords from plays to roles, blocks and tasks.

use std::sync::Arc;

use super::step::{Condition, Settings, field, fields};
use crate::{
    syntax::{Keywords, Kind, Node, collection_names, reserved_names},
    vars::{Layer, Lazy},
};

impl Settings {
    /// These settings, extended by the keywords of something inside. Conditions, tags, environments, defaults and
    /// variables accumulate; for all others, the innermost value wins.
    pub fn with(self: &Arc<Self>, keywords: &Keywords, notify: Option<&Node>) -> Arc<Self> {
        if says_nothing(keywords) && notify.is_none() {
            return self.clone();
        }
        let mut inner = Settings::clone(self);
        if may_omit(keywords) {
            inner.outer = Some(self.clone());
        }
        inner.when.extend(Condition::of_when(keywords.when.as_ref()));
        if let Some(tags) = &keywords.tags {
            inner.tags.extend(split_tags(tags));
        }
        if let Some(vars) = keywords.vars.as_ref().and_then(layer) {
            inner.vars.insert(0, vars);
        }
        // Ansible does not warn about inherited variables named `tags` or `when`.
        let reserved = keywords.vars.iter().flat_map(reserved_names);
        inner.reserved.extend(reserved.filter(|name| !matches!(&*name.value, "tags" | "when")));
        inner.environment.extend(keywords.environment.iter().flat_map(fields));
        inner.module_defaults.extend(keywords.module_defaults.iter().flat_map(fields));
        if let Some(node) = &keywords.collections {
            inner.collections = searched(inner.home.as_ref(), &collection_names(node));
        }
        inner.notify.extend(notify.into_iter().flat_map(fields));
        macro_rules! nearest {
            ($($name:ident)*) => {$(
                if let Some(node) = &keywords.$name {
                    inner.$name = Some(field(node));
                }
            )*};
        }
        nearest!(any_errors_fatal become_ become_exe become_flags become_method become_user check_mode connection
            debugger delegate_facts delegate_to diff ignore_errors ignore_unreachable no_log port remote_user run_once throttle
            timeout);
        Arc::new(inner)
    }
}

impl Settings {
    /// These settings with other collections to search.
    pub fn searching(self: &Arc<Self>, collections: &Arc<[Arc<str>]>) -> Arc<Self> {
        match self.collections == *collections {
            true => self.clone(),
            false => Arc::new(Settings { collections: collections.clone(), ..Settings::clone(self) }),
        }
    }

    /// The settings for a playbook in this collection, or in none.
    pub fn at_home(self: &Arc<Self>, home: Option<Arc<str>>) -> Arc<Self> {
        match self.home == home {
            true => self.clone(),
            false => Arc::new(Settings { collections: searched(home.as_ref(), &[]), home, ..Settings::clone(self) }),
        }
    }
}

/// The collections to search: first its own, then the listed ones.
pub(super) fn searched(own: Option<&Arc<str>>, listed: &[Arc<str>]) -> Arc<[Arc<str>]> {
    let others = listed.iter().filter(|name| Some(*name) != own);
    own.into_iter().chain(others).cloned().collect()
}

/// Whether a keyword may be `omit`, which falls back to the outer value.
fn may_omit(keywords: &Keywords) -> bool {
    macro_rules! any {
        ($($name:ident)*) => { false $(|| keywords.$name.as_ref().is_some_and(|node| node.span.text().contains("omit")))* };
    }
    any!(any_errors_fatal become_ become_exe become_flags become_method become_user check_mode connection debugger delegate_facts
        delegate_to diff ignore_errors ignore_unreachable no_log port remote_user run_once throttle timeout)
}

fn says_nothing(keywords: &Keywords) -> bool {
    macro_rules! all_none {
        ($($name:ident)*) => { true $(&& keywords.$name.is_none())* };
    }
    all_none!(collections when tags vars any_errors_fatal become_ become_exe become_flags become_method become_user check_mode
        connection debugger delegate_facts delegate_to diff environment ignore_errors ignore_unreachable module_defaults no_log
        port remote_user run_once throttle timeout)
}

/// `tags: a,b` means two tags; an item of a list is one, whatever it contains, but lists in lists count as one list.
pub(super) fn split_tags(node: &Node) -> Vec<super::Field> {
    let whole = field(node);
    match (&node.kind, whole.value.data().as_ref().and_then(|value| value.as_str())) {
        (Kind::Str(_), Some(text)) => text
            .split(',')
            .map(|part| super::Field { value: Lazy::Data(part.trim().into()), span: whole.span.clone() })
            .collect(),
        (Kind::Seq(_), _) => tags_in(node),
        _ => fields(node),
    }
}

fn tags_in(item: &Node) -> Vec<super::Field> {
    match &item.kind {
        Kind::Seq(items) => items.iter().flat_map(tags_in).collect(),
        _ => vec![field(item)],
    }
}

/// A mapping of variables as a layer; `None` if it is empty or not a mapping.
pub fn layer(node: &Node) -> Option<Arc<Layer>> {
    let entries = node.as_map().filter(|entries| !entries.is_empty())?;
    Some(Arc::new(entries.iter().map(|(name, value)| (name_text(name), Lazy::from_node(value))).collect()))
}

fn name_text(node: &Node) -> Arc<str> {
    node.as_str().map_or_else(|| node.span.text().into(), Arc::from)
}
