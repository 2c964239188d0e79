//! `debugger`: asks a person what to do with a task's result. The task may be run again, with other arguments or
//! variables.
//!
//! What is typed is an expression of Jinja over `task`, `task_vars`, `host` and `result`; Ansible reads Python here.
//! Literals, items and attributes are written the same in both.

use std::sync::{Arc, atomic::Ordering};

use crate::{
    event::{Event, Status},
    plan::{Argument, PlanError, Task},
    run::{
        conditions,
        shorthand::data,
        state::{host::HostState, play::PlayRun, run::Run},
        task::{
            evaluated::{CENSORED, Evaluated},
            task_run::{Again, TaskRun},
        },
    },
    source::{Source, Span, Spanned},
    template,
    vars::{Layer, Lazy, Scope, Value, mapping},
};

/// The commands and what they do.
const COMMANDS: [(&str, &str); 12] = [
    ("EOF", "Quit"),
    ("c", "Continue to next result"),
    ("continue", "Continue to next result"),
    ("h", "List the commands, or say what one does"),
    ("help", "List the commands, or say what one does"),
    ("p", "Print the value of an expression"),
    ("pprint", "Print the value of an expression"),
    ("q", "Quit"),
    ("quit", "Quit"),
    ("r", "Run the task again on this host"),
    ("redo", "Run the task again on this host"),
    ("u", "Take the task as it was written, with the variables that were changed"),
];

/// What became of a result.
pub(crate) enum Debugged {
    /// Nobody saw it.
    Nothing,
    /// It was shown, and counts.
    Shown,
    /// It does not count: the task is run again, or the run is over.
    Over,
}

/// What a person decides.
enum Verdict {
    Continue,
    Quit,
    Redo(Arc<Task>),
}

