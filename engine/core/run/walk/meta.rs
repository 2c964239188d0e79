//! `meta`: acts on the run itself.

use std::sync::Arc;

use crate::{
    actions::text_of,
    event::{Event, HostResult, Status},
    plan::Task,
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
};

/// What is left to do after a meta task.
pub(crate) enum MetaResult {
    Done,
    /// It failed on these hosts.
    Failed(Hosts),
    /// These hosts are to run the handlers that were notified.
    Flush(Hosts),
}

impl Run {
    /// Carries a meta task out on hosts.
    pub(crate) fn meta(
        self: &Arc<Self>,
        facts: &dyn Facts,
        play: &Arc<PlayRun>,
        task: &Arc<Task>,
        hosts: &[Arc<HostState>],
        name: &str,
    ) -> MetaResult {
        let Some(first) = hosts.first() else { return MetaResult::Done };
        let scope = self.scope(play, first, Some(task), None, self.options.check);
        let Some(field) = task.args.free.clone().or_else(|| task.args.field("free_form")) else {
            return MetaResult::Done;
        };
        let word = match template::render(&field.value, &scope) {
            Ok(value) => text_of(&value),
            Err(error) => return self.fail_meta(hosts, &error.to_string(), &field.span),
        };
        // Where a meta task has conditions, they are asked of each host; of the first one when it acts on all.
        let for_all = matches!(word.trim(), "end_play" | "end_batch" | "clear_host_errors");
        let asked = if for_all { &hosts[..1] } else { hosts };
        let unconditional = matches!(word.trim(), "noop" | "refresh_inventory" | "reset_connection");
        if unconditional && !task.settings.when.is_empty() {
            self.warn(format!("{} task does not support when conditional", word.trim()), Some(task.span.clone()));
        }
        let conditions = if unconditional { &[][..] } else { task.settings.when.as_slice() };
        let mut willing = Hosts::new();
        let mut skipping = Vec::new();
        for host in asked {
            let holds = with_facts(facts, host, || {
                conditions::all_hold(conditions, &self.scope(play, host, Some(task), None, self.options.check))
            });
            match holds {
                Ok(true) => willing.push(host.clone()),
                Ok(false) => skipping.push(host.name.clone()),
                Err(error) => return self.fail_meta(std::slice::from_ref(host), &error.to_string(), error.at()),
            }
        }
        self.tell_skipped(play, task, name, skipping);
        if willing.is_empty() {
            return MetaResult::Done;
        }
        match word.trim() {
            "noop" => {}
            "flush_handlers" => return MetaResult::Flush(willing),
            "end_host" => play.end_hosts(willing.iter().map(|host| &host.name)),
            word @ ("end_play" | "end_batch") => {
                for host in play.batch.iter().filter_map(|name| self.host(name, play)) {
                    let lost = play.exit_of(&host.name).is_some_and(|why| why != HostExit::Ended);
                    // What failed stays so; where handlers are forced, Ansible forgets it.
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
            "clear_facts" => willing.iter().for_each(|host| host.clear_facts()),
            "refresh_inventory" => {
                if let Err(problems) = self.reload_inventory(play) {
                    let told: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
                    return self.fail_meta(hosts, &told.join("; "), &field.span);
                }
            }
            "reset_connection" => {
                for host in &willing {
                    let scope = self.scope(play, host, Some(task), None, self.options.check);
                    let settings = Some(&*task.settings);
                    match target(&host.name, settings, &scope, &scope, &self.options.connection) {
                        Ok(target) => self.links.reset(&target),
                        Err(fault) => self.warn(fault.to_string(), Some(task.span.clone())),
                    }
                }
            }
            other => return self.fail_meta(hosts, &format!("invalid meta action requested: {other}"), &field.span),
        }
        MetaResult::Done
    }

    /// Tells which hosts a condition leaves out. Nothing is counted, as in Ansible.
    fn tell_skipped(&self, play: &Arc<PlayRun>, task: &Arc<Task>, name: &str, hosts: Vec<Arc<str>>) {
        if hosts.is_empty() {
            return;
        }
        let run = TaskRun::new(self, play, task);
        self.start(&run, name.to_owned());
        for host in hosts {
            let result = HostResult::of(host, Status::Skipped);
            self.send(Event::HostDone { task: run.id, result });
        }
    }

    /// Leaves the role on these hosts: its remaining tasks are passed over.
    fn end_role(&self, task: &Task, hosts: &[Arc<HostState>]) {
        match &task.role {
            Some(role) => hosts.iter().for_each(|host| host.end_role(&role.identity)),
            None => self.warn("end_role stands outside any role", Some(task.span.clone())),
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
