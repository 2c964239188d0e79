//! Python literals: the syntax of values in INI inventories.

use std::sync::Arc;

use crate::{
    source::Span,
    syntax::{Kind, Node, Style, Text},
};

/// Parses a Python literal; anything else is text, as it is.
///
/// As in Ansible, bytes become text, tuples and sets become lists; complex numbers and `...` stay text.
pub(super) fn value(text: &str, span: &Span) -> Node {
    let mut reader = Reader { text, at: 0, span, depth: 0 };
    match reader.whole() {
        Some(kind) => Node { span: span.clone(), kind },
        None => Node { span: span.clone(), kind: string(text) },
    }
}

fn string(text: impl Into<Arc<str>>) -> Kind {
    Kind::Str(Text { value: text.into(), style: Style::Plain, vault: false, no_template: false })
}

/// Maximum depth, so that no text can exhaust the stack; deeper nesting is text.
const DEEPEST: usize = 64;

struct Reader<'t> {
    text: &'t str,
    at: usize,
    span: &'t Span,
    depth: usize,
}

impl Reader<'_> {
    fn whole(&mut self) -> Option<Kind> {
        let first = self.item()?;
        self.blanks();
        // `1, 2` is a tuple without parentheses.
        let found = if self.peek() == Some(b',') {
            self.at += 1;
            let mut items = vec![self.node(first)];
            items.extend(self.items_until(None)?);
            Kind::Seq(items)
        } else {
            first
        };
        self.blanks();
        (self.at == self.text.len()).then_some(found)
    }

    fn node(&self, kind: Kind) -> Node {
        Node { span: self.span.clone(), kind }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips spaces and, at the end, a Python comment.
    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        if self.depth == 0 && self.peek() == Some(b'#') {
            self.at = self.text.len();
        }
    }

    fn item(&mut self) -> Option<Kind> {
        self.blanks();
        match self.peek()? {
            b'[' => self.nested(|r| Some(Kind::Seq(r.items_until(Some(b']'))?))),
            b'(' => self.nested(Self::parenthesis),
            b'{' => self.nested(Self::braces),
            b'\'' | b'"' => self.strings(),
            b'+' | b'-' => self.signed(),
            b'0'..=b'9' | b'.' => self.number(),
            _ => self.word(),
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Option<Kind>) -> Option<Kind> {
        self.at += 1;
        self.depth += 1;
        let found = if self.depth < DEEPEST { read(self) } else { None };
        self.depth -= 1;
        found
    }

    /// Comma-separated items, up to the closing character (or the end).
    fn items_until(&mut self, close: Option<u8>) -> Option<Vec<Node>> {
        let mut items = Vec::new();
        loop {
            self.blanks();
            if self.peek() == close {
                self.at += usize::from(close.is_some());
                return Some(items);
            }
            let kind = self.item()?;
            items.push(self.node(kind));
            self.blanks();
            if self.peek() == Some(b',') {
                self.at += 1;
            } else if self.peek() != close {
                return None;
            }
        }
    }

    /// `(1, 2)` is a tuple, `(1)` just a number.
    fn parenthesis(&mut self) -> Option<Kind> {
        let mut items = self.items_until(Some(b')'))?;
        let inside = self.text.get(..self.at.checked_sub(1)?)?.trim_end();
        if items.len() == 1 && !inside.ends_with(',') {
            items.pop().map(|item| item.kind)
        } else {
            Some(Kind::Seq(items))
        }
    }

    /// `{}` and `{'a': 1}` are dicts, `{1, 2}` is a set.
    fn braces(&mut self) -> Option<Kind> {
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Some(Kind::Map(Vec::new()));
        }
        let start = self.at;
        self.item()?;
        self.blanks();
        let is_set = self.peek() != Some(b':');
        self.at = start;
        if is_set {
            return self.items_until(Some(b'}')).map(Kind::Seq);
        }
        let mut entries: Vec<(Node, Node)> = Vec::new();
        loop {
            self.blanks();
            if self.peek() == Some(b'}') {
                self.at += 1;
                return Some(Kind::Map(entries));
            }
            let key = self.item()?;
            if matches!(key, Kind::Seq(_) | Kind::Map(_)) {
                return None;
            }
            self.blanks();
            if self.peek() != Some(b':') {
                return None;
            }
            self.at += 1;
            let value = self.item()?;
            entries.retain(|(known, _)| !same(&known.kind, &key));
            entries.push((self.node(key), self.node(value)));
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {}
                _ => return None,
            }
        }
    }

    fn signed(&mut self) -> Option<Kind> {
        let negative = self.peek() == Some(b'-');
        self.at += 1;
        self.blanks();
        if matches!(self.peek(), Some(b'+' | b'-')) {
            return None;
        }
        match self.item()? {
            Kind::Int(i) => Some(Kind::Int(if negative { i.checked_neg()? } else { i })),
            Kind::Float(f) => Some(Kind::Float(if negative { -f } else { f })),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<Kind> {
        let start = self.at;
        if self.rest().starts_with("...") {
            self.at += 3;
            return Some(string("..."));
        }
        let mut before = b' ';
        while let Some(byte) = self.peek() {
            let exponent_sign = matches!(byte, b'+' | b'-')
                && matches!(before, b'e' | b'E')
                && !self.text[start..self.at].starts_with("0x");
            if !(byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_' || exponent_sign) {
                break;
            }
            before = byte;
            self.at += 1;
        }
        let written = &self.text[start..self.at];
        let complex = written.ends_with(['j', 'J']);
        let digits = number_digits(written.trim_end_matches(['j', 'J']))?;
        let kind = match digits.get(..2) {
            Some("0x" | "0X") => Kind::Int(i128::from_str_radix(&digits[2..], 16).ok()?),
            Some("0o" | "0O") => Kind::Int(i128::from_str_radix(&digits[2..], 8).ok()?),
            Some("0b" | "0B") => Kind::Int(i128::from_str_radix(&digits[2..], 2).ok()?),
            _ if digits.contains(['.', 'e', 'E']) => Kind::Float(digits.parse().ok()?),
            // Python rejects 010 but not 00.
            _ if digits.len() > 1 && digits.starts_with('0') && digits.bytes().any(|b| b != b'0') => return None,
            // As many digits as Python converts.
            _ if digits.len() > 38 && digits.len() <= 4300 => Kind::Digits(digits.into()),
            _ => Kind::Int(digits.parse().ok()?),
        };
        if complex { Some(string(written)) } else { Some(kind) }
    }

    fn word(&mut self) -> Option<Kind> {
        let length = self.rest().bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let word = &self.rest()[..length];
        let kind = match word {
            "True" => Kind::Bool(true),
            "False" => Kind::Bool(false),
            "None" => Kind::Null,
            "set" if self.rest().starts_with("set()") => {
                self.at += 5;
                return Some(Kind::Seq(Vec::new()));
            }
            _ if matches!(self.text.as_bytes().get(self.at + length), Some(b'\'' | b'"')) => return self.strings(),
            _ => return None,
        };
        self.at += length;
        Some(kind)
    }

    /// One or more adjacent strings, which are joined.
    fn strings(&mut self) -> Option<Kind> {
        let mut all = String::new();
        let mut of_bytes = None;
        loop {
            let (part, bytes) = self.one_string()?;
            // Python rejects adjacent text and bytes.
            if *of_bytes.get_or_insert(bytes) != bytes {
                return None;
            }
            all.push_str(&part);
            self.blanks();
            let prefix = self.rest().bytes().take_while(u8::is_ascii_alphabetic).count();
            if !matches!(self.text.as_bytes().get(self.at + prefix), Some(b'\'' | b'"')) {
                return Some(string(all));
            }
        }
    }

    /// One string, and whether it is a bytes literal.
    fn one_string(&mut self) -> Option<(String, bool)> {
        let length = self.rest().bytes().take_while(u8::is_ascii_alphabetic).count();
        let prefix = self.rest()[..length].to_ascii_lowercase();
        let (raw, bytes) = match prefix.as_str() {
            "" | "u" => (false, false),
            "r" => (true, false),
            "b" => (false, true),
            "rb" | "br" => (true, true),
            _ => return None,
        };
        self.at += length;
        let quote = char::from(self.peek().filter(|byte| matches!(byte, b'\'' | b'"'))?);
        let triple = self.rest().starts_with(&quote.to_string().repeat(3));
        let close = quote.to_string().repeat(if triple { 3 } else { 1 });
        self.at += close.len();
        let mut found = String::new();
        loop {
            if self.rest().starts_with(&close) {
                self.at += close.len();
                return Some((found, bytes));
            }
            let c = self.rest().chars().next()?;
            self.at += c.len_utf8();
            if c != '\\' {
                if bytes && !c.is_ascii() {
                    return None;
                }
                found.push(c);
                continue;
            }
            let escaped = self.rest().chars().next()?;
            if raw {
                self.at += escaped.len_utf8();
                found.extend([c, escaped]);
            } else {
                self.escape(bytes, &mut found)?;
            }
        }
    }

    /// An escape after its backslash.
    fn escape(&mut self, bytes: bool, found: &mut String) -> Option<()> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        let hex = |reader: &mut Self, length: usize| {
            let digits = reader.rest().get(..length)?;
            let code = u32::from_str_radix(digits, 16).ok()?;
            reader.at += length;
            char::from_u32(code)
        };
        let meant = match c {
            '\\' | '\'' | '"' => c,
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'v' => '\x0b',
            'x' => hex(self, 2)?,
            'u' if !bytes => hex(self, 4)?,
            'U' if !bytes => hex(self, 8)?,
            'N' if !bytes => return None,
            '0'..='7' => {
                let start = self.at - 1;
                let more = self.rest().bytes().take(2).take_while(|b| (b'0'..=b'7').contains(b)).count();
                self.at += more;
                char::from_u32(u32::from_str_radix(&self.text[start..self.at], 8).ok()?)?
            }
            other => {
                found.push('\\');
                other
            }
        };
        found.push(meant);
        Some(())
    }
}

