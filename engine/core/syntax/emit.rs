//! Values as YAML text, byte for byte like Ansible's `to_yaml` and `to_nice_yaml`.

use std::cmp::Ordering;

use libyaml_safer::{Emitter, Encoding, Event, EventData, MappingStyle, ScalarStyle, SequenceStyle};
use minijinja::{Error, ErrorKind, Value, value::ValueKind};

use super::{
    Kind,
    scalar::{self, ScalarError},
};

/// Formatting options, named after those of PyYAML's `dump`.
#[derive(Clone, Debug)]
pub struct Options {
    /// `None`: collections of scalars on one line, others as blocks.
    pub default_flow_style: Option<bool>,
    /// The style of all scalars: `'`, `"` or `|`; `>` is rejected, because the emitter loses line breaks in it.
    pub default_style: Option<char>,
    pub canonical: bool,
    /// Spaces, 2 to 9; anything else means 2.
    pub indent: Option<i32>,
    /// Columns; 80 by default.
    pub width: Option<i32>,
    pub allow_unicode: bool,
    pub sort_keys: bool,
    pub explicit_start: bool,
    pub explicit_end: bool,
    /// A mapping with only `__ansible_vault`, an encrypted value in JSON, is written as `!vault`, one with only
    /// `__ansible_unsafe` as its text.
    pub vaults: bool,
    /// Multi-line strings are written as literal blocks (`|`) if possible.
    pub literal_lines: bool,
    /// How multi-line strings are changed before; their style stays the same.
    pub reworded: Option<fn(&str) -> String>,
}

impl Options {
    /// The options of the filter `to_yaml`.
    pub fn plain() -> Self {
        Options {
            default_flow_style: None,
            default_style: None,
            canonical: false,
            indent: None,
            width: None,
            allow_unicode: true,
            sort_keys: true,
            explicit_start: false,
            explicit_end: false,
            vaults: false,
            literal_lines: false,
            reworded: None,
        }
    }

    /// The options of the filter `to_nice_yaml`.
    pub fn nice() -> Self {
        Options { default_flow_style: Some(false), indent: Some(4), ..Options::plain() }
    }
}

/// Maximum depth: the emitter and this code are recursive.
const DEEPEST: usize = 128;

/// Writes a value as a YAML document that ends with a line break.
///
/// # Errors
/// If the value nests too deep, or `default_style` is `>`.
pub fn to_yaml(value: &Value, options: &Options) -> Result<String, Error> {
    if options.default_style == Some('>') {
        return Err(Error::new(ErrorKind::InvalidOperation, "default_style='>' is not supported; use '|'"));
    }
    let mut events = Vec::new();
    Representation { options, events: &mut events }.value(value, 0)?;
    let wide = Wide::take_from(&mut events);
    let mut output = Vec::new();
    write(events, options, &mut output)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, format!("cannot be written as YAML: {error}")))?;
    let output =
        String::from_utf8(output).map_err(|_| Error::new(ErrorKind::BadSerialization, "cannot be written as YAML"))?;
    Ok(wide.put_back(output))
}

/// Characters beyond U+FFFF. libyaml always escapes them, but this emitter does not; so they pass through it as a
/// character that it does escape.
struct Wide {
    characters: Vec<char>,
    /// How the emitter writes the substitute.
    escape: &'static str,
}

impl Wide {
    fn take_from(events: &mut [Event]) -> Self {
        let is_wide = |c: char| c > '\u{ffff}';
        let mut wide = Wide { characters: Vec::new(), escape: "" };
        let texts = |events: &mut [Event], look: &mut dyn FnMut(&mut String)| {
            for event in events {
                if let EventData::Scalar { value, .. } = &mut event.data {
                    look(value);
                }
            }
        };
        let (mut any, mut taken) = (false, [false; 2]);
        let stand_ins = [('\u{ffff}', "\\uFFFF"), ('\u{fffe}', "\\uFFFE")];
        texts(events, &mut |text| {
            any |= text.contains(is_wide);
            for ((c, escape), taken) in stand_ins.iter().zip(&mut taken) {
                *taken |= text.contains(*c) || text.contains(escape);
            }
        });
        let free = stand_ins.iter().zip(taken).find(|(_, taken)| !taken);
        if let (true, Some(((stand_in, escape), _))) = (any, free) {
            wide.escape = escape;
            texts(events, &mut |text| {
                wide.characters.extend(text.chars().filter(|c| is_wide(*c)));
                *text = text.chars().map(|c| if is_wide(c) { *stand_in } else { c }).collect();
            });
        }
        wide
    }

    fn put_back(self, output: String) -> String {
        if self.characters.is_empty() {
            return output;
        }
        let mut pieces = output.split(self.escape);
        let mut whole = pieces.next().unwrap_or_default().to_owned();
        for (piece, c) in pieces.zip(self.characters) {
            whole.push_str(&format!("\\U{:08X}", u32::from(c)));
            whole.push_str(piece);
        }
        whole
    }
}

