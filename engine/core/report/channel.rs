//! Passes events from the threads of the run to one reporting thread.

use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::event::{Event, Sink};

/// Shows events, one after the other.
pub trait Reader: Send {
    fn read(&mut self, event: &Event);

    /// Called when no event is waiting: everything read so far must become visible.
    fn rest(&mut self) {}

    /// Called at intervals without events.
    fn tick(&mut self) {}

    /// Called before something else is written.
    fn clear(&mut self) {}

    /// Whether results must contain the arguments of their modules, as in Ansible's JSON and as plugins in Python expect.
    fn wants_invocations(&self) -> bool {
        false
    }
}

/// Where the run sends its events. The reporting thread ends with [`Channel::close`].
pub struct Channel {
    sender: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
    /// Set when the run is aborted: events from its threads are no longer shown.
    closed: AtomicBool,
}

enum Message {
    Event(Box<Event>),
    /// Answered once everything sent before has been written.
    Flush(Sender<()>),
    End,
}

/// Maximum number of unreported events: the run is slowed down only when it is this far ahead of its report.
const MOST_WAITING: usize = 1 << 14;

/// How often the live lines are redrawn.
const TICK: Duration = Duration::from_millis(500);

impl Channel {
    pub fn new(mut reader: Box<dyn Reader>) -> Self {
        let (sender, receiver) = mpsc::sync_channel(MOST_WAITING);
        let thread = std::thread::spawn(move || {
            loop {
                match next(&receiver, &mut *reader) {
                    Ok(Message::Event(event)) => {
                        crate::panics::trap(if matches!(*event, Event::TaskStarted(_)) { "report" } else { "" });
                        reader.read(&event);
                    }
                    Ok(Message::Flush(done)) => {
                        reader.clear();
                        reader.rest();
                        let _ = done.send(());
                    }
                    Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => reader.tick(),
                }
            }
            reader.clear();
            reader.rest();
        });
        Channel { sender, thread: Some(thread), closed: AtomicBool::new(false) }
    }

    /// Returns once everything sent so far has been shown, so that a prompt does not overtake it.
    pub fn flush(&self) {
        let (done, wait) = mpsc::channel();
        if self.sender.send(Message::Flush(done)).is_ok() {
            let _ = wait.recv();
        }
    }

    /// From now on, only events sent with [`Channel::send_last`] are shown.
    pub fn close_to_others(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Sends an event after [`Channel::close_to_others`].
    pub fn send_last(&self, event: Event) {
        let _ = self.sender.send(Message::Event(Box::new(event)));
    }

    /// Like `flush`, with a time limit. Returns false if not everything was shown.
    pub fn flush_within(&self, patience: Duration) -> bool {
        let (done, wait) = mpsc::channel();
        let sent = self.sender.send(Message::Flush(done)).is_ok();
        sent && wait.recv_timeout(patience) == Ok(())
    }

    /// Shows the remaining events and ends the thread.
    pub fn close(&mut self) {
        let _ = self.sender.send(Message::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The next message. Output is flushed only when none is waiting, so that many small tasks share one write.
fn next(receiver: &Receiver<Message>, reader: &mut dyn Reader) -> Result<Message, RecvTimeoutError> {
    if let Ok(message) = receiver.try_recv() {
        return Ok(message);
    }
    reader.rest();
    receiver.recv_timeout(TICK)
}

impl Sink for Channel {
    fn send(&self, event: Event) {
        // The receiver is only gone when the run is over.
        if !self.closed.load(Ordering::Acquire) {
            let _ = self.sender.send(Message::Event(Box::new(event)));
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.close();
    }
}
