//! Tasks, handlers and blocks.

use std::sync::Arc;

use super::{
    ReadError,
    freeform::{self, Unbalanced},
    keywords::{Place, belongs_to, is_template, removed},
    play::given,
    reader::{Known, Reader, found, head},
};
use crate::{
    source::{Span, Spanned, nearest},
    syntax::{Action, Block, Entry, Keywords, Kind, Loop, LoopControl, Node, Style, Task, Text, Word, locate},
};

/// A module and its unparsed arguments.
struct Call {
    name: Word,
    value: Node,
}

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
                        let problem = format!("`{}` without `block`", key.span.text());
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
            // Nothing is an empty condition for these two.
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
        let Some(include) = names().map(|(_, name)| builtin(name)).find(|name| INCLUDES.contains(name)) else { return };
        for (key, name) in names() {
            if Place::Handler.knows(name) && !OF_INCLUDES.contains(&name) {
                self.problems.push(ReadError::UnknownKeyword {
                    at: key.span.clone(),
                    name: name.to_owned(),
                    place: if include == "include_tasks" { "a TaskInclude" } else { "an IncludeRole" },
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
                self.problems.push(ReadError::Removed { at: key.span.clone(), name: name.to_owned(), help });
                continue;
            }
            let short = name.strip_prefix("ansible.builtin.").or_else(|| name.strip_prefix("ansible.legacy."));
            let near = match short {
                Some(short) => nearest(short, modules.iter().copied()).map(|near| name.replacen(short, near, 1)),
                None if calls.is_empty() => {
                    nearest(name, modules.iter().copied().chain(keywords.iter().copied())).map(str::to_owned)
                }
                // The task already has a module, so a keyword is more likely.
                None => nearest(name, keywords.iter().copied().chain(modules.iter().copied())).map(str::to_owned),
            };
            if near.is_none() && name.matches('.').count() >= 2 {
                let about = self.modules.about(name);
                let (problem, help) = about.unwrap_or_else(|| {
                    let help = "`rplay doc` lists the available modules".to_owned();
                    (format!("there is no module `{name}`"), Some(help))
                });
                self.problems.push(ReadError::Other { problem, label: "not found", at: key.span.clone(), help });
                continue;
            }
            let help = match (near, calls.first()) {
                (Some(near), _) => Some(format!("did you mean `{near}`?")),
                (None, call) => belongs_to(name, place).or_else(|| {
                    let call = call.filter(|call| call.value.is_null())?;
                    Some(format!("if it is an argument of `{0}`, indent it below `{0}:`", call.name.value))
                }),
            };
            self.problems.push(ReadError::NeitherKeywordNorModule {
                at: key.span.clone(),
                name: name.to_owned(),
                place: place.name(),
                help,
            });
        }
    }

    fn set_loop(&mut self, looped: &mut Option<Loop>, lookup: Option<Word>, key: &Word, items: Node) {
        if items.is_null() {
            // As in Ansible, an empty `loop:` is ignored.
            if lookup.is_some() {
                let help = Some("write a list below it");
                self.report(format!("`{}` has no items", key.value), "nothing to loop over", &key.span, help);
            }
            return;
        }
        if let Some(lookup) = &lookup {
            let short = lookup.strip_prefix("ansible.builtin.").or_else(|| lookup.strip_prefix("ansible.legacy."));
            let lookups = self.modules.lookups();
            // Those of collections are looked for when the task runs.
            let is_known = lookups.contains(&short.unwrap_or(lookup))
                || short.is_none() && lookup.contains('.')
                || self.modules.has_lookup(short.unwrap_or(lookup));
            if !is_known {
                let near = nearest(lookup, lookups).map(|near| format!("did you mean `with_{near}`?"));
                self.problems.push(ReadError::UnknownKeyword {
                    at: key.span.clone(),
                    name: key.value.to_string(),
                    place: Place::Task.class(),
                    help: near.or_else(|| Some(format!("there is no lookup `{}`", &**lookup))),
                });
            }
        }
        if lookup.is_none() && !matches!(items.kind, Kind::Seq(_)) && !items.as_str().is_some_and(is_template) {
            let help = match &items.kind {
                Kind::Map(_) => Some("to loop over a mapping, write `loop: \"{{ name | dict2items }}\"`".to_owned()),
                Kind::Str(text) => Some(format!("to loop over a variable, write `loop: \"{{{{ {} }}}}\"`", text.value)),
                _ => None,
            };
            let at = head(&items.span);
            let name = "`loop`".to_owned();
            let error = ReadError::WrongType { name, expected: "a list", found: found(&items), at: at.clone(), help };
            self.foresee(&error, &at);
        }
        if looped.is_some() {
            self.report(
                "two loops in one task",
                "a second loop",
                &key.span,
                Some("for all combinations of two lists, write `loop: \"{{ one | product(two) }}\"`"),
            );
        }
        *looped = Some(Loop { lookup, items });
    }

    fn loop_control(&mut self, node: Node) -> LoopControl {
        let mut control = LoopControl::default();
        if !matches!(node.kind, Kind::Map(_) | Kind::Null) {
            self.wrong_type("`loop_control`".to_owned(), "a mapping", &node, None);
            return control;
        }
        for (key, value) in self.named(node, "`loop_control`") {
            let slot = match &*key.value {
                "loop_var" => &mut control.loop_var,
                "index_var" => &mut control.index_var,
                "label" => &mut control.label,
                "pause" => &mut control.pause,
                "extended" => &mut control.extended,
                "extended_allitems" => &mut control.extended_allitems,
                "break_when" => &mut control.break_when,
                "parallel" => &mut control.parallel,
                name => {
                    self.unknown_keyword(name, &key.span, Place::LoopControl);
                    continue;
                }
            };
            self.check(&key.value, &value);
            *slot = given(value);
        }
        control
    }

    /// `action: command echo hi`, or the mapping form with `module`.
    fn action_keyword(&mut self, key: Word, value: Node) -> Option<Call> {
        let missing = "write the module first: `action: debug msg=hello`";
        match value.kind {
            Kind::Str(text) => {
                let line = text.value.trim_start();
                let lead = text.value.len() - line.len();
                let name = first_word(line);
                if name.is_empty() {
                    self.report(
                        format!("`{}` without a module", key.value),
                        "no module here",
                        &key.span,
                        Some(missing),
                    );
                    return None;
                }
                let at = locate(&text.value, &value.span, text.style, lead..lead + name.len());
                let rest = line[name.len()..].trim_start_matches([' ', '\n']);
                let from = text.value.len() - rest.len();
                let kind = match rest.is_empty() {
                    true => Kind::Null,
                    false => Kind::Str(Text { value: rest.into(), ..text.clone() }),
                };
                let rest = locate(&text.value, &value.span, text.style, from..text.value.len());
                let name = Spanned { value: name.into(), span: at };
                self.known(name).map(|name| Call { name, value: Node { span: rest, kind } })
            }
            Kind::Map(entries) => {
                let at = value.span.clone();
                let mut module = None;
                let mut rest = Vec::new();
                for (argument, value) in entries {
                    match argument.as_str() {
                        Some("module") => module = self.action_keyword(key.clone(), value),
                        Some("args") if matches!(value.kind, Kind::Map(_)) => {
                            if let Kind::Map(more) = value.kind {
                                rest.extend(more);
                            }
                        }
                        _ => rest.push((argument, value)),
                    }
                }
                let Some(Call { name, value }) = module else {
                    self.report(format!("`{}` without a module", key.value), "no `module` here", &at, Some(missing));
                    return None;
                };
                // `module: debug msg=hello` may contain arguments too.
                if let Kind::Str(text) = &value.kind
                    && let Ok(line) = freeform::split(&text.value, false)
                {
                    rest.extend(line.pairs.into_iter().map(|pair| {
                        let key_at = locate(&text.value, &value.span, text.style, pair.key_at);
                        let value_at = locate(&text.value, &value.span, text.style, pair.value_at);
                        (
                            text_node(pair.key.into(), Style::Plain, key_at),
                            text_node(pair.value.into(), text.style, value_at),
                        )
                    }));
                }
                Some(Call { name, value: Node { span: at, kind: Kind::Map(rest) } })
            }
            _ => {
                self.wrong_type(format!("`{}`", key.value), "text that begins with a module", &value, None);
                None
            }
        }
    }

    /// The name, if it is a known module.
    fn known(&mut self, name: Word) -> Option<Word> {
        // A name with a template is resolved later.
        if self.module(&name.value) != Known::No || is_template(&name.value) {
            return Some(name);
        }
        let near = nearest(&name.value, self.modules.names()).map(|near| format!("did you mean `{near}`?"));
        self.problems.push(ReadError::Other {
            problem: format!("there is no module `{}`", name.value),
            label: "unknown module",
            at: name.span,
            help: near,
        });
        None
    }

    /// Parses the arguments of a module.
    fn action(&mut self, call: Call, args: Option<Node>) -> Option<Action> {
        let Call { name, value } = call;
        let free_form = matches!(self.module(&name.value), Known::Module { free_form: true });
        let mut action = Action { name, args: Vec::new(), free: None, whole: None };
        // Arguments given to the module directly take precedence over `args`.
        match args {
            Some(node) if matches!(node.kind, Kind::Map(_)) => action.args = self.named(node, "`args`"),
            Some(node) if node.as_str().is_some_and(is_template) => action.whole = Some(node),
            Some(node) => self.wrong_type("`args`".to_owned(), "a mapping", &node, None),
            None => {}
        }
        let Node { span, kind } = value;
        match kind {
            Kind::Null => {}
            Kind::Map(entries) => {
                for (key, value) in entries {
                    if let Some(key) = self.word(key) {
                        put(&mut action.args, key, value);
                    }
                }
            }
            Kind::Str(text) => {
                let of_args = action.args.len();
                if let Err(Unbalanced(at)) = self.line(&mut action, &text, &span) {
                    let at = locate(&text.value, &span, text.style, at..at + 1);
                    let help = match free_form {
                        true => "close it, or pass the text as an argument: `cmd:` below the module accepts any text"
                            .to_owned(),
                        false => "close it, or write the arguments as `name: value` lines below the module".to_owned(),
                    };
                    let module = action.name.value.to_string();
                    self.problems.push(ReadError::Unbalanced { at, module, help });
                    return None;
                }
                // Free-form text for an action that does not accept it is reported when its arguments are checked.
                if !free_form
                    && action.args.len() == of_args
                    && action.whole.is_none()
                    && action.free.as_ref().and_then(Node::as_str).is_some_and(is_one_template)
                {
                    action.whole = action.free.take();
                }
            }
            kind => {
                let node = Node { span, kind };
                self.wrong_type(format!("the arguments of `{}`", action.name.value), "a mapping", &node, None);
                return None;
            }
        }
        Some(action)
    }

    /// Arguments in one line.
    fn line(&mut self, action: &mut Action, text: &Text, span: &Span) -> Result<(), Unbalanced> {
        let line = freeform::split(&text.value, runs_command(&action.name.value))?;
        let whole = |value: Arc<str>| Node { span: span.clone(), kind: Kind::Str(Text { value, ..text.clone() }) };
        let Some(free) = line.free else {
            self.pairs(action, line.pairs, text, span);
            return Ok(());
        };
        let unchanged = line.pairs.is_empty() && *free == *text.value;
        action.free = Some(whole(if unchanged { text.value.clone() } else { free }));
        self.pairs(action, line.pairs, text, span);
        Ok(())
    }

    fn pairs(&mut self, action: &mut Action, pairs: Vec<freeform::Pair>, text: &Text, span: &Span) {
        for pair in pairs {
            let key_at = locate(&text.value, span, text.style, pair.key_at);
            let value_at = locate(&text.value, span, text.style, pair.value_at);
            let key = Spanned { value: pair.key.into(), span: key_at };
            let kind = Kind::Str(Text { value: pair.value.into(), ..text.clone() });
            put(&mut action.args, key, Node { span: value_at, kind });
        }
    }

    /// Static imports and roles cannot loop.
    fn static_loop(&mut self, action: &Action, looped: Option<&Loop>) {
        let name = builtin(&action.name.value);
        if let (Some(looped), "import_tasks" | "import_role") = (looped, name) {
            let help = match name {
                "import_tasks" => "use `include_tasks`, which is resolved during the run",
                _ => "use `include_role`, which is resolved during the run",
            };
            self.report(format!("`{name}` cannot loop"), "this loop", &looped.items.span, Some(help));
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

/// Sets an argument; a later one wins.
fn put(args: &mut Vec<(Word, Node)>, key: Word, value: Node) {
    match args.iter_mut().find(|(known, _)| known.value == key.value) {
        Some(slot) => *slot = (key, value),
        None => args.push((key, value)),
    }
}

fn text_node(value: Arc<str>, style: Style, span: Span) -> Node {
    Node { span, kind: Kind::Str(Text { value, style, vault: false, no_template: false }) }
}

/// The name without the collections that are always searched.
fn builtin(name: &str) -> &str {
    name.strip_prefix("ansible.builtin.").or_else(|| name.strip_prefix("ansible.legacy.")).unwrap_or(name)
}

/// Whether the free-form text is a command, from which only a few pairs are extracted.
fn runs_command(name: &str) -> bool {
    let name = name.strip_prefix("ansible.windows.").unwrap_or(builtin(name));
    matches!(name, "command" | "shell" | "raw" | "script" | "win_command" | "win_shell")
}

/// The module name at the start of a line, which may be a template.
fn first_word(line: &str) -> &str {
    let from = match line.starts_with("{{") {
        true => line.find("}}").map_or(line.len(), |at| at + 2),
        false => 0,
    };
    let end = line[from..].find([' ', '\n']).map_or(line.len(), |at| from + at);
    &line[..end]
}

/// Whether the text is a single `{{ expression }}`.
fn is_one_template(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("{{") && text.ends_with("}}")
}
