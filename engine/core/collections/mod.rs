//! Collections: where they are, and their metadata.
//!
//! A collection `NAMESPACE.NAME` is the directory `ansible_collections/NAMESPACE/NAME` of a place. Places are searched
//! in Ansible's order: `collections/` next to the playbooks, the setting `collections_path`, the packages of the Python
//! that has Ansible. Nothing is read before a name is looked up.

mod name;
mod python;
mod runtime;
mod supported;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use parking_lot::{Mutex, RwLock};

pub use name::{Qualified, is_collection_name, is_name};
pub use python::site_packages;
pub use runtime::{Group, Removal, Route, Runtime};
pub use supported::{ANSIBLE_VERSION, supports};

use crate::{files, source::Source};

pub use crate::syntax::BUILTIN;

/// Maximum number of consecutive redirections; more are certainly a cycle.
const MAX_REDIRECTS: usize = 32;

/// How to handle a collection that does not support this version of Ansible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mismatch {
    Error,
    #[default]
    Warning,
    Ignore,
}

/// An installed collection.
#[derive(Debug)]
pub struct Collection {
    /// `NAMESPACE.NAME`.
    pub name: Arc<str>,
    pub path: PathBuf,
    /// The content of `meta/runtime.yml`.
    pub runtime: Runtime,
    /// The reason if that file is invalid.
    pub error: Option<String>,
}

/// All places of collections, and a cache of lookups.
#[derive(Debug, Default)]
pub struct Collections {
    /// Each contains a directory `ansible_collections`.
    places: Vec<PathBuf>,
    beside: RwLock<Vec<PathBuf>>,
    /// Whether Python's packages are a place.
    with_python: bool,
    /// The interpreter with these packages, if the settings name one.
    interpreter: Option<PathBuf>,
    packages: OnceLock<Vec<PathBuf>>,
    known: Mutex<HashMap<String, Option<Arc<Collection>>>>,
}

/// The result of routing a module name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routed {
    /// The name after all redirections, with deprecation messages.
    To { name: String, deprecated: Vec<String> },
    /// The module was removed; with the message.
    Removed(String),
    /// The redirections form a cycle.
    Circle,
}

impl Collections {
    /// Collections in these directories and, if `with_python`, in the packages of the Python that has Ansible.
    pub fn new(places: Vec<PathBuf>, with_python: bool) -> Self {
        let above = |path: PathBuf| match path.file_name() {
            Some(name) if name == "ansible_collections" => path.parent().map(Path::to_owned).unwrap_or(path),
            _ => path,
        };
        Collections { places: places.into_iter().map(above).collect(), with_python, ..Collections::default() }
    }

    /// Uses the packages of this interpreter instead of searching for one.
    pub fn with_interpreter(self, interpreter: Option<PathBuf>) -> Self {
        Collections { interpreter, ..self }
    }

    /// Adds the collections next to the playbooks of a directory.
    pub fn add_playbooks(&self, directory: &Path) {
        let place = directory.join("collections");
        if self.beside.read().contains(&place) || !place.join("ansible_collections").is_dir() {
            return;
        }
        self.beside.write().push(place);
        // Found collections stay cached; missing ones may exist now.
        self.known.lock().retain(|_, found| found.is_some());
    }

    /// The directories that are searched for collections, in order.
    pub fn places(&self) -> Vec<PathBuf> {
        let packages: &[PathBuf] = match self.with_python {
            true => self.packages.get_or_init(|| site_packages(self.interpreter.as_deref())),
            false => &[],
        };
        self.beside.read().iter().chain(&self.places).chain(packages).cloned().collect()
    }

    /// The collection of that name, if it is installed.
    pub fn find(&self, name: &str) -> Option<Arc<Collection>> {
        if let Some(known) = self.known.lock().get(name) {
            return known.clone();
        }
        let found = self.look_for(name).map(Arc::new);
        self.known.lock().entry(name.to_owned()).or_insert(found).clone()
    }

    fn look_for(&self, name: &str) -> Option<Collection> {
        let (namespace, short) = name.split_once('.').filter(|_| is_collection_name(name))?;
        let inner = Path::new("ansible_collections").join(namespace).join(short);
        // Python's packages are searched last.
        let near = self.beside.read().iter().chain(&self.places).map(|place| place.join(&inner)).find(|p| p.is_dir());
        let path = near.or_else(|| self.places().into_iter().map(|place| place.join(&inner)).find(|p| p.is_dir()))?;
        let file = path.join("meta/runtime.yml");
        let (runtime, error) = match file.is_file() {
            true => match Runtime::read(&file) {
                Ok(runtime) => (runtime, None),
                Err(error) => (Runtime::default(), Some(error)),
            },
            false => (Runtime::default(), None),
        };
        Some(Collection { name: name.into(), path, runtime, error })
    }

    /// The collection that contains a file, if it is the one found under its name.
    pub fn of_path(&self, path: &Path) -> Option<Arc<Collection>> {
        let path = path.canonicalize().ok()?;
        let parts: Vec<&str> = path.iter().map(|part| part.to_str().unwrap_or_default()).collect();
        let at = parts.iter().rposition(|part| *part == "ansible_collections")?;
        let found = self.find(&format!("{}.{}", parts.get(at + 1)?, parts.get(at + 2)?))?;
        path.starts_with(found.path.canonicalize().ok()?).then_some(found)
    }

