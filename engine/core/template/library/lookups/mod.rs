//! Lookup plugins: `lookup()`, `query()` and `with_...` read data on the controller.

use minijinja::Value;

use crate::{
    source::nearest,
    template::{
        args::Args,
        eval::{
            library::{Library, LookupRun},
            machine::Machine,
            plugins::{self, Called},
        },
        value::{
            error::{Cause, EvalError, EvalResult},
            items, show,
            undefined::present,
        },
    },
    vars::{Outside, PluginKind},
};

mod collections;
mod files;
mod ini;
mod password;
mod url;
mod values;

/// A lookup: from terms and options to a list.
type Run = fn(&mut Machine<'_>, Vec<Value>, Args) -> EvalResult<Vec<Value>>;

type Table = &'static [(&'static str, Run)];

fn tables() -> impl Iterator<Item = &'static (&'static str, Run)> {
    let all = [collections::LOOKUPS, files::LOOKUPS, ini::LOOKUPS, password::LOOKUPS, url::LOOKUPS, values::LOOKUPS];
    all.into_iter().flatten()
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

/// `key=value` pairs and bare words of a term, as in `lookup('password', 'file length=20')`. Values may be quoted.
fn key_values(term: &str) -> Vec<(Option<String>, String)> {
    let (mut words, mut word, mut quote, mut written) = (Vec::new(), String::new(), None, String::new());
    for c in term.chars() {
        if quote.is_none() && c.is_whitespace() {
            if !written.is_empty() {
                words.push((std::mem::take(&mut word), std::mem::take(&mut written)));
            }
            continue;
        }
        written.push(c);
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            _ => word.push(c),
        }
    }
    if !written.is_empty() {
        words.push((word, written));
    }
    // A word that is not a pair keeps its quotes.
    let pair = |(word, written): (String, String)| match word.split_once('=') {
        Some((key, value)) if !key.is_empty() => (Some(key.to_owned()), value.to_owned()),
        _ => (None, written),
    };
    words.into_iter().map(pair).collect()
}

/// Reports which inputs besides variables a lookup reads.
fn look(machine: &Machine<'_>, name: &str) -> EvalResult<()> {
    match name.rsplit('.').next().unwrap_or(name) {
        "file" | "unvault" | "template" | "fileglob" | "first_found" | "csvfile" | "ini" | "password" => {
            machine.look_outside(Outside::Files)
        }
        "lines" | "pipe" | "url" => machine.look_outside(Outside::Volatile),
        _ => Ok(()),
    }
}

/// Runs a lookup by name and returns its results.
///
/// # Errors
/// If the lookup is unknown or fails.
pub(crate) fn run(machine: &mut Machine<'_>, name: &str, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    let library = machine.session.library;
    let Some(run) = native(machine, name) else {
        let mut named = options.named;
        named.push(("wantlist".to_owned(), Value::from(true)));
        return match plugins::call(machine, PluginKind::Lookup, name, &terms, &named, true)? {
            Called::Value(value) => items::items(&present(value)?),
            Called::Missing(help) => Err(unknown(name, library, help)),
        };
    };
    look(machine, name)?;
    let (given, texts) = (options.named.clone(), terms.clone());
    run(machine, terms, options).map_err(|error| failure(name, error, &given, &texts))
}

/// The error of a lookup, as ansible-core words it.
fn failure(name: &str, mut error: Box<EvalError>, given: &[(String, Value)], terms: &[Value]) -> Box<EvalError> {
    if let Cause::Failed { message, .. } = &mut error.cause {
        let said = of_option(name, message, given, terms).unwrap_or_else(|| message.clone());
        *message = format!("The lookup plugin '{name}' failed: {said}");
    }
    error
}

/// The built-in lookup of a name, unless a plugin of the user's overrides it.
fn native<'m>(machine: &Machine<'m>, name: &str) -> Option<&'m LookupRun> {
    let found = machine.session.library.lookup(name)?;
    (!plugins::replaces(machine, PluginKind::Lookup, name)).then_some(found)
}

fn unknown(name: &str, library: &Library, help: Option<String>) -> Box<EvalError> {
    let near = nearest(name, library.lookup_names()).map(|near| format!("did you mean `{near}`?"));
    let message = format!("The lookup plugin '{name}' was not found.");
    match near.or(help) {
        Some(help) => EvalError::with_help(message, help),
        None => EvalError::new(message),
    }
}

