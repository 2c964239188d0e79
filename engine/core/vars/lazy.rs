//! Unrendered values: constants are data already, templates are rendered when they are read.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::Value;

use super::{BigInteger, mapping, moment};
use crate::{
    source::{Span, Spanned},
    syntax::{Kind, Node, Style},
};

/// Text from a file or the command line with template syntax. Nothing else is ever a template.
#[derive(Clone, Debug)]
pub struct Template {
    pub text: Arc<str>,
    /// The whole scalar, including quotes.
    pub span: Span,
    pub style: Style,
}

/// An encrypted value (`!vault`), decrypted when it is read.
#[derive(Clone, Debug)]
pub struct Vaulted {
    pub envelope: Arc<str>,
    pub span: Span,
}

/// A value that is rendered when it is read. Values without templates are data from the start.
#[derive(Clone, Debug)]
pub enum Lazy {
    Data(Value),
    Template(Arc<Template>),
    Vaulted(Arc<Vaulted>),
    List(Arc<[Lazy]>),
    Map(Arc<IndexMap<Arc<str>, Lazy>>),
}

impl Lazy {
    /// Reads a node; constant subtrees become data.
    pub fn from_node(node: &Node) -> Self {
        match &node.kind {
            Kind::Null => Lazy::Data(Value::from(())),
            Kind::Bool(b) => Lazy::Data(Value::from(*b)),
            Kind::Int(i) => Lazy::Data(Value::from(*i)),
            Kind::Float(f) => Lazy::Data(Value::from(*f)),
            Kind::Digits(digits) => {
                Lazy::Data(BigInteger::parse(digits).unwrap_or_else(|| Value::from(digits.clone())))
            }
            Kind::Time(text) => Lazy::Data(moment::of_yaml(text).unwrap_or_else(|| Value::from(text.clone()))),
            Kind::Bytes(bytes) => Lazy::Data(Value::from_bytes(bytes.to_vec())),
            Kind::Str(text) if text.vault => {
                Lazy::Vaulted(Arc::new(Vaulted { envelope: text.value.clone(), span: node.span.clone() }))
            }
            Kind::Str(text) if !text.no_template && holds_template(&text.value) => Lazy::Template(Arc::new(Template {
                text: text.value.clone(),
                span: node.span.clone(),
                style: text.style,
            })),
            Kind::Str(text) if text.no_template => Lazy::Data(Value::from(text.value.clone())),
            Kind::Str(text) => Lazy::Data(trusted(&text.value)),
            Kind::Seq(items) => {
                let items: Vec<Lazy> = items.iter().map(Lazy::from_node).collect();
                match items.iter().map(Lazy::data).collect::<Option<Vec<Value>>>() {
                    Some(data) => Lazy::Data(Value::from(data)),
                    None => Lazy::List(items.into()),
                }
            }
            Kind::Map(entries) => {
                let entries: IndexMap<Arc<str>, Lazy> =
                    entries.iter().map(|(key, value)| (key_text(key), Lazy::from_node(value))).collect();
                match entries.values().map(Lazy::data).collect::<Option<Vec<Value>>>() {
                    // Constant mappings keep the types of their keys (in `80: http` the key is a number).
                    Some(data) => Lazy::Data(mapping(node.as_map().unwrap_or_default().iter().map(key_of).zip(data))),
                    None => Lazy::Map(Arc::new(entries)),
                }
            }
        }
    }

    /// Text that may be a template, where only text is allowed.
    pub fn from_text(text: &Spanned<Arc<str>>) -> Self {
        if holds_template(&text.value) {
            Lazy::Template(Arc::new(Template {
                text: text.value.clone(),
                span: text.span.clone(),
                style: Style::Plain,
            }))
        } else {
            Lazy::Data(Value::from(text.value.clone()))
        }
    }

    /// Reads a node that contains no templates.
    pub fn constant(node: &Node) -> Self {
        Lazy::from_node(&node.clone().without_templates())
    }

    /// A key of a mapping with templates: a file wrote it.
    pub fn key(text: &str) -> Value {
        trusted(text)
    }

    /// The value, if no part of it has to be rendered.
    pub fn data(&self) -> Option<Value> {
        match self {
            Lazy::Data(value) => Some(value.clone()),
            _ => None,
        }
    }

    /// The value as written: templates as their text. `None` if it is encrypted.
    pub fn written(&self) -> Option<Value> {
        match self {
            Lazy::Data(value) => Some(value.clone()),
            Lazy::Template(template) => Some(trusted(&template.text)),
            Lazy::Vaulted(_) => None,
            Lazy::List(items) => Some(Value::from(items.iter().filter_map(Lazy::written).collect::<Vec<_>>())),
            Lazy::Map(entries) => {
                Some(mapping(entries.iter().filter_map(|(name, item)| Some((name.clone(), item.written()?)))))
            }
        }
    }
}

/// Marks text as written in a playbook, so that it may be an expression. Any change to the text loses the mark.
fn trusted(text: &str) -> Value {
    Value::from_safe_string(text.to_owned())
}

/// Whether a playbook wrote this text: it comes neither from a template nor from a host, and is not marked `!unsafe`.
pub fn is_trusted(value: &Value) -> bool {
    value.is_safe()
}

/// Whether Ansible would treat this text as a template.
pub fn holds_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

fn key_of((key, _): &(Node, Node)) -> Value {
    match &key.kind {
        Kind::Str(text) if !text.no_template && !text.vault => trusted(&text.value),
        Kind::Str(text) => Value::from(text.value.clone()),
        Kind::Digits(_) | Kind::Time(_) => Value::from(key_text(key)),
        _ => Lazy::from_node(key).data().unwrap_or_else(|| Value::from(key_text(key))),
    }
}

fn key_text(key: &Node) -> Arc<str> {
    match &key.kind {
        Kind::Str(text) => text.value.clone(),
        _ => match Lazy::from_node(key) {
            Lazy::Data(value) => value.to_string().into(),
            _ => key.span.text().into(),
        },
    }
}

impl From<Value> for Lazy {
    fn from(value: Value) -> Self {
        Lazy::Data(value)
    }
}
