//! Other uses of templates in a run: expressions of any type, and a scope as one value.

use std::sync::Arc;

use minijinja::{
    Value,
    value::{Enumerator, Object, ObjectRepr},
};

use crate::{
    source::{Source, Span},
    syntax::Style,
    template::{
        args::Args,
        error::TemplateError,
        eval::{
            lazy::{Level, entry},
            machine::Machine,
            render,
            session::Session,
        },
        library::{built_in, functions, lookups},
        origin::Origin,
        output::Output,
        page::{parsed_template::ParsedTemplate, reading::Reading},
        render::render,
        value::{
            error::EvalError,
            freeze, show,
            undefined::{Undefined, UndefinedReason},
        },
    },
    vars::{Lazy, Scope, Template, is_omit, mapping},
};

/// The value of a bare expression of any type, as shown by `debug: var=`.
///
/// # Errors
/// If the expression is invalid or fails.
pub fn expression(text: &str, at: Span, scope: &Arc<Scope>) -> Result<Value, TemplateError> {
    let template = Template { text: text.into(), span: at, style: Style::Plain };
    let origin = Arc::new(Origin::Scalar(Arc::new(template)));
    let page = ParsedTemplate::of(text, &Reading::BARE).map_err(|error| error.place(&origin, scope, true))?;
    let session = Session::new(scope, built_in());
    let mut machine = Machine::new(&session, page, origin);
    match machine.run().and_then(|output| render::finish(output, "", false)) {
        Ok(value) => Ok(value),
        Err(error) => Err(machine.place(error)),
    }
}

/// The value of a bare expression, to be shown to a person: a note replaces each part that has no value. Also returns
/// the reasons.
///
/// # Errors
/// If the expression is invalid, or a part of it fails for a reason other than a missing value.
pub fn shown(text: &str, at: Span, scope: &Arc<Scope>) -> Result<(Value, Vec<String>), TemplateError> {
    let template = Template { text: text.into(), span: at, style: Style::Plain };
    let origin = Arc::new(Origin::Scalar(Arc::new(template)));
    let page = ParsedTemplate::of(text, &Reading::BARE).map_err(|error| error.place(&origin, scope, true))?;
    let session = Session::new(scope, built_in());
    let mut machine = Machine::new(&session, page, origin);
    let mut notes = Vec::new();
    let result = machine.run().and_then(|output| match output {
        Output::One(value, _) if is_omit(&value) => Ok(value),
        Output::One(value, range) => freeze::freeze_noting(value, &mut notes).map_err(|error| error.at(range)),
        output => render::finish(output, "", false),
    });
    match result {
        Ok(value) => Ok((value, notes)),
        Err(error) => match machine.place(error) {
            error if error.undefined().is_some() => {
                let value = freeze::note(&mut notes, error.to_string());
                Ok((value, notes))
            }
            error => Err(error),
        },
    }
}

/// A rendered text, to be shown to a person: a note replaces each part that has no value. Also returns the reasons.
pub fn shown_text(template: &Arc<Template>, scope: &Arc<Scope>) -> (String, Vec<String>) {
    let mut notes = Vec::new();
    let origin = Arc::new(Origin::Scalar(template.clone()));
    let whole = |error: TemplateError, notes: &mut Vec<String>| freeze::note(notes, error.to_string());
    let value = match ParsedTemplate::of(&template.text, &Reading::SCALAR) {
        Err(error) => whole(error.place(&origin, scope, false), &mut notes),
        Ok(page) => {
            let session = Session::new(scope, built_in());
            let mut machine = Machine::new(&session, page, origin);
            let result =
                machine.run_noting(&mut notes).and_then(|output| render::finish(output, &template.text, false));
            result.unwrap_or_else(|error| whole(machine.place(error), &mut notes))
        }
    };
    (text(&value), notes)
}

/// The warning about parts without a value, in ansible-core's words.
pub fn noted(notes: &[String]) -> Option<String> {
    let errors = match notes.len() {
        0 => return None,
        1 => "1 template error".to_owned(),
        more => format!("{more} template errors"),
    };
    let lines = notes.iter().enumerate().map(|(at, why)| format!("\nerror {} - {why}", at + 1));
    Some(format!("Encountered {errors}.{}", lines.collect::<String>()))
}

/// The terms of a `with_*` loop: a list's items, or the one value. Their parts are rendered.
///
/// # Errors
/// If a template in it fails.
pub fn render_terms(lookup: &str, lazy: &Lazy, scope: &Arc<Scope>) -> Result<Vec<Value>, TemplateError> {
    // `first_found` skips undefined terms.
    let value = match lookup.rsplit('.').next() {
        Some("first_found") => present(lazy, scope)?.unwrap_or_else(|| Value::from(Vec::<Value>::new())),
        _ => render(lazy, scope)?,
    };
    match value.kind() {
        minijinja::value::ValueKind::Seq => Ok(value.try_iter().into_iter().flatten().collect()),
        _ => Ok(vec![value]),
    }
}

