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
    /// The module of that name directly in a directory. The file name of a deprecated one begins with `_`.
    pub(super) fn find(&self, directory: &Path, name: &str) -> Option<PathBuf> {
        let known = self.directories().get(directory).cloned();
        let found = known.unwrap_or_else(|| {
            let read = Arc::new(read(directory));
            self.directories().insert(directory.to_owned(), read.clone());
            read
        });
        found.get(name).or_else(|| found.get(&format!("_{name}"))).cloned()
    }

    /// The module of that name in a directory or its subdirectories, up to two levels deep.
    pub(super) fn find_below(&self, directory: &Path, name: &str) -> Option<PathBuf> {
        let known = self.within.lock().get(directory).cloned();
        let within = known.unwrap_or_else(|| {
            let inner = directories_in(directory);
            let deeper = inner.iter().flat_map(|directory| directories_in(directory)).collect::<Vec<_>>();
            let found = Arc::new(inner.into_iter().chain(deeper).collect::<Vec<_>>());
            self.within.lock().insert(directory.to_owned(), found.clone());
            found
        });
        self.find(directory, name).or_else(|| within.iter().find_map(|directory| self.find(directory, name)))
    }

    fn directories(&self) -> MutexGuard<'_, HashMap<PathBuf, Arc<HashMap<String, PathBuf>>>> {
        self.files.lock()
    }
}

pub(super) fn directories_in(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut directories: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    directories.sort();
    directories
}

fn read(directory: &Path) -> HashMap<String, PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(directory).into_iter().flatten().flatten().map(|e| e.path()).collect();
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
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("net/deep")).unwrap();
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
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let library = Library::default();
        let found = |name: &str| {
            library
                .find_below(directory.path(), name)
                .map(|path| path.strip_prefix(directory.path()).unwrap().to_owned())
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
