//! Finds plugins and their documentation.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::PluginType;
use crate::{
    collections::{BUILTIN, Collections, Qualified, Routed},
    syntax::builtin_name,
};

/// Extensions of files that are not plugins.
const NO_PLUGINS: [&str; 13] =
    ["pyc", "pyo", "swp", "bak", "orig", "rpm", "md", "txt", "rst", "cfg", "toml", "retry", "json"];

/// Where to search for plugins.
#[derive(Debug, Default)]
pub struct Library {
    pub collections: Arc<Collections>,
    /// The directory of the Python package `ansible`, if ansible-core is installed.
    pub core: Option<PathBuf>,
    /// Configured directories and those next to the playbooks, by type; earlier ones win.
    pub own: HashMap<PluginType, Vec<PathBuf>>,
}

/// A plugin that was found.
#[derive(Clone, Debug)]
pub struct Located {
    pub kind: PluginType,
    /// Its name with the collection; plain for the user's own.
    pub name: String,
    /// The name within its collection.
    pub short: String,
    /// The plugin.
    pub file: PathBuf,
    /// The file that contains the documentation: the plugin itself, or a YAML file next to it.
    pub docs: PathBuf,
    /// `ansible.builtin`, a collection, or empty for the user's own.
    pub collection: String,
}

impl Located {
    /// A plugin of a collection; if `collection` is empty, one of the user's own.
    fn new(kind: PluginType, collection: &str, short: String, file: PathBuf, docs: PathBuf) -> Self {
        let name = if collection.is_empty() { short.clone() } else { format!("{collection}.{short}") };
        Located { kind, name, short, file, docs, collection: collection.to_owned() }
    }
}

/// An entry of a list of plugins.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name with the collection; the user's own are in `ansible.legacy`.
    pub name: String,
    pub located: Located,
}

impl Library {
    /// The plugin of that name: short, or with a collection.
    pub fn find(&self, kind: PluginType, name: &str) -> Option<Located> {
        let Some(qualified) = Qualified::parse(name) else {
            return self.own(kind, name).or_else(|| self.builtin(kind, name));
        };
        match &*qualified.collection {
            "ansible.builtin" => self.builtin(kind, qualified.short()),
            "ansible.legacy" => self.own(kind, qualified.short()).or_else(|| self.builtin(kind, qualified.short())),
            _ => self.of_collection(kind, name),
        }
    }

    fn own(&self, kind: PluginType, name: &str) -> Option<Located> {
        let directories = self.own.get(&kind)?;
        let (file, docs) = directories.iter().find_map(|directory| files_of(directory, name, kind))?;
        Some(Located::new(kind, "", name.to_owned(), file, docs))
    }

    fn builtin(&self, kind: PluginType, name: &str) -> Option<Located> {
        // The documentation of ansible-core's filters and tests is next to them; others are Jinja's.
        let (file, docs) = files_of(&self.core_directory(kind)?, name, kind)
            .filter(|(_, docs)| !kind.is_callable() || docs.file_stem().is_some_and(|stem| stem == name))?;
        Some(Located::new(kind, "ansible.builtin", name.to_owned(), file, docs))
    }

    fn core_directory(&self, kind: PluginType) -> Option<PathBuf> {
        let core = self.core.as_ref()?;
        Some(if kind.name() == "module" { core.join("modules") } else { core.join("plugins").join(kind.directory()) })
    }

    fn of_collection(&self, kind: PluginType, name: &str) -> Option<Located> {
        let routed = match kind.name() {
            "module" => self.collections.route(name),
            _ => Routed::To { name: name.to_owned(), deprecated: Vec::new() },
        };
        let Routed::To { name, .. } = routed else { return None };
        let qualified = Qualified::parse(&name)?;
        if BUILTIN.contains(&&*qualified.collection) {
            return self.find(kind, &name);
        }
        let (collection, path) = self.place(&qualified.collection)?;
        let directory = path.join("plugins").join(kind.directory());
        let inner = qualified.path();
        let below = inner.parent().map(|parent| directory.join(parent)).unwrap_or(directory);
        let short = qualified.short().to_owned();
        let (file, docs) = files_of(&below, &short, kind)?;
        Some(Located::new(kind, &collection, qualified.resource(), file, docs))
    }

    /// The name and directory of a collection: an installed one, or one inside ansible-core, which is listed only if it
    /// is named.
    pub fn place(&self, collection: &str) -> Option<(String, PathBuf)> {
        if let Some(found) = self.collections.find(collection) {
            return Some((found.name.to_string(), found.path.clone()));
        }
        let (namespace, name) = collection.split_once('.')?;
        let directory = self.core.as_ref()?.join("_internal/ansible_collections").join(namespace).join(name);
        directory.is_dir().then(|| (collection.to_owned(), directory))
    }

