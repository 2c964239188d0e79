//! The text of `ansible_managed`: the setting of that name.

use std::{path::Path, sync::OnceLock};

/// Set once at the start, as it holds for all templates.
static MANAGED: OnceLock<String> = OnceLock::new();

/// Sets the text for this process. `{file}`, `{host}` and `{uid}`, and the codes of `strftime`, are those of the
/// template.
pub fn set_managed(text: &str) {
    let _ = MANAGED.set(text.to_owned());
}

/// The text for a template that was last changed at `modified` (seconds since 1970) and belongs to `user`; `host` is
/// the controller's name.
pub(crate) fn managed(path: &Path, host: &str, user: &str, modified: i64) -> String {
    filled(MANAGED.get().map_or("Ansible managed", String::as_str), path, host, user, modified)
}

fn filled(text: &str, path: &Path, host: &str, user: &str, modified: i64) -> String {
    // The codes of the time first: a `%` in the name of a file is none.
    let text = dated(text, modified);
    text.replace("{file}", &path.display().to_string()).replace("{host}", host).replace("{uid}", user)
}

fn dated(text: &str, modified: i64) -> String {
    let time = jiff::Timestamp::from_second(modified).ok().filter(|_| text.contains('%'));
    let time = time.map(|time| time.to_zoned_datetime(jiff::tz::TimeZone::system()));
    // Unknown codes stay as they are written.
    time.and_then(|time| jiff::fmt::strtime::format(text, &time).ok()).unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::filled;

    #[test]
    fn the_template_fills_the_text() {
        let said = |text: &str| filled(text, Path::new("/a/b.j2"), "ctl", "me", 86_400 * 365);
        assert_eq!(said("Ansible managed"), "Ansible managed");
        assert_eq!(said("{file} by {uid} on {host}, %Y"), "/a/b.j2 by me on ctl, 1971");
        assert_eq!(said("100 %!"), "100 %!");
        assert_eq!(filled("{file}", Path::new("/a/%n.j2"), "ctl", "me", 0), "/a/%n.j2");
    }
}
