//! Locates a part of a scalar's value in its source, back through quotes, escapes, folding and indentation.

use std::ops::Range;

use super::Style;
use crate::source::Span;

/// The place of `range` (bytes of `text`) in the source. `span` is the scalar's place and `style` how it was
/// written. `text` is the scalar's value or a part of it. If the part cannot be located, as in a text that was
/// assembled, the result is the whole scalar.
pub fn locate(text: &str, span: &Span, style: Style, range: Range<usize>) -> Span {
    let raw = span.text();
    let found = match style {
        Style::Plain => place(text, &flow(raw, 0, Style::Plain), &range),
        Style::Single | Style::Double => {
            let quote = if style == Style::Single { '\'' } else { '"' };
            // A span inside a quoted scalar does not begin at the quote.
            let inside = if raw.starts_with(quote) { place(text, &flow(raw, 1, style), &range) } else { None };
            inside.or_else(|| place(text, &flow(raw, 0, style), &range))
        }
        Style::Literal | Style::Folded if raw.starts_with(['|', '>']) => {
            // The first line shows the indentation, unless the header gives it relative to an unknown parent. Then the
            // candidates are tried, the most likely first.
            let widest = raw
                .lines()
                .skip(1)
                .find(|line| !line.trim().is_empty())
                .map_or(0, |line| line.len() - line.trim_start_matches(' ').len());
            (0..=widest).rev().find_map(|indent| place(text, &block(raw, indent, style), &range))
        }
        Style::Literal | Style::Folded => place(text, &flow(raw, 0, Style::Plain), &range),
    };
    match found {
        Some(found) => span.at(span.range().start + found.start..span.range().start + found.end),
        None => span.clone(),
    }
}

/// A parsed value; each character with the source bytes it came from.
#[derive(Default)]
struct Read {
    value: String,
    /// For each character, its offset in `value` and its bytes in the source.
    origin: Vec<(usize, Range<usize>)>,
}

impl Read {
    fn push(&mut self, c: char, origin: Range<usize>) {
        self.origin.push((self.value.len(), origin));
        self.value.push(c);
    }

    fn extend(&mut self, pieces: impl IntoIterator<Item = (char, Range<usize>)>) {
        for (c, origin) in pieces {
            self.push(c, origin);
        }
    }

    /// The character that contains the byte `offset` of the value.
    fn origin_of(&self, offset: usize) -> Option<&Range<usize>> {
        let at = self.origin.partition_point(|(start, _)| *start <= offset).checked_sub(1)?;
        self.origin.get(at).map(|(_, origin)| origin)
    }
}

fn place(text: &str, read: &Read, range: &Range<usize>) -> Option<Range<usize>> {
    // Final line breaks depend on chomping and are never the cause of an error.
    let text = text.trim_end_matches('\n');
    let base = read.value.find(text)?;
    let last = text.len();
    let (start, end) = (range.start.min(last), range.end.min(last));
    let first = if start == last {
        // Behind the last character, as for "unexpected end".
        let end = read.origin_of((base + last).checked_sub(1)?)?.end;
        return Some(end..end);
    } else {
        read.origin_of(base + start)?.start
    };
    let end = if end > start { read.origin_of(base + end - 1)?.end } else { first };
    Some(first..end.max(first))
}

/// Reads a plain or quoted scalar from the byte `from` on, up to its closing quote.
fn flow(raw: &str, from: usize, style: Style) -> Read {
    let mut read = Read::default();
    let mut chars = Chars { raw, at: from };
    let mut blanks: Vec<(char, Range<usize>)> = Vec::new();
    let mut breaks: Vec<(char, Range<usize>)> = Vec::new();
    // An escaped line break joins the lines without a space.
    let mut joined = false;
    while let Some((c, origin)) = chars.next() {
        match c {
            '\n' => {
                blanks.clear();
                breaks.push((c, origin));
            }
            ' ' | '\t' => blanks.push((c, origin)),
            _ => {
                if breaks.is_empty() && !joined {
                    read.extend(blanks.drain(..));
                } else {
                    blanks.clear();
                    fold(&mut read, &mut breaks, joined);
                    joined = false;
                }
                match (style, c) {
                    (Style::Single, '\'') => match chars.peek() {
                        Some('\'') => {
                            chars.next();
                            read.push('\'', origin.start..origin.end + 1);
                        }
                        _ => return read,
                    },
                    (Style::Double, '"') => return read,
                    (Style::Double, '\\') => match chars.escape() {
                        Some(Escape::Char(c)) => read.push(c, origin.start..chars.at),
                        Some(Escape::LineBreak) => joined = true,
                        None => return read,
                    },
                    _ => read.push(c, origin),
                }
            }
        }
    }
    read
}

