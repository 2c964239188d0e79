//! Methods of texts, as Python's `str` has them.

use minijinja::{Value, value::Tuple};

use crate::template::{
    args::Args,
    value::{
        containers,
        error::{EvalError, EvalResult},
        format, items, show, size,
        text::{self, list_of, pad},
    },
};

/// The names of the methods.
pub(super) const NAMES: [&str; 47] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];

/// Calls a method of a text.
///
/// # Errors
/// If there is no such method, or it does not take these arguments or this value.
pub(super) fn call(text: &str, name: &str, mut args: Args) -> EvalResult {
    let all = |test: fn(char) -> bool| Value::from(!text.is_empty() && text.chars().all(test));
    let strip = |args: &mut Args| -> EvalResult<Box<dyn Fn(char) -> bool>> {
        Ok(match args.text("chars")? {
            Some(chars) => Box::new(move |c| chars.contains(c)),
            None => Box::new(char::is_whitespace),
        })
    };
    let cased = |test: fn(char) -> bool, other: fn(char) -> bool| {
        Value::from(text.chars().any(test) && !text.chars().any(other))
    };
    let most = |args: &mut Args| -> EvalResult<Option<usize>> {
        Ok(args.int("maxsplit")?.and_then(|most| usize::try_from(most).ok()))
    };
    let answer = match name {
        "capitalize" => Value::from(text::capitalize(text)),
        "casefold" | "lower" => Value::from(text.to_lowercase()),
        "upper" => Value::from(text.to_uppercase()),
        "title" => Value::from(text::title(text)),
        "swapcase" => Value::from(
            text.chars()
                .flat_map(|c| -> Box<dyn Iterator<Item = char>> {
                    if c.is_uppercase() { Box::new(c.to_lowercase()) } else { Box::new(c.to_uppercase()) }
                })
                .collect::<String>(),
        ),
        "center" | "ljust" | "rjust" => {
            let width = size::room(args.int_or("width", 0)?)?;
            let fill = args.text_or("fillchar", " ")?.chars().next().unwrap_or(' ');
            let missing = width.saturating_sub(text.chars().count());
            let left = match name {
                "ljust" => 0,
                "rjust" => missing,
                // With an odd width, Python puts the extra space on the left.
                _ => missing / 2 + (missing & width & 1),
            };
            Value::from(pad(text, width, fill, left))
        }
        "zfill" => {
            let width = size::room(args.int_or("width", 0)?)?;
            let (sign, digits) = match text.strip_prefix(['+', '-']) {
                Some(digits) => text.split_at(text.len() - digits.len()),
                None => ("", text),
            };
            let width = width.saturating_sub(sign.len());
            Value::from(format!("{sign}{}", pad(digits, width, '0', width)))
        }
        "count" => {
            let part = word(&mut args, "sub")?;
            let (window, _) = window(text, &mut args)?;
            match part.is_empty() {
                true => Value::from(window.chars().count() + 1),
                false => Value::from(window.matches(&part).count()),
            }
        }
        "encode" => {
            args.text("encoding")?;
            Value::from_bytes(text.as_bytes().to_vec())
        }
        "startswith" | "endswith" => {
            let parts = words(&mut args, "prefix")?;
            let (window, _) = window(text, &mut args)?;
            Value::from(parts.iter().any(|part| match name {
                "startswith" => window.starts_with(part),
                _ => window.ends_with(part),
            }))
        }
        "expandtabs" => {
            let size = size::room(args.int_or("tabsize", 8)?)?;
            size::fits(size.saturating_mul(text.matches('\t').count()))?;
            let (mut out, mut column) = (String::new(), 0);
            for c in text.chars() {
                match c {
                    '\t' if size == 0 => {}
                    '\t' => {
                        let blanks = size - column % size;
                        out.extend(std::iter::repeat_n(' ', blanks));
                        column += blanks;
                    }
                    c => {
                        out.push(c);
                        column = if c == '\n' || c == '\r' { 0 } else { column + 1 };
                    }
                }
            }
            Value::from(out)
        }
        "find" | "rfind" | "index" | "rindex" => {
            let part = word(&mut args, "sub")?;
            let (window, before) = window(text, &mut args)?;
            match position(&window, &part, name.starts_with('r')) {
                Some(at) => Value::from(at + before),
                None if name.ends_with("find") => Value::from(-1),
                None => return Err(EvalError::new("substring not found")),
            }
        }
        "format" => return format::braces(text, &args.rest()?, &std::mem::take(&mut args.named)).map(Value::from),
        "format_map" => {
            let map = args.required("mapping")?;
            let named: Vec<(String, Value)> =
                containers::pairs(&map).into_iter().map(|(key, value)| (show::plain_text(&key), value)).collect();
            return format::braces(text, &[], &named).map(Value::from);
        }
        "isalnum" => all(char::is_alphanumeric),
        "isalpha" => all(char::is_alphabetic),
        "isascii" => Value::from(text.is_ascii()),
        "isdecimal" | "isdigit" | "isnumeric" => all(char::is_numeric),
        "isspace" => all(char::is_whitespace),
        "isprintable" => Value::from(!text.chars().any(char::is_control)),
        "islower" => cased(char::is_lowercase, char::is_uppercase),
        "isupper" => cased(char::is_uppercase, char::is_lowercase),
        "istitle" => Value::from(text.chars().any(char::is_alphabetic) && text == text::title(text)),
        "isidentifier" => {
            let starts = text.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
            Value::from(starts && text.chars().all(|c| c.is_alphanumeric() || c == '_'))
        }
        "join" => {
            let items = args.required("iterable")?;
            let mut parts = Vec::new();
            for (at, item) in items::items(&items)?.into_iter().enumerate() {
                match item.as_str() {
                    Some(part) => parts.push(part.to_owned()),
                    None => {
                        let kind = show::type_name(&item);
                        return Err(EvalError::new(format!("sequence item {at}: expected str instance, {kind} found")));
                    }
                }
            }
            size::fits(parts.iter().map(|part| part.len() + text.len()).sum())?;
            Value::from(parts.join(text))
        }
        "strip" => {
            let chars = strip(&mut args)?;
            Value::from(text.trim_matches(chars))
        }
        "lstrip" => {
            let chars = strip(&mut args)?;
            Value::from(text.trim_start_matches(chars))
        }
        "rstrip" => {
            let chars = strip(&mut args)?;
            Value::from(text.trim_end_matches(chars))
        }
        "partition" | "rpartition" => {
            let separator = word(&mut args, "sep")?;
            if separator.is_empty() {
                return Err(EvalError::new("empty separator"));
            }
            let found = if name == "partition" { text.split_once(&*separator) } else { text.rsplit_once(&*separator) };
            match found {
                Some((before, after)) => three([before, &separator, after]),
                None if name == "partition" => three([text, "", ""]),
                None => three(["", "", text]),
            }
        }
        "removeprefix" => Value::from(text.strip_prefix(&*word(&mut args, "prefix")?).unwrap_or(text)),
        "removesuffix" => Value::from(text.strip_suffix(&*word(&mut args, "suffix")?).unwrap_or(text)),
        "replace" => {
            let (old, new) = (word(&mut args, "old")?, word(&mut args, "new")?);
            size::fits_replaced(text, &old, &new)?;
            match args.int("count")?.and_then(|count| usize::try_from(count).ok()) {
                Some(count) => Value::from(text.replacen(&old, &new, count)),
                None => Value::from(text.replace(&old, &new)),
            }
        }
        "split" => {
            let separator = separator(&mut args)?;
            text::split(text, separator.as_deref(), most(&mut args)?)?
        }
        "rsplit" => {
            let separator = separator(&mut args)?;
            rsplit(text, separator.as_deref(), most(&mut args)?)?
        }
        "splitlines" => lines(text, args.flag("keepends", false)?),
        _ => return Err(EvalError::new(format!("the method '{name}' is not supported"))),
    };
    args.finish()?;
    Ok(answer)
}

