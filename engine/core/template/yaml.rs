//! YAML inside templates: parsed like PyYAML, formatted like its C dumper.

use std::{borrow::Cow, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use libyaml_safer::{
    BOOL_TAG, Emitter, Encoding, Event, FLOAT_TAG, INT_TAG, MAP_TAG, MappingStyle, NULL_TAG, SEQ_TAG, STR_TAG,
    ScalarStyle, SequenceStyle,
};
use minijinja::{Value, value::ValueKind};

use crate::{
    limits,
    source::{Source, Span},
    syntax::{Kind, Node, YamlError, pyyaml_place, yaml},
    template::value::{
        big, containers,
        error::{EvalError, EvalResult},
        items,
        number::{self, Number},
        show,
        sort::sort_pairs,
        time::{Day, Moment},
    },
    vars::{Lazy, Magic},
};

/// The format of YAML output; the fields are the arguments of PyYAML's `dump`.
pub(crate) struct Style {
    pub indent: usize,
    /// `None`: collections of plain scalars on one line, others as blocks.
    pub flow: Option<bool>,
    pub sort: bool,
    pub unicode: bool,
    pub begin: bool,
    pub end: bool,
    pub width: i64,
    pub quotes: Option<char>,
    /// Every value with its tag, on a line of its own.
    pub canonical: bool,
}

/// The documents of a text.
pub(crate) fn read(text: &str) -> EvalResult<Vec<Value>> {
    let mut documents = vec![String::new()];
    for line in text.split_inclusive('\n') {
        let marker = line.trim_end();
        let begins = marker == "---" || marker.starts_with("--- ");
        let empty = documents
            .last()
            .is_none_or(|document| document.lines().all(|line| line.trim().is_empty() || line.starts_with(['#', '%'])));
        if marker == "..." || (begins && !empty) {
            documents.push(String::new());
        }
        if marker != "..."
            && let Some(document) = documents.last_mut()
        {
            document.push_str(line);
        }
    }
    if documents.len() > 1 && documents.last().is_some_and(|last| last.trim().is_empty()) {
        documents.pop();
    }
    documents.into_iter().map(|text| document(&text)).collect()
}

/// An error in PyYAML's words, where it has its own.
fn in_pyyaml(error: &YamlError) -> Option<String> {
    let placed = |problem: String, at: &Span| {
        let (line, column) = at.line_column();
        format!("{problem}\n{}", pyyaml_place(line, column))
    };
    Some(match error {
        YamlError::Parsing { told, .. } => told.clone(),
        YamlError::UnknownAlias { at, .. } => placed("found undefined alias".to_owned(), at),
        YamlError::TagMismatch { at, tag } if tag == "!!int" => {
            format!("invalid literal for int() with base 10: '{}'", at.text())
        }
        YamlError::TagMismatch { at, tag } if tag == "!!float" => {
            format!("could not convert string to float: '{}'", at.text())
        }
        YamlError::UnknownTag { at, tag } => {
            placed(format!("could not determine a constructor for the tag '{tag}'"), at)
        }
        YamlError::SecondDocument { at } => {
            let text = at.source.text.as_str();
            let (line, column) = at.source.line_column(root_of(text));
            let first = format!("expected a single document in the stream\n{}", pyyaml_place(line, column));
            placed(format!("{first}\nbut found another document"), at)
        }
        _ => return None,
    })
}

/// Where the first value of a text begins: after comments, directives and the mark of the document.
fn root_of(text: &str) -> usize {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let rest = line.strip_prefix("---").unwrap_or(line);
        let value = rest.trim_start();
        if !value.is_empty() && !value.starts_with('#') && !line.starts_with('%') {
            return at + line.len() - value.len();
        }
        at += line.len();
    }
    at
}

/// The only document of a text.
///
/// # Errors
/// If it is not YAML, or more than one document.
pub(crate) fn document(text: &str) -> EvalResult<Value> {
    let source = Source::inline("<template>", text);
    match yaml::load(&source) {
        Ok(loaded) => Ok(value(&loaded.node)),
        Err(problems) => {
            let own = || problems.0.first().map_or_else(String::new, ToString::to_string);
            Err(EvalError::new(problems.first_as::<YamlError>().and_then(in_pyyaml).unwrap_or_else(own)))
        }
    }
}

