//! Macros: their definition, and calls of them.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::{Value, machinery::ast, value::Tuple};

use crate::template::{
    args::Args,
    eval::{
        callable::Macro,
        machine::{Machine, range},
        render,
    },
    output::Output,
    value::{
        containers,
        error::{EvalError, EvalResult},
        undefined::UndefinedReason,
    },
};

impl Machine<'_> {
    pub(super) fn close_over(&mut self, decl: &'static ast::Macro<'static>) -> Value {
        self.session.keep.borrow_mut().extend(self.frames.iter().cloned());
        Value::from_object(Macro {
            page: self.page,
            origin: self.origin.clone(),
            decl,
            frames: self.frames.iter().map(Arc::downgrade).collect(),
            with_scope: self.with_scope,
        })
    }

    pub(crate) fn call_macro(&mut self, object: &Macro, args: Args) -> EvalResult {
        let decl = object.decl;
        let mut machine = Machine::new(self.session, object.page, object.origin.clone());
        machine.frames = object.frames.iter().filter_map(std::sync::Weak::upgrade).collect();
        machine.with_scope = object.with_scope;
        machine.directory = self.directory.clone();
        machine.frames.push(Arc::default());
        let mut out = Output::default();
        // Default values of parameters may call macros too.
        let result = render::deeper(|| {
            machine.bind(decl, args)?;
            machine.body(&decl.body, &mut out)
        });
        match result.and_then(|()| out.captured()) {
            Ok(value) => Ok(value),
            Err(error) if Arc::ptr_eq(&object.origin, &self.origin) => Err(error),
            Err(error) => Err(machine.place(error).into()),
        }
    }

    /// Binds arguments to the parameters of a macro.
    fn bind(&mut self, decl: &'static ast::Macro<'static>, args: Args) -> EvalResult<()> {
        let mut positional = args.positional.into_iter();
        let mut named: IndexMap<String, Value> = args.named.into_iter().collect();
        let first_default = decl.args.len() - decl.defaults.len();
        for (at, arg) in decl.args.iter().enumerate() {
            let ast::Expr::Var(var) = arg else { continue };
            let value = match positional.next().or_else(|| named.shift_remove(var.id)) {
                Some(value) => containers::settled(value),
                None => match at.checked_sub(first_default).and_then(|at| decl.defaults.get(at)) {
                    Some(default) => self.expr(default)?,
                    None => {
                        let message = format!("parameter '{}' was not provided", var.id);
                        self.undefined(UndefinedReason::Message(message), range(var.span()))
                    }
                },
            };
            self.set(var.id, value);
        }
        let text = self.page.masked;
        match named.shift_remove("caller") {
            Some(caller) => self.set("caller", caller),
            None if text.contains("caller") => {
                let none = UndefinedReason::Message("No caller defined".to_owned());
                let none = self.undefined(none, 0..self.page.text.len());
                self.set("caller", none);
            }
            None => {}
        }
        let rest: Vec<Value> = positional.collect();
        if !rest.is_empty() && !text.contains("varargs") {
            let count = decl.args.len();
            return Err(EvalError::new(format!("macro '{}' takes not more than {count} argument(s)", decl.name)));
        }
        if let Some(name) = named.keys().next()
            && !text.contains("kwargs")
        {
            return Err(EvalError::new(format!("macro '{}' takes no keyword argument '{name}'", decl.name)));
        }
        self.set("varargs", Value::from(Tuple::from(rest)));
        let kwargs: IndexMap<Value, Value> = named.into_iter().map(|(name, value)| (name.into(), value)).collect();
        self.set("kwargs", Value::from_object(kwargs));
        Ok(())
    }
}