    /// Whether an action plugin runs before a module.
    pub(super) fn has_action(&self, located: &Located) -> bool {
        let named = |directory: PathBuf| directory.join(format!("{}.py", located.short)).is_file();
        match located.collection.as_str() {
            "" => false,
            "ansible.builtin" => self.core.as_ref().is_some_and(|core| named(core.join("plugins/action"))),
            name => self.collections.find(name).is_some_and(|found| named(found.path.join("plugins/action"))),
        }
    }

    /// The file of a fragment, and its collection.
    pub(super) fn fragment(&self, name: &str) -> Option<(PathBuf, String)> {
        let qualified = Qualified::parse(name);
        if let Some(found) = qualified.as_ref().and_then(|name| self.collections.find(&name.collection)) {
            let inner = qualified?.path();
            let file = found.path.join("plugins/doc_fragments").join(inner).with_extension("py");
            return file.is_file().then(|| (file, found.name.to_string()));
        }
        let short = builtin_name(name);
        let file = self.core.as_ref()?.join("plugins/doc_fragments").join(format!("{short}.py"));
        file.is_file().then(|| (file, "ansible.builtin".to_owned()))
    }

    /// All plugins of a type by name, or those of some collections. `ansible.legacy` has the user's own as well as
    /// those of ansible-core.
    pub fn list(&self, kind: PluginType, only: &[String]) -> Vec<Listed> {
        let mut found = BTreeMap::new();
        let wants = |name: &str| only.is_empty() || only.iter().any(|wanted| wanted == name);
        let mut add = |shown: &str, collection: &str, directory: &Path| {
            for (short, file, docs) in plugins_in(directory, kind, !BUILTIN.contains(&shown)) {
                let name = format!("{shown}.{short}");
                found.entry(name).or_insert_with(|| Located::new(kind, collection, short, file, docs));
            }
        };
        if wants("ansible.legacy") {
            self.own.get(&kind).into_iter().flatten().for_each(|directory| add("ansible.legacy", "", directory));
        }
        if wants("ansible.builtin") || wants("ansible.legacy") {
            self.core_directory(kind).iter().for_each(|directory| add("ansible.builtin", "ansible.builtin", directory));
        }
        let named = only.iter().filter(|name| !BUILTIN.contains(&name.as_str())).cloned();
        let names = if only.is_empty() { self.installed() } else { named.collect() };
        for name in names {
            if let Some((_, path)) = self.place(&name) {
                add(&name, &name, &path.join("plugins").join(kind.directory()));
            }
        }
        found.into_iter().map(|(name, located)| Listed { name, located }).collect()
    }

    /// The names of all collections that are installed.
    pub fn installed(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for place in self.collections.places() {
            for namespace in directories_of(&place.join("ansible_collections")) {
                for collection in directories_of(&namespace) {
                    let part = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    names.push(format!("{}.{}", part(&namespace), part(&collection)));
                }
            }
        }
        names.retain(|name| crate::collections::is_collection_name(name));
        names.sort();
        names.dedup();
        names
    }
}

fn directories_of(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// The file of a plugin in a directory, and the one with its documentation.
fn files_of(directory: &Path, name: &str, kind: PluginType) -> Option<(PathBuf, PathBuf)> {
    // An underscore marks a plugin as deprecated.
    [name.to_owned(), format!("_{name}")].iter().find_map(|name| {
        let named = |ending: &str| directory.join(format!("{name}.{ending}"));
        let beside = ["yml", "yaml"].map(named).into_iter().find(|path| path.is_file());
        let own = named("py");
        if own.is_file() {
            // The filters in one file are documented separately.
            let docs = match beside {
                Some(beside) if kind.is_callable() => beside,
                _ => own.clone(),
            };
            return Some((own, docs));
        }
        let other = || {
            std::fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path()).find(|path| {
                path.file_stem().is_some_and(|stem| stem == name.as_str()) && path.is_file() && may_be_plugin(path)
            })
        };
        match (beside, kind.name() == "module") {
            (Some(beside), true) => Some((other().unwrap_or_else(|| beside.clone()), beside)),
            // For other types, only code is a plugin.
            (Some(beside), false) => {
                let old = Some(directory.join(format!("_{name}.py"))).filter(|old| old.is_file());
                Some((old.or_else(|| kind.is_callable().then(|| beside.clone()))?, beside))
            }
            (None, true) => other().map(|file| (file.clone(), file)),
            // One of several in a file, without its own documentation.
            (None, false) if kind.is_callable() => {
                let mut files: Vec<PathBuf> =
                    std::fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path()).collect();
                files.sort();
                let file = files.into_iter().find(|path| callables_in(path, kind).iter().any(|own| own == name))?;
                Some((file.clone(), file))
            }
            (None, false) => None,
        }
    })
}

