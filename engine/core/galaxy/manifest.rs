//! `MANIFEST.json` and `FILES.json` of a collection, and the `galaxy.yml` from which they are built.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use rplay_contract::wire::hex;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use super::{GalaxyError, Result, version::Version};
use crate::{
    collections::is_collection_name,
    source::Source,
    syntax::{Kind, Node, yaml},
};

/// The metadata of a collection.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub namespace: String,
    pub name: String,
    pub version: String,
    /// Names and version ranges of its dependencies.
    pub dependencies: Vec<(String, String)>,
    /// The complete content of `collection_info` in `MANIFEST.json`.
    pub info: Map<String, Json>,
}

impl About {
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.namespace, self.name)
    }

    fn of(info: Map<String, Json>, from: &Path) -> Result<Self> {
        let text = |key: &str| {
            let missing = || GalaxyError::new(format!("{} does not contain the collection's {key}", from.display()));
            info.get(key).and_then(Json::as_str).filter(|text| !text.is_empty()).map(str::to_owned).ok_or_else(missing)
        };
        let (namespace, name, version) = (text("namespace")?, text("name")?, text("version")?);
        if !is_collection_name(&format!("{namespace}.{name}")) {
            return Err(GalaxyError::new(format!(
                "{}: `{namespace}.{name}` is not a valid collection name",
                from.display()
            )));
        }
        Version::parse(&version).map_err(|error| GalaxyError::file(from, error))?;
        let dependencies = info.get("dependencies").and_then(Json::as_object).into_iter().flatten();
        let dependencies = dependencies
            .map(|(name, range)| (name.clone(), range.as_str().map_or_else(|| "*".to_owned(), str::to_owned)));
        Ok(About { namespace, name, version, dependencies: dependencies.collect(), info })
    }

    /// For an installed or unpacked collection: from `MANIFEST.json`, or else `galaxy.yml`.
    ///
    /// # Errors
    /// If neither exists or one is invalid.
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let file = directory.join("MANIFEST.json");
        if !file.exists() {
            return About::from_galaxy_yml(directory);
        }
        let manifest = read_json(&file)?;
        let info = manifest.get("collection_info").and_then(Json::as_object).cloned().unwrap_or_default();
        About::of(info, &file)
    }

    /// From `galaxy.yml`.
    ///
    /// # Errors
    /// If it is missing, invalid, or lacks mandatory keys.
    pub(super) fn from_galaxy_yml(directory: &Path) -> Result<Self> {
        Ok(GalaxyYml::read(directory)?.about)
    }
}

/// `galaxy.yml`: the input for building a collection.
pub(super) struct GalaxyYml {
    pub about: About,
    pub build_ignore: Vec<String>,
    /// Directives for file selection, and whether Ansible's default ones are omitted.
    pub manifest: Option<(Vec<String>, bool)>,
}

/// The keys of `galaxy.yml` that are copied to `MANIFEST.json`, in that order.
const LISTS: [&str; 3] = ["authors", "tags", "license"];
const ORDER: [&str; 14] = [
    "namespace",
    "name",
    "version",
    "authors",
    "readme",
    "tags",
    "description",
    "license",
    "license_file",
    "dependencies",
    "repository",
    "documentation",
    "homepage",
    "issues",
];
const REQUIRED: [&str; 5] = ["namespace", "name", "version", "readme", "authors"];