fn write(events: Vec<Event>, options: &Options, output: &mut Vec<u8>) -> Result<(), libyaml_safer::Error> {
    let mut emitter = Emitter::new();
    emitter.set_output(output);
    emitter.set_canonical(options.canonical);
    emitter.set_unicode(options.allow_unicode);
    if let Some(indent) = options.indent {
        emitter.set_indent(indent);
    }
    if let Some(width) = options.width {
        emitter.set_width(width);
    }
    emitter.emit(Event::stream_start(Encoding::Utf8))?;
    emitter.emit(Event::document_start(None, &[], !options.explicit_start))?;
    for event in events {
        emitter.emit(event)?;
    }
    emitter.emit(Event::document_end(!options.explicit_end))?;
    emitter.emit(Event::stream_end())?;
    emitter.flush()
}

struct Representation<'o> {
    options: &'o Options,
    events: &'o mut Vec<Event>,
}

impl Representation<'_> {
    /// Adds the events of a value; returns whether it is a scalar in plain style.
    fn value(&mut self, value: &Value, depth: usize) -> Result<bool, Error> {
        if depth > DEEPEST {
            return Err(Error::new(ErrorKind::BadSerialization, "nested too deep for YAML"));
        }
        match value.kind() {
            ValueKind::None => self.scalar("null", "null"),
            ValueKind::Bool => self.scalar("bool", if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => match i128::try_from(value.clone()) {
                Ok(whole) if value.is_integer() => self.scalar("int", &whole.to_string()),
                _ => {
                    let float = f64::try_from(value.clone()).unwrap_or(f64::NAN);
                    self.scalar("float", &yaml_float(float));
                }
            },
            ValueKind::Seq | ValueKind::Iterable => {
                let start = self.events.len();
                let mut all_plain = true;
                for item in value.try_iter()? {
                    all_plain &= self.value(&item, depth + 1)?;
                }
                let style = match self.flow(all_plain) {
                    true => SequenceStyle::Flow,
                    false => SequenceStyle::Block,
                };
                self.events.insert(start, Event::sequence_start(None, Some(&tag("seq")), true, style));
                self.events.push(Event::sequence_end());
                return Ok(false);
            }
            ValueKind::Map if self.options.vaults && only(value, "__ansible_unsafe").is_some() => {
                let text = only(value, "__ansible_unsafe").unwrap_or_default();
                self.scalar("str", &text);
            }
            ValueKind::Map if self.options.vaults && only(value, "__ansible_vault").is_some() => {
                let text = only(value, "__ansible_vault").unwrap_or_default();
                self.events.push(Event::scalar(None, Some("!vault"), &text, false, false, ScalarStyle::Literal));
                return Ok(false);
            }
            ValueKind::Map => {
                let start = self.events.len();
                let mut all_plain = true;
                for key in self.keys(value)? {
                    all_plain &= self.value(&key, depth + 1)?;
                    all_plain &= self.value(&value.get_item(&key)?, depth + 1)?;
                }
                let style = match self.flow(all_plain) {
                    true => MappingStyle::Flow,
                    false => MappingStyle::Block,
                };
                self.events.insert(start, Event::mapping_start(None, Some(&tag("map")), true, style));
                self.events.push(Event::mapping_end());
                return Ok(false);
            }
            ValueKind::Undefined => return Err(Error::new(ErrorKind::UndefinedError, "undefined value in YAML")),
            ValueKind::Invalid => return Err(Error::new(ErrorKind::BadSerialization, value.to_string())),
            _ => match value.as_str() {
                Some(text) => self.scalar("str", text),
                None => self.scalar("str", &value.to_string()),
            },
        }
        Ok(self.options.default_style.is_none())
    }

    fn flow(&self, all_plain: bool) -> bool {
        self.options.default_flow_style.unwrap_or(all_plain)
    }

    /// The keys in output order; as in Python, keys of different types cannot be sorted.
    fn keys(&self, map: &Value) -> Result<Vec<Value>, Error> {
        let mut keys: Vec<Value> = map.try_iter()?.collect();
        if self.options.sort_keys {
            if keys.iter().all(|key| key.kind() == ValueKind::String) {
                keys.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            } else if keys.iter().all(|key| matches!(key.kind(), ValueKind::Number | ValueKind::Bool)) {
                keys.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
            }
        }
        Ok(keys)
    }

    /// The emitter adds the tag if the text would be read as another type.
    fn scalar(&mut self, short: &str, text: &str) {
        let style = match self.options.default_style {
            Some('\'') => ScalarStyle::SingleQuoted,
            Some('"') => ScalarStyle::DoubleQuoted,
            Some('|') => ScalarStyle::Literal,
            _ if self.options.literal_lines && text.contains('\n') => ScalarStyle::Literal,
            _ => ScalarStyle::Plain,
        };
        let reworded = self.options.reworded.filter(|_| text.contains('\n')).map(|reword| reword(text));
        let text = reworded.as_deref().unwrap_or(text);
        let read_as = match scalar::resolve(text) {
            Ok(None) => "str",
            Ok(Some(Kind::Null)) => "null",
            Ok(Some(Kind::Bool(_))) => "bool",
            Ok(Some(Kind::Int(_) | Kind::Digits(_))) | Err(ScalarError::BigInt) => "int",
            Ok(Some(Kind::Float(_))) => "float",
            Ok(Some(_)) | Err(ScalarError::NoSuchDate) => "timestamp",
            Err(_) => "",
        };
        self.events.push(Event::scalar(None, Some(&tag(short)), text, short == read_as, short == "str", style));
    }
}

