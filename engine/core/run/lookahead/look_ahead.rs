//! Look-ahead: which tasks after the one at hand can be made ready now, so that their calls go out with its
//! own, and a host works through them without hearing from us.
//!
//! Nothing that anybody can see may depend on it. A task goes along only if what it comes to is certain when
//! the tasks before it succeed, and if the agent can tell by itself that they did. Where several hosts go
//! through a play together, one host may run before another only over tasks that keep to their own host.
//! Whatever is not certain ends the train, and costs a round trip.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
};

use rayon::prelude::*;
use rplay_modules::wire::Value as Wire;

use crate::run::conditions;
use crate::run::dispatch::host_task::Work;
use crate::run::dispatch::pipeline::Sent;
use crate::run::lookahead::continuation::{Following, Turn, Walk};
use crate::run::lookahead::interference::Party;
use crate::run::lookahead::rules::{
    holds_others_up, is_constant, is_flush, keeps_facts, may_be_true, may_follow, never_fails,
};
use crate::run::reads::Watch;
use crate::run::{PlayRun, Run, lock};
use crate::{
    actions::{After, Effect},
    plan::{Controller, Field, Task},
};

/// So many tasks go out together at most.
const MOST_TASKS: usize = 256;

/// So many calls are made ready at most before their turn, on all hosts together.
const MOST_CALLS: usize = 10_000;

/// Bytes of arguments that go out together to one host.
const MOST_BYTES: usize = 4 << 20;

/// What the tasks so far leave behind for those after them.
struct Train<'r> {
    run: &'r Arc<Run>,
    play: &'r Arc<PlayRun>,
    party: Party,
    /// Names of variables that they set.
    pending: Arc<HashSet<Arc<str>>>,
    /// One of them may notify handlers.
    notifies: bool,
    /// Names of handlers: whether there is one.
    handlers: HashMap<String, bool>,
}

impl Run {
    /// Makes tasks after this one ready as well, as many as can go out with it.
    pub(crate) fn look_ahead(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        task: &Arc<Task>,
        works: &mut [Work],
        following: &Following<'_>,
    ) {
        if play.unsteady.load(Ordering::Acquire) {
            return;
        }
        // Some of them are on a train already: the others wait for them at its end.
        if !self.options.batch || works.iter().any(|work| work.advance.is_some() || work.calls().next().is_none()) {
            return;
        }
        let Some(party) = Party::of(works) else { return };
        let mut train =
            Train { run: self, play, party, pending: Arc::default(), notifies: false, handlers: HashMap::new() };
        if !train.takes(task, works) || !train.leads(task, works) {
            return;
        }
        let around = task.role.iter().flat_map(|role| std::iter::once(role).chain(&role.parents));
        let mut roles: HashSet<&str> = around.map(|role| role.identity.as_str()).collect();
        let mut calls: usize = works.iter().map(|work| work.calls().count()).sum();
        let mut bytes = 0;
        let mut walk = Walk::new(following, works.len());
        for _ in 0..MOST_TASKS {
            let task = loop {
                match walk.next() {
                    None => return,
                    Some(Turn::Flush) if train.flushes(works) => return,
                    Some(Turn::Task(task)) if is_flush(task) && train.flushes(works) => return,
                    Some(Turn::Flush) => {}
                    Some(Turn::Task(task)) if is_flush(task) => {}
                    Some(Turn::Task(task)) => break task,
                    Some(Turn::Role(step)) => {
                        let identity = step.role.identity.as_str();
                        let ran = |work: &Work| work.host.roles().contains(identity) || work.host.has_left(identity);
                        if !step.role.allow_duplicates && (roles.contains(identity) || works.iter().any(ran)) {
                            return;
                        }
                        roles.insert(identity);
                        walk.enter(step);
                    }
                }
            };
            let Some(next) = train.made(task, works) else { return };
            calls += next.iter().map(|work| work.calls().count()).sum::<usize>();
            bytes += next.iter().map(|work| work.calls().map(|call| size(&call.call.args)).sum()).max().unwrap_or(0);
            if calls > MOST_CALLS || bytes > MOST_BYTES {
                return;
            }
            let leads = train.leads(task, &next);
            for (work, next) in works.iter_mut().zip(next) {
                work.train.push(Sent { task: task.clone(), work: next });
            }
            if !leads {
                return;
            }
        }
    }
}

