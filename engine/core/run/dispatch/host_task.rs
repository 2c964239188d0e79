//! A task on one host.

use std::{
    collections::HashMap,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    actions::TaskResult,
    link::Target,
    plan::Task,
    run::{
        dispatch::{batch::PipelinedBatch, restart::Restart},
        hidden_values::HiddenValues,
        reads::ReadTracker,
        state::{
            host::{HostState, Layers},
            play::PlayRun,
            run::Run,
        },
        task::{
            evaluated::{Evaluated, sum},
            iteration::{Iteration, iterations},
            prepare::{Prepared, Ready},
        },
    },
    task_result::TemplateWarning,
    vars::Value,
};

/// The state of one host in the task.
pub(crate) struct HostTask {
    pub host: Arc<HostState>,
    pub looped: bool,
    /// Whether all iterations can be sent before any is answered.
    pub together: bool,
    pub parallel: u32,
    pub pause: Option<Duration>,
    pub iterations: Vec<Iteration>,
    /// Iterations prepared in advance; taken when they are sent.
    pub ready: Vec<Option<Ready>>,
    /// What each iteration calls its module with, if results are to show it, or the items of a loop are registered.
    pub invocations: Vec<Option<Value>>,
    /// What templates warned about while calls were prepared, by iteration.
    pub template_warnings: HashMap<usize, Vec<TemplateWarning>>,
    /// What the results of calls must not tell, by iteration.
    pub hidden: HashMap<usize, HiddenValues>,
    pub attempts: Vec<u32>,
    pub results: Vec<Option<Evaluated>>,
    /// The variables of the host before the first item of a loop had effects.
    pub before: Option<Layers>,
    /// The next iteration to send.
    pub next: usize,
    /// The next iteration to report.
    pub shown: usize,
    /// Whether the loop ended before its last item.
    pub stopped: bool,
    /// Number of pending jobs and timers.
    pub open: usize,
    /// Connections lost during the task: later items for these targets fail too.
    pub lost: Vec<(Arc<Target>, TaskResult)>,
    /// Until when the host may be unreachable, and how long to wait between attempts.
    pub patience: Option<(Instant, Duration)>,
    /// The state of a `reboot`.
    pub restart: Option<Restart>,
    pub begun: Instant,
    /// Time spent on the host, as far as known.
    pub spent: Duration,
    /// Whether its templates read variables of other hosts.
    pub saw_others: bool,
    /// Whether its templates read values that were not known yet, so that it must be prepared again later.
    pub too_early: bool,
    /// If the calls were sent with an earlier task: the batch, and the range of its calls.
    pub batch: Option<(Arc<PipelinedBatch>, Range<usize>)>,
    /// Tasks whose calls are sent with this one's, in order.
    pub pipeline: Vec<PipelinedTask>,
}

