//! The conversation with one agent: concurrent batches over one pair of streams.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Read},
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};

use rplay_wire::{Failure, MAX_OUTCOME, Outcome, PIECE, Pieces, Reply, Request, encode};
use tokio::{
    io::{AsyncRead, AsyncWriteExt},
    sync::{
        Semaphore,
        mpsc::{Receiver, Sender, channel},
    },
    task::AbortHandle,
};
use tracing::{debug, trace};

use super::{
    LinkEvent,
    boundary::{MAX_VALUES, MOST_WANTED, ReplyError, bounded, read_reply},
    executable::AgentKind,
    running::{Running, Sending, Sink, Stages, answer_all},
    silence::Silence,
    transport::{Tail, Transport},
};

/// Number of frames waiting to be written; further senders wait.
const QUEUE: usize = 4;

/// Number of contents that are read for one agent at a time. Each holds a thread and an open file; an agent that does
/// not read must not take those of others.
const GIVEN_AT_ONCE: usize = 2;

/// An agent that has sent its hello.
pub(super) struct Conversation {
    /// The inventory's name, for messages.
    name: String,
    pub kind: AgentKind,
    frames: Mutex<Option<Sender<Vec<u8>>>>,
    /// `None` once the conversation is over.
    running: Mutex<Option<HashMap<u64, Running>>>,
    /// Content offered by batches that have ended, since a request for it may have crossed the last outcome.
    past: Mutex<HashSet<String>>,
    /// Number of contents that the agent waits for.
    wanted: AtomicUsize,
    giving: Arc<Semaphore>,
    stderr: Tail,
}

impl Conversation {
    /// Waits for the agent's hello, after its marker was read, and starts to read and write. `patience` limits the wait
    /// for the hello, `stall` the time without data inside a reply. The agent gets signs of life as often as `silence`
    /// says.
    pub(super) async fn begin(
        name: String,
        transport: Transport,
        patience: Duration,
        stall: Duration,
        silence: Silence,
    ) -> Result<Arc<Self>, Failure> {
        let Transport { mut reader, mut writer, stderr, kind, process } = transport;
        let hello = tokio::time::timeout(patience, read_reply(&mut reader, stall)).await;
        match hello {
            Ok(Ok(Some(Reply::Hello { .. }))) => {}
            Ok(Err(ReplyError::Io(_)) | Ok(None)) => return Err(ended(&name, &stderr).await),
            Ok(Err(error)) => return Err(broken(&name, &error)),
            Ok(Ok(Some(_))) => return Err(broken(&name, &ReplyError::NoHello)),
            Err(_) => return Err(Failure::unreachable(format!("the agent on {name} is not responding"))),
        };
        let (frames, mut queue): (_, Receiver<Vec<u8>>) = channel(QUEUE);
        let conversation = Arc::new(Conversation {
            name,
            kind,
            frames: Mutex::new(Some(frames)),
            running: Mutex::new(Some(HashMap::new())),
            past: Mutex::default(),
            wanted: AtomicUsize::new(0),
            giving: Arc::new(Semaphore::new(GIVEN_AT_ONCE)),
            stderr,
        });
        let writing = tokio::spawn(async move {
            while let Some(frame) = queue.recv().await {
                // The reader notices that the agent is gone.
                if writer.write_all(&frame).await.and(writer.flush().await).is_err() {
                    break;
                }
            }
            let _ = writer.shutdown().await;
        });
        let listener = conversation.clone();
        let writing = writing.abort_handle();
        tokio::spawn(async move {
            let heard = listener.listen(&mut reader, stall).await;
            listener.end(heard.err(), &writing).await;
            drop(process);
        });
        if let Some(interval) = silence.interval() {
            tokio::spawn(assure(Arc::downgrade(&conversation), interval));
        }
        Ok(conversation)
    }

    /// Sends a batch. If the conversation has already ended, nothing is sent and the batch is returned.
    pub(super) async fn send(&self, sending: Sending) -> Result<(), Sending> {
        let id = sending.batch.id;
        let Some(frames) = self.frames() else { return Err(sending) };
        let frame = match encode(&Request::Batch(sending.batch.clone())) {
            Ok(frame) => frame,
            Err(error) => {
                let failure = Failure::new(format!("cannot send the arguments to {}: {error}", self.name));
                answer_all(&sending, &Outcome::failed(failure));
                return Ok(());
            }
        };
        if sending.batch.is_empty() {
            sending.events.hear(LinkEvent::Done { key: sending.key });
            return Ok(());
        }
        debug!(
            host = self.name,
            batch = id,
            calls = sending.batch.len(),
            bytes = frame.len(),
            modules = %Stages(&sending.batch.stages),
            "sending a batch"
        );
        match self.running().as_mut() {
            None => return Err(sending),
            Some(running) => running.insert(id, Running::of(sending)),
        };
        // If the agent is gone, `end` answers for the batch.
        let _ = frames.send(frame).await;
        Ok(())
    }

