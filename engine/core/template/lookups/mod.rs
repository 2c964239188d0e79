//! Lookup plugins: what `lookup()`, `query()` and `with_...` read from the controller.

use std::sync::Arc;

use minijinja::Value;

use super::{
    TemplateError,
    args::Args,
    fault::{Answer, Fault, present},
    machine::{Machine, Session},
    native,
    origin::Origin,
    page::{Page, Reading},
    python,
};
use crate::{
    source::nearest,
    vars::{Outside, Scope},
};

mod collections;
mod files;
mod password;
mod values;

/// A lookup: terms and options to a list.
type Run = fn(&mut Machine<'_>, Vec<Value>, Args) -> Answer<Vec<Value>>;

type Table = &'static [(&'static str, Run)];

fn tables() -> impl Iterator<Item = &'static (&'static str, Run)> {
    [collections::LOOKUPS, files::LOOKUPS, password::LOOKUPS, values::LOOKUPS].into_iter().flatten()
}

/// The names of all lookups, without their collection.
pub fn names() -> impl Iterator<Item = &'static str> {
    tables().map(|(name, _)| *name)
}

pub(super) use files::glob;

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

fn find(name: &str) -> Option<Run> {
    let short = name.strip_prefix("ansible.builtin.").or_else(|| name.strip_prefix("ansible.legacy."));
    let name = short.unwrap_or(name);
    tables().find(|(known, _)| *known == name).map(|(_, run)| *run)
}

/// Says what a lookup looks at beside variables.
fn look(machine: &Machine<'_>, name: &str) -> Answer<()> {
    match name.rsplit('.').next().unwrap_or(name) {
        "file" | "unvault" | "template" | "fileglob" | "first_found" | "csvfile" | "ini" | "password" => {
            machine.look_outside(Outside::Files)
        }
        "lines" | "pipe" | "url" => machine.look_outside(Outside::Moment),
        _ => Ok(()),
    }
}

fn unknown(name: &str) -> Box<Fault> {
    let near = nearest(name, tables().map(|(known, _)| *known));
    let help = near.map_or_else(
        || "only the lookups of ansible.builtin are there".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Fault::with_help(format!("The lookup plugin '{name}' was not found."), help)
}

/// Runs a lookup as `with_NAME` does, and yields the items. When the keyword's value is a list, its items are the
/// terms; any other value is the one term. A name may have its collection: `ansible.builtin.dict`.
///
/// # Errors
/// The lookup is unknown or fails; errors have no place of their own.
pub fn lookup(
    name: &str,
    terms: Vec<Value>,
    options: Vec<(String, Value)>,
    scope: &Arc<Scope>,
) -> Result<Vec<Value>, TemplateError> {
    let session = Session::new(scope);
    let place = |fault: Box<Fault>| fault.place(&Origin::Nowhere, scope);
    let page = Page::of("", &Reading::SCALAR).map_err(place)?;
    let mut machine = Machine::new(&session, page, Arc::new(Origin::Nowhere));
    let run = find(name).ok_or_else(|| place(unknown(name)))?;
    let found = look(&machine, name).and_then(|()| run(&mut machine, terms, Args::new(vec![], options)));
    found.and_then(|found| found.into_iter().map(native::freeze).collect()).map_err(place)
}

/// `lookup(...)`, or `query(...)` when a list is wanted.
pub(super) fn call(machine: &mut Machine<'_>, mut args: Args, query: bool) -> Answer {
    let name = args.required("plugin_name")?;
    let name = python::text(&name)?;
    let wantlist = args.keyword("wantlist")?.map_or(query, |wanted| python::truth(&wanted));
    let errors = match args.keyword("errors")? {
        Some(errors) => python::text(&errors)?,
        None => "strict".into(),
    };
    if !matches!(&*errors, "strict" | "warn" | "ignore") {
        return Err(Fault::new(format!("errors={errors} is not one of strict, warn, ignore")));
    }
    let terms = args.rest()?.into_iter().map(present).collect::<Answer<Vec<_>>>()?;
    let options = Args::new(vec![], std::mem::take(&mut args.named));
    let run = find(&name).ok_or_else(|| unknown(&name))?;
    look(machine, &name)?;
    let found = match run(machine, terms, options) {
        Ok(found) => found,
        Err(_) if errors != "strict" => return Ok(if wantlist { Value::from(Vec::<Value>::new()) } else { ().into() }),
        Err(mut fault) => {
            if let super::fault::Cause::Failed { message, .. } = &mut fault.cause {
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