fn word(args: &mut Args, name: &str) -> EvalResult<String> {
    let value = args.required(name)?;
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(EvalError::new(format!("argument '{name}' must be str, not {}", show::type_name(&value)))),
    }
}

/// The separator of `split`; `None` means white space.
fn separator(args: &mut Args) -> EvalResult<Option<String>> {
    match args.optional("sep")? {
        Some(value) if !value.is_none() => match value.as_str() {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(EvalError::new(format!("must be str or None, not {}", show::type_name(&value)))),
        },
        _ => Ok(None),
    }
}

/// One text or a tuple of texts.
fn words(args: &mut Args, name: &str) -> EvalResult<Vec<String>> {
    let value = args.required(name)?;
    match value.as_str() {
        Some(text) => Ok(vec![text.to_owned()]),
        None => items::items(&value)?.iter().map(show::text).collect(),
    }
}

/// The part of a text between Python's `start` and `end` arguments, and the number of characters before it.
fn window(text: &str, args: &mut Args) -> EvalResult<(String, usize)> {
    let (start, end) = (args.int("start")?, args.int("end")?);
    let len = text.chars().count() as i128;
    let clamp = |at: i128| (if at < 0 { at + len } else { at }).clamp(0, len) as usize;
    let (start, end) = (start.map_or(0, clamp), end.map_or(len as usize, clamp));
    Ok((text.chars().skip(start).take(end.saturating_sub(start)).collect(), start))
}

fn position(text: &str, part: &str, last: bool) -> Option<usize> {
    let at = if last { text.rfind(part) } else { text.find(part) }?;
    Some(text[..at].chars().count())
}

fn three(parts: [&str; 3]) -> Value {
    Value::from(Tuple::from(parts.map(Value::from).to_vec()))
}

fn rsplit(text: &str, separator: Option<&str>, most: Option<usize>) -> EvalResult<Value> {
    let mut parts: Vec<&str> = match (separator, most) {
        (Some(""), _) => return Err(EvalError::new("empty separator")),
        (Some(separator), Some(most)) => text.rsplitn(most.saturating_add(1), separator).collect(),
        (Some(separator), None) => text.rsplit(separator).collect(),
        (None, most) => {
            let mut parts = Vec::new();
            let mut rest = text.trim_end();
            while !rest.is_empty() {
                if most.is_some_and(|most| parts.len() >= most) {
                    parts.push(rest.trim_start());
                    break;
                }
                let start = rest.char_indices().rev().find(|(_, c)| c.is_whitespace());
                let start = start.map_or(0, |(at, c)| at + c.len_utf8());
                parts.push(&rest[start..]);
                rest = rest[..start].trim_end();
            }
            parts
        }
    };
    parts.reverse();
    Ok(list_of(parts))
}

fn lines(text: &str, keep: bool) -> Value {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let breaks =
            |c: char| matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}');
        let (end, after) = match rest.char_indices().find(|(_, c)| breaks(*c)) {
            Some((at, '\r')) if rest[at..].starts_with("\r\n") => (at, at + 2),
            Some((at, c)) => (at, at + c.len_utf8()),
            None => (rest.len(), rest.len()),
        };
        parts.push(&rest[..if keep { after } else { end }]);
        rest = &rest[after..];
    }
    list_of(parts)
}
