//! The secrets in a file that is encrypted as a whole.
//!
//! Such files contain passwords, but also names and words like `true` and `postgres`; masking those everywhere would
//! make the output unreadable. So a value is masked everywhere if its key marks it as secret, if it is long, or if it
//! does not look like a word; other values are masked only as a whole value of a result.

use std::{
    io::Read,
    panic::{AssertUnwindSafe, catch_unwind},
};

use libyaml_safer::{Event, EventData, Parser};

use super::Secrets;

/// Parts of key names whose values are always secret.
const TELLING: &[&str] = &["pass", "pw", "secret", "token", "key", "cred", "auth", "salt", "pin", "private", "vault"];

/// Ordinary words, which occur in most outputs.
const ORDINARY: &[&str] = &[
    "absent",
    "admin",
    "all",
    "debug",
    "default",
    "directory",
    "error",
    "file",
    "http",
    "https",
    "info",
    "json",
    "latest",
    "localhost",
    "main",
    "master",
    "mysql",
    "nginx",
    "nobody",
    "postgres",
    "postgresql",
    "present",
    "production",
    "public",
    "redis",
    "root",
    "staging",
    "started",
    "stopped",
    "test",
    "user",
    "warning",
    "www-data",
    "127.0.0.1",
    "0.0.0.0",
];

/// Keywords of plays and tasks whose values are shown anyway.
const SHOWN: &[&str] = &[
    "name",
    "hosts",
    "when",
    "register",
    "notify",
    "listen",
    "tags",
    "become",
    "become_user",
    "become_method",
    "delegate_to",
    "gather_facts",
    "strategy",
    "connection",
    "remote_user",
    "until",
    "changed_when",
    "failed_when",
    "import_tasks",
    "include_tasks",
    "import_playbook",
    "loop",
    "role",
];

/// Keys that contain plays and tasks.
const OF_TASKS: &[&str] = &["tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"];

/// A plain word with fewer characters is masked only as a whole value.
const SHORTEST_WORD: usize = 8;

/// Registers the content of such a file.
pub fn values_of_file(text: &str, secrets: &Secrets) {
    if !of_yaml(text, secrets) {
        // A key, a configuration, an inventory, or invalid YAML: only its lines are known.
        let long = |line: &&str| line.chars().count() >= super::SHORTEST_LINE && !is_section(line);
        match text.lines().map(str::trim).filter(long).map(|line| secrets.add(line)).count() {
            0 => secrets.add(text),
            _ => text.lines().for_each(|line| of_line(line, secrets)),
        }
    }
}

/// Registers one value; `telling` means that its key, or an enclosing one, marks it as secret.
fn of_value(value: &str, telling: bool, secrets: &Secrets) {
    let value = value.trim();
    let ordinary = || ORDINARY.iter().any(|word| value.eq_ignore_ascii_case(word));
    let word = || value.chars().all(char::is_alphabetic) || value.parse::<f64>().is_ok();
    match () {
        () if telling => secrets.add(value),
        () if ordinary() => {}
        () if value.chars().count() < SHORTEST_WORD && word() => secrets.add_whole(value),
        () => secrets.add(value),
    }
    // The text around variables in a template is part of the resulting value.
    if value.contains("{{") {
        let literal = |part: &str| part.rsplit_once("}}").map_or(part, |(_, rest)| rest).trim().to_owned();
        let parts = value.split("{{").map(literal);
        parts.filter(|part| part.chars().count() >= SHORTEST_WORD).for_each(|part| secrets.add(&part));
    }
}

/// `[name]` of an inventory or a configuration.
fn is_section(line: &str) -> bool {
    line.starts_with('[') && line.ends_with(']')
}

/// Whether the name says that the value is a secret, such as `db_password`.
pub fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    TELLING.iter().any(|word| key.contains(word))
}

/// An open list or mapping.
struct Open {
    mapping: bool,
    /// The current key, whose value comes next.
    key: Option<String>,
    /// Whether an enclosing key marks it as secret.
    telling: bool,
    /// Whether it is a list of plays or tasks, or one of them.
    of_tasks: bool,
}

/// Registers the values of a YAML text; false if it is invalid, or a single scalar.
fn of_yaml(text: &str, secrets: &Secrets) -> bool {
    let mut parser = Parser::new();
    parser.set_encoding(libyaml_safer::Encoding::Utf8);
    // The parser fails on a block scalar at the end without a line break.
    parser.set_input(text.as_bytes().chain(&b"\n"[..]));
    let mut open: Vec<Open> = Vec::new();
    let (mut any, mut of_tasks) = (false, false);
    loop {
        // Some texts make the parser panic.
        let parsed = catch_unwind(AssertUnwindSafe(|| parser.parse()));
        let Ok(Ok(Event { data, .. })) = parsed else { return false };
        let (mapping, scalar) = match data {
            EventData::Scalar { value, .. } => (false, Some(value)),
            EventData::Alias { .. } => (false, Some(String::new())),
            EventData::SequenceStart { .. } => (false, None),
            EventData::MappingStart { .. } => (true, None),
            EventData::SequenceEnd | EventData::MappingEnd => {
                open.pop();
                continue;
            }
            EventData::StreamEnd => return any,
            _ => continue,
        };
        let within = open.last_mut();
        if let (Some(within), Some(key)) = (&within, &scalar)
            && within.mapping
            && within.key.is_none()
        {
            let key = key.clone();
            if let Some(within) = open.last_mut() {
                within.key = Some(key);
            }
            continue;
        }
        let around = within.map(|within| {
            let key = within.key.take();
            if within.mapping && key.is_none() {
                // The key itself is a list or mapping; its value comes next.
                within.key = Some(String::new());
            }
            let telling = within.telling || key.as_deref().is_some_and(names_a_secret);
            let of_tasks = within.of_tasks && key.as_deref().is_none_or(|key| OF_TASKS.contains(&key));
            let shown = within.of_tasks && key.as_deref().is_some_and(|key| SHOWN.contains(&key));
            (telling, of_tasks, shown)
        });
        match (scalar, around) {
            // The whole document.
            (Some(_), None) => return false,
            (Some(_), Some((_, _, true))) => {}
            (Some(value), Some((telling, ..))) => {
                of_value(&value, telling, secrets);
                if of_tasks {
                    of_command(&value, secrets);
                }
            }
            (None, around) => {
                // A variable file is a mapping, a file of plays or tasks a list.
                of_tasks |= around.is_none() && !mapping;
                any = true;
                let (telling, of_tasks, _) = around.unwrap_or((false, !mapping, false));
                open.push(Open { mapping, key: None, telling, of_tasks });
            }
        }
    }
}

