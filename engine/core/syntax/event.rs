//! The events of a YAML file. The only file that depends on the parser.

use std::{
    io::{Chain, Read},
    ops::Range,
};

use libyaml_safer::{EventData, MappingStyle, Mark, Parser, ScalarStyle, SequenceStyle};

use super::Style;
use crate::quiet;

/// A YAML event and its byte range.
pub(super) struct Event {
    pub kind: EventKind,
    pub range: Range<usize>,
}

pub(super) enum EventKind {
    StreamStart,
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    Alias(String),
    Scalar { value: String, style: Style, tag: Option<String>, anchor: Option<String> },
    SeqStart { flow: bool, tag: Option<String>, anchor: Option<String> },
    SeqEnd,
    MapStart { flow: bool, tag: Option<String>, anchor: Option<String> },
    MapEnd,
}

/// Why a text is not valid YAML, in the parser's words.
pub(super) struct ParseError {
    pub problem: &'static str,
    /// Byte offset of the error.
    pub at: usize,
    /// Start of the element that could not be parsed.
    pub began: Option<usize>,
    /// The whole message as PyYAML writes it.
    pub told: String,
}

/// Reads events one by one; none follow an error.
pub(super) struct Events<'t> {
    text: &'t str,
    parser: Parser<Chain<&'t [u8], &'static [u8]>>,
    /// How far the text was read.
    last: usize,
}

impl<'t> Events<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let mut parser = Parser::new();
        parser.set_encoding(libyaml_safer::Encoding::Utf8);
        // The parser fails on a block scalar at the end without a line break.
        let end: &'static [u8] = if text.ends_with('\n') { b"" } else { b"\n" };
        parser.set_input(text.as_bytes().chain(end));
        Events { text, parser, last: 0 }
    }

    pub(super) fn read(&mut self) -> Result<Event, ParseError> {
        // The parser still panics in some cases, such as a comma after a tag.
        let parsed = quiet::catch(|| self.parser.parse()).ok_or(ParseError {
            problem: "this is not valid YAML",
            at: self.last,
            began: None,
            told: "this is not valid YAML".to_owned(),
        })?;
        let event = parsed.map_err(|error| ParseError {
            problem: error.problem(),
            at: error.problem_mark().map_or_else(|| control_character(self.text), |mark| self.offset(mark)),
            began: error.context_mark().map(|mark| self.offset(mark)),
            told: self.told(&error),
        })?;
        self.last = self.offset(event.end_mark);
        let mut range = self.offset(event.start_mark)..self.offset(event.end_mark);
        let kind = match event.data {
            EventData::StreamStart { .. } => EventKind::StreamStart,
            EventData::StreamEnd => EventKind::StreamEnd,
            EventData::DocumentStart { .. } => EventKind::DocumentStart,
            EventData::DocumentEnd { .. } => EventKind::DocumentEnd,
            EventData::Alias { anchor } => EventKind::Alias(anchor),
            EventData::Scalar { anchor, tag, mut value, style, .. } => {
                range.start = self.skip_properties(range.clone());
                let style = match style {
                    ScalarStyle::SingleQuoted => Style::Single,
                    ScalarStyle::DoubleQuoted => Style::Double,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                    _ => Style::Plain,
                };
                if matches!(style, Style::Literal | Style::Folded) {
                    let raw = self.text.get(range.clone()).unwrap_or_default();
                    if range.end == self.text.len() && self.added_break_counts(raw) {
                        value.truncate(value.strip_suffix('\n').map_or(value.len(), str::len));
                    }
                    range.end = range.start + raw.trim_end().len();
                }
                EventKind::Scalar { value, style, tag, anchor }
            }
            EventData::SequenceStart { anchor, tag, style, .. } => {
                range.start = self.skip_properties(range.clone());
                EventKind::SeqStart { flow: style == SequenceStyle::Flow, tag, anchor }
            }
            EventData::SequenceEnd => EventKind::SeqEnd,
            EventData::MappingStart { anchor, tag, style, .. } => {
                range.start = self.skip_properties(range.clone());
                EventKind::MapStart { flow: style == MappingStyle::Flow, tag, anchor }
            }
            EventData::MappingEnd => EventKind::MapEnd,
        };
        Ok(Event { kind, range })
    }

    /// Whether the line break added to the text is part of the value of a final block scalar.
    fn added_break_counts(&self, raw: &str) -> bool {
        let last = raw.rsplit('\n').next().unwrap_or_default();
        let keeps = raw.lines().next().is_some_and(|header| header.split('#').next().is_some_and(|h| h.contains('+')));
        !last.is_empty() && !self.text.ends_with('\n') && (keeps || !last.trim().is_empty())
    }

    /// An error as PyYAML writes it: what was being read, what is wrong, and where, the same place once.
    fn told(&self, error: &libyaml_safer::Error) -> String {
        let at = |mark: Mark| (mark.line + 1, mark.column + 1);
        let mut place = error.problem_mark().map(at);
        if error.problem() == "found unexpected end of stream" && !self.text.ends_with('\n') {
            // The line break that was added is not seen.
            let last = self.text.rsplit('\n').next().unwrap_or_default();
            place = Some((self.text.split('\n').count() as u64, last.chars().count() as u64 + 1));
        }
        let began = error.context_mark().map(at).filter(|began| Some(*began) != place);
        let placed = |text: &str, place: Option<(u64, u64)>| match place {
            Some((line, column)) => format!("{text}\n{}", pyyaml_place(line, column)),
            None => text.to_owned(),
        };
        let problem = placed(error.problem(), place);
        match error.context() {
            Some(context) => format!("{}\n{problem}", placed(context, began)),
            None => problem,
        }
    }

    /// The parser's index counts bytes of UTF-8.
    fn offset(&self, mark: Mark) -> usize {
        let mut at = usize::try_from(mark.index).unwrap_or(usize::MAX).min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// Where a value starts after its tag and anchor.
    fn skip_properties(&self, range: Range<usize>) -> usize {
        let mut at = range.start;
        while let Some(rest) = self.text.get(at..range.end)
            && rest.starts_with(['!', '&'])
        {
            at += rest.find(char::is_whitespace).unwrap_or(rest.len());
            // Comments may separate a tag from a value on the next line.
            while let Some(rest) = self.text.get(at..range.end) {
                let space = rest.len() - rest.trim_start().len();
                at += space;
                match rest[space..].starts_with('#') {
                    true if space > 0 => at += rest[space..].find('\n').unwrap_or(rest.len() - space),
                    _ => break,
                }
            }
        }
        at
    }
}

/// A place in a text, as PyYAML writes it.
pub fn pyyaml_place(line: impl std::fmt::Display, column: impl std::fmt::Display) -> String {
    format!("  in \"<unicode string>\", line {line}, column {column}")
}

/// The parser reports no place for characters that YAML does not allow at all.
fn control_character(text: &str) -> usize {
    text.char_indices()
        .find(|(_, c)| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{85}'))
        .map_or(0, |(at, _)| at)
}
