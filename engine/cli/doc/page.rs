//! A plugin's documentation as text, in the layout of `ansible-doc`, which people and scripts know.

use std::fmt::Write;

use rplay::docs::{Documentation, Located, PluginType, plain};
use serde_json::{Map, Value as Json};

use super::{
    layout::{Fields, Page, unbroken},
    values::{comma_separated, is_empty, sentences, shown},
};

/// The page of a plugin. `columns`: of the terminal; `verbose`: with the version in which it was added.
pub(super) fn page(located: &Located, documentation: &Documentation, columns: usize, verbose: bool) -> String {
    let mut page = Page::new(columns);
    page.verbose = verbose;
    let doc = &documentation.doc;
    let _ =
        writeln!(page.text, "> {} {} ({})\n", located.kind.name().to_uppercase(), located.name, located.docs.display());
    page.paragraphs(doc.get("description").unwrap_or(&Json::Null), 2, 2);
    if let Some(Json::Object(removal)) = doc.get("deprecated") {
        page.removal(removal);
    }
    page.text.push('\n');
    if doc.get("has_action").is_some_and(|has| has == true) {
        page.text.push_str("  * note: This module has a corresponding action plugin.\n\n");
    }
    if let Some(Json::Object(options)) = doc.get("options").filter(|options| !is_empty(options)) {
        page.text.push_str("OPTIONS (= indicates it is required):\n\n");
        page.fields(options, Fields { base: 0, inner: 8, are_options: true });
    }
    if let Some(Json::Object(attributes)) = doc.get("attributes").filter(|attributes| !is_empty(attributes)) {
        page.text.push_str("ATTRIBUTES:\n\n");
        page.attributes(attributes, 8);
    }
    page.list("NOTES", doc.get("notes"));
    if let Some(Json::Array(others)) = doc.get("seealso").filter(|others| !is_empty(others)) {
        page.text.push_str("SEE ALSO:\n");
        others.iter().filter_map(Json::as_object).for_each(|other| page.other(other));
        page.text.push('\n');
    }
    page.requirements(doc.get("requirements"));
    let mut rest = doc.clone();
    if !documentation.metadata.is_null() {
        rest.insert("metadata".to_owned(), documentation.metadata.clone());
    }
    page.rest(&rest, located);
    if let Some(examples) = documentation.examples.as_deref() {
        let _ = writeln!(page.text, "EXAMPLES:\n{}\n", examples.trim());
    }
    match &documentation.returns {
        Json::Object(values) if !values.is_empty() => {
            page.text.push_str("RETURN VALUES:\n\n");
            page.fields(values, Fields { base: 0, inner: 8, are_options: false });
        }
        Json::String(text) if !text.is_empty() => {
            let _ = writeln!(page.text, "RETURN VALUES:\n{text}\n");
        }
        _ => {}
    }
    page.text
}

/// Pages one after the other, with a blank line between.
pub(super) fn joined(pages: &[String]) -> String {
    let mut text = String::new();
    for page in pages {
        if !text.is_empty() && !text.ends_with("\n\n") {
            text.push('\n');
        }
        text.push_str(page);
    }
    text
}

/// The page of one entry point of a role.
pub(super) fn entry_point(name: &str, spec: &Map<String, Json>, columns: usize) -> String {
    let mut page = Page::new(columns);
    match spec.get("short_description").and_then(Json::as_str) {
        Some(short) => {
            let _ = writeln!(page.text, "ENTRY POINT: *{name}* - {}\n", plain(short));
        }
        None => {
            let _ = writeln!(page.text, "ENTRY POINT: *{name}*\n");
        }
    }
    if let Some(description) = spec.get("description") {
        page.paragraphs(description, 10, 10);
        page.text.push('\n');
    }
    if let Some(Json::Object(options)) = spec.get("options").filter(|options| !is_empty(options)) {
        page.text.push_str("Options (= indicates it is required):\n\n");
        page.fields(options, Fields { base: 0, inner: 10, are_options: true });
    }
    if let Some(Json::Object(attributes)) = spec.get("attributes").filter(|attributes| !is_empty(attributes)) {
        page.text.push_str("ATTRIBUTES:\n\n");
        page.attributes(attributes, 10);
    }
    page.list("NOTES", spec.get("notes"));
    if let Some(author) = spec.get("author") {
        let _ = writeln!(page.text, "AUTHOR: {}", comma_separated(author));
    }
    if let Some(Json::String(examples)) = spec.get("examples") {
        let _ = writeln!(page.text, "\nEXAMPLES:\n{}", examples.trim());
    }
    page.text
}

/// The page of one of Jinja's own filters or tests, which links to Jinja's documentation.
pub(super) fn of_jinja(kind: PluginType, name: &str) -> String {
    let kind = kind.name();
    let short = name.rsplit('.').next().unwrap_or(name);
    let head = format!("> {} ansible.builtin.{short}", kind.to_uppercase());
    match kind {
        "lookup" => format!("{head} (built in)\n"),
        _ => format!(
            "{head} (Jinja2)\n\n  One of Jinja's own {kind}s:\n  \
             https://jinja.palletsprojects.com/en/stable/templates/#jinja-{kind}s.{short}\n"
        ),
    }
}

/// A task, or a call of a lookup, to fill in.
pub(super) fn snippet(located: &Located, doc: &Map<String, Json>) -> String {
    let none = Map::new();
    let options = doc.get("options").and_then(Json::as_object).unwrap_or(&none);
    let mut names: Vec<&String> = options.keys().collect();
    names.sort();
    let told = |name: &str| {
        let option = options.get(name);
        let texts = option.and_then(|option| option.get("description")).map(sentences).unwrap_or_default();
        let required = option.and_then(|option| option.get("required")).is_some_and(|required| required == true);
        (plain(&texts.join(" ")), required)
    };
    if located.kind.name() != "module" {
        let mut text = String::new();
        for name in &names {
            let kind =
                options.get(*name).and_then(|option| option.get("type")).and_then(Json::as_str).unwrap_or("string");
            let _ = writeln!(text, "# {name}({kind}): {}", told(name).0);
        }
        let more = names.iter().filter(|name| !name.starts_with('_')).map(|name| {
            let default = options.get(*name).and_then(|option| option.get("default")).map(shown).unwrap_or_default();
            format!(", {name}={default}")
        });
        let more: String = more.collect();
        let _ = match located.kind.name() {
            "lookup" => writeln!(text, "\nlookup('{}', < _terms >{more})", located.short),
            _ => writeln!(text, "\nplugin: {}", located.name),
        };
        return text;
    }
    let short = doc.get("short_description").and_then(Json::as_str).unwrap_or_default();
    let mut text = format!("- name: {}\n  {}:\n", plain(short.trim_end_matches('.')), located.short);
    for name in names {
        let (said, required) = told(name);
        let said = if required { format!("(required) {said}") } else { said };
        let later = " ".repeat(29) + "# ";
        let wrapped = textwrap::wrap(&said, unbroken(50).subsequent_indent(&later));
        let _ = writeln!(text, "      {:20}   # {}", format!("{name}:"), wrapped.join("\n"));
    }
    text
}