    /// The directory and collection of a role: `NAMESPACE.COLLECTION.ROLE`, or a short name in one of the searched
    /// collections.
    pub fn role(&self, name: &str, search: &[Arc<str>]) -> Option<(PathBuf, Arc<Collection>)> {
        let within = |collection: &str, inner: &Path| {
            let found = self.find(collection)?;
            let path = found.path.join("roles").join(inner);
            path.is_dir().then_some((path, found))
        };
        match Qualified::parse(name) {
            Some(qualified) => within(&qualified.collection, &qualified.path()),
            None if is_name(name) => search.iter().find_map(|collection| within(collection, Path::new(name))),
            None => None,
        }
    }

    /// The file of a playbook `NAMESPACE.COLLECTION.PLAYBOOK`, with or without its extension.
    pub fn playbook(&self, name: &str) -> Option<(PathBuf, Arc<Collection>)> {
        let (bare, endings): (&str, &[&str]) = match name.strip_suffix(".yml").or_else(|| name.strip_suffix(".yaml")) {
            Some(bare) => (bare, &[&name[bare.len() + 1..]]),
            None => (name, &["yml", "yaml"]),
        };
        let qualified = Qualified::parse(bare)?;
        let found = self.find(&qualified.collection)?;
        let base = found.path.join("playbooks").join(qualified.path());
        let named = |ending: &&str| PathBuf::from(format!("{}.{ending}", base.display()));
        endings.iter().map(named).find(|path| path.is_file()).map(|path| (path, found))
    }

    /// Resolves a fully qualified module name by the collections' `meta/runtime.yml`.
    pub fn route(&self, name: &str) -> Routed {
        let mut name = name.to_owned();
        let mut deprecated = Vec::new();
        for _ in 0..MAX_REDIRECTS {
            let collection = Qualified::parse(&name).filter(|q| !BUILTIN.contains(&&*q.collection));
            let found = collection.as_ref().and_then(|qualified| self.find(&qualified.collection));
            let route = collection.as_ref().zip(found.as_ref()).and_then(|(qualified, found)| {
                ["modules", "action"].iter().find_map(|kind| found.runtime.route(kind, &qualified.resource()))
            });
            let (Some(route), Some(found)) = (route, &found) else { return Routed::To { name, deprecated } };
            if let Some(tombstone) = &route.tombstone {
                return Routed::Removed(tombstone.removed(&name, &found.name));
            }
            deprecated.extend(route.deprecation.iter().map(|removal| removal.deprecated(&name, &found.name)));
            match &route.redirect {
                Some(redirect) => redirect.clone_into(&mut name),
                None => return Routed::To { name, deprecated },
            }
        }
        Routed::Circle
    }

    /// The file of a module or action plugin in a collection, in any language.
    pub fn module_file(&self, name: &str) -> Option<PathBuf> {
        let qualified = Qualified::parse(name)?;
        let found = self.find(&qualified.collection)?;
        let inner = qualified.path();
        ["modules", "action"].iter().find_map(|kind| {
            let base = found.path.join("plugins").join(kind).join(&inner);
            let stem = base.file_name()?;
            let entries = std::fs::read_dir(base.parent()?).ok()?;
            let mut files: Vec<PathBuf> = entries
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| path.file_stem() == Some(stem) && path.is_file())
                // The documentation of a module that is not in Python is a file next to it.
                .filter(|path| {
                    !path.extension().is_some_and(|end| ["yml", "yaml", "pyc", "md"].iter().any(|e| end == *e))
                })
                .collect();
            files.sort();
            files.into_iter().next()
        })
    }

    /// The modules of a `module_defaults` group (`NAMESPACE.COLLECTION.GROUP`), fully qualified.
    pub fn group(&self, name: &str) -> Vec<String> {
        let mut members = Vec::new();
        self.group_into(name, &mut members, &mut Vec::new());
        members
    }

    /// Whether an installed collection has this group.
    pub fn has_group(&self, name: &str) -> bool {
        let of =
            |qualified: &Qualified| self.find(&qualified.collection)?.runtime.group(&qualified.resource()).map(drop);
        Qualified::parse(name).as_ref().and_then(of).is_some()
    }

    fn group_into(&self, name: &str, members: &mut Vec<String>, seen: &mut Vec<String>) {
        if seen.iter().any(|known| known == name) {
            return;
        }
        seen.push(name.to_owned());
        let Some(qualified) = Qualified::parse(name) else { return };
        let Some(found) = self.find(&qualified.collection) else { return };
        let Some(group) = found.runtime.group(&qualified.resource()) else { return };
        let full = |short: &str| match short.contains('.') {
            true => short.to_owned(),
            false => format!("{}.{short}", found.name),
        };
        members.extend(group.members.iter().map(|member| full(member)));
        for extended in &group.extends {
            self.group_into(&full(extended), members, seen);
        }
    }
}

/// The version of a collection, from `MANIFEST.json` or `galaxy.yml`; `None` if neither has one.
pub fn version_of(directory: &Path) -> Option<String> {
    if let Ok(text) = files::read_text(&directory.join("MANIFEST.json")) {
        let json: serde_json::Value = serde_json::from_str(&text).ok()?;
        return json.pointer("/collection_info/version")?.as_str().map(str::to_owned);
    }
    let source = Source::read(&directory.join("galaxy.yml")).ok()?;
    let node = crate::syntax::yaml::load(&source).ok()?.node;
    let version = node.get("version")?;
    Some(version.as_str().map_or_else(|| version.span.text().to_owned(), str::to_owned))
}

#[cfg(test)]
mod tests;
