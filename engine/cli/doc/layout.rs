//! The layout of documentation pages: paragraphs, options, lists.

use std::fmt::Write;

use rplay::{
    docs::{Located, plain},
    syntax::emit,
};
use serde_json::{Map, Value as Json};

use super::values::{comma_separated, flow, is_empty, sentences, shown, template_value, without_tags};

/// Keys of a documentation that the page shows elsewhere, or not at all.
const ELSEWHERE: [&str; 16] = [
    "attributes",
    "collection",
    "deprecated",
    "description",
    "docuri",
    "filename",
    "has_action",
    "module",
    "notes",
    "options",
    "plugin_name",
    "requirements",
    "seealso",
    "short_description",
    "version_added",
    "version_added_collection",
];

/// The layout of options or return values.
#[derive(Clone, Copy)]
pub(super) struct Fields {
    /// Columns before a name.
    pub base: usize,
    /// Columns before its description.
    pub inner: usize,
    pub are_options: bool,
}

/// A page being written.
pub(super) struct Page {
    pub text: String,
    /// Maximum number of columns of a line.
    pub width: usize,
    /// Show the version in which a plugin and each option was added.
    pub verbose: bool,
}

impl Page {
    pub(super) fn new(columns: usize) -> Self {
        Page { text: String::new(), width: (columns.saturating_sub(1) * 4 / 5).max(70), verbose: false }
    }

    /// A text, or several, each wrapped.
    pub(super) fn paragraphs(&mut self, texts: &Json, first: usize, later: usize) {
        for text in sentences(texts) {
            self.wrapped(&plain(&text), &" ".repeat(first), later);
        }
    }

    pub(super) fn wrapped(&mut self, text: &str, first: &str, later: usize) {
        let later = " ".repeat(later);
        let options = unbroken(self.width).initial_indent(first).subsequent_indent(&later);
        // Further paragraphs of a text are indented like its later lines.
        for (index, paragraph) in text.split("\n\n").enumerate() {
            let options = if index == 0 { options.clone() } else { options.clone().initial_indent(&later) };
            for line in textwrap::wrap(paragraph.replace(['\n', '\t'], " ").trim(), options) {
                self.text.push_str(line.trim_end());
                self.text.push('\n');
            }
        }
    }

    pub(super) fn removal(&mut self, removal: &Map<String, Json>) {
        let text = |key: &str| removal.get(key).map(shown).unwrap_or_default();
        let of = match removal.get("removed_from_collection").and_then(Json::as_str) {
            None | Some("" | "ansible.builtin" | "ansible.legacy") => "Ansible",
            Some(collection) => collection,
        };
        let at = match (removal.get("removed_at_date"), removal.get("removed_in").or_else(|| removal.get("version"))) {
            (Some(date), _) => format!("in a release after {}", shown(date)),
            (None, Some(version)) => format!("in: {of} {}", shown(version)),
            (None, None) => format!("in: {of}"),
        };
        let alternative = if removal.contains_key("alternative") { text("alternative") } else { text("alternatives") };
        let _ = write!(
            self.text,
            "DEPRECATED: \n\tReason: {}\n\tWill be removed {at}\n\tAlternatives: {alternative}\n",
            text("why"),
        );
    }

    pub(super) fn fields(&mut self, fields: &Map<String, Json>, layout: Fields) {
        let mut names: Vec<&String> = fields.keys().collect();
        names.sort();
        for name in names {
            let Some(field) = fields.get(name).and_then(Json::as_object) else { continue };
            self.field(name, field, layout);
            self.text.push('\n');
        }
    }

