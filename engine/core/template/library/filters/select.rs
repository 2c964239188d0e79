//! `map`, `select` and the like: apply other filters or tests to every item.

use minijinja::Value;

use super::{Eval, Table, list::attribute};

use crate::template::{
    args::Args,
    eval::machine::Machine,
    value::{
        error::{Cause, EvalError, EvalResult},
        items,
        undefined::{is_undefined, present},
    },
};

pub(super) const FILTERS: Table = &[
    ("map", Eval(map)),
    ("select", Eval(select)),
    ("reject", Eval(reject)),
    ("selectattr", Eval(selectattr)),
    ("rejectattr", Eval(rejectattr)),
];

fn map(machine: &mut Machine<'_>, value: Value, mut args: Args) -> EvalResult {
    if args.positional.is_empty()
        && let Some(path) = args.keyword("attribute")?
    {
        let default = match args.named.iter().position(|(name, _)| name == "default") {
            Some(at) => Some(args.named.remove(at).1).filter(|default| !default.is_none()),
            None => None,
        };
        args.finish()?;
        let mut mapped = Vec::new();
        for item in items::items(&value)? {
            let found = attribute(machine, &item, &path)?;
            mapped.push(match &default {
                Some(default) if is_undefined(&found) => default.clone(),
                _ => found,
            });
        }
        return Ok(Value::from(mapped));
    }
    let name = args.optional("filter")?;
    let name = name.as_ref().and_then(|name| name.as_str());
    let name = name.ok_or_else(|| EvalError::new("map requires a filter argument"))?.to_owned();
    let rest = Args::new(args.positional.split_off(1), args.named);
    let items = items::items(&value)?.into_iter();
    // An undefined item makes the whole result undefined.
    items
        .map(|item| machine.filter(&name, item, rest.clone()).and_then(present).map_err(unknown))
        .collect::<EvalResult<Vec<_>>>()
        .map(Value::from)
}

/// The error of an unknown name: not a syntax error of the template, because the name is data.
fn unknown(mut error: Box<EvalError>) -> Box<EvalError> {
    if let Cause::Syntax { message, help } = &mut error.cause
        && message.starts_with("No ")
    {
        error.cause = Cause::Failed { message: std::mem::take(message), help: help.take() };
        // The filter adds the place.
        error.range = None;
    }
    error
}

fn select(machine: &mut Machine<'_>, value: Value, args: Args) -> EvalResult {
    choose(machine, value, args, false, true)
}

fn reject(machine: &mut Machine<'_>, value: Value, args: Args) -> EvalResult {
    choose(machine, value, args, false, false)
}

fn selectattr(machine: &mut Machine<'_>, value: Value, args: Args) -> EvalResult {
    choose(machine, value, args, true, true)
}

fn rejectattr(machine: &mut Machine<'_>, value: Value, args: Args) -> EvalResult {
    choose(machine, value, args, true, false)
}

fn choose(machine: &mut Machine<'_>, value: Value, mut args: Args, by_attribute: bool, wanted: bool) -> EvalResult {
    let path = match by_attribute {
        true => match args.optional("attribute")? {
            None => return Err(EvalError::new("Missing parameter for attribute name")),
            path => path,
        },
        false => None,
    };
    let test = args.optional("test")?;
    let skip = usize::from(path.is_some()) + usize::from(test.is_some());
    let test = match &test {
        Some(test) => Some(test.as_str().ok_or_else(|| EvalError::new("the name of a test must be a string"))?),
        None => None,
    };
    let positional = args.positional.get(skip..).unwrap_or_default().to_vec();
    let rest = Args::new(positional, args.named);
    let mut kept = Vec::new();
    for item in items::items(&value)? {
        let subject = match &path {
            Some(path) => attribute(machine, &item, path)?,
            None => item.clone(),
        };
        let holds = match test {
            Some(test) => machine.test(test, &subject, rest.clone()).map_err(unknown)?,
            None => items::truth(&present(subject)?),
        };
        if holds == wanted {
            kept.push(item);
        }
    }
    Ok(Value::from(kept))
}
