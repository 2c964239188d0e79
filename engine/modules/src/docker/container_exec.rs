//! docker_container_exec: runs a command in a running container.

use rplay_contract::module_result::UNKNOWN_ERROR;
use rplay_wire::{Failure, Map, data};
use serde_json::{Value as Json, json};

use super::{
    engine::{Engine, EngineArgs, encode},
    output::read_output,
    units::Texts,
};
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, Text},
    system::captured::{Budget, Captured, Excess},
};

args! {
    /// Runs a command in a running container and returns its output and status.
    pub struct DockerContainerExec {
        ..engine: EngineArgs,
        /// The name or ID of the container.
        container: Text,
        /// The command, split like in a shell, but run without one.
        command: Option<Text>,
        /// The command as a list of words.
        argv: Option<Vec<Text>>,
        /// The working directory.
        chdir: Option<Text>,
        /// The user.
        user: Option<Text>,
        /// Environment variables. Their values are not shown in messages.
        env: Option<Texts>,
        /// Do not wait for its end.
        detach: Flag = Flag(false),
        /// Allocate a terminal; stdout and stderr are then merged.
        tty: Flag = Flag(false),
        /// Remove empty lines at the end of its output.
        strip_empty_ends: Flag = Flag(true),
    }
}

impl DockerContainerExec {
    fn words(&self) -> Result<Vec<String>, ArgError> {
        match (&self.argv, &self.command) {
            (Some(argv), None) if !argv.is_empty() => Ok(argv.clone()),
            (None, Some(command)) => match shell_words::split(command) {
                Ok(words) if !words.is_empty() => Ok(words),
                Ok(_) => Err(ArgError::new("command", "`command` is empty")),
                Err(_) => Err(ArgError::new("command", "has an unclosed quote")),
            },
            (Some(_), Some(_)) => Err(ArgError::new("argv", "`command` and `argv` are mutually exclusive")),
            _ => Err(ArgError::new("command", "one of `command` and `argv` is required")),
        }
    }
}

impl Module for DockerContainerExec {
    fn check(&self) -> Result<(), ArgError> {
        self.words().map(drop)
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let words = self.words().map_err(|error| Failure::new(error.msg))?;
        // The other words may be secret.
        let what = format!("run {} in container {}", words.first().map_or("", String::as_str), self.container);
        let Some(engine) = Engine::reach_softly(host, &self.engine)? else {
            return Ok(super::without_engine(what));
        };
        let mut body = json!({
            "Cmd": words, "Tty": self.tty.0,
            "AttachStdout": !self.detach.0, "AttachStderr": !self.detach.0, "AttachStdin": false,
        });
        if let Some(env) = &self.env {
            body["Env"] = env.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        }
        for (key, value) in [("User", &self.user), ("WorkingDir", &self.chdir)] {
            if let Some(value) = value {
                body[key] = json!(value);
            }
        }
        let change = Change::new(what, move |host, data| self.run(host, &engine, &body, data));
        let unchecked = "remote module (community.docker.docker_container_exec) does not support check mode";
        Ok(Plan::unchanged().change(change.unpredictable(unchecked)))
    }
}

impl DockerContainerExec {
    fn run(&self, host: &Host, engine: &Engine, body: &Json, data: &mut Map) -> Result<(), Failure> {
        let made = match engine.post(format!("/containers/{}/exec", encode(&self.container)), body) {
            Err(error) if error.is_missing() => {
                return Err(Failure::new(format!("Could not find container \"{}\"", self.container)));
            }
            made => made?,
        };
        let id = made.get("Id").and_then(Json::as_str).unwrap_or_default();
        let start = engine.request("POST", format!("/exec/{id}/start"));
        let response = start.body(&json!({"Detach": self.detach.0, "Tty": self.tty.0})).patiently().send()?;
        if self.detach.0 {
            data.insert("exec_id".to_owned(), id.into());
            return Ok(());
        }
        let mut budget = Budget::new(host.max_output());
        let (mut stdout, mut stderr) = (Captured::default(), Captured::default());
        read_output(response.reader(), !self.tty.0, |stream, text| {
            let kept = if stream == 2 { &mut stderr } else { &mut stdout };
            kept.add(text, &mut budget);
            !budget.is_endless()
        })?;
        let text = |output: Captured| {
            let mut text = output.text();
            if self.strip_empty_ends.0 {
                text.truncate(text.trim_end_matches(['\r', '\n']).len());
            }
            text
        };
        let is_endless = budget.is_endless();
        if let Some(excess) = budget.excess(false) {
            let sentence = excess.sentence("the command");
            if is_endless {
                // The Engine cannot stop it; without a reader it usually ends on its own.
                let result = data! { "stdout" => text(stdout), "stderr" => text(stderr) };
                let msg = format!("{sentence}; rplay did not wait for its end");
                return Err(Failure::new(msg).help(Excess::help()).data(result));
            }
            host.warn(format!("{sentence}; {}", Excess::help()));
        }
        let ended = engine.get(format!("/exec/{id}/json"))?;
        let rc = ended.get("ExitCode").and_then(Json::as_i64).unwrap_or_default();
        let result = data! { "stdout" => text(stdout), "stderr" => text(stderr), "rc" => rc, "changed" => true };
        data.extend(result);
        // As in Ansible, where the module itself does not fail.
        if rc == 0 { Ok(()) } else { Err(Failure::new(UNKNOWN_ERROR).data(data.clone())) }
    }
}
