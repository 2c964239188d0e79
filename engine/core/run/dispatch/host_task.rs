//! A host's share of a task.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::run::dispatch::pipeline::{Advance, Sent};
use crate::run::reads::Watch;
use crate::run::state::host::HostState;
use crate::run::task::evaluate::Judged;
use crate::run::task::iteration as looped;
use crate::run::task::prepare::{Prepared, Ready, Unit};
use crate::run::{PlayRun, Run};
use crate::{actions::Answer, link::Target, plan::Task};

/// A host on its way through the task.
pub(crate) struct Work {
    pub host: Arc<HostState>,
    pub looped: bool,
    /// All units can be sent before any is answered.
    pub together: bool,
    pub parallel: u32,
    pub pause: Option<Duration>,
    pub units: Vec<Unit>,
    /// Made ready beforehand; taken when their turn comes.
    pub ready: Vec<Option<Ready>>,
    pub attempts: Vec<u32>,
    pub judged: Vec<Option<Judged>>,
    /// The next unit to be sent.
    pub next: usize,
    /// The next unit to be shown.
    pub shown: usize,
    /// Set when the loop ends before its last item.
    pub stopped: bool,
    /// Jobs and timers that are still to come back.
    pub open: usize,
    /// Ways that broke off during the task: items that would go there again fail alike.
    pub lost: Vec<(Arc<Target>, Answer)>,
    /// Until when the host may be out of reach, and how long to wait between attempts.
    pub patience: Option<(Instant, Duration)>,
    pub begun: Instant,
    /// Time that the host itself took, as far as it is known.
    pub spent: Duration,
    /// Its templates read about other hosts.
    pub saw_others: bool,
    /// Its templates read what was not known yet: it must be made again at its turn.
    pub too_early: bool,
    /// The calls went out with an earlier task's: the batch, and which of its calls they are.
    pub advance: Option<(Arc<Advance>, Range<usize>)>,
    /// Tasks whose calls are to go out with this one's, the next one first.
    pub train: Vec<Sent>,
}

impl Work {
    /// The units of a task, made ready where that does not depend on earlier ones.
    pub fn of(run: &Arc<Run>, play: &Arc<PlayRun>, task: &Arc<Task>, host: &Arc<HostState>, watch: Watch) -> Work {
        let own = task.register.clone().filter(|_| task.looped.is_some());
        let watch = Arc::new(watch.with_own(own));
        host.watch_with(Some(watch.clone()));
        let mut work = Work {
            host: host.clone(),
            looped: task.looped.is_some(),
            together: false,
            parallel: 1,
            pause: None,
            units: Vec::new(),
            ready: Vec::new(),
            attempts: Vec::new(),
            judged: Vec::new(),
            next: 0,
            shown: 0,
            stopped: false,
            open: 0,
            lost: Vec::new(),
            patience: None,
            begun: Instant::now(),
            spent: Duration::ZERO,
            saw_others: false,
            too_early: false,
            advance: None,
            train: Vec::new(),
        };
        match looped::rounds(run, play, task, host) {
            Ok(rounds) => {
                work.parallel = rounds.parallel;
                work.pause = rounds.pause;
                work.looped = rounds.looped;
                work.units = rounds.units;
                work.together = rounds.independent;
                if work.together || !work.looped {
                    work.ready = work.units.iter().map(|unit| Some(run.prepare(play, task, host, unit))).collect();
                }
            }
            Err(answer) => {
                work.looped = false;
                work.units = vec![Unit { index: 0, item: None, top: None }];
                work.ready = vec![Some(Ready::Done(*answer, None))];
            }
        }
        if watch.saw_own() && work.units.len() > 1 {
            // Each item is made ready when the one before it is done.
            work.together = false;
            work.ready.clear();
        }
        work.ready.resize_with(work.units.len(), || None);
        work.attempts = vec![0; work.units.len()];
        work.judged.resize_with(work.units.len(), || None);
        host.watch_with(None);
        work.saw_others = watch.saw_others();
        work.too_early = watch.was_too_early();
        work
    }

    /// What an item comes to whose way has broken off.
    pub fn lost_way(&self, prepared: &Prepared) -> Option<Answer> {
        self.lost.iter().find(|(target, _)| *target == prepared.target).map(|(_, answer)| answer.clone())
    }

    /// The calls that are ready.
    pub fn calls(&self) -> impl Iterator<Item = &Prepared> {
        self.ready.iter().flatten().filter_map(|ready| match ready {
            Ready::Call(prepared) => Some(&**prepared),
            Ready::Done(..) => None,
        })
    }

    /// What was answered without a host's doing.
    pub fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.ready.iter().flatten().filter_map(|ready| match ready {
            Ready::Call(_) => None,
            Ready::Done(answer, _) => Some(answer),
        })
    }
}
