//! The types of arguments, by the names that specifications use.

use std::sync::Arc;

/// A type as a specification names it. As in Ansible, an unknown one only fails when there is a value to convert.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub name: Arc<str>,
    pub kind: Option<ArgumentType>,
}

impl Wanted {
    pub fn named(name: &str) -> Self {
        Wanted { name: name.into(), kind: ArgumentType::named(name) }
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
    pub const ALL: [(&'static str, ArgumentType); 12] = [
        ("str", ArgumentType::Str),
        ("bool", ArgumentType::Bool),
        ("int", ArgumentType::Int),
        ("float", ArgumentType::Float),
        ("list", ArgumentType::List),
        ("dict", ArgumentType::Dict),
        ("path", ArgumentType::Path),
        ("raw", ArgumentType::Raw),
        ("json", ArgumentType::Json),
        ("jsonarg", ArgumentType::Json),
        ("bytes", ArgumentType::Bytes),
        ("bits", ArgumentType::Bits),
    ];

    /// The type of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(own, _)| *own == name).map(|(_, kind)| kind)
    }
}
