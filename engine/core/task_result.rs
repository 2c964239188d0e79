//! The result of a task on a host: one type all the way from an action or an agent to the reports.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use indexmap::IndexMap;
use miette::Diagnostic;
use rplay_contract::wire::{self, Diff};

use crate::{
    source::{Problems, Span, span_of},
    template::TemplateError,
    vars::{Layer, Lines, Value, from_wire, mapping},
};

/// The result of a task, or of one item of it, on one host.
///
/// An action returns it, or it is made from a [`wire::Outcome`], which has its own value type because agents have no
/// templates. From then on, the same object is passed on. `run` applies the task's conditions to it, an event wraps it
/// ([`HostResult`](crate::event::HostResult)), and reports read it there.
///
/// Its data, differences and changes are shared: a clone costs the same whatever the host sent.
#[derive(Clone, Debug, Default)]
pub struct TaskResult {
    pub changed: bool,
    /// The reason, if nothing was done on purpose.
    pub skipped: Option<Arc<str>>,
    pub failed: bool,
    pub unreachable: bool,
    /// What the task returns. The value that `register` stores also has what all results have, such as `changed`.
    pub data: Fields,
    pub diff: Arc<[Diff]>,
    /// The changes made, or that would be made, as phrases.
    pub changes: Arc<[Arc<str>]>,
    pub warnings: Vec<Arc<str>>,
    /// The exact place of the cause of a failure, if known.
    pub place: Option<Span>,
    /// The argument that caused a failure, to locate it.
    pub blame: Option<Arc<str>>,
    /// How to fix a failure.
    pub help: Option<Arc<str>>,
    /// The task had not begun, for example because its loop cannot be evaluated: the message is complete.
    pub unbegun: bool,
    /// The action gave up before it did anything, which no condition of the task can change.
    pub raised: bool,
    /// The action itself says that it failed, not a module that it called.
    pub by_action: bool,
    /// Its data is not shown with the verbosity that shows all results.
    pub silent: bool,
    /// Shown even without `-v`, like the message of `debug`.
    pub verbose_always: bool,
    /// Hidden even without `no_log`: it comes from an encrypted file.
    pub no_log: bool,
    pub effects: Vec<Effect>,
    /// Warnings of templates that were rendered for it.
    pub template_warnings: Vec<TemplateWarning>,
    /// Handlers to notify in addition to those of the task.
    pub notify: Vec<String>,
    pub micros: u64,
}

/// A warning of a template.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateWarning {
    pub text: String,
    pub deprecated: bool,
}

/// Named values in order. Clones share them until one is changed.
#[derive(Clone, Debug, Default)]
pub struct Fields(Arc<IndexMap<Arc<str>, Value>>);

/// An effect of a task on the run itself.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Sets variables of the host, and facts too if they are to be cached.
    SetFacts {
        vars: Layer,
        cacheable: bool,
    },
    /// Facts from the host, without the prefix `ansible_`.
    Facts(Fields),
    IncludeVars(Layer),
    AddHost {
        name: String,
        groups: Vec<String>,
        vars: Layer,
    },
    GroupBy {
        group: String,
        parents: Vec<String>,
    },
    Stats {
        data: IndexMap<Arc<str>, Value>,
        per_host: bool,
        aggregate: bool,
    },
}

impl TaskResult {
    /// A failure with this message.
    pub fn failed(msg: impl Into<String>) -> Self {
        TaskResult::default().and_failed(msg)
    }

    /// The host became unreachable. As in ansible-core, that fails the task, not its module.
    pub fn unreachable(failure: wire::Failure) -> Self {
        TaskResult {
            unreachable: true,
            ..TaskResult::failed(format!("Task failed: {}", failure.msg)).with_help(failure.help)
        }
    }

    /// Nothing was done, for this reason.
    pub fn skipped(why: impl Into<Arc<str>>) -> Self {
        TaskResult { skipped: Some(why.into()), ..TaskResult::default() }
    }

    /// The task exceeded its time limit.
    pub fn timed_out(limit: Duration) -> Self {
        let seconds = limit.as_secs_f64();
        // Whole seconds stay an integer, as `timeout` was given.
        let period = if seconds.fract() == 0.0 { Value::from(seconds as u64) } else { Value::from(seconds) };
        let frame = "Configure `DISPLAY_TRACEBACK` to see a traceback on timeout errors.";
        let about = mapping([("frame", Value::from(frame)), ("period", period)]);
        TaskResult::failed(format!("Task failed: Timed out after {seconds} second(s).")).with("timedout", about)
    }

    /// A job that was waited for (`async`) exceeded its time limit.
    pub fn job_timed_out(limit: Duration, job: String, results_file: String) -> Self {
        let empty = || Value::from("");
        let none = || Value::from(Vec::<Value>::new());
        let about = mapping([
            ("ansible_job_id", Value::from(job)),
            ("results_file", results_file.into()),
            ("started", true.into()),
            ("finished", false.into()),
            ("stdout", empty()),
            ("stdout_lines", none()),
            ("stderr", empty()),
            ("stderr_lines", none()),
        ]);
        let seconds = limit.as_secs();
        let msg = format!("async task did not complete within the requested time - {seconds}s");
        TaskResult { micros: 1, ..TaskResult::failed(msg) }.with("async_result", about)
    }

