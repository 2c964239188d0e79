//! The keywords of plays, blocks and tasks.

use super::{ReadError, reader::Reader};
use crate::{
    source::{Span, nearest},
    syntax::{Keywords, Node, builtin_name},
};

/// Something that has keywords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Play,
    Block,
    Task,
    Handler,
    Role,
    ImportPlaybook,
    LoopControl,
}

/// Keywords of all places except `loop_control`.
const COMMON: &[&str] = &[
    "any_errors_fatal",
    "become",
    "become_exe",
    "become_flags",
    "become_method",
    "become_user",
    "check_mode",
    "connection",
    "debugger",
    "diff",
    "environment",
    "ignore_errors",
    "ignore_unreachable",
    "module_defaults",
    "name",
    "no_log",
    "port",
    "remote_user",
    "run_once",
    "tags",
    "throttle",
    "timeout",
    "vars",
];

impl Place {
    const ALL: [Place; 7] = [
        Place::Play,
        Place::Task,
        Place::Handler,
        Place::Block,
        Place::Role,
        Place::ImportPlaybook,
        Place::LoopControl,
    ];

    /// The name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Place::Play => "a play",
            Place::Block => "a block",
            Place::Task => "a task",
            Place::Handler => "a handler",
            Place::Role => "a role's entry",
            Place::ImportPlaybook => "import_playbook",
            Place::LoopControl => "loop_control",
        }
    }

    /// Ansible's word for it, in messages that scripts look for.
    pub(super) fn class(self) -> &'static str {
        match self {
            Place::Play => "a Play",
            Place::Block => "a Block",
            Place::Task => "a Task",
            Place::Handler => "a Handler",
            Place::Role => "a RoleInclude",
            Place::ImportPlaybook => "a PlaybookInclude",
            Place::LoopControl => "a LoopControl",
        }
    }

    /// The keywords that only this place has.
    fn own(self) -> &'static [&'static [&'static str]] {
        const DELEGATED: &[&str] = &["collections", "delegate_facts", "delegate_to", "when"];
        const PLAY: &[&str] = &[
            "collections",
            "fact_path",
            "force_handlers",
            "gather_facts",
            "gather_subset",
            "gather_timeout",
            "handlers",
            "hosts",
            "max_fail_percentage",
            "order",
            "post_tasks",
            "pre_tasks",
            "roles",
            "serial",
            "strategy",
            "tasks",
            "user",
            "vars_files",
            "vars_prompt",
        ];
        const TASK: &[&str] = &[
            "action",
            "args",
            "async",
            "changed_when",
            "delay",
            "failed_when",
            "local_action",
            "loop",
            "loop_control",
            "notify",
            "poll",
            "register",
            "retries",
            "until",
        ];
        match self {
            Place::Play => &[COMMON, PLAY],
            Place::Block => &[COMMON, DELEGATED, &["always", "block", "notify", "rescue"]],
            Place::Task => &[COMMON, DELEGATED, TASK],
            Place::Handler => &[COMMON, DELEGATED, TASK, &["listen"]],
            Place::Role => &[COMMON, DELEGATED, &["role"]],
            Place::ImportPlaybook => &[COMMON, &["import_playbook", "when"]],
            Place::LoopControl => &[&[
                "break_when",
                "extended",
                "extended_allitems",
                "index_var",
                "label",
                "loop_var",
                "parallel",
                "pause",
            ]],
        }
    }

    /// All keywords of this place.
    pub(super) fn keywords(self) -> impl Iterator<Item = &'static str> {
        self.own().iter().copied().flatten().copied()
    }

    pub(super) fn knows(self, name: &str) -> bool {
        self.own().iter().any(|names| names.contains(&name))
    }
}