/// What a line asks for.
#[derive(Debug, PartialEq)]
enum Line<'l> {
    Continue,
    Quit,
    Redo,
    Update,
    Help(&'l str),
    Print(&'l str),
    /// Sets an item of the task's arguments or variables.
    Set(Whose, &'l str, &'l str),
    Delete(Whose, &'l str),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Whose {
    Args,
    Vars,
}

impl<'l> Line<'l> {
    fn of(line: &'l str) -> Self {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).map_or((line, ""), |(word, rest)| (word, rest.trim()));
        match word {
            "c" | "continue" if rest.is_empty() => Line::Continue,
            "q" | "quit" | "EOF" if rest.is_empty() => Line::Quit,
            "r" | "redo" if rest.is_empty() => Line::Redo,
            "u" | "update_task" if rest.is_empty() => Line::Update,
            "h" | "help" | "?" => Line::Help(rest),
            "p" | "pprint" => Line::Print(rest),
            "del" => match item(rest) {
                Some((whose, key, "")) => Line::Delete(whose, key),
                _ => Line::Print(line),
            },
            _ => match item(line).and_then(|(whose, key, rest)| Some((whose, key, rest.strip_prefix('=')?))) {
                Some((whose, key, value)) if !value.starts_with('=') => Line::Set(whose, key, value.trim()),
                _ => Line::Print(line),
            },
        }
    }
}

/// `task.args[KEY] REST`.
fn item(text: &str) -> Option<(Whose, &str, &str)> {
    let whose = [("task.args[", Whose::Args), ("task_vars[", Whose::Vars), ("task.vars[", Whose::Vars)];
    let (whose, rest) = whose.iter().find_map(|(start, whose)| Some((*whose, text.strip_prefix(start)?)))?;
    let (key, rest) = rest.split_once(']')?;
    Some((whose, key.trim(), rest.trim_start()))
}

impl Run {
    /// Shows a result to a person, if the task wants that.
    pub(crate) fn debug(self: &Arc<Self>, task: &TaskRun, host: &Arc<HostState>, result: &Evaluated) -> Debugged {
        let wanted = task.task.settings.debugger.is_some() || self.debugs_failures(&task.play);
        // What includes tasks has no result of its own.
        if !wanted || task.task.action.statement().is_some() {
            return Debugged::Nothing;
        }
        let scope = self.scope(&task.play, host, Some(&task.task), None);
        if !self.wants_debugger(task, &scope, result) {
            return Debugged::Nothing;
        }
        let mut shown = result.shown();
        if shown.status == Status::Failed && result.ignore_errors {
            shown.status = Status::Ignored;
        }
        self.send(Event::HostDone { task: task.id, result: shown });
        match self.verdict(task, host, result, &scope) {
            Verdict::Continue => Debugged::Shown,
            Verdict::Quit => {
                self.abort(&task.play, PlanError::Interrupted.into());
                Debugged::Over
            }
            Verdict::Redo(again) => {
                task.again.lock().push(Again { host: host.clone(), task: again });
                Debugged::Over
            }
        }
    }

    /// Whether a person looks at every failure of a play.
    pub(crate) fn debugs_failures(&self, play: &PlayRun) -> bool {
        self.options.debugger.enabled || play.debugs.load(Ordering::Acquire)
    }

    fn wants_debugger(&self, task: &TaskRun, scope: &Arc<Scope>, result: &Evaluated) -> bool {
        let options = self.options.debugger;
        let how = conditions::text(conditions::DEBUGGER, &task.task.settings, scope).ok().flatten();
        let failed = result.report.status == Status::Failed && !(options.passes_over_ignored && result.ignore_errors);
        let unreachable = result.report.status == Status::Unreachable;
        match how.as_deref() {
            Some("always") => true,
            Some("never") => false,
            Some("on_failed") if failed => true,
            Some("on_unreachable") if unreachable => true,
            Some("on_skipped") if result.report.status == Status::Skipped => true,
            _ => self.debugs_failures(&task.play) && (failed || unreachable),
        }
    }

    fn verdict(
        self: &Arc<Self>,
        run: &TaskRun,
        host: &Arc<HostState>,
        result: &Evaluated,
        scope: &Arc<Scope>,
    ) -> Verdict {
        let mut task = Task::clone(&run.task);
        let prompt = format!("[{}] TASK: {} (debug)> ", host.name, self.task_name(&task, scope));
        let mut changed = Layer::new();
        let mut last = String::new();
        loop {
            let Some(typed) = self.prompt.ask(&prompt, true) else { return Verdict::Quit };
            // As in Python's debuggers, an empty line repeats the last one.
            if !typed.trim().is_empty() {
                last = typed;
            }
            let here = Here { task: &task, host, result, scope, changed: &changed };
            let said = match Line::of(&last) {
                Line::Continue => return Verdict::Continue,
                Line::Quit => return Verdict::Quit,
                Line::Redo => {
                    if !changed.is_empty() {
                        let mut settings = (*task.settings).clone();
                        settings.params.insert(0, Arc::new(changed));
                        task.settings = Arc::new(settings);
                    }
                    return Verdict::Redo(Arc::new(task));
                }
                Line::Update => {
                    task.args = run.task.args.clone();
                    None
                }
                Line::Help(topic) => Some(help(topic)),
                Line::Print("") => None,
                Line::Print(expression) => match here.value(expression) {
                    Ok(value) => Some(template::repr(&value)),
                    Err(why) => Some(why),
                },
                Line::Set(whose, key, value) => match here.value(key).and_then(|key| Ok((key, here.value(value)?))) {
                    Ok((key, value)) => {
                        let (key, value) = (template::text(&key), given(&value));
                        match whose {
                            Whose::Vars => drop(changed.insert(key.into(), value)),
                            Whose::Args => {
                                let span = task.span.clone();
                                let argument = Argument { value, name_span: span.clone(), span };
                                task.args.named.insert(key.into(), argument);
                            }
                        }
                        None
                    }
                    Err(why) => Some(why),
                },
                Line::Delete(whose, key) => match here.value(key) {
                    Ok(key) => {
                        let key = template::text(&key);
                        match whose {
                            Whose::Vars => drop(changed.shift_remove(&*key)),
                            Whose::Args => {
                                task.args.named.shift_remove(&*key);
                                task.unknown.retain(|name| **name != *key);
                            }
                        }
                        None
                    }
                    Err(why) => Some(why),
                },
            };
            if let Some(text) = said {
                self.send(Event::Message { text: text.into() });
            }
        }
    }
}

/// A value that was typed: a text may be a template, since a person wrote it.
fn given(value: &Value) -> Lazy {
    match value.as_str() {
        Some(text) => {
            let source = Source::inline("debugger", text);
            Lazy::from_text(&Spanned { span: Span::new(&source, 0..text.len()), value: text.into() })
        }
        None => data(value.clone()),
    }
}

/// What expressions see.
struct Here<'h> {
    task: &'h Task,
    host: &'h Arc<HostState>,
    result: &'h Evaluated,
    scope: &'h Arc<Scope>,
    changed: &'h Layer,
}

impl Here<'_> {
    /// # Errors
    /// The line that says what is wrong with it.
    fn value(&self, expression: &str) -> Result<Value, String> {
        let written = |value: &Lazy| value.written().unwrap_or_default();
        let args = match self.result.no_log {
            true => Value::from(CENSORED),
            false => mapping(self.task.args.named.iter().map(|(name, arg)| (name.clone(), written(&arg.value)))),
        };
        let vars = self.task.settings.vars.iter().rev().flat_map(|layer| layer.iter());
        let name = self.task.name.as_ref().map(|name| written(&name.value)).unwrap_or_default();
        let task = mapping([
            ("name", name),
            ("action", Value::from(self.task.written.clone())),
            ("args", args),
            ("vars", mapping(vars.map(|(name, value)| (name.clone(), written(value))))),
        ]);
        let mut layers = vec![Arc::new(self.changed.clone())];
        layers.extend(self.scope.layers.iter().cloned());
        let all = Arc::new(Scope::new(layers, self.scope.magic.clone(), self.scope.directories.clone()));
        let names = Layer::from_iter([
            ("task".into(), data(task)),
            ("task_vars".into(), data(template::scope_value(all, template::Level::now()))),
            ("host".into(), data(self.host.name.clone())),
            ("result".into(), data(self.result.shown().data)),
        ]);
        let scope =
            Arc::new(Scope::new(vec![Arc::new(names)], self.scope.magic.clone(), self.scope.directories.clone()));
        let source = Source::inline("debugger", expression);
        let at = Span::new(&source, 0..expression.len());
        template::expression(expression, at, &scope).map_err(|error| format!("*** {error}"))
    }
}