impl GalaxyYml {
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let path =
            ["galaxy.yml", "galaxy.yaml"].map(|name| directory.join(name)).into_iter().find(|path| path.is_file());
        let Some(path) = path else {
            return Err(GalaxyError::new(format!(
                "The collection galaxy.yml path '{}' does not exist.",
                directory.join("galaxy.yml").display()
            )));
        };
        let source = Source::read(&path).map_err(|error| GalaxyError::file(&path, error))?;
        let node = yaml::load(&source)
            .map_err(|problems| {
                let first = problems.0.first().map(ToString::to_string).unwrap_or_default();
                GalaxyError::new(format!("Failed to parse the galaxy.yml at '{}': {first}", path.display()))
            })?
            .node;
        if !matches!(node.kind, Kind::Map(_)) {
            return Err(GalaxyError::new(format!("Collection galaxy.yml at '{}' is incorrect.", path.display())));
        }
        let missing: Vec<&str> =
            REQUIRED.iter().filter(|key| node.get(key).is_none_or(Node::is_null)).copied().collect();
        if !missing.is_empty() {
            return Err(GalaxyError::new(format!(
                "The collection galaxy.yml at '{}' is missing the following mandatory keys: {}",
                path.display(),
                missing.join(", ")
            )));
        }
        let mut info = Map::new();
        for key in ORDER {
            let value = node.get(key).map_or(Json::Null, to_json);
            let value = match value {
                Json::Null if LISTS.contains(&key) => json!([]),
                Json::String(one) if LISTS.contains(&key) => json!([one]),
                Json::Null if key == "dependencies" => json!({}),
                Json::String(text) if text.is_empty() => Json::Null,
                value => value,
            };
            info.insert(key.to_owned(), value);
        }
        let words = |node: &Node| -> Vec<String> {
            node.as_seq().unwrap_or_default().iter().filter_map(Node::as_str).map(str::to_owned).collect()
        };
        let build_ignore = node.get("build_ignore").map(words).unwrap_or_default();
        let manifest = node.get("manifest").filter(|node| !node.is_null()).map(|node| {
            let omits = matches!(node.get("omit_default_directives").map(|n| &n.kind), Some(Kind::Bool(true)));
            (node.get("directives").map(words).unwrap_or_default(), omits)
        });
        if manifest.is_some() && !build_ignore.is_empty() {
            return Err(GalaxyError::new("\"build_ignore\" and \"manifest\" are mutually exclusive"));
        }
        Ok(GalaxyYml { about: About::of(info, &path)?, build_ignore, manifest })
    }
}

/// A YAML value as JSON; unquoted versions stay as written.
pub(super) fn to_json(node: &Node) -> Json {
    match &node.kind {
        Kind::Null => Json::Null,
        Kind::Bool(value) => json!(value),
        Kind::Int(value) => i64::try_from(*value).map_or_else(|_| json!(value.to_string()), |value| json!(value)),
        Kind::Float(_) | Kind::Digits(_) | Kind::Time(_) | Kind::Bytes(_) => json!(node.span.text()),
        Kind::Str(text) => json!(&*text.value),
        Kind::Seq(items) => items.iter().map(to_json).collect(),
        Kind::Map(entries) => Json::Object(
            entries
                .iter()
                .map(|(key, value)| {
                    (key.as_str().map_or_else(|| key.span.text().to_owned(), str::to_owned), to_json(value))
                })
                .collect(),
        ),
    }
}

/// An entry of `FILES.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub name: String,
    /// `None` for a directory.
    pub sha256: Option<String>,
}

/// The content of `FILES.json`.
pub(super) fn files_json(entries: &[Listed]) -> Vec<u8> {
    let files: Vec<Json> = entries
        .iter()
        .map(|entry| {
            let (kind, checksum_type) = match entry.sha256 {
                Some(_) => ("file", json!("sha256")),
                None => ("dir", Json::Null),
            };
            json!({ "name": entry.name, "ftype": kind, "chksum_type": checksum_type, "chksum_sha256": entry.sha256, "format": 1 })
        })
        .collect();
    spaced(&json!({ "files": files, "format": 1 }))
}

/// The content of `MANIFEST.json` for this `FILES.json`.
pub(super) fn manifest_json(about: &About, files: &[u8]) -> Vec<u8> {
    spaced(&json!({
        "collection_info": about.info,
        "file_manifest_file": {
            "name": "FILES.json",
            "ftype": "file",
            "chksum_type": "sha256",
            "chksum_sha256": sha256(files),
            "format": 1,
        },
        "format": 1,
    }))
}