    /// The failure of a task that read an invalid file; `at_hand` is the task's own place. Keeps the place and
    /// help of the first problem.
    pub fn of_problems(problems: &Problems, at_hand: &Span) -> Self {
        let mut result = TaskResult::failed(problems.told(at_hand));
        let first = problems.0.first();
        result.place = first.and_then(|problem| span_of(&**problem));
        result.help = first.and_then(|problem| problem.help()).map(|help| help.to_string().into());
        result
    }

    /// A failure because something could not be rendered.
    pub fn of_error(error: &TemplateError) -> Self {
        let mut result = TaskResult::default();
        result.fail_by(error);
        result.help = error.help().map(|help| help.to_string().into());
        result
    }

    /// A failure because the items of a loop could not be rendered.
    pub fn of_loop(error: &TemplateError) -> Self {
        let message = match error.undefined() {
            Some(_) => format!("Task failed: {error}"),
            None => error.to_string(),
        };
        TaskResult { unbegun: true, ..TaskResult::of_error(error) }.with("msg", message)
    }

    /// A failure because a keyword of `loop_control` is wrong.
    pub fn of_loop_control(error: &TemplateError) -> Self {
        TaskResult { unbegun: true, ..TaskResult::of_error(error) }.with("msg", error.to_string())
    }

    /// Turns it into a failure because something could not be rendered.
    pub fn fail_by(&mut self, error: &TemplateError) {
        self.failed = true;
        self.set("msg", format!("Task failed: {error}"));
        self.place = Some(error.at().clone());
    }

    pub fn and_failed(mut self, msg: impl Into<String>) -> Self {
        self.failed = true;
        self.set("msg", Value::from(msg.into()));
        self
    }

    pub fn with_help(mut self, help: Option<impl Into<Arc<str>>>) -> Self {
        self.help = help.map(Into::into);
        self
    }

    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.data.insert(key.into(), value.into());
    }

    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.set(key, value);
        self
    }

    /// The result of a call, from the agent's outcome.
    pub fn from_outcome(outcome: wire::Outcome) -> Self {
        let fields = |map: wire::Map| map.into_iter().map(|(name, value)| (name.into(), from_wire(value))).collect();
        let mut result = TaskResult {
            changed: outcome.changed,
            skipped: outcome.skipped.map(Arc::from),
            data: fields(outcome.data),
            diff: outcome.diff.into(),
            changes: outcome.changes.into_iter().map(Arc::from).collect(),
            warnings: outcome.warnings.into_iter().map(Arc::from).collect(),
            micros: outcome.micros,
            ..TaskResult::default()
        };
        if !outcome.facts.is_empty() {
            result.effects.push(Effect::Facts(fields(outcome.facts)));
        }
        if let Some(failure) = outcome.failure {
            result.failed = true;
            result.unreachable = failure.unreachable;
            result.blame = failure.arg.map(Arc::from);
            result.help = failure.help.map(Arc::from);
            result.data.entry("msg".into()).or_insert_with(|| failure.msg.into());
        }
        // Like Ansible, adds a list of lines right after the text.
        for (name, lines) in [("stdout", "stdout_lines"), ("stderr", "stderr_lines")] {
            if let Some((at, _, text)) = result.data.get_full(name)
                && text.as_str().is_some()
                && !result.data.contains_key(lines)
            {
                let text = Lines::of(text.clone());
                result.data.shift_insert(at + 1, lines.into(), text);
            }
        }
        result
    }
}

impl Fields {
    /// The mapping that templates see.
    pub fn value(&self) -> Value {
        mapping(self.iter().map(|(name, value)| (name.clone(), value.clone())))
    }

    /// The entries themselves; copied only if others share them.
    pub fn into_entries(self) -> IndexMap<Arc<str>, Value> {
        Arc::unwrap_or_clone(self.0)
    }
}

impl Deref for Fields {
    type Target = IndexMap<Arc<str>, Value>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Fields {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

impl FromIterator<(Arc<str>, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Value)>>(entries: I) -> Self {
        Fields(Arc::new(entries.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use rplay_contract::wire::data;

    use super::*;

    /// Data from a host exists only once, whatever its size: clones share it, and text becomes a value without a copy.
    #[test]
    fn a_clone_shares_data_differences_and_changes() {
        let outcome = wire::Outcome {
            data: data! { "stdout" => "x".repeat(100_000) },
            diff: vec![Diff::text("/f", "a", "b")],
            changes: vec!["write /f".to_owned()],
            facts: data! { "kernel" => "Linux" },
            ..wire::Outcome::default()
        };
        let result = TaskResult::from_outcome(outcome);
        let mut copy = result.clone();
        assert!(Arc::ptr_eq(&result.data.0, &copy.data.0));
        assert!(Arc::ptr_eq(&result.diff, &copy.diff) && Arc::ptr_eq(&result.changes, &copy.changes));
        let (Effect::Facts(facts), Effect::Facts(same)) = (&result.effects[0], &copy.effects[0]) else { panic!() };
        assert!(Arc::ptr_eq(&facts.0, &same.0));
        copy.set("attempts", 2);
        assert!(!result.data.contains_key("attempts"));
        let text = |result: &TaskResult| result.data["stdout"].as_str().unwrap().as_ptr();
        assert_eq!(text(&result), text(&copy), "another field does not copy the text");
        assert_eq!(result.data.keys().map(|name| &**name).collect::<Vec<_>>(), ["stdout", "stdout_lines"]);
    }
}