/// The field of a keyword that several places share.
pub(super) fn shared<'k>(keywords: &'k mut Keywords, name: &str) -> Option<&'k mut Option<Node>> {
    Some(match name {
        "name" => &mut keywords.name,
        "when" => &mut keywords.when,
        "tags" => &mut keywords.tags,
        "vars" => &mut keywords.vars,
        "any_errors_fatal" => &mut keywords.any_errors_fatal,
        "become" => &mut keywords.become_,
        "become_exe" => &mut keywords.become_exe,
        "become_flags" => &mut keywords.become_flags,
        "become_method" => &mut keywords.become_method,
        "become_user" => &mut keywords.become_user,
        "check_mode" => &mut keywords.check_mode,
        "collections" => &mut keywords.collections,
        "connection" => &mut keywords.connection,
        "debugger" => &mut keywords.debugger,
        "delegate_facts" => &mut keywords.delegate_facts,
        "delegate_to" => &mut keywords.delegate_to,
        "diff" => &mut keywords.diff,
        "environment" => &mut keywords.environment,
        "ignore_errors" => &mut keywords.ignore_errors,
        "ignore_unreachable" => &mut keywords.ignore_unreachable,
        "module_defaults" => &mut keywords.module_defaults,
        "no_log" => &mut keywords.no_log,
        "port" => &mut keywords.port,
        "remote_user" => &mut keywords.remote_user,
        "run_once" => &mut keywords.run_once,
        "throttle" => &mut keywords.throttle,
        "timeout" => &mut keywords.timeout,
        _ => return None,
    })
}

impl Reader<'_> {
    /// An unknown keyword.
    pub(super) fn unknown_keyword(&mut self, name: &str, at: &Span, place: Place) {
        if let Some(help) = removed(name) {
            self.problems.push(ReadError::Removed { at: at.clone(), name: name.to_owned(), kind: "keyword", help });
            return;
        }
        let help = match nearest(name, place.keywords()) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None => belongs_to(name, place),
        };
        self.problems.push(ReadError::UnknownKeyword {
            at: at.clone(),
            name: name.to_owned(),
            place: place.class(),
            help,
        });
    }
}

/// Where a keyword is allowed, if it belongs to another place.
pub(super) fn belongs_to(name: &str, not: Place) -> Option<String> {
    if not == Place::Block && (name == "loop" || name.starts_with("with_")) {
        return Some("a block cannot loop: put its tasks into a file and loop over `include_tasks`".to_owned());
    }
    let place = Place::ALL.into_iter().find(|place| *place != not && place.knows(name))?;
    Some(format!("`{name}` is a keyword of {}", place.name()))
}

/// The replacement for a keyword that was removed from Ansible.
pub(super) fn removed(name: &str) -> Option<&'static str> {
    Some(match name {
        "sudo" | "su" => "write `become: true`",
        "sudo_user" | "su_user" => "write `become: true` and `become_user:`",
        "sudo_exe" | "su_exe" => "write `become_exe:`",
        "sudo_flags" | "su_flags" => "write `become_flags:`",
        "always_run" => "write `check_mode: false`",
        "accelerate" | "accelerate_port" | "accelerate_ipv6" => "remove it",
        "first_available_file" => "write `with_first_found:`, or `src: \"{{ lookup('first_found', ...) }}\"`",
        _ if builtin_name(name) == "include" => {
            "write `include_tasks:` or `import_tasks:`; for a playbook `import_playbook:`"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `keywords.txt` lists the keywords of each place as reported by ansible-core.
    #[test]
    fn every_keyword_of_ansible_is_known_at_its_place() {
        const OURS: [(Place, &[&str]); 4] = [
            (Place::Play, &["user"]),
            (Place::Task, &["local_action"]),
            (Place::Handler, &["local_action"]),
            (Place::LoopControl, &["parallel"]),
        ];
        for line in include_str!("keywords.txt").lines() {
            let (name, words) = line.split_once(": ").expect("place: words");
            let place = Place::ALL
                .into_iter()
                .find(|place| format!("{place:?}").to_lowercase() == name.replace('_', ""))
                .unwrap_or_else(|| panic!("no place {name}"));
            let ours = OURS.iter().filter(|(at, _)| *at == place).flat_map(|(_, more)| more.iter().copied());
            let expected: std::collections::BTreeSet<_> = words.split(' ').chain(ours).collect();
            assert_eq!(place.keywords().collect::<std::collections::BTreeSet<_>>(), expected, "{name}");
        }
    }
}