/// JSON in the format of Python's `indent=1`.
fn spaced(value: &Json) -> Vec<u8> {
    use serde::Serialize;
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
    // Writing to memory does not fail.
    let _ = value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter));
    bytes
}

/// The entries of a collection's `FILES.json`, after verifying its checksum in `MANIFEST.json`.
///
/// # Errors
/// If one of the two is missing or invalid, or they do not match.
pub(super) fn listed(directory: &Path) -> Result<Vec<Listed>> {
    let manifest = read_json(&directory.join("MANIFEST.json"))?;
    let name = manifest.pointer("/file_manifest_file/name").and_then(Json::as_str).unwrap_or("FILES.json");
    if name != "FILES.json" {
        return Err(GalaxyError::new(format!("MANIFEST.json names `{name}` instead of FILES.json")));
    }
    let path = directory.join("FILES.json");
    let bytes = crate::files::read(&path).map_err(|error| GalaxyError::file(&path, error))?;
    let wanted = manifest.pointer("/file_manifest_file/chksum_sha256").and_then(Json::as_str).unwrap_or_default();
    if sha256(&bytes) != wanted {
        return Err(GalaxyError::new("the checksum of FILES.json does not match MANIFEST.json"));
    }
    let json: Json = serde_json::from_slice(&bytes).map_err(|error| GalaxyError::file(&path, error))?;
    let entries = json.get("files").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    entries
        .iter()
        .map(|entry| {
            let name = entry.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
            let is_file = entry.get("ftype").and_then(Json::as_str) == Some("file");
            let sha256 = entry.get("chksum_sha256").and_then(Json::as_str).map(str::to_owned);
            let sound = Path::new(&name)
                .components()
                .all(|part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir));
            match (sound && !name.is_empty(), is_file, sha256) {
                (false, ..) => Err(GalaxyError::new(format!("FILES.json contains the invalid name `{name}`"))),
                (_, true, None) => Err(GalaxyError::new(format!("FILES.json has no checksum of `{name}`"))),
                (_, true, sha256) => Ok(Listed { name, sha256 }),
                (_, false, _) => Ok(Listed { name, sha256: None }),
            }
        })
        .collect()
}

fn read_json(path: &Path) -> Result<Json> {
    let bytes = crate::files::read(path).map_err(|error| GalaxyError::file(path, error))?;
    serde_json::from_slice(&bytes).map_err(|error| GalaxyError::file(path, error))
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The digest of a file, read in chunks.
pub(super) fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut part = vec![0; 1 << 16];
    loop {
        match file.read(&mut part)? {
            0 => return Ok(hex::encode(digest.finalize())),
            count => digest.update(&part[..count]),
        }
    }
}

/// Files that differ from `FILES.json`: changed, missing, or unlisted.
pub(super) fn differences(directory: &Path, listed: &[Listed]) -> Vec<String> {
    let mut different: Vec<String> = listed
        .iter()
        .filter(|entry| {
            let path = directory.join(&entry.name);
            match &entry.sha256 {
                Some(sha256) => !path.is_file() || sha256_of(&path).ok().as_ref() != Some(sha256),
                None => !path.is_dir(),
            }
        })
        .map(|entry| entry.name.clone())
        .collect();
    let known: std::collections::HashSet<&str> = listed.iter().map(|entry| entry.name.as_str()).collect();
    let mut open = vec![directory.to_owned()];
    let mut more = Vec::new();
    while let Some(inner) = open.pop() {
        for entry in fs::read_dir(&inner).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(directory).map(|name| name.display().to_string()).unwrap_or_default();
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            }
            if !known.contains(name.as_str()) && !matches!(name.as_str(), "MANIFEST.json" | "FILES.json") {
                more.push(name);
            }
        }
    }
    more.sort();
    different.extend(more);
    different
}
