//! Privilege escalation: starts an agent as another user through sudo, su or doas, and interprets their messages.

mod way;

use std::{
    io::{BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use rplay_wire::{Become, Failure, MARKER};

use way::{Prompt, Way, way};

/// How long to wait for a prompt or for the other agent. Ansible uses the same limit.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum number of bytes before the agent's marker, such as the output of a login script.
const MOST_NOISE: usize = 1 << 16;

/// An agent that runs as the other user. Its output has been read up to and including its marker.
pub(crate) struct Started {
    pub process: Child,
    pub stdin: ChildStdin,
    pub stdout: BufReader<ChildStdout>,
}

/// Why the agent could not be started.
pub(crate) struct Refused {
    pub failure: Failure,
    /// Set so that the password is not tried again: repeated failures lock accounts.
    pub wrong_password: bool,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Refused { failure, wrong_password: false }
    }
}

/// Starts `executable` as an agent as specified by `wanted`. `own` is the name of the current user.
pub(crate) fn start(wanted: &Become, executable: &Path, own: &str) -> Result<Started, Refused> {
    let mut way = way(wanted, executable)?;
    let spawned = way.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut process = spawned.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::new(format!("`{}` is not installed on this host", way.program))
            .help(format!("install it, or connect as {} without become", wanted.user)),
        _ => Failure::new(format!("cannot start `{}`: {error}", way.program)),
    })?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (process.stdin.take(), process.stdout.take(), process.stderr.take())
    else {
        return Err(Failure::new(format!("`{}` was started without its streams", way.program)).into());
    };
    let (signs, seen) = channel();
    // The program of a plugin may prompt on either stream.
    let begun = watch_stdout(stdout, signs.clone(), wanted.plugin.is_some()).and_then(|()| watch_stderr(stderr, signs));
    begun.map_err(|error| Failure::new(format!("cannot start a thread on the host: {error}")))?;
    match converse(wanted, &way, own, stdin, &seen) {
        Ok((stdin, stdout)) => Ok(Started { process, stdin, stdout }),
        Err(refused) => {
            // It exits because its standard input is closed; the kill may be denied if it runs as root.
            let _ = process.kill();
            let _ = thread::Builder::new().spawn(move || process.wait());
            Err(refused)
        }
    }
}

/// What the program sends while the agent is being started.
enum Sign {
    /// Text that may be a prompt or a message.
    Text(String),
    Marker(BufReader<ChildStdout>),
    /// Standard output ended, or did not start with the agent's marker; this is what it contained.
    Ended(String),
}

/// Waits for the marker. With `tells`, what comes before it is passed on as text, too.
fn watch_stdout(stdout: ChildStdout, signs: Sender<Sign>, tells: bool) -> std::io::Result<()> {
    thread::Builder::new().spawn(move || {
        let mut reader = BufReader::with_capacity(1 << 16, stdout);
        let mut noise = Vec::new();
        let mut byte = [0u8];
        while noise.len() < MOST_NOISE && matches!(reader.read(&mut byte), Ok(1)) {
            noise.push(byte[0]);
            if tells {
                let _ = signs.send(Sign::Text(String::from_utf8_lossy(&byte).into_owned()));
            }
            if noise.ends_with(MARKER) {
                let _ = signs.send(Sign::Marker(reader));
                return;
            }
        }
        let _ = signs.send(Sign::Ended(String::from_utf8_lossy(&noise).into_owned()));
    })?;
    Ok(())
}

/// Passes on standard error as text. Once nobody listens, it goes to this process's own standard error, so that the
/// pipe never fills up.
fn watch_stderr(mut stderr: ChildStderr, signs: Sender<Sign>) -> std::io::Result<()> {
    thread::Builder::new().spawn(move || {
        let mut piece = [0u8; 4096];
        while let Ok(count @ 1..) = stderr.read(&mut piece) {
            let text = piece.get(..count).unwrap_or_default();
            if signs.send(Sign::Text(String::from_utf8_lossy(text).into_owned())).is_err() {
                let _ = std::io::stderr().write_all(text);
            }
        }
    })?;
    Ok(())
}

type Streams = (ChildStdin, BufReader<ChildStdout>);

