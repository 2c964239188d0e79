//! Evaluates a result: failed_when, changed_when, until, ignore_errors, no_log; and its effects: register, notify,
//! facts, counts.

use std::{sync::Arc, time::Duration};

use rplay_contract::{
    external::DEPRECATED,
    module_result::{NO_TRACEBACK, UNKNOWN_ERROR},
};

use crate::{
    actions::{Effect, TaskResult, entries, text_of},
    event::{Delegate, HostResult, Status},
    plan::{Field, Task},
    run::{
        conditions,
        lookahead::rules,
        state::{host::HostState, run::Run},
        task::{
            diffs,
            evaluated::{CENSORED, Evaluated, Retry, item, status},
            iteration::{Attempt, Iteration},
            messages,
            prepare::{job_id, seconds},
            register::{Included, add_loop_fields, register_value},
            task_run::TaskRun,
        },
    },
    source::Span,
    template::{self, TemplateError},
    vars::{Lazy, Scope, Value, mapping},
};

impl Run {
    /// Applies the task's conditions to a result.
    pub(crate) fn evaluate(
        self: &Arc<Self>,
        task: &TaskRun,
        host: &Arc<HostState>,
        attempt: &Attempt<'_>,
        mut result: TaskResult,
    ) -> Evaluated {
        let task_of = &task.task;
        if messages::are_of(&task_of.action) {
            messages::read(&task_of.action, self.reading(), &mut result);
        }
        if let Some(why) = &mut result.skipped
            && let Some(rest) = why.strip_prefix(&*format!("remote module ({}) ", task_of.action.name()))
        {
            // As in ansible-core, the module has the name that the task writes.
            *why = format!("remote module ({}) {rest}", task_of.written).into();
        }
        // Whether it was done at all.
        let refused =
            |msg: &str| msg.strip_prefix("Task failed: ").is_some_and(|why| !why.starts_with("Action failed"));
        let begun =
            !result.unbegun && !result.raised && !result.data.get("msg").and_then(Value::as_str).is_some_and(refused);
        // For a polled job; a background job has reported this already. Actions of the controller refuse to be one. What
        // check mode skips was a job, what a condition skips was not.
        let polled = task_of.asynchronous.is_some()
            && task_of.action.may_be_async()
            && begun
            && !result.unreachable
            && (result.skipped.is_none() || result.micros > 0)
            && !result.data.contains_key("finished")
            && seconds(task_of, &self.evaluation_scope(task, host, attempt, Lazy::Data(Value::UNDEFINED)))
                .is_ok_and(|time| time.is_some());
        let is_late = result.data.contains_key("async_result");
        if polled && !is_late {
            let id = job_id();
            result.set("results_file", self.results_file(&id));
            result.set("ansible_job_id", id);
            result.set("started", true);
            result.set("finished", true);
        }
        // What was refused has not run.
        let polled = polled && result.micros > 0;
        if polled && !is_late {
            for (name, lines) in [("stdout", "stdout_lines"), ("stderr", "stderr_lines")] {
                result.data.entry(name.into()).or_insert_with(|| "".into());
                result.data.entry(lines.into()).or_insert_with(|| Value::from(Vec::<Value>::new()));
            }
        }
        if task_of.tries() && begun && !result.unreachable && result.skipped.is_none() {
            result.set("attempts", attempt.number);
        }
        // Whole files may be in it, so it is made once, however often the conditions change the rest.
        let diff = diffs::value(result.data.get("diff"), &result.diff);
        diffs::as_registered(diff.as_ref(), &mut result.diff);
        let mut registered = register_value(task_of, &result, diff.as_ref(), attempt);
        let included = Included::of(&result.effects);
        let mut retry = None;
        let mut gave_up = false;
        let mut stop = false;
        let mut broken = None;
        let scope = self.evaluation_scope(task, host, attempt, included.within(&registered));
        let is_done = !result.unreachable && result.skipped.is_none();
        // As in Ansible, no condition changes what became of a task that did not begin.
        if is_done && begun {
            let had = (result.failed, result.changed);
            if let Err(error) = apply_conditions(&task.task, &scope, &mut result) {
                // As in Ansible, the message stays the module's own; the result says what is wrong with the condition.
                if !had.0 {
                    result.data.entry("msg".into()).or_insert_with(|| UNKNOWN_ERROR.into());
                }
                result.failed = true;
                result.place = Some(error.at().clone());
                result.help = Some(error.to_string().into());
            }
            if had != (result.failed, result.changed) || !task.task.failed_when.is_empty() {
                registered = register_value(task_of, &result, diff.as_ref(), attempt);
            }
            match self.until(task, host, attempt, &result, included.within(&registered)) {
                Ok(Verdict::Enough) => {}
                Ok(Verdict::Single) => {
                    result.data.shift_remove("attempts");
                    registered = register_value(task_of, &result, diff.as_ref(), attempt);
                }
                Ok(Verdict::Again(again)) => {
                    result.set("retries", attempt.number + again.left);
                    registered = register_value(task_of, &result, diff.as_ref(), attempt);
                    retry = Some(again);
                }
                Ok(Verdict::GiveUp) => {
                    // If `failed_when` decides, only the registered result is marked as failed.
                    gave_up = true;
                    result.failed |= task_of.failed_when.is_empty();
                    result.set("attempts", attempt.number.saturating_sub(1).max(1));
                    registered = register_value(task_of, &result, diff.as_ref(), attempt);
                }
                // As in Ansible, nothing is left of what the module returned.
                Err(error) => {
                    result = TaskResult::of_error(&error);
                    registered = register_value(task_of, &result, None, attempt);
                }
            }
        }
        if is_done && !task.task.control.break_when.is_empty() && attempt.looped {
            let scope = self.evaluation_scope(task, host, attempt, included.within(&registered));
            match conditions::all_hold(&task.task.control.break_when, &scope) {
                Ok(enough) => stop = enough,
                // As in Ansible, the task fails as a whole, and nothing is left of its items.
                Err(error) => {
                    stop = true;
                    let result = TaskResult::of_loop_control(&error);
                    let iteration = Iteration::default();
                    let alone =
                        Attempt { iteration: &iteration, number: 1, looped: false, delegated: attempt.delegated };
                    let mut fields = entries(&register_value(task_of, &result, None, &alone));
                    fields.shift_remove("changed");
                    broken = Some(Box::new((mapping(fields), result)));
                }
            }
        }
        if gave_up && !result.failed {
            let mut fields = entries(&registered);
            fields.insert("failed".into(), Value::from(true));
            registered = mapping(fields);
        }
        let settings = &task.task.settings;
        let mut wrong = false;
        let has_diff = !result.diff.is_empty();
        let mut flag = |keyword| match conditions::flag(keyword, settings, &scope) {
            Ok(flag) => flag.unwrap_or(false),
            // The condition cannot be evaluated: the task fails.
            Err(error) => {
                let failed = result.failed || !result.unreachable;
                result.fail_by(&error);
                result.failed = failed;
                wrong = true;
                // As in Ansible, which then takes it as it is written.
                keyword.1(settings).and_then(|field| field.value.data()).is_none_or(|value| value.is_true())
            }
        };
        let ignore_errors = flag(conditions::IGNORE_ERRORS);
        let ignore_unreachable = flag(conditions::IGNORE_UNREACHABLE);
        // As in ansible-core, `diff: false` at a task does not hide what a module tells of its own accord.
        let shows_diff = self.options.diff || has_diff && flag(conditions::DIFF);
        if wrong {
            registered = register_value(task_of, &result, diff.as_ref(), attempt);
        }
        let no_log = result.no_log || self.hides(task_of, &scope);
        if attempt.iteration.item.is_some()
            && let Some(label) = &task_of.control.label
            && let Err(error) = template::render(&label.value, &scope)
            && retry.is_none()
        {
            result.failed = true;
            result.set("msg", format!("Failed to template loop_control.label: {error}"));
            registered = register_value(task_of, &result, diff.as_ref(), attempt);
        }
        if !self.options.deprecation_warnings {
            result.warnings.retain(|warning| !warning.starts_with(DEPRECATED));
        }
        let status = status(&result);
        let label = match (&attempt.iteration.item, &task.task.control.label) {
            (None, _) => Value::UNDEFINED,
            (Some(_), _) if no_log => CENSORED.into(),
            (Some(item), None) => item.clone(),
            // As in Ansible, `label: ""` is none, unlike a template whose value is empty.
            (Some(item), Some(label)) if label.value.data().is_some_and(|label| !label.is_true()) => item.clone(),
            (Some(item), Some(label)) => match template::render(&label.value, &scope) {
                Ok(label) if crate::vars::is_omit(&label) => item.clone(),
                Ok(label) => label,
                // The item itself may be what the label was to hide.
                Err(_) => Value::from(()),
            },
        };
        // As in ansible-core, what changes only the inventory notifies nobody.
        let of_inventory = |effect: &Effect| matches!(effect, Effect::AddHost { .. } | Effect::GroupBy { .. });
        let tells = !result.effects.iter().any(of_inventory);
        let notify = match tells && result.changed && !result.failed && !result.unreachable {
            true => {
                let more = result.notify.drain(..).map(|name| (name, task_of.span.clone()));
                notified(&task.task, &scope).into_iter().chain(more).collect()
            }
            false => Vec::new(),
        };
        result.place = (result.failed || result.unreachable).then(|| place(&task.task, &result));
        Evaluated {
            report: HostResult {
                delegated_to: attempt.delegated.map(|other| Delegate {
                    name: other.name.clone(),
                    address: self.address_of(task, other).filter(|address| *address != other.name),
                }),
                data: match task_of.action.controller() {
                    Some(entry) if entry.shows_data_alone && matches!(status, Status::Ok | Status::Changed) => {
                        let mut fields = result.data.clone().into_entries();
                        add_loop_fields(&mut fields, attempt);
                        mapping(fields)
                    }
                    _ => registered.clone(),
                },
                shows_diff,
                polled,
                silent: task_of.action.traits().is_silent || result.silent,
                elapsed: Duration::from_micros(result.micros),
                ..HostResult::of(host.name.clone(), status, result)
            },
            item: item(attempt.iteration, label),
            registered,
            included,
            no_log,
            ignore_errors,
            ignore_unreachable,
            retry,
            stop,
            broken,
            notify,
        }
    }

