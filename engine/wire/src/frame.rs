//! Frames: a length of four bytes (little-endian), then that many bytes of postcard.

use std::io::{self, Read, Write};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Reply,
    bounds::{self, MAX_DEPTH, Passed},
};

/// The first bytes that an agent sends. Everything before them, such as a login shell's output, is skipped.
pub const MARKER: &[u8] = b"\n\0rplay-agent\0\n";

/// Maximum frame size in bytes. A longer frame is rejected before memory is allocated for it; blobs are sent in pieces.
pub const MAX_FRAME: u32 = 256 << 20;

/// Maximum size in bytes of a frame that an agent sends. Longer replies are sent in pieces.
pub const MAX_REPLY: u32 = 1 << 20;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("the connection was lost: {0}")]
    Io(#[from] io::Error),
    #[error("a frame of {0} bytes is longer than allowed")]
    TooLong(u64),
    #[error("a frame is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("a frame holds more than {0} values")]
    TooMany(usize),
    #[error("a frame cannot be decoded: {0}")]
    Garbled(postcard::Error),
}

/// Reads one frame. `None` means that the peer disconnected cleanly, between two frames.
///
/// # Errors
/// If the reader fails, or the frame is too long, is cut off, or cannot be decoded.
pub fn read_frame<T: DeserializeOwned>(reader: &mut impl Read) -> Result<Option<T>, FrameError> {
    read_within(reader, MAX_FRAME)
}

/// Like [`read_frame`], for frames that an agent sends.
///
/// # Errors
/// Same as [`read_frame`].
pub fn read_reply(reader: &mut impl Read) -> Result<Option<Reply>, FrameError> {
    read_within(reader, MAX_REPLY)
}

