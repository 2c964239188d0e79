//! Plays, uses of roles, and role metadata.

use std::path::PathBuf;

use super::{
    ReadError,
    keywords::{Place, shared},
    reader::{Known, Reader, found, head},
    shape::is_template,
};
use crate::{
    source::Spanned,
    syntax::{ImportPlaybook, Keywords, Kind, Node, Play, PlaybookEntry, RoleMeta, RoleUse, Word, builtin_name},
};

/// The keys of an entry of `vars_prompt`.
const OF_PROMPTS: &[&str] =
    &["name", "prompt", "default", "private", "confirm", "encrypt", "salt_size", "salt", "unsafe"];

impl Reader<'_> {
    /// The entries of a playbook.
    pub(super) fn plays(&mut self, node: Node) -> Vec<PlaybookEntry> {
        let span = node.span;
        match node.kind {
            Kind::Seq(items) if items.is_empty() => {
                self.report(
                    format!("A playbook must contain at least one play: {}", span.file()),
                    "no play here",
                    &span,
                    None,
                );
                Vec::new()
            }
            Kind::Seq(items) => items.into_iter().filter_map(|item| self.playbook_entry(item)).collect(),
            Kind::Null => {
                self.report(format!("Empty playbook, nothing to do: {}", span.file()), "no play here", &span, None);
                Vec::new()
            }
            Kind::Map(entries) => {
                let help = entries
                    .iter()
                    .any(|(key, _)| key.as_str() == Some("hosts"))
                    .then_some("begin the play with `- ` and indent the rest of it by two spaces");
                self.report("A playbook must be a list of plays", "a mapping", &span, help);
                Vec::new()
            }
            _ => {
                self.report("A playbook must be a list of plays", "not a list", &span, None);
                Vec::new()
            }
        }
    }

    fn playbook_entry(&mut self, node: Node) -> Option<PlaybookEntry> {
        let is_import = |key: &str| builtin_name(key) == "import_playbook";
        match &node.kind {
            Kind::Map(entries) => {
                if entries.iter().any(|(key, _)| key.as_str().is_some_and(is_import)) {
                    return self.import_playbook(node).map(|import| PlaybookEntry::Import(Box::new(import)));
                }
                self.within(node, |reader, node| reader.play(node)).map(|play| PlaybookEntry::Play(Box::new(play)))
            }
            _ => {
                self.problems.push(ReadError::Other {
                    problem: "an entry of a playbook must be a play or `import_playbook`".to_owned(),
                    label: found(&node),
                    at: head(&node.span),
                    help: None,
                });
                None
            }
        }
    }

    fn import_playbook(&mut self, node: Node) -> Option<ImportPlaybook> {
        let span = node.span.clone();
        let mut file = None;
        let mut keywords = Keywords::default();
        for (key, value) in self.named(node, "import_playbook") {
            match builtin_name(&key.value) {
                "import_playbook" => match &value.kind {
                    Kind::Str(_) => file = Some(value),
                    _ => self.wrong_type(format!("`{}`", key.value), "a file name", &value, None),
                },
                _ => self.common(&key.value, &key, value, &mut keywords, Place::ImportPlaybook),
            }
        }
        Some(ImportPlaybook { span, file: file?, keywords })
    }

    /// A keyword that several places share, or an error.
    pub(super) fn common(&mut self, name: &str, key: &Word, value: Node, keywords: &mut Keywords, place: Place) {
        match shared(keywords, name).filter(|_| place.knows(name)) {
            Some(slot) => {
                self.check(name, &value);
                *slot = given(value);
            }
            None => self.unknown_keyword(name, &key.span, place),
        }
    }

    fn play(&mut self, node: Node) -> Option<Play> {
        let span = node.span.clone();
        let mut hosts = None;
        let mut has_user = false;
        let mut play = Play {
            span: span.clone(),
            hosts: Node { span: span.clone(), kind: Kind::Null },
            keywords: Keywords::default(),
            gather_facts: None,
            gather_subset: None,
            gather_timeout: None,
            fact_path: None,
            serial: None,
            strategy: None,
            order: None,
            max_fail_percentage: None,
            force_handlers: None,
            vars_files: None,
            vars_prompt: None,
            roles: Vec::new(),
            pre_tasks: Vec::new(),
            tasks: Vec::new(),
            post_tasks: Vec::new(),
            handlers: Vec::new(),
        };
        for (key, value) in self.named(node, "a play") {
            let name = &*key.value;
            let slot = match name {
                "hosts" => {
                    hosts = self.hosts(value);
                    continue;
                }
                "tasks" => {
                    play.tasks = self.entries(value, "`tasks`", Place::Task);
                    continue;
                }
                "pre_tasks" => {
                    play.pre_tasks = self.entries(value, "`pre_tasks`", Place::Task);
                    continue;
                }
                "post_tasks" => {
                    play.post_tasks = self.entries(value, "`post_tasks`", Place::Task);
                    continue;
                }
                "handlers" => {
                    play.handlers = self.entries(value, "`handlers`", Place::Handler);
                    continue;
                }
                "roles" => {
                    play.roles = self.roles(value, "roles");
                    continue;
                }
                // An old name that Ansible still accepts.
                "user" => {
                    if play.keywords.remote_user.is_some() {
                        self.both_users(&key);
                        continue;
                    }
                    has_user = true;
                    self.common("remote_user", &key, value, &mut play.keywords, Place::Play);
                    continue;
                }
                "remote_user" if has_user => {
                    self.both_users(&key);
                    continue;
                }
                "gather_facts" => &mut play.gather_facts,
                "gather_subset" => &mut play.gather_subset,
                "gather_timeout" => &mut play.gather_timeout,
                "fact_path" => &mut play.fact_path,
                "serial" => &mut play.serial,
                "strategy" => &mut play.strategy,
                "order" => &mut play.order,
                "max_fail_percentage" => &mut play.max_fail_percentage,
                "force_handlers" => &mut play.force_handlers,
                "vars_files" => &mut play.vars_files,
                "vars_prompt" => &mut play.vars_prompt,
                _ => {
                    if self.misplaced_task(name, &key) {
                        continue;
                    }
                    self.common(name, &key, value, &mut play.keywords, Place::Play);
                    continue;
                }
            };
            self.check(name, &value);
            if name == "vars_prompt" {
                self.check_prompts(&value);
            }
            *slot = given(value);
        }
        if hosts.is_none() && !self.problems.0.is_empty() {
            return None;
        }
        match hosts {
            Some(hosts) => {
                play.hosts = hosts;
                Some(play)
            }
            None => {
                self.report(
                    "The field 'hosts' is required but was not set.",
                    "this play",
                    &span,
                    Some("add `hosts:` with hosts or groups, such as `hosts: all`"),
                );
                None
            }
        }
    }

    /// Checks that every entry of `vars_prompt` names its variable and has only known keys.
    fn check_prompts(&mut self, value: &Node) {
        for entry in value.as_seq().unwrap_or_default() {
            if entry.get("name").is_none() {
                let problem = "Invalid vars_prompt data structure, missing 'name' key";
                self.report(problem, "no `name` here", &entry.span, Some("write `name: VARIABLE`"));
            }
            let Kind::Map(keys) = &entry.kind else { continue };
            for key in keys.iter().map(|(key, _)| key).filter_map(|key| Some((key.as_str()?, &key.span))) {
                if !OF_PROMPTS.contains(&key.0) {
                    let problem = format!("Invalid vars_prompt data structure, found unsupported key '{}'", key.0);
                    self.report(problem, "unknown key", key.1, Some("see `vars_prompt` in Ansible's documentation"));
                }
            }
        }
    }

    fn both_users(&mut self, key: &Word) {
        let problem = "both 'user' and 'remote_user' are set for this play. The use of 'user' is deprecated, and should be \
                       removed";
        self.report(problem, "and the other one", &key.span, None);
    }

    /// A module among the keys of a play: a task in the wrong place.
    fn misplaced_task(&mut self, name: &str, key: &Word) -> bool {
        if Place::Play.knows(name) || self.module(name) == Known::No {
            return false;
        }
        self.problems.push(ReadError::UnknownKeyword {
            at: key.span.clone(),
            name: name.to_owned(),
            place: Place::Play.class(),
            help: Some(format!("`{name}` is a module: put the task below `tasks:`")),
        });
        true
    }

    fn hosts(&mut self, value: Node) -> Option<Node> {
        let empty = match &value.kind {
            Kind::Null => true,
            Kind::Str(text) => text.value.trim().is_empty(),
            Kind::Seq(items) => {
                for item in items.iter().filter(|item| item.as_str().is_none()) {
                    let problem = match item.is_null() {
                        true => "Hosts list cannot contain values of 'None'. Please check your playbook".to_owned(),
                        false => format!("Hosts list contains an invalid host value: '{}'", item.span.text()),
                    };
                    self.report(problem, found(item), &item.span, None);
                }
                items.is_empty()
            }
            _ => {
                self.wrong_type("`hosts`".to_owned(), "text or a list of strings", &value, None);
                false
            }
        };
        if empty {
            let at = if value.span.range().is_empty() {
                value.span.at(value.span.range().start.saturating_sub(1)..value.span.range().end)
            } else {
                value.span.clone()
            };
            let help = Some("name hosts or groups, such as `hosts: all`");
            self.report("Hosts list cannot be empty. Please check your playbook", "no host here", &at, help);
        }
        Some(value)
    }

    /// `roles:` of a play, `dependencies:` of a role.
    fn roles(&mut self, node: Node, what: &str) -> Vec<RoleUse> {
        match node.kind {
            Kind::Null => Vec::new(),
            Kind::Seq(items) => items.into_iter().filter_map(|item| self.role_use(item)).collect(),
            _ => {
                let help =
                    node.as_str().filter(|text| !is_template(text)).map(|text| format!("write `{what}: [{text}]`"));
                let problem = format!("A malformed role declaration was encountered. `{what}` must be a list");
                self.problems.push(ReadError::Other { problem, label: found(&node), at: head(&node.span), help });
                Vec::new()
            }
        }
    }

    fn role_use(&mut self, node: Node) -> Option<RoleUse> {
        let span = node.span.clone();
        if let Kind::Str(text) = node.kind {
            if text.value.contains(',') && !is_template(&text.value) {
                let problem = format!("Invalid old style role requirement: {}", text.value);
                self.report(problem, "no name of a role", &span, Some("write `role: NAME` with its parameters below"));
                return None;
            }
            let name = Spanned { value: text.value, span: span.clone() };
            return Some(RoleUse { span, name, keywords: Keywords::default(), params: Vec::new() });
        }
        if !matches!(node.kind, Kind::Map(_)) {
            self.wrong_type("an entry of `roles`".to_owned(), "a role name or a mapping", &node, None);
            return None;
        }
        let mut role = None;
        let mut source = None;
        let mut keywords = Keywords::default();
        let mut params = Vec::new();
        for (key, value) in self.named(node, "an entry of `roles`") {
            match &*key.value {
                "role" => role = Some(value),
                "src" => source = Some(value),
                name if Place::Role.knows(name) => self.common(name, &key, value, &mut keywords, Place::Role),
                _ => params.push((key, value)),
            }
        }
        let Some(named) = role.or_else(|| keywords.name.clone()).or(source) else {
            self.report("an entry of `roles` without a role", "no role name", &span, Some("write `role: name`"));
            return None;
        };
        match named.kind {
            Kind::Str(text) => {
                let name = Spanned { value: text.value, span: named.span };
                Some(RoleUse { span, name, keywords, params })
            }
            _ => {
                self.wrong_type("`role`".to_owned(), "a role name", &named, None);
                None
            }
        }
    }

    /// `meta/main.yml`; its data for Galaxy is ignored.
    pub(super) fn role_meta(&mut self, node: Node, path: Option<PathBuf>) -> RoleMeta {
        let mut meta = RoleMeta { path, ..RoleMeta::default() };
        for (key, value) in self.named(node, "a role's metadata") {
            match &*key.value {
                "dependencies" => meta.dependencies = self.roles(value, "dependencies"),
                "allow_duplicates" => {
                    self.check("run_once", &value);
                    meta.allow_duplicates = given(value);
                }
                "argument_specs" => meta.argument_specs = given(value),
                "collections" => meta.collections = given(value),
                _ => {}
            }
        }
        meta
    }
}

/// A keyword without a value counts as unset.
pub(super) fn given(node: Node) -> Option<Node> {
    (!node.is_null()).then_some(node)
}
