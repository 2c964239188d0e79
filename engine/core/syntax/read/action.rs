//! What a task does: its module, and the arguments in all their forms.

use std::sync::Arc;

use super::{
    ReadError,
    freeform::{self, Unbalanced},
    reader::{Known, Reader, Warning},
    shape::is_template,
};
use crate::{
    source::{Span, Spanned, nearest},
    syntax::{Action, Kind, Node, Style, Text, Word, builtin_name, locate},
};

/// A module and its unparsed arguments.
pub(super) struct Call {
    pub name: Word,
    pub value: Node,
}

impl Reader<'_> {
    /// `action: command echo hi`, or the mapping form with `module`.
    pub(super) fn action_keyword(&mut self, key: Word, value: Node) -> Option<Call> {
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
                self.warnings.push(Warning {
                    message:
                        "Using a mapping for `action` is deprecated. This feature will be removed from ansible-core \
                              version 2.23.\n\nUse a string value for `action`."
                            .to_owned(),
                    place: at.clone(),
                });
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
    pub(super) fn known(&mut self, name: Word) -> Option<Word> {
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
    pub(super) fn action(&mut self, call: Call, args: Option<Node>) -> Option<Action> {
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
}

/// Sets an argument; a later one replaces an earlier one.
fn put(args: &mut Vec<(Word, Node)>, key: Word, value: Node) {
    match args.iter_mut().find(|(known, _)| known.value == key.value) {
        Some(slot) => *slot = (key, value),
        None => args.push((key, value)),
    }
}

pub(super) fn text_node(value: Arc<str>, style: Style, span: Span) -> Node {
    Node { span, kind: Kind::Str(Text { value, style, vault: false, no_template: false }) }
}

/// Whether the free-form text is a command, from which only a few pairs are extracted.
fn runs_command(name: &str) -> bool {
    let name = name.strip_prefix("ansible.windows.").unwrap_or(builtin_name(name));
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
