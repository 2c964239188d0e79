//! From text to nodes: YAML 1.1 as Ansible reads it, with anchors, merge keys, `!vault` and `!unsafe`.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

pub use super::loaded::Loaded;
use super::{
    DuplicateKeys, Kind, Node, Style, Text,
    error::{Meant, YamlError, YamlWarning},
    event::{Event, EventKind, Events, ParseError},
    explain::{self, corrected},
    identity::Identity,
    json::{json_document, json_scalar},
    scalar::{self, ScalarError},
};
use crate::source::{Problems, Source, Span};

/// Maximum depth of collections, so that no text can exhaust the stack.
const DEEPEST: usize = 128;
/// Maximum number of values that aliases may add to a document ("billion laughs").
const MOST_ALIASED: usize = 500_000;
/// Text up to this length is interned; these are mostly keys.
const SHARED_LENGTH: usize = 24;
/// The tag that disables templates in a value.
const UNSAFE: &str = "!unsafe";

/// Reads a text with one document. JSON is also accepted, with JSON's rules for numbers.
///
/// # Errors
/// All errors of the text, at their places.
pub fn load(source: &Arc<Source>) -> Result<Loaded, Problems> {
    let text = source.text.as_str();
    let json = text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    let mut reader = Reader {
        source,
        events: Events::new(text),
        json,
        anchors: HashMap::new(),
        aliased: 0,
        words: HashSet::new(),
        unquoted: Vec::new(),
        problems: Problems::default(),
        warnings: Vec::new(),
    };
    match reader.document() {
        Ok(node) => reader.problems.unless_any(Loaded { node, warnings: reader.warnings }),
        // JSON can represent things that YAML cannot, such as escaped surrogate pairs.
        Err(Stop::Parse(_)) if json => json_document(source),
        Err(Stop::Parse(error)) => {
            let (problem, told) = (error.problem, error.told.clone());
            match explain::explain(source, error) {
                // Already reported, as a mapping in a mapping.
                YamlError::UnquotedTemplate { at, .. } if reader.unquoted.contains(&at.range().start) => {}
                meant => {
                    let said = explain::said(problem, &meant);
                    reader.problems.push(YamlError::Parsing { said, told, meant: Meant(Box::new(meant)) });
                }
            }
            Err(reader.problems)
        }
        Err(Stop::Error(error)) => {
            reader.problems.push(error);
            Err(reader.problems)
        }
    }
}

/// Why parsing stops; minor errors are collected.
enum Stop {
    Parse(ParseError),
    Error(YamlError),
}

impl From<ParseError> for Stop {
    fn from(error: ParseError) -> Self {
        Stop::Parse(error)
    }
}

struct Reader<'t> {
    source: &'t Arc<Source>,
    events: Events<'t>,
    json: bool,
    /// Complete values with their sizes; `None` for those still being read.
    anchors: HashMap<String, Option<(Node, usize)>>,
    aliased: usize,
    words: HashSet<Arc<str>>,
    /// Locations of unquoted templates.
    unquoted: Vec<usize>,
    problems: Problems,
    warnings: Vec<YamlWarning>,
}

/// A value, the number of values in it, and whether it was the key `<<`.
struct Item {
    node: Node,
    size: usize,
    merge: bool,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Node, Stop> {
        let mut document = None;
        loop {
            let event = self.events.read()?;
            match event.kind {
                EventKind::StreamStart | EventKind::DocumentEnd => {}
                EventKind::StreamEnd => {
                    let end = self.source.text.len();
                    return Ok(document.unwrap_or_else(|| self.node(Kind::Null, end..end)));
                }
                EventKind::DocumentStart if document.is_some() => {
                    return Err(Stop::Error(YamlError::SecondDocument { at: self.span(event.range) }));
                }
                EventKind::DocumentStart => {
                    let event = self.events.read()?;
                    document = Some(self.item(event, 0, false)?.node);
                }
                _ => {}
            }
        }
    }

    fn span(&self, range: Range<usize>) -> Span {
        Span::new(self.source, range)
    }