/// The value without its undefined parts; `None` if all of it is undefined.
fn present(lazy: &Lazy, scope: &Arc<Scope>) -> Result<Option<Value>, TemplateError> {
    match lazy {
        Lazy::List(items) => {
            let items = items.iter().filter_map(|item| present(item, scope).transpose());
            items.collect::<Result<Vec<_>, _>>().map(|items| Some(items.into()))
        }
        Lazy::Map(entries) => {
            let entries = entries.iter().filter_map(|(name, value)| {
                present(value, scope).map(|value| value.map(|value| (name.clone(), value))).transpose()
            });
            entries.collect::<Result<Vec<_>, _>>().map(|entries| Some(mapping(entries)))
        }
        Lazy::Template(template) => {
            let origin = Arc::new(Origin::Scalar(template.clone()));
            let page = ParsedTemplate::of(&template.text, &Reading::SCALAR)
                .map_err(|error| error.place(&origin, scope, false))?;
            let session = Session::new(scope, built_in());
            let mut machine = Machine::new(&session, page, origin);
            let result = machine.run().and_then(|output| match output {
                Output::One(value, range) => freeze::freeze_present(value).map_err(|error| error.at(range)),
                output => render::finish(output, &template.text, false).map(Some),
            });
            match result.map_err(|error| machine.place(error)) {
                Err(error) if error.undefined().is_some() => Ok(None),
                result => result,
            }
        }
        Lazy::Data(_) | Lazy::Vaulted(_) => render(lazy, scope).map(Some),
    }
}

/// Runs a lookup like `with_NAME` and returns its items. If the keyword's value is a list, its items are the terms; any
/// other value is the only term. The name may be fully qualified: `ansible.builtin.dict`.
///
/// # Errors
/// If the lookup is unknown or fails; errors have no place of their own.
pub fn lookup(
    name: &str,
    terms: Vec<Value>,
    options: Vec<(String, Value)>,
    scope: &Arc<Scope>,
) -> Result<Vec<Value>, TemplateError> {
    let session = Session::new(scope, built_in());
    let place = |error: Box<EvalError>| error.place(&Origin::Nowhere, scope, false);
    let page = ParsedTemplate::of("", &Reading::SCALAR).map_err(place)?;
    let mut machine = Machine::new(&session, page, Arc::new(Origin::Nowhere));
    let found = lookups::run(&mut machine, name, terms, Args::new(vec![], options));
    found.and_then(|found| found.into_iter().map(freeze::freeze).collect()).map_err(place)
}

/// A value in the format of Python's `str`.
pub fn text(value: &Value) -> String {
    show::plain_text(value)
}

/// A value in the format of Python's `repr`.
pub fn repr(value: &Value) -> String {
    show::repr(value)
}

/// Python's name of a value's type.
pub fn type_name(value: &Value) -> String {
    show::type_name(value).to_string()
}

/// All variables of a scope as one mapping, each rendered when it is read: an entry of `hostvars`.
///
/// `level` is that of `hostvars`; it stops templates that dump all of `hostvars` from recursing forever.
pub fn scope_value(scope: Arc<Scope>, level: Level) -> Value {
    Value::from_object(View { scope, level })
}

/// An unreadable value with the reason: using it is an error that `default()` does not hide.
pub fn failed_value(message: &str) -> Value {
    let at = Span::new(&Source::inline("<inventory>", ""), 0..0);
    let error = TemplateError::Failed { message: message.to_owned(), at, help: None, via: vec![] };
    Value::from_object(Undefined {
        what: UndefinedReason::Broken(error),
        origin: Arc::new(Origin::Nowhere),
        range: 0..0,
    })
}

/// The value at a path: a variable's name, then keys in its value (a host in `hostvars`). It may be undefined, and its
/// parts are rendered when they are read.
pub fn variable(scope: &Arc<Scope>, path: &[&str]) -> Option<Value> {
    let (name, path) = path.split_first()?;
    let value = entry(&scope.get(name)?, scope, Level::now(), built_in());
    path.iter().try_fold(value, |value, key| value.as_object()?.get_value(&Value::from(*key)))
}

/// The names of the variables that a written value reads, in order; none for text that is not a template.
pub fn names_in(value: &Lazy) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    match value {
        Lazy::Template(template) => {
            let environment = minijinja::Environment::empty();
            let Ok(parsed) = environment.template_from_str(&template.text) else { return names };
            names.extend(parsed.undeclared_variables(false));
            names.retain(|name| !functions::exists(name));
            names.sort_by_key(|name| template.text.find(name.as_str()));
        }
        Lazy::List(items) => names.extend(items.iter().flat_map(names_in)),
        Lazy::Map(entries) => names.extend(entries.values().flat_map(names_in)),
        Lazy::Data(_) | Lazy::Vaulted(_) => {}
    }
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

struct View {
    scope: Arc<Scope>,
    level: Level,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("variables")
    }
}

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(entry(&self.scope.get(key.as_str()?)?, &self.scope, self.level, built_in()))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.scope.names().into_iter().map(Value::from).collect())
    }
}
