//! `meta`: actions on the run itself.

use std::sync::{Arc, atomic::Ordering};

use crate::{
    actions::{TaskResult, text_of},
    event::{Event, HostResult, Status},
    plan::{PlanError, Task},
    run::{
        conditions,
        connection::target::target,
        facts::{Facts, with_facts},
        state::{
            host::{HostState, Hosts},
            play::{HostExit, PlayRun},
            run::Run,
        },
        task::task_run::TaskRun,
    },
    source::Span,
    template,
    vars::{Value, mapping},
};

/// What a meta task can be asked for.
const WORDS: &[&str] = &[
    "clear_facts",
    "clear_host_errors",
    "end_batch",
    "end_host",
    "end_play",
    "end_role",
    "flush_handlers",
    "noop",
    "refresh_inventory",
    "reset_connection",
];

/// What remains to be done after a meta task.
pub(crate) enum MetaResult {
    Done,
    /// It failed on these hosts.
    Failed(Hosts),
    /// These hosts must run their notified handlers.
    Flush(Hosts),
}

impl Run {
    /// Runs a meta task on hosts.
    pub(crate) fn meta(
        self: &Arc<Self>,
        facts: &dyn Facts,
        play: &Arc<PlayRun>,
        task: &Arc<Task>,
        hosts: &[Arc<HostState>],
        name: &str,
    ) -> MetaResult {
        let Some(first) = hosts.first() else { return MetaResult::Done };
        let scope = self.scope(play, first, Some(task), None);
        let field = task.args.free.clone().or_else(|| task.args.field("free_form"));
        let word = match &field {
            Some(field) => match template::render(&field.value, &scope) {
                Ok(value) => text_of(&value),
                Err(error) => return self.fail_meta(hosts, &error.to_string(), &field.span),
            },
            None => String::new(),
        };
        let word = match word.trim() {
            "" => "None",
            word => word,
        };
        if !WORDS.contains(&word) {
            self.start(&TaskRun::new(self, play, task), name.to_owned());
            let msg = format!("invalid meta action requested: {word}");
            self.abort(play, PlanError::EndsRun { msg, at: task.span.clone(), help: None }.into());
            return MetaResult::Done;
        }
        // Conditions of a meta task are evaluated for each host, or for the first one if the task acts on all.
        let for_all = matches!(word, "end_play" | "end_batch" | "clear_host_errors" | "clear_facts");
        let once = for_all || word == "refresh_inventory";
        let asked = if once { &hosts[..1] } else { hosts };
        let unconditional = matches!(word, "noop" | "refresh_inventory" | "reset_connection");
        if unconditional && !task.settings.when.is_empty() {
            self.warn(format!("{word} task does not support when conditional"), Some(task.span.clone()));
        }
        let conditions = if unconditional { &[][..] } else { task.settings.when.as_slice() };
        let mut willing = Hosts::new();
        for host in asked {
            let holds =
                with_facts(facts, host, || conditions::all_hold(conditions, &self.scope(play, host, Some(task), None)));
            let holds = match holds {
                Ok(holds) => holds,
                Err(error) => return self.fail_meta(std::slice::from_ref(host), &error.to_string(), error.at()),
            };
            // As in Ansible, each host has its own title; under strategy free only if the host skips the task.
            let run = TaskRun::new(self, play, task);
            if !holds || !play.free.load(Ordering::Acquire) {
                self.start(&run, name.to_owned());
            }
            let role = task.role.as_ref().map(|role| role.short_name());
            match holds {
                true => {
                    self.detail(done(word, &host.name));
                    willing.push(host.clone());
                }
                false => {
                    let why = passed_over(word, &host.name, role);
                    self.detail(Some(why.clone()));
                    let mut result = HostResult::of(host.name.clone(), Status::Skipped, TaskResult::skipped(word));
                    let msg = why.replace("evaluated to False", "evaluated to false");
                    result.data = mapping([("msg", Value::from(msg)), ("skip_reason", Value::from(why))]);
                    self.send(Event::HostDone { task: run.id, result });
                }
            }
        }
        if unconditional {
            willing = hosts.to_vec();
        }
        if willing.is_empty() {
            return MetaResult::Done;
        }
        match word {
            "flush_handlers" => return MetaResult::Flush(willing),
            "end_host" => play.end_hosts(willing.iter().map(|host| &host.name)),
            word @ ("end_play" | "end_batch") => {
                for host in play.batch.iter().filter_map(|name| self.host(name, play)) {
                    let lost = play.exit_of(&host.name).is_some_and(|why| why != HostExit::Ended);
                    // Failed hosts stay failed; as in Ansible, forced handlers clear the failure.
                    if !lost && (!host.has_failed() || play.force_handlers) {
                        play.end_hosts(std::iter::once(&host.name));
                    }
                }
                play.end_play.store(word == "end_play", std::sync::atomic::Ordering::Release);
                play.end();
            }
            "end_role" => self.end_role(task, &willing),
            "clear_host_errors" => {
                self.losses.lock().clear_unreachable(&play.batch);
                play.clear_errors();
                for host in play.batch.iter().filter_map(|name| self.host(name, play)) {
                    host.set_failed(false);
                }
            }
            "clear_facts" => hosts.iter().for_each(|host| self.clear_facts(host)),
            "refresh_inventory" => {
                if let Err(problems) = self.reload_inventory(play) {
                    let told: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
                    let at = field.as_ref().map_or(&task.span, |field| &field.span);
                    return self.fail_meta(hosts, &told.join("; "), at);
                }
            }
            "reset_connection" => {
                for host in &willing {
                    let scope = self.scope(play, host, Some(task), None);
                    let settings = Some(&*task.settings);
                    match target(&host.name, settings, &scope, &scope, &self.options.connection) {
                        Ok(target) => self.links.reset(&target),
                        Err(error) => self.warn(error.to_string(), Some(task.span.clone())),
                    }
                }
            }
            _ => {}
        }
        MetaResult::Done
    }

