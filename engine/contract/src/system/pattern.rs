//! Python's regular expressions and replacements, for modules that edit text and for templates.

use fancy_regex::{Captures, Regex, RegexBuilder};
use rplay_wire::Failure;

/// A regular expression in Python's syntax.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

/// Flags besides those in the pattern itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flags {
    /// `^` and `$` also match at line ends.
    pub multi_line: bool,
    /// `.` also matches a line end.
    pub dot_all: bool,
}

/// Python's message about an invalid regular expression, for the most common mistakes.
fn python_error(pattern: &str) -> Option<String> {
    let mut open: Vec<usize> = Vec::new();
    let mut can_repeat = false;
    let mut chars = pattern.chars().enumerate().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                None => return Some(format!("bad escape (end of pattern) at position {at}")),
                Some(_) => can_repeat = true,
            },
            '[' => {
                if chars.peek().is_some_and(|(_, c)| *c == '^') {
                    chars.next();
                }
                // A bracket that comes first stands for itself.
                let mut is_first = true;
                loop {
                    match chars.next() {
                        None => return Some(format!("unterminated character set at position {at}")),
                        Some((_, ']')) if !is_first => break,
                        Some((_, '\\')) => drop(chars.next()),
                        Some(_) => {}
                    }
                    is_first = false;
                }
                can_repeat = true;
            }
            '(' => {
                open.push(at);
                can_repeat = false;
                if chars.peek().is_some_and(|(_, c)| *c == '?') {
                    chars.next();
                }
            }
            ')' => {
                if open.pop().is_none() {
                    return Some(format!("unbalanced parenthesis at position {at}"));
                }
                can_repeat = true;
            }
            '*' | '+' | '?' if !can_repeat => return Some(format!("nothing to repeat at position {at}")),
            '*' | '+' | '?' => {
                if chars.peek().is_some_and(|(_, c)| matches!(c, '?' | '+')) {
                    chars.next();
                }
                if let Some((next, '*' | '+')) = chars.peek() {
                    return Some(format!("multiple repeat at position {next}"));
                }
            }
            '|' => can_repeat = false,
            _ => can_repeat = true,
        }
    }
    open.last().map(|at| format!("missing ), unterminated subpattern at position {at}"))
}

impl Pattern {
    /// Compiles a pattern; `arg` is named in errors.
    ///
    /// # Errors
    /// If the pattern is not valid in Python's syntax.
    pub fn new(pattern: &str, flags: Flags, arg: &str) -> Result<Pattern, Failure> {
        Pattern::compile(pattern, flags).map_err(|error| {
            let help = format!("the regular expression `{pattern}` cannot be read: {error}");
            match python_error(pattern) {
                Some(said) => Failure::new(format!("Task failed: Module failed: {said}")).arg(arg).help(help),
                None => Failure::new(format!("cannot read the regular expression `{pattern}`: {error}")).arg(arg),
            }
        })
    }

    /// Compiles a pattern.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    pub fn compile(pattern: &str, flags: Flags) -> Result<Pattern, String> {
        let multi_line = flags.multi_line || is_multi_line(pattern);
        let mut builder = RegexBuilder::new(&translate(pattern, multi_line));
        builder.multi_line(flags.multi_line).dot_matches_new_line(flags.dot_all);
        builder.build().map(Pattern).map_err(|error| error.to_string())
    }

    /// Whether it matches anywhere in the text. A pattern that backtracks too much counts as no match.
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text).unwrap_or(false)
    }

    /// The first match.
    pub fn find<'t>(&self, text: &'t str) -> Option<Captures<'t, str>> {
        self.0.captures(text).ok().flatten()
    }

    /// Replaces all matches and returns their number. As in Python, an empty match right after another match counts.
    ///
    /// # Errors
    /// If matching takes too many steps.
    pub fn replace_all(&self, text: &str, template: &Template) -> Result<(String, usize), Failure> {
        let (mut out, mut count, mut last, mut from) = (String::with_capacity(text.len()), 0, 0, 0);
        while from <= text.len() {
            let found = self.0.captures_from_pos(text, from);
            let found = found.map_err(|error| Failure::new(format!("the regular expression failed: {error}")))?;
            let Some((found, whole)) = found.and_then(|found| found.get(0).map(|whole| (found, whole))) else { break };
            out.push_str(&text[last..whole.start()]);
            out.push_str(&template.expand(&found));
            last = whole.end();
            let is_empty = whole.start() == whole.end();
            let step = text[last..].chars().next().map_or(1, char::len_utf8);
            from = if is_empty { last + step } else { last };
            count += 1;
        }
        out.push_str(&text[last..]);
        Ok((out, count))
    }

    /// The names of its named groups.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.capture_names().flatten()
    }

    fn knows(&self, group: &Group) -> bool {
        match group {
            Group::Number(number) => *number < self.0.captures_len(),
            Group::Name(name) => self.0.capture_names().flatten().any(|known| known == name),
        }
    }
}

