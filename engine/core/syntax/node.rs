//! YAML values with their places.

use std::sync::Arc;

use crate::source::Span;

/// A YAML value with its place.
#[derive(Clone, Debug)]
pub struct Node {
    pub span: Span,
    pub kind: Kind,
}

/// The type of a node by the rules of YAML 1.1, as PyYAML applies them.
#[derive(Clone, Debug)]
pub enum Kind {
    Null,
    Bool(bool),
    Int(i128),
    /// An integer that 128 bits do not hold: its decimal digits.
    Digits(Arc<str>),
    Float(f64),
    /// A date or time, in ISO 8601 as Python writes it (`2001-12-14 21:59:43.100000-05:00`).
    Time(Arc<str>),
    Str(Text),
    /// `!!binary`.
    Bytes(Arc<[u8]>),
    Seq(Vec<Node>),
    /// In the order written, with merge keys resolved and unique keys.
    Map(Vec<(Node, Node)>),
}

/// A text scalar.
#[derive(Clone, Debug)]
pub struct Text {
    pub value: Arc<str>,
    pub style: Style,
    /// `!vault`: the value is the encrypted envelope.
    pub vault: bool,
    /// `!unsafe`: never a template.
    pub no_template: bool,
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Single,
    Double,
    Literal,
    Folded,
}

impl Node {
    /// The same node, marked as containing no templates (`!unsafe`).
    pub fn without_templates(self) -> Node {
        let kind = match self.kind {
            Kind::Str(text) => Kind::Str(Text { no_template: true, ..text }),
            Kind::Seq(items) => Kind::Seq(items.into_iter().map(Node::without_templates).collect()),
            Kind::Map(entries) => Kind::Map(entries.into_iter().map(|(k, v)| (k, v.without_templates())).collect()),
            other => other,
        };
        Node { kind, ..self }
    }

    /// The text, if the node is text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Str(text) => Some(&text.value),
            _ => None,
        }
    }

    /// The entries, if the node is a mapping.
    pub fn as_map(&self) -> Option<&[(Node, Node)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items, if the node is a sequence.
    pub fn as_seq(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The value of a key, if the node is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.iter().find(|(k, _)| k.as_str() == Some(key)).map(|(_, value)| value)
    }

    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }
}
