//! The documentation of built-in modules, from the definitions that also validate their arguments.

use std::fmt::Write;

use rplay::plan::Action;
use rplay_contract::Arg;
use serde_json::{Map, Value as Json, json};

use super::examples::Examples;

/// Shows a module's page, for the console.
pub(crate) fn show(module: &str) {
    if let Some(entry) = Action::find(module) {
        crate::output::tell(&page(&entry));
    }
}

pub(super) fn full_name(action: &Action) -> String {
    format!("{}.{}", action.collection(), action.name())
}

pub(super) fn list(entries: &[Action]) -> String {
    let width = entries.iter().map(|entry| entry.name().len()).max().unwrap_or(0);
    let mut text = String::new();
    for entry in entries {
        let _ = writeln!(text, "{:width$}  {}", entry.name(), first_sentence(entry.doc()));
    }
    text
}

/// The text up to the first full stop that ends a sentence.
pub(super) fn first_sentence(doc: &str) -> String {
    let line = one_line(doc);
    line.split_once(". ").map_or(line.trim_end_matches('.').to_owned(), |(first, _)| first.to_owned())
}

/// A doc comment as one line; paragraphs are joined.
pub(super) fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The page of a module: its arguments, examples and results.
pub(super) fn page(entry: &Action) -> String {
    let mut text = format!("{}\n\n{}\n", full_name(entry), wrapped(entry.doc(), 2));
    if let Some(free_form) = entry.traits().free_form {
        let _ = writeln!(text, "\n  Free-form text after the module's name sets the argument `{free_form}`.");
    }
    let all = entry.args();
    let args: Vec<&Arg> = all.iter().filter(|arg| !arg.name.starts_with('_')).collect();
    if !args.is_empty() {
        text.push_str("\nArguments (= is required):\n");
    }
    for arg in args {
        let mark = if arg.required { '=' } else { '-' };
        let secret = if arg.secret { ", never shown" } else { "" };
        let _ = writeln!(text, "\n{mark} {}  ({}{secret})", arg.name, arg.kind);
        if !arg.aliases.is_empty() {
            let _ = writeln!(text, "    also: {}", arg.aliases.join(", "));
        }
        text.push_str(&wrapped(arg.doc, 4));
        text.push('\n');
        if !arg.choices.is_empty() {
            let _ = writeln!(text, "    choices: {}", arg.choices.join(", "));
        }
        if let Some(default) = arg.default {
            let _ = writeln!(text, "    default: {}", plain_default(default));
        }
    }
    let Some(more) = Examples::of(entry.name()) else { return text };
    let _ = writeln!(text, "\nExamples:\n\n{}", more.examples.trim_end());
    text.push_str("\nResults:\n");
    for (name, kind, what) in &more.results {
        let _ = writeln!(text, "\n- {name}  ({kind})\n{}", wrapped(what, 4));
    }
    if !more.remarks.is_empty() {
        let _ = writeln!(text, "\n{}", wrapped(&more.remarks, 2));
    }
    text
}

/// Indented paragraphs, wrapped at about 90 columns.
pub(super) fn wrapped(doc: &str, indent: usize) -> String {
    const WIDTH: usize = 90;
    let margin = " ".repeat(indent);
    let mut paragraphs = Vec::new();
    for paragraph in doc.split("\n\n").map(one_line).filter(|paragraph| !paragraph.is_empty()) {
        let mut lines = vec![margin.clone()];
        for word in paragraph.split(' ') {
            if let Some(line) = lines.last_mut() {
                if line.len() > indent && line.chars().count() + 1 + word.chars().count() > WIDTH {
                    lines.push(format!("{margin}{word}"));
                } else {
                    line.push_str(if line.len() > indent { " " } else { "" });
                    line.push_str(word);
                }
            }
        }
        paragraphs.push(lines.join("\n"));
    }
    paragraphs.join("\n\n")
}