fn value(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::from(()),
        Kind::Bool(b) => Value::from(*b),
        Kind::Int(i) => number::int(*i),
        Kind::Float(f) => Value::from(*f),
        Kind::Digits(_) | Kind::Time(_) | Kind::Bytes(_) => Lazy::from_node(node).data().unwrap_or_default(),
        Kind::Str(text) => Value::from(text.value.clone()),
        Kind::Seq(items) => Value::from(items.iter().map(value).collect::<Vec<_>>()),
        Kind::Map(entries) => containers::map(entries.iter().map(|(key, item)| (value(key), value(item)))),
    }
}

/// The value as a document. What was encrypted, `magic` knows, and it is written in its envelope.
pub(crate) fn write(root: &Value, style: &Style, magic: &dyn Magic) -> EvalResult<String> {
    let mut out = Vec::new();
    let mut emitter = Emitter::new();
    emitter.set_output_string(&mut out);
    emitter.set_unicode(style.unicode);
    emitter.set_canonical(style.canonical);
    emitter.set_indent(i32::try_from(style.indent).unwrap_or(2));
    emitter.set_width(i32::try_from(style.width).unwrap_or(-1));
    let mut writer = Writer { emitter, style, magic };
    writer.emit(Event::stream_start(Encoding::Utf8))?;
    writer.emit(Event::document_start(None, &[], !style.begin))?;
    writer.write_value(root)?;
    writer.emit(Event::document_end(!style.end))?;
    writer.emit(Event::stream_end())?;
    drop(writer);
    let text = String::from_utf8(out).map_err(|_| EvalError::new("the YAML is not UTF-8"))?;
    Ok(match text.contains(is_astral) {
        true => text.chars().map(escaped).collect(),
        false => text,
    })
}

/// Whether libyaml, unlike libyaml-safer, escapes the character: it prints none beyond the Basic Multilingual Plane.
fn is_astral(c: char) -> bool {
    c > '\u{ffff}'
}

fn escaped(c: char) -> Cow<'static, str> {
    match is_astral(c) {
        true => format!("\\U{:08X}", u32::from(c)).into(),
        false => c.to_string().into(),
    }
}

struct Writer<'w> {
    emitter: Emitter<'w>,
    style: &'w Style,
    magic: &'w dyn Magic,
}

