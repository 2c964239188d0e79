//! Why Python's JSON reader refuses what a module printed, in its words.

/// The error that Python reports for the object in a module's output; `None` if it is valid, or of another kind.
pub(super) fn error(stdout: &str) -> Option<String> {
    let lines: Vec<&str> = stdout.lines().collect();
    let Some(first) = lines.iter().position(|line| line.trim().starts_with('{')) else {
        return Some("No start of json char found".to_owned());
    };
    let Some(last) = lines.iter().rposition(|line| line.trim().ends_with('}')).filter(|last| *last >= first) else {
        return Some("No end of json char found".to_owned());
    };
    let json: Vec<char> = lines.get(first..=last)?.join("\n").chars().collect();
    let mut reader = Reader { text: &json, depth: 0 };
    let end = match reader.value(reader.blank(0)) {
        Ok(end) => reader.blank(end),
        Err((why, at)) => return Some(placed(&why, &json, at)),
    };
    (end < json.len()).then(|| placed("Extra data", &json, end))
}

fn placed(why: &str, text: &[char], at: usize) -> String {
    let before = text.get(..at).unwrap_or_default();
    let line = before.iter().filter(|c| **c == '\n').count() + 1;
    let column = before.iter().rev().take_while(|c| **c != '\n').count() + 1;
    format!("{why}: line {line} column {column} (char {at})")
}

/// What is wrong, and where.
type Wrong = (String, usize);

/// Deeper JSON is not explained.
const MOST_LEVELS: usize = 200;

struct Reader<'t> {
    text: &'t [char],
    depth: usize,
}

impl Reader<'_> {
    fn at(&self, at: usize) -> Option<char> {
        self.text.get(at).copied()
    }

    fn blank(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        at + rest.iter().take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r')).count()
    }

    fn starts(&self, at: usize, word: &str) -> bool {
        word.chars().enumerate().all(|(n, c)| self.at(at + n) == Some(c))
    }

    /// The place after the value that begins here.
    fn value(&mut self, at: usize) -> Result<usize, Wrong> {
        let wrong = || ("Expecting value".to_owned(), at);
        match self.at(at).ok_or_else(wrong)? {
            '"' => self.string(at),
            open @ ('{' | '[') => {
                self.depth += 1;
                if self.depth > MOST_LEVELS {
                    return Err(("Too many levels".to_owned(), at));
                }
                let end = match open {
                    '{' => self.entries(at, '}', Self::pair),
                    _ => self.entries(at, ']', Self::value),
                };
                self.depth -= 1;
                end
            }
            '-' | '0'..='9' => self.number(at).ok_or_else(wrong),
            _ => {
                let words = ["true", "false", "null", "NaN", "Infinity"];
                let word = words.into_iter().find(|word| self.starts(at, word));
                word.map(|word| at + word.len()).ok_or_else(wrong)
            }
        }
    }

    /// The place after an object or array; `entry` finds the place after one of its entries.
    fn entries(
        &mut self,
        open: usize,
        close: char,
        entry: fn(&mut Self, usize) -> Result<usize, Wrong>,
    ) -> Result<usize, Wrong> {
        let mut at = self.blank(open + 1);
        if self.at(at) == Some(close) {
            return Ok(at + 1);
        }
        loop {
            let end = entry(self, at)?;
            at = self.blank(end);
            match self.at(at) {
                Some(',') => at = self.blank(at + 1),
                Some(found) if found == close => return Ok(at + 1),
                _ => return Err(("Expecting ',' delimiter".to_owned(), at)),
            }
        }
    }

    /// The place after a key and its value.
    fn pair(&mut self, at: usize) -> Result<usize, Wrong> {
        if self.at(at) != Some('"') {
            return Err(("Expecting property name enclosed in double quotes".to_owned(), at));
        }
        let colon = self.blank(self.string(at)?);
        if self.at(colon) != Some(':') {
            return Err(("Expecting ':' delimiter".to_owned(), colon));
        }
        let start = self.blank(colon + 1);
        self.value(start)
    }

    fn string(&self, open: usize) -> Result<usize, Wrong> {
        let mut at = open + 1;
        loop {
            match self.at(at) {
                None => return Err(("Unterminated string starting at".to_owned(), open)),
                Some('"') => return Ok(at + 1),
                Some('\\') => {
                    match self.at(at + 1) {
                        None => return Err(("Unterminated string starting at".to_owned(), open)),
                        Some('u') => {
                            let is_hex = |n| self.at(at + 2 + n).is_some_and(|c| c.is_ascii_hexdigit());
                            if !(0..4).all(is_hex) {
                                return Err(("Invalid \\uXXXX escape".to_owned(), at + 1));
                            }
                        }
                        Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => {}
                        Some(_) => return Err(("Invalid \\escape".to_owned(), at)),
                    }
                    at += 2;
                }
                Some(c) if c < ' ' => return Err(("Invalid control character at".to_owned(), at)),
                Some(_) => at += 1,
            }
        }
    }

    /// The place after a number: Python reads as much of it as it can.
    fn number(&self, at: usize) -> Option<usize> {
        let digits = |at: usize| (at..).find(|at| !self.at(*at).is_some_and(|c| c.is_ascii_digit())).unwrap_or(at);
        let start = if self.at(at) == Some('-') { at + 1 } else { at };
        let mut end = match self.at(start) {
            Some('0') => start + 1,
            Some(c) if c.is_ascii_digit() => digits(start),
            _ => return (start > at && self.starts(start, "Infinity")).then_some(start + 8),
        };
        if self.at(end) == Some('.') && digits(end + 1) > end + 1 {
            end = digits(end + 1);
        }
        if matches!(self.at(end), Some('e' | 'E')) {
            let sign = if matches!(self.at(end + 1), Some('+' | '-')) { 2 } else { 1 };
            if digits(end + sign) > end + sign {
                end = digits(end + sign);
            }
        }
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_those_of_python() {
        for (stdout, want) in [
            ("nothing", Some("No start of json char found")),
            ("{\"a\": 1} x", Some("No end of json char found")),
            ("x\n{\"a\": 1}\n{\"b\": 2}\ny", Some("Extra data: line 2 column 1 (char 9)")),
            ("{a: 1}", Some("Expecting property name enclosed in double quotes: line 1 column 2 (char 1)")),
            ("{\"a\": 1,}", Some("Expecting property name enclosed in double quotes: line 1 column 9 (char 8)")),
            ("{\"a\": }", Some("Expecting value: line 1 column 7 (char 6)")),
            ("{\"a\": tru}", Some("Expecting value: line 1 column 7 (char 6)")),
            ("{\"a\" 1}", Some("Expecting ':' delimiter: line 1 column 6 (char 5)")),
            ("{\"a\": [1 2]}", Some("Expecting ',' delimiter: line 1 column 10 (char 9)")),
            ("{\"a\": [1,]}", Some("Expecting value: line 1 column 10 (char 9)")),
            ("{\"a\": 01}", Some("Expecting ',' delimiter: line 1 column 8 (char 7)")),
            ("{\"a\": \"x}", Some("Unterminated string starting at: line 1 column 7 (char 6)")),
            ("{\"a\": \"x\ny\"}", Some("Invalid control character at: line 1 column 9 (char 8)")),
            ("{\"a\": \"\\q\"}", Some("Invalid \\escape: line 1 column 8 (char 7)")),
            ("{\"a\": [1e5, -0.5, NaN, -Infinity, \"\\u00e9\", {}, [], null]}", None),
        ] {
            assert_eq!(error(stdout).as_deref(), want, "{stdout}");
        }
    }
}
