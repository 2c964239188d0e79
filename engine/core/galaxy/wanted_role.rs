//! A requested role.

use super::{GalaxyError, Result};
use crate::syntax::Node;

/// A requested role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedRole {
    /// A name on Galaxy, a URL, a repository or a file.
    pub src: String,
    /// `git`, if the source does not show it.
    pub scm: Option<String>,
    pub version: Option<String>,
    /// The name of its directory.
    pub name: String,
}

impl WantedRole {
    /// `SRC[,VERSION[,NAME]]`.
    ///
    /// # Errors
    /// If there are more parts, or none.
    pub fn parse(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let (src, version, name) = match parts[..] {
            [src] => (src, "", ""),
            [src, version] => (src, version, ""),
            [src, version, name] => (src, version, name),
            _ => {
                return Err(GalaxyError::new(format!(
                    "Invalid role line ({text}). Proper format is 'role_name[,version[,name]]'"
                )));
            }
        };
        WantedRole::made(src, None, version, name)
    }

    fn made(src: &str, scm: Option<String>, version: &str, name: &str) -> Result<Self> {
        let (scm, src) = match src.split_once('+') {
            Some((scm @ ("git" | "hg"), rest)) => (Some(scm.to_owned()), rest),
            _ => (scm, src),
        };
        if src.is_empty() {
            return Err(GalaxyError::new("Must specify name or src for role"));
        }
        let name = if name.is_empty() { name_of(src) } else { name.to_owned() };
        let sound = !name.is_empty() && !name.starts_with('.') && !name.contains('/') && !name.contains('\0');
        if !sound {
            return Err(GalaxyError::new(format!("`{name}` cannot be the directory of a role")));
        }
        let version = Some(version.to_owned()).filter(|version| !version.is_empty());
        Ok(WantedRole { src: src.to_owned(), scm, version, name })
    }

    pub(super) fn of_node(node: &Node) -> Result<Self> {
        if let Some(text) = node.as_str() {
            return WantedRole::parse(text);
        }
        let text = |key: &str| node.get(key).filter(|node| !node.is_null()).map(plain);
        let Some(src) = text("src").or_else(|| text("role")).or_else(|| text("name")) else {
            return Err(GalaxyError::new("Must specify name or src for role"));
        };
        let name = if node.get("src").is_some() { text("name") } else { None };
        if src.contains(',') && node.get("src").is_none() {
            return WantedRole::parse(&src);
        }
        WantedRole::made(&src, text("scm"), &text("version").unwrap_or_default(), &name.unwrap_or_default())
    }

    /// The dependencies of a role, from its `meta/main.yml` or `meta/requirements.yml`.
    pub(super) fn of_list(node: &Node) -> Result<Vec<Self>> {
        node.as_seq().unwrap_or_default().iter().map(WantedRole::of_node).collect()
    }
}

/// The directory of a role without a name: the last part of its source.
fn name_of(src: &str) -> String {
    if !src.contains("://") && !src.contains('@') && !src.contains('/') {
        return src.to_owned();
    }
    let last = src.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    let last = last.split(',').next().unwrap_or_default();
    [".git", ".tar.gz", ".tgz", ".tar"].iter().find_map(|end| last.strip_suffix(end)).unwrap_or(last).to_owned()
}

/// A scalar as written.
pub(super) fn plain(node: &Node) -> String {
    node.as_str().map_or_else(|| node.span.text().to_owned(), str::to_owned)
}
