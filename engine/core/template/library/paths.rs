//! Paths on the controller: home directories, environment variables, patterns.

use std::path::{Component, Path, PathBuf};

use rplay_contract::system::{expand, glob::Pattern};

/// The path without `.`, `..` and double slashes; purely textual.
pub(crate) fn normpath(path: &str) -> String {
    let root = match path {
        _ if path.starts_with("//") && !path.starts_with("///") => "//",
        _ if path.starts_with('/') => "/",
        _ => "",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if !root.is_empty() => {}
            part => parts.push(part),
        }
    }
    match format!("{root}{}", parts.join("/")) {
        empty if empty.is_empty() => ".".into(),
        path => path,
    }
}

/// Expands `~` and `~name` to home directories.
pub(crate) fn expanduser(path: &str) -> String {
    expand::home(path, &expand::own_environment)
}

/// Expands `$NAME` and `${NAME}` from the environment; unknown names are kept.
pub(crate) fn expandvars(path: &str) -> String {
    expand::variables(path, &expand::own_environment)
}

/// The paths that match a pattern, sorted by name.
pub(crate) fn glob(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let Component::Normal(part) = part else {
            found.iter_mut().for_each(|path| path.push(part.as_os_str()));
            continue;
        };
        let part = part.to_string_lossy();
        if !part.contains(['*', '?', '[']) {
            found.iter_mut().for_each(|path| path.push(&*part));
            continue;
        }
        let pattern = Pattern::new(&part);
        found = found
            .into_iter()
            .flat_map(|directory| {
                let here = if directory.as_os_str().is_empty() { Path::new(".") } else { &directory };
                let entries = std::fs::read_dir(here).into_iter().flatten().flatten();
                let mut names: Vec<String> =
                    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
                names.retain(|name| (part.starts_with('.') || !name.starts_with('.')) && pattern.fits(name));
                names.sort();
                names.into_iter().map(move |name| directory.join(name))
            })
            .collect();
    }
    found.retain(|path| path.exists());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_are_found_without_the_name_services_of_the_c_library() {
        assert_eq!(expanduser("~root/x"), "/root/x");
        assert_eq!(expanduser("~nobody-of-that-name/x"), "~nobody-of-that-name/x");
    }

    /// `system/expand.rs` is the one that expands.
    #[test]
    fn filters_expand_as_paths_of_modules_do() {
        for path in ["~", "~/x", "$HOME/x", "${HOME}", "$", "${", "$NO_SUCH_NAME/x", "${a=b}", "~nobody-of-that-name"] {
            let both = expand::path(path, &expand::own_environment);
            assert_eq!(expanduser(&expandvars(path)), both, "{path}");
        }
    }
}
