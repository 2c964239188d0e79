//! The variable `omit`.

use std::sync::Arc;

use minijinja::value::{Object, Value};

/// The value of the variable `omit`: an argument with this value counts as not given.
#[derive(Debug)]
struct Omit;

impl Object for Omit {
    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<<omit>>")
    }
}

/// The value of the variable `omit`.
pub fn omit() -> Value {
    Value::from_object(Omit)
}

/// Whether a value is the variable `omit`.
pub fn is_omit(value: &Value) -> bool {
    value.downcast_object_ref::<Omit>().is_some()
}
