//! The conversation with the controller.

use std::{
    collections::HashMap,
    fs,
    io::{BufReader, Read, Write},
    os::fd::AsFd,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use nix::unistd::getuid;
use parking_lot::{Mutex, MutexGuard};
use rplay_modules::BlobSource;
use rplay_wire::{Batch, Failure, FrameError, Outcome, Reply, Request, read_frame};

use crate::{
    batch,
    blobs::Blobs,
    identity::Identities,
    part::Part,
    patience::{Heard, Patience},
    replies::Replies,
    running::Running,
};

/// How long stopped calls may take to clean up.
const GRACE: Duration = Duration::from_secs(5);

/// Answers requests until the controller disconnects. Then no further call starts, running ones are killed, and fetched
/// content is removed.
///
/// # Errors
/// If the controller's data cannot be decoded, or ends in the middle of a frame.
pub fn serve(reader: impl Read + Send + 'static, writer: impl Write + Send + 'static) -> Result<(), FrameError> {
    converse(reader, writer, &Patience::default())
}

/// Like [`serve`], for an agent that is a process of its own: it also ends on a terminating signal, and when the
/// controller has sent nothing for this number of seconds. With 0 it waits forever.
///
/// # Errors
/// Same as [`serve`]; also if the controller was silent for too long, or a terminating signal arrived.
pub fn serve_while_heard(
    reader: impl Read + AsFd + Send + 'static,
    writer: impl Write + Send + 'static,
    seconds: u32,
) -> Result<(), FrameError> {
    let mut patience = Patience::new(seconds);
    patience.heed_signals();
    converse(Heard::new(reader, patience.clone()), writer, &patience)
}

fn converse(
    reader: impl Read + Send + 'static,
    writer: impl Write + Send + 'static,
    patience: &Patience,
) -> Result<(), FrameError> {
    let replies = Replies::new(writer);
    replies.begin()?;
    let user = own_name();
    replies.send(&Reply::Hello { user: user.clone(), uid: getuid().as_raw(), pid: std::process::id() })?;
    let blobs = Arc::new(Blobs::new(replies.clone()));
    let identities = Identities::new(user, replies.clone(), blobs.clone());
    let agent = Arc::new(Agent { replies, blobs, identities, running: Mutex::default() });
    let listened = listen(&agent, reader, patience);
    agent.close();
    listened
}

struct Agent {
    replies: Replies,
    blobs: Arc<Blobs>,
    identities: Identities,
    running: Mutex<HashMap<u64, Running>>,
}

fn listen(agent: &Arc<Agent>, reader: impl Read, patience: &Patience) -> Result<(), FrameError> {
    let mut reader = BufReader::with_capacity(1 << 16, reader);
    while let Some(request) = read_frame(&mut reader)? {
        match request {
            Request::Batch(batch) => begin(agent, batch),
            Request::Blob { sha256, piece, last } => agent.blobs.piece(&sha256, &piece, last),
            Request::NoBlob { sha256, reason } => agent.blobs.fail(&sha256, &reason),
            Request::Cancel { batch } => {
                if let Some(running) = agent.running().get(&batch) {
                    running.stop();
                }
                agent.identities.cancel(batch);
            }
            Request::Here => patience.set_away(false),
            Request::Away => patience.set_away(true),
        }
    }
    Ok(())
}

/// Runs a batch on its own thread.
fn begin(agent: &Arc<Agent>, batch: Batch) {
    let running = Running::default();
    agent.running().insert(batch.id, running.clone());
    let (id, calls) = (batch.id, batch.len());
    let runner = agent.clone();
    let spawned = thread::Builder::new().name(format!("batch {id}")).spawn(move || {
        runner.run(batch, &running);
        runner.running().remove(&id);
    });
    if let Err(error) = spawned {
        agent.running().remove(&id);
        let failure = Failure::new(format!("cannot start a thread on the host: {error}"));
        for index in 0..calls {
            agent.replies.outcome(id, index as u32, Outcome::failed(failure.clone()));
        }
    }
}

impl Agent {
    fn run(&self, batch: Batch, running: &Running) {
        let (id, calls) = (batch.id, batch.len());
        let blobs = self.blobs.clone() as Arc<dyn BlobSource>;
        for part in Part::of(batch) {
            let first = part.first;
            let progress = match part.become_user.clone().filter(|wanted| wanted.user != self.identities.own_name()) {
                Some(wanted) => self.identities.run(&wanted, part, &running.cancel),
                None => batch::run(&part, running, &blobs, &self.replies),
            };
            if !progress.goes_on {
                if first + progress.calls < calls {
                    let _ = self.replies.send(&Reply::Stopped { batch: id });
                }
                return;
            }
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<u64, Running>> {
        self.running.lock()
    }

    fn close(&self) {
        rplay_modules::tell_locks_end();
        for running in self.running().values() {
            running.stop();
        }
        self.identities.close();
        self.blobs.close();
        // Stopped calls remove their temporary files.
        let until = Instant::now() + GRACE;
        while !self.running().is_empty() && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The name of the current user. It is read from /etc/passwd, because a static executable must not load the host's name
/// service libraries; `id` answers for users that are defined elsewhere.
fn own_name() -> String {
    let uid = getuid().to_string();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let listed = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    listed.unwrap_or_else(|| {
        let asked = std::process::Command::new("id").arg("-un").output().ok();
        let name = asked.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
        if name.trim().is_empty() { uid } else { name.trim().to_owned() }
    })
}
