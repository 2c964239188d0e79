//! Plugins that are not native, as templates call them.

use std::sync::Arc;

use minijinja::Value;

use super::Scope;
use crate::source::Span;

/// What a plugin does in a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PluginKind {
    Filter,
    Test,
    Lookup,
}

impl PluginKind {
    /// The word that messages and folders have for it.
    pub fn word(self) -> &'static str {
        match self {
            PluginKind::Filter => "filter",
            PluginKind::Test => "test",
            PluginKind::Lookup => "lookup",
        }
    }
}

/// A plugin is called by its name.
#[derive(Clone, Copy)]
pub struct PluginCall<'a> {
    pub kind: PluginKind,
    /// As it is written, which may be with a collection.
    pub name: &'a str,
    /// The input of a filter or test comes first. Any of them may be undefined.
    pub positional: &'a [Value],
    pub named: &'a [(String, Value)],
    /// Whether a lookup is called by `with_NAME`.
    pub is_loop: bool,
    /// The variables that it may read.
    pub scope: &'a Arc<Scope>,
    /// Where the template stands.
    pub at: &'a Span,
}

/// Why a plugin gave no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginError {
    /// There is none of that name; what may be done about it.
    Missing { help: Option<String> },
    /// A sentence, in Ansible's words.
    Failed(String),
}

/// What finds and calls plugins that are not native.
pub trait Plugins: Send + Sync {
    /// Whether a name that is native leads to a plugin of the user's, which comes before it. Cheap where there is none.
    fn replaces(&self, kind: PluginKind, name: &str) -> bool;

    /// Calls a plugin. What it gives is data; it may be undefined.
    ///
    /// # Errors
    /// There is none, or it fails.
    fn call(&self, call: &PluginCall<'_>) -> Result<Value, PluginError>;
}
