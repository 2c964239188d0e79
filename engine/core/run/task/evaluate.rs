//! From an answer to a result: failed_when, changed_when, until, ignore_errors, no_log; and what follows
//! from it: register, notify, facts, counts.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rplay_modules::external::DEPRECATED;

use crate::run::conditions;
use crate::run::plays::play::Gone;
use crate::run::state::growth::Addition;
use crate::run::state::host::HostState;
use crate::run::steering;
use crate::run::task::iteration::Round;
use crate::run::task::prepare as unit;
use crate::run::task::register::{NO_TRACEBACK, gathers, register_value};
use crate::run::task::task_run::{CENSORED, TaskRun, censored, item};
use crate::run::{PlayRun, Run, data, lock, text_of};
use crate::{
    actions::{Answer, Effect, entries},
    event::{Event, HostResult, Item, Status},
    plan::{Action, Controller, Task},
    source::Span,
    template::{self, TemplateError},
    vars::{Layer, Scope, Value, mapping},
};

/// An answer with the task's own conditions applied.
pub(crate) struct Judged {
    pub result: HostResult,
    pub item: Option<Item>,
    /// What `register` keeps.
    pub registered: Value,
    pub changed: bool,
    pub failed: bool,
    pub no_log: bool,
    pub ignore_errors: bool,
    pub ignore_unreachable: bool,
    pub retry: Option<Retry>,
    /// `break_when` holds: no further items.
    pub stop: bool,
    pub effects: Vec<Effect>,
    /// Names to notify, rendered.
    pub notify: Vec<(String, Span)>,
}

/// Another attempt is due.
pub(crate) struct Retry {
    pub left: u32,
    pub delay: Duration,
}

impl Judged {
    /// Only now is it known whether the inventory was changed.
    fn note_new(&mut self, task: &Task, new: bool) {
        if new || self.result.status != Status::Changed || !task.changed_when.is_empty() {
            return;
        }
        self.changed = false;
        self.result.status = Status::Ok;
        let mut data = entries(&self.registered);
        data.insert("changed".into(), Value::from(false));
        self.registered = mapping(data);
        self.result.data = self.registered.clone();
        self.notify.clear();
    }

    /// Failed after all, for a reason that has its own place.
    fn fail(&mut self, msg: &str, at: Span) {
        self.failed = true;
        self.result.status = Status::Failed;
        self.result.data = mapping([("msg", Value::from(msg)), ("changed", Value::from(self.changed))]);
        self.result.place = Some(at);
        self.result.looped = false;
    }

    /// The result as it may be shown.
    pub fn shown(&self) -> HostResult {
        if self.no_log { censored(&self.result) } else { self.result.clone() }
    }
}

