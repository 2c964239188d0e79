//! The arguments of a task as they are written, before anything is rendered.

use std::sync::Arc;

use indexmap::IndexMap;

use super::Lazy;
use crate::source::{Span, Spanned};

/// The value of a keyword or an argument, and its place.
pub type Field = Spanned<Lazy>;

/// Arguments by name, each with the places of its name and value.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    pub named: IndexMap<Arc<str>, Argument>,
    pub free: Option<Field>,
    /// A template that yields further arguments.
    pub whole: Option<Field>,
}

#[derive(Clone, Debug)]
pub struct Argument {
    pub value: Lazy,
    pub name_span: Span,
    pub span: Span,
}

impl Arguments {
    /// The value of an argument as a field.
    pub fn field(&self, name: &str) -> Option<Field> {
        self.named.get(name).map(|argument| Field { value: argument.value.clone(), span: argument.span.clone() })
    }
}
