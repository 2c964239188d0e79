//! Regular expressions in Python's dialect, compiled once per thread.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use fancy_regex::{Regex, RegexBuilder};

use crate::template::value::error::{EvalError, EvalResult};

thread_local! {
    static COMPILED: RefCell<HashMap<(String, bool, bool), Rc<Regex>>> = RefCell::default();
}

/// Patterns kept; a play that makes up more of them starts anew.
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
    let translated = translate(pattern);
    let source = if flags.is_empty() { translated } else { format!("(?{flags}){translated}") };
    let regex = RegexBuilder::new(&source)
        .build()
        .map_err(|error| EvalError::new(format!("`{pattern}` is not a regular expression: {error}")))?;
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

/// What Python writes otherwise: `\Z` is the very end, `(?P=name)` a reference, `[` in a class stands for itself.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    let mut class = false;
    let mut class_begin = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                match chars.next() {
                    Some('Z') if !class => out.push_str("\\z"),
                    Some(next) => {
                        out.push('\\');
                        out.push(next);
                    }
                    None => out.push('\\'),
                }
                class_begin = false;
                continue;
            }
            '[' if class => out.push_str("\\["),
            '[' => {
                class = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                class_begin = true;
                continue;
            }
            ']' if class && class_begin => out.push_str("\\]"),
            ']' if class => {
                class = false;
                out.push(']');
            }
            '&' | '~' if class => {
                out.push('\\');
                out.push(c);
            }
            '(' if !class => {
                out.push('(');
                let mut ahead = chars.clone();
                if ahead.next() == Some('?') && ahead.next() == Some('P') && ahead.next() == Some('=') {
                    let name: String = ahead.by_ref().take_while(|c| *c != ')').collect();
                    out.pop();
                    out.push_str(&format!("\\k<{name}>"));
                    chars = ahead;
                }
            }
            // `$` of Python also matches before a newline at the end.
            '$' if !class => out.push_str("(?:$|(?=\\n\\z))"),
            c => out.push(c),
        }
        class_begin = false;
    }
    out
}
