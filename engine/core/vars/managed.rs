//! The variables that a template file has in addition to those of its task, such as `ansible_managed`.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, OnceLock},
};

use super::{Layer, Lazy, Scope, Value};
use crate::source::{Source, Span, Spanned, absolute};

/// Set once at the start, for all templates.
static MANAGED: OnceLock<String> = OnceLock::new();

/// Sets the text of `ansible_managed` for this process. `{file}`, `{host}` and `{uid}`, and the codes of `strftime`,
/// are filled in for each template file; it may contain a template in doubled braces (`{{{{ }}}}`).
pub fn set_managed(text: &str) {
    let _ = MANAGED.set(text.to_owned());
}

/// The variables of the template file at `path`. `written` is its name in the task, `destination` where the result is
/// written, if anywhere.
///
/// # Errors
/// If the setting `ansible_managed` has a field other than `file`, `host` and `uid`; with ansible-core's message.
pub(crate) fn of_template(
    written: &str,
    path: &Path,
    destination: Option<Value>,
    scope: &Scope,
) -> Result<Layer, String> {
    let about = fs::metadata(path).ok();
    let modified = about.as_ref().map_or(0, |meta| meta.mtime());
    let (host, user) = (host_name(), user_name(about.as_ref().map_or(0, |meta| meta.uid())));
    let mut layer = Layer::new();
    let mut set = |name: &str, value: Lazy| drop(layer.insert(name.into(), value));
    // One that was set for an enclosing template does not count.
    let own = scope.layers.iter().find(|layer| layer.contains_key("ansible_managed"));
    if own.is_none_or(|layer| layer.contains_key("template_fullpath")) {
        let text = MANAGED.get().map_or("Ansible managed", String::as_str);
        set("ansible_managed", of_setting(&dated(&filled(text, written, &host, &user)?, modified)));
    }
    set("template_path", Lazy::Data(written.into()));
    set("template_fullpath", Lazy::Data(absolute(path).into()));
    set("template_host", Lazy::Data(host.into()));
    set("template_uid", Lazy::Data(user.into()));
    set("template_mtime", Lazy::Data(modified.into()));
    set("template_destpath", Lazy::Data(destination.unwrap_or_default()));
    set("template_run_date", Lazy::Data(now().into()));
    Ok(layer)
}

fn of_setting(text: &str) -> Lazy {
    let source = Source::inline("ansible_managed", text);
    Lazy::from_text(&Spanned { span: Span::new(&source, 0..text.len()), value: Arc::from(text) })
}

/// The text with its fields filled in as by Python's `format`. Values that are filled in contain neither codes of
/// `strftime` nor templates.
fn filled(text: &str, file: &str, host: &str, user: &str) -> Result<String, String> {
    let quoted = |value: &str| value.replace('%', "%%").replace('{', "{{ '{' }}");
    let mut filled = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        filled.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        let after = &rest[at + 1..];
        rest = match after.strip_prefix(brace) {
            Some(after) => {
                filled.push_str(brace);
                after
            }
            None if brace == "}" => return Err("Single '}' encountered in format string".to_owned()),
            None => {
                let (field, after) = after.split_once('}').ok_or("expected '}' before end of string")?;
                filled.push_str(&match field {
                    "file" => quoted(file),
                    "host" => quoted(host),
                    "uid" => quoted(user),
                    other => return Err(format!("'{other}'")),
                });
                after
            }
        };
    }
    filled.push_str(rest);
    Ok(filled)
}

fn dated(text: &str, modified: i64) -> String {
    let time = jiff::Timestamp::from_second(modified).ok().filter(|_| text.contains('%'));
    let Some(time) = time.map(|time| time.to_zoned_datetime(jiff::tz::TimeZone::system())) else {
        return text.to_owned();
    };
    // Code by code, since unknown codes stay as written.
    let mut dated = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        dated.push_str(&rest[..at]);
        let code = rest[at..].chars().take(2).map(char::len_utf8).sum::<usize>();
        let code = &rest[at..at + code];
        // Codes that Python does not have.
        let known = !matches!(code, "%q" | "%Q" | "%f" | "%N" | "%.");
        match if known { jiff::fmt::strtime::format(code, &time) } else { Ok(code.to_owned()) } {
            Ok(said) => dated.push_str(&said),
            Err(_) => dated.push_str(code),
        }
        rest = &rest[at + code.len()..];
    }
    dated.push_str(rest);
    dated
}

/// The current time in the format of Python's `str` of a datetime.
fn now() -> String {
    jiff::ZonedDateTime::now().strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn host_name() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Read from the file itself: a static executable must not use the C library's name services.
fn user_name(uid: u32) -> String {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    });
    found.unwrap_or_else(|| uid.to_string())
}

#[cfg(test)]
mod tests {
    use super::{dated, filled};

    /// Recorded from ansible-core 2.19.
    #[test]
    fn the_template_fills_the_text() {
        let said = |text: &str| filled(text, "b.j2", "ctl", "me").map(|text| dated(&text, 86_400 * 365));
        assert_eq!(said("Ansible managed").as_deref(), Ok("Ansible managed"));
        assert_eq!(said("{file} by {uid} on {host}, %Y").as_deref(), Ok("b.j2 by me on ctl, 1971"));
        assert_eq!(said("100 %! %% %").as_deref(), Ok("100 %! % %"));
        assert_eq!(said("{{{{ q('pipe', 'x') }}}} {{ x }}").as_deref(), Ok("{{ q('pipe', 'x') }} { x }"));
        assert_eq!(said("{nope}"), Err("'nope'".to_owned()));
        let odd = filled("{file}", "%n{{ 1 }}", "ctl", "me").map(|text| dated(&text, 0));
        assert_eq!(odd.as_deref(), Ok("%n{{ '{' }}{{ '{' }} 1 }}"));
    }
}
