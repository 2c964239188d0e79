//! Argument specifications as they are written.

use std::sync::Arc;

use indexmap::IndexMap;

use super::{
    argument_type::{ArgumentType, Wanted},
    relations::Relations,
};
use crate::{source::Span, syntax::Node};

/// The specifications of a role by entry point (`main`, and other task files).
#[derive(Clone, Debug, Default)]
pub struct ArgumentSpecs {
    pub entry_points: IndexMap<Arc<str>, ArgumentSpec>,
}

/// The arguments of one entry point.
#[derive(Clone, Debug, Default)]
pub struct ArgumentSpec {
    /// The entry point, `main` or another file of tasks.
    pub name: Arc<str>,
    pub short_description: Option<String>,
    pub options: IndexMap<Arc<str>, ArgumentOption>,
    /// The options as written.
    pub written: Option<Node>,
    /// The name of the role that has it, and its directory.
    pub role: Option<(Arc<str>, String)>,
}

/// One argument.
#[derive(Clone, Debug)]
pub struct ArgumentOption {
    /// Its place.
    pub span: Span,
    pub wanted: Wanted,
    pub required: bool,
    pub no_log: bool,
    pub default: Option<Node>,
    /// The value of `choices`, which should be a list.
    pub choices: Option<Node>,
    pub aliases: Vec<Arc<str>>,
    /// The type of a list's items.
    pub elements: Option<Wanted>,
    /// The keys of a dict, or of each dict in a list.
    pub options: Option<IndexMap<Arc<str>, ArgumentOption>>,
    /// A missing dict counts as an empty one, so that its keys get their defaults.
    pub apply_defaults: bool,
    /// What the keys of the dict demand of each other.
    pub relations: Relations,
}

impl ArgumentOption {
    /// An option without attributes: text, not required.
    pub(in crate::syntax) fn new(span: Span) -> Self {
        ArgumentOption {
            span,
            wanted: Wanted::named("str"),
            required: false,
            no_log: false,
            default: None,
            choices: None,
            aliases: Vec::new(),
            elements: None,
            options: None,
            apply_defaults: false,
            relations: Relations::default(),
        }
    }

    /// Whether its value is a dict or a list of dicts, so that `options` apply to them.
    pub(super) fn has_dicts(&self) -> bool {
        let elements = || self.elements.as_ref().and_then(|wanted| wanted.kind);
        match self.wanted.kind {
            Some(ArgumentType::Dict) => true,
            Some(ArgumentType::List) => elements() == Some(ArgumentType::Dict),
            _ => false,
        }
    }
}
