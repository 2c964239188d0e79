//! The documentation of roles and their arguments.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use super::json;
use crate::files;

/// A role's entry points, from its `meta/argument_specs.yml` or `meta/main.yml`.
#[derive(Debug)]
pub struct RoleDocumentation {
    /// The role's name, with its collection if it belongs to one.
    pub name: String,
    /// `NAMESPACE.NAME`, or empty.
    pub collection: String,
    /// The directory of the role, or of its collection.
    pub path: PathBuf,
    /// By entry point; empty if nothing is documented.
    pub entry_points: Map<String, Json>,
    /// One sentence about the role, from the Galaxy metadata in its `meta/main.yml`.
    pub summary: String,
}

impl RoleDocumentation {
    /// Reads the documentation of the role in a directory; `path` is the path to show.
    ///
    /// # Errors
    /// If the file cannot be read or is not valid YAML.
    pub fn read(directory: &Path, name: &str, collection: &str, path: PathBuf) -> Result<Self, String> {
        let mut entry_points = Map::new();
        let mut summary = "UNDOCUMENTED".to_owned();
        for file in ["argument_specs.yml", "argument_specs.yaml", "main.yml", "main.yaml"] {
            let path = directory.join("meta").join(file);
            if !path.is_file() {
                continue;
            }
            let text = files::read_text(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            let mut said = match json::read(&path.display().to_string(), &text) {
                // The arguments are known; the rest is for Galaxy.
                Err(_) if !entry_points.is_empty() => continue,
                said => said?,
            };
            if let Some(Json::Object(specs)) = said.get_mut("argument_specs").filter(|_| entry_points.is_empty()) {
                entry_points = std::mem::take(specs);
            }
            if let Some(text) = said.pointer("/galaxy_info/description").and_then(Json::as_str) {
                text.clone_into(&mut summary);
            }
        }
        for spec in entry_points.values_mut().filter_map(Json::as_object_mut) {
            if let Some(text) = spec.get_mut("description").filter(|text| text.is_string()) {
                *text = Json::Array(vec![text.take()]);
            }
        }
        Ok(RoleDocumentation { name: name.to_owned(), collection: collection.to_owned(), path, entry_points, summary })
    }
}

/// The roles in a directory, by name: those with a `meta/main.yml` or argument specifications.
pub fn roles_in(directory: &Path) -> Vec<(String, PathBuf)> {
    let mut found: Vec<(String, PathBuf)> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            ["main.yml", "main.yaml", "argument_specs.yml", "argument_specs.yaml"]
                .iter()
                .any(|file| path.join("meta").join(file).is_file())
        })
        .filter_map(|path| Some((path.file_name()?.to_str()?.to_owned(), path)))
        .collect();
    found.sort();
    found
}
