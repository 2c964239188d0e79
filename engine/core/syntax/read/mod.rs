//! From nodes to plays, roles, blocks and tasks. All errors in a file are reported, not only the first.

mod action;
mod error;
mod freeform;
mod keywords;
mod loops;
mod play;
mod reader;
mod shape;
mod specs;
mod task;

pub use error::ReadError;
pub(crate) use shape::DEBUGGERS;
pub use specs::{argument_specs, read_argument_specs};

use std::sync::Arc;

use self::reader::Outcome;
pub use self::reader::{Known, Modules, Warning, collection_names};
use self::{keywords::Place, reader::read, specs::NoModules};
use super::{Entry, Node, Playbook, RoleMeta, Word};
use crate::source::Source;

/// Reads a file of plays.
///
/// # Errors
/// All errors of the text, with what could be read in spite of them.
pub fn read_playbook(source: &Arc<Source>, modules: &dyn Modules) -> Outcome<Playbook> {
    read(source, modules, |reader, node| Playbook { source: source.clone(), entries: reader.plays(node) })
}

/// Reads a file of tasks or, with `handlers`, of handlers.
///
/// # Errors
/// Same as [`read_playbook`].
pub fn read_tasks(source: &Arc<Source>, modules: &dyn Modules, handlers: bool) -> Outcome<Vec<Entry>> {
    let place = if handlers { Place::Handler } else { Place::Task };
    read(source, modules, |reader, node| reader.entries(node, "a file of tasks", place))
}

/// Reads `meta/main.yml` of a role.
///
/// # Errors
/// Same as [`read_playbook`].
pub fn read_role_meta(source: &Arc<Source>) -> Outcome<RoleMeta> {
    read(source, &NoModules, |reader, node| reader.role_meta(node, source.path.clone()))
}

/// Reads a variable file: one mapping, or nothing.
///
/// # Errors
/// If it is not YAML, or not one mapping.
pub fn read_vars(source: &Arc<Source>) -> Outcome<Vec<(Word, Node)>> {
    read(source, &NoModules, |reader, node| reader.named(node, "a variable file"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::{PlaybookEntry, Task, builtin_name};

    struct Few;

    impl Modules for Few {
        fn find(&self, name: &str) -> Known {
            match builtin_name(name) {
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
        let (entries, _) = read_tasks(&source, &Few, true).map_err(|errors| format!("{:?}", errors.0)).expect(text);
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
            ("- debug: '{{ all }}'\n  args: {verbosity: 1}", "debug verbosity=1<1> whole={{ all }}"),
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
