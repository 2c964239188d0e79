//! Agents that run as other users. Each is started once and receives every part of a batch that is for its user.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Write},
    process::{Child, ChildStdin},
    sync::{Arc, mpsc::Receiver},
    thread,
};

use parking_lot::{Mutex, MutexGuard};

use rplay_modules::Cancel;
use rplay_wire::{Become, Failure, Outcome, PIECE, Reply, Request, encode, read_reply};

use crate::{
    blobs::Blobs,
    escalation::{self, Started},
    executable::Executable,
    part::{Open, Part, Progress},
    replies::Replies,
};

/// The agents of all users.
pub(crate) struct Identities {
    own: String,
    replies: Replies,
    blobs: Arc<Blobs>,
    slots: Mutex<HashMap<Become, Arc<Mutex<Slot>>>>,
}

/// Locked while the agent starts, so that it starts only once.
#[derive(Default)]
enum Slot {
    #[default]
    Empty,
    Running(Arc<Other>),
    /// A wrong password is not tried twice, because that would lock the account.
    Refused(Failure),
}

impl Identities {
    pub(crate) fn new(own: String, replies: Replies, blobs: Arc<Blobs>) -> Self {
        Identities { own, replies, blobs, slots: Mutex::default() }
    }

    /// The user that this agent itself runs as.
    pub(crate) fn own_name(&self) -> &str {
        &self.own
    }

    /// Hands a part of a batch to the agent that runs as `wanted`, and waits until the part has ended. Unless the batch
    /// is stopped, every call of the part gets an outcome, whatever happens.
    pub(crate) fn run(&self, wanted: &Become, part: Part, cancel: &Cancel) -> Progress {
        match self.other(wanted) {
            Err(failure) => Open::of(&part).0.break_off(&failure, &self.replies),
            Ok(_) if cancel.is_cancelled() => {
                let outcome = Outcome { skipped: Some("cancelled".to_owned()), ..Outcome::default() };
                for index in part.first..part.first + part.calls() {
                    self.replies.outcome(part.batch, index as u32, outcome.clone());
                }
                Progress { calls: part.calls(), goes_on: true }
            }
            Ok(other) => {
                let id = part.batch;
                let progress = other.hand(part);
                // The batch may have been cancelled before the part was sent.
                if cancel.is_cancelled() {
                    other.cancel(id);
                }
                // `listen` answers for every call before it ends.
                progress.recv().unwrap_or(Progress { calls: 0, goes_on: false })
            }
        }
    }

    /// Forwards a cancellation to the agents that have parts of the batch.
    pub(crate) fn cancel(&self, batch: u64) {
        for slot in self.slots().values() {
            // An agent that is still starting checks the batch's own token.
            if let Some(slot) = slot.try_lock()
                && let Slot::Running(other) = &*slot
            {
                other.cancel(batch);
            }
        }
    }

    /// Closes the input of all agents, which ends them. One that is still starting ends together with this process.
    pub(crate) fn close(&self) {
        for slot in self.slots().values() {
            if let Some(slot) = slot.try_lock()
                && let Slot::Running(other) = &*slot
                && let Some(mut writer) = other.writer.try_lock()
            {
                writer.take();
            }
        }
    }