    fn node(&self, kind: Kind, range: Range<usize>) -> Node {
        Node { span: self.span(range), kind }
    }

    fn report(&mut self, error: YamlError) {
        self.problems.push(error);
    }

    fn item(&mut self, event: Event, depth: usize, key: bool) -> Result<Item, Stop> {
        let Event { kind, range } = event;
        if depth > DEEPEST {
            return Err(Stop::Error(YamlError::TooDeep { at: self.span(range), most: DEEPEST }));
        }
        match kind {
            EventKind::Alias(name) => self.alias(&name, range),
            EventKind::Scalar { value, style, tag, anchor } => {
                let merge = key && style == Style::Plain && tag.is_none() && value == "<<";
                let kind = if merge || (key && style == Style::Plain && value == "=") {
                    self.text(value, style)
                } else {
                    self.scalar(value, style, tag.as_deref(), &range)
                };
                let node = self.node(kind, range);
                self.remember(anchor, &node, 1);
                Ok(Item { node, size: 1, merge })
            }
            EventKind::SeqStart { flow, tag, anchor } => {
                let pairs = matches!(short(tag.as_deref()), Some("omap" | "pairs"));
                if !pairs {
                    self.collection_tag(tag.as_deref(), "seq", &range);
                }
                self.begin(anchor.as_ref());
                let mut items = Vec::new();
                let mut size = 1;
                let mut end = range.end;
                loop {
                    let event = self.events.read()?;
                    if let EventKind::SeqEnd = event.kind {
                        end = if flow { event.range.end } else { end };
                        break;
                    }
                    let item = self.item(event, depth + 1, false)?;
                    size += item.size;
                    end = end.max(item.node.span.range().end);
                    items.push(item.node);
                }
                if pairs {
                    items = items.into_iter().map(as_pair).collect();
                }
                let mut node = self.node(Kind::Seq(items), range.start..end);
                if tag.as_deref() == Some(UNSAFE) {
                    node = node.without_templates();
                }
                self.remember(anchor, &node, size);
                Ok(Item { node, size, merge: false })
            }
            EventKind::MapStart { flow, tag, anchor } => {
                let is_set = short(tag.as_deref()) == Some("set");
                if !is_set {
                    self.collection_tag(tag.as_deref(), "map", &range);
                }
                self.begin(anchor.as_ref());
                let mut item = self.mapping(range, flow, depth)?;
                if is_set && let Kind::Map(entries) = item.node.kind {
                    item.node.kind = Kind::Seq(entries.into_iter().map(|(key, _)| key).collect());
                }
                if tag.as_deref() == Some(UNSAFE) {
                    item.node = item.node.without_templates();
                }
                self.remember(anchor, &item.node, item.size);
                Ok(item)
            }
            // An end event without a start; the parser never emits it.
            _ => Ok(Item { node: self.node(Kind::Null, range), size: 1, merge: false }),
        }
    }

    fn mapping(&mut self, start: Range<usize>, flow: bool, depth: usize) -> Result<Item, Stop> {
        let mut own: Vec<(Node, Node)> = Vec::new();
        let mut merged: Vec<(Node, Node)> = Vec::new();
        let mut size = 1;
        let mut end = start.end;
        loop {
            let event = self.events.read()?;
            if let EventKind::MapEnd = event.kind {
                end = if flow { event.range.end } else { end };
                break;
            }
            let key = self.item(event, depth + 1, true)?;
            let event = self.events.read()?;
            let value = self.item(event, depth + 1, false)?;
            size += key.size + value.size;
            end = end.max(value.node.span.range().end).max(key.node.span.range().end);
            if key.merge {
                self.merge(value.node, &mut merged);
            } else if matches!(key.node.kind, Kind::Map(_) | Kind::Seq(_)) {
                self.collection_as_key(&key.node, &start);
            } else {
                own.push((key.node, value.node));
            }
        }
        let own = self.unique(own, true);
        let entries = if merged.is_empty() { own } else { self.unique(merged.into_iter().chain(own).collect(), false) };
        Ok(Item { node: self.node(Kind::Map(entries), start.start..end), size, merge: false })
    }