    /// Reports the outcome of a meta task, at high verbosity.
    fn detail(&self, text: Option<String>) {
        if let Some(text) = text.filter(|_| self.options.verbosity > 1) {
            self.send(Event::Verbose { text: format!("META: {text}").into() });
        }
    }

    /// Leaves the role on these hosts: its remaining tasks are skipped.
    fn end_role(&self, task: &Task, hosts: &[Arc<HostState>]) {
        match &task.role {
            Some(role) => hosts.iter().for_each(|host| host.end_role(&role.identity)),
            None => self.warn("end_role is used outside of a role", Some(task.span.clone())),
        }
    }

    fn fail_meta(&self, hosts: &[Arc<HostState>], message: &str, at: &Span) -> MetaResult {
        self.send(Event::Warning { message: message.into(), place: Some(at.clone()) });
        for host in hosts {
            self.count(&host.name, |counts| counts.failed += 1);
        }
        MetaResult::Failed(hosts.to_vec())
    }
}

/// What a meta task does on a host, in Ansible's words.
fn done(word: &str, host: &str) -> Option<String> {
    Some(match word {
        "noop" => "noop".to_owned(),
        "flush_handlers" => format!("triggered running handlers for {host}"),
        "refresh_inventory" => "inventory successfully refreshed".to_owned(),
        "clear_facts" => "facts cleared".to_owned(),
        "clear_host_errors" => "cleared host errors".to_owned(),
        "end_batch" => "ending batch".to_owned(),
        "end_play" => "ending play".to_owned(),
        "end_host" => format!("ending play for {host}"),
        "reset_connection" => "reset connection".to_owned(),
        _ => return None,
    })
}

/// Why a meta task is passed over on a host, in Ansible's words.
fn passed_over(word: &str, host: &str, role: Option<&str>) -> String {
    let then = match word {
        "flush_handlers" => format!(", not running handlers for {host}"),
        "clear_facts" => format!(", not clearing facts and fact cache for {host}"),
        "clear_host_errors" => format!(", not clearing host error state for {host}"),
        "end_batch" => ", continuing current batch".to_owned(),
        "end_play" => ", continuing play".to_owned(),
        "end_host" => format!(", continuing execution for {host}"),
        "end_role" => format!(", continuing role {} for {host}", role.unwrap_or_default()),
        _ => String::new(),
    };
    format!("{word} conditional evaluated to False{then}")
}
