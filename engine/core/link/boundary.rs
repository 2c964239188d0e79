//! The trust boundary: validates what an agent sends before any other part of the engine sees it.
//!
//! Hosts are not trusted. Whoever controls a host can run any program in the agent's place. Therefore a reply is
//! untrusted data: its size, nesting, number of values and time of arrival are limited, and it must belong to a request
//! that was sent to this very agent. An agent that violates these rules has broken the protocol: the conversation ends,
//! the host becomes unreachable, and all others continue. `run/steering.rs` decides which variables a host may set,
//! `report/visible.rs` what reaches the terminal; `docs/security.md` lists all rules.

use std::{
    io,
    time::{Duration, Instant},
};

use rplay_wire::{FrameError, MAX_DEPTH, MAX_OUTCOME, MAX_REPLY, Outcome, Reply, decode_at_most};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout_at,
};

/// Limit on list items and mapping entries in one reply; each takes about a hundred bytes of memory. The facts of a
/// machine with 3,000 packages have about 15,000.
pub(super) const MAX_VALUES: usize = 2_000_000;

/// Minimum speed in bytes per second of a whole reply; slower than that is an attack, not a slow link.
const SLOWEST: u64 = 1024;

/// Number of warnings that are kept per outcome; the rest is only counted.
const MOST_WARNINGS: usize = 100;
const MOST_CHANGES: usize = 10_000;
/// Number of characters that are kept of a warning.
const LONGEST_WARNING: usize = 4096;

/// Number of contents that an agent may wait for at a time.
pub(super) const MOST_WANTED: usize = 1024;

/// Why a reply is rejected.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplyError {
    #[error("the connection was lost: {0}")]
    Io(#[from] io::Error),
    #[error("it stopped in the middle of a reply: no data for {} s", .0.as_secs_f32())]
    Stalled(Duration),
    #[error("a reply of {length} bytes did not arrive within {} s", within.as_secs_f32())]
    Trickle { length: u32, within: Duration },
    #[error("it announced a reply of {0} bytes; at most {MAX_REPLY} are allowed")]
    TooLong(u32),
    #[error("the outcome of a call is longer than the {MAX_OUTCOME} bytes allowed")]
    LongOutcome,
    #[error("a reply is nested deeper than the {MAX_DEPTH} levels allowed")]
    TooDeep,
    #[error("a reply holds more than the {MAX_VALUES} values allowed")]
    TooMany,
    #[error("a reply cannot be decoded: {0}")]
    Garbled(FrameError),
    #[error("it sent a second hello")]
    SecondHello,
    #[error("it sent something else before its hello")]
    NoHello,
    #[error("it answered for batch {batch}, which it was never sent or has already answered")]
    UnknownBatch { batch: u64 },
    #[error("it answered call {index} of a batch of {calls}")]
    UnknownCall { index: u32, calls: usize },
    #[error("it answered call {index} of batch {batch} twice")]
    AnsweredTwice { batch: u64, index: u32 },
    #[error("it asked for content that was never offered to it")]
    NotOffered,
    #[error("it asked for more than {MOST_WANTED} contents at a time")]
    WantsTooMuch,
}

/// Reads the next reply. `None` means that the agent disconnected cleanly, between two replies.
///
/// Between replies an agent may be silent for as long as its work takes. Within a reply, `stall` limits the time
/// without data, and the reply's length the total time. Memory grows with the bytes received, not with the announced
/// length.
pub(super) async fn read_reply(
    reader: &mut (impl AsyncRead + Unpin),
    stall: Duration,
) -> Result<Option<Reply>, ReplyError> {
    let mut head = [0u8; 4];
    let mut filled = reader.read(&mut head).await?;
    if filled == 0 {
        return Ok(None);
    }
    let begun = Instant::now();
    while let Some(rest) = head.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        filled += arrived(reader.read(rest), 0, stall, begun).await?;
    }
    let length = u32::from_le_bytes(head);
    if length > MAX_REPLY {
        return Err(ReplyError::TooLong(length));
    }
    let whole = length as usize;
    let mut body: Vec<u8> = Vec::with_capacity(whole.min(1 << 16));
    let mut reader = reader.take(length.into());
    while body.len() < whole {
        if body.len() == body.capacity() {
            body.reserve((whole - body.len()).min(body.len().max(1 << 16)));
        }
        arrived(reader.read_buf(&mut body), length, stall, begun).await?;
    }
    Ok(decode_at_most(MAX_VALUES, &body).map(Some)?)
}

impl From<FrameError> for ReplyError {
    /// For a reply that has arrived completely, or an outcome assembled from several.
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TooLong(_) => ReplyError::LongOutcome,
            FrameError::TooDeep => ReplyError::TooDeep,
            FrameError::TooMany(_) => ReplyError::TooMany,
            error => ReplyError::Garbled(error),
        }
    }
}

