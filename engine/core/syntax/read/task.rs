//! Tasks, handlers and blocks.

use super::{
    ReadError,
    action::{Call, text_node},
    keywords::{Place, belongs_to, removed},
    play::given,
    reader::{Known, Reader, found, head},
};
use crate::{
    source::{Spanned, nearest},
    syntax::{Block, Entry, Keywords, Kind, Loop, LoopControl, Node, Style, Task, Word, builtin_name},
};

impl Reader<'_> {
    /// A list of tasks and blocks.
    pub(super) fn entries(&mut self, node: Node, what: &str, place: Place) -> Vec<Entry> {
        match node.kind {
            Kind::Null => Vec::new(),
            Kind::Seq(items) => items.into_iter().filter_map(|item| self.entry(item, place)).collect(),
            _ => {
                let help = matches!(node.kind, Kind::Map(_)).then_some("begin each task with `- `");
                let place = what.trim_matches('`');
                let written = node.span.text().lines().next().unwrap_or_default().to_owned();
                let problem = format!(
                    "A malformed block was encountered while loading {place}: {written} should be a list or None"
                );
                self.report(problem, found(&node), &node.span, help);
                Vec::new()
            }
        }
    }

    fn entry(&mut self, node: Node, place: Place) -> Option<Entry> {
        match &node.kind {
            // As in Ansible, a dash alone is not a task.
            Kind::Null => None,
            Kind::Map(entries) => {
                let is_block =
                    entries.iter().any(|(key, _)| matches!(key.as_str(), Some("block" | "rescue" | "always")));
                if is_block {
                    let alone = |name| entries.iter().find(|(key, _)| key.as_str() == Some(name));
                    if let (None, Some((key, _))) = (alone("block"), alone("rescue").or_else(|| alone("always"))) {
                        let problem = format!("'{}' keyword cannot be used without 'block'", key.span.text());
                        self.report(problem, "no `block` next to it", &key.span, Some("put the tasks below `block:`"));
                    }
                    return Some(Entry::Block(Box::new(self.within(node, |reader, node| reader.block(node, place)))));
                }
                self.within(node, |reader, node| reader.task(node, place)).map(|task| Entry::Task(Box::new(task)))
            }
            Kind::Str(text) => {
                let help = match self.module(text.value.split([' ', '=']).next().unwrap_or_default()) {
                    Known::Module { .. } => Some(format!("write `- {}:`", text.value)),
                    Known::No => None,
                };
                self.wrong_type(place.name().to_owned(), "a mapping", &node, help);
                None
            }
            _ => {
                self.wrong_type(place.name().to_owned(), "a mapping", &node, None);
                None
            }
        }
    }

    fn block(&mut self, node: Node, tasks: Place) -> Block {
        let span = node.span.clone();
        let mut block = Block {
            span: span.clone(),
            keywords: Keywords::default(),
            notify: None,
            body: Vec::new(),
            rescue: Vec::new(),
            always: Vec::new(),
        };
        for (key, value) in self.named(node, "a block") {
            match &*key.value {
                "block" if value.is_null() => {
                    self.report(
                        "the `block` has no tasks",
                        "empty",
                        &key.span,
                        Some("write its tasks as a list below `block:`"),
                    );
                }
                "block" => block.body = self.entries(value, "`block`", tasks),
                "rescue" => block.rescue = self.entries(value, "`rescue`", tasks),
                "always" => block.always = self.entries(value, "`always`", tasks),
                "notify" => {
                    self.check("notify", &value);
                    block.notify = given(value);
                }
                name if !Place::Block.knows(name) && self.module(name) != Known::No => {
                    self.problems.push(ReadError::UnknownKeyword {
                        at: key.span.clone(),
                        name: name.to_owned(),
                        place: Place::Block.class(),
                        help: Some(format!("`{name}` is a module: begin a separate task for it with `- `")),
                    });
                }
                name => self.common(name, &key, value, &mut block.keywords, Place::Block),
            }
        }
        block
    }

    fn task(&mut self, node: Node, place: Place) -> Option<Task> {
        let span = node.span.clone();
        self.include_keywords(&node);
        let mut keywords = Keywords::default();
        let mut looped: Option<Loop> = None;
        let mut loop_control = LoopControl::default();
        let (mut register, mut changed_when, mut failed_when) = (None, None, None);
        let (mut until, mut retries, mut delay) = (None, None, None);
        let (mut notify, mut listen, mut asynchronous, mut poll) = (None, None, None, None);
        let mut args = None;
        let mut local = None;
        // An error in `action` was already reported.
        let mut named = false;
        let mut calls: Vec<Call> = Vec::new();
        let mut unknown: Vec<Word> = Vec::new();
        for (key, value) in self.named(node, place.name()) {
            let name = &*key.value;
            let slot = match name {
                "action" | "local_action" => {
                    if name == "local_action" {
                        local = Some(text_node("localhost".into(), Style::Plain, key.span.clone()));
                    }
                    named = true;
                    calls.extend(self.action_keyword(key, value));
                    continue;
                }
                "args" => {
                    args = given(value);
                    continue;
                }
                "loop" => {
                    self.set_loop(&mut looped, None, &key, value);
                    continue;
                }
                "loop_control" => {
                    loop_control = self.loop_control(value);
                    continue;
                }
                "register" => &mut register,
                "changed_when" => &mut changed_when,
                "failed_when" => &mut failed_when,
                "until" => &mut until,
                "retries" => &mut retries,
                "delay" => &mut delay,
                "notify" => &mut notify,
                "listen" if place == Place::Handler => &mut listen,
                "async" => &mut asynchronous,
                "poll" => &mut poll,
                _ => {
                    if let Some(lookup) = name.strip_prefix("with_").filter(|lookup| !lookup.is_empty()) {
                        let at = key.span.at(key.span.range().start + "with_".len()..key.span.range().end);
                        let lookup = Spanned { value: lookup.into(), span: at };
                        self.set_loop(&mut looped, Some(lookup), &key, value);
                    } else if place.knows(name) {
                        self.common(name, &key, value, &mut keywords, place);
                    } else if removed(name).is_none() && self.module(name) != Known::No {
                        calls.push(Call { name: key, value });
                    } else {
                        unknown.push(key);
                    }
                    continue;
                }
            };
            self.check(name, &value);
            // For these two, an empty value is an empty condition.
            *slot = if matches!(name, "changed_when" | "failed_when") { Some(value) } else { given(value) };
        }
        // `local_action` determines the host, whatever `delegate_to` says.
        keywords.delegate_to = local.or(keywords.delegate_to);
        self.unknown_names(&unknown, &calls, place);
        let mut calls = calls.into_iter();
        let Some(call) = calls.next() else {
            if unknown.is_empty() && !named {
                let help = "add a module with its arguments, such as `debug:` with `msg: ...`".to_owned();
                self.problems.push(ReadError::NoAction { at: head(&span), help });
            }
            return None;
        };
        if let Some(second) = calls.next() {
            self.problems.push(ReadError::TwoActions {
                names: format!("{}, {}", call.name.value, second.name.value),
                first: call.name.span,
                second: second.name.span,
            });
            return None;
        }
        let action = self.action(call, args)?;
        self.static_loop(&action, looped.as_ref());
        Some(Task {
            span,
            action,
            keywords,
            looped,
            loop_control,
            register,
            changed_when,
            failed_when,
            until,
            retries,
            delay,
            notify,
            listen,
            asynchronous,
            poll,
        })
    }

    /// Dynamic includes accept only a few keywords themselves.
    fn include_keywords(&mut self, node: &Node) {
        let entries = node.as_map().unwrap_or_default();
        let names = || entries.iter().filter_map(|(key, _)| Some((key, key.as_str()?)));
        let Some(include) = names().map(|(_, name)| builtin_name(name)).find(|name| INCLUDES.contains(name)) else {
            return;
        };
        for (key, name) in names() {
            if Place::Handler.knows(name) && !OF_INCLUDES.contains(&name) {
                self.problems.push(ReadError::UnknownKeyword {
                    at: key.span.clone(),
                    name: name.to_owned(),
                    place: if include == "include_tasks" { "a TaskInclude" } else { "a IncludeRole" },
                    help: Place::Block
                        .knows(name)
                        .then(|| format!("to pass it to the included tasks, write it below `apply:` of `{include}:`")),
                });
            }
        }
    }

    /// Names that are neither keywords nor modules.
    fn unknown_names(&mut self, unknown: &[Word], calls: &[Call], place: Place) {
        if unknown.is_empty() {
            return;
        }
        let modules: Vec<&str> = self.modules.names();
        let keywords: Vec<&str> = place.keywords().collect();
        for key in unknown {
            let name = &*key.value;
            if let Some(help) = removed(name) {
                let kind = if name.ends_with("include") { "module" } else { "keyword" };
                self.problems.push(ReadError::Removed { at: key.span.clone(), name: name.to_owned(), kind, help });
                continue;
            }
            let near = match builtin_name(name) {
                short if short != name => {
                    nearest(short, modules.iter().copied()).map(|near| name.replacen(short, near, 1))
                }
                _ if calls.is_empty() => {
                    nearest(name, modules.iter().copied().chain(keywords.iter().copied())).map(str::to_owned)
                }
                // The task already has a module, so a keyword is more likely.
                _ => nearest(name, keywords.iter().copied().chain(modules.iter().copied())).map(str::to_owned),
            };
            if near.is_none() && name.matches('.').count() >= 2 {
                let help = match self.modules.about(name) {
                    Some((problem, Some(help))) => format!("{problem}; {help}"),
                    Some((problem, None)) => problem,
                    None => "`rplay doc` lists the available modules".to_owned(),
                };
                self.problems.push(ReadError::NeitherKeywordNorModule {
                    at: key.span.clone(),
                    name: name.to_owned(),
                    place: place.name(),
                    help: Some(help),
                });
                continue;
            }
            let help = match (near, calls.first()) {
                (Some(near), _) => Some(format!("did you mean `{near}`?")),
                (None, call) => belongs_to(name, place).or_else(|| {
                    let call = call.filter(|call| call.value.is_null())?;
                    Some(format!("if it is an argument of `{0}`, indent it below `{0}:`", call.name.value))
                }),
            };
            let (at, place) = (key.span.clone(), place.name());
            self.problems.push(match calls.first() {
                Some(call) => {
                    let mut both = [&call.name, key];
                    both.sort_by_key(|word| word.span.start);
                    let names = format!("{}, {}", both[0].value, both[1].value);
                    ReadError::UnknownBesideModule { at, names, place, help }
                }
                None => ReadError::NeitherKeywordNorModule { at, name: name.to_owned(), place, help },
            });
        }
    }
}

const INCLUDES: [&str; 2] = ["include_tasks", "include_role"];

/// The keywords that an include itself may have, as found by running ansible-core 2.19; `listen` is for handlers.
const OF_INCLUDES: [&str; 16] = [
    "action",
    "args",
    "collections",
    "debugger",
    "ignore_errors",
    "listen",
    "loop",
    "loop_control",
    "name",
    "no_log",
    "register",
    "run_once",
    "tags",
    "timeout",
    "vars",
    "when",
];