/// One line break becomes a space, several become one less.
fn fold(read: &mut Read, breaks: &mut Vec<(char, Range<usize>)>, joined: bool) {
    match breaks.len() {
        0 => {}
        _ if joined => read.extend(breaks.drain(..)),
        1 => read.extend(breaks.drain(..).map(|(_, origin)| (' ', origin))),
        _ => read.extend(breaks.drain(..).skip(1)),
    }
}

/// Reads a literal or folded scalar whose lines are indented by `indent` spaces.
fn block(raw: &str, indent: usize, style: Style) -> Read {
    let mut read = Read::default();
    // The header: indicators and possibly a comment.
    let mut chars = Chars { raw, at: raw.find('\n').unwrap_or(raw.len()) };
    chars.next();
    let mut first_break: Option<(char, Range<usize>)> = None;
    let mut more_breaks = Vec::new();
    let mut after_blank = false;
    while chars.at < raw.len() {
        // Indentation and empty lines.
        let mut column = 0;
        while column < indent && chars.peek() == Some(' ') {
            chars.next();
            column += 1;
        }
        match chars.peek() {
            Some('\n' | '\r') => {
                more_breaks.extend(chars.next());
                continue;
            }
            None => break,
            _ => {}
        }
        let blank = matches!(chars.peek(), Some(' ' | '\t'));
        match first_break.take() {
            Some((_, origin)) if style == Style::Folded && !after_blank && !blank => {
                if more_breaks.is_empty() {
                    read.push(' ', origin);
                }
            }
            other => read.extend(other),
        }
        read.extend(more_breaks.drain(..));
        after_blank = blank;
        for (c, origin) in chars.by_ref() {
            if c == '\n' {
                first_break = Some((c, origin));
                break;
            }
            read.push(c, origin);
        }
    }
    read.extend(first_break);
    read.extend(more_breaks);
    read
}

/// Characters with their bytes; all line breaks are ` `.
struct Chars<'r> {
    raw: &'r str,
    at: usize,
}

enum Escape {
    Char(char),
    LineBreak,
}

impl Chars<'_> {
    fn peek(&self) -> Option<char> {
        self.raw.get(self.at..)?.chars().next()
    }

    /// The character that an escape stands for; the backslash was already read.
    fn escape(&mut self) -> Option<Escape> {
        let (c, _) = self.next()?;
        let digits = match c {
            '\n' => return Some(Escape::LineBreak),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => return Some(Escape::Char(named_escape(c))),
        };
        let end = self.at + digits;
        let code = u32::from_str_radix(self.raw.get(self.at..end)?, 16).ok()?;
        self.at = end;
        Some(Escape::Char(char::from_u32(code)?))
    }
}

impl Iterator for Chars<'_> {
    type Item = (char, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let c = self.peek()?;
        let start = self.at;
        self.at += c.len_utf8();
        if c == '\r' {
            if self.peek() == Some('\n') {
                self.at += 1;
            }
            return Some(('\n', start..self.at));
        }
        Some((c, start..self.at))
    }
}

