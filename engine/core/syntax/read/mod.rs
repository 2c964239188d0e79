//! From nodes to plays, roles, blocks and tasks. All errors in a file are reported, not only the first.

mod error;
mod freeform;
mod keywords;
mod play;
mod specs;
mod task;

pub use error::ReadError;
pub use specs::{argument_specs, read_argument_specs};

use std::sync::Arc;

use miette::Diagnostic;
use thiserror::Error;

use self::{
    keywords::{Place, found, head},
    specs::NoModules,
};
use super::{
    Entry, Kind, Node, Playbook, RoleMeta, Word, YamlWarning,
    yaml::{self, Loaded},
};
use crate::source::{Problems, Source, Span, Spanned};

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
        let message = warning.to_string();
        let YamlWarning::DuplicateKey { again, .. } = warning;
        Warning { message, place: again }
    }
}

/// The result of reading, with warnings.
pub type Outcome<T> = Result<(T, Vec<Warning>), Problems>;

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

/// Reads a variable file: one mapping, or nothing.
pub fn read_vars(source: &Arc<Source>) -> Outcome<Vec<(Word, Node)>> {
    read(source, &NoModules, |reader, node| reader.named(node, "a variable file"))
}

fn read<T>(source: &Arc<Source>, modules: &dyn Modules, read: impl FnOnce(&mut Reader, Node) -> T) -> Outcome<T> {
    let Loaded { node, warnings } = yaml::load(source)?;
    let warnings = warnings.into_iter().map(Warning::from).collect();
    let mut reader = Reader { modules, collections: Arc::default(), problems: Problems::default(), warnings };
    let value = read(&mut reader, node);
    reader.problems.unless_any((value, reader.warnings))
}

/// Reads nodes and collects errors.
struct Reader<'m> {
    modules: &'m dyn Modules,
    /// The value of the innermost `collections:`.
    collections: Arc<[Arc<str>]>,
    problems: Problems,
    warnings: Vec<Warning>,
}