/// ansible-core's message about an option of the wrong type.
fn of_option(lookup: &str, message: &str, given: &[(String, Value)], terms: &[Value]) -> Option<String> {
    let (option, kind) = message.strip_prefix("argument '")?.split_once("' must be ")?;
    let kind = ["integer", "boolean", "number"].iter().position(|name| kind.split([',', ' ']).nth(1) == Some(name))?;
    let lookup = lookup.rsplit('.').next().unwrap_or(lookup);
    // In the documentation of these two, the type has its long name.
    let long = kind == 0 && matches!(lookup, "password" | "sequence");
    let kind = if long { "integer" } else { ["int", "bool", "float"].get(kind)? };
    // Options are given in the call or, as `key=value`, in a term.
    let in_term = || {
        let mut pairs = terms.iter().filter_map(Value::as_str).flat_map(key_values);
        pairs.find(|(key, _)| key.as_deref() == Some(option)).map(|(_, value)| show::repr(&Value::from(value)))
    };
    let of_call = given.iter().find(|(name, _)| name == option).map(|(_, value)| show::repr(value));
    let value = in_term().or(of_call)?;
    Some(invalid_option(lookup, option, kind, &value))
}

/// The message about the value of an option, in the words of ansible-core. `value` is as Python shows it.
fn invalid_option(lookup: &str, option: &str, kind: &str, value: &str) -> String {
    format!(
        "Config '{option}' for '{lookup}' lookup plugin from 'Direct' has an invalid value: Invalid value provided for \
         '{kind}': {value}"
    )
}

/// `lookup(...)`, or `query(...)` if a list is wanted.
pub(crate) fn call(machine: &mut Machine<'_>, mut args: Args, query: bool) -> EvalResult {
    let name = args.required("plugin_name")?;
    let name = show::text(&name)?;
    let library = machine.session.library;
    let Some(lookup) = native(machine, &name) else {
        let terms = args.raw_rest();
        if query {
            args.named.retain(|(name, _)| name != "wantlist");
            args.named.push(("wantlist".to_owned(), Value::from(true)));
        }
        return match plugins::call(machine, PluginKind::Lookup, &name, &terms, &args.named, false)? {
            Called::Value(value) => Ok(value),
            Called::Missing(help) => Err(unknown(&name, library, help)),
        };
    };
    let wantlist = args.keyword("wantlist")?.map_or(query, |wanted| items::truth(&wanted));
    let errors = match args.keyword("errors")? {
        Some(errors) => show::text(&errors)?,
        None => "strict".into(),
    };
    let terms = args.rest()?.into_iter().map(present).collect::<EvalResult<Vec<_>>>()?;
    let options = Args::new(vec![], std::mem::take(&mut args.named)).lenient();
    let (given, texts) = (options.named.clone(), terms.clone());
    look(machine, &name)?;
    let found = match lookup(machine, terms, options) {
        Ok(found) => found,
        Err(error) if matches!(&*errors, "warn" | "ignore") => {
            if errors == "warn" {
                let why = error.place(&machine.origin, &machine.session.scope, machine.page.reading.bare);
                let why = why.to_string();
                // The warning has the template's place, so it quotes only the lookup's own message.
                let why = why
                    .split_once(": ")
                    .filter(|(start, _)| start.starts_with("Error rendering "))
                    .map_or(&*why, |(_, said)| said);
                let message = format!("An error occurred while running the lookup plugin '{name}': {why}");
                machine.session.scope.magic.warn(&message, Some(&machine.origin.span(None)));
            }
            return Ok(if wantlist { Value::from(Vec::<Value>::new()) } else { ().into() });
        }
        Err(error) => return Err(failure(&name, error, &given, &texts)),
    };
    if wantlist {
        return Ok(Value::from(found));
    }
    // A single result is returned itself; several strings are joined, anything else stays a list.
    Ok(match found.as_slice() {
        // No result is an empty list, not an empty text.
        [] => Value::from(Vec::<Value>::new()),
        [one] => one.clone(),
        all if all.iter().all(|item| item.as_str().is_some()) => {
            Value::from(all.iter().filter_map(|item| item.as_str()).collect::<Vec<_>>().join(","))
        }
        _ => Value::from(found),
    })
}
