//! Handlers: notified by name or topic, run once each, in the order they are defined.

use std::sync::{Arc, PoisonError};

use super::{
    PlayRun, Run, conditions,
    host::HostState,
    lock,
    steps::{Hosts, contains},
    text_of,
};
use crate::{
    event::Event,
    plan::{Block, Step, Task},
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
        let handlers = play.handlers.read().unwrap_or_else(PoisonError::into_inner).clone();
        let scope = self.scope(play, host, None, None, self.options.check);
        let mut known: Vec<String> = Vec::new();
        let mut found: Vec<usize> = Vec::new();
        let mut named = None;
        for (at, task) in tasks(&handlers).into_iter().enumerate() {
            let full = self.task_name(task, &self.scope(play, host, Some(task), None, self.options.check));
            let own = full.rsplit(" : ").next().unwrap_or(&full).to_owned();
            if full == name || own == name {
                // Of several with one name the last one defined counts.
                named = Some(at);
            }
            let topics = task.listen.iter().filter_map(|topic| template::render(&topic.value, &scope).ok());
            let topics: Vec<String> = topics
                .flat_map(|topic| match topic.as_str() {
                    Some(text) => vec![text.to_owned()],
                    None => topic.try_iter().into_iter().flatten().map(|t| text_of(&t)).collect(),
                })
                .collect();
            if topics.iter().any(|topic| topic == name) {
                found.push(at);
            }
            known.push(own);
            known.extend(topics);
        }
        found.extend(named);
        if !found.is_empty() {
            return Ok(found);
        }
        let help = nearest(name, known.iter().map(String::as_str)).map(|n| format!("; did you mean `{n}`?"));
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
        // A handler may notify handlers, also ones before it: each round runs what is there by then.
        for _ in 0..100 {
            let handlers = play.handlers.read().unwrap_or_else(PoisonError::into_inner).clone();
            let all = tasks(&handlers);
            let mut ran = false;
            for (at, task) in all.iter().enumerate() {
                let wanting: Hosts = hosts
                    .iter()
                    .filter(|host| {
                        play.gone(&host.name).is_none()
                            || forced && play.gone(&host.name) == Some(super::play::Gone::Failed)
                    })
                    .filter(|host| !contains(&lost, host) && (forced || !contains(failed, host)))
                    .filter(|host| {
                        lock(&play.notified).get_mut(&host.name).is_some_and(|notified| notified.shift_remove(&at))
                    })
                    .cloned()
                    .collect();
                if wanting.is_empty() || play.is_over() && !forced {
                    continue;
                }
                ran = true;
                for host in self.task(play, task, &wanting, None) {
                    if !contains(&lost, &host) {
                        lost.push(host);
                    }
                }
            }
            if !ran {
                break;
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

/// Whether a name matches a pattern with `*` and `?`.
pub(super) fn glob(pattern: &str, name: &str) -> bool {
    fn matches(pattern: &[char], name: &[char]) -> bool {
        match (pattern.first(), name.first()) {
            (None, None) => true,
            (Some('*'), _) => matches(&pattern[1..], name) || !name.is_empty() && matches(pattern, &name[1..]),
            (Some('?'), Some(_)) => matches(&pattern[1..], &name[1..]),
            (Some(a), Some(b)) if a == b => matches(&pattern[1..], &name[1..]),
            _ => false,
        }
    }
    matches(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>())
}
