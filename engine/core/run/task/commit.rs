//! The effects of a task's result: variables, facts, inventory, handlers, counts, events.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use indexmap::IndexMap;

use crate::{
    actions::Effect,
    event::{Event, Status},
    plan::{Action, PlanError, Task},
    run::{
        conditions,
        shorthand::data,
        state::{addition::Addition, host::HostState, play::HostExit, run::Run},
        steering::{self, GATHERED},
        task::{
            debugger::Debugged,
            evaluated::{CENSORED, Evaluated},
            messages,
            task_run::TaskRun,
        },
    },
    vars::{Lazy, Value},
};

impl Run {
    /// Applies the effects of a result to the run: facts, variables, inventory. Returns true if tasks prepared in
    /// advance may now have another result.
    pub(crate) fn apply_effects(
        self: &Arc<Self>,
        task: &TaskRun,
        host: &Arc<HostState>,
        delegated: Option<&Arc<HostState>>,
        result: &mut Evaluated,
    ) -> bool {
        if result.result().effects.is_empty() {
            return false;
        }
        let mut brings_facts = false;
        let scope = self.scope(&task.play, host, Some(&task.task), None);
        let delegate_facts =
            conditions::flag(conditions::DELEGATE_FACTS, &task.task.settings, &scope).ok().flatten().unwrap_or(false);
        let target = match (delegate_facts, delegated) {
            (true, Some(other)) => other,
            _ => host,
        };
        for effect in result.take_effects() {
            match effect {
                Effect::SetFacts { vars, cacheable } => {
                    let named = &task.task.args.named;
                    self.warn_of_reserved(vars.keys().filter_map(|name| Some((&**name, &named.get(name)?.name_span))));
                    if cacheable {
                        let facts = vars.iter().filter_map(|(k, v)| Some((k.clone(), v.data()?)));
                        let facts: IndexMap<_, _> = facts.collect();
                        self.cache_facts(&target.name, facts.clone());
                        target.add_facts(facts);
                    }
                    target.set(vars);
                }
                Effect::Facts(facts) => {
                    brings_facts = true;
                    let traits = task.task.action.traits();
                    let (gathered, facts) = (traits.gathers, facts.into_entries());
                    if self.options.fact_caching.is_some() && traits.brings_facts {
                        let complete =
                            (task.task.written.ends_with("gather_facts")).then(|| (GATHERED.into(), Value::from(true)));
                        let named =
                            |(name, value): (&Arc<str>, &Value)| (steering::variable_of(name, gathered), value.clone());
                        self.cache_facts(&target.name, facts.iter().map(named).chain(complete));
                    }
                    let refused = match traits.brings_facts {
                        true => target.add_facts_from_host(facts, gathered, self.options.inject_facts),
                        // Only a manipulated agent would send these.
                        false => target.refuse(facts.into_keys()),
                    };
                    // The result of content in Python names others itself.
                    let is_told = |name: &str| messages::are_of(&task.task.action) && steering::is_restricted(name);
                    let refused: Vec<_> = refused.into_iter().filter(|name| !is_told(name)).collect();
                    if !refused.is_empty() {
                        self.warn(steering::warning(&host.name, &refused), None);
                    }
                    if gathered {
                        if task.task.written.ends_with("gather_facts") {
                            target.add_facts([(GATHERED.into(), Value::from(true))].into_iter().collect());
                        }
                        target.set_gathered(true);
                    }
                }
                Effect::IncludeVars(vars) => {
                    // Names in files were warned about when the files were read.
                    let under = task.task.args.named.get("name").filter(|_| vars.len() == 1);
                    let name = vars.keys().next().zip(under);
                    self.warn_of_reserved(name.map(|(name, argument)| (&**name, &argument.span)));
                    target.include(vars);
                }
                Effect::AddHost { name, groups, vars } => {
                    let new = self.add_to_inventory(&task.play, Addition::Host { name, groups, vars });
                    result.note_new(&task.task, new);
                }
                Effect::GroupBy { group, parents } => {
                    let addition = Addition::Group { name: group, parents, host: host.name.to_string() };
                    let new = self.add_to_inventory(&task.play, addition);
                    result.note_new(&task.task, new);
                }
                Effect::Stats { data, per_host, aggregate } => {
                    let hidden = |(name, _)| (name, Value::from(CENSORED));
                    let data = match result.no_log {
                        true => data.into_iter().map(hidden).collect(),
                        false => data.into_iter().collect(),
                    };
                    self.add_stats(&host.name, data, per_host, aggregate);
                }
            }
        }
        // For other modules it is known in advance whether they bring facts.
        brings_facts && matches!(task.task.action, Action::External(_))
    }