    /// Asks the agent to cancel the batch with that key; its calls are still answered.
    pub(super) async fn cancel(&self, key: u64) {
        let batch = self
            .running()
            .as_ref()
            .and_then(|running| running.iter().find_map(|(batch, found)| (found.key == key).then_some(*batch)));
        if let (Some(batch), Some(frames)) = (batch, self.frames())
            && let Ok(frame) = encode(&Request::Cancel { batch })
        {
            debug!(host = self.name, batch, "cancelling a batch");
            let _ = frames.send(frame).await;
        }
    }

    /// Sends a request that has no reply.
    pub(super) async fn tell(&self, request: &Request) {
        if let (Some(frames), Ok(frame)) = (self.frames(), encode(request)) {
            let _ = frames.send(frame).await;
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.running().is_none()
    }

    /// Disconnects: the agent kills the processes that it started, and ends.
    pub(super) fn close(&self) {
        self.frames.lock().take();
    }

    async fn listen(
        self: &Arc<Self>,
        reader: &mut (impl AsyncRead + Unpin),
        stall: Duration,
    ) -> Result<(), ReplyError> {
        while let Some(reply) = read_reply(reader, stall).await? {
            match reply {
                Reply::Hello { .. } => return Err(ReplyError::SecondHello),
                Reply::Outcome { batch, index, outcome } => self.outcome(batch, index, bounded(outcome))?,
                Reply::Stopped { batch } => self.stopped(batch)?,
                Reply::Part { batch, index, piece, last, .. } => self.part(batch, index, &piece, last)?,
                Reply::Content { batch, index, piece, left } => self.content(batch, index, &piece, left)?,
                Reply::Want { sha256 } => self.give(sha256)?,
            }
        }
        Ok(())
    }

    /// Reports an outcome. A batch, even a cancelled one, is kept until all its calls are answered or it was stopped;
    /// so an outcome that nobody waits for never comes from an honest agent.
    fn outcome(&self, batch: u64, index: u32, outcome: Outcome) -> Result<(), ReplyError> {
        let mut running = self.running();
        let Some(running) = running.as_mut() else { return Ok(()) };
        let found = running.get_mut(&batch).ok_or(ReplyError::UnknownBatch { batch })?;
        let calls = found.answered.len();
        let answered = found.answered.get_mut(index as usize).ok_or(ReplyError::UnknownCall { index, calls })?;
        if std::mem::replace(answered, true) {
            return Err(ReplyError::AnsweredTwice { batch, index });
        }
        found.left -= 1;
        let (changed, failed) = (outcome.changed, outcome.failure.is_some());
        trace!(host = self.name, batch, call = index, changed, failed, "a call was answered");
        // A file that is incomplete by now will never be complete.
        found.sinks.remove(&index);
        found.events.hear(LinkEvent::Outcome { key: found.key, index, outcome });
        if found.left == 0
            && let Some(done) = running.remove(&batch)
        {
            done.events.hear(LinkEvent::Done { key: done.key });
            self.remember(done);
        }
        Ok(())
    }

    /// Adds a piece of an outcome; the last piece completes it.
    fn part(&self, batch: u64, index: u32, piece: &[u8], last: bool) -> Result<(), ReplyError> {
        let whole = {
            let mut running = self.running();
            let Some(running) = running.as_mut() else { return Ok(()) };
            let found = running.get_mut(&batch).ok_or(ReplyError::UnknownBatch { batch })?;
            match found.answered.get(index as usize) {
                Some(false) => {}
                Some(true) => return Err(ReplyError::AnsweredTwice { batch, index }),
                None => return Err(ReplyError::UnknownCall { index, calls: found.answered.len() }),
            }
            found.parts.entry(index).or_default().add(piece)?;
            // Concurrent calls may send their pieces interleaved.
            let held: usize = found.parts.values().map(Pieces::size).sum();
            if held > 2 * MAX_OUTCOME {
                return Err(ReplyError::LongOutcome);
            }
            if last { found.parts.remove(&index) } else { None }
        };
        if let Some(whole) = whole {
            self.outcome(batch, index, bounded(whole.outcome_at_most(MAX_VALUES)?))?;
        }
        Ok(())
    }

    /// Takes content that a call was asked to send. Other content is dropped: a host can only write where a task asks
    /// it to.
    fn content(&self, batch: u64, index: u32, piece: &[u8], left: u64) -> Result<(), ReplyError> {
        let mut sink = {
            let mut running = self.running();
            let Some(running) = running.as_mut() else { return Ok(()) };
            let found = running.get_mut(&batch).ok_or(ReplyError::UnknownBatch { batch })?;
            match found.sinks.remove(&index) {
                Some(Sink::Open(sink)) => sink,
                Some(Sink::Numbered(number)) => match (found.open)(number) {
                    Some(sink) => sink,
                    None => return Ok(()),
                },
                None => return Ok(()),
            }
        };
        // Meanwhile nothing is read from this host, which throttles it.
        tokio::task::block_in_place(|| sink.piece(piece, left));
        if left > 0
            && let Some(found) = self.running().as_mut().and_then(|running| running.get_mut(&batch))
        {
            found.sinks.insert(index, Sink::Open(sink));
        }
        Ok(())
    }

    fn stopped(&self, batch: u64) -> Result<(), ReplyError> {
        let mut running = self.running();
        let Some(running) = running.as_mut() else { return Ok(()) };
        let stopped = running.remove(&batch).ok_or(ReplyError::UnknownBatch { batch })?;
        debug!(
            host = self.name,
            batch,
            unstarted = stopped.left,
            "the agent stopped the batch after a failure or new facts"
        );
        stopped.events.hear(LinkEvent::Stopped { key: stopped.key });
        self.remember(stopped);
        Ok(())
    }

    /// Remembers the content that an ended batch had offered.
    fn remember(&self, ended: Running) {
        if !ended.offered.is_empty() {
            self.past.lock().extend(ended.offered.into_keys());
        }
    }

    /// Sends content in pieces, from a thread that may block.
    fn give(self: &Arc<Self>, sha256: String) -> Result<(), ReplyError> {
        let Some(frames) = self.frames() else { return Ok(()) };
        let offer = self.running().as_ref().and_then(|running| {
            running.values().find_map(|found| Some((found.offered.get(&sha256)?.clone(), found.blobs.clone())))
        });
        if offer.is_none() && !self.past.lock().contains(&sha256) {
            return Err(ReplyError::NotOffered);
        }
        if self.wanted.fetch_add(1, Ordering::AcqRel) >= MOST_WANTED {
            return Err(ReplyError::WantsTooMuch);
        }
        let this = self.clone();
        tokio::spawn(async move {
            let Ok(_turn) = this.giving.acquire().await else { return };
            let work = move || {
                let given = match offer {
                    Some((blob, source)) => source(&blob).and_then(|content| stream(&sha256, content, &frames)),
                    None => Err(io::Error::other("the batch that offered this content has ended")),
                };
                if let Err(error) = given
                    && let Ok(frame) = encode(&Request::NoBlob { sha256, reason: error.to_string() })
                {
                    let _ = frames.blocking_send(frame);
                }
            };
            let _ = tokio::task::spawn_blocking(work).await;
            this.wanted.fetch_sub(1, Ordering::AcqRel);
        });
        Ok(())
    }

    /// The agent is gone, or the conversation was ended: incomplete batches end as unreachable.
    async fn end(&self, error: Option<ReplyError>, writing: &AbortHandle) {
        let left = self.running().take().unwrap_or_default();
        self.close();
        // An agent that does not read would block its writer, and everyone waiting for it, forever.
        writing.abort();
        self.giving.close();
        let failure = match error {
            Some(ReplyError::Io(_)) | None => ended(&self.name, &self.stderr).await,
            Some(error) => broken(&self.name, &error),
        };
        for running in left.into_values() {
            running.events.hear(LinkEvent::Unreachable { key: running.key, failure: failure.clone() });
        }
    }

    fn frames(&self) -> Option<Sender<Vec<u8>>> {
        self.frames.lock().clone()
    }

    fn running(&self) -> MutexGuard<'_, Option<HashMap<u64, Running>>> {
        self.running.lock()
    }
}