impl Reader<'_> {
    fn fault(&mut self, problem: impl Into<String>, label: &'static str, at: &Span, help: Option<&str>) {
        let help = help.map(str::to_owned);
        self.problems.push(ReadError::Other { problem: problem.into(), label, at: head(at), help });
    }

    /// Warns about an error that Ansible only detects when the task runs.
    fn foresee(&mut self, fault: &ReadError, at: &Span) {
        let help = miette::Diagnostic::help(fault).map(|help| format!("; {help}")).unwrap_or_default();
        self.warnings.push(Warning { message: format!("{fault}{help}"), place: at.clone() });
    }

    /// Reads a play, block or task, with its own `collections:` in effect.
    fn within<T>(&mut self, node: Node, read: impl FnOnce(&mut Self, Node) -> T) -> T {
        let Some(listed) = node.get("collections").filter(|node| !node.is_null()) else { return read(self, node) };
        let outer = std::mem::replace(&mut self.collections, collection_names(listed));
        let value = read(self, node);
        self.collections = outer;
        value
    }

    /// Looks up a module.
    fn module(&self, name: &str) -> Known {
        self.modules.find_among(name, &self.collections)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::{PlaybookEntry, Task};

    struct Few;

    impl Modules for Few {
        fn find(&self, name: &str) -> Known {
            match name.strip_prefix("ansible.builtin.").unwrap_or(name) {
                "command" | "shell" | "include_tasks" | "meta" => Known::Module { free_form: true },
                "debug" | "copy" | "apt" => Known::Module { free_form: false },
                _ => Known::No,
            }
        }

        fn names(&self) -> Vec<&str> {
            vec!["command", "shell", "include_tasks", "meta", "debug", "copy", "apt"]
        }

        fn lookups(&self) -> Vec<&str> {
            vec!["items", "first_found"]
        }
    }

    fn task(text: &str) -> Task {
        let source = Source::inline("tasks.yml", text);
        let (entries, _) = read_tasks(&source, &Few, true).map_err(|faults| format!("{:?}", faults.0)).expect(text);
        match entries.into_iter().next() {
            Some(Entry::Task(task)) => *task,
            other => panic!("no task: {other:?}"),
        }
    }

    /// The action as text, with each value as in the source.
    fn action(text: &str) -> String {
        let action = task(text).action;
        let mut parts = vec![action.name.value.to_string()];
        for (name, value) in &action.args {
            let read = value.as_str().map_or_else(|| value.span.text().to_owned(), str::to_owned);
            parts.push(format!("{}={read}<{}>", name.value, value.span.text()));
        }
        parts.extend(action.free.iter().map(|free| format!("free={:?}", free.as_str().unwrap_or_default())));
        parts.extend(action.whole.iter().map(|whole| format!("whole={}", whole.as_str().unwrap_or_default())));
        parts.join(" ")
    }

    #[test]
    fn arguments_come_in_many_forms() {
        for (text, expected) in [
            ("- debug: {msg: a}", "debug msg=a<a>"),
            ("- debug:\n    msg: |\n      a", "debug msg=a<|\n      a>"),
            ("- copy: src=a dest='b c'", "copy src=a<a> dest=b c<b c>"),
            ("- debug: 'msg=\"it''s {{ a }}\"'", "debug msg=it's {{ a }}<it''s {{ a }}>"),
            ("- debug: msg=a\n  args: {msg: b, verbosity: 1}", "debug msg=a<a> verbosity=1<1>"),
            ("- shell: |\n    echo a\n    echo b\n", "shell free=\"echo a\\necho b\\n\""),
            ("- shell: echo {{ a b }} creates={{ c d }}", "shell creates={{ c d }}<{{ c d }}> free=\"echo {{ a b }}\""),
            ("- command: echo a=b\n  args: {chdir: /x}", "command chdir=/x</x> free=\"echo a=b\""),
            ("- ansible.builtin.command: ls chdir=/", "ansible.builtin.command chdir=/</> free=\"ls\""),
            ("- include_tasks: a.yml x=1", "include_tasks x=1<1> free=\"a.yml\""),
            ("- meta: flush_handlers", "meta free=\"flush_handlers\""),
            ("- action: debug msg=a", "debug msg=a<a>"),
            ("- action: command echo hi creates=/x", "command creates=/x</x> free=\"echo hi\""),
            ("- action: {module: debug msg=2, verbosity: 1}", "debug verbosity=1<1> msg=2<2>"),
            ("- action: {module: copy, args: {src: a}}", "copy src=a<a>"),
            ("- debug: '{{ all }}'", "debug whole={{ all }}"),
            ("- debug:\n  args: '{{ all }}'", "debug whole={{ all }}"),
            ("- debug:", "debug"),
        ] {
            assert_eq!(action(text), expected, "{text}");
        }
    }

    #[test]
    fn local_action_is_a_task_for_the_controller() {
        for text in
            ["- local_action: debug msg=a\n  delegate_to: web", "- delegate_to: web\n  local_action: {module: debug}"]
        {
            let task = task(text);
            assert_eq!(task.keywords.delegate_to.as_ref().and_then(Node::as_str), Some("localhost"));
            assert_eq!(&*task.action.name.value, "debug");
        }
    }

    #[test]
    fn loops_keep_their_lookup() {
        let looped = task("- debug:\n  with_first_found: [a]").looped.expect("a loop");
        let lookup = looped.lookup.expect("a lookup");
        assert_eq!((&*lookup.value, lookup.span.text()), ("first_found", "first_found"));
        assert!(task("- debug:\n  loop: '{{ all }}'").looped.expect("a loop").lookup.is_none());
    }

    #[test]
    fn a_play_as_it_was_written() {
        let source = Source::inline(
            "site.yml",
            "- hosts: web\n  user: bob\n  roles:\n    - a\n    - {role: b, listen: 80, tags: x}\n    - name: c\n  handlers:\n    - debug:\n      listen: x\n- import_playbook: b.yml\n  when: c\n",
        );
        let (playbook, _) = read_playbook(&source, &Few).expect("reads");
        let [PlaybookEntry::Play(play), PlaybookEntry::Import(import)] = &playbook.entries[..] else { panic!() };
        assert_eq!(play.keywords.remote_user.as_ref().and_then(Node::as_str), Some("bob"));
        let roles: Vec<_> = play.roles.iter().map(|role| (&*role.name.value, role.params.len())).collect();
        assert_eq!(roles, [("a", 0), ("b", 1), ("c", 0)]);
        assert_eq!(play.handlers.len(), 1);
        assert_eq!(import.file.as_str(), Some("b.yml"));
    }

    #[test]
    fn what_roles_say_about_themselves() {
        let text = "galaxy_info: {author: x}\nallow_duplicates: yes\ndependencies:\n  - a\n  - {role: b, x: 1}\n";
        let (meta, _) = read_role_meta(&Source::inline("main.yml", text)).expect("reads");
        assert_eq!(meta.dependencies.len(), 2);
        assert!(meta.allow_duplicates.is_some());
    }
}