    /// Ends a task on a host: registers, counts, notifies, reports. Returns true if the host failed.
    pub(crate) fn commit(
        self: &Arc<Self>,
        task: &TaskRun,
        host: &Arc<HostState>,
        mut result: Evaluated,
        elapsed: Duration,
    ) -> bool {
        result.report.elapsed = elapsed;
        let is_shown = match self.debug(task, host, &result) {
            Debugged::Nothing => false,
            Debugged::Shown => true,
            Debugged::Over => return false,
        };
        self.register(&task.task, host, result.variable());
        let name = &host.name;
        for (handler, at) in std::mem::take(&mut result.notify) {
            match self.notify(&task.play, host, &handler) {
                Err((msg, help)) if self.options.error_on_missing_handler => {
                    self.abort(&task.play, PlanError::EndsRun { msg, at, help }.into());
                    return true;
                }
                Err((msg, _)) => self.warn(msg, Some(at)),
                Ok(()) => {}
            }
        }
        let changed = result.result().changed;
        let mut failed = false;
        if result.report.status == Status::Unreachable {
            task.unreachable.store(true, Ordering::Release);
        }
        match result.report.status {
            Status::Unreachable if result.ignore_unreachable => {
                result.report.status = Status::UnreachableIgnored;
                self.count(name, |counts| {
                    counts.ok += 1;
                    counts.ignored += 1;
                });
            }
            Status::Unreachable => {
                task.play.leave(name, HostExit::Unreachable);
                task.play.remove(name);
                self.losses.lock().add_unreachable(name.clone());
                self.count(name, |counts| counts.unreachable += 1);
            }
            Status::Failed if result.ignore_errors => {
                result.report.status = Status::Ignored;
                self.count(name, |counts| {
                    counts.ok += 1;
                    counts.ignored += 1;
                    counts.changed += u32::from(changed);
                });
            }
            Status::Failed => {
                failed = true;
                self.fail(&task.play, host);
                if host.shelter().rescue {
                    let failed_task = self.failed_task(task, host);
                    self.note_failure(host, failed_task, result.registered.clone());
                }
            }
            Status::Skipped => self.count(name, |counts| counts.skipped += 1),
            Status::Ok | Status::Changed | Status::Ignored | Status::UnreachableIgnored => {
                self.count(name, |counts| {
                    counts.ok += 1;
                    counts.changed += u32::from(changed);
                });
            }
        }
        if let Some(role) = &task.task.role
            && !matches!(result.report.status, Status::Skipped | Status::Unreachable | Status::UnreachableIgnored)
        {
            host.ran_in_role(&role.identity);
        }
        if !is_shown {
            self.send(Event::HostDone { task: task.id, result: result.into_shown() });
        }
        failed
    }

    /// Sets the variable that a task registers, if it does.
    pub(crate) fn register(&self, task: &Task, host: &HostState, result: Lazy) {
        if let Some(name) = &task.register {
            self.warn_of_reserved([(name.value.as_ref(), &name.span)]);
            host.set([(name.value.clone(), result)]);
        }
    }

    /// Sets the variables that tell `rescue` and `always` what failed.
    pub(crate) fn note_failure(&self, host: &HostState, task: minijinja::Value, result: minijinja::Value) {
        host.set([("ansible_failed_task".into(), data(task)), ("ansible_failed_result".into(), data(result))]);
    }
}
