//! The loop of a task.

use super::{
    ReadError,
    keywords::Place,
    play::given,
    reader::{Reader, found, head},
    shape::is_template,
};
use crate::{
    source::nearest,
    syntax::{Action, Kind, Loop, LoopControl, Node, Word, builtin_name},
};

impl Reader<'_> {
    pub(super) fn set_loop(&mut self, looped: &mut Option<Loop>, lookup: Option<Word>, key: &Word, items: Node) {
        if items.is_null() {
            // As in Ansible, an empty `loop:` is ignored.
            if lookup.is_some() {
                self.problems.push(ReadError::Loop {
                    problem: format!("you must specify a value when using {}", key.value),
                    at: key.span.clone(),
                    label: "nothing to loop over",
                    help: "write a list below it",
                });
            }
            return;
        }
        if let Some(lookup) = &lookup {
            let short = builtin_name(lookup);
            let lookups = self.modules.lookups();
            // Lookups of collections are searched for when the task runs.
            let is_known = lookups.contains(&short)
                || short == &*lookup.value && lookup.contains('.')
                || self.modules.has_lookup(short);
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
        // As in Ansible, a `loop` after a `with_*` replaces its terms.
        let lookup = match (looped.take(), lookup) {
            (None, lookup) => lookup,
            (Some(former), None) => former.lookup,
            (Some(_), Some(lookup)) => {
                self.problems.push(ReadError::Loop {
                    problem: format!("duplicate loop in task: {}", lookup.value),
                    at: key.span.clone(),
                    label: "another loop",
                    help: "keep one of them",
                });
                Some(lookup)
            }
        };
        *looped = Some(Loop { lookup, items });
    }

    pub(super) fn loop_control(&mut self, node: Node) -> LoopControl {
        let mut control = LoopControl::default();
        if !matches!(node.kind, Kind::Map(_)) {
            let problem = "the `loop_control` value must be specified as a dictionary and cannot be a variable itself \
                           (though it can contain variables)";
            self.report(problem, found(&node), &node.span, None);
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

    /// Static imports and roles cannot loop.
    pub(super) fn static_loop(&mut self, action: &Action, looped: Option<&Loop>) {
        let name = builtin_name(&action.name.value);
        if let (Some(looped), "import_tasks" | "import_role") = (looped, name) {
            let help = match name {
                "import_tasks" => "use `include_tasks`, which is resolved during the run",
                _ => "use `include_role`, which is resolved during the run",
            };
            self.report(format!("`{name}` cannot loop"), "this loop", &looped.items.span, Some(help));
        }
    }
}
