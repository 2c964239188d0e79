//! What all readers of a file share: the modules that are known, and the errors and warnings found so far.

use std::sync::Arc;

use miette::Diagnostic;
use thiserror::Error;

use super::ReadError;
use crate::{
    source::{Problems, Source, Span, Spanned},
    syntax::{
        Kind, Node, Word, YamlWarning,
        yaml::{self, Loaded},
    },
};

/// The known modules and actions, to distinguish misspelled modules from misspelled keywords.
pub trait Modules {
    /// Looks up a module or action, short or fully qualified.
    fn find(&self, name: &str) -> Known;

    /// Like [`find`](Self::find), with the collections that `collections:` lists; empty if it is not set.
    fn find_among(&self, name: &str, _collections: &[Arc<str>]) -> Known {
        self.find(name)
    }

    /// More about an unknown name, if known: a sentence and a help text.
    fn about(&self, _name: &str) -> Option<(String, Option<String>)> {
        None
    }

    /// All names, for suggestions; only called for misspelled names.
    fn names(&self) -> Vec<&str>;

    /// The names of all lookups, for `with_NAME`.
    fn lookups(&self) -> Vec<&str>;

    /// Whether there is another lookup of that short name, in Python.
    fn has_lookup(&self, _name: &str) -> bool {
        false
    }
}

/// The result of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    No,
    Module {
        /// Whether it accepts free-form text (`command: echo hi`).
        free_form: bool,
    },
}

/// The names in `collections:`, a list or a single name.
pub fn collection_names(node: &Node) -> Arc<[Arc<str>]> {
    let items = node.as_seq().unwrap_or(std::slice::from_ref(node));
    items.iter().filter_map(Node::as_str).map(|name| Arc::from(name.trim())).collect()
}

/// Readable, but probably a mistake.
#[derive(Debug, Diagnostic, Error)]
#[error("{message}")]
#[diagnostic(severity(Warning))]
pub struct Warning {
    pub message: String,
    #[source_code]
    #[label]
    pub place: Span,
}

impl From<YamlWarning> for Warning {
    fn from(warning: YamlWarning) -> Self {
        let help = warning.help().map(|help| format!("\n\n{help}")).unwrap_or_default();
        let message = format!("{warning}{help}");
        let YamlWarning::DuplicateKey { again, .. } = warning;
        Warning { message, place: again }
    }
}

/// The result of reading, with warnings.
pub(super) type Outcome<T> = Result<(T, Vec<Warning>), Problems>;

pub(super) fn read<T>(
    source: &Arc<Source>,
    modules: &dyn Modules,
    read: impl FnOnce(&mut Reader, Node) -> T,
) -> Outcome<T> {
    let Loaded { node, warnings } = yaml::load(source)?;
    let warnings = warnings.into_iter().map(Warning::from).collect();
    let mut reader = Reader { modules, collections: Arc::default(), problems: Problems::default(), warnings };
    let value = read(&mut reader, node);
    reader.problems.unless_any((value, reader.warnings))
}

/// Reads nodes and collects errors.
pub(super) struct Reader<'m> {
    pub(super) modules: &'m dyn Modules,
    /// The value of the innermost `collections:`.
    pub(super) collections: Arc<[Arc<str>]>,
    pub(super) problems: Problems,
    pub(super) warnings: Vec<Warning>,
}

impl Reader<'_> {
    pub(super) fn report(&mut self, problem: impl Into<String>, label: &'static str, at: &Span, help: Option<&str>) {
        let help = help.map(str::to_owned);
        self.problems.push(ReadError::Other { problem: problem.into(), label, at: head(at), help });
    }

    /// Warns about an error that Ansible detects only when the task runs.
    pub(super) fn foresee(&mut self, error: &ReadError, at: &Span) {
        let help = miette::Diagnostic::help(error).map(|help| format!("\n\n{help}")).unwrap_or_default();
        self.warnings.push(Warning { message: format!("{error}{help}"), place: at.clone() });
    }

    /// Reads a play, block or task, with its own `collections:` in effect.
    pub(super) fn within<T>(&mut self, node: Node, read: impl FnOnce(&mut Self, Node) -> T) -> T {
        let Some(listed) = node.get("collections").filter(|node| !node.is_null()) else { return read(self, node) };
        let outer = std::mem::replace(&mut self.collections, collection_names(listed));
        let value = read(self, node);
        self.collections = outer;
        value
    }

    /// Looks up a module.
    pub(super) fn module(&self, name: &str) -> Known {
        self.modules.find_among(name, &self.collections)
    }

    /// The entries of a mapping whose keys are names.
    pub(super) fn named(&mut self, node: Node, what: &str) -> Vec<(Word, Node)> {
        match node.kind {
            Kind::Null => Vec::new(),
            Kind::Map(entries) => {
                let mut named = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    if let Some(key) = self.word(key) {
                        named.push((key, value));
                    }
                }
                named
            }
            _ => {
                let problem = format!("{what} must be a mapping");
                self.problems.push(ReadError::Other {
                    problem,
                    label: found(&node),
                    at: head(&node.span),
                    help: Some("write `name: value` lines".to_owned()),
                });
                Vec::new()
            }
        }
    }

    /// A key that must be text.
    pub(super) fn word(&mut self, key: Node) -> Option<Word> {
        match key.kind {
            Kind::Str(text) => Some(Spanned { value: text.value, span: key.span }),
            _ => {
                let help = matches!(key.kind, Kind::Bool(_))
                    .then(|| format!("YAML reads this as a boolean; quote it: `'{}'`", key.span.text()));
                self.wrong_type("this key".to_owned(), "text", &key, help);
                None
            }
        }
    }

    pub(super) fn wrong_type(&mut self, name: String, expected: &'static str, node: &Node, help: Option<String>) {
        self.problems.push(ReadError::WrongType { name, expected, found: found(node), at: head(&node.span), help });
    }
}

/// The type of a value, for messages.
pub(super) fn found(node: &Node) -> &'static str {
    match &node.kind {
        Kind::Null => "nothing",
        Kind::Bool(_) => "a boolean",
        Kind::Int(_) | Kind::Digits(_) | Kind::Float(_) => "a number",
        Kind::Time(_) => "a date",
        Kind::Str(_) => "text",
        Kind::Bytes(_) => "binary data",
        Kind::Seq(_) => "a list",
        Kind::Map(_) => "a mapping",
    }
}

/// The first line of a place, enough for an error to point at.
pub(super) fn head(span: &Span) -> Span {
    let text = span.text();
    let line = text.lines().next().unwrap_or_default().trim_end();
    span.at(span.range().start..span.range().start + line.len())
}
