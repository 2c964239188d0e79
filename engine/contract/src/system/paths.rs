//! Converts paths in playbooks to paths on this host.

use std::path::{Path, PathBuf};

use crate::{Host, argtypes::PathArg, system::expand};

impl PathArg {
    /// The path on this host; see [`expand::path`].
    pub fn on(&self, host: &Host) -> PathBuf {
        PathBuf::from(expand(&self.0, host))
    }
}

/// Whether a text is a valid file name, or part of one, so that the file stays in its directory.
pub fn is_file_name(text: &str) -> bool {
    !text.contains(['/', '\0']) && !matches!(text, "" | "." | "..")
}

/// Expands variables and a leading `~` from the environment of the call.
pub fn expand(text: &str, host: &Host) -> String {
    expand::path(text, &|name| host.variable(name))
}

/// The path with all symbolic links resolved; components that do not exist are kept.
pub fn real(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    // For a dangling link, the path of its missing target.
    if let Ok(target) = std::fs::read_link(path) {
        let target = path.parent().unwrap_or(Path::new("")).join(target);
        if target != path && !target.is_symlink() {
            return real(&target);
        }
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => real(parent).join(name),
        _ => path.to_owned(),
    }
}

/// The parent directory; `.` for a bare name.
pub fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => Path::new("/"),
    }
}

/// The path as text, for results and messages.
pub fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::NoBlobs;

    #[test]
    fn a_path_is_filled_in_from_the_environment_of_the_call() {
        let host = Host::new(vec![("HOME".to_owned(), "/home/me".to_owned())], Arc::new(NoBlobs));
        assert_eq!(PathArg("~/a".to_owned()).on(&host), Path::new("/home/me/a"));
        assert_eq!(PathArg("$HOME/a".to_owned()).on(&host), Path::new("/home/me/a"));
    }

    #[test]
    fn a_dangling_link_leads_to_where_its_target_would_be() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        std::os::unix::fs::symlink("gone", base.join("link")).unwrap();
        assert_eq!(real(&base.join("link")), base.join("gone"));
        assert_eq!(real(&base.join("no/such")), base.join("no/such"));
    }
}
