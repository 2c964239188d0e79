//! One play: its hosts, its batches, and the hosts it lost.

use std::sync::{Arc, atomic::Ordering};

use parking_lot::{Mutex, RwLock};

use crate::{
    actions::text_of,
    event::{Event, PlayStarted},
    plan::{Play, host_patterns, name_of_hosts},
    run::{
        conditions,
        lookahead::rules,
        play_keywords::rendered,
        plays::serial::batches,
        state::{
            handler_list::HandlerList,
            host::HostState,
            play::{HostExit, PlayRun},
            run::Run,
        },
        walk::Walk,
    },
    source::Problems,
    template,
};

impl Run {
    /// Runs a play. Returns false if no other play may follow.
    pub(crate) fn play(self: &Arc<Self>, play: &Arc<Play>) -> Result<bool, Problems> {
        self.ask_vars_plugins_again(play);
        // The play's own keywords may read the answers.
        let prompted = self.prompted(play, &self.scope_of_play(&Arc::new(PlayRun::of(play))))?;
        let scope = self.scope_of_play(&Arc::new(PlayRun { prompted: prompted.clone(), ..PlayRun::of(play) }));
        let hosts = rendered(&play.hosts, &scope, "hosts")?;
        let patterns = host_patterns(&hosts, &play.hosts.span)?;
        let name: Arc<str> = match &play.name {
            Some(name) => template::render(&name.value, &scope)
                .map_or_else(|_| name.span.text().to_owned(), |v| text_of(&v))
                .into(),
            None => name_of_hosts(&play.hosts, &hosts).into(),
        };
        let (all, ordered) = self.pick_hosts(&patterns, play, &scope)?;
        if all.is_empty() {
            self.send(Event::PlayStarted(self.play_started(&name, &[], &patterns, play)));
            self.send(Event::NoHosts { pattern: patterns.join(",").into() });
            return Ok(true);
        }
        // A limit that cannot be read must not be passed over once hosts have failed.
        conditions::own_percent("max_fail_percentage", play.max_fail_percentage.as_ref(), &scope)?;
        let force_handlers = conditions::own_flag("force_handlers", play.force_handlers.as_ref(), &scope)?;
        let handlers = Arc::new(HandlerList::of(&play.handlers));
        self.losses.lock().begin_play();
        for batch in batches(&ordered, &play.serial, &scope)? {
            let run = PlayRun {
                name: name.clone(),
                all: all.clone(),
                batch: batch.clone(),
                prompted: prompted.clone(),
                force_handlers: force_handlers.unwrap_or(self.options.force_handlers),
                handlers: RwLock::new(handlers.clone()),
                ..PlayRun::of(play)
            };
            let lost_before = self.losses_keep_out(&run);
            let run = Arc::new(run);
            self.send(Event::PlayStarted(self.play_started(&name, &run.left_of(&batch), &patterns, play)));
            self.batch(&run, &batch)?;
            if let Some(problems) = self.aborted.lock().take() {
                return Err(problems);
            }
            self.end_batch(&run);
            let lost = self.losses.lock().count();
            // The run continues unless all hosts of the batch are lost. Ansible counts hosts twice that were
            // unreachable and also failed because of others.
            if run.broken.load(Ordering::Acquire) || lost.saturating_sub(lost_before) == batch.len() {
                return Ok(false);
            }
            if run.end_play.load(Ordering::Acquire) {
                break;
            }
        }
        Ok(true)
    }

    /// Excludes hosts that failed or were unreachable in an earlier play or batch. Returns their number.
    fn losses_keep_out(&self, run: &PlayRun) -> usize {
        let mut losses = self.losses.lock();
        for host in run.all.iter() {
            if let Some(why) = losses.why(host) {
                run.remove(host);
                run.leave(host, why);
            }
        }
        let count = losses.count();
        *run.failed_before.lock() = losses.take_failed();
        count
    }

    /// Records the result of a batch for later plays.
    fn end_batch(&self, run: &Arc<PlayRun>) {
        let mut failed = std::mem::take(&mut *run.failed_before.lock());
        failed.extend(run.batch.iter().filter(|host| run.exit_of(host) == Some(HostExit::Failed)).cloned());
        let condemned = std::mem::take(&mut *run.failed.lock());
        let broken = run.broken.load(Ordering::Acquire);
        self.losses.lock().end_batch(failed, condemned, broken);
    }

    fn play_started(&self, name: &Arc<str>, hosts: &[Arc<str>], patterns: &[String], play: &Play) -> PlayStarted {
        PlayStarted {
            name: name.clone(),
            hosts: hosts.to_vec(),
            patterns: patterns.to_vec(),
            check_mode: self.options.check,
            place: play.span.clone(),
            vars: play.vars.clone(),
        }
    }

    fn batch(self: &Arc<Self>, play: &Arc<PlayRun>, names: &[Arc<str>]) -> Result<(), Problems> {
        let hosts: Vec<Arc<HostState>> = names.iter().filter_map(|name| self.host(name, play)).collect();
        let strategy = self.strategy(&play.play)?;
        let free = matches!(strategy, "free" | "host_pinned");
        // Otherwise it is linear.
        play.debugs.store(strategy == "debug", Ordering::Release);
        play.free.store(free, Ordering::Release);
        for host in &hosts {
            host.begin_play();
            host.set_inventory(self.inventory_layers(&host.name, &play.play.directory)?);
        }
        let alive: Vec<_> = hosts.iter().filter(|host| play.exit_of(&host.name).is_none()).cloned().collect();
        let walk = Walk::new(self.clone(), play.clone());
        walk.begin(&alive)?;
        self.read_vars_files(&walk, play, &hosts)?;
        // Excluded hosts may be brought back by `clear_host_errors`.
        match free {
            true => self.each_on_its_own(&walk, play, &hosts),
            // Strategy linear: all hosts do one task, then the next.
            false => walk.through(&hosts),
        }
        Ok(())
    }

    /// Strategy free: each host goes through the play at its own pace.
    fn each_on_its_own(&self, walk: &Walk, play: &Arc<PlayRun>, hosts: &[Arc<HostState>]) {
        let ends = rules::may_end_play(&play.play.steps) || rules::may_end_play(&play.play.handlers);
        play.hosts_diverge.store(hosts.len() > 1 && ends, Ordering::Release);
        let queue = Mutex::new(hosts.iter().cloned().collect::<std::collections::VecDeque<_>>());
        std::thread::scope(|threads| {
            for _ in 0..self.options.forks.min(hosts.len()).max(1) {
                threads.spawn(|| {
                    loop {
                        // A separate binding: in a `while let`, the lock would be held for the whole body.
                        let next = queue.lock().pop_front();
                        let Some(host) = next else { break };
                        walk.through(&[host]);
                    }
                });
            }
        });
        if hosts.iter().all(|host| play.exit_of(&host.name) == Some(HostExit::Unreachable)) {
            self.send(Event::NoHostsLeft);
        }
    }
}