fn named_escape(c: char) -> char {
    match c {
        '0' => '\0',
        'a' => '\x07',
        'b' => '\x08',
        't' | '\t' => '\t',
        'n' => '\n',
        'v' => '\x0b',
        'f' => '\x0c',
        'r' => '\r',
        'e' => '\x1b',
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{source::Source, syntax::yaml};

    /// Loads `source`, takes the value of its first key, and returns the source text at the place of `piece` in the
    /// value. source where `piece` is in the value.
    fn there(source: &str, piece: &str) -> String {
        let source = Source::inline("test.yml", source);
        let node = yaml::load(&source).expect("loads").node;
        let (_, value) = &node.as_map().expect("a mapping")[0];
        let super::super::Kind::Str(text) = &value.kind else { panic!("not a text: {value:?}") };
        let at = text.value.find(piece).unwrap_or_else(|| panic!("{piece:?} is not in {:?}", text.value));
        let span = locate(&text.value, &value.span, text.style, at..at + piece.len());
        assert!(span.range() != value.span.range(), "the whole scalar of {:?}", text.value);
        span.text().to_owned()
    }

    #[test]
    fn plain() {
        assert_eq!(there("é: ü {{ a }} x", "{{ a }}"), "{{ a }}");
        assert_eq!(there("a: one\n  {{ two }}\n\n  three", "{{ two }}"), "{{ two }}");
        assert_eq!(there("a: one\n  two\n\n  three", "\nthree"), "\n  three");
        assert_eq!(there("a: one  \r\n  {{ two }}\r\n", "{{ two }}"), "{{ two }}");
    }

    #[test]
    fn single() {
        assert_eq!(there("a: 'it''s {{ b }}'", "{{ b }}"), "{{ b }}");
        assert_eq!(there("a: 'it''s {{ b }}'", "'s {{"), "''s {{");
        assert_eq!(there("a: 'one\n\n  two {{ b }}\n  x'", "{{ b }}"), "{{ b }}");
        assert_eq!(there("a: !unsafe '''q'' {{ b }}'", "{{ b }}"), "{{ b }}");
    }

    #[test]
    fn double() {
        assert_eq!(there(r#"a: "\t\u00e9 \"{{ b }}\"""#, "{{ b }}"), "{{ b }}");
        assert_eq!(there(r#"a: "\t\u00e9 \"{{ b }}\"""#, "\"{{"), "\\\"{{");
        assert_eq!(there("a: \"one\\\n   two {{ b }}\"", "{{ b }}"), "{{ b }}");
        assert_eq!(there("a: \"one\n\n   two {{ b\n   }} é\"", "{{ b }} é"), "{{ b\n   }} é");
    }

    #[test]
    fn literal() {
        assert_eq!(there("a: |\n  one\n   {{ b }}\n\n  {% c %}\nz: 1\n", "{{ b }}"), "{{ b }}");
        assert_eq!(there("a: |\n  one\n   {{ b }}\n\n  {% c %}\nz: 1\n", "{% c %}"), "{% c %}");
        assert_eq!(there("a: |2-\n    one\n  {{ b }}\n", "{{ b }}"), "{{ b }}");
        assert_eq!(there("a: |1 # why\n  one\n  {{ b }}\n", " {{ b }}"), " {{ b }}");
        assert_eq!(there("a: &x |+\n  é\n\n\n  {{ b }}\n\n\n", "{{ b }}"), "{{ b }}");
    }

    #[test]
    fn folded() {
        assert_eq!(there("a: >\n  one\n  {{ b }}\n\n  c\n    more\n  {% d %}\n", "{{ b }}"), "{{ b }}");
        assert_eq!(there("a: >\n  one\n  {{ b }}\n\n  c\n    more\n  {% d %}\n", "{% d %}"), "{% d %}");
        assert_eq!(there("a: >-\n  one {{\n  b\n  }} two\n", "{{ b }}"), "{{\n  b\n  }}");
    }

    #[test]
    fn the_end_and_what_is_not_there() {
        let source = Source::inline("t", "a: '{{ b'");
        let span = Span::new(&source, 3..9);
        assert_eq!(locate("{{ b", &span, Style::Single, 4..4).range(), 8..8);
        assert_eq!(locate("{{ other }}", &span, Style::Single, 0..4).range(), 3..9);
    }
}
