//! Loops, and their variable `loop`.

use std::{fmt, sync::Arc};

use minijinja::{
    Value,
    machinery::ast,
    value::{Object, ObjectRepr},
};
use parking_lot::Mutex;

use crate::template::{
    args::Args,
    eval::machine::Machine,
    output::Output,
    value::{
        error::{EvalError, EvalResult},
        items,
    },
};

/// The variable `loop`.
pub(crate) struct Loop {
    node: &'static ast::ForLoop<'static>,
    at: usize,
    depth: usize,
    items: Arc<Vec<Value>>,
    /// The last arguments of `loop.changed()`.
    last: Arc<Mutex<Option<Vec<Value>>>>,
}

impl fmt::Debug for Loop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<loop {}/{}>", self.at + 1, self.items.len())
    }
}

impl Object for Loop {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let len = self.items.len();
        Some(match key {
            "index" => Value::from(self.at + 1),
            "index0" => Value::from(self.at),
            "revindex" => Value::from(len - self.at),
            "revindex0" => Value::from(len - self.at - 1),
            "first" => Value::from(self.at == 0),
            "last" => Value::from(self.at + 1 == len),
            "length" => Value::from(len),
            "depth" => Value::from(self.depth + 1),
            "depth0" => Value::from(self.depth),
            "previtem" => self.items.get(self.at.checked_sub(1)?)?.clone(),
            "nextitem" => self.items.get(self.at + 1)?.clone(),
            _ => return None,
        })
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }
}

impl Loop {
    /// `loop.cycle(...)` and `loop.changed(...)`.
    pub(crate) fn call(&self, method: &str, mut args: Args) -> EvalResult {
        let args = args.rest()?;
        match method {
            "cycle" => match args.len() {
                0 => Err(EvalError::new("no items for cycling given")),
                len => Ok(args.get(self.at % len).cloned().unwrap_or_default()),
            },
            _ => {
                let mut last = self.last.lock();
                let changed = last.as_ref() != Some(&args);
                *last = Some(args);
                Ok(Value::from(changed))
            }
        }
    }
}

impl Machine<'_> {
    pub(super) fn iterate(
        &mut self,
        node: &'static ast::ForLoop<'static>,
        iterable: &Value,
        depth: usize,
        out: &mut Output,
    ) -> EvalResult<()> {
        let mut items = items::items(iterable)?;
        if let Some(filter) = &node.filter_expr {
            let mut kept = Vec::with_capacity(items.len());
            for item in items {
                let keep = self.scoped(|machine| {
                    machine.assign(&node.target, item.clone())?;
                    machine.value(filter)
                })?;
                if items::truth(&keep) {
                    kept.push(item);
                }
            }
            items = kept;
        }
        if items.is_empty() {
            return self.scoped(|machine| machine.body(&node.else_body, out));
        }
        let items = Arc::new(items);
        let last = Arc::default();
        for (at, item) in items.iter().enumerate() {
            self.scoped(|machine| {
                machine.assign(&node.target, item.clone())?;
                let state = Loop { node, at, depth, items: items.clone(), last: Arc::clone(&last) };
                machine.set("loop", Value::from_object(state));
                machine.body(&node.body, out)
            })?;
        }
        Ok(())
    }

    /// `loop(...)` in a recursive loop.
    pub(crate) fn recurse(&mut self, state: &Loop, items: &Value) -> EvalResult {
        if !state.node.recursive {
            return Err(EvalError::with_help(
                "the loop must have the `recursive` marker to be called recursively",
                "write `{% for ... in ... recursive %}`",
            ));
        }
        let mut out = Output::default();
        self.guarded(|machine| machine.iterate(state.node, items, state.depth + 1, &mut out))?;
        out.captured()
    }
}
