//! Outcomes that are too long for one frame are sent in pieces, so that neither side, nor an agent in between, has them
//! in memory twice.

use postcard::ser_flavors::Flavor;

use crate::{FrameError, Outcome, Reply, decode_at_most, encode, frame::size_of};

/// Size in bytes of a piece of a file's content, or of a long outcome, in one frame.
pub const PIECE: usize = 64 << 10;

/// Maximum size in bytes of an outcome; a longer one is rejected.
pub const MAX_OUTCOME: usize = 256 << 20;

/// Passes the frames of a call's outcome to `send`, in order; a short outcome is a single frame.
///
/// # Errors
/// The first error of `send`, or if the outcome is longer than [`MAX_OUTCOME`].
pub fn outcome_frames(
    batch: u64,
    index: u32,
    outcome: Outcome,
    mut send: impl FnMut(Vec<u8>) -> Result<(), FrameError>,
) -> Result<(), FrameError> {
    let size = size_of(&outcome)?;
    if size <= PIECE as u64 {
        return send(encode(&Reply::Outcome { batch, index, outcome })?);
    }
    if size > MAX_OUTCOME as u64 {
        return Err(FrameError::TooLong(size));
    }
    let (failed, holds_up) = (outcome.failure.is_some(), outcome.holds_up);
    let mut part = |piece, last| send(encode(&Reply::Part { batch, index, piece, last, failed, holds_up })?);
    let mut unsent = None;
    let cutter = Cutter {
        piece: Vec::with_capacity(PIECE),
        send: |piece| part(piece, false).map_err(|error| unsent = Some(error)),
    };
    match postcard::serialize_with_flavor(&outcome, cutter) {
        Ok(rest) => part(rest, true),
        Err(error) => Err(unsent.unwrap_or(FrameError::Garbled(error))),
    }
}

/// Buffers encoded data until a piece is full.
struct Cutter<F> {
    piece: Vec<u8>,
    send: F,
}

impl<F: FnMut(Vec<u8>) -> Result<(), ()>> Cutter<F> {
    fn send_full(&mut self) -> postcard::Result<()> {
        if self.piece.len() < PIECE {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        (self.send)(piece).map_err(|()| postcard::Error::SerializeBufferFull)
    }
}

impl<F: FnMut(Vec<u8>) -> Result<(), ()>> Flavor for Cutter<F> {
    type Output = Vec<u8>;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.piece.push(byte);
        self.send_full()
    }

    fn try_extend(&mut self, mut bytes: &[u8]) -> postcard::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.piece.len()));
            self.piece.extend_from_slice(now);
            self.send_full()?;
            bytes = later;
        }
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.piece)
    }
}

/// The pieces of an outcome as they arrive.
#[derive(Default)]
pub struct Pieces(Vec<u8>);

impl Pieces {
    /// Adds the next piece.
    ///
    /// # Errors
    /// If the outcome becomes longer than [`MAX_OUTCOME`].
    pub fn add(&mut self, piece: &[u8]) -> Result<(), FrameError> {
        let length = self.0.len() + piece.len();
        if length > MAX_OUTCOME {
            return Err(FrameError::TooLong(length as u64));
        }
        self.0.extend_from_slice(piece);
        Ok(())
    }

    /// The number of bytes so far.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// Decodes the outcome.
    ///
    /// # Errors
    /// If the pieces do not form an outcome.
    pub fn outcome(self) -> Result<Outcome, FrameError> {
        self.outcome_at_most(usize::MAX)
    }

    /// Like [`Pieces::outcome`], for at most `values` items and entries.
    ///
    /// # Errors
    /// Same as [`Pieces::outcome`]; also if it holds more values.
    pub fn outcome_at_most(self, values: usize) -> Result<Outcome, FrameError> {
        decode_at_most(values, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, MAX_REPLY, data, read_reply};

    fn frames(outcome: &Outcome) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        outcome_frames(7, 3, outcome.clone(), |frame| {
            frames.push(frame);
            Ok(())
        })
        .unwrap();
        frames
    }

    #[test]
    fn a_short_outcome_is_one_frame_and_a_long_one_comes_back_from_its_pieces() {
        let short = Outcome { data: data! { "stdout" => "x" }, ..Outcome::failed(Failure::new("no")) };
        let sent = frames(&short);
        let reply = read_reply(&mut sent[0].as_slice()).unwrap();
        assert_eq!((sent.len(), reply), (1, Some(Reply::Outcome { batch: 7, index: 3, outcome: short.clone() })));
        for length in [PIECE - 60, PIECE, 2 * PIECE - 31, 10 * PIECE] {
            let long = Outcome { data: data! { "stdout" => "ü".repeat(length) }, ..short.clone() };
            let sent = frames(&long);
            assert!(sent.len() > 1);
            let mut pieces = Some(Pieces::default());
            for (number, frame) in sent.iter().enumerate() {
                assert!(frame.len() < MAX_REPLY as usize / 2);
                let Some(Reply::Part { piece, last, failed, .. }) = read_reply(&mut frame.as_slice()).unwrap() else {
                    panic!("no part")
                };
                assert_eq!((last, failed), (number + 1 == sent.len(), true));
                pieces.as_mut().unwrap().add(&piece).unwrap();
            }
            assert_eq!(pieces.take().unwrap().outcome().unwrap(), long);
        }
    }

    #[test]
    fn a_writer_that_has_gone_ends_the_encoding() {
        let long = Outcome { data: data! { "stdout" => "x".repeat(10 * PIECE) }, ..Outcome::default() };
        let mut tries = 0;
        let ended = outcome_frames(1, 0, long, |_| {
            tries += 1;
            Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into())
        });
        assert!(matches!(ended, Err(FrameError::Io(_))));
        assert_eq!(tries, 1);
    }
}