impl HostTask {
    /// The iterations of a task, prepared as far as they do not depend on earlier ones.
    pub(crate) fn of(
        run: &Arc<Run>,
        play: &Arc<PlayRun>,
        task: &Arc<Task>,
        host: &Arc<HostState>,
        reads: ReadTracker,
    ) -> HostTask {
        let own = task.register.as_ref().filter(|_| task.looped.is_some()).map(|name| name.value.clone());
        let reads = Arc::new(reads.with_own(own));
        let mut host_task = HostTask {
            host: host.clone(),
            looped: task.looped.is_some(),
            together: false,
            parallel: 1,
            pause: None,
            iterations: Vec::new(),
            ready: Vec::new(),
            invocations: Vec::new(),
            template_warnings: HashMap::new(),
            hidden: HashMap::new(),
            attempts: Vec::new(),
            results: Vec::new(),
            before: None,
            next: 0,
            shown: 0,
            stopped: false,
            open: 0,
            lost: Vec::new(),
            patience: None,
            restart: None,
            begun: Instant::now(),
            spent: Duration::ZERO,
            saw_others: false,
            too_early: false,
            batch: None,
            pipeline: Vec::new(),
        };
        match iterations(run, play, task, host, Some(&reads)) {
            Ok(iterations) => {
                host_task.parallel = iterations.parallel;
                host_task.pause = iterations.pause;
                host_task.looped = iterations.looped;
                host_task.iterations = iterations.iterations;
                host_task.together = iterations.independent;
                if host_task.together || !host_task.looped {
                    host_task.ready = host_task
                        .iterations
                        .iter()
                        .map(|iteration| Some(run.prepare(play, task, host, iteration, Some(&reads))))
                        .collect();
                }
            }
            Err(result) => {
                host_task.looped = false;
                host_task.iterations = vec![Iteration::default()];
                host_task.ready = vec![Some(Ready::Done(*result, None))];
            }
        }
        if reads.saw_own() && host_task.iterations.len() > 1 {
            // Each item is prepared after the previous one has finished.
            host_task.together = false;
            host_task.ready.clear();
        }
        if host_task.calls().any(|prepared| prepared.plugin.is_some()) {
            // A plugin is called for each item.
            host_task.together = false;
        }
        host_task.ready.resize_with(host_task.iterations.len(), || None);
        if run.options.invocations || task.keeps_invocation() {
            host_task.invocations = host_task.ready.iter().map(|ready| ready.as_ref()?.invocation()).collect();
        }
        host_task.attempts = vec![0; host_task.iterations.len()];
        host_task.results.resize_with(host_task.iterations.len(), || None);
        host_task.saw_others = reads.saw_others();
        host_task.too_early = reads.was_too_early();
        host_task
    }

    /// Keeps until the call is answered what templates warned about, and what its result must not tell. The answer that a
    /// job has begun tells nothing.
    pub(crate) fn keep(&mut self, iteration: usize, prepared: &mut Prepared) {
        if prepared.call.background.is_none()
            && let Some(hidden) = prepared.hidden.take()
        {
            self.hidden.insert(iteration, hidden);
        }
        if !prepared.template_warnings.is_empty() {
            self.template_warnings.insert(iteration, std::mem::take(&mut prepared.template_warnings));
        }
    }

    /// The result for an item whose connection was already lost.
    pub(crate) fn lost_connection(&self, prepared: &Prepared) -> Option<TaskResult> {
        self.lost.iter().find(|(target, _)| *target == prepared.target).map(|(_, result)| result.clone())
    }

    /// Those iterations that have no result yet.
    pub(crate) fn open_of(&self, iterations: &[usize]) -> Vec<usize> {
        iterations.iter().copied().filter(|iteration| self.results[*iteration].is_none()).collect()
    }

    /// The time the host took. Calls in a batch may have finished before the task's turn.
    pub(crate) fn elapsed(&self, has_batch: bool) -> Duration {
        match has_batch {
            true => self.begun.elapsed().max(self.spent),
            false => self.begun.elapsed(),
        }
    }

    /// Takes the result: the task's own, or the combined result of its items.
    pub(crate) fn take_result(&mut self) -> Evaluated {
        let mut results = self.results.iter_mut().filter_map(Option::take);
        match self.looped {
            true => sum(&self.host, results.collect()),
            false => results.next().unwrap_or_else(|| sum(&self.host, Vec::new())),
        }
    }

    /// Keeps the host's variables before an item of a loop changes them.
    pub(crate) fn remember(&mut self) {
        if self.looped && self.before.is_none() {
            self.before = Some(self.host.layers());
        }
    }

    /// Takes back what the items of a loop that failed have set.
    pub(crate) fn restore(&mut self) {
        if let Some(before) = self.before.take() {
            self.host.restore(before);
        }
    }

    /// The prepared calls.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Prepared> {
        self.ready.iter().flatten().filter_map(|ready| match ready {
            Ready::Call(prepared) => Some(&**prepared),
            Ready::Done(..) => None,
        })
    }

    /// The results that needed no host.
    pub(crate) fn results_here(&self) -> impl Iterator<Item = &TaskResult> {
        self.ready.iter().flatten().filter_map(|ready| match ready {
            Ready::Call(_) => None,
            Ready::Done(result, _) => Some(result),
        })
    }
}

/// A task that was prepared and sent in advance.
pub(crate) struct PipelinedTask {
    pub task: Arc<Task>,
    pub host_task: HostTask,
}
