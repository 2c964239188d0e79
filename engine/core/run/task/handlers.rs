//! Handlers: notified by name or topic, run once each, in the order they are defined.

use std::sync::Arc;

use crate::run::plays::play::HostExit;
use crate::run::state::host::HostState;
use crate::run::walk::walk::{Hosts, contains};
use crate::run::{PlayRun, Run, lock};
use crate::{
    event::Event,
    plan::{Block, Field, Step, Task},
    source::nearest,
    template,
};

impl Run {
    /// Notes that a host wants a handler. The error says that there is none of this name.
    pub(crate) fn notify(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        host: &Arc<HostState>,
        name: &str,
    ) -> Result<(), String> {
        self.wanted(play, host, name)?;
        lock(&play.notified).entry(host.name.clone()).or_default().insert(name.into());
        self.send(Event::Notified { handler: name.into(), host: host.name.clone() });
        Ok(())
    }

    /// The handlers that have this name or listen to it, by their places. The error says that there is none.
    ///
    /// As in Ansible, of several with one name the file that was loaded last counts, and in it the first one.
    pub(crate) fn wanted(
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

    /// Runs what was notified. `failed` are hosts that failed before: handlers run there only when forced.
    pub(crate) fn flush(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        hosts: &[Arc<HostState>],
        failed: &[Arc<HostState>],
    ) -> Hosts {
        let forced = play.force_handlers;
        let takes_part = |host: &Arc<HostState>| match play.exit_of(&host.name) {
            _ if host.handlers_are_over() => false,
            None => forced || !contains(failed, host),
            Some(why) => forced && why == HostExit::Failed,
        };
        let mut lost = Hosts::new();
        // A handler may notify handlers. As in Ansible, those behind it run now, it and those before it the next time:
        // handlers that notify each other come to an end.
        let handlers = play.handlers();
        for (at, task) in handlers.tasks().iter().enumerate() {
            if play.is_over() {
                break;
            }
            let wanting: Hosts = hosts
                .iter()
                .filter(|host| takes_part(host) && !contains(&lost, host) && self.take_notified(play, host, at))
                .cloned()
                .collect();
            if wanting.is_empty() {
                continue;
            }
            for host in self.task(play, task, &wanting, None) {
                host.end_handlers();
                if !contains(&lost, &host) {
                    lost.push(host);
                }
            }
        }
        lost
    }

    /// Whether a host was notified of the handler at this place. Names are looked up only now: a role that was
    /// included after the notification may have brought a handler of the same name.
    fn take_notified(self: &Arc<Self>, play: &Arc<PlayRun>, host: &Arc<HostState>, at: usize) -> bool {
        let names = lock(&play.notified).get_mut(&host.name).map(std::mem::take).unwrap_or_default();
        let places: Vec<usize> =
            names.iter().flat_map(|name| self.wanted(play, host, name).unwrap_or_default()).collect();
        let mut pending = lock(&play.pending);
        let pending = pending.entry(host.name.clone()).or_default();
        pending.extend(places);
        pending.shift_remove(&at)
    }
}

/// The handlers in a list of steps, whatever blocks they stand in.
pub(crate) fn tasks(steps: &[Step]) -> Vec<&Arc<Task>> {
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
pub(crate) fn glob(pattern: &str, name: &str) -> bool {
    rplay_modules::system::glob::Pattern::new(pattern).fits(name)
}
