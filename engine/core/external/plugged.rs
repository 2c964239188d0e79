//! What is known of the places where plugins may lie.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};

use crate::vars::PluginKind;

/// Where plugins may lie, and what is known of them.
#[derive(Default)]
pub(super) struct Plugged {
    /// Directories of playbooks and of roles that were loaded.
    pub directories: RwLock<Vec<PathBuf>>,
    /// The `library/` of those that have one, in the order in which they were loaded.
    pub libraries: RwLock<Vec<PathBuf>>,
    /// Words in the files of a directory.
    pub words: Mutex<HashMap<PathBuf, Arc<HashSet<String>>>>,
    /// Native names, and whether they lead to a plugin of the user's.
    pub replaced: Mutex<HashMap<(PluginKind, String), bool>>,
}
