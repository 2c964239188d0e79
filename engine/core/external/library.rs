//! Module files in a directory.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Mutex, MutexGuard};

/// File extensions that are not modules.
const OTHERS: [&str; 12] = ["pyc", "pyo", "swp", "bak", "rpm", "md", "txt", "rst", "yaml", "yml", "ini", "orig"];

/// The content of directories, each read once.
#[derive(Debug, Default)]
pub(super) struct Library {
    files: Mutex<HashMap<PathBuf, Arc<HashMap<String, PathBuf>>>>,
    /// Subdirectories by directory.
    within: Mutex<HashMap<PathBuf, Arc<Vec<PathBuf>>>>,
}

impl Library {
    /// The module of that name directly in a directory. A deprecated one has a file whose name begins with `_`.
    pub(super) fn find(&self, folder: &Path, name: &str) -> Option<PathBuf> {
        let known = self.folders().get(folder).cloned();
        let found = known.unwrap_or_else(|| {
            let read = Arc::new(read(folder));
            self.folders().insert(folder.to_owned(), read.clone());
            read
        });
        found.get(name).or_else(|| found.get(&format!("_{name}"))).cloned()
    }

    /// The module of that name in a directory or its subdirectories, up to two levels deep.
    pub(super) fn find_below(&self, folder: &Path, name: &str) -> Option<PathBuf> {
        let known = self.within.lock().get(folder).cloned();
        let within = known.unwrap_or_else(|| {
            let inner = folders_in(folder);
            let deeper = inner.iter().flat_map(|folder| folders_in(folder)).collect::<Vec<_>>();
            let found = Arc::new(inner.into_iter().chain(deeper).collect::<Vec<_>>());
            self.within.lock().insert(folder.to_owned(), found.clone());
            found
        });
        self.find(folder, name).or_else(|| within.iter().find_map(|folder| self.find(folder, name)))
    }

    fn folders(&self) -> MutexGuard<'_, HashMap<PathBuf, Arc<HashMap<String, PathBuf>>>> {
        self.files.lock()
    }
}

pub(super) fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn read(folder: &Path) -> HashMap<String, PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    // Among files with the same name, Python takes precedence.
    paths.sort_by_key(|path| (path.extension().is_none_or(|end| end != "py"), path.clone()));
    let mut found = HashMap::new();
    for path in paths {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let (stem, ending) = name.split_once('.').unwrap_or((name, ""));
        let ending = ending.rsplit('.').next().unwrap_or_default();
        if stem.is_empty() || stem == "__init__" || name.ends_with('~') || OTHERS.contains(&ending) || !path.is_file() {
            continue;
        }
        found.entry(stem.to_owned()).or_insert(path);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_by_their_names_whatever_their_endings() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("net/deep")).unwrap();
        for name in [
            "a.py",
            "a.sh",
            "b",
            "c.rb",
            "c.txt",
            "d.pyc",
            "e.py~",
            "__init__.py",
            "net/f.py",
            "net/deep/g.pl",
            "_old.py",
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let library = Library::default();
        let found = |name: &str| {
            library.find_below(folder.path(), name).map(|path| path.strip_prefix(folder.path()).unwrap().to_owned())
        };
        for (name, path) in
            [("a", "a.py"), ("b", "b"), ("c", "c.rb"), ("f", "net/f.py"), ("g", "net/deep/g.pl"), ("old", "_old.py")]
        {
            assert_eq!(found(name), Some(PathBuf::from(path)), "{name}");
        }
        for name in ["d", "e", "__init__", "x"] {
            assert_eq!(found(name), None, "{name}");
        }
    }
}
