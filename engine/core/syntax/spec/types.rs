//! Argument specifications as they are written.

use std::sync::Arc;

use indexmap::IndexMap;

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
    pub kind: ArgumentType,
    pub required: bool,
    pub no_log: bool,
    pub default: Option<Node>,
    pub choices: Vec<Node>,
    pub aliases: Vec<Arc<str>>,
    /// The type of a list's items.
    pub elements: Option<ArgumentType>,
    /// The keys of a dict, or of each dict in a list.
    pub options: IndexMap<Arc<str>, ArgumentOption>,
}

impl ArgumentOption {
    /// An option without attributes: text, not required.
    pub(in crate::syntax) fn new(span: Span) -> Self {
        ArgumentOption {
            span,
            kind: ArgumentType::Str,
            required: false,
            no_log: false,
            default: None,
            choices: Vec::new(),
            aliases: Vec::new(),
            elements: None,
            options: IndexMap::new(),
        }
    }
}

/// The types of arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentType {
    Str,
    Bool,
    Int,
    Float,
    List,
    Dict,
    Path,
    Raw,
    Json,
    Bytes,
    Bits,
}

impl ArgumentType {
    pub const ALL: [ArgumentType; 11] = [
        ArgumentType::Str,
        ArgumentType::Bool,
        ArgumentType::Int,
        ArgumentType::Float,
        ArgumentType::List,
        ArgumentType::Dict,
        ArgumentType::Path,
        ArgumentType::Raw,
        ArgumentType::Json,
        ArgumentType::Bytes,
        ArgumentType::Bits,
    ];

    /// The name in a specification.
    pub fn name(self) -> &'static str {
        match self {
            ArgumentType::Str => "str",
            ArgumentType::Bool => "bool",
            ArgumentType::Int => "int",
            ArgumentType::Float => "float",
            ArgumentType::List => "list",
            ArgumentType::Dict => "dict",
            ArgumentType::Path => "path",
            ArgumentType::Raw => "raw",
            ArgumentType::Json => "json",
            ArgumentType::Bytes => "bytes",
            ArgumentType::Bits => "bits",
        }
    }

    /// The type of that name.
    pub fn named(name: &str) -> Option<Self> {
        let name = if name == "jsonarg" { "json" } else { name };
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
