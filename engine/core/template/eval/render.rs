//! Renders written values to data.

use std::{cell::RefCell, path::PathBuf, sync::Arc};

use indexmap::IndexMap;
use minijinja::Value;

use crate::{
    limits,
    template::{
        error::TemplateError,
        eval::{
            lazy::{Pending, begin_counting},
            library::Library,
            machine::Machine,
            session::Session,
        },
        origin::Origin,
        output::Output,
        page::{parsed_template::ParsedTemplate, reading::Reading},
        value::{
            error::{EvalError, EvalResult},
            freeze,
        },
    },
    vars::{Lazy, Scope, Template, is_omit},
};

/// Renders a value completely. A single `{{ }}` keeps its type. `omit` is kept as the whole value of an entry; see
/// [`super::drop_omitted`].
pub(crate) fn render(lazy: &Lazy, scope: &Arc<Scope>, library: &'static Library) -> Result<Value, TemplateError> {
    match lazy {
        Lazy::Data(value) => Ok(value.clone()),
        Lazy::Template(template) => guarded(template, scope, None, || render_template(template, scope, true, library)),
        Lazy::Vaulted(vaulted) => scope.magic.decrypt(&vaulted.envelope).map(Value::from).map_err(|message| {
            let help = Some("pass the password with --vault-id or --vault-password-file".into());
            let message = format!("Attempt to use undecryptable variable: {message}");
            TemplateError::Failed { message, at: vaulted.span.clone(), help, via: vec![] }
        }),
        Lazy::List(items) => {
            items.iter().map(|item| render(item, scope, library)).collect::<Result<Vec<_>, _>>().map(Value::from)
        }
        Lazy::Map(entries) => {
            let mut rendered = IndexMap::with_capacity(entries.len());
            for (key, value) in entries.iter() {
                rendered.insert(Lazy::key(key), render(value, scope, library)?);
            }
            Ok(Value::from_object(rendered))
        }
    }
}

/// Renders a value only as far as its own text goes: its parts may be lazy, like those of variables. `name` is the name
/// of the variable.
pub(crate) fn render_lazily(
    lazy: &Lazy,
    scope: &Arc<Scope>,
    name: Option<&str>,
    library: &'static Library,
) -> Result<Value, TemplateError> {
    match lazy {
        Lazy::Template(template) => guarded(template, scope, name, || render_template(template, scope, false, library)),
        Lazy::List(_) | Lazy::Map(_) => Ok(Pending::wrap(lazy, scope, library)),
        Lazy::Data(_) | Lazy::Vaulted(_) => render(lazy, scope, library),
    }
}

fn render_template(
    template: &Arc<Template>,
    scope: &Arc<Scope>,
    deep: bool,
    library: &'static Library,
) -> Result<Value, TemplateError> {
    let origin = Arc::new(Origin::Scalar(template.clone()));
    let page = match ParsedTemplate::of(&template.text, &Reading::SCALAR) {
        Ok(page) => page,
        Err(error) => return Err(error.place(&origin, scope, false)),
    };
    let session = Session::new(scope, library);
    let mut machine = Machine::new(&session, page, origin);
    let result = machine.run().and_then(|output| match output {
        Output::One(value, _) if !deep && !value.is_undefined() && value.as_str().is_none() => Ok(value),
        output => finish(output, &template.text, true),
    });
    match result {
        Ok(value) => Ok(value),
        Err(error) => Err(machine.place(error)),
    }
}

/// The result of a template, with the trailing newlines of its text.
pub(crate) fn finish(output: Output, text: &str, omit: bool) -> EvalResult {
    let value = match output {
        // As in Ansible, a template without output is null, not an empty text.
        Output::Nothing => Value::from(()),
        Output::Text(text) => Value::from(text),
        Output::One(value, _) if omit && is_omit(&value) => return Ok(value),
        Output::One(value, range) => freeze::freeze(value).map_err(|error| error.at(range))?,
    };
    let newlines = |text: &str| text.len() - text.trim_end_matches('\n').len();
    let wanted = newlines(text);
    Ok(match value.as_str() {
        Some(result) if wanted > newlines(result) => {
            Value::from(format!("{result}{}", "\n".repeat(wanted - newlines(result))))
        }
        _ => value,
    })
}

/// A template that is being rendered on this thread: its text, by address, and its scope.
struct Active {
    template: *const Template,
    scope: Arc<Scope>,
    /// The name of the variable, or the text.
    label: Arc<str>,
}

thread_local! {
    static ACTIVE: RefCell<Vec<Active>> = const { RefCell::new(Vec::new()) };
    /// Depth of nested macros, blocks and files.
    static CALLS: limits::Counter = const { std::cell::Cell::new(0) };
}

/// Runs one more level of calls: a macro, a block, or another file.
///
/// # Errors
/// If there are more levels than [`limits::depth`] allows.
pub(crate) fn deeper<T>(run: impl FnOnce() -> EvalResult<T>) -> EvalResult<T> {
    limits::deeper(&CALLS, run).unwrap_or_else(|| {
        let most = limits::depth();
        Err(EvalError::with_help(
            format!("recursive loop detected in template: maximum recursion depth of {most} exceeded"),
            "something calls or includes itself endlessly; otherwise, raise the setting `recursion_limit` to allow more levels",
        ))
    })
}

/// Renders a template, unless it is already being rendered.
fn guarded(
    template: &Arc<Template>,
    scope: &Arc<Scope>,
    name: Option<&str>,
    run: impl FnOnce() -> Result<Value, TemplateError>,
) -> Result<Value, TemplateError> {
    /// Removes the marker, even after a panic.
    struct Mark;
    impl Drop for Mark {
        fn drop(&mut self) {
            ACTIVE.with(|active| active.borrow_mut().pop());
        }
    }
    let deepest = limits::depth();
    let chain = ACTIVE.with(|active| {
        let mut active = active.borrow_mut();
        if active.is_empty() {
            begin_counting();
        }
        let same = |known: &Active| known.template == Arc::as_ptr(template) && known.scope.is_same(scope);
        let again = active.iter().position(same);
        let again = again.or_else(|| (active.len() >= deepest).then_some(deepest - 3));
        match again {
            Some(first) => {
                let mut labels: Vec<Arc<str>> = active.iter().skip(first).map(|known| known.label.clone()).collect();
                // The first label and its repetition are the same template; one of them may have a name.
                let last = match (name, labels.first_mut()) {
                    (Some(name), Some(first)) if active.len() < deepest => {
                        *first = name.into();
                        name.into()
                    }
                    (Some(name), _) => name.into(),
                    (None, first) => first.map_or_else(|| template.text.clone(), |first| first.clone()),
                };
                labels.push(last);
                Some(labels.join(" -> "))
            }
            None => {
                let label = name.map_or_else(|| template.text.trim().into(), Arc::from);
                active.push(Active { template: Arc::as_ptr(template), scope: scope.clone(), label });
                None
            }
        }
    });
    if let Some(chain) = chain {
        return Err(TemplateError::Recursive { chain, at: template.span.clone(), via: vec![] });
    }
    let _mark = Mark;
    limits::with_stack(run)
}

/// Renders text that a plugin has read, such as the file of `lookup('template')`.
pub(crate) fn render_page(
    page: &'static ParsedTemplate,
    origin: Arc<Origin>,
    directory: Option<PathBuf>,
    scope: &Arc<Scope>,
    library: &'static Library,
) -> Result<Output, TemplateError> {
    let session = Session::new(scope, library);
    let mut machine = Machine::new(&session, page, origin);
    machine.directory = directory;
    deeper(|| machine.run()).map_err(|error| machine.place(error))
}
