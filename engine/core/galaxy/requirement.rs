//! Requirements: names and ranges, files, directories, URLs, repositories, from the command line and requirements.yml.

use std::path::{Path, PathBuf};

use super::{
    GalaxyError, Result,
    manifest::to_json,
    version::{Range, Version},
    wanted_role::{WantedRole, plain},
};
use crate::{
    collections::is_collection_name,
    source::Source,
    syntax::{Kind, Node, yaml},
};

/// The source of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A server; `None` means the first configured one that has it.
    Galaxy {
        server: Option<String>,
    },
    File(PathBuf),
    Url(String),
    Directory(PathBuf),
    /// A directory whose subdirectories are collections.
    Subdirectories(PathBuf),
    /// The repository, a directory in it, and a branch, tag or commit.
    Git {
        repository: String,
        directory: Option<String>,
        version: Option<String>,
    },
}

/// A requested collection.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// `None` if it is known only from the content.
    pub name: Option<String>,
    pub range: Range,
    pub origin: Origin,
    /// Locations of further signatures.
    pub signatures: Vec<String>,
}

/// A requirements.yml.
#[derive(Debug, Default)]
pub struct Requirements {
    pub collections: Vec<Wanted>,
    pub roles: Vec<WantedRole>,
}

impl Wanted {
    /// From the command line: `NAME[:RANGE]`, or any [`Origin`].
    ///
    /// # Errors
    /// If it is none of these.
    pub fn parse(text: &str) -> Result<Self> {
        let (bare, fragment) = text.split_once('#').map_or((text, None), |(bare, directory)| (bare, Some(directory)));
        let is_git = text.starts_with("git+") || text.starts_with("git@");
        let origin = if is_git {
            git(text, None)
        } else if text.contains("://") {
            match bare.split(',').next().is_some_and(|url| url.ends_with(".git")) {
                true => git(text, None),
                false => match text.strip_prefix("file://") {
                    Some(path) => of_path(Path::new(path)).unwrap_or_else(|| Origin::File(path.into())),
                    None => Origin::Url(text.to_owned()),
                },
            }
        } else if let Some(origin) = of_path(Path::new(text)).filter(|_| fragment.is_none()) {
            origin
        } else {
            let (name, range) = text.split_once(':').unwrap_or((text, "*"));
            if !is_collection_name(name) {
                return Err(not_concrete(&format!("Could not find {text}.")));
            }
            return Wanted::named(name, range, None);
        };
        Ok(Wanted { name: None, range: Range::default(), origin, signatures: Vec::new() })
    }

    /// A requirement by name and range of versions, from one server or from all.
    ///
    /// # Errors
    /// If the range of versions is invalid.
    pub fn named(name: &str, range: &str, server: Option<String>) -> Result<Self> {
        let origin = Origin::Galaxy { server };
        Ok(Wanted { name: Some(name.to_owned()), range: Range::parse(range)?, origin, signatures: Vec::new() })
    }

    /// From an entry of a requirements.yml in this directory.
    fn of_node(node: &Node, directory: &Path) -> Result<Self> {
        if let Some(text) = node.as_str() {
            return Wanted::parse(text);
        }
        if node.as_map().is_none() {
            return Err(GalaxyError::new("an entry of `collections` must be a name or a mapping"));
        }
        let text = |key: &str| node.get(key).filter(|node| !node.is_null()).map(plain);
        let (name, source, version, kind) = (text("name"), text("source"), text("version"), text("type"));
        let signatures: Vec<String> = match node.get("signatures") {
            Some(node) if node.as_seq().is_some() => node.as_seq().unwrap_or_default().iter().map(plain).collect(),
            Some(node) if !node.is_null() => vec![plain(node)],
            _ => Vec::new(),
        };
        let from = source.as_deref().or(name.as_deref()).unwrap_or_default();
        let place = || {
            let path = from.strip_prefix("file://").unwrap_or(from);
            // Relative to the requirements file, or to the working directory.
            let beside = directory.join(path);
            if beside.exists() { beside } else { PathBuf::from(path) }
        };
        let origin = match kind.as_deref() {
            Some("git") => git(from, version.as_deref()),
            Some("url") => Origin::Url(from.to_owned()),
            Some("file") => Origin::File(place()),
            Some("dir") => Origin::Directory(place()),
            Some("subdirs") => Origin::Subdirectories(place()),
            Some("galaxy") => Origin::Galaxy { server: source.clone() },
            Some(other) => {
                return Err(GalaxyError::new(format!(
                    "The collection requirement entry key 'type' must be one of file, galaxy, git, url, dir, or subdirs, not {other}."
                )));
            }
            None => {
                let Some(name) = &name else {
                    return Err(GalaxyError::new("Collections requirement entry should contain the key name."));
                };
                match is_collection_name(name) {
                    true => Origin::Galaxy { server: source.clone() },
                    false if name.starts_with("git+") || name.starts_with("git@") || name.ends_with(".git") => {
                        git(name, version.as_deref())
                    }
                    false => match of_path(&directory.join(name)) {
                        Some(beside) => beside,
                        None => return Ok(Wanted { signatures, ..Wanted::parse(name)? }),
                    },
                }
            }
        };
        let is_named = matches!(origin, Origin::Galaxy { .. });
        let range = match &origin {
            Origin::Galaxy { .. } => Range::parse(version.as_deref().unwrap_or("*"))?,
            _ => Range::default(),
        };
        match &name {
            Some(name) if is_named && !is_collection_name(name) => {
                Err(not_concrete(&format!("Could not find {name}.")))
            }
            None if is_named => Err(GalaxyError::new("Collections requirement entry should contain the key name.")),
            _ => Ok(Wanted { name: name.filter(|_| is_named), range, origin, signatures }),
        }
    }
}

