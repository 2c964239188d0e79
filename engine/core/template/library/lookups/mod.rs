//! Lookup plugins: what `lookup()`, `query()` and `with_...` read from the controller.

use minijinja::Value;

use crate::{
    source::nearest,
    template::{
        args::Args,
        eval::{library::Library, machine::Machine},
        value::{
            error::{Cause, EvalError, EvalResult},
            items, show,
            undefined::present,
        },
    },
    vars::Outside,
};

mod collections;
mod files;
mod password;
mod values;

/// A lookup: terms and options to a list.
type Run = fn(&mut Machine<'_>, Vec<Value>, Args) -> EvalResult<Vec<Value>>;

type Table = &'static [(&'static str, Run)];

fn tables() -> impl Iterator<Item = &'static (&'static str, Run)> {
    [collections::LOOKUPS, files::LOOKUPS, password::LOOKUPS, values::LOOKUPS].into_iter().flatten()
}

/// Adds all lookups.
pub(crate) fn add_to(library: &mut Library) {
    for (name, run) in tables() {
        library.add_lookup(*name, *run);
    }
}

/// The names of all lookups, without their collection.
pub fn names() -> impl Iterator<Item = &'static str> {
    tables().map(|(name, _)| *name)
}

/// `key=value` pairs and bare words of a term, as `lookup('password', 'file length=20')` has them. Values may
/// be quoted.
fn key_values(term: &str) -> Vec<(Option<String>, String)> {
    let (mut words, mut word, mut quote, mut any) = (Vec::new(), String::new(), None, false);
    for c in term.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.push(c),
            None if c == '"' || c == '\'' => (quote, any) = (Some(c), true),
            None if c.is_whitespace() => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            None => word.push(c),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    let pair = |word: String| match word.split_once('=') {
        Some((key, value)) if !key.is_empty() => (Some(key.to_owned()), value.to_owned()),
        _ => (None, word),
    };
    words.into_iter().map(pair).collect()
}

/// Says what a lookup looks at beside variables.
fn look(machine: &Machine<'_>, name: &str) -> EvalResult<()> {
    match name.rsplit('.').next().unwrap_or(name) {
        "file" | "unvault" | "template" | "fileglob" | "first_found" | "csvfile" | "ini" | "password" => {
            machine.look_outside(Outside::Files)
        }
        "lines" | "pipe" | "url" => machine.look_outside(Outside::Moment),
        _ => Ok(()),
    }
}

/// Runs a lookup by name and yields what it found.
///
/// # Errors
/// The lookup is unknown or fails.
pub(crate) fn run(machine: &mut Machine<'_>, name: &str, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    let library = machine.session.library;
    let Some(run) = library.lookup(name) else { return Err(unknown(name, library)) };
    look(machine, name)?;
    run(machine, terms, options)
}

fn unknown(name: &str, library: &Library) -> Box<EvalError> {
    let help = nearest(name, library.lookup_names()).map_or_else(
        || "only the lookups of ansible.builtin are supported".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    EvalError::with_help(format!("The lookup plugin '{name}' was not found."), help)
}

/// `lookup(...)`, or `query(...)` when a list is wanted.
pub(crate) fn call(machine: &mut Machine<'_>, mut args: Args, query: bool) -> EvalResult {
    let name = args.required("plugin_name")?;
    let name = show::text(&name)?;
    let wantlist = args.keyword("wantlist")?.map_or(query, |wanted| items::truth(&wanted));
    let errors = match args.keyword("errors")? {
        Some(errors) => show::text(&errors)?,
        None => "strict".into(),
    };
    if !matches!(&*errors, "strict" | "warn" | "ignore") {
        return Err(EvalError::new(format!("errors={errors} is not one of strict, warn, ignore")));
    }
    let terms = args.rest()?.into_iter().map(present).collect::<EvalResult<Vec<_>>>()?;
    let options = Args::new(vec![], std::mem::take(&mut args.named));
    let library = machine.session.library;
    let Some(lookup) = library.lookup(&name) else { return Err(unknown(&name, library)) };
    look(machine, &name)?;
    let found = match lookup(machine, terms, options) {
        Ok(found) => found,
        Err(_) if errors != "strict" => return Ok(if wantlist { Value::from(Vec::<Value>::new()) } else { ().into() }),
        Err(mut fault) => {
            if let Cause::Failed { message, .. } = &mut fault.cause {
                *message = format!("The lookup plugin '{name}' failed: {message}");
            }
            return Err(fault);
        }
    };
    if wantlist {
        return Ok(Value::from(found));
    }
    // One result stands for itself; several texts are joined, anything else stays a list.
    Ok(match found.as_slice() {
        [] => Value::from(""),
        [one] => one.clone(),
        all if all.iter().all(|item| item.as_str().is_some()) => {
            Value::from(all.iter().filter_map(|item| item.as_str()).collect::<Vec<_>>().join(","))
        }
        _ => Value::from(found),
    })
}
