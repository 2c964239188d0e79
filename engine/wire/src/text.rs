//! Values as text in Python's format, which files and results of playbooks contain.

use std::io;

use serde::Serialize;
use serde_json::{Serializer, ser::Formatter};

use crate::{
    Value,
    number::{MARK, unmarked},
};

/// The output of `json.dumps`: `{"a": 1, "b": [1, "\u00e9"]}`.
pub fn json_text(value: &Value) -> String {
    let mut text = Vec::new();
    let json = serde_json::Value::from(value);
    match json.serialize(&mut Serializer::with_formatter(&mut text, Spaced)) {
        Ok(()) => unmarked(&String::from_utf8_lossy(&text)).into_owned(),
        Err(error) => error.to_string(),
    }
}

/// The output of `str` for a list or a mapping: `{'a': [1, None, True]}`. Strings inside are quoted.
pub fn python_text(value: &Value) -> String {
    let mut text = String::new();
    put(value, &mut text);
    text
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for part in fragment.chars() {
            if part.is_ascii() {
                writer.write_all(&[part as u8])?;
            } else {
                for unit in part.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

fn put(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("None"),
        Value::Bool(true) => text.push_str("True"),
        Value::Bool(false) => text.push_str("False"),
        Value::Int(number) => text.push_str(&number.to_string()),
        Value::Float(number) if number.is_finite() && number.fract() == 0.0 && number.abs() < 1e16 => {
            text.push_str(&format!("{number:.1}"));
        }
        Value::Float(number) => text.push_str(&number.to_string()),
        Value::Str(words) => match words.strip_prefix(MARK) {
            Some(digits) => text.push_str(digits),
            None => quoted(words, text),
        },
        Value::Bytes(bytes) => quoted(&String::from_utf8_lossy(bytes), text),
        Value::Blob(blob) => quoted(&blob.sha256, text),
        Value::List(items) => {
            text.push('[');
            for (number, item) in items.iter().enumerate() {
                text.push_str(if number == 0 { "" } else { ", " });
                put(item, text);
            }
            text.push(']');
        }
        Value::Map(map) => {
            text.push('{');
            for (number, (key, item)) in map.iter().enumerate() {
                text.push_str(if number == 0 { "" } else { ", " });
                quoted(key, text);
                text.push_str(": ");
                put(item, text);
            }
            text.push('}');
        }
    }
}

fn quoted(words: &str, text: &mut String) {
    let quote = if words.contains('\'') && !words.contains('"') { '"' } else { '\'' };
    text.push(quote);
    for part in words.chars() {
        match part {
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\\' => text.push_str("\\\\"),
            part if part == quote => text.extend(['\\', part]),
            part if part.is_ascii_control() => text.push_str(&format!("\\x{:02x}", u32::from(part))),
            part => text.push(part),
        }
    }
    text.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data;

    #[test]
    fn as_python_writes_it() {
        let inner = data! { "x" => "1", "y" => crate::Map::new() };
        let list = vec![Value::Int(1), Value::Float(2.5), Value::Null, true.into(), "é<>&/'\n😀".into()];
        let value = Value::Map(data! { "b" => Value::List(list), "a" => inner });
        assert_eq!(
            json_text(&value),
            r#"{"b": [1, 2.5, null, true, "\u00e9<>&/'\n\ud83d\ude00"], "a": {"x": "1", "y": {}}}"#
        );
        assert_eq!(python_text(&value), r#"{'b': [1, 2.5, None, True, "é<>&/'\n😀"], 'a': {'x': '1', 'y': {}}}"#);
        assert_eq!(
            python_text(&Value::List(vec![Value::Float(1e15), "a\\'\"".into()])),
            r#"[1000000000000000.0, 'a\\\'"']"#
        );
    }
}