fn not_concrete(end: &str) -> GalaxyError {
    GalaxyError::new(format!(
        "Neither the collection requirement entry key 'name', nor 'source' point to a concrete resolvable collection \
         artifact. Also 'name' is not an FQCN. A valid collection name must be in the format <namespace>.<collection>. \
         Please make sure that the namespace and the collection name contain characters from [a-zA-Z0-9_] only.\n\n{end}"
    ))
}

fn of_path(path: &Path) -> Option<Origin> {
    let is_collection =
        |path: &Path| ["galaxy.yml", "galaxy.yaml", "MANIFEST.json"].iter().any(|f| path.join(f).is_file());
    if path.is_file() {
        return Some(Origin::File(path.to_owned()));
    }
    if !path.is_dir() {
        return None;
    }
    Some(match is_collection(path) {
        true => Origin::Directory(path.to_owned()),
        false => Origin::Subdirectories(path.to_owned()),
    })
}

/// `git+URL[#DIRECTORY][,VERSION]`.
fn git(text: &str, version: Option<&str>) -> Origin {
    let text = text.strip_prefix("git+").unwrap_or(text);
    let (text, written) = match text.rsplit_once(',') {
        Some((text, version)) => (text, Some(version)),
        None => (text, None),
    };
    let (repository, directory) = match text.split_once('#') {
        Some((repository, directory)) => (repository, Some(directory.trim_matches('/').to_owned())),
        None => (text, None),
    };
    let version = written.or(version).filter(|version| !matches!(*version, "" | "*" | "HEAD")).map(str::to_owned);
    Origin::Git {
        repository: repository.to_owned(),
        directory: directory.filter(|directory| !directory.is_empty()),
        version,
    }
}

impl Requirements {
    /// Reads a requirements.yml: a mapping with `collections` and `roles`, or a list of roles, the old format.
    ///
    /// # Errors
    /// If it cannot be read, or an entry is invalid; the message names the file.
    pub fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Err(GalaxyError::new(format!("The requirements file '{}' does not exist.", path.display())));
        }
        let about = |error: GalaxyError| GalaxyError::file(path, error);
        let source = Source::read(path).map_err(|error| GalaxyError::file(path, error))?;
        let node = yaml::load(&source)
            .map_err(|problems| {
                let first = problems.0.first().map(ToString::to_string).unwrap_or_default();
                GalaxyError::new(format!("Failed to parse the requirements yml at '{}': {first}", path.display()))
            })?
            .node;
        let directory = path.parent().unwrap_or(Path::new("."));
        match &node.kind {
            Kind::Null => Err(GalaxyError::new(format!("No requirements found in file '{}'", path.display()))),
            Kind::Seq(_) => {
                let mut roles = Vec::new();
                for entry in node.as_seq().unwrap_or_default() {
                    match entry.get("include") {
                        // A file with further roles.
                        Some(file) => roles.extend(Requirements::read(&directory.join(plain(file)))?.roles),
                        None => roles.push(WantedRole::of_node(entry).map_err(about)?),
                    }
                }
                Ok(Requirements { roles, collections: Vec::new() })
            }
            Kind::Map(entries) => {
                let known = ["roles", "collections"];
                if let Some((key, _)) =
                    entries.iter().find(|(key, _)| !key.as_str().is_some_and(|k| known.contains(&k)))
                {
                    return Err(GalaxyError::new(format!(
                        "Expecting only 'roles' and/or 'collections' as base keys in the requirements file. Found: {}",
                        plain(key)
                    )));
                }
                let list = |key: &str| match node.get(key).filter(|node| !node.is_null()) {
                    None => Ok(&[][..]),
                    Some(node) => {
                        node.as_seq().ok_or_else(|| about(GalaxyError::new(format!("`{key}` must be a list"))))
                    }
                };
                let roles = list("roles")?.iter().map(WantedRole::of_node).collect::<Result<_>>().map_err(about)?;
                let collections =
                    list("collections")?.iter().map(|node| Wanted::of_node(node, directory)).collect::<Result<_>>();
                Ok(Requirements { roles, collections: collections.map_err(about)? })
            }
            _ => Err(GalaxyError::new(format!(
                "the requirements file '{}' must contain a mapping or a list, not {}",
                path.display(),
                to_json(&node)
            ))),
        }
    }
}

