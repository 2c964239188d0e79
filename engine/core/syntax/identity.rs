//! Which keys of a mapping are the same.

use std::sync::Arc;

use super::{Kind, Node};

/// Determines whether two keys are equal; as in Python, `1`, `1.0` and `true` are one key.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum Identity {
    Null,
    Int(i128),
    Float(u64),
    Digits(Arc<str>),
    Time(Arc<str>),
    Str(Arc<str>),
}

impl Identity {
    pub(super) fn of(key: &Node) -> Self {
        match &key.kind {
            Kind::Bool(b) => Identity::Int((*b).into()),
            Kind::Int(i) => Identity::Int(*i),
            Kind::Float(f) if *f == f.trunc() && f.abs() < 1e30 => Identity::Int(*f as i128),
            Kind::Float(f) => Identity::Float(f.to_bits()),
            Kind::Time(time) => Identity::Time(time.clone()),
            Kind::Digits(digits) => Identity::Digits(digits.clone()),
            Kind::Str(text) => Identity::Str(text.value.clone()),
            Kind::Bytes(bytes) => Identity::Str(format!("{bytes:?}").into()),
            Kind::Null | Kind::Seq(_) | Kind::Map(_) => Identity::Null,
        }
    }
}
