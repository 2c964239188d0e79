//! `meta`: acts on the run itself.

use std::sync::Arc;

use super::{PlayRun, Run, conditions, connection, host::HostState, play::Gone, steps::Hosts, text_of};
use crate::{event::Event, plan::Task, source::Span, template};

impl Run {
    pub(super) fn meta(self: &Arc<Self>, play: &Arc<PlayRun>, task: &Arc<Task>, hosts: &[Arc<HostState>]) -> Hosts {
        let Some(first) = hosts.first() else { return Hosts::new() };
        let scope = self.scope(play, first, Some(task), None, self.options.check);
        let Some(field) = task.args.free.clone().or_else(|| task.args.field("free_form")) else { return Hosts::new() };
        let word = match template::render(&field.value, &scope) {
            Ok(value) => text_of(&value),
            Err(error) => return self.refuse(hosts, &error.to_string(), &field.span),
        };
        // Where a meta task has conditions, they are asked of each host.
        let mut willing = Hosts::new();
        for host in hosts {
            let scope = self.scope(play, host, Some(task), None, self.options.check);
            let mut holds = conditions::all_hold(&task.settings.when, &scope);
            if host.take_want() && self.gather_wanted(play) {
                let scope = self.scope(play, host, Some(task), None, self.options.check);
                holds = conditions::all_hold(&task.settings.when, &scope);
            }
            match holds {
                Ok(true) => willing.push(host.clone()),
                Ok(false) => {}
                Err(error) => return self.refuse(std::slice::from_ref(host), &error.to_string(), error.at()),
            }
        }
        if willing.is_empty() {
            return Hosts::new();
        }
        match word.trim() {
            "noop" => {}
            "flush_handlers" => return self.flush(play, &willing, &[]),
            "end_host" => willing.iter().for_each(|host| play.leave(&host.name, Gone::Ended)),
            "end_play" => {
                play.all.iter().filter(|host| play.gone(host).is_none()).for_each(|host| play.leave(host, Gone::Ended));
                play.end_play.store(true, std::sync::atomic::Ordering::Release);
                play.end();
            }
            "end_batch" => {
                play.batch
                    .iter()
                    .filter(|host| play.gone(host).is_none())
                    .for_each(|host| play.leave(host, Gone::Ended));
                play.end();
            }
            "end_role" => return self.end_role(task, &willing),
            "clear_host_errors" => {
                super::lock(&self.lost).clear();
                play.return_failed();
                hosts.iter().for_each(|host| host.clear_errors());
            }
            "clear_facts" => willing.iter().for_each(|host| host.clear_facts()),
            "refresh_inventory" => {
                if let Err(problems) = self.reload_inventory(play) {
                    let told: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
                    return self.refuse(hosts, &told.join("; "), &field.span);
                }
            }
            "reset_connection" => {
                for host in &willing {
                    let scope = self.scope(play, host, Some(task), None, self.options.check);
                    let settings = Some(&*task.settings);
                    match connection::target(&host.name, settings, &scope, &scope, &self.options.connection) {
                        Ok(target) => self.links.reset(&target),
                        Err(fault) => self.warn(fault.to_string(), Some(task.span.clone())),
                    }
                }
            }
            other => return self.refuse(hosts, &format!("invalid meta action requested: {other}"), &field.span),
        }
        Hosts::new()
    }

    /// Leaves the role on these hosts: its remaining tasks are passed over.
    fn end_role(&self, task: &Task, hosts: &[Arc<HostState>]) -> Hosts {
        match &task.role {
            Some(role) => hosts.iter().for_each(|host| host.end_role(&role.identity)),
            None => self.warn("end_role stands outside any role", Some(task.span.clone())),
        }
        Hosts::new()
    }

    fn refuse(&self, hosts: &[Arc<HostState>], message: &str, at: &Span) -> Hosts {
        self.send(Event::Warning { message: message.into(), place: Some(at.clone()) });
        for host in hosts {
            self.count(&host.name, |counts| counts.failed += 1);
        }
        hosts.to_vec()
    }
}
