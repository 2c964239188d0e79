//! `group_vars` and `host_vars`: variable files named after a group or host.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

use super::InventoryError;
use crate::{
    files::Descent,
    source::{Problems, Source, Span},
    syntax::{self, Kind, reserved_name},
    vars::{Layer, Lazy},
    vault::Vault,
};

/// Warnings that wait to be shown.
pub(super) type Warnings = Mutex<Vec<String>>;

/// A directory that may contain `group_vars` and `host_vars`.
#[derive(Debug)]
pub(super) struct VarsDirectory {
    groups: Listing,
    hosts: Listing,
}

/// The files of `group_vars` or `host_vars`, listed once, so that hosts need no further disk access.
#[derive(Debug, Default)]
struct Listing {
    /// By group or host; the number is the place of the extension in their order of preference: of `web`, `web.yml` and
    /// `web.json`, only the first existing one is read.
    paths: HashMap<String, (usize, PathBuf)>,
    /// Files that are not read, each with the file that takes precedence.
    passed_over: Vec<(PathBuf, PathBuf)>,
    extensions: Vec<String>,
    loaded: Mutex<HashMap<String, Arc<Layer>>>,
}

impl VarsDirectory {
    /// Lists the files; those without an extension, or with one of these, hold variables.
    pub(super) fn open(path: &Path, extensions: &[String]) -> Result<Self, Problems> {
        Ok(VarsDirectory {
            groups: Listing::of(&path.join("group_vars"), extensions)?,
            hosts: Listing::of(&path.join("host_vars"), extensions)?,
        })
    }

    /// A warning for each file that is not read because another one for the same group or host takes precedence.
    pub(super) fn passed_over(&self) -> Vec<String> {
        let warn = |(file, other): &(PathBuf, PathBuf)| {
            format!("{} is ignored, because {} takes precedence", file.display(), other.display())
        };
        self.groups.passed_over.iter().chain(&self.hosts.passed_over).map(warn).collect()
    }

    /// The files that `group_vars` has for a group, in the order in which they are read.
    pub(super) fn group_files(&self, name: &str) -> Result<Vec<PathBuf>, Problems> {
        self.groups.files(name)
    }

    /// The files that `host_vars` has for a host, in the order in which they are read.
    pub(super) fn host_files(&self, name: &str) -> Result<Vec<PathBuf>, Problems> {
        self.hosts.files(name)
    }

    /// The variables that the files have for a group. When the files are read, `reserved` gets the warnings about names.
    pub(super) fn group(&self, name: &str, vault: &Vault, reserved: &Warnings) -> Result<Arc<Layer>, Problems> {
        self.groups.layer(name, vault, reserved)
    }

    /// The same for a host.
    pub(super) fn host(&self, name: &str, vault: &Vault, reserved: &Warnings) -> Result<Arc<Layer>, Problems> {
        self.hosts.layer(name, vault, reserved)
    }
}

impl Listing {
    fn of(directory: &Path, extensions: &[String]) -> Result<Self, Problems> {
        let mut listing = Listing { extensions: extensions.to_vec(), ..Listing::default() };
        for (name, path) in entries(directory)? {
            for (rank, extension) in std::iter::once("").chain(extensions.iter().map(String::as_str)).enumerate() {
                let Some(subject) = name.strip_suffix(extension).filter(|subject| !subject.is_empty()) else {
                    continue;
                };
                if rank > 0 && path.is_dir() || !path.exists() {
                    continue;
                }
                match listing.paths.entry(subject.to_owned()) {
                    Entry::Occupied(known) if known.get().0 <= rank => {
                        listing.passed_over.push((path.clone(), known.get().1.clone()));
                    }
                    Entry::Occupied(mut known) => {
                        let (_, other) = known.insert((rank, path.clone()));
                        listing.passed_over.push((other, path.clone()));
                    }
                    Entry::Vacant(free) => drop(free.insert((rank, path.clone()))),
                }
            }
        }
        Ok(listing)
    }

    fn files(&self, name: &str) -> Result<Vec<PathBuf>, Problems> {
        let mut files = Vec::new();
        if let Some((_, path)) = self.paths.get(name) {
            collect(path, &self.extensions, &mut files, &mut Descent::default())?;
        }
        Ok(files)
    }

    fn layer(&self, name: &str, vault: &Vault, reserved: &Warnings) -> Result<Arc<Layer>, Problems> {
        if !self.paths.contains_key(name) {
            return Ok(Arc::default());
        }
        let lock = || self.loaded.lock();
        if let Some(layer) = lock().get(name) {
            return Ok(layer.clone());
        }
        let mut layer = Layer::new();
        let mut problems = Problems::default();
        for file in self.files(name)? {
            match vars_file(&file, vault) {
                Ok(vars) => layer.extend(vars),
                Err(found) => problems.0.extend(found.0),
            }
        }
        let layer = Arc::new(problems.unless_any(layer)?);
        reserved.lock().extend(layer.keys().filter_map(|name| reserved_name(name)));
        lock().insert(name.to_owned(), layer.clone());
        Ok(layer)
    }
}

/// A file, or all variable files below a directory, in order of their names.
fn collect(
    path: &Path,
    extensions: &[String],
    files: &mut Vec<PathBuf>,
    descent: &mut Descent,
) -> Result<(), Problems> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for (name, path) in entries(path)? {
        let extension = name.rsplit_once('.').map_or("", |(before, _)| &name[before.len()..]);
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        if path.is_dir() {
            if extension.is_empty() {
                descent.within(&path, |descent| collect(&path, extensions, files, descent)).unwrap_or(Ok(()))?;
            }
        } else if extension.is_empty() || extensions.iter().any(|known| known == extension) {
            files.push(path);
        }
    }
    Ok(())
}

/// The entries of a directory, sorted by name; empty if it does not exist.
pub(super) fn entries(directory: &Path) -> Result<Vec<(String, PathBuf)>, InventoryError> {
    let unreadable = |error| InventoryError::Unreadable { path: directory.to_owned(), error };
    let listed = match std::fs::read_dir(directory) {
        Ok(listed) => listed,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(unreadable(error)),
    };
    let mut found = Vec::new();
    for entry in listed {
        let entry = entry.map_err(unreadable)?;
        // Names that are not UTF-8 cannot belong to a group, a host or a variable file.
        if let Ok(name) = entry.file_name().into_string() {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a variable file in YAML or JSON, which may be encrypted.
///
/// # Errors
/// If it cannot be read or decrypted, or is not one mapping.
pub fn vars_file(path: &Path, vault: &Vault) -> Result<Layer, Problems> {
    let source = vault.read(path)?;
    let loaded = syntax::yaml::load(&source)?;
    match &loaded.node.kind {
        Kind::Null => Ok(Layer::new()),
        Kind::Map(entries) => {
            Ok(entries.iter().map(|(key, value)| (super::key::key(key), Lazy::from_node(value))).collect())
        }
        _ => Err(InventoryError::syntax(loaded.node.span.clone(), "a variable file must be a mapping")
            .help("write one `name: value` per line")
            .into()),
    }
}

/// The value that a variable file gives a variable, and the place of its name.
///
/// # Errors
/// If the file is not YAML.
pub fn definition_in(source: &Arc<Source>, name: &str) -> Result<Option<(Lazy, Span)>, Problems> {
    let loaded = syntax::yaml::load(source)?;
    // As when a mapping is read: of equal keys, the last one counts.
    let found = loaded.node.as_map().unwrap_or_default().iter().rev().find(|(key, _)| &*super::key::key(key) == name);
    Ok(found.map(|(key, value)| (Lazy::from_node(value), key.span.clone())))
}