/// A default value in playbook syntax, from the Rust expression in the definition: `Flag(false)`, `"pong".to_owned()`,
/// `State::Present`, `vec![]`.
pub(super) fn plain_default(source: &str) -> String {
    let mut text = source.trim();
    for ending in [".to_owned()", ".to_string()", ".into()"] {
        text = text.strip_suffix(ending).unwrap_or(text);
    }
    if let Some((name, inner)) = text.split_once('(').and_then(|(name, rest)| Some((name, rest.strip_suffix(')')?)))
        && name.chars().all(|c| c.is_alphanumeric() || c == ':' || c == '_')
        && !inner.is_empty()
    {
        return plain_default(inner);
    }
    match text {
        "vec![]" | "Vec::new()" => "[]".to_owned(),
        "Map::new()" => "{}".to_owned(),
        _ => match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(inner) => inner.to_owned(),
            None => match text.rsplit_once("::") {
                Some((_, variant)) => snake_case(variant),
                None => text.to_owned(),
            },
        },
    }
}

fn snake_case(name: &str) -> String {
    let mut found = String::new();
    for (at, c) in name.chars().enumerate() {
        if c.is_uppercase() && at > 0 {
            found.push('_');
        }
        found.extend(c.to_lowercase());
    }
    found
}

/// The whole documentation of a module, in the format of documentation in files.
pub(super) fn whole(entry: &Action) -> Json {
    let more = Examples::of(entry.name());
    json!({ "doc": doc(entry), "examples": more.as_ref().map(|more| &more.examples), "metadata": null,
        "return": more.as_ref().map(Examples::returns) })
}

/// The description and options of a module, in the format of documentation in files.
pub(super) fn doc(entry: &Action) -> Json {
    let options: Map<String, Json> = entry
        .args()
        .iter()
        .filter(|arg| !arg.name.starts_with('_'))
        .map(|arg| {
            let mut option = Map::from_iter([
                ("description".to_owned(), json!([one_line(arg.doc)])),
                ("type".to_owned(), arg.kind.into()),
            ]);
            if arg.required {
                option.insert("required".to_owned(), true.into());
            }
            if !arg.aliases.is_empty() {
                option.insert("aliases".to_owned(), json!(arg.aliases));
            }
            if !arg.choices.is_empty() {
                option.insert("choices".to_owned(), json!(arg.choices));
            }
            if let Some(default) = arg.default {
                option.insert("default".to_owned(), plain_default(default).into());
            }
            (arg.name.to_owned(), option.into())
        })
        .collect();
    json!({ "collection": entry.collection(), "module": entry.name(), "options": options,
        "plugin_name": full_name(entry), "short_description": first_sentence(entry.doc()),
        "description": [one_line(entry.doc())] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_modules_are_listed_with_what_they_do() {
        rplay_modules::registry::install();
        let text = list(&Action::all());
        assert_eq!(text.lines().count(), Action::all().len());
        assert!(text.lines().any(|line| line.starts_with("ping ") && line.contains("Checks that a host is reachable")));
    }

    #[test]
    fn a_page_shows_the_arguments() {
        rplay_modules::registry::install();
        let text = page(&Action::find("ansible.builtin.ping").unwrap());
        assert!(text.starts_with("ansible.builtin.ping\n\n  Checks that"), "{text}");
        assert!(text.contains("- data  (str)\n    The value to return."), "{text}");
        assert!(text.contains("    default: pong\n"), "{text}");
        assert!(text.contains("Examples:\n\n- name: Is the host there?\n  ping:\n"), "{text}");
        assert!(text.contains("Results:\n\n- ping  (str)\n    The value of"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100));
    }

    #[test]
    fn defaults_are_shown_as_one_writes_them() {
        for (source, shown) in [
            ("Flag(false)", "false"),
            ("\"pong\".to_owned()", "pong"),
            ("State::Present", "present"),
            ("Manager::SystemdService", "systemd_service"),
            ("Vec::new()", "[]"),
            ("10", "10"),
            ("PathArg(\"/etc\".to_owned())", "/etc"),
        ] {
            assert_eq!(plain_default(source), shown);
        }
    }
}