/// The text of a mapping that has only this key.
fn only(map: &Value, key: &str) -> Option<String> {
    let text = map.get_attr(key).ok().filter(|_| map.len() == Some(1))?;
    text.as_str().map(str::to_owned)
}

fn tag(short: &str) -> String {
    format!("tag:yaml.org,2002:{short}")
}

/// A float in PyYAML's format: Python's shortest form, with a point so that it is read back as a float.
fn yaml_float(float: f64) -> String {
    if float.is_nan() {
        return ".nan".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if float != 0.0 && !(-4..16).contains(&exponent) {
        let point = if digits.contains('.') { "" } else { ".0" };
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}{point}e{sign}{:02}", exponent.abs());
    }
    let plain = float.to_string();
    if plain.contains('.') { plain } else { format!("{plain}.0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Case {
        filter: String,
        options: serde_json::Map<String, serde_json::Value>,
        value: serde_json::Value,
        expected: String,
    }

    fn value(json: serde_json::Value) -> Value {
        use serde_json::Value as Json;
        match json {
            Json::Null => Value::from(()),
            Json::Bool(b) => Value::from(b),
            Json::Number(number) => match number.as_i128() {
                Some(whole) => Value::from(whole),
                None => Value::from(number.as_f64().expect("a float")),
            },
            Json::String(text) => Value::from(text),
            Json::Array(items) => items.into_iter().map(value).collect(),
            Json::Object(entries) => Value::from_pairs(entries.into_iter().map(|(key, item)| (key, value(item)))),
        }
    }

    /// `emit_cases.jsonl` was recorded from ansible-core 2.19 with libyaml.
    #[test]
    fn bytes_are_those_of_ansible() {
        let mut wrong = Vec::new();
        let mut cases = 0;
        for line in include_str!("emit_cases.jsonl").lines() {
            let case: Case = serde_json::from_str(line).expect("a case");
            let mut options = if case.filter == "to_yaml" { Options::plain() } else { Options::nice() };
            for (name, value) in &case.options {
                match name.as_str() {
                    "indent" => options.indent = value.as_i64().map(|n| n as i32),
                    "width" => options.width = value.as_i64().map(|n| n as i32),
                    "sort_keys" => options.sort_keys = value.as_bool().expect("a boolean"),
                    "default_flow_style" => options.default_flow_style = value.as_bool(),
                    "default_style" => options.default_style = value.as_str().and_then(|style| style.chars().next()),
                    "explicit_start" => options.explicit_start = value.as_bool().expect("a boolean"),
                    "explicit_end" => options.explicit_end = value.as_bool().expect("a boolean"),
                    "canonical" => options.canonical = value.as_bool().expect("a boolean"),
                    other => panic!("unknown option {other}"),
                }
            }
            cases += 1;
            let found = to_yaml(&value(case.value), &options).expect("is written");
            if found != case.expected {
                wrong.push(format!("{line}\n    found {found:?}"));
            }
        }
        assert!(cases > 600);
        assert!(wrong.is_empty(), "{} of {cases} differ:\n{}", wrong.len(), wrong.join("\n"));
    }

    #[test]
    fn floats_are_read_back_as_floats() {
        for (float, text) in [
            (f64::INFINITY, ".inf"),
            (-f64::INFINITY, "-.inf"),
            (f64::NAN, ".nan"),
            (1e16, "1.0e+16"),
            (1e-7, "1.0e-07"),
        ] {
            assert_eq!(yaml_float(float), text);
        }
    }

    #[test]
    fn mixed_keys_keep_their_order() {
        let map = Value::from_pairs([(Value::from("b"), 1), (Value::from(1), 2), (Value::from("a"), 3)]);
        assert_eq!(to_yaml(&map, &Options::plain()).expect("is written"), "{b: 1, 1: 2, a: 3}\n");
    }
}