    fn other(&self, wanted: &Become) -> Result<Arc<Other>, Failure> {
        let slot = self.slots().entry(wanted.clone()).or_default().clone();
        let mut slot = slot.lock();
        match &*slot {
            Slot::Running(other) if other.is_alive() => return Ok(other.clone()),
            Slot::Refused(failure) => return Err(failure.clone()),
            _ => {}
        }
        let executable = Executable::runnable_by(&wanted.user).map_err(|error| {
            Failure::new(format!("cannot put the agent where {} can start it: {error}", wanted.user))
        })?;
        match escalation::start(wanted, executable.path(), &self.own) {
            Ok(started) => {
                let other = Other::begin(wanted.user.clone(), started, self.replies.clone(), self.blobs.clone())?;
                *slot = Slot::Running(other.clone());
                Ok(other)
            }
            Err(refused) => {
                if refused.wrong_password {
                    *slot = Slot::Refused(refused.failure.clone());
                }
                Err(refused.failure)
            }
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Become, Arc<Mutex<Slot>>>> {
        self.slots.lock()
    }
}

/// An agent that runs as another user.
struct Other {
    user: String,
    replies: Replies,
    blobs: Arc<Blobs>,
    writer: Mutex<Option<ChildStdin>>,
    /// Parts with unanswered calls, by batch; `None` once the agent has ended.
    open: Mutex<Option<HashMap<u64, Open>>>,
}

impl Other {
    fn begin(user: String, started: Started, replies: Replies, blobs: Arc<Blobs>) -> Result<Arc<Self>, Failure> {
        let Started { process, stdin, stdout } = started;
        let writer = Mutex::new(Some(stdin));
        let other = Arc::new(Other { user, replies, blobs, writer, open: Mutex::new(Some(HashMap::new())) });
        let listener = other.clone();
        let spawned = thread::Builder::new().spawn(move || listener.listen(stdout, process));
        spawned.map_err(|error| Failure::new(format!("cannot start a thread on the host: {error}")))?;
        Ok(other)
    }

    fn is_alive(&self) -> bool {
        self.open().is_some()
    }

    /// Sends the agent a part of a batch. The receiver gets the progress once the part has ended.
    fn hand(&self, part: Part) -> Receiver<Progress> {
        let (new, progress) = Open::of(&part);
        match self.open().as_mut() {
            Some(open) => drop(open.insert(part.batch, new)),
            None => {
                self.break_off(new);
                return progress;
            }
        }
        // If sending fails, the agent has ended, and `listen` answers.
        let _ = self.send(&Request::Batch(part.for_other()));
        progress
    }

    fn cancel(&self, batch: u64) {
        if self.open().as_ref().is_some_and(|open| open.contains_key(&batch)) {
            let _ = self.send(&Request::Cancel { batch });
        }
    }

    /// Forwards what the other agent sends, until it ends.
    fn listen(self: &Arc<Self>, mut stdout: impl Read, mut process: Child) {
        while let Ok(Some(reply)) = read_reply(&mut stdout) {
            match reply {
                Reply::Hello { .. } => {}
                Reply::Outcome { batch, index, outcome } => self.answered(batch, index, outcome),
                Reply::Part { batch, index, piece, last, failed, holds_up } => {
                    self.part(batch, index, piece, last, (failed, holds_up));
                }
                Reply::Content { batch, index, piece, left } => {
                    if let Some(index) = self.number_of(batch, index) {
                        let _ = self.replies.send(&Reply::Content { batch, index, piece, left });
                    }
                }
                Reply::Stopped { batch } => {
                    if let Some(stopped) = self.open().as_mut().and_then(|open| open.remove(&batch)) {
                        stopped.end(false);
                    }
                }
                Reply::Want { sha256 } => {
                    let this = self.clone();
                    let give = move || this.give(&sha256);
                    let _ = thread::Builder::new().spawn(give);
                }
            }
        }
        let open = self.open().take().unwrap_or_default();
        self.writer().take();
        open.into_values().for_each(|open| self.break_off(open));
        let _ = process.wait();
    }

    /// Forwards an outcome that is waited for.
    fn answered(&self, batch: u64, index: u32, outcome: Outcome) {
        let mut open = self.open();
        let Some(open) = open.as_mut() else { return };
        let Some(found) = open.get_mut(&batch) else { return };
        if !found.note(index as usize, outcome.failure.is_some(), outcome.holds_up) {
            return;
        }
        let index = found.first as u32 + index;
        if !found.is_complete() {
            return self.replies.outcome(batch, index, outcome);
        }
        self.replies.last_outcome(batch, index, outcome);
        if let Some(done) = open.remove(&batch) {
            done.end(true);
        }
    }

    /// The index by which the controller knows a call, if its outcome is still awaited.
    fn number_of(&self, batch: u64, index: u32) -> Option<u32> {
        let open = self.open();
        let found = open.as_ref()?.get(&batch)?;
        found.is_open(index as usize).then_some(found.first as u32 + index)
    }

    /// Forwards a piece of a long outcome without decoding it.
    fn part(&self, batch: u64, index: u32, piece: Vec<u8>, last: bool, (failed, holds_up): (bool, bool)) {
        let Some(index_there) = self.number_of(batch, index) else { return };
        let _ = self.replies.send(&Reply::Part { batch, index: index_there, piece, last, failed, holds_up });
        if !last {
            return;
        }
        let mut open = self.open();
        let Some(open) = open.as_mut() else { return };
        let Some(found) = open.get_mut(&batch) else { return };
        found.note(index as usize, failed, holds_up);
        if found.is_complete()
            && let Some(done) = open.remove(&batch)
        {
            done.end(true);
        }
    }

    fn break_off(&self, open: Open) {
        let failure = Failure::new(format!("the agent of {} ended before it answered", self.user));
        open.break_off(&failure, &self.replies);
    }

    /// Sends content that the other agent asked for. It cannot read this agent's files, so it receives its own copy.
    fn give(&self, sha256: &str) {
        let given = self.blobs.fetch_digest(sha256).and_then(|path| self.stream(sha256, &mut File::open(path)?));
        if let Err(error) = given {
            let _ = self.send(&Request::NoBlob { sha256: sha256.to_owned(), reason: error.to_string() });
        }
    }

    fn stream(&self, sha256: &str, content: &mut impl Read) -> io::Result<()> {
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            let count = content.take(PIECE as u64).read_to_end(&mut piece)?;
            let last = count < PIECE;
            self.send(&Request::Blob { sha256: sha256.to_owned(), piece, last })?;
            if last {
                return Ok(());
            }
        }
    }

    fn send(&self, request: &Request) -> io::Result<()> {
        let frame = encode(request).map_err(io::Error::other)?;
        let mut writer = self.writer();
        let stdin = writer.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(&frame)?;
        stdin.flush()
    }

    fn open(&self) -> MutexGuard<'_, Option<HashMap<u64, Open>>> {
        self.open.lock()
    }

    fn writer(&self) -> MutexGuard<'_, Option<ChildStdin>> {
        self.writer.lock()
    }
}
