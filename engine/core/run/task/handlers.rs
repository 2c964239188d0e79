//! Handlers: notified by name or topic, each run once, in order of definition.

use std::sync::Arc;

use crate::{
    actions::text_of,
    event::Event,
    plan::{Field, Task},
    run::{
        reads::ReadTracker,
        state::{handler_list::HandlerList, host::HostState, play::PlayRun, run::Run},
    },
    source::nearest,
    template::{self, TemplateError},
    vars::{Lazy, Scope},
};

impl Run {
    /// Notifies a handler on a host. Fails if there is no handler of this name, with a message and perhaps a help.
    pub(crate) fn notify(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        host: &Arc<HostState>,
        name: &str,
    ) -> Result<(), (String, Option<String>)> {
        self.handler_exists(play, host, name, None)?;
        play.notified.lock().entry(host.name.clone()).or_default().insert(name.into());
        self.send(Event::Notified { handler: name.into(), host: host.name.clone() });
        Ok(())
    }

    /// Fails if there is no handler with this name or topic.
    pub(crate) fn handler_exists(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        host: &Arc<HostState>,
        name: &str,
        reads: Option<&Arc<ReadTracker>>,
    ) -> Result<(), (String, Option<String>)> {
        let handlers = play.handlers();
        if handlers.has_plain(name) || !self.find_handlers(play, host, &handlers, name, reads).is_empty() {
            return Ok(());
        }
        let help = nearest(name, handlers.known()).map(|known| format!("did you mean `{known}`?"));
        let msg = format!(
            "The requested handler '{name}' was not found in either the main handlers list nor in the listening handlers list"
        );
        Err((msg, help))
    }

    /// The indexes of the handlers with this name or topic.
    ///
    /// As in Ansible, of several with the same name, the first one in the file that was loaded last counts.
    fn find_handlers(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        host: &Arc<HostState>,
        handlers: &HandlerList,
        name: &str,
        reads: Option<&Arc<ReadTracker>>,
    ) -> Vec<usize> {
        let names = play.handler_names.lock().entry(host.name.clone()).or_default().clone();
        handlers.find(name, &mut names.lock(), |task| {
            let scope = self.tracked_scope(play, host, Some(task), None, reads);
            self.handler_name(task, &scope, reads)
        })
    }

    /// The name of a handler without its role; as an error the name as it is written, if it has no value yet.
    fn handler_name(
        &self,
        task: &Task,
        scope: &Arc<Scope>,
        reads: Option<&Arc<ReadTracker>>,
    ) -> Result<String, String> {
        let Some(name) = &task.name else { return Ok(task.written.to_string()) };
        let written = || name.span.text().trim_matches(['"', '\'']).to_owned();
        match template::render(&name.value, scope) {
            // What was read ahead of its time may still change.
            Ok(_) if reads.is_some_and(|reads| reads.was_too_early()) => Err(written()),
            Ok(own) => Ok(text_of(&own)),
            Err(error) => {
                self.tell_unusable(task, &error);
                Err(written())
            }
        }
    }

    /// Warns once about a handler that nothing can notify, because its name cannot be rendered.
    fn tell_unusable(&self, task: &Task, error: &TemplateError) {
        let Some(Field { value: Lazy::Template(template), .. }) = &task.name else { return };
        if !task.listen.is_empty() {
            return;
        }
        let message = format!(
            "Handler '{}' is unusable because it has no listen topics and the name could not be templated \
             (host-specific variables are not supported in handler names). The error: {error}",
            template.text
        );
        self.warn_once(&message, &template.span);
    }

    /// Turns the notifications of a host into indexes of handlers that are still to run, and returns the new ones.
    ///
    /// Names are looked up only now: a role that was included after the notification may have brought a handler of the
    /// same name.
    pub(crate) fn look_up_notified(self: &Arc<Self>, play: &Arc<PlayRun>, host: &Arc<HostState>) -> Vec<usize> {
        let names = play.notified.lock().get_mut(&host.name).map(std::mem::take).unwrap_or_default();
        if names.is_empty() {
            return Vec::new();
        }
        let handlers = play.handlers();
        let places: Vec<usize> =
            names.iter().flat_map(|name| self.find_handlers(play, host, &handlers, name, None)).collect();
        for task in places.iter().filter_map(|at| handlers.tasks().get(*at)) {
            let name = self.task_name(task, &self.scope(play, host, Some(task), None));
            self.send(Event::HandlerFound { handler: name.into(), host: host.name.clone() });
        }
        play.pending.lock().entry(host.name.clone()).or_default().extend(places.iter().copied());
        places
    }
}