/// The words of a command that look like secrets: long, with a digit, and neither a path nor an option. Results contain
/// them one by one.
fn of_command(command: &str, secrets: &Secrets) {
    let words = command.split_ascii_whitespace().map(|word| word.trim_matches([';', ',', '"', '\'', '(', ')']));
    let likely = |word: &&str| {
        word.chars().count() >= SHORTEST_WORD
            && word.bytes().any(|byte| byte.is_ascii_digit())
            && !word.starts_with(['/', '-', '.', '~', '{'])
    };
    words.filter(likely).for_each(|word| secrets.add(word));
}

/// A line of `key: value`, `key = value` or of `key=value` words.
fn of_line(line: &str, secrets: &Secrets) {
    let bare = |value: &str| {
        let value = value.trim();
        let inside = ['\'', '"'].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        inside.unwrap_or(value).to_owned()
    };
    let mut pair = |(key, value): (&str, &str)| of_value(&bare(value), names_a_secret(key), secrets);
    line.match_indices(": ").map(|(at, sign)| (&line[..at], &line[at + sign.len()..])).for_each(&mut pair);
    line.split_once('=').into_iter().for_each(&mut pair);
    line.split_ascii_whitespace().filter_map(|word| word.split_once('=')).for_each(&mut pair);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::MASK;

    fn shown(file: &str, text: &str) -> String {
        let secrets = Secrets::default();
        secrets.add_file(file);
        secrets.mask(text).into_owned()
    }

    #[test]
    fn values_are_found_wherever_they_are_nested() {
        let file = "top: topsecret-1\nusers:\n  - {name: alice, pw: in2nd}\n  - [deep-list-1, {a: {b: hunter-22}}]\n\
                    passwords: [abcd, efgh]\nkey: |\n  -----BEGIN\n  MIIEpAIBAA\nfolded: >\n  one two\n  three\n\
                    quoted: \"a\\tb-secret\"\ndsn: \"db://app:S3cr3t@{{ host }}/x\"\n? complex\n: value-of-complex\n";
        for secret in [
            "topsecret-1",
            "in2nd",
            "deep-list-1",
            "hunter-22",
            "abcd",
            "efgh",
            "MIIEpAIBAA",
            "one two three",
            "a\tb-secret",
            "db://app:S3cr3t@",
            "value-of-complex",
        ] {
            assert!(shown(file, &format!("<{secret}>")).contains(MASK), "{secret}");
        }
        assert_eq!(shown(file, "users: alice, name, complex"), "users: alice, name, complex");
    }

    #[test]
    fn ordinary_words_stay_readable() {
        let file = "db_user: postgres\nstate: present\nowner: deploy\nport: 5432\non: true\ndb_password: postgres2\n";
        let text = "postgres is present on 5432, true, deploy";
        assert_eq!(shown(file, text), text);
        let secrets = Secrets::default();
        secrets.add_file(file);
        let mut data = serde_json::json!(["deploy", "postgres", "5432", 5432, "postgres2"]);
        secrets.mask_data(&mut data);
        assert_eq!(data, serde_json::json!([MASK, "postgres", MASK, 5432, MASK]));
        // If the key marks it, any word is secret.
        assert_eq!(shown("password: postgres", "postgres"), MASK);
    }

    #[test]
    fn titles_of_tasks_stay_readable() {
        let file = "- name: Install everything\n  hosts: webservers\n  vars: {name: secret-value}\n  tasks:\n  \
                    - block:\n    - name: Second title\n      shell: curl -u x:secret-two\n";
        let text = "Install everything on webservers, Second title";
        assert_eq!(shown(file, text), text);
        assert_eq!(shown(file, "secret-value"), MASK);
        assert_eq!(shown(file, "curl -u x:secret-two"), MASK);
        let file = "- shell: \"sh -c 'login hunter-22; exit 1'\"\n";
        assert_eq!(shown(file, "login hunter-22; exit 1"), "login ********; exit 1");
    }

    #[test]
    fn other_texts_are_taken_by_lines() {
        let inventory = "[web]\nh1 ansible_host=10.20.30.40 ansible_password=ab12\n";
        assert_eq!(shown(inventory, "ab12 [web] h1"), "******** [web] h1");
        assert_eq!(shown("A_TOKEN=abcde\nB=longer-value\n", "abcde longer-value"), "******** ********");
        // Invalid YAML.
        assert_eq!(shown("a: hunter-22\nb: [x\nc: {{ y }}: hunter-33", "hunter-22 hunter-33"), "******** ********");
        assert_eq!(shown("\"one scalar\"", "\"one scalar\""), MASK);
    }
}