/// The version of an installed collection, if it has one; working trees have `*`.
pub(super) fn version_or_none(text: &str) -> Option<Version> {
    Version::parse(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_on_the_command_line() {
        let origin = |text: &str| Wanted::parse(text).map(|wanted| wanted.origin);
        let git = |repository: &str, directory: Option<&str>, version: Option<&str>| Origin::Git {
            repository: repository.to_owned(),
            directory: directory.map(str::to_owned),
            version: version.map(str::to_owned),
        };
        assert_eq!(origin("a.b:>=1.0.0").unwrap(), Origin::Galaxy { server: None });
        assert_eq!(origin("https://x/a-b-1.0.0.tar.gz").unwrap(), Origin::Url("https://x/a-b-1.0.0.tar.gz".to_owned()));
        assert_eq!(origin("git+https://x/r.git#/a/b/,v1").unwrap(), git("https://x/r.git", Some("a/b"), Some("v1")));
        assert_eq!(origin("git@x:y/r.git,main").unwrap(), git("git@x:y/r.git", None, Some("main")));
        assert_eq!(origin("https://x/r.git").unwrap(), git("https://x/r.git", None, None));
        assert!(origin("no name").unwrap_err().to_string().ends_with("Could not find no name."));
    }

    #[test]
    fn both_forms_of_requirements() {
        let directory = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            std::fs::write(directory.path().join("r.yml"), text).unwrap();
            Requirements::read(&directory.path().join("r.yml"))
        };
        let found = read("roles:\n- geerlingguy.docker\n- {src: git+https://x/role.git, version: 1.0, name: mine}\ncollections:\n- a.b\n- {name: c.d, version: '>=1.0.0', source: https://x}\n- {source: https://x/y.git, type: git, version: main}\n").unwrap();
        assert_eq!(
            found.roles[0],
            WantedRole { src: "geerlingguy.docker".into(), name: "geerlingguy.docker".into(), ..WantedRole::default() }
        );
        assert_eq!(
            (&*found.roles[1].src, found.roles[1].version.as_deref(), &*found.roles[1].name),
            ("https://x/role.git", Some("1.0"), "mine")
        );
        assert_eq!(found.collections[1].origin, Origin::Galaxy { server: Some("https://x".into()) });
        assert!(
            matches!(&found.collections[2].origin, Origin::Git { version: Some(version), .. } if version == "main")
        );
        let found =
            read("- src: https://x/some-role.tar.gz\n- role: a.b\n  version: v2\n- name: file:///tmp/z.tar.gz,v1,z\n")
                .unwrap();
        assert_eq!(found.roles.iter().map(|role| &*role.name).collect::<Vec<_>>(), ["some-role", "a.b", "z"]);
        for (text, said) in [
            ("role: []", "Expecting only"),
            ("", "No requirements found"),
            ("collections: [{version: 1}]", "should contain the key name"),
            ("collections: [{name: a.b, type: zip}]", "must be one of"),
            ("collections: {a: b}", "must be a list"),
            ("roles: [{src: x, name: ../up}]", "cannot be the directory"),
            ("roles: ['https://x/..']", "cannot be the directory"),
        ] {
            assert!(read(text).unwrap_err().to_string().contains(said), "{text}");
        }
    }
}
