//! `rplay doc`: documents modules, from the definitions that also validate their arguments.

use std::fmt::Write;

use rplay::{plan::Action, source::Problems};
use rplay_contract::Arg;
use serde_json::{Map, Value as Json, json};

use crate::args::doc::DocArgs;

#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{0}")]
struct NoSuchModule(String);

/// Prints the requested documentation.
pub fn command(args: &DocArgs) -> Result<u8, Problems> {
    crate::output::show(doc(args).map_err(NoSuchModule)?.as_bytes())?;
    Ok(0)
}

/// Shows a module's page, for the console.
pub fn show(module: &str) {
    if let Some(entry) = Action::find(module) {
        crate::output::tell(&page(&entry));
    }
}

/// What `rplay doc` prints, or what is wrong with the names given.
fn doc(args: &DocArgs) -> Result<String, String> {
    let found = named(&args.modules)?;
    if args.json {
        let schemas: Map<String, Json> = found.iter().map(|entry| (full_name(entry), schema(entry))).collect();
        return serde_json::to_string_pretty(&schemas).map(|text| text + "\n").map_err(|error| error.to_string());
    }
    Ok(if args.modules.is_empty() { list(&found) } else { found.iter().map(page).collect::<Vec<_>>().join("\n") })
}

/// The modules and actions of these names, short or fully qualified; all if no name is given.
fn named(names: &[String]) -> Result<Vec<Action>, String> {
    if names.is_empty() {
        return Ok(Action::all());
    }
    let unknown = |name: &String| match Action::nearest(name) {
        Some(meant) => format!("there is no module `{name}`; did you mean `{meant}`?"),
        None => format!("there is no module `{name}`; `rplay doc` lists all modules"),
    };
    names.iter().map(|name| Action::find(name).ok_or_else(|| unknown(name))).collect()
}

fn full_name(action: &Action) -> String {
    format!("{}.{}", action.collection(), action.name())
}

fn list(entries: &[Action]) -> String {
    let width = entries.iter().map(|entry| entry.name().len()).max().unwrap_or(0);
    let mut text = String::new();
    for entry in entries {
        let _ = writeln!(text, "{:width$}  {}", entry.name(), first_sentence(entry.doc()));
    }
    text
}

/// The text up to the first full stop that ends a sentence.
fn first_sentence(doc: &str) -> String {
    let line = one_line(doc);
    line.split_once(". ").map_or(line.trim_end_matches('.').to_owned(), |(first, _)| first.to_owned())
}

/// A doc comment as one line; paragraphs are joined.
fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn page(entry: &Action) -> String {
    let mut text = format!("{}\n\n{}\n", full_name(entry), wrapped(entry.doc(), 2));
    if let Some(free_form) = entry.free_form() {
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
    text
}

/// Indented paragraphs, wrapped at about 90 columns.
fn wrapped(doc: &str, indent: usize) -> String {
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
fn plain_default(source: &str) -> String {
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

/// JSON schema of a module's arguments. Because modules read arguments leniently, numbers and booleans may also be
/// strings, and most values may be templates.
fn schema(entry: &Action) -> Json {
    let args = entry.args();
    let mut properties = Map::new();
    for arg in args.iter().filter(|arg| !arg.name.starts_with('_')) {
        let mut property = Map::new();
        property.insert("description".to_owned(), Json::from(one_line(arg.doc)));
        let types = match arg.kind {
            "bool" => json!(["boolean", "string", "integer"]),
            "int" => json!(["integer", "string"]),
            "float" => json!(["number", "string"]),
            "list" => json!(["array", "string", "number", "boolean"]),
            "dict" => json!(["object", "string"]),
            "raw" => Json::Null,
            _ => json!(["string", "number", "boolean"]),
        };
        if !types.is_null() {
            property.insert("type".to_owned(), types);
        }
        if !arg.choices.is_empty() {
            property.insert("examples".to_owned(), Json::from(arg.choices));
        }
        if let Some(default) = arg.default {
            property.insert("default".to_owned(), Json::from(plain_default(default)));
        }
        if arg.secret {
            property.insert("writeOnly".to_owned(), Json::from(true));
        }
        for name in std::iter::once(&arg.name).chain(arg.aliases) {
            properties.insert((*name).to_owned(), Json::Object(property.clone()));
        }
    }
    let required: Vec<Json> = args
        .iter()
        .filter(|arg| arg.required && !arg.name.starts_with('_'))
        .map(|arg| match arg.aliases {
            [] => json!({ "required": [arg.name] }),
            aliases => {
                let any: Vec<Json> =
                    std::iter::once(&arg.name).chain(aliases).map(|name| json!({ "required": [name] })).collect();
                json!({ "anyOf": any })
            }
        })
        .collect();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": full_name(entry),
        "description": one_line(entry.doc()),
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["allOf"] = Json::from(required);
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(modules: &[&str], json: bool) -> Result<String, String> {
        rplay_modules::registry::install();
        doc(&DocArgs { modules: modules.iter().map(|name| (*name).to_owned()).collect(), json })
    }

    #[test]
    fn all_modules_are_listed_with_what_they_do() {
        let text = run(&[], false).unwrap();
        assert_eq!(text.lines().count(), Action::all().len());
        assert!(text.lines().any(|line| line.starts_with("ping ") && line.contains("Checks that a host is reachable")));
    }

    #[test]
    fn a_page_shows_the_arguments() {
        let text = run(&["ansible.builtin.ping"], false).unwrap();
        assert!(text.starts_with("ansible.builtin.ping\n\n  Checks that"), "{text}");
        assert!(text.contains("- data  (str)\n    The value to return."), "{text}");
        assert!(text.contains("    default: pong\n"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100));
    }

    #[test]
    fn every_module_has_a_page_and_a_schema() {
        rplay_modules::registry::install();
        let all: Vec<&str> = Action::all().iter().map(Action::name).collect();
        assert!(run(&all, false).is_ok());
        let schemas: Json = serde_json::from_str(&run(&[], true).unwrap()).unwrap();
        assert_eq!(schemas.as_object().unwrap().len(), all.len());
        let ping = &schemas["ansible.builtin.ping"];
        assert_eq!(ping["properties"]["data"]["default"], "pong");
        assert_eq!(ping["additionalProperties"], false);
    }

    #[test]
    fn names_that_do_not_exist_are_refused_with_the_nearest() {
        assert_eq!(run(&["pinh"], false).unwrap_err(), "there is no module `pinh`; did you mean `ping`?");
        assert_eq!(
            run(&["my.own.ping"], false).unwrap_err(),
            "there is no module `my.own.ping`; `rplay doc` lists all modules"
        );
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
