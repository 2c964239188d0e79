//! Handlers: notified by name or topic, each run once, in order of definition.

use std::sync::Arc;

use crate::{
    event::Event,
    plan::{Field, Task},
    run::{
        reads::ReadTracker,
        state::{host::HostState, play::PlayRun, run::Run},
    },
    source::nearest,
    template,
    vars::{Lazy, Scope},
};

impl Run {
    /// Notifies a handler on a host. Fails if there is no handler of this name.
    pub(crate) fn notify(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        host: &Arc<HostState>,
        name: &str,
    ) -> Result<(), String> {
        self.wanted(play, host, name, None)?;
        play.notified.lock().entry(host.name.clone()).or_default().insert(name.into());
        self.send(Event::Notified { handler: name.into(), host: host.name.clone() });
        Ok(())
    }

    /// The indexes of the handlers with this name or topic. Fails if there is none.
    ///
    /// As in Ansible, of several with the same name, the first one in the file that was loaded last counts.
    pub(crate) fn wanted(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        host: &Arc<HostState>,
        name: &str,
        reads: Option<&Arc<ReadTracker>>,
    ) -> Result<Vec<usize>, String> {
        let handlers = play.handlers();
        let name_of = |task: &Arc<Task>| {
            let scope = self.tracked_scope(play, host, Some(task), None, self.options.check, reads);
            self.tell_unusable(task, &scope);
            self.task_name(task, &scope)
        };
        let found = handlers.find(name, name_of);
        if !found.is_empty() {
            return Ok(found);
        }
        let help = nearest(name, handlers.known()).map(|n| format!("; did you mean `{n}`?"));
        Err(format!(
            "The requested handler '{name}' was not found in either the main handlers list nor in the listening handlers list{}",
            help.unwrap_or_default()
        ))
    }

    /// Tells once of a handler that nothing can notify, because its name has no value.
    fn tell_unusable(&self, task: &Task, scope: &Arc<Scope>) {
        let Some(Field { value: value @ Lazy::Template(template), .. }) = &task.name else { return };
        if !task.listen.is_empty() {
            return;
        }
        if let Err(error) = template::render(value, scope) {
            let message = format!(
                "Handler '{}' is unusable because it has no listen topics and the name could not be templated \
                 (host-specific variables are not supported in handler names). The error: {error}",
                template.text
            );
            self.warn_once(&message, &template.span);
        }
    }

    /// Whether a host was notified of the handler at this place. Names are looked up only now: a role that was
    /// included after the notification may have brought a handler of the same name.
    pub(crate) fn take_notified(self: &Arc<Self>, play: &Arc<PlayRun>, host: &Arc<HostState>, at: usize) -> bool {
        let names = play.notified.lock().get_mut(&host.name).map(std::mem::take).unwrap_or_default();
        let places: Vec<usize> =
            names.iter().flat_map(|name| self.wanted(play, host, name, None).unwrap_or_default()).collect();
        let mut pending = play.pending.lock();
        let pending = pending.entry(host.name.clone()).or_default();
        pending.extend(places);
        pending.shift_remove(&at)
    }
}
