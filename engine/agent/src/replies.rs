//! The reply stream to the controller, shared by all threads of an agent.

use std::{
    io::Write,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};

use rplay_wire::{Failure, FrameError, MARKER, Outcome, Reply, encode, outcome_frames};

/// How long an outcome waits for others that may follow it. Each write wakes sshd, the controller's ssh and the
/// controller, which costs more than running a small task. The delay is too short to be noticed. If the agent is
/// killed during it, the calls count as unanswered.
const PATIENCE: Duration = Duration::from_millis(20);

/// Bytes at which the queue is written without further delay.
const ENOUGH: usize = 64 << 10;

/// Writes whole frames in the order in which they were queued.
#[derive(Clone)]
pub(crate) struct Replies(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    /// Writers lock it before the queue, so that they keep their order.
    writer: Mutex<Box<dyn Write + Send>>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<u8>,
    /// Time of the last write.
    written: Option<Instant>,
    /// Whether a thread is running that writes the queue.
    is_watched: bool,
}

impl Replies {
    pub(crate) fn new(writer: impl Write + Send + 'static) -> Self {
        Replies(Arc::new(Shared { queue: Mutex::default(), writer: Mutex::new(Box::new(writer)) }))
    }

    /// Writes the marker by which the controller finds the first frame.
    pub(crate) fn begin(&self) -> Result<(), FrameError> {
        self.write_with(MARKER)
    }

    /// Queues a reply and writes the queue immediately.
    pub(crate) fn send(&self, reply: &Reply) -> Result<(), FrameError> {
        self.write_with(&encode(reply)?)
    }

    /// Sends an outcome that others may follow soon. If the previous write was only milliseconds ago, this one waits,
    /// so that others can be written with it. An outcome that is too large to be sent becomes a failure. Errors of the
    /// connection are not returned: the reading side notices a lost controller, too.
    pub(crate) fn outcome(&self, batch: u64, index: u32, outcome: Outcome) {
        let Some(frame) = self.send_long(batch, index, outcome) else { return };
        let mut queue = self.queue();
        queue.waiting.extend_from_slice(&frame);
        let rested = queue.written.is_none_or(|written| written.elapsed() >= PATIENCE);
        let is_due = rested || queue.waiting.len() >= ENOUGH;
        if !is_due && !queue.is_watched {
            let this = self.clone();
            queue.is_watched = thread::Builder::new().spawn(move || this.watch()).is_ok();
        }
        if is_due || !queue.is_watched {
            drop(queue);
            let _ = self.write();
        }
    }

    /// Sends an outcome that no other will follow soon, and writes the queue immediately.
    pub(crate) fn last_outcome(&self, batch: u64, index: u32, outcome: Outcome) {
        if let Some(frame) = self.send_long(batch, index, outcome) {
            let _ = self.write_with(&frame);
        }
    }

    /// Sends an outcome that takes several frames, each after the previous one is written, so that only one is in
    /// memory. Returns the frame of a shorter outcome.
    fn send_long(&self, batch: u64, index: u32, outcome: Outcome) -> Option<Vec<u8>> {
        let mut last: Option<Vec<u8>> = None;
        let sent = outcome_frames(batch, index, outcome, |frame| match last.replace(frame) {
            Some(frame) => self.write_with(&frame),
            None => Ok(()),
        });
        match sent {
            Ok(()) => last,
            // The reading side notices a lost controller, too.
            Err(FrameError::Io(_)) => None,
            Err(error) => {
                let outcome = Outcome::failed(Failure::new(format!("cannot send the result: {error}")));
                encode(&Reply::Outcome { batch, index, outcome }).ok()
            }
        }
    }

    /// Writes the queue at intervals until it is empty.
    fn watch(&self) {
        loop {
            thread::sleep(PATIENCE);
            {
                let mut queue = self.queue();
                if queue.waiting.is_empty() {
                    queue.is_watched = false;
                    return;
                }
            }
            let _ = self.write();
        }
    }

