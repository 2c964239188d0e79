//! The objects that `cycler` and `joiner` make.

use std::sync::Arc;

use minijinja::{
    Value,
    value::{Object, ObjectRepr},
};
use parking_lot::Mutex;

use crate::template::{
    args::Args,
    value::error::{EvalError, EvalResult},
};

/// Yields its items in turn, over and over.
#[derive(Debug)]
pub(crate) struct Cycler {
    items: Vec<Value>,
    at: Mutex<usize>,
}

impl Cycler {
    /// # Errors
    /// If there are no items.
    pub(crate) fn of(items: Vec<Value>) -> EvalResult<Self> {
        match items.is_empty() {
            true => Err(EvalError::new("at least one item has to be provided")),
            false => Ok(Cycler { items, at: Mutex::default() }),
        }
    }

    /// The names of its methods.
    pub(super) const NAMES: [&str; 2] = ["next", "reset"];

    pub(super) fn call(&self, name: &str, args: &Args) -> EvalResult {
        args.finish()?;
        let mut at = self.at.lock();
        if name == "reset" {
            *at = 0;
            return Ok(Value::from(()));
        }
        let item = self.items.get(*at).cloned().unwrap_or_default();
        *at = (*at + 1) % self.items.len();
        Ok(item)
    }
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str() == Some("current")).then(|| self.items.get(*self.at.lock()).cloned())?
    }
}

/// Yields nothing on the first call, and its separator on all later ones.
#[derive(Debug)]
pub(crate) struct Joiner {
    separator: Value,
    used: Mutex<bool>,
}

impl Joiner {
    pub(crate) fn of(separator: Value) -> Self {
        Joiner { separator, used: Mutex::default() }
    }

    pub(crate) fn next(&self) -> Value {
        match std::mem::replace(&mut *self.used.lock(), true) {
            true => self.separator.clone(),
            false => Value::from(""),
        }
    }
}

impl Object for Joiner {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}
