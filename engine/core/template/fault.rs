//! Errors while a template runs, before they are given their place in a file.

use std::{ops::Range, sync::Arc};

use minijinja::{Value, value::Object};

use super::{TemplateError, origin::Origin, python};
use crate::source::nearest;
use crate::vars::Scope;

/// What evaluating yields.
pub(crate) type Answer<T = Value> = Result<T, Box<Fault>>;

/// An error while a template runs.
#[derive(Debug)]
pub(crate) struct Fault {
    pub cause: Cause,
    /// Bytes of the template's text. The innermost expression that knows its place sets it.
    pub range: Option<Range<usize>>,
}

#[derive(Debug)]
pub(crate) enum Cause {
    Failed {
        message: String,
        help: Option<String>,
    },
    Syntax {
        message: String,
        help: Option<String>,
    },
    Absent(Value),
    Omitted,
    /// An error that has its place already.
    Placed(Box<TemplateError>),
}

impl Fault {
    pub fn new(message: impl Into<String>) -> Box<Self> {
        Box::new(Fault { cause: Cause::Failed { message: message.into(), help: None }, range: None })
    }

    pub fn with_help(message: impl Into<String>, help: impl Into<String>) -> Box<Self> {
        Box::new(Fault { cause: Cause::Failed { message: message.into(), help: Some(help.into()) }, range: None })
    }

    pub fn syntax(message: impl Into<String>, help: Option<String>) -> Box<Self> {
        Box::new(Fault { cause: Cause::Syntax { message: message.into(), help }, range: None })
    }

    pub fn at(mut self: Box<Self>, range: Range<usize>) -> Box<Self> {
        self.range.get_or_insert(range);
        self
    }

    /// The error at its place in the file.
    pub fn place(self, origin: &Origin, scope: &Scope) -> TemplateError {
        let at = || origin.span(self.range.clone());
        match self.cause {
            Cause::Placed(error) => *error,
            Cause::Omitted => TemplateError::Omitted { at: at(), via: vec![] },
            Cause::Failed { message, help } => TemplateError::Failed { message, at: at(), help, via: vec![] },
            Cause::Syntax { message, help } => TemplateError::Syntax { message, at: at(), help, via: vec![] },
            Cause::Absent(value) => match value.downcast_object_ref::<Absent>() {
                Some(absent) => absent.error(scope, at),
                None => TemplateError::Failed { message: "no value".into(), at: at(), help: None, via: vec![] },
            },
        }
    }
}

impl From<TemplateError> for Box<Fault> {
    fn from(error: TemplateError) -> Self {
        Box::new(Fault { cause: Cause::Placed(Box::new(error)), range: None })
    }
}

/// The value of what has none. It may be stored, passed and tested, but not used.
#[derive(Debug)]
pub(crate) struct Absent {
    pub what: What,
    /// Where the name stands.
    pub origin: Arc<Origin>,
    pub range: Range<usize>,
}

#[derive(Debug)]
pub(crate) enum What {
    Variable(Arc<str>),
    Attribute {
        parent: Value,
        key: Value,
    },
    /// `undef(hint=...)` and the like.
    Told(String),
    /// A variable was found, but rendering it failed. Only what failed for want of a value counts as undefined.
    Broken(TemplateError),
}

impl Object for Absent {
    fn repr(self: &Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        false
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message())
    }
}

impl Absent {
    /// Whether `default()` may stand in for it.
    pub fn undefined(&self) -> bool {
        !matches!(&self.what, What::Broken(error) if error.undefined().is_none())
    }

    pub fn message(&self) -> String {
        match &self.what {
            What::Variable(name) => format!("'{name}' is undefined"),
            What::Attribute { parent, key } => {
                format!("object of type '{}' has no attribute {}", python::type_name(parent), python::repr(key))
            }
            What::Told(message) => message.clone(),
            What::Broken(error) => error.to_string(),
        }
    }

    fn error(&self, scope: &Scope, user: impl Fn() -> crate::source::Span) -> TemplateError {
        let at = match &*self.origin {
            Origin::Nowhere => user(),
            origin => origin.span(Some(self.range.clone())),
        };
        let (name, help) = match &self.what {
            What::Broken(error) => return error.clone(),
            What::Variable(name) => {
                let names = scope.names();
                let near = nearest(name, names.iter().map(|known| &**known));
                (name.to_string(), near.map(|near| format!("did you mean `{near}`?")))
            }
            What::Attribute { parent, key } => {
                let keys: Vec<Value> = match parent.kind() {
                    minijinja::value::ValueKind::Map => {
                        parent.try_iter().map(|keys| keys.collect()).unwrap_or_default()
                    }
                    _ => vec![],
                };
                let name = python::plain_text(key);
                let near = nearest(&name, keys.iter().filter_map(|known| known.as_str()));
                let help = near.map(|near| format!("did you mean `{near}`?"));
                (name, help)
            }
            What::Told(_) => (String::new(), None),
        };
        TemplateError::Undefined { name, message: self.message(), at, help, via: vec![] }
    }
}

/// The absence, if the value is one.
pub(crate) fn absent(value: &Value) -> Option<&Absent> {
    value.downcast_object_ref::<Absent>()
}

/// Whether `is defined` says no.
pub(crate) fn is_undefined(value: &Value) -> bool {
    value.is_undefined() || absent(value).is_some()
}

/// The value, unless it is an absence.
pub(crate) fn present(value: Value) -> Answer {
    if absent(&value).is_some() {
        return Err(Box::new(Fault { cause: Cause::Absent(value), range: None }));
    }
    if value.is_undefined() {
        return Err(Fault::new("the value is undefined"));
    }
    Ok(value)
}
