//! The references of a repository, from `git ls-remote --symref`.

use std::collections::HashMap;

/// All branches and tags.
#[derive(Debug, Default)]
pub(super) struct Heads {
    /// By full name: `refs/heads/main`.
    refs: HashMap<String, String>,
    /// The default branch.
    default: Option<String>,
}

/// What a task's `version` refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Branch {
        name: String,
        commit: String,
    },
    Tag {
        name: String,
        commit: String,
    },
    /// Not a known name: possibly a commit.
    Commit(String),
}

impl Version {
    /// The commit, if it is known without fetching.
    pub(super) fn commit(&self) -> Option<&str> {
        match self {
            Version::Branch { commit, .. } | Version::Tag { commit, .. } => Some(commit),
            Version::Commit(commit) => Some(commit.as_str()).filter(|commit| commit.len() == 40),
        }
    }
}

impl Heads {
    pub(super) fn parse(text: &str) -> Self {
        let mut heads = Heads::default();
        for line in text.lines() {
            let Some((what, name)) = line.split_once('\t') else { continue };
            match what.strip_prefix("ref: refs/heads/") {
                Some(branch) if name == "HEAD" => heads.default = Some(branch.to_owned()),
                Some(_) => {}
                None => {
                    heads.refs.insert(name.to_owned(), what.to_owned());
                }
            }
        }
        heads
    }

    /// Resolves `version`. A branch takes precedence over a tag of the same name.
    pub(super) fn version(&self, version: &str) -> Version {
        let name = if version == "HEAD" { self.default.as_deref().unwrap_or(version) } else { version };
        let name = name.strip_prefix("refs/heads/").unwrap_or(name);
        if let Some(commit) = self.refs.get(&format!("refs/heads/{name}")) {
            return Version::Branch { name: name.to_owned(), commit: commit.clone() };
        }
        let name = name.strip_prefix("refs/tags/").unwrap_or(name);
        // An annotated tag refers to the commit.
        let tagged = [format!("refs/tags/{name}^{{}}"), format!("refs/tags/{name}")];
        if let Some(commit) = tagged.iter().find_map(|name| self.refs.get(name)) {
            return Version::Tag { name: name.to_owned(), commit: commit.clone() };
        }
        // HEAD is detached on the server, or an old git does not report its branch.
        if let (true, Some(commit)) = (version == "HEAD", self.refs.get("HEAD")) {
            let same = self.refs.iter().find(|(name, head)| name.starts_with("refs/heads/") && *head == commit);
            return match same {
                Some((name, _)) => {
                    Version::Branch { name: name.trim_start_matches("refs/heads/").to_owned(), commit: commit.clone() }
                }
                None => Version::Commit(commit.clone()),
            };
        }
        Version::Commit(version.to_owned())
    }
}
