//! The output of a container, as the Engine sends it.

use std::io::Read;

/// Reads a container's output to its end, or until `take` returns false. `take` gets each piece with its stream: 1 is
/// stdout, 2 is stderr. Without a terminal the output is `framed`: a byte for the stream, three zero bytes, the length,
/// the text.
pub(super) fn read_output(
    mut output: impl Read,
    framed: bool,
    mut take: impl FnMut(u8, &[u8]) -> bool,
) -> std::io::Result<()> {
    let mut piece = vec![0; 16 << 10];
    loop {
        let (mut stream, mut left) = (1, u64::MAX);
        if framed {
            let mut head = [0; 8];
            match output.read_exact(&mut head) {
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
                other => other?,
            }
            let [kind, _, _, _, a, b, c, d] = head;
            (stream, left) = (kind, u32::from_be_bytes([a, b, c, d]).into());
        }
        while left > 0 {
            let wanted = left.min(piece.len() as u64) as usize;
            let length = output.read(piece.get_mut(..wanted).unwrap_or_default())?;
            if length == 0 || !take(stream, piece.get(..length).unwrap_or_default()) {
                return Ok(());
            }
            left -= length as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_taken_out_of_its_frames_even_when_cut_short() {
        let framed = b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x09err";
        let read = |bytes: &[u8], framed| {
            let mut pieces = Vec::new();
            read_output(bytes, framed, |stream, text| {
                pieces.push((stream, text.to_vec()));
                true
            })
            .unwrap();
            pieces
        };
        assert_eq!(read(framed, true), [(1, b"out".to_vec()), (2, b"err".to_vec())]);
        assert!(read(b"\x01\0", true).is_empty());
        assert_eq!(read(b"plain", false), [(1, b"plain".to_vec())]);
        let mut seen = 0;
        let endless = std::io::repeat(b'y');
        read_output(endless, false, |_, text| {
            seen += text.len();
            seen < 1 << 20
        })
        .unwrap();
    }
}