/// The number without its underscores, which are allowed only between digits.
fn number_digits(written: &str) -> Option<String> {
    let bytes = written.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'_' {
            let beside = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
            if !beside(at.checked_sub(1)) || !beside(Some(at + 1)) {
                return None;
            }
        }
    }
    let digits: String = written.chars().filter(|c| *c != '_').collect();
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.').then_some(digits)
}

fn same(a: &Kind, b: &Kind) -> bool {
    match (a, b) {
        (Kind::Str(a), Kind::Str(b)) => a.value == b.value,
        (Kind::Int(a), Kind::Int(b)) => a == b,
        (Kind::Bool(a), Kind::Bool(b)) => a == b,
        (Kind::Float(a), Kind::Float(b)) => a == b,
        (Kind::Null, Kind::Null) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{source::Source, vars::Lazy};

    fn json(text: &str) -> String {
        let source = Source::inline("test", text);
        super::super::json::of(&Lazy::from_node(&value(text, &Span::new(&source, 0..text.len())))).to_string()
    }

    #[test]
    fn literals_are_read_as_python_reads_them() {
        for (text, expected) in [
            ("1", "1"),
            ("-1", "-1"),
            ("1_000", "1000"),
            ("0x10", "16"),
            ("1.5", "1.5"),
            ("1e3", "1000.0"),
            ("True", "true"),
            ("None", "null"),
            ("'a' \"b\"", "\"ab\""),
            ("[1, 'a', None,]", "[1,\"a\",null]"),
            ("(1, 2)", "[1,2]"),
            ("(1)", "1"),
            ("1, 2", "[1,2]"),
            ("{1, 2}", "[1,2]"),
            ("set()", "[]"),
            ("{'k': 1, 'l': {}}", "{\"k\":1,\"l\":{}}"),
            ("b'x'", "\"x\""),
            ("r'a\\n'", "\"a\\\\n\""),
            ("'a\\x41\\101\\q'", "\"aAA\\\\q\""),
            ("1 # comment", "1"),
            ("\"quoted # x\"", "\"quoted # x\""),
            ("[..., 1j, set(), {1, 2}, b'x']", "[\"...\",\"1j\",[],[1,2],\"x\"]"),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
    }

    #[test]
    fn everything_else_is_text() {
        for text in [
            "true",
            "yes",
            "010",
            "1j",
            "...",
            "x # comment",
            "[1,",
            "(\"a\"",
            "\"open",
            "host-01.internal",
            "a=b",
            "10.0.0.1",
            "1__0",
            "[a]",
            "1 2",
            "{'a': }",
            "f'x'",
            "",
            "{{ foo }",
            "-'a'",
            "--1",
            "_'a'",
            "'a'b'b'",
        ] {
            assert_eq!(json(text), serde_json::to_string(text).unwrap(), "{text}");
        }
        assert_eq!(json(&"[".repeat(1000)), serde_json::to_string(&"[".repeat(1000)).unwrap());
    }
}
