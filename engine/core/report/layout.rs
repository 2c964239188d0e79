//! The layout of JSON text: that of Python's `json.dumps` with its arguments.

use std::io::{self, Write};

use rplay_wire::number::unmarked;
use serde::Serialize;
use serde_json::{
    Serializer, Value as Json,
    ser::{CharEscape, Formatter},
};

/// The arguments of `json.dumps`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Spaces per level, with a line for each value; `None` writes one line.
    indent: Option<usize>,
    /// The separators between values, and after keys.
    comma: &'static str,
    colon: &'static str,
    /// Writes characters beyond ASCII as escapes.
    ascii: bool,
}

impl Layout {
    /// `{"a": 1, "b": 2}`
    pub(super) const LINE: Layout = Layout { indent: None, comma: ", ", colon: ": ", ascii: false };

    /// `{"a":1,"b":2}`
    pub(super) const COMPACT: Layout = Layout { indent: None, comma: ",", colon: ":", ascii: false };

    /// A line for each value, with this many spaces per level.
    pub(super) fn indented(spaces: usize) -> Layout {
        Layout { indent: Some(spaces), comma: ",", colon: ": ", ascii: false }
    }

    /// The same layout, but with a line for each value if `spaces` is given.
    pub(super) fn with_indent(self, spaces: Option<usize>) -> Layout {
        match spaces {
            Some(_) => Layout { indent: spaces, comma: ",", ..self },
            None => self,
        }
    }

    pub(super) fn ascii(self) -> Layout {
        Layout { ascii: true, ..self }
    }

    /// The text, without a line break at its end.
    pub(super) fn write(self, value: &Json) -> String {
        let mut text = Vec::new();
        let formatter = Writer { layout: self, level: 0, is_filled: false };
        match value.serialize(&mut Serializer::with_formatter(&mut text, formatter)) {
            Ok(()) => unmarked(&String::from_utf8_lossy(&text)).into_owned(),
            Err(error) => error.to_string(),
        }
    }
}

struct Writer {
    layout: Layout,
    level: usize,
    /// Whether the collection written last has values.
    is_filled: bool,
}

impl Writer {
    fn open<W: ?Sized + Write>(&mut self, writer: &mut W, sign: &[u8]) -> io::Result<()> {
        self.level += 1;
        self.is_filled = false;
        writer.write_all(sign)
    }

    fn close<W: ?Sized + Write>(&mut self, writer: &mut W, sign: &[u8]) -> io::Result<()> {
        self.level -= 1;
        if std::mem::replace(&mut self.is_filled, true) {
            self.line(writer)?;
        }
        writer.write_all(sign)
    }

    fn next<W: ?Sized + Write>(&mut self, writer: &mut W, is_first: bool) -> io::Result<()> {
        if !is_first {
            writer.write_all(self.layout.comma.as_bytes())?;
        }
        self.line(writer)
    }

    fn line<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        match self.layout.indent {
            Some(spaces) => write!(writer, "\n{:width$}", "", width = spaces * self.level),
            None => Ok(()),
        }
    }
}

impl Formatter for Writer {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.next(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.is_filled = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.next(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(self.layout.colon.as_bytes())
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.is_filled = true;
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if !self.layout.ascii || fragment.is_ascii() {
            return writer.write_all(fragment.as_bytes());
        }
        let mut units = [0; 2];
        for c in fragment.chars() {
            match c.is_ascii() {
                true => writer.write_all(&[c as u8])?,
                false => c.encode_utf16(&mut units).iter().try_for_each(|unit| write!(writer, "\\u{unit:04x}"))?,
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::Quote => writer.write_all(b"\\\""),
            CharEscape::ReverseSolidus => writer.write_all(b"\\\\"),
            CharEscape::Solidus => writer.write_all(b"/"),
            CharEscape::Backspace => writer.write_all(b"\\b"),
            CharEscape::FormFeed => writer.write_all(b"\\f"),
            CharEscape::LineFeed => writer.write_all(b"\\n"),
            CharEscape::CarriageReturn => writer.write_all(b"\\r"),
            CharEscape::Tab => writer.write_all(b"\\t"),
            CharEscape::AsciiControl(byte) => write!(writer, "\\u{byte:04x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_laid_out_as_python_does() {
        let value = json!({"a": [1, {}, []], "b": {"c": "\u{fc}\u{1f600}\n\u{1b}"}});
        let c = "\u{fc}\u{1f600}\\n\\u001b";
        assert_eq!(Layout::LINE.write(&value), format!("{{\"a\": [1, {{}}, []], \"b\": {{\"c\": \"{c}\"}}}}"));
        assert_eq!(Layout::COMPACT.ascii().write(&value), r#"{"a":[1,{},[]],"b":{"c":"\u00fc\ud83d\ude00\n\u001b"}}"#);
        let lines = "{\n  \"a\": [\n    1,\n    {},\n    []\n  ],\n  \"b\": {\n    \"c\": \"x\"\n  }\n}";
        let value = json!({"a": [1, {}, []], "b": {"c": "x"}});
        assert_eq!(Layout::indented(2).write(&value), lines);
        assert_eq!(Layout::indented(0).write(&value), lines.replace("  ", ""));
    }
}
