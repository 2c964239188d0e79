//! `meta/argument_specs.yml`: a role's argument specifications.

use std::sync::Arc;

use indexmap::IndexMap;

use super::{
    ReadError,
    reader::{Known, Modules, Outcome, Reader, found, read},
};
use crate::{
    source::{Problems, Source, nearest},
    syntax::{
        Kind, Node, Word,
        spec::{ArgumentOption, ArgumentSpec, ArgumentSpecs, ArgumentType, Wanted},
    },
};

/// Ansible's keys of an option; other keys are ignored, unless they look misspelled.
const KEYS: [&str; 20] = [
    "aliases",
    "apply_defaults",
    "choices",
    "default",
    "deprecated_aliases",
    "description",
    "elements",
    "mutually_exclusive",
    "no_log",
    "options",
    "removed_at_date",
    "removed_from_collection",
    "removed_in_version",
    "required",
    "required_by",
    "required_if",
    "required_one_of",
    "required_together",
    "type",
    "version_added",
];

/// Reads `meta/argument_specs.yml` of a role.
///
/// # Errors
/// All errors of the text.
pub fn read_argument_specs(source: &Arc<Source>) -> Outcome<ArgumentSpecs> {
    read(source, &NoModules, |reader, node| {
        let specs =
            reader.named(node, "a file of argument specs").into_iter().find(|(key, _)| &*key.value == "argument_specs");
        specs.map(|(_, specs)| reader.specs(specs)).unwrap_or_default()
    })
}

/// Reads the value of `argument_specs:` in a role's `meta/main.yml`.
///
/// # Errors
/// All errors of the specifications.
pub fn argument_specs(node: Node) -> Result<ArgumentSpecs, Problems> {
    let mut reader = Reader {
        modules: &NoModules,
        collections: Arc::default(),
        problems: Problems::default(),
        warnings: Vec::new(),
    };
    let specs = reader.specs(node);
    reader.problems.unless_any(specs)
}

/// For files without tasks.
pub(super) struct NoModules;

impl Modules for NoModules {
    fn find(&self, _: &str) -> Known {
        Known::No
    }

    fn names(&self) -> Vec<&str> {
        Vec::new()
    }

    fn lookups(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Reader<'_> {
    fn specs(&mut self, node: Node) -> ArgumentSpecs {
        let mut specs = ArgumentSpecs::default();
        for (entry, node) in self.named(node, "`argument_specs`") {
            // As in Ansible, an entry point without any key validates nothing.
            if node.is_null() || node.as_map().is_some_and(<[_]>::is_empty) {
                continue;
            }
            let mut spec = ArgumentSpec { name: entry.value.clone(), ..ArgumentSpec::default() };
            for (key, value) in self.named(node, "the spec of an entry point") {
                match &*key.value {
                    "options" => {
                        spec.written = Some(value.clone());
                        spec.options = self.options(value);
                    }
                    "short_description" => spec.short_description = value.as_str().map(str::to_owned),
                    "description" | "author" | "version_added" | "seealso" | "examples" | "deprecated" => {}
                    name => self.misspelt(name, &key, &["options", "short_description", "description", "author"]),
                }
            }
            specs.entry_points.insert(entry.value, spec);
        }
        specs
    }

    fn options(&mut self, node: Node) -> IndexMap<Arc<str>, ArgumentOption> {
        let mut options = IndexMap::new();
        for (name, node) in self.named(node, "`options`") {
            let option = self.option(&name, node);
            options.insert(name.value, option);
        }
        options
    }

    fn option(&mut self, name: &Word, node: Node) -> ArgumentOption {
        let mut option = ArgumentOption::new(name.span.clone());
        for (key, value) in self.named(node, "an option") {
            match &*key.value {
                // As in Python, text that is not empty counts as true.
                "type" => option.wanted = self.wanted(&value).unwrap_or(option.wanted),
                "elements" => option.elements = self.wanted(&value),
                "required" => option.required = is_true(&value),
                "no_log" => option.no_log = is_true(&value),
                "apply_defaults" => option.apply_defaults = is_true(&value),
                "default" => option.default = (!value.is_null()).then_some(value),
                "choices" => option.choices = (!value.is_null()).then_some(value),
                "aliases" => match value.kind {
                    Kind::Seq(items) => option.aliases = items.iter().filter_map(Node::as_str).map(Arc::from).collect(),
                    Kind::Null => {}
                    _ => self.wrong_type("`aliases`".to_owned(), "a list", &value, None),
                },
                "options" => option.options = (!value.is_null()).then(|| self.options(value)),
                "required_if" | "required_one_of" | "required_together" | "required_by" | "mutually_exclusive" => {
                    option.relations.read(&key.value, &value);
                }
                other => self.misspelt(other, &key, &KEYS),
            }
        }
        option
    }

    /// Warns about a key that looks like another one; Ansible ignores it.
    fn misspelt(&mut self, name: &str, key: &Word, known: &[&'static str]) {
        if known.contains(&name) {
            return;
        }
        if let Some(near) = nearest(name, known.iter().copied()) {
            let error = ReadError::UnknownKeyword {
                at: key.span.clone(),
                name: name.to_owned(),
                place: "an argument spec",
                help: Some(format!("did you mean `{near}`?")),
            };
            self.foresee(&error, &key.span);
        }
    }

    /// A type, with a warning about an unknown one.
    fn wanted(&mut self, node: &Node) -> Option<Wanted> {
        if node.is_null() {
            return None;
        }
        let wanted = Wanted::named(node.as_str().unwrap_or(node.span.text()));
        if wanted.kind.is_none() {
            let names = || ArgumentType::ALL.iter().map(|(name, _)| *name);
            let help = match nearest(&wanted.name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("one of {}", names().collect::<Vec<_>>().join(", ")),
            };
            let error = ReadError::WrongType {
                name: "the type of an option".to_owned(),
                expected: "one that Ansible supports",
                found: found(node),
                at: node.span.clone(),
                help: Some(help),
            };
            self.foresee(&error, &node.span);
        }
        Some(wanted)
    }
}

fn is_true(node: &Node) -> bool {
    match &node.kind {
        Kind::Bool(b) => *b,
        Kind::Int(i) => *i != 0,
        Kind::Str(text) => !text.value.is_empty(),
        _ => false,
    }
}
