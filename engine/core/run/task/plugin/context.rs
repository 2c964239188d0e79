//! The description of a task, and of the connection to its host, that an action plugin receives.

use serde_json::{Value as Json, json};

use super::PluginRun;
use crate::{
    actions::text_of,
    link::{Connection, Secret},
    template,
};

impl PluginRun {
    /// The keywords of the task that plugins read.
    pub(super) fn keywords(&self) -> Json {
        let task = &self.task;
        let name = task.name.as_ref().and_then(|name| template::render(&name.value, &self.scope).ok());
        // `gather_facts` needs a play of ansible-core's.
        let gathers = self.plugin.name == "normal" && task.action.name() == "setup";
        let action = if gathers { "ansible.builtin.setup" } else { &*task.written };
        let environment: serde_json::Map<String, Json> =
            self.environment.iter().map(|(name, value)| (name.clone(), Json::from(value.as_str()))).collect();
        json!({
            "name": name.map(|name| text_of(&name)),
            "action": action,
            "async_val": self.asynchronous.0.ceil() as u64,
            "poll": self.asynchronous.1 as u64,
            "check_mode": self.mode.check,
            "diff": self.mode.diff,
            "no_log": self.no_log,
            "become": self.become_user.is_some(),
            "become_method": self.become_user.as_ref().map(|user| user.method.as_str()),
            "become_user": self.become_user.as_ref().map(|user| user.user.as_str()),
            "delegate_to": self.delegate_to.as_deref(),
            "tags": task.tags.iter().collect::<Vec<_>>(),
            "place": task.span.source.path.as_deref().map(|path| (crate::source::absolute(path), task.span.line_column().0)),
            "environment": environment,
            "collections": task.settings.collections.iter().map(|name| &**name).collect::<Vec<_>>(),
            "register": task.register.as_ref().map(|name| &*name.value),
        })
    }

    pub(super) fn connection(&self) -> Json {
        let (kind, address, user, port) = match &self.target.connection {
            Connection::Local(_) => ("local", None, None, None),
            Connection::Container(container) => {
                let kind = match container.engine.as_str() {
                    "podman" => "containers.podman.podman",
                    _ => "community.docker.docker",
                };
                (kind, Some(container.name.as_str()), container.user.as_deref(), None)
            }
            Connection::Plugin(plugin) => {
                (plugin.kind.as_str(), Some(plugin.host.as_str()), plugin.user.as_deref(), None)
            }
            Connection::Ssh(ssh) => ("ssh", Some(ssh.host.as_str()), ssh.user.as_deref(), ssh.port),
        };
        let finder = self.run.resolver.project.finder();
        let own = matches!(self.target.connection, Connection::Plugin(_));
        let login = self.run.options.connection.password.as_ref().filter(|_| own);
        let password = self.become_user.as_ref().and_then(|user| user.password.as_deref()).filter(|_| own);
        json!({
            "own": own, "kind": kind, "address": address, "user": user, "port": port,
            "become_pass": password, "password": login.map(Secret::reveal),
            "remote_tmp": finder.settings.remote_tmp,
        })
    }
}