fn help(topic: &str) -> String {
    match COMMANDS.iter().find(|(name, _)| *name == topic) {
        Some((_, purpose)) => (*purpose).to_owned(),
        None if topic.is_empty() => {
            let names = COMMANDS.map(|(name, _)| name).join("  ");
            let title = "Documented commands (type help <topic>):";
            format!("\n{title}\n{}\n{names}\n", "=".repeat(title.len()))
        }
        None => format!("*** No help on {topic}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_commands_assignments_or_expressions() {
        for (line, expected) in [
            ("c", Line::Continue),
            ("quit", Line::Quit),
            ("EOF", Line::Quit),
            ("redo", Line::Redo),
            ("u", Line::Update),
            ("help p", Line::Help("p")),
            ("p task.args", Line::Print("task.args")),
            ("task.args", Line::Print("task.args")),
            ("task.args['a'] = [1]", Line::Set(Whose::Args, "'a'", "[1]")),
            ("task_vars[\"x\"]=5", Line::Set(Whose::Vars, "\"x\"", "5")),
            ("task.args['a'] == 1", Line::Print("task.args['a'] == 1")),
            ("del task.args['a']", Line::Delete(Whose::Args, "'a'")),
            ("continue_it", Line::Print("continue_it")),
        ] {
            assert_eq!(Line::of(line), expected, "{line}");
        }
    }
}
