//! Functions that templates can call.

use indexmap::IndexMap;
use minijinja::{Value, value::ValueKind};

use crate::{
    template::{
        args::Args,
        eval::{library::Library, machine::Machine},
        library::{
            lookups,
            methods::{Cycler, Joiner},
        },
        value::{
            containers,
            error::{EvalError, EvalResult},
            items, show, size,
            time::Moment,
            undefined::{UndefinedReason, is_undefined, present},
        },
    },
    vars::Outside,
};

const NAMES: [&str; 11] =
    ["lookup", "query", "q", "range", "dict", "namespace", "now", "undef", "lipsum", "cycler", "joiner"];

/// Whether there is a function of that name.
pub(crate) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Adds all functions.
pub(crate) fn add_to(library: &mut Library) {
    for name in NAMES {
        library.add_function(name, move |machine, args| call(machine, name, args));
    }
}

fn call(machine: &mut Machine<'_>, name: &str, mut args: Args) -> EvalResult {
    match name {
        "lookup" => lookups::call(machine, args, false),
        "query" | "q" => lookups::call(machine, args, true),
        "range" => range(args),
        "dict" => dict(args),
        "namespace" => {
            let mut entries = match args.optional("value")? {
                Some(value) => containers::pairs(&value).into_iter().collect(),
                None => IndexMap::new(),
            };
            let named = args.named.drain(..).map(|(name, value)| Ok((Value::from(name), value)));
            entries.extend(named.collect::<EvalResult<Vec<_>>>()?);
            args.finish()?;
            Ok(containers::Dict::of(entries))
        }
        "now" => {
            machine.look_outside(Outside::Volatile)?;
            let utc = args.flag("utc", false)?;
            let format = args.text("fmt")?;
            args.finish()?;
            let now = Moment::now(utc);
            match format {
                Some(format) => now.format(&format).map(Value::from),
                None => Ok(Value::from_object(now)),
            }
        }
        "undef" => {
            let hint = args.text("hint")?;
            args.finish()?;
            let message = hint.unwrap_or_else(|| "Mandatory variable has not been overridden".into());
            Ok(machine.undefined(UndefinedReason::Message(message), 0..machine.page.text.len()))
        }
        "lipsum" => lipsum(args),
        "cycler" => {
            let items = args.rest()?;
            args.finish()?;
            Cycler::of(items).map(Value::from_object)
        }
        "joiner" => {
            let separator = args.optional("sep")?.unwrap_or_else(|| Value::from(", "));
            args.finish()?;
            Ok(Value::from_object(Joiner::of(separator)))
        }
        _ => Err(EvalError::new(format!("unknown function '{name}'"))),
    }
}

/// Whether a value is given but is not an integer.
fn is_not_integer(value: &Value) -> bool {
    !value.is_integer() && value.kind() != ValueKind::Bool && !is_undefined(value)
}

fn range(mut args: Args) -> EvalResult {
    if let Some(value) = args.positional.iter().find(|value| is_not_integer(value)) {
        let kind = show::type_name(value);
        return Err(EvalError::new(format!("'{kind}' object cannot be interpreted as an integer")));
    }
    let small = |i: i128| i64::try_from(i).map_err(|_| EvalError::new("range() is too large"));
    let first = args.int("start")?.ok_or_else(|| EvalError::new("range expected at least 1 argument, got 0"))?;
    let (start, stop) = match args.int("stop")? {
        Some(stop) => (small(first)?, small(stop)?),
        None => (0, small(first)?),
    };
    let step = small(args.int_or("step", 1)?)?;
    args.finish()?;
    if step == 0 {
        return Err(EvalError::new("range() arg 3 must not be zero"));
    }
    if (stop as i128 - start as i128).unsigned_abs() / step.unsigned_abs() as u128 > 10_000_000 {
        return Err(EvalError::new("range() is too large"));
    }
    Ok(Value::from_object(containers::Range { start, stop, step }))
}

fn dict(mut args: Args) -> EvalResult {
    let mut entries: IndexMap<Value, Value> = IndexMap::new();
    if let Some(value) = args.optional("value")? {
        if containers::is_map(&value) {
            entries.extend(containers::pairs(&value));
        } else {
            for pair in items::items(&value)? {
                match items::items(&pair)?.as_slice() {
                    [key, value] => entries.insert(key.clone(), value.clone()),
                    other => {
                        return Err(EvalError::new(format!("each item must be a pair; one has {} parts", other.len())));
                    }
                };
            }
        }
    }
    for (name, value) in args.named.drain(..) {
        entries.insert(Value::from(name), present(value)?);
    }
    args.finish()?;
    Ok(Value::from_object(entries))
}

/// Filler text, always the same.
fn lipsum(mut args: Args) -> EvalResult {
    const WORDS: &str = "Lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut \
                         labore et dolore magna aliqua.";
    let paragraphs = size::room(args.int_or("n", 5)?.saturating_mul(1 << 8))? >> 8;
    let html = args.flag("html", true)?;
    let (_, _) = (args.int_or("min", 20)?, args.int_or("max", 100)?);
    args.finish()?;
    let paragraph = if html { format!("<p>{WORDS}</p>") } else { WORDS.to_owned() };
    Ok(Value::from(vec![paragraph; paragraphs].join("\n\n")))
}
