//! Templates, parsed once per process. The parser is minijinja's; escapes, which Python and Ansible interpret
//! differently, are hidden from it by placeholders of the same length.

use crate::template::page::nesting;
use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    sync::OnceLock,
};

use minijinja::{
    Value,
    machinery::{ast, parse, parse_expr},
};
use parking_lot::RwLock;

use crate::{
    limits,
    template::{
        page::reading::{Reading, find, tag_name},
        value::{
            error::{EvalError, EvalResult},
            show,
        },
    },
};

/// A parsed template. Templates come only from files and the command line, so there are few, and they may be kept for
/// the lifetime of the process.
pub(crate) struct ParsedTemplate {
    pub text: &'static str,
    /// The text as the parser saw it.
    pub masked: &'static str,
    pub body: Body<'static>,
    pub reading: Reading,
    /// Whether an expression calls a method that modifies a list or a mapping.
    pub mutates: bool,
}

pub(crate) enum Body<'t> {
    Template(ast::Stmt<'t>),
    Expression(ast::Expr<'t>),
}

/// Placeholders for `\`, `'` and `"` in string literals, of the same length and harmless to the parser.
const BACKSLASH: u8 = 0x01;
const SINGLE: u8 = 0x02;
const DOUBLE: u8 = 0x03;

/// Many threads render at once, and almost all accesses are reads.
const SHARDS: usize = 16;

type Shard = RwLock<HashMap<&'static str, Vec<&'static ParsedTemplate>>>;

static PAGES: OnceLock<(RandomState, [Shard; SHARDS])> = OnceLock::new();

impl ParsedTemplate {
    /// The parsed template of a text; parsed on first use.
    pub(crate) fn of(text: &str, reading: &Reading) -> EvalResult<&'static ParsedTemplate> {
        let (hasher, shards) = PAGES.get_or_init(|| (RandomState::new(), Default::default()));
        let at = hasher.hash_one(text) as usize % SHARDS;
        let Some(shard) = shards.get(at) else { return ParsedTemplate::parse(text, reading) };
        let known = |pages: &Vec<&'static ParsedTemplate>| pages.iter().find(|page| page.reading == *reading).copied();
        let found = shard.read().get(text).and_then(known);
        if let Some(page) = found {
            return Ok(page);
        }
        let page = ParsedTemplate::parse(text, reading)?;
        shard.write().entry(page.text).or_default().push(page);
        Ok(page)
    }

    fn parse(text: &str, reading: &Reading) -> EvalResult<&'static ParsedTemplate> {
        let masked = mask(text, reading);
        let nesting = nesting::measure(&masked, reading)?;
        // The parser uses a dozen frames for a bracket or a tag, and rejects more than 150 of them.
        let levels = nesting.depth + 12 * nesting.brackets.min(150);
        limits::with_stack_for(levels, || ParsedTemplate::parse_masked(text, masked, reading))
    }

    fn parse_masked(text: &str, mut masked: String, reading: &Reading) -> EvalResult<&'static ParsedTemplate> {
        // The parser has no unary plus. Where it fails at one, a space is equivalent. Each attempt parses the whole
        // text, so their number is limited.
        let mut left = limits::depth();
        while let Err(error) = body(&masked, reading) {
            match unary_plus(&masked, &error).filter(|_| left > 0) {
                Some(at) => masked.replace_range(at..at + 1, " "),
                None if left > 0 && bare_tuple(&mut masked, &error, reading) => {}
                None => {
                    return Err(syntax_error(&error, &masked, reading.bare).at(error.range().unwrap_or(0..text.len())));
                }
            }
            left -= 1;
        }
        // Only valid templates are kept forever.
        let text: &'static str = String::leak(text.to_owned());
        let masked: &'static str = if masked == text { text } else { String::leak(masked) };
        let body = body(masked, reading).map_err(|error| syntax_error(&error, masked, reading.bare))?;
        let mutates = MUTATING.iter().any(|name| {
            masked.match_indices(name).any(|(at, _)| {
                masked[..at].trim_end().ends_with('.') && masked[at + name.len()..].trim_start().starts_with('(')
            })
        });
        Ok(Box::leak(Box::new(ParsedTemplate { text, masked, body, reading: reading.clone(), mutates })))
    }
}

fn body<'t>(masked: &'t str, reading: &Reading) -> Result<Body<'t>, minijinja::Error> {
    Ok(match reading.bare {
        true => Body::Expression(parse_expr(masked)?),
        false => Body::Template(parse(masked, "<template>", reading.syntax()?)?),
    })
}

/// Methods that modify their object.
const MUTATING: [&str; 11] =
    ["append", "extend", "insert", "pop", "remove", "update", "clear", "setdefault", "popitem", "sort", "reverse"];