/// Answers the password prompt and waits for the marker.
fn converse(
    wanted: &Become,
    way: &Way,
    own: &str,
    mut stdin: ChildStdin,
    seen: &Receiver<Sign>,
) -> Result<Streams, Refused> {
    let program = &wanted.method;
    let mut said = String::new();
    let mut noise = String::new();
    let mut answered = 0;
    let mut ended = false;
    let mut deadline = Instant::now() + TIMEOUT;
    loop {
        match seen.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Sign::Marker(stdout)) => return Ok((stdin, stdout)),
            Ok(Sign::Ended(text)) => {
                // An explanation on standard error may still arrive; the channel closes when both threads end.
                (ended, noise) = (true, text);
                deadline = deadline.min(Instant::now() + Duration::from_millis(500));
            }
            Ok(Sign::Text(text)) => {
                said.push_str(&text);
                if !way.prompt.asked(&said, answered) {
                    continue;
                }
                let Some(password) = wanted.password.as_deref().filter(|_| answered == 0) else {
                    return Err(if answered == 0 { missing(program) } else { incorrect(wanted, program, own) });
                };
                if stdin.write_all(format!("{password}\n").as_bytes()).and_then(|()| stdin.flush()).is_err() {
                    continue;
                }
                answered += 1;
                deadline = Instant::now() + TIMEOUT;
            }
            Err(RecvTimeoutError::Timeout) if !ended => {
                let last = last_words(&said, way);
                let msg = "Timed out waiting for become success or become password prompt".to_owned();
                let said = if last.is_empty() { msg } else { format!("{msg}; {program} said: {last}") };
                return Err(Failure::unreachable(said).into());
            }
            Err(_) => return Err(explain(wanted, way, own, &said, &noise, answered)),
        }
    }
}

fn missing(program: &str) -> Refused {
    let msg = format!("{program} on this host requires a password; use -K or set ansible_become_password");
    Refused { failure: Failure::new(msg), wrong_password: true }
}

fn incorrect(wanted: &Become, program: &str, own: &str) -> Refused {
    // sudo asks for the current user's password, su for the other user's.
    let whose = if wanted.method == "su" { &wanted.user } else { own };
    Refused { failure: Failure::new(format!("Incorrect {program} password for {whose}")), wrong_password: true }
}

/// The failure that the program's last messages describe.
fn explain(wanted: &Become, way: &Way, own: &str, said: &str, noise: &str, answered: usize) -> Refused {
    let (program, user) = (&wanted.method, &wanted.user);
    let says = |what: &str| said.contains(what);
    if let Some(plugin) = &wanted.plugin {
        if answered > 0 && plugin.failed.iter().any(|words| says(words)) {
            return incorrect(wanted, program, own);
        }
        if answered == 0 && plugin.missing.iter().any(|words| says(words)) {
            return missing(program);
        }
    }
    if answered > 0 && (says("incorrect password") || says("Sorry, try again") || says("uthentication failure")) {
        return incorrect(wanted, program, own);
    }
    if answered == 0 && (says("a password is required") || says("uthentication required")) {
        return missing(program);
    }
    let last = match last_words(said, way) {
        last if last.is_empty() => last_words(noise, way),
        last => last,
    };
    let failure = if says("unknown user") || says("does not exist") {
        Failure::new(format!("user `{user}` does not exist on this host"))
            .help("create it first, or correct become_user")
    } else if says("must have a tty") {
        Failure::new(format!("{program} on this host requires a terminal"))
            .help("remove `requiretty` from its sudoers file")
    } else if says("not in the sudoers") || says("may not run") || says("not allowed to") {
        Failure::new(format!("{own} is not allowed to become {user}: {last}")).help("allow it in the sudoers file")
    } else if last.is_empty() {
        Failure::new(format!("{program} exited without switching to user {user} and gave no reason"))
    } else {
        Failure::new(format!("{program} did not switch to user {user}: {last}"))
    };
    failure.into()
}

/// The last lines, without prompts and the program's own prefix, shortened to fit into a sentence.
fn last_words(said: &str, way: &Way) -> String {
    let said = match &way.prompt {
        Prompt::Words(words) => said.replace(words.as_str(), "\n"),
        Prompt::AnyColon | Prompt::OneOf(_) | Prompt::Never => said.to_owned(),
    };
    let named = format!("{}: ", way.program.rsplit('/').next().unwrap_or_default());
    let lines: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(2)..).unwrap_or_default();
    let words = last.iter().map(|line| line.strip_prefix(&named).unwrap_or(line)).collect::<Vec<_>>().join("; ");
    words.chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use rplay_wire::{Become, BecomePlugin};

    use super::{way::tests::wanted, *};

    #[test]
    fn the_command_of_a_plugin_starts_the_agent_wherever_it_is_quoted() {
        let plugin = BecomePlugin {
            command: "tool -u x /bin/sh -c 'echo DONE ; RPLAY_AGENT_PATH agent'".into(),
            prompt: Some("Secret: ".into()),
            failed: vec!["no way".into()],
            missing: Vec::new(),
        };
        let with = Become { plugin: Some(plugin), ..wanted("mine") };
        let way = way(&with, Path::new("/home/u/.cache/rplay-1")).unwrap_or_else(|failure| panic!("{}", failure.msg));
        let args: Vec<_> = way.command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
        assert_eq!(args, ["-c", "tool -u x /bin/sh -c 'echo DONE ; /home/u/.cache/rplay-1 agent'"]);
        assert!(way.prompt.asked("Secret:", 0) && !way.prompt.asked("Secret:", 1));
        assert!(explain(&with, &way, "me", "no way", "", 1).wrong_password);
        assert!(super::way(&with, Path::new("/home/a b/rplay")).is_err());
    }
}
