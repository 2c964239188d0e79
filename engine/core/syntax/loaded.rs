//! The result of parsing a text.

use super::{Node, error::YamlWarning};

/// A parsed text.
#[derive(Debug)]
pub struct Loaded {
    /// An empty document is null.
    pub node: Node,
    pub warnings: Vec<YamlWarning>,
}
