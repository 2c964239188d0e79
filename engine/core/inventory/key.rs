//! Names in YAML: the keys of its mappings.

use std::sync::Arc;

use crate::syntax::{Kind, Node};

/// A key as text: numbers and the like as written.
pub(super) fn key(node: &Node) -> Arc<str> {
    match &node.kind {
        Kind::Str(text) => text.value.clone(),
        _ => node.span.text().into(),
    }
}