    /// Whether the task's results must not be shown. If `no_log` cannot be rendered, they are hidden, since showing
    /// them would be the worse mistake.
    pub(crate) fn hides(&self, task: &Task, scope: &Arc<Scope>) -> bool {
        match conditions::flag(conditions::NO_LOG, &task.settings, scope) {
            Ok(flag) => flag.unwrap_or(self.options.no_log),
            Err(_) => true,
        }
    }

    fn evaluation_scope(
        self: &Arc<Self>,
        task: &TaskRun,
        host: &Arc<HostState>,
        attempt: &Attempt<'_>,
        registered: Lazy,
    ) -> Arc<Scope> {
        let top = match (&task.task.register, &attempt.iteration.top) {
            (None, top) => top.clone(),
            (Some(name), top) => {
                let mut layer = top.as_deref().cloned().unwrap_or_default();
                layer.insert(name.value.clone(), registered);
                Some(Arc::new(layer))
            }
        };
        let top = self.with_delegated(&task.play, host, &task.task, top, attempt.delegated, None);
        self.begun_scope(&task.play, host, &task.task, top, None)
    }

    /// The variable `ansible_host` of the host that ran the task instead.
    fn address_of(self: &Arc<Self>, task: &TaskRun, other: &Arc<HostState>) -> Option<Arc<str>> {
        let scope = self.scope(&task.play, other, Some(&task.task), None);
        let address = template::render(&scope.find("ansible_host")?, &scope).ok()?;
        Some(text_of(&address)).filter(|address| !address.is_empty()).map(Arc::from)
    }

