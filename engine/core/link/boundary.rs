//! The trust boundary: what an agent may say before anything else of the engine sees it.
//!
//! A host is not trusted. Whoever owns it can put any program in the agent's place, so a reply is data from a
//! stranger: it has bounds on its size, its nesting, the number of its values and the time it takes to arrive, and it
//! must belong to something that was asked of this very agent. Who breaks these rules has broken the protocol: the
//! conversation ends, its host is unreachable, all others go on. What the variables of a host may come to hold is
//! decided in `run/steering.rs`, what a terminal is shown in `report/visible.rs`; `docs/security.md` lists all rules.

use std::{
    io,
    time::{Duration, Instant},
};

use rplay_wire::{FrameError, MAX_DEPTH, MAX_OUTCOME, MAX_REPLY, Outcome, Reply, decode_at_most};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout_at,
};

/// Items of lists and entries of mappings in one reply; in memory each takes about a hundred bytes. The facts of a
/// machine with 3,000 packages are some 15,000.
pub const MAX_VALUES: usize = 2_000_000;

/// Bytes a second: a reply that arrives more slowly on the whole is a trickle and no slow line.
const SLOWEST: u64 = 1024;

/// Warnings and changes of one outcome that are kept; the rest is counted.
const MOST_WARNINGS: usize = 100;
const MOST_CHANGES: usize = 10_000;
/// Characters of a warning that are kept.
const LONGEST_WARNING: usize = 4096;

/// Contents that an agent may wait for at a time.
pub const MOST_WANTED: usize = 1024;

/// What is wrong with a reply.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    #[error("the connection broke off: {0}")]
    Io(#[from] io::Error),
    #[error("it stopped in the middle of a reply: nothing came for {} s", .0.as_secs_f32())]
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
    #[error("a reply does not decode: {0}")]
    Garbled(FrameError),
    #[error("it said hello a second time")]
    SecondHello,
    #[error("it said something else before hello")]
    NoHello,
    #[error("it answered for batch {batch}, which it was never given or has answered already")]
    UnknownBatch { batch: u64 },
    #[error("it answered call {index} of a batch that has {calls}")]
    UnknownCall { index: u32, calls: usize },
    #[error("it answered call {index} of batch {batch} twice")]
    AnsweredTwice { batch: u64, index: u32 },
    #[error("it asked for content that was never offered to it")]
    NotOffered,
    #[error("it asked for more than {MOST_WANTED} contents at a time")]
    WantsTooMuch,
}

/// Reads the next reply. `None` is a clean end: the agent hung up between two replies.
///
/// Between replies an agent may be silent for as long as its work takes. Once one has begun, `stall` bounds the time
/// without a byte, and its length the time as a whole. Memory grows as bytes arrive, not by what was announced.
pub async fn read_reply(reader: &mut (impl AsyncRead + Unpin), stall: Duration) -> Result<Option<Reply>, ReplyError> {
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
    /// For a reply, or an outcome made of several, that has arrived whole.
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TooLong(_) => ReplyError::LongOutcome,
            FrameError::TooDeep => ReplyError::TooDeep,
            FrameError::TooMany(_) => ReplyError::TooMany,
            error => ReplyError::Garbled(error),
        }
    }
}

/// The next bytes of a reply that has begun.
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

/// An outcome without more warnings and changes than a person could read.
pub fn bounded(mut outcome: Outcome) -> Outcome {
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
        // Without a byte there is no reply that could be late.
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
