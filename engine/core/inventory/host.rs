//! One host, and one group of hosts.

use std::sync::Arc;

use indexmap::IndexSet;

use crate::vars::Layer;

/// The group of all hosts.
pub(super) const ALL: &str = "all";
/// The group of hosts that are in no other group.
pub(super) const UNGROUPED: &str = "ungrouped";
/// Names of this machine, known even if no source names them.
pub(super) const LOCALHOST: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A machine, or anything else that tasks run on.
#[derive(Clone, Debug)]
pub struct Host {
    pub name: Arc<str>,
    /// Variables from the sources, without those of its groups and `host_vars`.
    pub vars: Arc<Layer>,
    /// Groups that contain this host directly; indexes into [`super::Inventory::groups`].
    pub(super) groups: IndexSet<usize>,
    /// Whether it is the implicit `localhost`, which no source names.
    pub implicit: bool,
    /// The source that named it first, if one did.
    pub source: Option<Arc<HostSource>>,
}

/// A source as its hosts see it: the magic variables `inventory_file` and `inventory_dir`.
#[derive(Debug)]
pub struct HostSource {
    /// A path, or what else `-i` said.
    pub file: String,
    /// `None` if it is not a file.
    pub directory: Option<String>,
}

/// A group of hosts and other groups.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: Arc<str>,
    pub vars: Arc<Layer>,
    pub(super) hosts: IndexSet<usize>,
    pub(super) children: IndexSet<usize>,
    pub(super) parents: IndexSet<usize>,
    /// `ansible_group_priority`: among groups of the same depth, the higher one wins.
    pub priority: i64,
}
