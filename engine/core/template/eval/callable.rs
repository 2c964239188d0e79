//! Callable values in templates: functions, bound methods and macros.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use minijinja::{
    Value,
    machinery::ast,
    value::{Object, ObjectRepr},
};

use crate::template::{eval::frame::Frame, origin::Origin, page::parsed_template::ParsedTemplate};

/// A method of a value before it is called, or a function of Jinja.
#[derive(Debug)]
pub(crate) struct Bound {
    /// The object of a method; `None` for functions.
    pub receiver: Option<Value>,
    pub name: Arc<str>,
}

impl Object for Bound {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<built-in method {}>", self.name)
    }
}

/// A macro and its enclosing scope.
pub(crate) struct Macro {
    pub page: &'static ParsedTemplate,
    pub origin: Arc<Origin>,
    pub decl: &'static ast::Macro<'static>,
    /// The frames around its definition; the session keeps them alive.
    pub frames: Vec<Weak<Frame>>,
    /// Whether it sees the variables of the play.
    pub with_scope: bool,
}

impl fmt::Debug for Macro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<macro {}>", self.decl.name)
    }
}

impl Macro {
    /// Whether its body reads a variable of that name.
    pub(crate) fn reads(&self, name: &str) -> bool {
        self.page.masked.contains(name)
    }
}

impl Object for Macro {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let names = self.decl.args.iter().filter_map(|arg| match arg {
            ast::Expr::Var(var) => Some(Value::from(var.id)),
            _ => None,
        });
        Some(match key.as_str()? {
            "name" => Value::from(self.decl.name),
            "arguments" => Value::from(names.collect::<Vec<_>>()),
            "catch_kwargs" => Value::from(self.reads("kwargs")),
            "catch_varargs" => Value::from(self.reads("varargs")),
            "caller" => Value::from(self.reads("caller")),
            _ => return None,
        })
    }
}