    fn until(
        self: &Arc<Self>,
        task: &TaskRun,
        host: &Arc<HostState>,
        attempt: &Attempt<'_>,
        result: &TaskResult,
        registered: Lazy,
    ) -> Result<Verdict, TemplateError> {
        if !task.task.tries() {
            return Ok(Verdict::Enough);
        }
        let scope = self.evaluation_scope(task, host, attempt, registered);
        let retries = conditions::own_number("retries", task.task.retries.as_ref(), &scope)?.unwrap_or(3.0);
        // As in Ansible, nothing is repeated then, and `until` does not matter.
        if retries < 1.0 {
            return Ok(Verdict::Single);
        }
        let retries = retries as u32;
        let enough = match task.task.until.is_empty() {
            true => !result.failed,
            false => conditions::all_hold(&task.task.until, &scope)?,
        };
        if enough {
            return Ok(Verdict::Enough);
        }
        let delay = conditions::own_number("delay", task.task.delay.as_ref(), &scope)?.unwrap_or(5.0).max(0.0);
        if attempt.number > retries {
            return Ok(Verdict::GiveUp);
        }
        let left = retries + 1 - attempt.number;
        Ok(Verdict::Again(Retry { left, delay: Duration::try_from_secs_f64(delay).unwrap_or_default() }))
    }
}