impl Run {
    /// Applies the task's conditions to an answer.
    pub(crate) fn judge(
        self: &Arc<Self>,
        task: &TaskRun,
        host: &Arc<HostState>,
        round: &Round<'_>,
        mut answer: Answer,
    ) -> Judged {
        let task_of = &task.task;
        // A task that was waited for; one that goes on by itself has said so.
        if task_of.asynchronous.is_some()
            && !answer.unreachable
            && answer.skipped.is_none()
            && !answer.data.iter().any(|(name, _)| &**name == "finished")
        {
            answer.set("ansible_job_id", unit::job_id());
            answer.set("started", true);
            answer.set("finished", true);
        }
        let tries = !task_of.until.is_empty() || task_of.retries.is_some();
        if tries && !answer.unreachable && answer.skipped.is_none() {
            answer.set("attempts", round.attempt);
        }
        let mut registered = register_value(task_of, &answer, round);
        let mut retry = None;
        let mut gave_up = false;
        let mut stop = false;
        let scope = self.judging_scope(task, host, round, &registered);
        if !answer.unreachable && answer.skipped.is_none() {
            let had = (answer.failed, answer.changed);
            if let Err(error) = conclude_conditions(&task.task, &scope, &mut answer) {
                answer.failed = true;
                answer.set("msg", error.to_string());
                answer.place = Some(error.at().clone());
            }
            if had != (answer.failed, answer.changed) || !task.task.failed_when.is_empty() {
                registered = register_value(task_of, &answer, round);
            }
            match self.until(task, host, round, &answer, &registered) {
                Ok(Verdict::Enough) => {}
                Ok(Verdict::Again(again)) => {
                    answer.set("retries", round.attempt + again.left);
                    retry = Some(again);
                }
                Ok(Verdict::GiveUp) => {
                    // Where `failed_when` decides, only the registered result is a failed one.
                    gave_up = true;
                    answer.failed |= task_of.failed_when.is_empty();
                    answer.set("attempts", round.attempt.saturating_sub(1).max(1));
                    registered = register_value(task_of, &answer, round);
                }
                Err(error) => {
                    answer.failed = true;
                    answer.set("msg", error.to_string());
                    answer.place = Some(error.at().clone());
                    registered = register_value(task_of, &answer, round);
                }
            }
            if !task.task.control.break_when.is_empty() && round.looped {
                let scope = self.judging_scope(task, host, round, &registered);
                match conditions::all_hold(&task.task.control.break_when, &scope) {
                    Ok(enough) => stop = enough,
                    Err(error) => {
                        stop = true;
                        answer.failed = true;
                        answer.set("msg", error.to_string());
                        answer.place = Some(error.at().clone());
                        registered = register_value(task_of, &answer, round);
                    }
                }
            }
        }
        if gave_up && !answer.failed {
            let mut fields = entries(&registered);
            fields.insert("failed".into(), Value::from(true));
            registered = mapping(fields);
        }
        let settings = &task.task.settings;
        let mut wrong = false;
        let mut flag = |keyword| match conditions::flag(keyword, settings, &scope) {
            Ok(flag) => flag.unwrap_or(false),
            // What it asks for cannot be known: the task has failed, and nothing is ignored.
            Err(error) => {
                answer.failed |= !answer.unreachable;
                answer.set("msg", error.to_string());
                answer.place = Some(error.at().clone());
                wrong = true;
                false
            }
        };
        let ignore_errors = flag(conditions::IGNORE_ERRORS);
        let ignore_unreachable = flag(conditions::IGNORE_UNREACHABLE);
        if wrong {
            registered = register_value(task_of, &answer, round);
        }
        let no_log = self.hides(task_of, &scope);
        if !self.options.deprecation_warnings {
            answer.warnings.retain(|warning| !warning.starts_with(DEPRECATED));
        }
        let status = match () {
            () if answer.unreachable => Status::Unreachable,
            () if answer.failed => Status::Failed,
            () if answer.skipped.is_some() => Status::Skipped,
            () if answer.changed => Status::Changed,
            () => Status::Ok,
        };
        let label = match (&round.unit.item, &task.task.control.label) {
            (None, _) => Value::UNDEFINED,
            (Some(_), _) if no_log => CENSORED.into(),
            (Some(item), None) => item.clone(),
            (Some(item), Some(label)) => {
                let label = template::render(&label.value, &scope).ok();
                label.filter(|label| !crate::vars::is_omit(label)).unwrap_or_else(|| item.clone())
            }
        };
        let notify = match answer.changed && !answer.failed && !answer.unreachable {
            true => notified(&task.task, &scope),
            false => Vec::new(),
        };
        let place = (answer.failed || answer.unreachable).then(|| place(&task.task, &answer));
        Judged {
            result: HostResult {
                host: host.name.clone(),
                delegated_to: round.delegated.map(|host| host.name.clone()),
                status,
                // Of `debug` nothing is of interest but what it was to show.
                data: match task_of.action.controller() {
                    Some(Controller::Debug) if matches!(status, Status::Ok | Status::Changed) => {
                        mapping(answer.data.clone())
                    }
                    _ => registered.clone(),
                },
                diff: std::mem::take(&mut answer.diff),
                changes: std::mem::take(&mut answer.changes),
                warnings: std::mem::take(&mut answer.warnings),
                verbose_always: answer.verbose_always,
                looped: false,
                place,
                help: answer.help.take().map(Arc::from),
                elapsed: Duration::from_micros(answer.micros),
            },
            item: item(round.unit, label),
            registered,
            changed: answer.changed,
            failed: answer.failed,
            no_log,
            ignore_errors,
            ignore_unreachable,
            retry,
            stop,
            effects: std::mem::take(&mut answer.effects),
            notify,
        }
    }

    /// Whether nothing of the task's results may be shown. A `no_log` that cannot be rendered hides: to show would
    /// be the worse mistake.
    pub(crate) fn hides(&self, task: &Task, scope: &Arc<Scope>) -> bool {
        match conditions::flag(conditions::NO_LOG, &task.settings, scope) {
            Ok(flag) => flag.unwrap_or(self.options.no_log),
            Err(_) => true,
        }
    }

