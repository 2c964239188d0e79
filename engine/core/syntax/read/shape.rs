//! The types of the values of keywords, as far as they are known before the run.

use super::{
    ReadError,
    reader::{Reader, found, head},
};
use crate::{
    source::{Span, nearest},
    syntax::{Kind, Node},
};

/// The type of a keyword's value.
#[derive(Clone, Copy)]
enum Shape {
    Bool,
    Whole,
    Number,
    Text,
    Words,
    Condition,
    Variable,
    Variables,
    Environment,
    Defaults,
    Order,
    Debugger,
    Files,
    Any,
}

impl Shape {
    /// Whether Ansible reads the keyword only when the play or task runs: an invalid value fails only there.
    fn is_read_late(self, keyword: &str) -> bool {
        match self {
            Shape::Bool | Shape::Whole | Shape::Number | Shape::Condition | Shape::Environment | Shape::Order => true,
            // A list or a mapping is refused before.
            Shape::Debugger => true,
            Shape::Words => matches!(keyword, "notify" | "listen" | "collections"),
            _ => false,
        }
    }
}

fn shape(name: &str) -> Shape {
    match name {
        "any_errors_fatal" | "become" | "check_mode" | "delegate_facts" | "diff" | "ignore_errors"
        | "ignore_unreachable" | "no_log" | "run_once" | "gather_facts" | "force_handlers" | "extended"
        | "extended_allitems" => Shape::Bool,
        "port" | "throttle" | "timeout" | "retries" | "poll" | "async" | "gather_timeout" | "parallel" => Shape::Whole,
        "delay" | "pause" | "max_fail_percentage" => Shape::Number,
        "name" | "become_exe" | "become_flags" | "become_method" | "become_user" | "connection" | "delegate_to"
        | "remote_user" | "strategy" | "fact_path" | "label" => Shape::Text,
        "order" => Shape::Order,
        "debugger" => Shape::Debugger,
        "collections" | "gather_subset" | "notify" | "listen" => Shape::Words,
        "when" | "changed_when" | "failed_when" | "until" | "break_when" => Shape::Condition,
        "register" | "loop_var" | "index_var" => Shape::Variable,
        "vars" => Shape::Variables,
        "environment" => Shape::Environment,
        "module_defaults" => Shape::Defaults,
        "vars_files" => Shape::Files,
        _ => Shape::Any,
    }
}

/// Whether the text contains a template.
pub(super) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

const ORDERS: [&str; 5] = ["inventory", "reverse_inventory", "sorted", "reverse_sorted", "shuffle"];

/// The values of `debugger`.
pub(crate) const DEBUGGERS: [&str; 5] = ["always", "on_failed", "on_skipped", "on_unreachable", "never"];

const BOOLEANS: [&str; 12] = ["yes", "no", "true", "false", "on", "off", "y", "n", "t", "f", "1", "0"];

