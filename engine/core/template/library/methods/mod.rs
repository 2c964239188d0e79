//! Methods of texts, lists and mappings, as Python has them.

mod cycle;
mod list;
mod map;
mod moment;
mod text;

use minijinja::{Value, value::ValueKind};

pub(crate) use cycle::{Cycler, Joiner};

use crate::template::{
    args::Args,
    eval::{library::Methods, loops::Loop},
    value::{
        error::{Cause, EvalError, EvalResult},
        number, show,
        time::{self, Day, Moment},
    },
};

/// The method that runs when the value itself is called.
pub(crate) const CALL: &str = "__call__";

/// The methods of values, as the evaluator finds them.
pub(crate) const METHODS: Methods = Methods { exists, changes, call };

/// Whether the value has a method of that name.
fn exists(value: &Value, name: &str) -> bool {
    match value.kind() {
        ValueKind::String => text::NAMES.contains(&name),
        ValueKind::Bytes => name == "decode",
        ValueKind::Map => map::NAMES.contains(&name),
        ValueKind::Seq | ValueKind::Iterable => list::NAMES.contains(&name),
        ValueKind::Number => matches!(name, "bit_length" | "is_integer"),
        ValueKind::Plain if time::moment(value).is_some() => moment::NAMES.contains(&name),
        ValueKind::Plain if value.downcast_object_ref::<time::Span>().is_some() => name == "total_seconds",
        ValueKind::Plain if value.downcast_object_ref::<Loop>().is_some() => matches!(name, "cycle" | "changed"),
        ValueKind::Plain if value.downcast_object_ref::<Cycler>().is_some() => Cycler::NAMES.contains(&name),
        ValueKind::Plain if value.downcast_object_ref::<Joiner>().is_some() => name == CALL,
        _ => false,
    }
}

/// Whether a method of that name changes its list or mapping.
fn changes(name: &str) -> bool {
    matches!(
        name,
        "append"
            | "clear"
            | "extend"
            | "insert"
            | "pop"
            | "popitem"
            | "remove"
            | "reverse"
            | "setdefault"
            | "sort"
            | "update"
    )
}

/// Calls a method.
fn call(value: &Value, name: &str, args: Args) -> EvalResult {
    let result = match value.kind() {
        ValueKind::String => text::call(value.as_str().unwrap_or_default(), name, args),
        ValueKind::Bytes => Ok(Value::from(String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned())),
        ValueKind::Map => map::call(value, name, args),
        ValueKind::Seq | ValueKind::Iterable => list::call(value, name, args),
        ValueKind::Number => number(value, name),
        _ => {
            if let Some(day) = value.downcast_object_ref::<Day>() {
                moment::call_of_day(*day, name, args)
            } else if let Some(found) = value.downcast_object_ref::<Moment>() {
                moment::call(found, name, args)
            } else if let Some(span) = value.downcast_object_ref::<time::Span>() {
                Ok(Value::from(span.0 as f64 / 1e6))
            } else if let Some(state) = value.downcast_object_ref::<Loop>() {
                state.call(name, args)
            } else if let Some(cycler) = value.downcast_object_ref::<Cycler>() {
                cycler.call(name, &args)
            } else if let Some(joiner) = value.downcast_object_ref::<Joiner>() {
                args.finish().map(|()| joiner.next())
            } else {
                Err(EvalError::new(format!("'{}' object has no method '{name}'", show::type_name(value))))
            }
        }
    };
    result.map_err(|mut error| {
        // In errors about arguments, Python names the method.
        if let Cause::Failed { message, .. } = &mut error.cause
            && ["missing ", "got ", "takes "].iter().any(|start| message.starts_with(start))
        {
            *message = format!("{}.{name}() {message}", show::type_name(value));
        }
        error
    })
}

fn number(value: &Value, name: &str) -> EvalResult {
    match (number::Number::of(value), name) {
        (Some(number::Number::Int(i)), "bit_length") => Ok(Value::from(128 - i.unsigned_abs().leading_zeros())),
        (Some(number::Number::Int(_)), _) => Ok(Value::from(true)),
        (Some(number::Number::Float(f)), "is_integer") => Ok(Value::from(f.fract() == 0.0)),
        _ => Err(EvalError::new("no such method")),
    }
}
