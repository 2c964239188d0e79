//! The description of a task, and of the connection to its host, that an action plugin receives.

use serde_json::{Value as Json, json};

use super::PluginRun;
use crate::{
    actions::text_of,
    link::{Connection, Secret},
    plan::Field,
    run::conditions,
    template::{self, Exchange},
    vars::Lazy,
};

impl PluginRun {
    /// The keywords of the task that plugins read.
    pub(super) fn keywords(&self) -> Json {
        let task = &self.task;
        let rendered = |name: &Option<Field>| {
            let name = name.as_ref().and_then(|name| template::render(&name.value, &self.scope).ok());
            name.map(|name| text_of(&name))
        };
        let mut exchange = Exchange::with_trust(&self.scope.magic);
        let own_vars = task.settings.vars.first().into_iter().flat_map(|layer| layer.iter());
        let vars: serde_json::Map<String, Json> =
            own_vars.map(|(name, value)| (name.to_string(), as_written(value, &mut exchange))).collect();
        // `gather_facts` needs a play of ansible-core's.
        let gathers = self.plugin.name == "normal" && task.action.name() == "setup";
        let action = if gathers { "ansible.builtin.setup" } else { &*task.written };
        let environment: serde_json::Map<String, Json> =
            self.environment.iter().map(|(name, value)| (name.clone(), Json::from(value.as_str()))).collect();
        json!({
            "name": rendered(&task.name),
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
            "ignore_errors": conditions::flag(conditions::IGNORE_ERRORS, &task.settings, &self.scope).ok().flatten(),
            "when": task.settings.when.iter().map(|condition| condition.span.text()).collect::<Vec<_>>(),
            "vars": vars,
            "play": rendered(&self.play.play.name).or_else(|| rendered(&Some(self.play.play.hosts.clone()))),
            "resolved": self.plugin.full_name.trim_start_matches("ansible.legacy."),
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

/// A variable that is not rendered yet, as plugins read it: templates are trusted text. Encrypted values are withheld.
fn as_written(value: &Lazy, exchange: &mut Exchange) -> Json {
    match value {
        Lazy::Data(value) => exchange.encode(value).unwrap_or_default(),
        Lazy::Template(template) => json!({ "$": "trusted", "v": &*template.text }),
        Lazy::Vaulted(_) => Json::Null,
        Lazy::List(items) => items.iter().map(|item| as_written(item, exchange)).collect(),
        Lazy::Map(entries) => {
            entries.iter().map(|(name, value)| (name.to_string(), as_written(value, exchange))).collect()
        }
    }
}
