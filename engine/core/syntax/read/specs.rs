//! `meta/argument_specs.yml`: a role's argument specifications.

use std::sync::Arc;

use indexmap::IndexMap;

use super::{
    ReadError,
    reader::{Known, Modules, Outcome, Reader, read},
};
use crate::{
    source::{Problems, Source, nearest},
    syntax::{
        Kind, Node, Word,
        spec::{ArgumentOption, ArgumentSpec, ArgumentSpecs, ArgumentType},
    },
};

/// Ansible's keys of an option; other keys are ignored, unless they look misspelled.
const KEYS: [&str; 15] = [
    "aliases",
    "apply_defaults",
    "choices",
    "default",
    "deprecated_aliases",
    "description",
    "elements",
    "no_log",
    "options",
    "removed_at_date",
    "removed_from_collection",
    "removed_in_version",
    "required",
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
                "type" => option.kind = self.argument_type(&value).unwrap_or(option.kind),
                "elements" => option.elements = self.argument_type(&value),
                "required" => {
                    self.check("run_once", &value);
                    option.required = truth(&value);
                }
                "no_log" => option.no_log = truth(&value),
                "default" => option.default = (!value.is_null()).then_some(value),
                "choices" | "aliases" => match value.kind {
                    Kind::Seq(items) if &*key.value == "choices" => option.choices = items,
                    Kind::Seq(items) => option.aliases = items.iter().filter_map(Node::as_str).map(Arc::from).collect(),
                    Kind::Null => {}
                    _ => self.wrong_type(format!("`{}`", key.value), "a list", &value, None),
                },
                "options" => option.options = self.options(value),
                "required_if" | "required_one_of" | "required_together" | "required_by" | "mutually_exclusive" => {
                    self.problems.push(ReadError::Unsupported {
                        at: key.span.clone(),
                        name: key.value.to_string(),
                        help: Some("check it with `assert` in the first task of the role".to_owned()),
                    });
                }
                other => self.misspelt(other, &key, &KEYS),
            }
        }
        option
    }

    fn misspelt(&mut self, name: &str, key: &Word, known: &[&'static str]) {
        if known.contains(&name) {
            return;
        }
        if let Some(near) = nearest(name, known.iter().copied()) {
            self.problems.push(ReadError::UnknownKeyword {
                at: key.span.clone(),
                name: name.to_owned(),
                place: "an argument spec",
                help: Some(format!("did you mean `{near}`?")),
            });
        }
    }

    fn argument_type(&mut self, node: &Node) -> Option<ArgumentType> {
        let found = node.as_str().and_then(ArgumentType::named);
        if found.is_none() {
            let near = node.as_str().and_then(|text| nearest(text, ArgumentType::ALL.iter().map(|kind| kind.name())));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("one of {}", ArgumentType::ALL.map(ArgumentType::name).join(", ")),
            };
            self.wrong_type("the type of an option".to_owned(), "one that Ansible supports", node, Some(help));
        }
        found
    }
}

fn truth(node: &Node) -> bool {
    match &node.kind {
        Kind::Bool(b) => *b,
        Kind::Int(i) => *i == 1,
        Kind::Str(text) => matches!(text.value.to_ascii_lowercase().as_str(), "yes" | "true" | "on" | "y" | "t" | "1"),
        _ => false,
    }
}
