//! Functions templates can call by name.

use indexmap::IndexMap;
use minijinja::Value;

use super::{
    args::Args,
    dates::Moment,
    fault::{Answer, Fault, What, present},
    lookups,
    machine::Machine,
    objects, python,
};
use crate::vars::Outside;

const NAMES: [&str; 11] =
    ["lookup", "query", "q", "range", "dict", "namespace", "now", "undef", "lipsum", "cycler", "joiner"];

/// Whether there is a function of that name.
pub(crate) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Calls a function by name.
pub(crate) fn call(machine: &mut Machine<'_>, name: &str, mut args: Args) -> Answer {
    match name {
        "lookup" => lookups::call(machine, args, false),
        "query" | "q" => lookups::call(machine, args, true),
        "range" => range(args),
        "dict" => dict(args),
        "namespace" => {
            let mut entries = match args.optional("value")? {
                Some(value) => python::pairs(&value).into_iter().collect(),
                None => IndexMap::new(),
            };
            let named = args.named.drain(..).map(|(name, value)| Ok((Value::from(name), value)));
            entries.extend(named.collect::<Answer<Vec<_>>>()?);
            args.finish()?;
            Ok(objects::Dict::of(entries))
        }
        "now" => {
            machine.look_outside(Outside::Moment)?;
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
            Ok(machine.lack(What::Told(message), 0..machine.page.text.len()))
        }
        "lipsum" => lipsum(args),
        "cycler" | "joiner" => Err(Fault::with_help(
            format!("the function '{name}' is not supported"),
            "write it with a loop: `{{ \", \" if not loop.first }}`, or `loop.cycle('a', 'b')`",
        )),
        _ => Err(Fault::new(format!("there is no function '{name}'"))),
    }
}

fn range(mut args: Args) -> Answer {
    let small = |i: i128| i64::try_from(i).map_err(|_| Fault::new("range() is too large"));
    let first = args.int("start")?.ok_or_else(|| Fault::new("range expected at least 1 argument, got 0"))?;
    let (start, stop) = match args.int("stop")? {
        Some(stop) => (small(first)?, small(stop)?),
        None => (0, small(first)?),
    };
    let step = small(args.int_or("step", 1)?)?;
    args.finish()?;
    if step == 0 {
        return Err(Fault::new("range() arg 3 must not be zero"));
    }
    if (stop as i128 - start as i128).unsigned_abs() / step.unsigned_abs() as u128 > 10_000_000 {
        return Err(Fault::new("range() is too large"));
    }
    Ok(Value::from_object(objects::Range { start, stop, step }))
}

fn dict(mut args: Args) -> Answer {
    let mut entries: IndexMap<Value, Value> = IndexMap::new();
    if let Some(value) = args.optional("value")? {
        if python::is_map(&value) {
            entries.extend(python::pairs(&value));
        } else {
            for pair in python::items(&value)? {
                match python::items(&pair)?.as_slice() {
                    [key, value] => entries.insert(key.clone(), value.clone()),
                    other => {
                        return Err(Fault::new(format!("each item must be a pair, one has {} parts", other.len())));
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

/// Filler text, always the same one.
fn lipsum(mut args: Args) -> Answer {
    const WORDS: &str = "Lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut \
                         labore et dolore magna aliqua.";
    let paragraphs = python::room(args.int_or("n", 5)?.saturating_mul(1 << 8))? >> 8;
    let html = args.flag("html", true)?;
    let (_, _) = (args.int_or("min", 20)?, args.int_or("max", 100)?);
    args.finish()?;
    let paragraph = if html { format!("<p>{WORDS}</p>") } else { WORDS.to_owned() };
    Ok(Value::from(vec![paragraph; paragraphs].join("\n\n")))
}
