//! The built-in filters, tests and lookups: descriptions and examples.

use std::fmt::Write;

use rplay::syntax::builtin_name;
use serde_json::{Value as Json, json};

use super::native;

/// A line per plugin: type, name, arguments, description, an example, and its result (as JSON; empty if it depends on
/// the machine). The files that examples read are in `tests/doc.rs`. An alias has `=` and the main name instead of
/// arguments.
const TABLE: &str = include_str!("plugins.tsv");

/// A built-in filter, test or lookup.
pub(super) struct BuiltIn {
    kind: &'static str,
    name: &'static str,
    /// The main name, if this is an alias.
    main: Option<&'static str>,
    args: &'static str,
    doc: &'static str,
    example: &'static str,
    value: &'static str,
}

impl BuiltIn {
    /// Those of a type (`filter`, `test`, `lookup`), sorted by name.
    pub(super) fn all(kind: &str) -> impl Iterator<Item = BuiltIn> {
        let lines: Vec<BuiltIn> = TABLE.lines().filter_map(BuiltIn::read).collect();
        let documented = lines.iter().filter(|entry| entry.main.is_none());
        let texts: Vec<[&'static str; 6]> = documented
            .map(|entry| [entry.kind, entry.name, entry.args, entry.doc, entry.example, entry.value])
            .collect();
        let complete = move |entry: BuiltIn| {
            let main = entry.main.and_then(|main| texts.iter().find(|text| text[0] == entry.kind && text[1] == main));
            match main {
                Some([_, _, args, doc, example, value]) => BuiltIn { args, doc, example, value, ..entry },
                None => entry,
            }
        };
        lines.into_iter().map(complete).filter(|entry| entry.kind == kind).collect::<Vec<_>>().into_iter()
    }

    /// The one of this name, with or without its collection.
    pub(super) fn find(kind: &str, name: &str) -> Option<BuiltIn> {
        let short = builtin_name(name);
        BuiltIn::all(kind).find(|entry| entry.name == short)
    }

    fn read(line: &'static str) -> Option<BuiltIn> {
        let mut fields = line.split('\t');
        let (kind, name, args) = (fields.next()?, fields.next()?, fields.next()?);
        let (main, args) = args.strip_prefix('=').map_or((None, args), |main| (Some(main), ""));
        let mut next = || fields.next().unwrap_or_default();
        Some(BuiltIn { kind, name, main, args, doc: next(), example: next(), value: next() })
    }

    pub(super) fn full_name(&self) -> String {
        if self.name.contains('.') { self.name.to_owned() } else { format!("ansible.builtin.{}", self.name) }
    }

    /// Its description in one sentence.
    pub(super) fn summary(&self) -> String {
        native::first_sentence(self.doc)
    }

    pub(super) fn page(&self) -> String {
        let mut text = format!("{} ({})\n\n", self.full_name(), self.kind);
        if let Some(main) = self.main {
            let _ = writeln!(text, "  Another name of `{main}`.\n");
        }
        text.push_str(&native::wrapped(self.doc, 2));
        text.push('\n');
        if !self.args.is_empty() {
            let _ = writeln!(text, "\nArguments: {}", self.args);
        }
        if !self.example.is_empty() {
            let _ = writeln!(text, "\nExample:\n\n  {{{{ {} }}}}", self.example);
        }
        if !self.value.is_empty() {
            let _ = writeln!(text, "  gives {}", self.value);
        }
        text
    }

    pub(super) fn json(&self) -> Json {
        let examples = (!self.example.is_empty()).then(|| format!("{{{{ {} }}}}", self.example));
        json!({
            "doc": {
                "arguments": self.args,
                "description": [self.doc],
                "name": self.name,
                "plugin_name": self.full_name(),
                "short_description": self.summary(),
                "alias_of": self.main,
            },
            "examples": examples,
            "metadata": null,
            "return": serde_json::from_str::<Json>(self.value).ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rplay::{template::built_in_names, vars::PluginKind};

    use super::*;

    #[test]
    fn every_built_in_plugin_is_documented() {
        for (kind, plugins) in
            [("filter", PluginKind::Filter), ("test", PluginKind::Test), ("lookup", PluginKind::Lookup)]
        {
            let documented: BTreeSet<&str> = BuiltIn::all(kind).map(|entry| entry.name).collect();
            let there: BTreeSet<&str> = built_in_names(plugins).into_iter().collect();
            assert_eq!(documented, there, "{kind}");
        }
    }

    #[test]
    fn every_line_is_complete() {
        for kind in ["filter", "test", "lookup"] {
            let names: Vec<&str> = BuiltIn::all(kind).map(|entry| entry.name).collect();
            assert!(names.is_sorted(), "{kind}");
            for entry in BuiltIn::all(kind) {
                assert!(entry.doc.ends_with(['.', '?']) || entry.doc.ends_with("..."), "{}: {}", entry.name, entry.doc);
                assert!(!entry.example.is_empty(), "{kind} {}", entry.name);
                assert!(entry.value.is_empty() || serde_json::from_str::<Json>(entry.value).is_ok(), "{}", entry.name);
            }
        }
    }
}
