//! Starts a master: an ssh that logs in and holds the connection.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::Stdio as ProcessStdio,
    time::Duration,
};

use rplay_wire::Failure;
use tokio::{process::Command, time::timeout};
use tracing::debug;

use super::Masters;
use crate::link::{
    SshOptions, Target,
    askpass::{Answers, Question},
    silence::Silence,
};

/// Seconds that a login may take beyond connecting: name lookups and slow PAM modules on the host.
const LOGIN: u64 = 30;

impl Masters {
    /// Starts a master under a temporary name. Two runs may start at the same time, and an ssh that finds an existing
    /// socket runs on without one: it can never be reached and never ends.
    pub(super) async fn new_master(&self, target: &Target, ssh: &SshOptions, control: &Path) -> Result<(), Ended> {
        let new = control.with_extension(format!("{:08x}", rand::random::<u32>()));
        self.master(target, ssh, &new).await?;
        if self.is_alive(control).await {
            self.end(ssh, &new).await;
            return Ok(());
        }
        std::fs::rename(&new, control).map_err(|error| {
            Ended::Failed(Failure::unreachable(format!("ssh's control socket {} is missing: {error}", new.display())))
        })
    }

    /// Runs `ssh -M -f`, which returns once the master has logged in and runs in the background.
    async fn master(&self, target: &Target, ssh: &SshOptions, control: &Path) -> Result<(), Ended> {
        let name = &target.name;
        let beside = |end: &str| PathBuf::from(format!("{}.{end}", control.display()));
        let unwritten = |path: &Path, error: io::Error| {
            Ended::Failed(Failure::unreachable(format!("cannot write {}: {error}", path.display())))
        };
        // ssh needs it only until it has logged in.
        let public = beside("pub");
        let _removed = Removed(&public);
        if let Some(key) = &ssh.private_key {
            let half = self.keys.pass(key, &ssh.host, &self.directory, self.executables.own_path());
            let half = half.await.map_err(Ended::Failed)?;
            let written = private_file(&public).and_then(|mut file| file.write_all(half.as_bytes()));
            written.map_err(|error| unwritten(&public, error))?;
        }
        // The master keeps its standard error open, so a pipe would never end.
        let log = beside("log");
        let written = private_file(&log).map_err(|error| unwritten(&log, error))?;
        let _removed = Removed(&log);
        let mut command = Command::new(&ssh.executable);
        let arguments = self.arguments(ssh, control, &public);
        debug!(host = name, command = %shell_words::join([&ssh.executable].into_iter().chain(&arguments)), "starting ssh");
        command.args(arguments);
        command.stdin(ProcessStdio::null()).stdout(ProcessStdio::null()).stderr(written).kill_on_drop(true);
        let answers = match &ssh.password {
            None => None,
            Some(password) => {
                let answers = Answers::to(
                    Question::Password,
                    password.clone(),
                    &self.directory,
                    &mut command,
                    self.executables.own_path(),
                );
                Some(answers.map_err(|error| {
                    Ended::Failed(Failure::unreachable(format!("cannot pass a password to ssh: {error}")))
                })?)
            }
        };
        let mut process = command.spawn().map_err(|error| {
            Ended::Failed(match error.kind() {
                io::ErrorKind::NotFound => {
                    Failure::new(format!("`{}` is not installed on the controller", ssh.executable))
                        .help("install the OpenSSH client")
                }
                _ => Failure::new(format!("cannot start `{}`: {error}", ssh.executable)),
            })
        })?;
        if let (Some(answers), Some(pid)) = (&answers, process.id()) {
            answers.only_for(pid);
        }
        let longest = Duration::from_secs(u64::from(ssh.timeout) + LOGIN);
        let said = |ended: &str| {
            let text = std::fs::read(&log).unwrap_or_default();
            Ended::Said(format!("{}\n{ended}", String::from_utf8_lossy(&text)))
        };
        match timeout(longest, process.wait()).await {
            Ok(Ok(status)) if status.success() => {
                debug!(host = name, "ssh has logged in");
                Ok(())
            }
            Ok(Ok(_)) => Err(said("")),
            Ok(Err(error)) => Err(said(&error.to_string())),
            Err(_) => Err(Ended::Failed(Failure::unreachable(format!(
                "logging in on {name} over ssh took longer than {} s",
                longest.as_secs()
            )))),
        }
    }

    /// ssh uses the first value of an option: options that rplay relies on come first, then the inventory's variables,
    /// the user's arguments, and finally rplay's defaults. `public` is the file with the public half of a key in the
    /// ssh-agent, if there is one.
    fn arguments(&self, ssh: &SshOptions, control: &Path, public: &Path) -> Vec<String> {
        let mut words: Vec<String> = ["-M", "-f", "-N", "-S"].map(str::to_owned).into();
        words.push(control.to_string_lossy().into_owned());
        let mut option = |option: String| words.extend(["-o".to_owned(), option]);
        match ssh.password {
            // Never prompts on a terminal, neither for a password nor for a host key.
            None => option("BatchMode=yes".to_owned()),
            Some(_) => {
                option("BatchMode=no".to_owned());
                option("NumberOfPasswordPrompts=1".to_owned());
            }
        }
        if !ssh.check_host_key {
            option("StrictHostKeyChecking=no".to_owned());
        }
        if let Some(port) = ssh.port {
            option(format!("Port={port}"));
        }
        if let Some(user) = &ssh.user {
            option(format!("User=\"{user}\""));
        }
        if ssh.private_key.is_some() {
            option("IdentitiesOnly=yes".to_owned());
            option(format!("IdentityFile=\"{}\"", public.display()));
        } else if let Some(key) = &ssh.private_key_file {
            option(format!("IdentityFile=\"{}\"", key.display()));
        }
        words.extend(ssh.args.iter().cloned());
        for default in [
            format!("ConnectTimeout={}", ssh.timeout),
            format!("ControlPersist={}", self.persist),
            format!("ServerAliveInterval={}", self.silence.server_alive_interval()),
            format!("ServerAliveCountMax={}", Silence::SERVER_ALIVE_COUNT),
        ] {
            words.extend(["-o".to_owned(), default]);
        }
        words.extend(["--".to_owned(), ssh.host.clone()]);
        words
    }
}

/// Why a master did not start.
pub(super) enum Ended {
    /// ssh ended with this message.
    Said(String),
    Failed(Failure),
}

/// Removes a file on drop.
struct Removed<'a>(&'a Path);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.0);
    }
}

fn private_file(path: &Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::link::{executables::Executables, keys::Keys};

    fn masters() -> Masters {
        let executables = Arc::new(Executables::new(None, None, None));
        Masters::new("/run/x".into(), 60, Silence::default(), executables, Keys::new(None))
    }

    #[test]
    fn what_the_user_says_comes_before_our_defaults_and_after_what_we_rely_on() {
        let ssh = SshOptions {
            args: vec!["-o".into(), "ControlPersist=5m".into()],
            port: Some(2222),
            ..SshOptions::new("web1")
        };
        let words = masters().arguments(&ssh, Path::new("/run/x/c"), Path::new("/run/x/c.pub")).join(" ");
        let at = |word: &str| words.find(word).unwrap_or_else(|| panic!("{word} is not in {words}"));
        assert!(at("-S /run/x/c") < at("BatchMode=yes"));
        assert!(at("Port=2222") < at("ControlPersist=5m"));
        assert!(at("ControlPersist=5m") < at("ControlPersist=60"));
        assert!(words.ends_with("-- web1"));
        assert!(!words.contains("StrictHostKeyChecking"));
    }
}
