//! Captures the output of a process, or other content of unknown length, within a limit.

use std::collections::VecDeque;

/// The limit for background jobs, whose output is read back from a file and so is in memory twice.
pub const MAX_JOB_OUTPUT: usize = 16 << 20;

/// Number of bytes at the end that are kept when output is cut.
const TAIL: usize = 64 << 10;

/// A process that prints this many times the limit is considered endless and killed.
const ENDLESS: u64 = 32;

/// The shared limit of all streams of a process.
#[derive(Debug)]
pub struct Budget {
    most: usize,
    left: usize,
    seen: u64,
    cut: u64,
}

/// The excess output of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excess {
    most: usize,
    seen: u64,
    cut: u64,
    killed: bool,
}

impl Budget {
    /// With this limit in bytes.
    pub fn new(most: usize) -> Self {
        Budget { most, left: most, seen: 0, cut: 0 }
    }

    /// Whether the output is so long that waiting for its end is pointless.
    pub fn is_endless(&self) -> bool {
        self.seen > (self.most as u64).saturating_mul(ENDLESS)
    }

    /// The excess, if output was cut; `killed` means that the process was killed.
    pub fn excess(&self, killed: bool) -> Option<Excess> {
        let Budget { most, seen, cut, .. } = *self;
        (cut > 0 || killed).then_some(Excess { most, seen, cut, killed })
    }
}

impl Excess {
    /// Whether the process was killed because of endless output.
    pub fn was_killed(&self) -> bool {
        self.killed
    }

    /// A sentence about the excess, with `what` as the subject.
    pub fn sentence(&self, what: &str) -> String {
        let Excess { most, seen, cut, killed } = self;
        match killed {
            true => format!("{what} was killed: it printed more than {seen} bytes; the limit is {most}"),
            false => format!(
                "{what} printed {seen} bytes, more than the limit of {most}: {cut} bytes in the middle were cut"
            ),
        }
    }

    /// Advice about the excess.
    pub fn help() -> &'static str {
        "redirect the output to a file, or raise the variable `rplay_max_output`"
    }
}

/// The text of one stream: its beginning and, if it was cut, its end.
#[derive(Debug, Default)]
pub struct Captured {
    text: String,
    /// The first bytes of an incomplete character.
    open: Vec<u8>,
    tail: VecDeque<u8>,
    /// Number of bytes that were dropped from the tail.
    cut: u64,
    /// Where the first byte was replaced that belongs to no character.
    broken: Option<(usize, u8)>,
}

impl Captured {
    /// The offset in the text of the first byte that belongs to no character, and the byte. What was cut does not count.
    pub fn broken(&self) -> Option<(usize, u8)> {
        let open = || self.open.first().map(|byte| (self.text.len(), *byte));
        self.broken.or_else(open)
    }

    /// Appends bytes.
    pub fn add(&mut self, bytes: &[u8], budget: &mut Budget) {
        budget.seen += bytes.len() as u64;
        if self.tail.is_empty() && budget.left > 0 {
            let (now, later) = bytes.split_at(bytes.len().min(budget.left));
            self.decode(now, budget);
            if !later.is_empty() {
                self.keep_last(later, budget);
            }
        } else {
            self.keep_last(bytes, budget);
        }
    }

    fn decode(&mut self, bytes: &[u8], budget: &mut Budget) {
        let joined;
        let bytes = match self.open.is_empty() {
            true => bytes,
            false => {
                joined = [std::mem::take(&mut self.open).as_slice(), bytes].concat();
                &joined
            }
        };
        let before = self.text.len();
        // Reserved once instead of doubled: unused memory costs nothing.
        if before > 1 << 20 && self.text.capacity() - before < bytes.len() * 3 {
            self.text.reserve_exact(budget.left + bytes.len() * 3 + 2 * TAIL);
        }
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.text.push_str(chunk.valid());
            let broken = chunk.invalid();
            // At the end, it may be an incomplete character.
            if chunks.peek().is_none() && is_begun(broken) {
                self.open = broken.to_vec();
            } else if !broken.is_empty() {
                self.broken = self.broken.or(broken.first().map(|byte| (self.text.len(), *byte)));
                self.text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        budget.left = budget.left.saturating_sub(self.text.len() - before);
    }

    fn keep_last(&mut self, bytes: &[u8], budget: &mut Budget) {
        let last = bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or_default();
        let surplus = (self.tail.len() + last.len()).saturating_sub(TAIL);
        self.tail.drain(..surplus);
        self.tail.extend(last);
        let cut = (surplus + bytes.len() - last.len()) as u64;
        self.cut += cut;
        budget.cut += cut;
    }

    /// The text, with a line where output was cut.
    pub fn text(mut self) -> String {
        let open = std::mem::take(&mut self.open);
        let tail = [open, self.tail.into()].concat();
        if self.cut > 0 {
            self.text.push_str(&format!("\n[rplay: {} bytes of output were cut here]\n", self.cut));
        }
        if !tail.is_empty() {
            self.text.push_str(&String::from_utf8_lossy(&tail));
        }
        self.text
    }
}

/// Whether these invalid bytes may be the start of a UTF-8 character.
fn is_begun(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(pieces: &[&[u8]], most: usize) -> (String, Option<Excess>) {
        let (mut budget, mut captured) = (Budget::new(most), Captured::default());
        pieces.iter().for_each(|piece| captured.add(piece, &mut budget));
        (captured.text(), budget.excess(false))
    }

    #[test]
    fn characters_that_arrive_in_parts_come_back_and_broken_ones_are_replaced() {
        let text = "aü€😀";
        for at in 0..=text.len() {
            let (left, right) = text.as_bytes().split_at(at);
            assert_eq!(captured(&[left, right], 100), (text.to_owned(), None));
        }
        let bytes = b"a\xff\xfeb\xe2\x82";
        for at in 0..=bytes.len() {
            let (left, right) = bytes.split_at(at);
            assert_eq!(captured(&[left, right], 100), (String::from_utf8_lossy(bytes).into_owned(), None));
        }
    }

    #[test]
    fn what_fits_is_whole_and_what_does_not_is_cut_in_the_middle() {
        let much = vec![b'x'; 3 * TAIL];
        assert_eq!(captured(&[&much], 3 * TAIL), (String::from_utf8(much.clone()).unwrap(), None));
        // Bytes beyond the limit but within the tail are kept.
        assert_eq!(captured(&[&much], 2 * TAIL), (String::from_utf8(much.clone()).unwrap(), None));
        let (text, excess) = captured(&[b"begin", &much, b"end"], TAIL);
        assert!(text.starts_with("beginx") && text.ends_with("xend"));
        let cut = TAIL as u64 + 8;
        assert!(text.contains(&format!("[rplay: {cut} bytes of output were cut here]")));
        let sentence = excess.unwrap().sentence("it");
        assert!(sentence.contains(&format!("{cut} bytes in the middle were cut")), "{sentence}");
    }

    #[test]
    fn two_streams_share_the_bound() {
        let mut budget = Budget::new(TAIL);
        let (mut out, mut err) = (Captured::default(), Captured::default());
        for _ in 0..40 {
            out.add(&[b'o'; TAIL], &mut budget);
            err.add(&[b'e'; TAIL], &mut budget);
        }
        let all = out.text().len() + err.text().len();
        assert!(all < 4 * TAIL && budget.is_endless(), "{all}");
    }
}
