//! Where the files of a project are.

use std::path::{Path, PathBuf};

use crate::files::{self, Descent};

/// The path of a file in `vars_files`: `vars/` next to the playbook takes precedence.
pub fn vars_file(directory: &Path, name: &str) -> Option<PathBuf> {
    let name = files::named(name);
    [directory.join("vars").join(&name), directory.join(name)].into_iter().find(|path| path.exists())
}

/// `name` in a directory, with one of Ansible's file extensions or as it is.
pub fn yaml_file(directory: &Path, name: &str) -> Option<PathBuf> {
    ["yml", "yaml", "json"]
        .iter()
        .map(|ending| directory.join(format!("{name}.{ending}")))
        .chain([directory.join(name)])
        .find(|path| path.is_file())
}

pub(super) fn files_below(directory: &Path, descent: &mut Descent) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
        .into_iter()
        .flat_map(|path| match path.is_dir() {
            true => descent.within(&path, |descent| files_below(&path, descent)).unwrap_or_default(),
            false => vec![path],
        })
        .filter(|path| {
            path.extension().is_none_or(|ending| ["yml", "yaml", "json"].iter().any(|known| ending == *known))
        })
        .filter(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')))
        .collect()
}

pub(super) fn names_in(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    entries.flatten().filter(|e| e.path().is_dir()).map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}
