//! Passes a password to ssh, or a passphrase to ssh-add, without exposing it.
//!
//! ssh runs the program named by SSH_ASKPASS: this executable again, which asks at a socket named in its environment.
//! So the password is never an argument, an environment variable or a file. The socket is in a private directory and
//! only answers direct children of the one ssh process: another ssh, for a jump host, inherits the environment, but
//! must not get the password of the target host.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
    process::Command,
    task::JoinHandle,
};

use super::Secret;

/// Path of the socket. If it is set, `rplay` acts as an askpass program.
pub const SOCKET: &str = "RPLAY_ASKPASS";

/// What a program may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    Password,
    Passphrase,
}

/// Answers the prompts of one ssh process during its lifetime.
pub struct Answers {
    socket: PathBuf,
    /// PID of ssh or ssh-add; 0 until it has started.
    asker: Arc<AtomicU32>,
    listener: JoinHandle<()>,
}

impl Answers {
    /// Listens for prompts that ask for `wanted`, and sets up `command` to ask here.
    ///
    /// # Errors
    /// If the socket cannot be created.
    pub fn to(
        wanted: Question,
        secret: Secret,
        directory: &Path,
        command: &mut Command,
        own: &Path,
    ) -> io::Result<Self> {
        let socket = directory.join(format!("ask{:08x}", rand::random::<u32>()));
        let listener = UnixListener::bind(&socket)?;
        // In ssh, /proc/self would mean ssh's own executable; the path of ours may name a newer one by now, or none.
        let program = match own == Path::new("/proc/self/exe") {
            true => PathBuf::from(format!("/proc/{}/exe", std::process::id())),
            false => own.to_owned(),
        };
        command.env(SOCKET, &socket).env("SSH_ASKPASS", program).env("SSH_ASKPASS_REQUIRE", "force");
        let asker = Arc::new(AtomicU32::new(0));
        let ssh = asker.clone();
        let listener = tokio::spawn(async move {
            let mut secret = Some(secret);
            while let Ok((mut stream, _)) = listener.accept().await {
                while ssh.load(Ordering::SeqCst) == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                let parent = stream.peer_cred().ok().and_then(|peer| parent(peer.pid()?));
                let mut question = Vec::new();
                if parent != Some(ssh.load(Ordering::SeqCst))
                    || (&mut stream).take(4096).read_to_end(&mut question).await.is_err()
                {
                    continue;
                }
                // Only once: if it asks again, the answer was wrong.
                let question = String::from_utf8_lossy(&question).to_lowercase();
                if wanted.is_asked_by(&question)
                    && let Some(secret) = secret.take()
                {
                    let _ = stream.write_all(secret.reveal().as_bytes()).await;
                }
            }
        });
        Ok(Answers { socket, asker, listener })
    }

    /// Sets the process that may ask. Before that, nothing is answered.
    pub fn only_for(&self, ssh: u32) {
        self.asker.store(ssh, Ordering::SeqCst);
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.listener.abort();
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// A process's parent: `PID (NAME) STATE PARENT ...`; the name may contain anything.
fn parent(pid: i32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

impl Question {
    /// Whether a prompt, in small letters, asks for this. A one-time code and the confirmation of an unknown host key are
    /// neither.
    fn is_asked_by(self, prompt: &str) -> bool {
        let is_passphrase = prompt.contains("passphrase");
        match self {
            Question::Passphrase => is_passphrase,
            Question::Password => prompt.contains("password") && !is_passphrase && !prompt.contains("yes/no"),
        }
    }
}

/// The other side: sends ssh's prompt to the socket and prints the answer. Fails if there is none.
pub fn main(question: &str) -> ExitCode {
    let Some(socket) = std::env::var_os(SOCKET) else { return ExitCode::FAILURE };
    match ask(Path::new(&socket), question) {
        Ok(answer) if !answer.is_empty() && io::stdout().write_all(format!("{answer}\n").as_bytes()).is_ok() => {
            ExitCode::SUCCESS
        }
        _ => ExitCode::FAILURE,
    }
}

fn ask(socket: &Path, question: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(question.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_is_given() {
        let by = |prompt: &str| [Question::Password, Question::Passphrase].map(|question| question.is_asked_by(prompt));
        assert_eq!(by("ops@web1's password: "), [true, false]);
        assert_eq!(by("(ops@web1) password: "), [true, false]);
        assert_eq!(by("enter passphrase for key '/home/password/.ssh/id': "), [false, true]);
        assert_eq!(by("enter passphrase for (stdin): "), [false, true]);
        assert_eq!(by("are you sure you want to continue connecting (yes/no/[fingerprint])? "), [false, false]);
        assert_eq!(by("verification code: "), [false, false]);
    }
}
