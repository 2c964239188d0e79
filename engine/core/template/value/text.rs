//! String functions of Python's `str`.

use minijinja::Value;

use crate::template::value::error::{EvalError, EvalResult};

pub(crate) fn list_of(parts: impl IntoIterator<Item = impl AsRef<str>>) -> Value {
    Value::from(parts.into_iter().map(|part| Value::from(part.as_ref())).collect::<Vec<_>>())
}

/// Pads a string to a width in characters.
pub(crate) fn pad(text: &str, width: usize, fill: char, left: usize) -> String {
    let missing = width.saturating_sub(text.chars().count());
    let left = left.min(missing);
    let fill = |count: usize| std::iter::repeat_n(fill, count);
    fill(left).chain(text.chars()).chain(fill(missing - left)).collect()
}

/// Capitalizes every word, like `str.title()`.
pub(crate) fn title(text: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match inside {
            true => out.extend(c.to_lowercase()),
            false => out.extend(c.to_uppercase()),
        }
        inside = c.is_alphabetic();
    }
    out
}

/// The first letter upper case, the others lower case.
pub(crate) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars.flat_map(char::to_lowercase)).collect(),
        None => String::new(),
    }
}

/// `str.split()`: at white space if no separator is given.
pub(crate) fn split(text: &str, separator: Option<&str>, most: Option<usize>) -> EvalResult<Value> {
    Ok(match separator {
        Some("") => return Err(EvalError::new("empty separator")),
        Some(separator) => match most {
            Some(most) => list_of(text.splitn(most.saturating_add(1), separator)),
            None => list_of(text.split(separator)),
        },
        None => {
            let mut parts = Vec::new();
            let mut rest = text.trim_start();
            while !rest.is_empty() {
                if most.is_some_and(|most| parts.len() >= most) {
                    parts.push(rest.trim_end());
                    break;
                }
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                parts.push(&rest[..end]);
                rest = rest[end..].trim_start();
            }
            list_of(parts)
        }
    })
}

/// A text with the characters that are special in HTML escaped.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