    fn judging_scope(
        self: &Arc<Self>,
        task: &TaskRun,
        host: &Arc<HostState>,
        round: &Round<'_>,
        registered: &Value,
    ) -> Arc<Scope> {
        let top = match (&task.task.register, &round.unit.top) {
            (None, top) => top.clone(),
            (Some(name), top) => {
                let mut layer = top.as_deref().cloned().unwrap_or_default();
                layer.insert(name.clone(), data(registered.clone()));
                Some(Arc::new(layer))
            }
        };
        let top = self.with_delegated(&task.play, top, round.delegated);
        self.scope(&task.play, host, Some(&task.task), top, self.options.check)
    }

    fn until(
        self: &Arc<Self>,
        task: &TaskRun,
        host: &Arc<HostState>,
        round: &Round<'_>,
        answer: &Answer,
        registered: &Value,
    ) -> Result<Verdict, TemplateError> {
        if task.task.until.is_empty() && task.task.retries.is_none() {
            return Ok(Verdict::Enough);
        }
        let scope = self.judging_scope(task, host, round, registered);
        let enough = match task.task.until.is_empty() {
            true => !answer.failed,
            false => conditions::all_hold(&task.task.until, &scope)?,
        };
        if enough {
            return Ok(Verdict::Enough);
        }
        let retries =
            conditions::own_number("retries", task.task.retries.as_ref(), &scope)?.unwrap_or(3.0).max(0.0) as u32;
        let delay = conditions::own_number("delay", task.task.delay.as_ref(), &scope)?.unwrap_or(5.0).max(0.0);
        if round.attempt > retries {
            return Ok(Verdict::GiveUp);
        }
        let left = retries + 1 - round.attempt;
        Ok(Verdict::Again(Retry { left, delay: Duration::try_from_secs_f64(delay).unwrap_or_default() }))
    }

    /// What a unit's answer does to the run: facts, variables, inventory.
    pub(crate) fn apply(
        self: &Arc<Self>,
        task: &TaskRun,
        host: &Arc<HostState>,
        delegated: Option<&Arc<HostState>>,
        judged: &mut Judged,
    ) {
        if judged.effects.is_empty() {
            return;
        }
        let scope = self.scope(&task.play, host, Some(&task.task), None, self.options.check);
        let delegate_facts =
            conditions::flag(conditions::DELEGATE_FACTS, &task.task.settings, &scope).ok().flatten().unwrap_or(false);
        let target = match (delegate_facts, delegated) {
            (true, Some(other)) => other,
            _ => host,
        };
        for effect in std::mem::take(&mut judged.effects) {
            match effect {
                Effect::SetFacts { vars, cacheable } => {
                    if cacheable {
                        let facts = vars.iter().filter_map(|(k, v)| Some((k.clone(), v.data()?)));
                        target.add_facts(facts.collect());
                    }
                    target.set(vars);
                }
                Effect::Facts(facts) => {
                    let gathered = gathers(&task.task);
                    let refused = match task.task.action.brings_facts() {
                        true => target.add_facts_from_host(facts, gathered),
                        // No agent of ours would say so.
                        false => target.refuse(facts.into_keys()),
                    };
                    if !refused.is_empty() {
                        self.warn(steering::warning(&host.name, &refused), None);
                    }
                    if gathered {
                        target.set_gathered(true);
                    }
                    if matches!(task.task.action, Action::External(_)) {
                        // What was made ready before may read them.
                        self.forget_sent(host);
                    }
                }
                Effect::IncludeVars(vars) => target.include(vars),
                Effect::AddHost { name, groups, vars } => {
                    let new = self.add_host(&task.play, &name, &groups, vars);
                    judged.note_new(&task.task, new);
                }
                Effect::GroupBy { group, parents } => {
                    let new = self.group_by(&task.play, host, &group, &parents);
                    judged.note_new(&task.task, new);
                }
                Effect::Stats { data, per_host, aggregate } => {
                    let hidden = |(name, _)| (name, Value::from(CENSORED));
                    let data = match judged.no_log {
                        true => data.into_iter().map(hidden).collect(),
                        false => data.into_iter().collect(),
                    };
                    self.add_stats(&host.name, data, per_host, aggregate);
                }
            }
        }
    }

    /// Says whether the inventory has changed; so does `group_by`.
    fn add_host(&self, play: &PlayRun, name: &str, groups: &[String], vars: Layer) -> bool {
        let addition = Addition::Host { name: name.to_owned(), groups: groups.to_vec(), vars };
        let new = self.change_inventory(|inventory| addition.apply(inventory)).unwrap_or(false);
        self.keep(addition);
        self.refresh_layers(&play.play.folder);
        new
    }