impl Reader<'_> {
    /// Checks the value of a keyword as far as it is known before the run.
    pub(super) fn check(&mut self, name: &str, node: &Node) {
        let shape = shape(name);
        let scalar = !matches!(node.kind, Kind::Seq(_) | Kind::Map(_));
        // Every keyword but these may be a template.
        let may_be_open = name != "register" && !matches!(shape, Shape::Variables | Shape::Defaults);
        if name == "tags" {
            return self.check_tags(node);
        }
        if node.is_null() || (may_be_open && node.as_str().is_some_and(is_template)) {
            return;
        }
        let fits = match shape {
            Shape::Any => true,
            Shape::Bool => match &node.kind {
                Kind::Bool(_) | Kind::Int(0 | 1) => true,
                Kind::Str(text) => BOOLEANS.contains(&text.value.to_ascii_lowercase().as_str()),
                _ => false,
            },
            Shape::Whole => match &node.kind {
                Kind::Int(_) => true,
                Kind::Float(f) => *f == f.trunc(),
                Kind::Str(text) => text.value.trim().parse::<i64>().is_ok(),
                _ => false,
            },
            Shape::Number => match &node.kind {
                Kind::Int(_) | Kind::Float(_) => true,
                Kind::Str(text) => text.value.trim().trim_end_matches('%').parse::<f64>().is_ok(),
                _ => false,
            },
            Shape::Text => scalar,
            Shape::Words => match &node.kind {
                Kind::Str(_) => true,
                Kind::Seq(items) => {
                    for item in items.iter().filter(|item| matches!(item.kind, Kind::Map(_) | Kind::Seq(_))) {
                        self.misfit(name, shape, format!("an item of `{name}`"), "text", item, None);
                    }
                    true
                }
                _ => false,
            },
            Shape::Condition => {
                if let Kind::Seq(items) = &node.kind {
                    for item in items.iter().filter(|item| matches!(item.kind, Kind::Map(_) | Kind::Seq(_))) {
                        self.condition(name, item);
                    }
                } else if matches!(node.kind, Kind::Map(_)) {
                    self.condition(name, node);
                }
                true
            }
            // As in Ansible, loop variables may have any name.
            Shape::Variable if name != "register" => scalar,
            Shape::Variable => match node.as_str() {
                Some(variable) => {
                    self.variable_name(variable, "Invalid 'register' specified: ", &node.span);
                    true
                }
                None if scalar => {
                    self.variable_name(node.span.text(), "Invalid 'register' specified: ", &node.span);
                    true
                }
                None => false,
            },
            Shape::Variables => {
                if let Kind::Map(entries) = &node.kind {
                    for (key, _) in entries {
                        match key.as_str() {
                            Some(variable) => self.variable_name(variable, "", &key.span),
                            None => self.variable_name(key.span.text(), "", &key.span),
                        }
                    }
                }
                matches!(node.kind, Kind::Map(_))
            }
            Shape::Environment => match &node.kind {
                Kind::Map(_) => true,
                Kind::Seq(items) => {
                    for item in items {
                        if !matches!(item.kind, Kind::Map(_)) && !item.as_str().is_some_and(is_template) {
                            self.misfit(name, shape, "an item of `environment`".to_owned(), "a mapping", item, None);
                        }
                    }
                    true
                }
                _ => false,
            },
            Shape::Defaults => match &node.kind {
                Kind::Map(_) => true,
                Kind::Seq(items) => items.iter().all(|item| matches!(item.kind, Kind::Map(_))),
                _ => false,
            },
            Shape::Debugger => scalar && node.as_str().is_none_or(|text| DEBUGGERS.contains(&text)),
            Shape::Order => node.as_str().is_some_and(|text| ORDERS.contains(&text)),
            Shape::Files => matches!(node.kind, Kind::Seq(_) | Kind::Str(_)),
        };
        if fits {
            return;
        }
        if let (Shape::Text | Shape::Debugger, Kind::Seq(_) | Kind::Map(_)) = (shape, &node.kind) {
            let kind = if matches!(node.kind, Kind::Map(_)) { "Dict" } else { "List" };
            let problem = format!(
                "The field '{name}' is supposed to be a string type, however the incoming data structure is a <class \
                 'ansible.module_utils._internal._datatag._AnsibleTagged{kind}'>"
            );
            return self.report(problem, found(node), &node.span, None);
        }
        if matches!(shape, Shape::Defaults) {
            let problem = "The field 'module_defaults' is supposed to be a dictionary or list of dictionaries, the keys of \
                           which must be static action, module, or group names. Only the values may contain templates. For \
                           example: {'ping': \"{{ ping_defaults }}\"}";
            return self.report(problem, found(node), &node.span, None);
        }
        let (expected, help) = match shape {
            Shape::Bool => ("a boolean", Some(format!("write `{name}: true` or `{name}: false`"))),
            Shape::Whole => ("a whole number", None),
            Shape::Number => ("a number", None),
            Shape::Text | Shape::Defaults | Shape::Any => ("text", None),
            Shape::Words => ("text or a list of strings", None),
            Shape::Condition => ("an expression", None),
            Shape::Variable => ("a variable name", None),
            Shape::Variables => (
                "a mapping",
                matches!(node.kind, Kind::Seq(_)).then(|| "write `name: value` lines without dashes".to_owned()),
            ),
            Shape::Environment => ("a mapping", None),
            Shape::Order => {
                let near = node.as_str().and_then(|text| nearest(text, ORDERS));
                let help = near.map(|near| format!("did you mean `{near}`?"));
                ("inventory, reverse_inventory, sorted, reverse_sorted or shuffle", help)
            }
            Shape::Debugger => {
                let near = node.as_str().and_then(|text| nearest(text, DEBUGGERS));
                let help = near.map(|near| format!("did you mean `{near}`?"));
                ("always, never, on_failed, on_unreachable or on_skipped", help)
            }
            Shape::Files => ("a file or a list of files", None),
        };
        self.misfit(name, shape, format!("`{name}`"), expected, node, help);
    }

    /// As in ansible-core, tags are text or a list, which may contain lists; `tags:` alone is neither.
    fn check_tags(&mut self, node: &Node) {
        match &node.kind {
            Kind::Str(_) => {}
            Kind::Seq(items) => self.check_tags_in(items),
            _ => self.problems.push(ReadError::Tags { at: head(&node.span) }),
        }
    }

    fn check_tags_in(&mut self, items: &[Node]) {
        for item in items {
            match &item.kind {
                Kind::Seq(inner) => self.check_tags_in(inner),
                Kind::Map(_) => self.wrong_type("an item of `tags`".to_owned(), "text", item, None),
                _ => {}
            }
        }
    }

    /// A value of the wrong type: an error, or a warning if Ansible detects it only when the task runs.
    fn misfit(
        &mut self,
        keyword: &str,
        shape: Shape,
        name: String,
        expected: &'static str,
        node: &Node,
        help: Option<String>,
    ) {
        if !shape.is_read_late(keyword) {
            return self.wrong_type(name, expected, node, help);
        }
        let at = head(&node.span);
        self.foresee(&ReadError::WrongType { name, expected, found: found(node), at: at.clone(), help }, &at);
    }

    fn condition(&mut self, name: &str, node: &Node) {
        let help = match &node.kind {
            Kind::Map(entries) if entries.len() == 1 => entries.first().map(|(key, value)| {
                let written = key.span.to(&value.span);
                let written = written.text();
                format!(
                    "a colon makes this a mapping; quote the expression: `{name}: '{}'`",
                    written.replace('\'', "''")
                )
            }),
            _ => None,
        };
        self.misfit(name, Shape::Condition, format!("`{name}`"), "an expression", node, help);
    }

    fn variable_name(&mut self, name: &str, whose: &'static str, at: &Span) {
        let fits = name.chars().enumerate().all(|(place, c)| match place {
            0 => c == '_' || c.is_alphabetic(),
            _ => c == '_' || c.is_alphanumeric(),
        });
        if !fits || name.is_empty() {
            let plain: String = name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
            let also = match plain.starts_with(|c: char| c.is_ascii_digit()) || plain.is_empty() {
                true => String::new(),
                false => format!(", for example `{plain}`"),
            };
            self.problems.push(ReadError::VariableName { at: at.clone(), name: name.to_owned(), whose, also });
        }
    }
}
