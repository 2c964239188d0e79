//! Gathers facts: at the start of a play that asks for it, otherwise when one is first read.

use std::sync::{Arc, atomic::Ordering};

use crate::{
    plan::{Action, Argument, Arguments, Play, Task},
    run::{
        conditions,
        state::{
            host::{HostState, Hosts},
            play::PlayRun,
            run::Run,
        },
    },
    source::Problems,
};

/// The name of the task that gathers a play's facts.
pub(crate) const NAME: &str = "Gathering Facts";

/// Whether the hosts of a play gather facts at its start. Records if they must not gather any.
///
/// # Errors
/// If `gather_facts` or `gather_timeout` cannot be rendered, or is of the wrong type.
pub(crate) fn at_start(run: &Arc<Run>, play: &Arc<PlayRun>, hosts: &[Arc<HostState>]) -> Result<bool, Problems> {
    let wanted = match &play.play.gather.wanted {
        Some(field) => {
            let Some(first) = hosts.first() else { return Ok(false) };
            let scope = run.scope(play, first, None, None);
            conditions::own_number("gather_timeout", play.play.gather.timeout.as_ref(), &scope)?;
            conditions::own_flag("gather_facts", Some(field), &scope)?
        }
        None => None,
    };
    if wanted == Some(false) || wanted.is_none() && !run.options.gather || play.play.gather.passed_over {
        play.never_gather.store(true, Ordering::Release);
        return Ok(false);
    }
    // Facts that are cached for other runs are gathered even if this run never reads them.
    let asked = wanted.is_none() && run.options.gather && run.options.fact_caching.is_some();
    Ok(wanted == Some(true) || asked)
}

/// The remaining hosts of the batch that have no facts yet.
pub(crate) fn missing(run: &Run, play: &PlayRun) -> Hosts {
    let left = play.left_of(&play.batch);
    left.iter().filter_map(|name| run.host(name, play)).filter(|host| !host.gathered()).collect()
}

/// The task that gathers a play's facts.
pub(crate) fn task_of(play: &Play) -> Option<Task> {
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
    let task = Task::implied(action, "gather_facts", NAME, span, settings, play.settings.clone());
    Some(Task { args, directories: Arc::from([play.directory.clone()]), ..task })
}
