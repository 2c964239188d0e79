//! The streams of an agent's process, wherever it runs.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, BufReader},
    sync::watch,
    time::timeout,
};

use super::executable::AgentKind;

/// Bytes of standard error that are kept for messages.
const TAIL: usize = 4096;

/// A process that is, or will become, an agent.
pub(super) struct Transport {
    pub reader: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
    pub stderr: Tail,
    /// The kind of agent that the process is.
    pub kind: AgentKind,
    /// Handles that end the process or its channel when they are dropped; dropped with the conversation.
    pub process: Box<dyn Send>,
}

impl Transport {
    /// `process` must live as long as the conversation.
    pub(super) fn new(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        stderr: impl AsyncRead + Send + Unpin + 'static,
        process: impl Send + 'static,
    ) -> Self {
        let reader: Box<dyn AsyncRead + Send + Unpin> = Box::new(reader);
        let (stderr, reading) = Tail::of(stderr);
        Transport {
            reader: BufReader::with_capacity(1 << 16, reader),
            writer: Box::new(writer),
            stderr,
            kind: AgentKind::Full,
            process: Box::new((process, reading)),
        }
    }
}

/// Reads standard error. Ends with the conversation, since a process may write there endlessly.
struct Reading(tokio::task::AbortHandle);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The end of what a process wrote to standard error.
#[derive(Clone)]
pub(super) struct Tail {
    kept: Arc<Mutex<Vec<u8>>>,
    ended: watch::Receiver<bool>,
}

impl Tail {
    /// Reads `stderr` to its end in the background. Must be called inside the runtime.
    fn of(mut stderr: impl AsyncRead + Send + Unpin + 'static) -> (Self, Reading) {
        let (end, ended) = watch::channel(false);
        let tail = Tail { kept: Arc::default(), ended };
        let kept = tail.kept.clone();
        let reading = tokio::spawn(async move {
            let mut piece = [0u8; 1024];
            while let Ok(count @ 1..) = stderr.read(&mut piece).await {
                let mut kept = kept.lock();
                kept.extend_from_slice(piece.get(..count).unwrap_or_default());
                let surplus = kept.len().saturating_sub(TAIL);
                kept.drain(..surplus);
            }
            let _ = end.send(true);
        });
        (tail, Reading(reading.abort_handle()))
    }

    /// The last lines, joined, if any. For a process that has ended: its output may still be in transit, so its end is
    /// awaited, but not for long, since a descendant may keep the stream open.
    pub(super) async fn last_words(&self) -> Option<String> {
        let mut ended = self.ended.clone();
        let _ = timeout(Duration::from_millis(200), ended.wait_for(|ended| *ended)).await;
        last_words(&String::from_utf8_lossy(&self.kept.lock()))
    }
}

/// The last non-empty lines, joined and shortened to fit into a sentence.
pub(super) fn last_words(text: &str) -> Option<String> {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(3)..).unwrap_or_default().join("; ");
    (!last.is_empty()).then(|| last.chars().filter(|c| !c.is_control()).take(500).collect())
}