fn read_within<T: DeserializeOwned>(reader: &mut impl Read, longest: u32) -> Result<Option<T>, FrameError> {
    let mut head = [0u8; 4];
    let mut filled = 0;
    while filled < head.len() {
        match reader.read(&mut head[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let length = u32::from_le_bytes(head);
    if length > longest {
        return Err(FrameError::TooLong(length.into()));
    }
    // Grows as bytes arrive, so a false length costs no memory.
    let mut body = Vec::with_capacity((length as usize).min(1 << 16));
    if reader.take(length.into()).read_to_end(&mut body)? < length as usize {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    decode(&body).map(Some)
}

/// Writes one frame and flushes, without holding the whole frame in memory.
///
/// # Errors
/// If the writer fails, or the message is too long for a frame.
pub fn write_frame<T: Serialize>(writer: &mut impl Write, message: &T) -> Result<(), FrameError> {
    let length = size_of(message)?;
    if length > u64::from(MAX_FRAME) {
        return Err(FrameError::TooLong(length));
    }
    let mut writer = io::BufWriter::with_capacity(1 << 16, writer);
    writer.write_all(&(length as u32).to_le_bytes())?;
    postcard::to_io(message, &mut writer).map_err(FrameError::Garbled)?;
    writer.flush()?;
    Ok(())
}

/// The encoded size of a message in bytes.
pub(crate) fn size_of<T: Serialize>(message: &T) -> Result<u64, FrameError> {
    let (size, passed) =
        bounds::within(usize::MAX, || postcard::serialize_with_flavor(message, postcard::ser_flavors::Size::default()));
    size.map(|size| size as u64).map_err(|error| error_of(error, passed, usize::MAX))
}

/// A whole frame: length and body.
///
/// # Errors
/// If the message is too long for a frame.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let (frame, passed) = bounds::within(usize::MAX, || postcard::to_extend(message, vec![0u8; 4]));
    let mut frame = frame.map_err(|error| error_of(error, passed, usize::MAX))?;
    let length = frame.len() as u64 - 4;
    if length > u64::from(MAX_FRAME) {
        return Err(FrameError::TooLong(length));
    }
    frame[..4].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(frame)
}

/// Decodes a frame's body.
///
/// # Errors
/// If the body is not such a message, is nested too deeply, or has bytes left over.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    decode_at_most(usize::MAX, body)
}

/// Like [`decode`], for at most `values` items and entries. Each takes about a hundred bytes of memory, but may take a
/// single byte of the frame.
///
/// # Errors
/// Same as [`decode`]; also if the message holds more values.
pub fn decode_at_most<T: DeserializeOwned>(values: usize, body: &[u8]) -> Result<T, FrameError> {
    let (taken, passed) = bounds::within(values, || postcard::take_from_bytes(body));
    match taken {
        Ok((message, [])) => Ok(message),
        Ok(_) => Err(FrameError::Garbled(postcard::Error::DeserializeBadEncoding)),
        Err(error) => Err(error_of(error, passed, values)),
    }
}

fn error_of(error: postcard::Error, passed: Option<Passed>, values: usize) -> FrameError {
    match passed {
        Some(Passed::Depth) => FrameError::TooDeep,
        Some(Passed::Values) => FrameError::TooMany(values),
        None => FrameError::Garbled(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Value, data};

    #[test]
    fn a_frame_comes_back_as_it_went() {
        let message = Value::Map(data! { "n" => -1i64, "s" => "ü", "l" => vec![1.5f64], "none" => Value::Null });
        let mut wire = Vec::new();
        write_frame(&mut wire, &message).unwrap();
        let mut reader = wire.as_slice();
        assert_eq!(read_frame::<Value>(&mut reader).unwrap(), Some(message));
        assert_eq!(read_frame::<Value>(&mut reader).unwrap(), None);
    }

    #[test]
    fn a_lying_length_is_refused_before_memory_is_taken() {
        let mut reader: &[u8] = &[0xff, 0xff, 0xff, 0xff, 1];
        assert!(matches!(read_frame::<Reply>(&mut reader), Err(FrameError::TooLong(_))));
    }

    fn nested(levels: usize) -> Value {
        (1..levels).fold(Value::List(Vec::new()), |inner, level| match level % 2 {
            0 => Value::List(vec![inner]),
            _ => Value::Map(data! { "x" => inner }),
        })
    }

    #[test]
    fn nesting_is_bounded_both_ways() {
        let deepest = nested(MAX_DEPTH as usize);
        let frame = encode(&deepest).unwrap();
        assert_eq!(decode::<Value>(&frame[4..]).unwrap(), deepest);
        assert!(matches!(encode(&nested(MAX_DEPTH as usize + 1)), Err(FrameError::TooDeep)));
        // A list of one list of one list ...: two bytes per level.
        let bomb = [7u8, 1].repeat(1_000_000);
        assert!(matches!(decode::<Value>(&bomb), Err(FrameError::TooDeep)));
        // Counting starts again with the next message.
        assert!(decode::<Value>(&frame[4..]).is_ok());
    }

    #[test]
    fn values_are_counted_before_they_take_memory() {
        let thousand = encode(&Value::List(vec![Value::Null; 1000])).unwrap();
        assert!(decode_at_most::<Value>(1000, &thousand[4..]).is_ok());
        assert!(matches!(decode_at_most::<Value>(999, &thousand[4..]), Err(FrameError::TooMany(999))));
        let warnings = crate::Outcome { warnings: vec![String::new(); 1000], ..crate::Outcome::default() };
        let frame = encode(&warnings).unwrap();
        assert!(matches!(decode_at_most::<crate::Outcome>(999, &frame[4..]), Err(FrameError::TooMany(999))));
        // A length that exceeds the data.
        assert!(matches!(decode::<Value>(&[7, 0xff, 0xff, 0xff, 0xff, 0x0f]), Err(FrameError::Garbled(_))));
        assert!(decode::<crate::Outcome>(&frame[4..]).is_ok());
    }

    #[test]
    fn a_frame_cut_short_or_garbled_is_an_error_and_not_a_panic() {
        let mut wire = Vec::new();
        write_frame(&mut wire, &Reply::Want { sha256: "ab".into() }).unwrap();
        for cut in 1..wire.len() {
            assert!(matches!(read_frame::<Reply>(&mut &wire[..cut]), Err(FrameError::Io(_))));
        }
        let mut reader: &[u8] = &[2, 0, 0, 0, 77, 77];
        assert!(matches!(read_frame::<Reply>(&mut reader), Err(FrameError::Garbled(_))));
    }
}