/// Sends signs of life until the conversation ends. None is sent while much data is queued, since the agent counts
/// bytes.
async fn assure(conversation: Weak<Conversation>, interval: Duration) {
    let Ok(frame) = encode(&Request::Here) else { return };
    loop {
        tokio::time::sleep(interval).await;
        let Some(frames) = conversation.upgrade().and_then(|conversation| conversation.frames()) else { return };
        let _ = frames.try_send(frame.clone());
    }
}

fn stream(sha256: &str, mut content: Box<dyn Read + Send>, frames: &Sender<Vec<u8>>) -> io::Result<()> {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        let last = content.by_ref().take(PIECE as u64).read_to_end(&mut piece)? < PIECE;
        let frame = encode(&Request::Blob { sha256: sha256.to_owned(), piece, last }).map_err(io::Error::other)?;
        // When the writer is gone, nobody waits for the content either.
        if frames.blocking_send(frame).is_err() || last {
            return Ok(());
        }
    }
}

/// The failure for a host whose agent broke the protocol.
fn broken(name: &str, error: &ReplyError) -> Failure {
    Failure {
        help: Some("the host may be compromised: the program there does not behave like rplay's agent".to_owned()),
        ..Failure::unreachable(format!("the agent on {name} broke the protocol: {error}"))
    }
}

async fn ended(name: &str, stderr: &Tail) -> Failure {
    Failure::unreachable(match stderr.last_words().await {
        Some(words) => format!("the connection to {name} was lost: {words}"),
        None => format!("the connection to {name} was lost"),
    })
}