    pub(super) fn field(&mut self, name: &str, field: &Map<String, Json>, layout: Fields) {
        let Fields { base, inner, are_options } = layout;
        let required = field.get("required").is_some_and(|required| required == true);
        let mark = if required { '=' } else { '-' };
        let margin = " ".repeat(base);
        let head = format!("{margin}{mark} {name}  ");
        let start = head.chars().count().max(inner + 2);
        let texts = sentences(field.get("description").unwrap_or(&Json::Null));
        // Ansible wraps the first line like the others, which begin one column further right.
        let at = self.text.len();
        for text in &texts {
            self.wrapped(&plain(text), &" ".repeat(start + 1), start + 1);
        }
        self.text.replace_range(at..(at + start + 1).min(self.text.len()), &format!("{head:start$}"));
        let indent = " ".repeat(inner);
        let mut left = field.clone();
        for shown in ["description", "required", "version_added_collection"] {
            left.remove(shown);
        }
        let sources: Map<String, Json> = ["cli", "env", "ini", "keyword", "vars"]
            .iter()
            .filter_map(|source| Some(((*source).to_owned(), without_tags(left.remove(*source)?))))
            .collect();
        if are_options && !sources.is_empty() {
            let _ = writeln!(
                self.text,
                "{indent}set_via:\n{}",
                self.yaml(&Json::Object(sources), inner + 2).trim_start_matches('\n')
            );
            self.trim_line();
        }
        for key in ["aliases", "choices"] {
            if let Some(value) = left.remove(key).filter(|value| !is_empty(value)) {
                self.pair(&indent, key, &value);
            }
        }
        match left.remove("default") {
            Some(default) => self.pair(&indent, "default", &default),
            None if are_options && !required => self.pair(&indent, "default", &Json::Null),
            None => {}
        }
        let below: Vec<(String, Json)> = ["options", "suboptions", "contains", "spec"]
            .iter()
            .filter_map(|key| Some(((*key).to_owned(), left.remove(*key)?)))
            .filter(|(_, value)| value.is_object() && !is_empty(value))
            .collect();
        let added =
            left.remove("version_added").map(|version| format!("version {}{}", shown(&version), of_collection(field)));
        let mut keys: Vec<&String> = left.keys().collect();
        keys.sort();
        for key in keys {
            if let Some(value) = left.get(key).filter(|_| !key.starts_with('_')) {
                self.pair(&indent, key, value);
            }
        }
        for (key, value) in below {
            let _ = writeln!(self.text, "{indent}{key}:\n");
            if let Json::Object(fields) = value {
                self.fields(&fields, Fields { base: inner, inner: inner + 2, are_options });
                // The outer field adds the blank line after the last one.
                self.trim_line();
            }
        }
        if let Some(added) = added.filter(|_| base > 0 || self.verbose) {
            let _ = writeln!(self.text, "{indent}added in: {added}");
        }
    }

    /// Removes the blank line at the end.
    pub(super) fn trim_line(&mut self) {
        if self.text.ends_with("\n\n") {
            self.text.pop();
        }
    }

    pub(super) fn pair(&mut self, indent: &str, key: &str, value: &Json) {
        if let Json::Array(items) = value
            && !items.iter().any(|item| item.is_object() || item.is_array())
        {
            let text = plain(&flow(value)).replace('\n', &format!("\n{indent}"));
            let _ = writeln!(self.text, "{indent}{key}: {text}");
            return;
        }
        let options = emit::Options {
            default_flow_style: (!value.is_array()).then_some(false),
            allow_unicode: false,
            ..emit::Options::plain()
        };
        let pair = Json::from(Map::from_iter([(key.to_owned(), value.clone())]));
        // Markup is replaced only after wrapping, so that lines break where Ansible breaks them.
        for line in plain(&emit::to_yaml(&template_value(&pair), &options).unwrap_or_default()).lines() {
            let _ = writeln!(self.text, "{indent}{line}");
        }
    }

    pub(super) fn attributes(&mut self, attributes: &Map<String, Json>, indent: usize) {
        let margin = " ".repeat(indent);
        for (name, said) in attributes {
            let _ = writeln!(self.text, "{margin}`{name}:`{}", self.yaml(said, indent));
        }
    }

    pub(super) fn list(&mut self, title: &str, texts: Option<&Json>) {
        let texts = texts.map(sentences).unwrap_or_default();
        if texts.is_empty() {
            return;
        }
        let _ = writeln!(self.text, "{title}:");
        let width = self.width;
        self.width = (width - 6).max(64);
        for text in texts {
            self.wrapped(&plain(&text), "      * ", 8);
        }
        self.width = width;
        self.text.push('\n');
    }

    /// A text after its heading. As in Ansible, all its lines are `shorter` by some columns.
    pub(super) fn headed(&mut self, head: &str, text: &str, shorter: usize) {
        self.text.push_str(head);
        let width = self.width;
        self.width = width.saturating_sub(shorter);
        self.wrapped(text, "", 8);
        self.width = width;
    }

    pub(super) fn requirements(&mut self, wanted: Option<&Json>) {
        let wanted = wanted.map(sentences).unwrap_or_default();
        if !wanted.is_empty() {
            let text = wanted.iter().map(|text| plain(text)).collect::<Vec<_>>().join(", ");
            self.headed("REQUIREMENTS:  ", &text, 16);
            self.text.push_str("\n\n");
        }
    }

