//! Installed collections, and `galaxy collection list`.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value as Json, json};

use super::{Galaxy, GalaxyError, Result, manifest::About};
use crate::collections::is_collection_name;

/// The output format of `galaxy collection list`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListFormat {
    #[default]
    Human,
    Json,
    Yaml,
}

/// An installed collection.
#[derive(Clone, Debug)]
pub(super) struct Installed {
    pub name: String,
    pub path: PathBuf,
    /// `None` without metadata, as in a working tree.
    pub about: Option<About>,
}

impl Installed {
    /// The displayed version; `*` if unknown.
    pub(super) fn version(&self) -> &str {
        self.about.as_ref().map_or("*", |about| &about.version)
    }
}

/// The directory `ansible_collections` of a place, or the place itself if it is one.
pub(super) fn collections_directory(place: &Path) -> PathBuf {
    match place.file_name() {
        Some(name) if name == "ansible_collections" => place.to_owned(),
        _ => place.join("ansible_collections"),
    }
}

/// The collections in a directory `ansible_collections`, by name. Files and hidden directories are ignored.
pub(super) fn in_directory(directory: &Path) -> BTreeMap<String, Installed> {
    let directories = |path: &Path| -> Vec<(String, PathBuf)> {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let named = entries.filter_map(|entry| Some((entry.file_name().to_str()?.to_owned(), entry.path())));
        named.filter(|(_, path)| path.is_dir()).collect()
    };
    let mut found = BTreeMap::new();
    for (namespace, path) in directories(directory) {
        for (short, path) in directories(&path) {
            let name = format!("{namespace}.{short}");
            if is_collection_name(&name) {
                let about = About::read(&path).ok().filter(|about| about.full_name() == name);
                found.insert(name.clone(), Installed { name, path, about });
            }
        }
    }
    found
}

impl Galaxy {
    /// All installed collections, in order of their places.
    pub(super) fn installed(&self) -> Vec<Installed> {
        let directories = self.collections_path.iter().map(|place| collections_directory(place));
        directories.flat_map(|directory| in_directory(&directory).into_values()).collect()
    }

    /// Lists all collections, or one.
    ///
    /// # Errors
    /// If its name is invalid.
    pub fn list_collections(&self, only: Option<&str>, format: ListFormat, given: &[PathBuf]) -> Result<()> {
        if let Some(name) = only.filter(|name| !is_collection_name(name)) {
            return Err(GalaxyError::new(format!(
                "Invalid collection name '{name}', it must be in the format namespace.collection."
            )));
        }
        let mut json = Map::new();
        let mut shown = false;
        for place in &self.collections_path {
            let directory = collections_directory(place);
            if !directory.is_dir() {
                // One without collections is as good as an empty one.
                if given.contains(place) && !place.is_dir() {
                    let problem =
                        if place.exists() { ", exists, but it is not a directory" } else { " does not exist" };
                    self.warn(format!("- the configured path {}{problem}.", place.display()));
                }
                continue;
            }
            let mut found = in_directory(&directory);
            if let Some(name) = only {
                found.retain(|found, _| found == name);
            }
            if found.is_empty() {
                continue;
            }
            shown = true;
            match format {
                ListFormat::Human => self.say(table(&directory, &found)),
                _ => drop(
                    json.insert(
                        directory.display().to_string(),
                        found
                            .iter()
                            .map(|(name, one)| (name.clone(), json!({ "version": one.version() })))
                            .collect::<Map<_, _>>()
                            .into(),
                    ),
                ),
            }
        }
        match (only, format) {
            (Some(name), ListFormat::Human) if !shown => {
                self.warn(format!("- unable to find {name} in collection paths"));
                Ok(())
            }
            (_, ListFormat::Json) => {
                self.say(python_json(&Json::Object(json)));
                Ok(())
            }
            (_, ListFormat::Yaml) => {
                self.say(yaml_of(&json));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn table(directory: &Path, found: &BTreeMap<String, Installed>) -> String {
    let width = found.keys().map(String::len).max().unwrap_or(0).max("Collection".len());
    let versions = found.values().map(|one| one.version().len()).max().unwrap_or(0).max("Version".len());
    let mut text = format!("\n# {}\n{:width$} {:versions$}\n", directory.display(), "Collection", "Version");
    let _ = writeln!(text, "{} {}", "-".repeat(width), "-".repeat(versions));
    for (name, one) in found {
        let _ = writeln!(text, "{name:width$} {:versions$}", one.version());
    }
    text.truncate(text.trim_end_matches('\n').len());
    text
}

/// JSON on one line, with spaces as in Python's json.
fn python_json(json: &Json) -> String {
    match json {
        Json::Object(entries) => {
            let inner: Vec<String> = entries
                .iter()
                .map(|(name, value)| format!("{}: {}", Json::from(name.as_str()), python_json(value)))
                .collect();
            format!("{{{}}}", inner.join(", "))
        }
        other => other.to_string(),
    }
}

fn yaml_of(places: &Map<String, Json>) -> String {
    if places.is_empty() {
        return "{}".to_owned();
    }
    let mut text = String::new();
    for (directory, collections) in places {
        let _ = writeln!(text, "{directory}:");
        for (name, about) in collections.as_object().into_iter().flatten() {
            let version = about.get("version").and_then(Json::as_str).unwrap_or_default();
            let shown = if version == "*" { "'*'" } else { version };
            let _ = writeln!(text, "  {name}:\n    version: {shown}");
        }
    }
    text.truncate(text.trim_end().len());
    text
}