/// The text with escapes in string literals masked, so that the parser leaves them alone, and with plain spaces for the
/// other ones that Python knows.
fn mask(text: &str, reading: &Reading) -> String {
    if !text.bytes().enumerate().any(|(at, byte)| byte == b'\\' || rare_space(&text.as_bytes()[at..]).is_some()) {
        return text.to_owned();
    }
    let mut bytes = text.as_bytes().to_vec();
    if reading.bare {
        mask_code(&mut bytes, 0, None);
        return String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned());
    }
    let [variable, variable_end, block, block_end, comment, comment_end] =
        reading.delimiters.each_ref().map(|delimiter| delimiter.as_bytes());
    let mut at = 0;
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.starts_with(comment) {
            at = find(rest, comment_end).map_or(bytes.len(), |end| at + end + comment_end.len());
        } else if rest.starts_with(variable) {
            at = mask_code(&mut bytes, at + variable.len(), Some(variable_end));
        } else if rest.starts_with(block) {
            let tag = tag_name(rest.get(block.len()..).unwrap_or_default());
            let raw = tag == b"raw";
            at = mask_code(&mut bytes, at + block.len(), Some(block_end));
            while raw && at < bytes.len() {
                let rest = bytes.get(at..).unwrap_or_default();
                let Some(next) = find(rest, block) else { break };
                let ends = tag_name(rest.get(next + block.len()..).unwrap_or_default()) == b"endraw";
                at += next + block.len();
                if ends {
                    break;
                }
            }
        } else {
            at += 1;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Masks from `at` to the delimiter (or the end) and returns the position after it.
fn mask_code(bytes: &mut [u8], mut at: usize, end: Option<&[u8]>) -> usize {
    let mut quote = None;
    while let Some(&byte) = bytes.get(at) {
        match quote {
            Some(open) if byte == open => quote = None,
            Some(_) if byte == b'\\' => {
                if let Some(pair) = bytes.get_mut(at..at + 2) {
                    pair[0] = BACKSLASH;
                    pair[1] = match pair[1] {
                        b'\\' => BACKSLASH,
                        b'\'' => SINGLE,
                        b'"' => DOUBLE,
                        other => other,
                    };
                }
                at += 1;
            }
            Some(_) => {}
            None if byte == b'\'' || byte == b'"' => quote = Some(byte),
            None => {
                if let Some(end) = end
                    && bytes.get(at..).is_some_and(|rest| rest.starts_with(end))
                {
                    return at + end.len();
                }
                if let Some(length) = bytes.get(at..).and_then(rare_space) {
                    bytes[at..at + length].fill(b' ');
                }
            }
        }
        at += 1;
    }
    bytes.len()
}

/// The length of a white space at the beginning that Python's regular expressions, and so Jinja, take for one, but the
/// parser does not: a no-break space that was copied from a page, say.
fn rare_space(text: &[u8]) -> Option<usize> {
    let length = match text.first()? {
        0x0b | 0x0c | 0x1c..=0x1f => return Some(1),
        0xc2 => 2,
        0xe1..=0xe3 => 3,
        _ => return None,
    };
    let space = std::str::from_utf8(text.get(..length)?).ok()?.chars().next()?;
    space.is_whitespace().then_some(length)
}

impl ParsedTemplate {
    /// The value of a string literal; `None` if it is the same as its text.
    ///
    /// # Errors
    /// If an escape is truncated or does not name a character.
    pub(crate) fn unmask(&self, literal: &str) -> EvalResult<Option<String>> {
        if !literal.bytes().any(|byte| matches!(byte, BACKSLASH | SINGLE | DOUBLE | b'\r')) {
            return Ok(None);
        }
        // Jinja reads every line break of a template as a line feed.
        let literal = literal.replace("\r\n", "\n").replace('\r', "\n");
        let raw: String = literal
            .chars()
            .map(|c| match c {
                '\x01' => '\\',
                '\x02' => '\'',
                '\x03' => '"',
                c => c,
            })
            .collect();
        Ok(Some(if self.reading.escapes { unescape(&raw)? } else { raw }))
    }
}

/// A string literal with escapes decoded like Python's `unicode_escape`; other backslashes are kept.
fn unescape(raw: &str) -> EvalResult<String> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(kind) = rest.chars().next() else {
            out.push('\\');
            break;
        };
        // Up to `most` digits from the byte `from` on.
        let digits = |radix: u32, from: usize, most: usize| -> &str {
            let tail = &rest[from..];
            let end = tail.char_indices().take(most).take_while(|(_, c)| c.is_digit(radix)).count();
            &tail[..end]
        };
        let exact = |most: usize| {
            let digits = digits(16, 1, most);
            if digits.len() < most {
                return Err(EvalError::syntax(format!("the escape `\\{kind}` needs {most} hexadecimal digits"), None));
            }
            match u32::from_str_radix(digits, 16).ok().and_then(char::from_u32) {
                Some(c) => Ok(Some((Some(c), 1 + most))),
                None => Err(EvalError::syntax(format!("the escape `\\{kind}{digits}` is not a character"), None)),
            }
        };
        let simple = |c: char| Some((Some(c), 1));
        let read = match kind {
            '\n' => Some((None, 1)),
            '\\' | '\'' | '"' => simple(kind),
            'a' => simple('\x07'),
            'b' => simple('\x08'),
            'f' => simple('\x0c'),
            'n' => simple('\n'),
            'r' => simple('\r'),
            't' => simple('\t'),
            'v' => simple('\x0b'),
            'x' => exact(2)?,
            'u' => exact(4)?,
            'U' => exact(8)?,
            '0'..='7' => {
                let digits = digits(8, 0, 3);
                let c = u32::from_str_radix(digits, 8).ok().and_then(char::from_u32);
                c.map(|c| (Some(c), digits.len()))
            }
            'N' => {
                let help = "write the character itself, or its number: `\\u2022`".to_owned();
                return Err(EvalError::syntax("named characters (`\\N{...}`) are not supported", Some(help)));
            }
            _ => None,
        };
        match read {
            Some((c, len)) => {
                out.extend(c);
                rest = &rest[len..];
            }
            None => out.push('\\'),
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The position of an unexpected `+`.
fn unary_plus(masked: &str, error: &minijinja::Error) -> Option<usize> {
    if !error.detail()?.contains("unexpected `+`") {
        return None;
    }
    let range = error.range()?;
    let at = range.start + masked.get(range.clone())?.find('+')?;
    Some(at)
}

/// Replaces the blanks around a bare tuple, as in `{{ a, b }}`, by parentheses. Returns whether it did.
fn bare_tuple(masked: &mut String, error: &minijinja::Error, reading: &Reading) -> bool {
    let Some(range) = error.range().filter(|_| !reading.bare) else { return false };
    let [start, end, ..] = &reading.delimiters;
    if masked.get(range.clone()) != Some(",") {
        return false;
    }
    let open = masked[..range.start].rfind(&**start).map(|at| at + start.len());
    let close = masked[range.end..].find(&**end).map(|at| range.end + at - 1);
    let blank = |at: usize| masked.as_bytes().get(at) == Some(&b' ');
    match (open, close) {
        (Some(open), Some(close)) if blank(open) && blank(close) && close > range.end => {
            masked.replace_range(open..open + 1, "(");
            masked.replace_range(close..close + 1, ")");
            true
        }
        _ => false,
    }
}

/// The parser's message, in Jinja's words. `found` is the text at the place.
fn complaint(detail: &str, found: &str, bare: bool) -> String {
    if let Some(tag) = detail.strip_prefix("unknown statement ") {
        return format!("Encountered unknown tag '{tag}'.");
    }
    /// Jinja's name of a token.
    fn named(token: &str) -> &str {
        match token.trim_matches('`') {
            "end of variable block" => "end of print statement",
            "end of block" => "end of statement block",
            "end of input" => "end of template",
            "identifier" => "name",
            other => other,
        }
    }
    if detail == "unexpected input after expression" {
        return "chunk after expression".to_owned();
    }
    if detail == "unexpected end of comment" {
        return "Missing end of comment tag".to_owned();
    }
    let Some(rest) = detail.strip_prefix("unexpected ") else { return detail.to_owned() };
    let (got, expected) = rest.split_once(", expected ").map_or((rest, None), |(got, expected)| (got, Some(expected)));
    let token = match got {
        "identifier" if !found.is_empty() => found.trim(),
        got => named(got),
    };
    match expected {
        // An unclosed bracket.
        Some(open @ ("`)`" | "`]`")) if got.starts_with('`') => {
            format!("unexpected '{token}', expected '{}'", open.trim_matches('`'))
        }
        Some("identifier or integer") => "expected name or number".to_owned(),
        Some("end of variable block") if got == "end of input" => {
            "unexpected end of template, expected 'end of print statement'.".to_owned()
        }
        Some("expression") | None if bare || got.starts_with('`') || got.starts_with("end of") => {
            format!("unexpected '{token}'")
        }
        Some(expected) => format!("expected token '{}', got '{token}'", named(expected)),
        None => detail.to_owned(),
    }
}

/// The parser's error, in Jinja's words where they differ.
fn syntax_error(error: &minijinja::Error, masked: &str, bare: bool) -> Box<EvalError> {
    let detail = error.detail().unwrap_or("not a template").replace(['\x01', '\x02', '\x03'], "\\");
    let found = error.range().and_then(|range| masked.get(range)).unwrap_or_default();
    let before = error.range().and_then(|range| masked.get(..range.start)).unwrap_or_default();
    if detail.contains("unexpected end of string") || detail.contains("unexpected character") {
        // For an unterminated string, the opening quote.
        let opened = before.rfind(['\'', '"']).filter(|_| detail.contains("end of string"));
        let at = opened.unwrap_or(before.len());
        if let Some(c) = masked[at..].chars().next() {
            let shown = show::repr(&Value::from(c.to_string()));
            let before = masked[..at].chars().count();
            return EvalError::syntax(format!("unexpected char {shown} at {before}"), None);
        }
    }
    let message = complaint(&detail, found, bare);
    let message = match &*message {
        "unexpected 'end of print statement'" if before.trim_end().ends_with("{{") => {
            "Expected an expression, got 'end of print statement'".to_owned()
        }
        "expected token 'end of print statement', got '}'" => "unexpected '}'".to_owned(),
        "expected token 'end of print statement', got ']'" => "unexpected ']'".to_owned(),
        "expected token 'end of print statement', got ')'" => "unexpected ')'".to_owned(),
        _ => message,
    };
    EvalError::syntax(message, None)
}