impl Train<'_> {
    /// The task made ready on all hosts, if it can go along.
    fn made(&self, task: &Arc<Task>, works: &[Work]) -> Option<Vec<Work>> {
        if !may_follow(task) || self.party.is_many() && holds_others_up(task) {
            return None;
        }
        if task.role.as_ref().is_some_and(|role| works.iter().any(|work| work.host.has_left(&role.identity))) {
            return None;
        }
        let reads_files = match task.action.controller() {
            Some(Controller::Copy) => task.args.field("src").is_some() || task.args.whole.is_some(),
            Some(Controller::Template | Controller::Script | Controller::Unarchive) => true,
            _ => false,
        };
        if reads_files && self.party.changes_our_files() {
            return None;
        }
        let make = |work: &Work| {
            let watch = Watch::ahead(self.pending.clone(), self.party.changes_our_files());
            Work::of(self.run, self.play, task, &work.host, watch)
        };
        let next: Vec<Work> = match works {
            [work] => vec![make(work)],
            works => works.par_iter().map(make).collect(),
        };
        if self.wants_facts(&next) || next.iter().any(|work| work.too_early) {
            return None;
        }
        let certain = |(work, first): (&Work, &Work)| {
            (work.together || !work.looped)
                && goes_with(work, first)
                && work.answers().all(|answer| {
                    let harmless = |effect: &Effect| matches!(effect, Effect::SetFacts { cacheable: false, .. });
                    !answer.failed && !answer.unreachable && answer.effects.iter().all(harmless)
                })
        };
        (next.iter().zip(works).all(certain) && self.takes(task, &next)).then_some(next)
    }

    /// Whether facts were asked for that could still be gathered.
    fn wants_facts(&self, works: &[Work]) -> bool {
        let wanted = works.iter().filter(|work| work.host.take_want()).count() > 0;
        wanted && !self.play.never_gather.load(Ordering::Acquire)
    }

    /// Whether no other host can see when the task is done on one.
    fn takes(&self, task: &Task, works: &[Work]) -> bool {
        if !self.party.is_many() {
            return true;
        }
        let acting = works.iter().filter(|work| work.calls().next().is_some()).count();
        (acting == 0 || acting == works.len())
            && !holds_others_up(task)
            && works.iter().all(|work| {
                !work.saw_others && work.calls().all(|call| self.party.keeps_to(&work.host.name, &call.call))
            })
    }

    /// Whether tasks after this one can be begun without hearing of it: the agent can tell whether it has
    /// failed, and it changes nothing but what is known to be pending then.
    fn leads(&mut self, task: &Arc<Task>, works: &[Work]) -> bool {
        let settings = &task.settings;
        let unsure = !task.until.is_empty()
            || task.retries.is_some()
            || !task.control.break_when.is_empty()
            || !task.changed_when.iter().all(is_constant)
            || !(task.failed_when.is_empty() || never_fails(task))
            || task.asynchronous.is_some()
            || settings.timeout.is_some()
            || settings.delegate_to.is_some()
            || may_be_true(settings.ignore_unreachable.as_ref())
            || !keeps_facts(task)
            || !works.iter().all(|work| goes_with(work, work))
            || works.iter().any(|work| {
                work.looped && !work.together
                    || work.pause.is_some()
                    || work.calls().any(|call| !matches!(call.after, After::Nothing))
            });
        if unsure || self.party.is_many() && self.binds_others(task) {
            return false;
        }
        let pending = Arc::make_mut(&mut self.pending);
        pending.extend(task.register.clone());
        for answer in works.iter().flat_map(Work::answers) {
            for effect in &answer.effects {
                if let Effect::SetFacts { vars, .. } = effect {
                    pending.extend(vars.keys().cloned());
                }
            }
        }
        self.is_judged_alone(task, works) && self.handlers_are_there(task, works)
    }

    /// Whether a failure of one host is one of all.
    fn binds_others(&self, task: &Task) -> bool {
        let fatal = match &task.settings.any_errors_fatal {
            Some(field) => may_be_true(Some(field)),
            None => self.run.options.any_errors_fatal,
        };
        fatal || self.play.play.max_fail_percentage.is_some()
    }

    /// Whether the keywords that are read with its result need nothing that is not known by now: what they
    /// ask for would be gathered while the tasks after it run.
    fn is_judged_alone(&self, task: &Arc<Task>, works: &[Work]) -> bool {
        let settings = &task.settings;
        let waits = |field: &Option<Field>| field.as_ref().is_some_and(|field| field.value.data().is_none());
        let keywords = [conditions::NO_LOG, conditions::IGNORE_ERRORS];
        if ![&settings.no_log, &settings.ignore_errors, &task.control.label].into_iter().any(waits) {
            return true;
        }
        let read = |work: &Work| {
            let top = work.units.first().and_then(|unit| unit.top.clone());
            let scope = self.run.scope(self.play, &work.host, Some(task), top, self.run.options.check);
            keywords.into_iter().for_each(|keyword| drop(conditions::flag(keyword, settings, &scope)));
            drop(conditions::own_text(task.control.label.as_ref(), &scope));
        };
        works.iter().all(|work| self.certainly(work, || read(work)).is_some())
    }

    /// What something comes to that reads variables of a host, unless it may be something else later.
    fn certainly<T>(&self, work: &Work, read: impl FnOnce() -> T) -> Option<T> {
        let watch = Arc::new(Watch::ahead(self.pending.clone(), self.party.changes_our_files()));
        work.host.watch_with(Some(watch.clone()));
        let found = read();
        work.host.watch_with(None);
        let wants = self.wants_facts(std::slice::from_ref(work));
        (!watch.was_too_early() && !wants).then_some(found)
    }

    /// Whether what it notifies is there: to notify nobody is a failure.
    fn handlers_are_there(&mut self, task: &Task, works: &[Work]) -> bool {
        for field in task.notify.iter().chain(&task.settings.notify) {
            self.notifies = true;
            let Some(value) = field.value.data() else { return false };
            let names: Vec<String> = match value.as_str() {
                Some(name) => vec![name.to_owned()],
                None => value.try_iter().into_iter().flatten().map(|name| crate::run::text_of(&name)).collect(),
            };
            for name in names {
                let found = |work: &Work| self.run.wanted(self.play, &work.host, &name).is_ok();
                let known = match self.handlers.get(&name) {
                    Some(known) => *known,
                    None => works.iter().all(|work| self.certainly(work, || found(work)) == Some(true)),
                };
                self.handlers.insert(name, known);
                if !known {
                    return false;
                }
            }
        }
        true
    }

    /// Whether handlers may have to run before what comes next.
    fn flushes(&self, works: &[Work]) -> bool {
        let (notified, pending) = (lock(&self.play.notified), lock(&self.play.pending));
        self.notifies
            || works.iter().map(|work| &work.host.name).any(|host| {
                notified.get(host).is_some_and(|names| !names.is_empty())
                    || pending.get(host).is_some_and(|places| !places.is_empty())
            })
    }
}

/// Whether all calls of a task can be one stage of a batch that has the first ones.
fn goes_with(work: &Work, first: &Work) -> bool {
    let (Some(head), Some(own)) = (first.calls().next(), work.calls().next()) else {
        return work.calls().next().is_none();
    };
    work.calls().all(|call| {
        call.target == head.target
            && call.become_user == own.become_user
            && call.limit.is_none()
            && call.delegated.is_none()
            && matches!(call.after, After::Nothing | After::Keep(_))
    })
}

/// About as many bytes as these arguments have on their way.
fn size(args: &rplay_modules::wire::Map) -> usize {
    args.iter().map(|(name, value)| name.len() + size_of(value)).sum()
}

fn size_of(value: &Wire) -> usize {
    match value {
        Wire::Str(text) => text.len(),
        Wire::Bytes(bytes) => bytes.len(),
        Wire::List(items) => items.iter().map(size_of).sum(),
        Wire::Map(map) => size(map),
        _ => 8,
    }
}