    fn group_by(&self, play: &PlayRun, host: &HostState, group: &str, parents: &[String]) -> bool {
        let addition =
            Addition::Group { name: group.to_owned(), parents: parents.to_vec(), host: host.name.to_string() };
        match self.change_inventory(|inventory| addition.apply(inventory)) {
            Ok(new) => {
                self.keep(addition);
                self.refresh_layers(&play.play.folder);
                new
            }
            Err(error) => {
                self.warn(error.to_string(), None);
                false
            }
        }
    }

    /// Ends a task on a host: registers, counts, notifies, tells. True when the host failed.
    pub(crate) fn conclude(
        self: &Arc<Self>,
        task: &TaskRun,
        host: &Arc<HostState>,
        mut judged: Judged,
        elapsed: Duration,
    ) -> bool {
        judged.result.elapsed = elapsed;
        if let Some(name) = &task.task.register {
            host.set([(name.clone(), data(judged.registered.clone()))]);
        }
        let name = &host.name;
        for (handler, at) in std::mem::take(&mut judged.notify) {
            if let Err(problem) = self.notify(&task.play, host, &handler) {
                judged.fail(&problem, at);
            }
        }
        let mut failed = false;
        if judged.result.status == Status::Unreachable {
            task.unreachable.store(true, Ordering::Release);
        }
        match judged.result.status {
            Status::Unreachable if judged.ignore_unreachable => {
                judged.result.status = Status::UnreachableIgnored;
                self.count(name, |counts| {
                    counts.ok += 1;
                    counts.ignored += 1;
                });
            }
            Status::Unreachable => {
                task.play.leave(name, Gone::Unreachable);
                task.play.remove(name);
                lock(&self.losses).add_unreachable(name.clone());
                self.count(name, |counts| counts.unreachable += 1);
            }
            Status::Failed if judged.ignore_errors => {
                judged.result.status = Status::Ignored;
                self.count(name, |counts| {
                    counts.ok += 1;
                    counts.ignored += 1;
                    counts.changed += u32::from(judged.changed);
                });
            }
            Status::Failed => {
                failed = true;
                self.fail(&task.play, host);
                self.note_failure(host, about(task), judged.registered.clone());
            }
            Status::Skipped => self.count(name, |counts| counts.skipped += 1),
            Status::Ok | Status::Changed | Status::Ignored | Status::UnreachableIgnored => {
                self.count(name, |counts| {
                    counts.ok += 1;
                    counts.changed += u32::from(judged.changed);
                });
            }
        }
        if let Some(role) = &task.task.role
            && !matches!(judged.result.status, Status::Skipped | Status::Unreachable | Status::UnreachableIgnored)
        {
            host.ran_in_role(&role.identity);
        }
        self.send(Event::HostDone { task: task.id, result: judged.shown() });
        failed
    }
}

enum Verdict {
    Enough,
    Again(Retry),
    GiveUp,
}

/// `changed_when` and `failed_when`.
fn conclude_conditions(task: &Task, scope: &Arc<Scope>, answer: &mut Answer) -> Result<(), TemplateError> {
    if !task.changed_when.is_empty() {
        answer.changed = conditions::all_hold(&task.changed_when, scope)
            .inspect_err(|error| answer.set("changed_when_result", error.to_string()))?;
    }
    if !task.failed_when.is_empty() {
        let failed = conditions::all_hold(&task.failed_when, scope)
            .inspect_err(|error| answer.set("failed_when_result", error.to_string()))?;
        if answer.failed && !failed {
            answer.set("failed_when_suppressed_exception", NO_TRACEBACK);
        }
        answer.failed = failed;
        answer.set("failed_when_result", failed);
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

/// Where to point when a task failed: at the argument to blame, or at the task's first line.
fn place(task: &Task, answer: &Answer) -> Span {
    if let Some(place) = &answer.place {
        return place.clone();
    }
    if let Some(argument) = answer.blame.as_deref().and_then(|name| task.args.named.get(name)) {
        return argument.span.clone();
    }
    let first_line = task.span.text().lines().next().map_or(0, str::len);
    task.span.at(task.span.start as usize..task.span.start as usize + first_line)
}

/// `ansible_failed_task`.
fn about(task: &TaskRun) -> Value {
    let name =
        task.task.name.as_ref().and_then(|name| name.value.data()).map_or_else(String::new, |name| text_of(&name));
    mapping([("name", Value::from(name)), ("action", Value::from(task.task.written.clone()))])
}
