//! Reads JSON as Python's `json` does, with its words for what is wrong.

use indexmap::IndexMap;
use minijinja::Value;

use crate::{
    limits,
    template::value::{
        error::{EvalError, EvalResult},
        number,
    },
};

/// The value of a JSON text. As in Python, `NaN` and `Infinity` are numbers; of repeated keys, the last one counts.
///
/// # Errors
/// If the text is not JSON; the message says what is expected, and where.
pub(super) fn read(text: &str) -> EvalResult {
    let mut reader = Reader { text, at: 0, depth: 0 };
    reader.space();
    let value = reader.value()?;
    reader.space();
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.wrong("Extra data", reader.at)),
    }
}

struct Reader<'t> {
    text: &'t str,
    /// The next byte.
    at: usize,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn taken(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    /// An error in Python's words, with the line, the column and the number of characters before the place.
    fn wrong(&self, what: &str, at: usize) -> Box<EvalError> {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        EvalError::new(format!("{what}: line {line} column {column} (char {})", before.chars().count()))
    }

    fn value(&mut self) -> EvalResult {
        match self.peek() {
            Some('"') => self.string().map(Value::from),
            Some('{' | '[') => {
                self.depth += 1;
                if self.depth > limits::depth() {
                    return Err(EvalError::new("maximum recursion depth exceeded while decoding JSON"));
                }
                let value = limits::with_stack(|| if self.taken("[") { self.array() } else { self.object() });
                self.depth -= 1;
                value
            }
            _ if self.taken("null") => Ok(Value::from(())),
            _ if self.taken("true") => Ok(Value::from(true)),
            _ if self.taken("false") => Ok(Value::from(false)),
            _ if self.taken("NaN") => Ok(Value::from(f64::NAN)),
            _ if self.taken("Infinity") => Ok(Value::from(f64::INFINITY)),
            _ if self.taken("-Infinity") => Ok(Value::from(f64::NEG_INFINITY)),
            _ => self.number().ok_or_else(|| self.wrong("Expecting value", self.at)),
        }
    }

    fn number(&mut self) -> Option<Value> {
        let rest = self.rest();
        let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let mut end = usize::from(rest.starts_with('-'));
        end += match rest.get(end..)? {
            whole if whole.starts_with('0') => 1,
            whole => Some(digits(whole)).filter(|count| *count > 0)?,
        };
        let mut whole = true;
        let tail = rest.get(end..).unwrap_or_default();
        if let Some(fraction) = tail.strip_prefix('.').map(digits).filter(|count| *count > 0) {
            end += 1 + fraction;
            whole = false;
        }
        let tail = rest.get(end..).unwrap_or_default();
        if let Some(power) = tail.strip_prefix(['e', 'E']) {
            let sign = usize::from(power.starts_with(['+', '-']));
            let count = digits(power.get(sign..).unwrap_or_default());
            if count > 0 {
                end += 1 + sign + count;
                whole = false;
            }
        }
        let written = rest.get(..end)?;
        let value = match written.parse().ok().filter(|_| whole) {
            Some(int) => number::int(int),
            None => Value::from(written.parse::<f64>().ok()?),
        };
        self.at += end;
        Some(value)
    }

    fn array(&mut self) -> EvalResult {
        let mut items = Vec::new();
        self.space();
        if self.taken("]") {
            return Ok(Value::from(items));
        }
        loop {
            items.push(self.value()?);
            self.space();
            if self.taken("]") {
                return Ok(Value::from(items));
            }
            if !self.taken(",") {
                return Err(self.wrong("Expecting ',' delimiter", self.at));
            }
            self.space();
        }
    }

    fn object(&mut self) -> EvalResult {
        self.taken("{");
        let mut entries: IndexMap<Value, Value> = IndexMap::new();
        self.space();
        if self.taken("}") {
            return Ok(Value::from_object(entries));
        }
        loop {
            if self.peek() != Some('"') {
                return Err(self.wrong("Expecting property name enclosed in double quotes", self.at));
            }
            let key = self.string()?;
            self.space();
            if !self.taken(":") {
                return Err(self.wrong("Expecting ':' delimiter", self.at));
            }
            self.space();
            let value = self.value()?;
            entries.insert(Value::from(key), value);
            self.space();
            if self.taken("}") {
                return Ok(Value::from_object(entries));
            }
            if !self.taken(",") {
                return Err(self.wrong("Expecting ',' delimiter", self.at));
            }
            self.space();
        }
    }

    /// Four hexadecimal digits at a place.
    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.get(at..at + 4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    }

    fn string(&mut self) -> EvalResult<String> {
        let begin = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let Some(c) = self.peek() else { return Err(self.wrong("Unterminated string starting at", begin)) };
            match c {
                '"' => {
                    self.at += 1;
                    return Ok(out);
                }
                '\\' => {
                    let escape = self.at;
                    let Some(kind) = self.rest().chars().nth(1) else {
                        return Err(self.wrong("Unterminated string starting at", begin));
                    };
                    self.at += 1 + kind.len_utf8();
                    out.push(match kind {
                        '"' | '\\' | '/' => kind,
                        'b' => '\x08',
                        'f' => '\x0c',
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'u' => {
                            let wrong = || self.wrong("Invalid \\uXXXX escape", escape + 1);
                            let first = self.unit(self.at).ok_or_else(wrong)?;
                            self.at += 4;
                            // A pair of surrogates is one character.
                            let second = match self.rest().starts_with("\\u") && (0xd800..0xdc00).contains(&first) {
                                true => self.unit(self.at + 2).filter(|unit| (0xdc00..0xe000).contains(unit)),
                                false => None,
                            };
                            if second.is_some() {
                                self.at += 6;
                            }
                            let units = std::iter::once(first).chain(second);
                            char::decode_utf16(units).next().and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER)
                        }
                        _ => return Err(self.wrong("Invalid \\escape", escape)),
                    });
                }
                c if c < ' ' => return Err(self.wrong("Invalid control character at", self.at)),
                c => {
                    self.at += c.len_utf8();
                    out.push(c);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::value::{error::Cause, show};

    fn of(text: &str) -> String {
        match read(text) {
            Ok(value) => show::repr(&value),
            Err(error) => match error.cause {
                Cause::Failed { message, .. } => message,
                _ => "another error".to_owned(),
            },
        }
    }

    #[test]
    fn values_are_those_of_python() {
        assert_eq!(
            of(" [1, -0, 1.50, 1e3, true, null, \"a\\u00e9\\ud83d\\ude00\\n\"] "),
            "[1, 0, 1.5, 1000.0, True, None, 'aé😀\\n']"
        );
        assert_eq!(of("{\"a\": {\"b\": []}, \"a\": NaN}"), "{'a': nan}");
        assert_eq!(of("[-Infinity, 1E400]"), "[-inf, inf]");
    }

    #[test]
    fn errors_name_what_is_expected_and_where() {
        for (text, wanted) in [
            ("", "Expecting value: line 1 column 1 (char 0)"),
            ("{\"a\": 1", "Expecting ',' delimiter: line 1 column 8 (char 7)"),
            ("{\"a\" 1}", "Expecting ':' delimiter: line 1 column 6 (char 5)"),
            ("{a: 1}", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
            ("[1,\n x]", "Expecting value: line 2 column 2 (char 5)"),
            ("1 2", "Extra data: line 1 column 3 (char 2)"),
            ("\"a", "Unterminated string starting at: line 1 column 1 (char 0)"),
            ("\"\\q\"", "Invalid \\escape: line 1 column 2 (char 1)"),
            ("01", "Extra data: line 1 column 2 (char 1)"),
        ] {
            assert_eq!(of(text), wanted, "{text}");
        }
    }
}
