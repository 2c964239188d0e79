//! Gathering: at the start of a play when it asks for it, else when something first reads a fact.

use std::sync::{Arc, atomic::Ordering};

use crate::run::conditions;
use crate::run::plays::play::HostExit;
use crate::run::plays::play::rendered;
use crate::run::state::host::HostState;
use crate::run::walk::walk::Hosts;
use crate::run::{PlayRun, Run};
use crate::{
    plan::{Action, Argument, Arguments, Play, Task},
    source::Problems,
    template::TemplateError,
    vars::Scope,
};

impl Run {
    /// Decides at the start of a play whether its hosts give their facts now, later or never.
    pub(crate) fn begin_gathering(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        hosts: &[Arc<HostState>],
    ) -> Result<(), Problems> {
        let wanted = match &play.play.gather.wanted {
            Some(field) => {
                let Some(first) = hosts.first() else { return Ok(()) };
                let scope = self.scope(play, first, None, None, self.options.check);
                conditions::truth_of(&rendered(field, &scope, "gather_facts")?)
            }
            None => None,
        };
        match wanted {
            Some(true) => self.gather(play, hosts),
            Some(false) => play.never_gather.store(true, Ordering::Release),
            None if !self.options.gather => play.never_gather.store(true, Ordering::Release),
            None => {}
        }
        Ok(())
    }

    /// Gathers for all hosts of the batch that have no facts yet. False when facts are not to be had: the
    /// play forbids them, or they are there already.
    pub(crate) fn gather_wanted(self: &Arc<Self>, play: &Arc<PlayRun>) -> bool {
        if play.never_gather.load(Ordering::Acquire) {
            return false;
        }
        let _one_at_a_time = crate::run::lock(&play.gathering);
        let missing: Hosts = play
            .left_of(&play.batch)
            .iter()
            .filter_map(|name| self.host(name, play))
            .filter(|host| !host.gathered())
            .collect();
        if missing.is_empty() {
            return false;
        }
        self.gather(play, &missing);
        true
    }

    fn gather(self: &Arc<Self>, play: &Arc<PlayRun>, hosts: &[Arc<HostState>]) {
        for host in hosts {
            // Set beforehand: whatever the gathering itself reads is no reason to gather.
            host.set_gathered(true);
        }
        let Some(task) = gathering(&play.play) else { return };
        let failed = self.task(play, &Arc::new(task), hosts, None);
        for host in failed {
            play.give_up(&host.name);
            play.remove(&host.name);
            play.leave(&host.name, HostExit::Failed);
        }
    }

    /// Renders something for a host; once more when it turns out to need facts.
    pub(crate) fn with_facts<T>(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        host: &Arc<HostState>,
        render: impl Fn(&Arc<Scope>) -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        let result = render(&self.scope(play, host, None, None, self.options.check));
        if host.take_want() && self.gather_wanted(play) {
            return render(&self.scope(play, host, None, None, self.options.check));
        }
        result
    }
}

/// The task that gathers a play's facts.
fn gathering(play: &Play) -> Option<Task> {
    let mut args = Arguments::default();
    let gather = &play.gather;
    for (name, field) in
        [("gather_subset", &gather.subset), ("gather_timeout", &gather.timeout), ("fact_path", &gather.fact_path)]
    {
        if let Some(field) = field {
            let argument =
                Argument { value: field.value.clone(), name_span: field.span.clone(), span: field.span.clone() };
            args.named.insert(name.into(), argument);
        }
    }
    let span = gather.wanted.as_ref().map_or(&play.hosts.span, |field| &field.span).clone();
    let mut settings = (*play.settings).clone();
    settings.when.clear();
    let action = Action::find("setup")?;
    let task = Task::implied(action, "gather_facts", "Gathering Facts", span, settings, play.settings.clone());
    Some(Task { args, folders: Arc::from([play.folder.clone()]), ..task })
}
