//! Expands `~`, `~user`, `$NAME` and `${NAME}` in paths, like Python's `os.path`.
//!
//! Ansible expands arguments of type `path`, and paths in its settings: first variables, then a leading home directory.
//! Unknown names are kept.

use nix::unistd::getuid;

use crate::system::accounts::User;

/// Returns the value of an environment variable.
pub type Environment<'e> = dyn Fn(&str) -> Option<String> + 'e;

/// The environment of this process. A variable that is not UTF-8 counts as unset.
pub fn own_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Expands a path: [`variables`], then [`home`].
pub fn path(text: &str, environment: &Environment<'_>) -> String {
    home(&variables(text, environment), environment)
}

/// Expands a leading `~` or `~user` to the home directory: `HOME`, or that of the account.
pub fn home(text: &str, environment: &Environment<'_>) -> String {
    let Some(rest) = text.strip_prefix('~') else { return text.to_owned() };
    let (user, tail) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let home = if user.is_empty() { own_home(environment) } else { User::named(user).map(|user| user.home) };
    match home {
        Some(home) => match format!("{}{tail}", home.trim_end_matches('/')) {
            root if root.is_empty() => "/".to_owned(),
            path => path,
        },
        None => text.to_owned(),
    }
}

/// The home directory of the current user: `HOME`, or that of the account.
pub fn own_home(environment: &Environment<'_>) -> Option<String> {
    environment("HOME").or_else(|| User::numbered(getuid().as_raw()).map(|user| user.home))
}

/// Expands `$NAME` and `${NAME}` from the environment.
pub fn variables(text: &str, environment: &Environment<'_>) -> String {
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
        // The standard library panics at invalid names.
        let can_be = !name.is_empty() && !name.contains(['=', '\0']);
        match can_be.then(|| environment(name)).flatten() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_homes_are_filled_in_and_the_unknown_stays() {
        let environment = |name: &str| match name {
            "HOME" => Some("/home/me/".to_owned()),
            "X" => Some("x".to_owned()),
            "TILDE" => Some("~".to_owned()),
            "EMPTY" => Some(String::new()),
            "=" | "A=B" | "\0" | "" => panic!("no variable is called `{name}`"),
            _ => None,
        };
        for (written, meant) in [
            ("~/a", "/home/me/a"),
            ("~", "/home/me"),
            ("~root/a", "/root/a"),
            ("~no-such-user/a", "~no-such-user/a"),
            ("/$X/${X}y/$NO_SUCH_ONE/${NO_SUCH_ONE}/$", "/x/xy/$NO_SUCH_ONE/${NO_SUCH_ONE}/$"),
            ("a~", "a~"),
            ("/~", "/~"),
            // Variables are expanded first, so they may contain `~`.
            ("$TILDE/a", "/home/me/a"),
            ("a$EMPTY/b", "a/b"),
            ("${X", "${X"),
            ("${}${=}${A=B}$", "${}${=}${A=B}$"),
            ("$X$X", "xx"),
            ("$Xé", "xé"),
        ] {
            assert_eq!(path(written, &environment), meant, "{written}");
        }
    }

    #[test]
    fn the_root_directory_is_a_home_like_any_other() {
        let environment = |name: &str| (name == "HOME").then(|| "/".to_owned());
        assert_eq!(home("~", &environment), "/");
        assert_eq!(home("~/a", &environment), "/a");
    }
}
