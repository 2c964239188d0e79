//! One place that gives a variable a value.

use super::Lazy;
use crate::source::Span;

/// One place that gives a variable a value.
#[derive(Clone, Debug)]
pub struct Definition {
    /// A description of the place: `group_vars of web`.
    pub origin: String,
    pub value: Lazy,
    /// Where it is written; `None` if not in a file (a plugin, a program, a default).
    pub place: Option<Span>,
}

impl Definition {
    /// Whether the value must not be shown: it is encrypted, or comes from an encrypted file.
    pub fn is_secret(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.source.secret) || holds_vault(&self.value)
    }
}

fn holds_vault(value: &Lazy) -> bool {
    match value {
        Lazy::Vaulted(_) => true,
        Lazy::List(items) => items.iter().any(holds_vault),
        Lazy::Map(entries) => entries.values().any(holds_vault),
        Lazy::Data(_) | Lazy::Template(_) => false,
    }
}
