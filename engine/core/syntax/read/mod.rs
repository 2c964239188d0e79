//! From nodes to plays, roles, blocks and tasks. Every fault of a file is found, not just the first one.

mod fault;
mod freeform;
mod keywords;
mod play;
mod task;

pub use fault::ReadFault;

use std::sync::Arc;

use self::keywords::{Place, found, head};
use super::{
    Entry, Kind, Node, Playbook, RoleMeta, Word, YamlWarning,
    yaml::{self, Loaded},
};
use crate::source::{Problems, Source, Span, Spanned};

/// The modules and actions there are, so that a misspelt module can be told from a misspelt keyword.
pub trait Modules {
    /// Whether there is a module or action of that name, short or with its collection.
    fn find(&self, name: &str) -> Known;

    /// All names, for "did you mean"; asked for only when something was misspelt.
    fn names(&self) -> Vec<&str>;
}

/// What is known of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    No,
    Module {
        /// Whether it takes text that is not `key=value` (`command: echo hi`).
        free_form: bool,
    },
}

/// What was read, and what should be looked at.
pub type Outcome<T> = Result<(T, Vec<YamlWarning>), Problems>;

/// Reads a file of plays.
pub fn read_playbook(source: &Arc<Source>, modules: &dyn Modules) -> Outcome<Playbook> {
    read(source, modules, |reader, node| Playbook { source: source.clone(), entries: reader.plays(node) })
}

/// Reads a file of tasks or, with `handlers`, of handlers.
pub fn read_tasks(source: &Arc<Source>, modules: &dyn Modules, handlers: bool) -> Outcome<Vec<Entry>> {
    let place = if handlers { Place::Handler } else { Place::Task };
    read(source, modules, |reader, node| reader.entries(node, "a file of tasks", place))
}

/// Reads `meta/main.yml` of a role.
pub fn read_role_meta(source: &Arc<Source>) -> Outcome<RoleMeta> {
    read(source, &NoModules, |reader, node| reader.role_meta(node, source.path.clone()))
}

/// Reads a file of variables: one mapping, or nothing.
pub fn read_vars(source: &Arc<Source>) -> Outcome<Vec<(Word, Node)>> {
    read(source, &NoModules, |reader, node| reader.named(node, "a file of variables"))
}

fn read<T>(source: &Arc<Source>, modules: &dyn Modules, read: impl FnOnce(&mut Reader, Node) -> T) -> Outcome<T> {
    let Loaded { node, warnings } = yaml::load(source)?;
    let mut reader = Reader { modules, problems: Problems::default() };
    let value = read(&mut reader, node);
    reader.problems.unless_any((value, warnings))
}

struct NoModules;

impl Modules for NoModules {
    fn find(&self, _: &str) -> Known {
        Known::No
    }

    fn names(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// Reads nodes and collects what is wrong.
struct Reader<'m> {
    modules: &'m dyn Modules,
    problems: Problems,
}

impl Reader<'_> {
    fn fault(&mut self, problem: impl Into<String>, label: &'static str, at: &Span, help: Option<&str>) {
        let help = help.map(str::to_owned);
        self.problems.push(ReadFault::Other { problem: problem.into(), label, at: head(at), help });
    }

    /// The entries of a mapping whose keys are names.
    fn named(&mut self, node: Node, what: &str) -> Vec<(Word, Node)> {
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
                self.problems.push(ReadFault::Other {
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
    fn word(&mut self, key: Node) -> Option<Word> {
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
}
