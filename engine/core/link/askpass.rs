//! Giving ssh a password without showing it to anybody.
//!
//! ssh asks a program of our choice (SSH_ASKPASS): this executable again, which finds a socket named in its
//! environment and asks there. So the password is in no argument, no environment and no file. The socket
//! lies in a folder that only we can enter, and answers only what the one ssh process itself has started:
//! another ssh, on the way through a jump host, inherits the environment but must not hand our host's
//! password to the other one.

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

/// Names the socket. Its presence is what makes `rplay` an askpass program.
pub const SOCKET: &str = "RPLAY_ASKPASS";

/// Answers the questions of one ssh process, as long as it lives.
pub struct Answers {
    socket: PathBuf,
    /// The process of ssh; 0 while it has not been started.
    asker: Arc<AtomicU32>,
    listener: JoinHandle<()>,
}

impl Answers {
    /// Listens for questions and tells `command` where to ask them.
    pub fn to(password: Secret, folder: &Path, command: &mut Command, own: &Path) -> io::Result<Self> {
        let socket = folder.join(format!("ask{:08x}", rand::random::<u32>()));
        let listener = UnixListener::bind(&socket)?;
        // /proc/self would be ssh's own.
        let program = if own == Path::new("/proc/self/exe") { std::env::current_exe()? } else { own.to_owned() };
        command.env(SOCKET, &socket).env("SSH_ASKPASS", program).env("SSH_ASKPASS_REQUIRE", "force");
        let asker = Arc::new(AtomicU32::new(0));
        let ssh = asker.clone();
        let listener = tokio::spawn(async move {
            let mut password = Some(password);
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
                // Once: when ssh asks again it was the wrong one.
                let question = String::from_utf8_lossy(&question).to_lowercase();
                if wants_password(&question)
                    && let Some(password) = password.take()
                {
                    let _ = stream.write_all(password.reveal().as_bytes()).await;
                }
            }
        });
        Ok(Answers { socket, asker, listener })
    }

    /// Says which process may ask. Nothing is answered before.
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

/// Who started a process: `PID (NAME) STATE PARENT ...`, where the name may hold anything.
fn parent(pid: i32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Not the passphrase of a key, not a code from a telephone, not yes to an unknown host key.
fn wants_password(question: &str) -> bool {
    question.contains("password") && !question.contains("passphrase") && !question.contains("yes/no")
}

/// The other end: asks ssh's question at the socket and prints the answer. Fails when there is none.
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
    fn only_a_password_is_given() {
        assert!(wants_password("ops@web1's password: "));
        assert!(wants_password("(ops@web1) password: "));
        assert!(!wants_password("enter passphrase for key '/home/password/.ssh/id': "));
        assert!(!wants_password("are you sure you want to continue connecting (yes/no/[fingerprint])? "));
        assert!(!wants_password("verification code: "));
    }
}
