//! The input and output of the solver.

use std::collections::HashSet;

use super::{
    api::Detail,
    installed::Installed,
    manifest::About,
    version::{Range, Version},
};

/// The input of the solver.
pub(super) struct Question<'q> {
    /// Names, ranges, and the required server, if any.
    pub roots: Vec<(String, Range, Option<String>)>,
    /// Collections that are already local, such as unpacked archives; they are the only candidates for their names.
    pub local: Vec<About>,
    pub installed: &'q [Installed],
    /// Names whose installed version is ignored.
    pub forced: HashSet<String>,
    /// Whether all installed versions are ignored.
    pub forces_all: bool,
    /// Whether newer versions are preferred over installed ones.
    pub upgrade: bool,
    pub prereleases: bool,
    pub with_dependencies: bool,
}

/// A collection to install.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub name: String,
    pub version: Version,
    pub from: From,
}

/// Its source.
#[derive(Clone, Debug)]
pub(super) enum From {
    Installed,
    /// The index in [`Question::local`].
    Local(usize),
    /// The index of the server, and its details.
    Server(usize, Box<Detail>),
}
