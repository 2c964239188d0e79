//! Methods of lists, as Python has them.

use minijinja::Value;

use crate::template::{
    args::Args,
    value::{
        containers::List,
        depth,
        error::{EvalError, EvalResult},
        items, ops, show, size, sort,
    },
};

/// The names of the methods.
pub(super) const NAMES: [&str; 11] =
    ["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"];

/// Calls a method of a list or tuple.
///
/// # Errors
/// If there is no such method, or it does not take these arguments or this value.
pub(super) fn call(value: &Value, name: &str, mut args: Args) -> EvalResult {
    let none = Value::from(());
    let answer = match name {
        "append" => {
            let item = args.raw("object").ok_or_else(|| EvalError::new("takes exactly one argument (0 given)"))?;
            changing(value)?.items().push(item);
            depth::check_depth([value])?;
            none
        }
        "extend" => {
            let items = items::items(&args.required("iterable")?)?;
            size::items_fit(items.len() + changing(value)?.items().len())?;
            changing(value)?.items().extend(items);
            depth::check_depth([value])?;
            none
        }
        "insert" => {
            let (at, item) = (args.int_or("index", 0)?, args.required("object")?);
            let mut items = changing(value)?.items();
            let len = items.len() as i128;
            let at = (if at < 0 { at + len } else { at }).clamp(0, len) as usize;
            items.insert(at, item);
            drop(items);
            depth::check_depth([value])?;
            none
        }
        "pop" => {
            let at = args.int_or("index", -1)?;
            let mut items = changing(value)?.items();
            let len = items.len() as i128;
            let at = if at < 0 { at + len } else { at };
            if items.is_empty() {
                return Err(EvalError::new("pop from empty list"));
            }
            if !(0..len).contains(&at) {
                return Err(EvalError::new("pop index out of range"));
            }
            items.remove(at as usize)
        }
        "remove" => {
            let item = args.required("value")?;
            let list = changing(value)?;
            // Compared outside of the lock: the item may be the list itself.
            let known = list.items().clone();
            match known.iter().position(|known| ops::equal(known, &item)) {
                Some(at) => list.items().remove(at),
                None => return Err(EvalError::new("list.remove(x): x not in list")),
            };
            none
        }
        "clear" => {
            changing(value)?.items().clear();
            none
        }
        "reverse" => {
            changing(value)?.items().reverse();
            none
        }
        "sort" => {
            let reverse = args.keyword("reverse")?.is_some_and(|reverse| items::truth(&reverse));
            let list = changing(value)?;
            let mut items = list.items().clone();
            sort::sort_values(&mut items, true, reverse)?;
            *list.items() = items;
            none
        }
        "copy" => Value::from(items::items(value)?),
        "count" => {
            let item = args.required("value")?;
            Value::from(items::items(value)?.iter().filter(|known| ops::equal(known, &item)).count())
        }
        "index" => {
            let item = args.required("value")?;
            match items::items(value)?.iter().position(|known| ops::equal(known, &item)) {
                Some(at) => Value::from(at),
                None => return Err(EvalError::new(format!("{} is not in list", show::repr(&item)))),
            }
        }
        _ => return Err(EvalError::new("no such method")),
    };
    args.finish()?;
    Ok(answer)
}

/// A list that can be changed; the machine has made it one.
fn changing(value: &Value) -> EvalResult<&List> {
    value.downcast_object_ref::<List>().ok_or_else(|| {
        let kind = show::type_name(value);
        EvalError::new(format!("'{kind}' object cannot be changed here"))
    })
}