enum Verdict {
    Enough,
    /// There are no attempts to count.
    Single,
    Again(Retry),
    GiveUp,
}

/// `changed_when` and `failed_when`.
fn apply_conditions(task: &Task, scope: &Arc<Scope>, result: &mut TaskResult) -> Result<(), TemplateError> {
    if !task.changed_when.is_empty() {
        result.data.shift_remove("changed");
        result.changed = conditions::all_hold(&task.changed_when, scope)
            .inspect_err(|error| result.set("changed_when_result", error.to_string()))?;
    }
    if !task.failed_when.is_empty() {
        let failed = conditions::all_hold(&task.failed_when, scope)
            .inspect_err(|error| result.set("failed_when_result", error.to_string()))?;
        let in_words = task.action.controller().is_some_and(|entry| entry.fails_in_words) && result.micros == 0;
        let says = |result: &TaskResult, text| result.data.get("msg").is_some_and(|msg| msg.as_str() == Some(text));
        match (result.failed, failed) {
            // It failed by its exit code alone: ansible-core then raises nothing, and says nothing.
            (true, false) if says(result, UNKNOWN_ERROR) => drop(result.data.shift_remove("msg")),
            (true, false) if in_words || result.by_action => {}
            (true, false) => result.set("failed_when_suppressed_exception", NO_TRACEBACK),
            (false, true) if !result.data.contains_key("msg") => result.set("msg", UNKNOWN_ERROR),
            _ => {}
        }
        result.failed = failed;
        result.data.shift_remove("failed");
        result.set("failed_when_result", failed);
    }
    Ok(())
}

fn notified(task: &Task, scope: &Arc<Scope>) -> Vec<(String, Span)> {
    let mut names = Vec::new();
    for field in task.notify.iter().chain(&task.settings.notify) {
        match template::render(&field.value, scope) {
            Ok(value) if value.as_str().is_none() && value.kind() == minijinja::value::ValueKind::Seq => {
                names.extend(value.try_iter().into_iter().flatten().map(|name| (text_of(&name), field.span.clone())));
            }
            Ok(value) => names.push((text_of(&value), field.span.clone())),
            Err(_) => names.push((field.span.text().to_owned(), field.span.clone())),
        }
    }
    names
}

/// Where to point when a task failed: at the responsible argument, or at the task's first line.
fn place(task: &Task, result: &TaskResult) -> Span {
    if let Some(place) = &result.place {
        return place.clone();
    }
    if let Some(argument) = result.blame.as_deref().and_then(|name| task.args.named.get(name)) {
        return argument.span.clone();
    }
    let first_line = task.span.text().lines().next().map_or(0, str::len);
    task.span.at(task.span.start as usize..task.span.start as usize + first_line)
}

/// Whether conditions and keywords that are evaluated with the result contain templates or expressions.
pub(crate) fn may_read(task: &Task) -> bool {
    let settings = &task.settings;
    let control = &task.control;
    let fields = [
        &task.retries,
        &task.delay,
        &control.label,
        &settings.no_log,
        &settings.ignore_errors,
        &settings.ignore_unreachable,
    ];
    let conditions = [&task.changed_when, &task.failed_when, &task.until, &control.break_when];
    let is_open = |field: &Field| field.value.data().is_none();
    !conditions.into_iter().flatten().all(rules::is_constant)
        || fields.into_iter().flatten().any(is_open)
        || task.notify.iter().chain(&settings.notify).any(is_open)
}
