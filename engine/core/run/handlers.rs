//! Handlers: notified by name or topic, run once each, in the order they are defined.

use std::sync::Arc;

use super::{
    PlayRun, Run, conditions,
    host::HostState,
    lock,
    steps::{Hosts, contains},
};
use crate::{
    event::Event,
    plan::{Block, Field, Step, Task},
    source::nearest,
    template,
};

impl Run {
    /// Notes that a host wants a handler. The error says that there is none of this name.
    pub(super) fn notify(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        host: &Arc<HostState>,
        name: &str,
    ) -> Result<(), String> {
        for at in self.wanted(play, host, name)? {
            self.note(play, host, at, name);
        }
        Ok(())
    }

    /// The handlers that have this name or listen to it, by their places. The error says that there is none.
    pub(super) fn wanted(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        host: &Arc<HostState>,
        name: &str,
    ) -> Result<Vec<usize>, String> {
        let handlers = play.handlers();
        let name_of =
            |task: &Arc<Task>| self.task_name(task, &self.scope(play, host, Some(task), None, self.options.check));
        let scope = std::cell::OnceCell::new();
        let topics_of = |topic: &Field| {
            let scope = scope.get_or_init(|| self.scope(play, host, None, None, self.options.check));
            template::render(&topic.value, scope).ok()
        };
        let found = handlers.find(name, name_of, topics_of);
        if !found.is_empty() {
            return Ok(found);
        }
        let help = nearest(name, handlers.known()).map(|n| format!("; did you mean `{n}`?"));
        Err(format!(
            "The requested handler '{name}' was not found in either the main handlers list nor in the listening handlers list{}",
            help.unwrap_or_default()
        ))
    }

    fn note(&self, play: &PlayRun, host: &HostState, at: usize, name: &str) {
        lock(&play.notified).entry(host.name.clone()).or_default().insert(at);
        self.send(Event::Notified { handler: name.into(), host: host.name.clone() });
    }

    /// Runs what was notified. `failed` are hosts that failed before: handlers run there only when forced.
    pub(super) fn flush(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        hosts: &[Arc<HostState>],
        failed: &[Arc<HostState>],
    ) -> Hosts {
        let forced = self.handlers_forced(play);
        let mut lost = Hosts::new();
        // A handler may notify handlers. As in Ansible, those behind it run now, it and those before it the next time:
        // handlers that notify each other come to an end.
        let handlers = play.handlers();
        for (at, task) in handlers.tasks().iter().enumerate() {
            let wanting: Hosts = {
                let mut notified = lock(&play.notified);
                let wants = |host: &&Arc<HostState>| {
                    notified.get_mut(&host.name).is_some_and(|notified| notified.shift_remove(&at))
                };
                hosts
                    .iter()
                    .filter(|host| {
                        let gone = play.gone(&host.name);
                        gone.is_none() || forced && gone == Some(super::play::Gone::Failed)
                    })
                    .filter(|host| !contains(&lost, host) && (forced || !contains(failed, host)))
                    .filter(wants)
                    .cloned()
                    .collect()
            };
            if wanting.is_empty() || play.is_over() && !forced {
                continue;
            }
            for host in self.task(play, task, &wanting, None) {
                if !contains(&lost, &host) {
                    lost.push(host);
                }
            }
        }
        lost
    }

    fn handlers_forced(self: &Arc<Self>, play: &Arc<PlayRun>) -> bool {
        let by_play = play.play.force_handlers.as_ref().and_then(|field| field.value.data());
        by_play.and_then(|value| conditions::truth_of(&value)).unwrap_or(self.options.force_handlers)
    }
}

/// The handlers in a list of steps, whatever blocks they stand in.
pub(super) fn tasks(steps: &[Step]) -> Vec<&Arc<Task>> {
    fn of_block(block: &Block) -> Vec<&Arc<Task>> {
        [&block.body, &block.rescue, &block.always].into_iter().flat_map(|steps| tasks(steps)).collect()
    }
    steps
        .iter()
        .flat_map(|step| match step {
            Step::Task(task) => vec![task],
            Step::Block(block) => of_block(block),
            Step::Role(role) => tasks(&role.steps),
            Step::Flush => Vec::new(),
        })
        .collect()
}

/// Whether a name matches a shell pattern.
pub(super) fn glob(pattern: &str, name: &str) -> bool {
    rplay_modules::glob::Pattern::new(pattern).fits(name)
}
