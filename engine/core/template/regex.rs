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