    pub(super) fn other(&mut self, other: &Map<String, Json>) {
        let text = |key: &str| other.get(key).and_then(Json::as_str).unwrap_or_default();
        let (title, kind) = match (text("module"), text("plugin"), text("name"), text("ref")) {
            (module, "", "", "") if !module.is_empty() => (format!("Module {module}"), Some((module, "module"))),
            ("", plugin, "", "") if !plugin.is_empty() => {
                let kind = text("plugin_type");
                let mut letters = kind.chars();
                let shown = letters.next().map(|first| first.to_uppercase().collect::<String>() + letters.as_str());
                let word = if matches!(kind, "role" | "module") { "" } else { " plugin" };
                (format!("{}{word} {plugin}", shown.unwrap_or_default()), Some((plugin, kind)))
            }
            (_, _, name, "") if !name.is_empty() => (name.to_owned(), None),
            (_, _, _, reference) => (format!("Ansible documentation [{reference}]"), None),
        };
        let width = self.width;
        self.width = (width - 6).max(64);
        self.wrapped(&plain(&title), "      * ", 8);
        let said = other.get("description").map(sentences).unwrap_or_default().join(" ");
        let core = kind.and_then(|(name, kind)| Some((name.strip_prefix("ansible.builtin.")?, kind)));
        match core {
            _ if !said.is_empty() => self.wrapped(&plain(&said), "           ", 11),
            Some((name, kind)) => {
                let word = if kind == "module" { "module".to_owned() } else { format!("{kind} plugin") };
                self.wrapped(
                    &format!("The official documentation on the ansible.builtin.{name} {word}."),
                    "           ",
                    11,
                );
            }
            None => {}
        }
        let link = text("link");
        if !link.is_empty() {
            self.wrapped(link, "           ", 11);
        } else if let Some((name, kind)) = core {
            let version = release();
            let url = format!(
                "https://docs.ansible.com/ansible-core/{version}/collections/ansible/builtin/{name}_{kind}.html"
            );
            self.wrapped(&url, "           ", 11);
        } else if !text("ref").is_empty() {
            let version = release();
            let url = format!("https://docs.ansible.com/ansible-core/{version}/#stq={}&stp=1", text("ref"));
            self.wrapped(&url, "           ", 11);
        }
        self.width = width;
    }

    /// Other keys of a documentation.
    pub(super) fn rest(&mut self, doc: &Map<String, Json>, located: &Located) {
        if let Some(version) = doc.get("version_added").filter(|_| self.verbose) {
            let version = shown(version);
            // Plugins that have always existed have no version.
            let _ = match version.as_str() {
                "historical" => writeln!(self.text, "ADDED_IN: {version}\n"),
                _ => writeln!(self.text, "ADDED_IN: version {version}{}\n", of_collection(doc)),
            };
        }
        let mut keys: Vec<&String> = doc.keys().collect();
        keys.sort();
        for key in keys {
            let Some(value) = doc.get(key).filter(|_| !ELSEWHERE.contains(&key.as_str()) && key != located.kind.name())
            else {
                continue;
            };
            if is_empty(value) {
                continue;
            }
            match value {
                Json::Object(_) => {
                    let text = self.yaml(value, 10);
                    let _ = writeln!(self.text, "{}: {}", key.to_uppercase(), text.trim_start_matches('\n'));
                }
                _ => {
                    let head = format!("{}: ", key.to_uppercase());
                    match value {
                        Json::Array(_) => {
                            let _ = writeln!(self.text, "{head}{}", plain(&comma_separated(value)));
                        }
                        _ => self.headed(&head, &plain(&shown(value)), key.len()),
                    }
                    self.text.push('\n');
                }
            }
        }
    }

    /// A mapping as YAML below its title, indented.
    pub(super) fn yaml(&self, value: &Json, indent: usize) -> String {
        let options = emit::Options { default_flow_style: Some(false), allow_unicode: false, ..emit::Options::plain() };
        let text = plain(&emit::to_yaml(&template_value(value), &options).unwrap_or_default());
        let margin = " ".repeat(indent);
        let lines: Vec<String> = text.lines().map(|line| format!("\n{margin}{line}")).collect();
        lines.concat() + "\n"
    }
}

/// Whose version it is.
pub(super) fn of_collection(fields: &Map<String, Json>) -> String {
    match fields.get("version_added_collection").and_then(Json::as_str) {
        Some("ansible.builtin") => " of ansible-core".to_owned(),
        Some(collection) => format!(" of {collection}"),
        None => String::new(),
    }
}

/// Wraps like Python: only between words.
pub(super) fn unbroken<'a>(width: usize) -> textwrap::Options<'a> {
    textwrap::Options::new(width)
        .break_words(false)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit)
}

/// The release of ansible-core whose pages are linked, such as `2.19`.
pub(super) fn release() -> &'static str {
    rplay::collections::ANSIBLE_VERSION.rsplit_once('.').map_or("", |(release, _)| release)
}