fn may_be_plugin(path: &Path) -> bool {
    let ending = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
    !NO_PLUGINS.contains(&ending) && !["yml", "yaml"].contains(&ending) && !ending.ends_with('~')
}

/// Names, files and documentation of the plugins of a directory; with `deep`, of the directories in it, too.
fn plugins_in(directory: &Path, kind: PluginType, deep: bool) -> Vec<(String, PathBuf, PathBuf)> {
    let mut names: Vec<String> = Vec::new();
    let mut found = Vec::new();
    // Files that several plugins share.
    let mut shared: HashMap<String, PathBuf> = HashMap::new();
    for path in std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = stem.trim_start_matches('_').to_owned();
        if stem.starts_with('.')
            || stem.starts_with("__")
            || name.is_empty()
            || ["base", "async_wrapper"].contains(&stem.as_str())
        {
            continue;
        }
        if path.is_dir() {
            if deep {
                let inner = plugins_in(&path, kind, deep);
                found.extend(inner.into_iter().map(|(below, file, docs)| (format!("{stem}.{below}"), file, docs)));
            }
            continue;
        }
        let is_docs = path.extension().is_some_and(|end| end == "yml" || end == "yaml");
        let is_plugin = match kind.name() {
            "module" => is_docs || may_be_plugin(&path),
            "filter" | "test" if !is_docs => {
                for name in callables_in(&path, kind) {
                    shared.entry(name.clone()).or_insert_with(|| path.clone());
                    names.push(name);
                }
                false
            }
            "filter" | "test" => true,
            _ => path.extension().is_some_and(|end| end == "py"),
        };
        if is_plugin && !names.contains(&name) {
            names.push(name);
        }
    }
    names.sort();
    names.dedup();
    found.extend(names.into_iter().filter_map(|name| {
        let (file, docs) = files_of(directory, &name, kind)?;
        Some((name.clone(), shared.remove(&name).unwrap_or(file), docs))
    }));
    found
}

/// The names of the filters or tests that a Python file defines: the keys of the mapping that its method returns.
/// Computed names are not found.
fn callables_in(path: &Path, kind: PluginType) -> Vec<String> {
    if path.extension().is_none_or(|end| end != "py") {
        return Vec::new();
    }
    let text = crate::files::read_text(path).unwrap_or_default();
    let Some((_, body)) = text.split_once(&format!("def {}s(", kind.name())) else { return Vec::new() };
    let code = body.lines().map(|line| line.split('#').next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let quoted = code.split(['\'', '"']).collect::<Vec<_>>();
    let pairs = quoted.windows(2).skip(1).step_by(2);
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let displayed = pairs.filter_map(|pair| match pair {
        [name, after] if is_name(name) && after.trim_start().starts_with(':') => Some((*name).to_owned()),
        _ => None,
    });
    // `dict(name=function)` is also a mapping.
    let called = code.split("dict(").skip(1).filter_map(|inner| inner.split(')').next()).flat_map(|inner| {
        let names = inner.split(',').filter_map(|pair| Some(pair.split_once('=')?.0.trim()));
        names.filter(|name| is_name(name)).map(str::to_owned).collect::<Vec<_>>()
    });
    displayed.chain(called).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_are_found_by_their_files_and_by_the_names_that_files_give() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write(
            "several.py",
            "class FilterModule:\n    def filters(self):\n        return {'one': f, \"two\": g,  # 'three': h\n  }\n",
        );
        write("called.py", "class FilterModule:\n    def filters(self):\n        return dict(\n four=f, five=g)\n");
        write("one.yml", "DOCUMENTATION: {}");
        write("_old.py", "");
        write("shell_like", "#!/bin/sh\n");
        write("shell_like.yml", "DOCUMENTATION: {}");
        write("notes.md", "");
        let filter = PluginType::named("filter").unwrap();
        let module = PluginType::named("module").unwrap();
        let names =
            |kind| plugins_in(directory.path(), kind, false).into_iter().map(|(name, ..)| name).collect::<Vec<_>>();
        assert_eq!(names(filter), ["five", "four", "one", "shell_like", "two"]);
        assert_eq!(names(module), ["called", "old", "one", "several", "shell_like"]);
        let of = |name: &str, kind| {
            let (file, docs) = files_of(directory.path(), name, kind)?;
            Some([file, docs].map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()))
        };
        assert_eq!(of("one", filter), Some(["one.yml", "one.yml"].map(str::to_owned)));
        assert_eq!(of("two", filter), Some(["several.py", "several.py"].map(str::to_owned)));
        assert_eq!(of("old", module), Some(["_old.py", "_old.py"].map(str::to_owned)));
        assert_eq!(of("shell_like", module), Some(["shell_like", "shell_like.yml"].map(str::to_owned)));
        assert_eq!(of("three", filter), None);
    }
}