impl Writer<'_> {
    fn emit(&mut self, event: Event) -> EvalResult<()> {
        self.emitter.emit(event).map_err(|error| EvalError::new(format!("cannot write YAML: {error}")))
    }

    fn scalar(&mut self, tag: &str, text: &str, plain: bool) -> EvalResult<()> {
        let quotes = self.style.quotes.filter(|_| !text.contains(is_astral));
        let style = match quotes {
            Some('\'') => ScalarStyle::SingleQuoted,
            Some('"') => ScalarStyle::DoubleQuoted,
            Some('|') => ScalarStyle::Literal,
            Some('>') => ScalarStyle::Folded,
            _ if text.contains(is_astral) => ScalarStyle::DoubleQuoted,
            _ => ScalarStyle::Any,
        };
        let is_text = tag == STR_TAG;
        self.emit(Event::scalar(None, Some(tag), text, plain, is_text, style))
    }

    /// Whether a collection is written on one line.
    fn flow(&self, mut parts: impl Iterator<Item = Value>) -> bool {
        // Literal blocks are not plain.
        let plain = |value: &Value| match value.kind() {
            ValueKind::Bytes => false,
            ValueKind::String => self.envelope(value).is_none(),
            _ => !containers::is_list(value) && !containers::is_map(value),
        };
        self.style.flow.unwrap_or_else(|| self.style.quotes.is_none() && parts.all(|part| plain(&part)))
    }

    fn envelope(&self, value: &Value) -> Option<Arc<str>> {
        self.magic.envelope_of(value.as_str()?)
    }

    fn write_value(&mut self, value: &Value) -> EvalResult<()> {
        match value.kind() {
            ValueKind::None => self.scalar(NULL_TAG, "null", true),
            ValueKind::Bool => self.scalar(BOOL_TAG, if value.is_true() { "true" } else { "false" }, true),
            ValueKind::Number => match Number::of(value) {
                Some(Number::Float(f)) => self.scalar(FLOAT_TAG, &float(f), true),
                _ => self.scalar(INT_TAG, &show::repr(value), true),
            },
            _ if big::is_big(value) => self.scalar(INT_TAG, &value.to_string(), true),
            ValueKind::Seq | ValueKind::Iterable => {
                let items = items::items(value)?;
                let style = match self.flow(items.iter().cloned()) {
                    true => SequenceStyle::Flow,
                    false => SequenceStyle::Block,
                };
                self.emit(Event::sequence_start(None, Some(SEQ_TAG), true, style))?;
                limits::with_stack(|| items.iter().try_for_each(|item| self.write_value(item)))?;
                self.emit(Event::sequence_end())
            }
            ValueKind::Map => {
                let mut pairs = containers::pairs(value);
                if self.style.sort {
                    // PyYAML keeps the order if keys cannot be compared.
                    let unsorted = pairs.clone();
                    if sort_pairs(&mut pairs).is_err() {
                        pairs = unsorted;
                    }
                }
                let style = match self.flow(pairs.iter().flat_map(|(key, value)| [key.clone(), value.clone()])) {
                    true => MappingStyle::Flow,
                    false => MappingStyle::Block,
                };
                self.emit(Event::mapping_start(None, Some(MAP_TAG), true, style))?;
                limits::with_stack(|| {
                    pairs.iter().try_for_each(|(key, item)| self.write_value(key).and_then(|()| self.write_value(item)))
                })?;
                self.emit(Event::mapping_end())
            }
            ValueKind::Bytes => {
                let mut text = STANDARD.encode(value.as_bytes().unwrap_or_default());
                text.push('\n');
                let tag = Some("tag:yaml.org,2002:binary");
                self.emit(Event::scalar(None, tag, &text, false, false, ScalarStyle::Literal))
            }
            // PyYAML quotes times.
            _ if value.downcast_object_ref::<Moment>().is_some() => {
                let text = show::text(value)?;
                self.emit(Event::scalar(None, None, &text, true, false, ScalarStyle::SingleQuoted))
            }
            _ if value.downcast_object_ref::<Day>().is_some() => {
                self.emit(Event::scalar(None, None, &show::text(value)?, true, false, ScalarStyle::Any))
            }
            _ => {
                if let Some(envelope) = self.envelope(value) {
                    return self.emit(Event::scalar(
                        None,
                        Some("!vault"),
                        &envelope,
                        false,
                        false,
                        ScalarStyle::Literal,
                    ));
                }
                let text = show::text(value)?;
                let plain = reads_as_text(&text);
                self.scalar(STR_TAG, &text, plain)
            }
        }
    }
}

/// Whether the plain text is read back as text and not as a number or a date.
fn reads_as_text(text: &str) -> bool {
    if matches!(text, "" | "=" | "<<") {
        return false;
    }
    if text.contains(['\n', ':', '#', '{', '[', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`']) {
        // Of the plain scalars with a colon, only times matter; the emitter handles all other cases.
        let time = text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
        if !time {
            return true;
        }
    }
    let source = Source::inline("<template>", text);
    match yaml::load(&source) {
        Ok(loaded) => matches!(loaded.node.kind, Kind::Str(_) | Kind::Seq(_) | Kind::Map(_)),
        Err(_) => true,
    }
}

fn float(f: f64) -> String {
    if f.is_nan() {
        return ".nan".into();
    }
    if f.is_infinite() {
        return if f > 0.0 { ".inf".into() } else { "-.inf".into() };
    }
    let text = number::float_repr(f);
    // YAML 1.1 requires a point in the mantissa.
    match text.split_once('e') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0e{exponent}"),
        _ => text,
    }
}

/// A value as YAML in blocks, for reports: multi-line strings become literal blocks, changed by `reworded`. Lines are
/// folded at `width`.
///
/// # Errors
/// If the value is nested too deeply.
pub(crate) fn block_yaml(
    value: &Value,
    indent: Option<i32>,
    width: Option<i32>,
    reworded: Option<fn(&str) -> String>,
) -> Result<String, minijinja::Error> {
    let options = crate::syntax::emit::Options {
        literal_lines: true,
        reworded,
        default_flow_style: Some(false),
        indent,
        width,
        ..crate::syntax::emit::Options::plain()
    };
    crate::syntax::emit::to_yaml(value, &options)
}