    /// Writes the queue, then this frame.
    fn write_with(&self, frame: &[u8]) -> Result<(), FrameError> {
        self.queue().waiting.extend_from_slice(frame);
        self.write()
    }

    fn write(&self) -> Result<(), FrameError> {
        let mut writer = self.0.writer.lock();
        let waiting = std::mem::take(&mut self.queue().waiting);
        if !waiting.is_empty() {
            writer.write_all(&waiting)?;
            writer.flush()?;
            self.queue().written = Some(Instant::now());
        }
        Ok(())
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use rplay_wire::read_frame;

    use super::*;

    /// Reports each write.
    struct Told(Sender<Vec<u8>>);

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn replies() -> (Replies, Receiver<Vec<u8>>) {
        let (sender, writes) = channel();
        (Replies::new(Told(sender)), writes)
    }

    fn indexes(mut bytes: &[u8]) -> Vec<u32> {
        let mut found = Vec::new();
        while let Some(Reply::Outcome { index, .. }) = read_frame(&mut bytes).unwrap() {
            found.push(index);
        }
        found
    }

    #[test]
    fn outcomes_in_a_row_share_writes_and_keep_their_order() {
        let (replies, writes) = replies();
        for index in 0..100 {
            replies.outcome(1, index, Outcome::default());
        }
        replies.last_outcome(1, 100, Outcome::default());
        drop(replies);
        let writes: Vec<_> = writes.iter().collect();
        assert!(writes.len() < 50, "{} writes", writes.len());
        assert_eq!(indexes(&writes.concat()), (0..=100).collect::<Vec<_>>());
    }

    #[test]
    fn an_outcome_after_a_rest_goes_at_once_and_the_next_one_soon() {
        let (replies, writes) = replies();
        replies.outcome(1, 0, Outcome::default());
        assert_eq!(indexes(&writes.try_recv().unwrap()), [0]);
        // No later frame is written with it.
        replies.outcome(1, 1, Outcome::default());
        assert_eq!(indexes(&writes.recv_timeout(Duration::from_secs(10)).unwrap()), [1]);
    }

    /// Accepts one write, then blocks until released.
    struct Slow(Receiver<()>, Sender<usize>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.1.send(bytes.len());
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn towards_a_slow_controller_no_more_than_a_few_pieces_wait() {
        let ((go, wait), (told, writes)) = (channel(), channel());
        let replies = Replies::new(Slow(wait, told));
        let sender = replies.clone();
        let sending = thread::spawn(move || {
            for index in 0..4 {
                let data = rplay_wire::data! { "stdout" => "x".repeat(1 << 20) };
                sender.outcome(1, index, Outcome { data, ..Outcome::default() });
            }
            sender.last_outcome(1, 4, Outcome::default());
        });
        writes.recv().unwrap();
        thread::sleep(Duration::from_millis(100));
        assert!(!sending.is_finished() && replies.queue().waiting.len() < 4 * ENOUGH);
        drop(go);
        sending.join().unwrap();
        assert!(writes.iter().take(60).all(|length| length < 4 * ENOUGH));
    }

    #[test]
    fn what_waits_goes_before_another_reply() {
        let (replies, writes) = replies();
        replies.send(&Reply::Want { sha256: "x".to_owned() }).unwrap();
        replies.outcome(1, 0, Outcome::default());
        replies.send(&Reply::Stopped { batch: 1 }).unwrap();
        let all = writes.try_iter().collect::<Vec<_>>().concat();
        let mut all = all.as_slice();
        let mut next = || read_frame::<Reply>(&mut all).unwrap().unwrap();
        assert!(matches!(next(), Reply::Want { .. }));
        assert!(matches!(next(), Reply::Outcome { .. }));
        assert!(matches!(next(), Reply::Stopped { .. }));
    }
}
