//! Paths as playbooks write them, made into paths on this host.

use std::path::{Path, PathBuf};

use crate::{Host, argtypes::PathArg, system::accounts::User};

impl PathArg {
    /// The path with `$VARIABLE`, `${VARIABLE}`, `~` and `~user` replaced, as Python's `expandvars` and
    /// `expanduser` would: what is not known stays as it is written.
    pub fn on(&self, host: &Host) -> PathBuf {
        PathBuf::from(expand(&self.0, host))
    }
}

/// Whether a text can be the name of a file, or part of one, so that the file stays in the folder it is put into.
pub fn is_file_name(text: &str) -> bool {
    !text.contains(['/', '\0']) && !matches!(text, "" | "." | "..")
}

/// `text` with variables and a leading `~` replaced.
pub fn expand(text: &str, host: &Host) -> String {
    expand_home(&expand_variables(text, |name| host.variable(name)), host)
}

/// A leading `~` or `~user` replaced by the home folder.
fn expand_home(text: &str, host: &Host) -> String {
    let Some(rest) = text.strip_prefix('~') else { return text.to_owned() };
    let (user, tail) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let home = if user.is_empty() {
        host.variable("HOME").or_else(|| User::numbered(nix::unistd::getuid().as_raw()).map(|user| user.home))
    } else {
        User::named(user).map(|user| user.home)
    };
    match home {
        Some(home) if home == "/" && !tail.is_empty() => tail.to_owned(),
        Some(home) => format!("{}{tail}", home.trim_end_matches('/')),
        None => text.to_owned(),
    }
}

fn expand_variables(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, end) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, _)) => (name, name.len() + 2),
            None => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
                (&after[..end], end)
            }
        };
        match lookup(name).filter(|_| !name.is_empty()) {
            Some(value) => out.push_str(&value),
            None => {
                out.push('$');
                out.push_str(&after[..end]);
            }
        }
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}

/// Where the path leads once all symbolic links are followed; the part that does not exist stays.
pub fn real(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    // A dangling link leads to where its target would be.
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

/// The folder that a path stands in; `.` for a bare name.
pub fn folder(path: &Path) -> &Path {
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
    fn variables_and_homes_are_replaced_and_the_unknown_stays() {
        let environment = vec![("HOME".to_owned(), "/home/me/".to_owned()), ("X".to_owned(), "x".to_owned())];
        let host = Host::new(environment, Arc::new(NoBlobs));
        for (written, meant) in [
            ("~/a", "/home/me/a"),
            ("~", "/home/me"),
            ("~root/a", "/root/a"),
            ("~no-such-user/a", "~no-such-user/a"),
            ("/$X/${X}y/$NO_SUCH_ONE/${NO_SUCH_ONE}/$", "/x/xy/$NO_SUCH_ONE/${NO_SUCH_ONE}/$"),
            ("a~", "a~"),
        ] {
            assert_eq!(expand(written, &host), meant);
        }
    }

    #[test]
    fn a_dangling_link_leads_to_where_its_target_would_be() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        std::os::unix::fs::symlink("gone", base.join("link")).unwrap();
        assert_eq!(real(&base.join("link")), base.join("gone"));
        assert_eq!(real(&base.join("no/such")), base.join("no/such"));
    }
}
