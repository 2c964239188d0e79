//! Regular expressions with Python's syntax, compiled once per thread.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use fancy_regex::{Regex, RegexBuilder};
use rplay_contract::system::pattern::{is_multi_line, translate};

use crate::template::value::error::{EvalError, EvalResult};

thread_local! {
    static COMPILED: RefCell<HashMap<(String, bool, bool), Rc<Regex>>> = RefCell::default();
}

/// Cache size; beyond it, the cache is cleared.
const MOST: usize = 1000;

/// The compiled pattern.
pub(crate) fn find(pattern: &str, ignorecase: bool, multiline: bool) -> EvalResult<Rc<Regex>> {
    let key = (pattern.to_owned(), ignorecase, multiline);
    if let Some(known) = COMPILED.with(|compiled| compiled.borrow().get(&key).cloned()) {
        return Ok(known);
    }
    let mut flags = String::new();
    if ignorecase {
        flags.push('i');
    }
    if multiline {
        flags.push('m');
    }
    let translated = translate(pattern, multiline || is_multi_line(pattern));
    let source = if flags.is_empty() { translated } else { format!("(?{flags}){translated}") };
    let regex = RegexBuilder::new(&source).build().map_err(|error| match complaint(pattern) {
        Some(complaint) => EvalError::with_help(complaint, format!("`{pattern}` is not a regular expression")),
        None => EvalError::new(format!("`{pattern}` is not a regular expression: {error}")),
    })?;
    let regex = Rc::new(regex);
    COMPILED.with(|compiled| {
        let mut compiled = compiled.borrow_mut();
        if compiled.len() >= MOST {
            compiled.clear();
        }
        compiled.insert(key, regex.clone());
    });
    Ok(regex)
}

/// Python's error message about a pattern; `None` if it is not one of the common mistakes.
fn complaint(pattern: &str) -> Option<String> {
    let mut open = Vec::new();
    // Whether there is something that a quantifier can repeat.
    let mut repeatable = false;
    let mut chars = pattern.chars().enumerate().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if chars.next().is_none() => return Some(format!("bad escape (end of pattern) at position {at}")),
            '[' => {
                chars.next_if(|(_, c)| *c == '^');
                chars.next_if(|(_, c)| *c == ']');
                loop {
                    match chars.next() {
                        Some((_, ']')) => break,
                        Some((_, '\\')) => drop(chars.next()),
                        Some(_) => {}
                        None => return Some(format!("unterminated character set at position {at}")),
                    }
                }
            }
            '(' => {
                open.push(at);
                // The `?` of `(?:` is not a quantifier.
                chars.next_if(|(_, c)| *c == '?');
            }
            ')' if open.pop().is_none() => return Some(format!("unbalanced parenthesis at position {at}")),
            '*' | '+' | '?' if !repeatable => return Some(format!("nothing to repeat at position {at}")),
            _ => {}
        }
        repeatable = !matches!(c, '(' | '|' | '^');
    }
    open.last().map(|at| format!("missing ), unterminated subpattern at position {at}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_worded_as_by_python() {
        for (pattern, wanted) in [
            ("a(b", "missing ), unterminated subpattern at position 1"),
            ("(a(b)", "missing ), unterminated subpattern at position 0"),
            ("a)", "unbalanced parenthesis at position 1"),
            ("*a", "nothing to repeat at position 0"),
            ("(?:a|+)", "nothing to repeat at position 5"),
            ("[a", "unterminated character set at position 0"),
        ] {
            assert_eq!(complaint(pattern).as_deref(), Some(wanted), "{pattern}");
            assert!(find(pattern, false, false).is_err(), "{pattern}");
        }
        assert_eq!(complaint("(?P<a>[])]+)\\("), None);
    }
}
