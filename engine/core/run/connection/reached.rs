//! The variables that tell how a task's host is reached: they exist in every task, whatever sets them. Variables count
//! first, then the keywords, the command line and the configuration.

use std::sync::Arc;

use minijinja::value::Value;

use crate::{
    plan::Task,
    run::{
        conditions,
        connection::{
            target,
            variables::{ConnectionError, password, variable},
        },
        reads::ReadTracker,
        scope::{magic::Otherwise, precedence::Sight},
        state::{host::HostState, play::PlayRun, run::Run},
        steering,
    },
    vars::{Layer, Scope},
};

/// Their names, sorted.
const NAMES: &[&str] = &[
    "ansible_connection",
    "ansible_host",
    "ansible_password",
    "ansible_port",
    "ansible_private_key_file",
    "ansible_shell_executable",
    "ansible_ssh_host",
    "ansible_ssh_pass",
    "ansible_ssh_port",
    "ansible_ssh_private_key_file",
    "ansible_ssh_timeout",
    "ansible_ssh_user",
    "ansible_timeout",
    "ansible_user",
];

impl Run {
    /// What the task itself sees, and the conditions on its result: also the variables that tell how its host is
    /// reached. As in Ansible, its name and its loop do not see these.
    pub(crate) fn begun_scope(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        host: &Arc<HostState>,
        task: &Arc<Task>,
        top: Option<Arc<Layer>>,
        reads: Option<&Arc<ReadTracker>>,
    ) -> Arc<Scope> {
        let reached = Reached {
            run: self.clone(),
            play: play.clone(),
            host: host.clone(),
            task: task.clone(),
            top: top.clone(),
            reads: reads.cloned(),
        };
        self.seen(play, host, Some(task), top, Sight { reads, otherwise: Some(Arc::new(reached)) })
    }
}

/// The variables of one task on one host.
struct Reached {
    run: Arc<Run>,
    play: Arc<PlayRun>,
    host: Arc<HostState>,
    task: Arc<Task>,
    /// The task's temporary variables.
    top: Option<Arc<Layer>>,
    /// Records what is read.
    reads: Option<Arc<ReadTracker>>,
}

impl Otherwise for Reached {
    fn names(&self) -> &'static [&'static str] {
        NAMES
    }

    /// What cannot be rendered is not there: the task fails by it when it connects.
    fn value(&self, name: &str) -> Option<Value> {
        NAMES.binary_search(&name).ok()?;
        self.try_value(name).ok().flatten()
    }
}

impl Reached {
    fn try_value(&self, name: &str) -> Result<Option<Value>, ConnectionError> {
        let Reached { run, play, host, task, .. } = self;
        let reads = self.reads.as_ref();
        let own = run.tracked_scope(play, host, Some(task), self.top.clone(), reads);
        // A delegated task reaches another host.
        let delegate = conditions::delegate(&task.settings, &own)?;
        let other = delegate.filter(|name| **name != *host.name).map(|name| run.host_or_ad_hoc(&name, play));
        let theirs = match &other {
            Some(other) => &run.tracked_scope(play, other, Some(task), None, reads),
            None => &own,
        };
        let defaults = &run.options.connection;
        let settings = Some(&*task.settings);
        Ok(match name {
            "ansible_connection" => {
                let settings = settings.filter(|_| other.is_none());
                Some(target::kind(settings, &own, theirs, defaults)?.into())
            }
            "ansible_host" | "ansible_ssh_host" => {
                let reached = &other.as_ref().unwrap_or(host).name;
                Some(variable(steering::HOST, theirs)?.unwrap_or_else(|| reached.clone().into()))
            }
            "ansible_user" | "ansible_ssh_user" => target::user(settings, &own, theirs, defaults)?.map(Value::from),
            "ansible_port" | "ansible_ssh_port" => variable(steering::PORT, theirs)?.or(defaults.port.map(Value::from)),
            "ansible_timeout" | "ansible_ssh_timeout" => {
                Some(variable(steering::TIMEOUT, theirs)?.unwrap_or_else(|| defaults.timeout.into()))
            }
            "ansible_private_key_file" | "ansible_ssh_private_key_file" => variable(steering::KEY_FILE, theirs)?
                .or_else(|| defaults.private_key_file.as_ref().map(|path| path.display().to_string().into())),
            "ansible_password" | "ansible_ssh_pass" => password(steering::PASSWORD, theirs)?
                .or_else(|| defaults.password.as_ref().map(|password| password.reveal().to_owned()))
                .map(Value::from),
            "ansible_shell_executable" => Some(run.options.shell.clone().into()),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::NAMES;

    #[test]
    fn names_are_sorted_so_that_each_is_found() {
        assert!(NAMES.is_sorted());
    }
}
