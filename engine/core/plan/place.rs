//! The context of entries that are being resolved: the settings, role and files around them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::step::{Role, Settings};
use crate::{files, source, vars::Layer};

/// The context of the entries that are being resolved.
#[derive(Clone)]
pub struct Place {
    pub settings: Arc<Settings>,
    pub role: Option<Arc<Role>>,
    /// The directory of the playbook.
    pub playbook: PathBuf,
    /// The directory of the file that contains the entries.
    pub directory: PathBuf,
    pub handler: bool,
    /// A block of the same file encloses it.
    pub in_block: bool,
    /// A `rescue` handles failures.
    pub may_fail: bool,
    pub play_vars: Arc<Layer>,
    /// The chain of importing files, to detect one that imports itself.
    pub trail: Vec<PathBuf>,
}

/// The file of an include or import: next to the including file, or in the role's `tasks/`.
pub fn task_file(place: &Place, name: &str) -> PathBuf {
    let name = &files::filled_in(name);
    // A handler may include one of the role's task files.
    let kinds: &[&str] = if place.handler { &["handlers", "tasks"] } else { &["tasks"] };
    let role = |kind: &&str| place.role.as_ref().map(|role| role.path.join(kind).join(name));
    let mut candidates = vec![Some(place.directory.join(name))];
    candidates.extend(kinds.iter().map(role));
    candidates.push(place.role.as_ref().map(|role| role.path.join(name)));
    candidates.push(Some(place.playbook.join(name)));
    let mut candidates = candidates.into_iter().flatten();
    let first = place.directory.join(name);
    candidates.find(|path| path.is_file()).unwrap_or(first)
}

/// The directories in which the entries look for files, first the role's, then those of the roles that name or include
/// it.
pub(super) fn search_directories(place: &Place) -> Arc<[PathBuf]> {
    let mut directories: Vec<PathBuf> = Vec::new();
    let roles = place.role.iter().flat_map(|role| std::iter::once(role).chain(&role.parents)).map(|role| &role.path);
    for directory in roles.chain([&place.directory, &place.playbook]) {
        if !directories.contains(directory) {
            directories.push(directory.clone());
        }
    }
    // Lookups return paths that are used in other contexts.
    directories.into_iter().map(|directory| PathBuf::from(source::absolute(&directory))).collect()
}

/// The directory of a file.
pub(super) fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The canonical path of a file, so that a file that imports itself under another name is detected.
pub(super) fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