    /// Merges the entries of `<<: *other` or `<<: [*one, *other]`, the weakest first.
    fn merge(&mut self, value: Node, merged: &mut Vec<(Node, Node)>) {
        match value.kind {
            Kind::Map(entries) => merged.extend(entries),
            Kind::Seq(items) => {
                for item in items.into_iter().rev() {
                    match item.kind {
                        Kind::Map(entries) => merged.extend(entries),
                        _ => self.report(YamlError::MergeOfOther { at: item.span }),
                    }
                }
            }
            _ => self.report(YamlError::MergeOfOther { at: value.span }),
        }
    }

    /// Among entries with equal keys, the last value is kept, at the first one's position, as in Python.
    fn unique(&mut self, entries: Vec<(Node, Node)>, warn: bool) -> Vec<(Node, Node)> {
        let mut places: HashMap<Identity, usize> = HashMap::with_capacity(entries.len());
        let mut kept: Vec<(Node, Node)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let identity = Identity::of(&key);
            match places.get(&identity).and_then(|at| kept.get_mut(*at)) {
                Some(earlier) => {
                    let again = match warn && !self.json {
                        true => DuplicateKeys::now(),
                        false => DuplicateKeys::Ignore,
                    };
                    if again == DuplicateKeys::Error {
                        let key_text = key.span.text().to_owned();
                        self.report(YamlError::DuplicateKey {
                            key: key_text,
                            again: key.span.clone(),
                            first: earlier.0.span.clone(),
                        });
                    }
                    if again == DuplicateKeys::Warn {
                        self.warnings.push(YamlWarning::DuplicateKey {
                            key: key.span.text().to_owned(),
                            again: key.span.clone(),
                            first: earlier.0.span.clone(),
                        });
                    }
                    *earlier = (key, value);
                }
                None => {
                    places.insert(identity, kept.len());
                    kept.push((key, value));
                }
            }
        }
        kept
    }

    /// An unquoted `{{ x }}` is a mapping whose key is a mapping.
    fn collection_as_key(&mut self, key: &Node, outer: &Range<usize>) {
        let text = &self.source.text;
        if text.get(outer.start..).is_some_and(|rest| rest.starts_with("{{")) {
            let at = explain::unquoted_template(text, outer.start);
            let help = corrected(text, at.clone());
            self.unquoted.push(at.start);
            let error = YamlError::UnquotedTemplate { at: self.span(at), help };
            self.report(error);
        } else {
            self.report(YamlError::CollectionAsKey { at: key.span.clone() });
        }
    }

    fn text(&mut self, value: String, style: Style) -> Kind {
        let value = self.word(value);
        Kind::Str(Text { value, style, vault: false, no_template: false })
    }

    fn word(&mut self, value: String) -> Arc<str> {
        if value.len() > SHARED_LENGTH {
            return value.into();
        }
        if let Some(word) = self.words.get(value.as_str()) {
            return word.clone();
        }
        let word: Arc<str> = value.into();
        self.words.insert(word.clone());
        word
    }

    fn scalar(&mut self, value: String, style: Style, tag: Option<&str>, range: &Range<usize>) -> Kind {
        let found = match tag {
            None if style != Style::Plain => Ok(None),
            None if self.json => Ok(json_scalar(&value)),
            None => scalar::resolve(&value),
            Some("!" | "tag:yaml.org,2002:str") => Ok(None),
            Some(tag @ ("!vault" | "!vault-encrypted" | UNSAFE)) => {
                let vault = tag != UNSAFE;
                if vault && !value.trim_start().starts_with("$ANSIBLE_VAULT;") {
                    self.report(YamlError::NoVaultEnvelope { at: self.span(range.clone()) });
                }
                let value = self.word(value);
                return Kind::Str(Text { value, style, vault, no_template: !vault });
            }
            Some(tag) => {
                let short = tag.strip_prefix("tag:yaml.org,2002:");
                match short.and_then(|short| scalar::resolve_tagged(short, &value)) {
                    Some(found) => found.map(Some),
                    None => {
                        self.unknown_tag(tag, range);
                        return Kind::Null;
                    }
                }
            }
        };
        match found {
            Ok(Some(kind)) => kind,
            Ok(None) => self.text(value, style),
            Err(error) => {
                let at = self.span(range.clone());
                self.report(match error {
                    ScalarError::BigInt => YamlError::BigInt { at, value },
                    ScalarError::NoSuchDate => YamlError::NoSuchDate { at, value },
                    ScalarError::Indicator => YamlError::Indicator { at, value },
                    ScalarError::Mismatch => YamlError::TagMismatch { at, tag: shown_tag(tag.unwrap_or_default()) },
                });
                Kind::Null
            }
        }
    }

    fn collection_tag(&mut self, tag: Option<&str>, expected: &str, range: &Range<usize>) {
        match tag {
            None | Some("!" | UNSAFE) => {}
            Some(tag) if tag.strip_prefix("tag:yaml.org,2002:") == Some(expected) => {}
            Some(tag) => self.unknown_tag(tag, range),
        }
    }

    /// The event is located at the value; the tag precedes it.
    fn unknown_tag(&mut self, tag: &str, range: &Range<usize>) {
        let tag = shown_tag(tag);
        let before = self.source.text.get(..range.start).unwrap_or_default();
        let at = before.rfind(tag.as_str()).map_or(range.clone(), |at| at..at + tag.len());
        self.report(YamlError::UnknownTag { at: self.span(at), tag });
    }

    fn begin(&mut self, anchor: Option<&String>) {
        if let Some(name) = anchor {
            self.anchors.insert(name.clone(), None);
        }
    }

    fn remember(&mut self, anchor: Option<String>, node: &Node, size: usize) {
        if let Some(name) = anchor {
            self.anchors.insert(name, Some((node.clone(), size)));
        }
    }

    fn alias(&mut self, name: &str, range: Range<usize>) -> Result<Item, Stop> {
        let at = self.span(range.clone());
        match self.anchors.get(name) {
            Some(Some((node, size))) => {
                self.aliased += size;
                if self.aliased > MOST_ALIASED {
                    return Err(Stop::Error(YamlError::TooManyAliased { at, most: MOST_ALIASED }));
                }
                // An alias used as a key is text like any other.
                Ok(Item { node: Node { span: at, kind: node.kind.clone() }, size: *size, merge: false })
            }
            Some(None) => {
                self.report(YamlError::AliasWithin { at, name: name.to_owned() });
                Ok(Item { node: self.node(Kind::Null, range), size: 1, merge: false })
            }
            None => {
                let known = crate::source::nearest(name, self.anchors.keys().map(String::as_str));
                let help = match known {
                    Some(known) => format!("did you mean `*{known}`?"),
                    None => format!("define an anchor `&{name}` before it"),
                };
                self.report(YamlError::UnknownAlias { at, name: name.to_owned(), help });
                Ok(Item { node: self.node(Kind::Null, range), size: 1, merge: false })
            }
        }
    }
}

/// The name of one of YAML's own tags.
fn short(tag: Option<&str>) -> Option<&str> {
    tag?.strip_prefix("tag:yaml.org,2002:")
}

/// An item of `!!omap` or `!!pairs`, a mapping of one entry, as a list of its key and its value.
fn as_pair(item: Node) -> Node {
    let kind = match item.kind {
        Kind::Map(entries) if entries.len() == 1 => {
            Kind::Seq(entries.into_iter().flat_map(|(key, value)| [key, value]).collect())
        }
        other => other,
    };
    Node { kind, ..item }
}

/// The tag as written.
fn shown_tag(tag: &str) -> String {
    match tag.strip_prefix("tag:yaml.org,2002:") {
        Some(short) => format!("!!{short}"),
        None => tag.to_owned(),
    }
}

#[cfg(test)]
mod tests;