/// Whether the pattern itself sets multi-line mode, by `(?m)` at its start.
pub fn is_multi_line(pattern: &str) -> bool {
    let inner = pattern.strip_prefix("(?").and_then(|rest| rest.split_once(')'));
    inner.is_some_and(|(flags, _)| flags.chars().all(|c| c.is_ascii_alphabetic()) && flags.contains('m'))
}

/// Translates Python's syntax to that of the crate `fancy_regex`. With `multi_line`, `$` matches at every line end.
pub fn translate(pattern: &str, multi_line: bool) -> String {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len() + 8);
    let (mut at, mut in_class) = (0, false);
    while let Some(&c) = chars.get(at) {
        at += 1;
        match c {
            '\\' => {
                let Some(&next) = chars.get(at) else {
                    out.push_str("\\\\");
                    break;
                };
                at += 1;
                match next {
                    'Z' => out.push_str("\\z"),
                    'b' if in_class => out.push_str("\\x08"),
                    '<' | '>' => out.push(next),
                    next => out.extend(['\\', next]),
                }
            }
            // A bracket right at the start of a set belongs to it.
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                if chars.get(at) == Some(&'^') {
                    out.push('^');
                    at += 1;
                }
                if chars.get(at) == Some(&']') {
                    out.push_str("\\]");
                    at += 1;
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '[' | '&' | '~' if in_class => out.extend(['\\', c]),
            c if in_class => out.push(c),
            // Without (?m), `$` matches at the end and before a final line end.
            '$' if !multi_line => out.push_str("(?:$|(?=\\n\\z))"),
            '{' => match repetition(&chars[at..]) {
                Some((text, length)) => {
                    out.push_str(&text);
                    at += length;
                }
                None => out.push_str("\\{"),
            },
            '}' => out.push_str("\\}"),
            '(' if chars.get(at) == Some(&'?') => {
                out.push_str("(?");
                at += 1;
                // The flags a (ASCII), L (locale) and u (Unicode) have no equivalent here.
                let length = chars[at..].iter().take_while(|c| c.is_ascii_alphabetic()).count();
                if matches!(chars.get(at + length), Some(')' | ':')) && length > 0 {
                    let flags: String = chars[at..at + length].iter().filter(|c| !"aLu".contains(**c)).collect();
                    at += length;
                    if flags.is_empty() && chars.get(at) == Some(&')') {
                        out.push(':');
                    }
                    out.push_str(&flags);
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// A normalized repetition after its `{`, and the number of characters consumed; `None` if the bracket is literal.
fn repetition(rest: &[char]) -> Option<(String, usize)> {
    let close = rest.iter().position(|c| *c == '}')?;
    let inner: String = rest[..close].iter().collect();
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let full = match inner.split_once(',') {
        None if !inner.is_empty() && is_number(&inner) => inner,
        Some((low, high)) if is_number(low) && is_number(high) && !(low.is_empty() && high.is_empty()) => {
            format!("{},{high}", if low.is_empty() { "0" } else { low })
        }
        _ => return None,
    };
    Some((format!("{{{full}}}"), close + 1))
}

/// A replacement: `\1`, `\g<1>`, `\g<name>`, ` ` ...
#[derive(Clone, Debug, PartialEq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Group(Group),
}

#[derive(Clone, Debug, PartialEq)]
enum Group {
    Number(usize),
    Name(String),
}

impl Template {
    /// Parses a replacement for a pattern.
    ///
    /// # Errors
    /// If it refers to a group that the pattern does not have.
    pub fn new(text: &str, pattern: &Pattern, arg: &str) -> Result<Template, Failure> {
        let wrong = |what: String| {
            Failure::new(format!("Task failed: Module failed: {what}")).arg(arg).help("write a literal backslash twice")
        };
        let wrong_at = |what: String, rest: &str| {
            let position = text[..text.len() - rest.len()].chars().count();
            wrong(format!("{what} at position {position}"))
        };
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('\\') {
            plain.push_str(&rest[..at]);
            let escape = &rest[at..];
            rest = &rest[at + 1..];
            let Some(c) = rest.chars().next() else {
                return Err(wrong_at("bad escape (end of pattern)".to_owned(), escape));
            };
            let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
            let mut group = None;
            let taken = match c {
                'g' => {
                    let Some(inner) = rest[1..].strip_prefix('<') else {
                        return Err(wrong_at("missing <".to_owned(), &rest[1..]));
                    };
                    let Some((name, _)) = inner.split_once('>') else {
                        let what = if inner.is_empty() { "missing group name" } else { "missing >, unterminated name" };
                        return Err(wrong_at(what.to_owned(), inner));
                    };
                    group = Some(name.parse().map_or_else(|_| Group::Name(name.to_owned()), Group::Number));
                    name.len() + 3
                }
                '1'..='9' => {
                    group = Some(Group::Number(rest[..digits].parse().unwrap_or_default()));
                    digits
                }
                '0' => {
                    let octal = rest.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
                    plain.extend(char::from_u32(u32::from_str_radix(&rest[..octal], 8).unwrap_or_default()));
                    octal
                }
                c => {
                    match c {
                        'n' => plain.push('\n'),
                        't' => plain.push('\t'),
                        'r' => plain.push('\r'),
                        'a' => plain.push('\u{7}'),
                        'b' => plain.push('\u{8}'),
                        'f' => plain.push('\u{c}'),
                        'v' => plain.push('\u{b}'),
                        '\\' => plain.push('\\'),
                        c if c.is_ascii_alphabetic() => return Err(wrong_at(format!("bad escape \\{c}"), escape)),
                        c => plain.extend(['\\', c]),
                    }
                    c.len_utf8()
                }
            };
            if let Some(group) = group {
                if !pattern.knows(&group) {
                    let at = if c == 'g' { &rest[2..] } else { rest };
                    return Err(match group {
                        Group::Number(number) => wrong_at(format!("invalid group reference {number}"), at),
                        Group::Name(name) => wrong(format!("unknown group name '{name}'")),
                    });
                }
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::Group(group));
            }
            rest = &rest[taken..];
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        Ok(Template(pieces))
    }

    /// The replacement text for one match.
    pub fn expand(&self, found: &Captures<'_, str>) -> String {
        let group = |group: &Group| match group {
            Group::Number(number) => found.get(*number),
            Group::Name(name) => found.name(name),
        };
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Group(name) => group(name).map_or(String::new(), |found| found.as_str().to_owned()),
        };
        self.0.iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text, Flags::default(), "regexp").unwrap()
    }

    #[test]
    fn patterns_have_pythons_meaning() {
        for (written, text, is_in) in [
            ("^foo$", "foo\n", true),
            ("^foo$", "foo\nbar", false),
            (r"foo\Z", "foo\n", false),
            (r"a\<b\>", "a<b>", true),
            ("{{ x }}", "a {{ x }}", true),
            ("x{,2}y", "xxy", true),
            ("^x{2}$", "xx", true),
            ("[[]a]", "[a]", true),
            ("[]x]+$", "]x", true),
            ("[a&&b]", "&", true),
            (r"^(?P<q>['\x22]).*(?P=q)$", "'a'", true),
            (r"(?<!#)Port", "#Port", false),
            (r"(?i)port", "PORT", true),
            (r"(?m)^b", "a\nb", true),
            (r"(?a)\w", "é", true),
            (r"(\w)\1", "abb", true),
        ] {
            assert_eq!(pattern(written).is_in(text), is_in, "{written} in {text:?}");
        }
        assert!(Pattern::new("(", Flags::default(), "regexp").is_err());
    }

    #[test]
    fn replacements_mean_what_python_means() {
        let regex = pattern(r"(?P<key>\w+)=(\d)(x)?");
        let replaced = |template: &str| {
            regex.replace_all("a=1 b=2x", &Template::new(template, &regex, "replace").unwrap()).unwrap()
        };
        assert_eq!(replaced(r"\g<key>:\2\3"), ("a:1 b:2x".to_owned(), 2));
        assert_eq!(replaced(r"\g<0>\t$1\\\."), ("a=1\t$1\\\\. b=2x\t$1\\\\.".to_owned(), 2));
        assert_eq!(replaced(r"\g<2>0"), ("10 20".to_owned(), 2));
        let any = pattern("x*");
        let dash = Template::new("-", &any, "replace").unwrap();
        assert_eq!(any.replace_all("xay", &dash).unwrap(), ("--a-y-".to_owned(), 4));
        for (bad, told) in [
            (r"é\4", "invalid group reference 4 at position 2"),
            (r"\g<9>", "invalid group reference 9 at position 3"),
            (r"\g<nope>", "unknown group name 'nope'"),
            (r"\g", "missing < at position 2"),
            (r"\g<", "missing group name at position 3"),
            (r"\g<a", "missing >, unterminated name at position 3"),
            (r"a\q", r"bad escape \q at position 1"),
            ("\\", "bad escape (end of pattern) at position 0"),
        ] {
            let failure = Template::new(bad, &regex, "replace").unwrap_err();
            assert_eq!(failure.msg, format!("Task failed: Module failed: {told}"), "{bad}");
        }
    }
}