/// Reads the next bytes of a reply that has begun.
async fn arrived(
    read: impl Future<Output = io::Result<usize>>,
    length: u32,
    stall: Duration,
    begun: Instant,
) -> Result<usize, ReplyError> {
    let within = 2 * stall + Duration::from_secs(u64::from(length) / SLOWEST);
    let (silent, slow) = (Instant::now() + stall, begun + within);
    match timeout_at(silent.min(slow).into(), read).await {
        Ok(Ok(0)) => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        Ok(Ok(count)) => Ok(count),
        Ok(Err(error)) => Err(error.into()),
        Err(_) if slow < silent => Err(ReplyError::Trickle { length, within }),
        Err(_) => Err(ReplyError::Stalled(stall)),
    }
}

/// Truncates warnings and changes of an outcome to a readable number.
pub(super) fn bounded(mut outcome: Outcome) -> Outcome {
    for warning in &mut outcome.warnings {
        if let Some((end, _)) = warning.char_indices().nth(LONGEST_WARNING) {
            warning.truncate(end);
            warning.push_str(" ...");
        }
    }
    cut(&mut outcome.warnings, MOST_WARNINGS, "warnings");
    cut(&mut outcome.changes, MOST_CHANGES, "changes");
    outcome
}

fn cut(lines: &mut Vec<String>, most: usize, what: &str) {
    if let Some(more) = lines.len().checked_sub(most).filter(|more| *more > 0) {
        lines.truncate(most);
        lines.push(format!("and {more} more {what}"));
    }
}

#[cfg(test)]
mod tests {
    use rplay_wire::{Value, data, encode};
    use tokio::{
        io::AsyncWriteExt,
        runtime::{Builder, Runtime},
    };

    use super::*;

    const STALL: Duration = Duration::from_secs(5);

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Option<Reply>, ReplyError> {
        runtime().block_on(read_reply(&mut &bytes[..], STALL))
    }

    #[test]
    fn a_reply_comes_whole_or_not_at_all() {
        let reply = Reply::Want { sha256: "x".repeat(100_000) };
        let frame = encode(&reply).unwrap();
        assert_eq!(read(&frame).unwrap(), Some(reply));
        assert!(read(&[]).unwrap().is_none());
        for cut in [1, 3, 4, 5, frame.len() - 1] {
            assert!(matches!(read(&frame[..cut]), Err(ReplyError::Io(_))), "{cut}");
        }
    }

    #[test]
    fn size_depth_and_number_of_values_are_bounded() {
        assert!(matches!(read(&[0xff; 4]), Err(ReplyError::TooLong(u32::MAX))));
        let mut bomb = vec![0u8; 4];
        bomb.extend([1, 1, 0, 0, 0, 0, 0, 0, 1, 1, b'x']);
        bomb.extend([7u8, 1].repeat(500_000));
        let length = bomb.len() as u32 - 4;
        bomb[..4].copy_from_slice(&length.to_le_bytes());
        assert!(matches!(read(&bomb), Err(ReplyError::TooDeep)));
        let many = Outcome { data: data! { "x" => vec![Value::Null; MAX_VALUES] }, ..Outcome::default() };
        let decoded = decode_at_most::<Outcome>(MAX_VALUES, &encode(&many).unwrap()[4..]);
        assert!(matches!(decoded.map_err(ReplyError::from), Err(ReplyError::TooMany)));
    }

    #[test]
    fn a_reply_that_stops_half_way_is_not_waited_for() {
        let stall = Duration::from_millis(50);
        for sent in [&[9u8][..], &[9, 0, 0, 0], &[9, 0, 0, 0, 1, 2]] {
            let error = runtime().block_on(async {
                let (mut host, mut controller) = tokio::io::duplex(64);
                host.write_all(sent).await.unwrap();
                read_reply(&mut controller, stall).await.unwrap_err()
            });
            assert!(matches!(error, ReplyError::Stalled(_)), "{error}");
        }
        // Without a byte, no reply has begun that could time out.
        let silent = runtime().block_on(async {
            let (_host, mut controller) = tokio::io::duplex(64);
            tokio::time::timeout(stall * 3, read_reply(&mut controller, stall)).await
        });
        assert!(silent.is_err());
    }

    #[test]
    fn a_trickle_ends_though_bytes_keep_coming() {
        let stall = Duration::from_millis(200);
        let error = runtime().block_on(async {
            let (mut host, mut controller) = tokio::io::duplex(64);
            tokio::spawn(async move {
                host.write_all(&500u32.to_le_bytes()).await.unwrap();
                while host.write_all(&[0]).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            });
            read_reply(&mut controller, stall).await.unwrap_err()
        });
        assert!(matches!(error, ReplyError::Trickle { length: 500, .. }), "{error}");
    }

    #[test]
    fn floods_of_warnings_are_cut() {
        let warnings = vec!["ü".repeat(100_000); 1000];
        let bounded = bounded(Outcome { warnings, ..Outcome::default() });
        assert_eq!(bounded.warnings.len(), MOST_WARNINGS + 1);
        assert_eq!(bounded.warnings.last().unwrap(), "and 900 more warnings");
        assert_eq!(bounded.warnings[0].chars().count(), LONGEST_WARNING + 4);
    }
}
