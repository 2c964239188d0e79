//! The directories that may contain plugins.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};

use crate::vars::PluginKind;

/// The directories that may contain plugins, and what is known about them.
#[derive(Default)]
pub(super) struct PluginPlaces {
    /// Directories of playbooks and of roles that were loaded.
    pub directories: RwLock<Vec<PathBuf>>,
    /// The `library/` of those that have one, in the order in which they were loaded.
    pub libraries: RwLock<Vec<PathBuf>>,
    /// Words in the files of a directory.
    pub words: Mutex<HashMap<PathBuf, Arc<HashSet<String>>>>,
    /// Built-in names, and whether a plugin of the user's overrides them.
    pub replaced: Mutex<HashMap<(PluginKind, String), bool>>,
}
