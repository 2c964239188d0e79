//! Values in Python's format: `str()`, `repr()` and type names.

use minijinja::{Value, value::ValueKind};

use crate::{
    limits,
    template::value::{
        big,
        containers::{self, pairs},
        error::{EvalError, EvalResult},
        number::{Number, float_repr},
        size::{too_deep, too_large_value},
        time,
        undefined::{as_undefined, present},
    },
    vars::is_omit,
};

/// Python's name of the type.
pub(crate) fn type_name(value: &Value) -> String {
    if let Some(undefined) = as_undefined(value) {
        return undefined.type_name().into();
    }
    match value.kind() {
        ValueKind::Undefined => "UndefinedMarker",
        ValueKind::None => "NoneType",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float",
        ValueKind::String => "str",
        ValueKind::Bytes => "bytes",
        ValueKind::Seq if value.is_tuple() => "tuple",
        ValueKind::Seq if value.downcast_object_ref::<containers::Group>().is_some() => "GroupTuple",
        ValueKind::Seq | ValueKind::Iterable if value.downcast_object_ref::<containers::Range>().is_some() => "range",
        ValueKind::Seq | ValueKind::Iterable => "list",
        ValueKind::Map => "dict",
        _ if value.downcast_object_ref::<time::Moment>().is_some() => "datetime",
        _ if value.downcast_object_ref::<time::Day>().is_some() => "date",
        _ if value.downcast_object_ref::<time::Span>().is_some() => "timedelta",
        _ if big::is_big(value) => "int",
        _ if is_omit(value) => "_OmitType",
        _ => "builtin_function_or_method",
    }
    .into()
}

/// `repr()`.
pub(crate) fn repr(value: &Value) -> String {
    let mut out = Writer::default();
    out.repr(value);
    out.text
}

/// `str()`. An undefined value anywhere inside is an error.
pub(crate) fn text(value: &Value) -> EvalResult<String> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    let mut out = Writer { strict: true, ..Writer::default() };
    out.text(value);
    match out.stopped {
        None => Ok(out.text),
        Some(Stop::Lacking(value)) => Err(present(value).err().unwrap_or_else(|| EvalError::new("undefined"))),
        Some(Stop::TooDeep) => Err(too_deep()),
        Some(Stop::TooLarge) => Err(too_large_value()),
    }
}

/// `str()`, including undefined values.
pub(crate) fn plain_text(value: &Value) -> String {
    let mut out = Writer::default();
    out.text(value);
    out.text
}

/// Writes values in Python's format.
#[derive(Default)]
struct Writer {
    text: String,
    /// Whether an undefined value is an error; otherwise it is skipped.
    strict: bool,
    depth: usize,
    /// Set when writing stops: a value that contains itself would never end.
    stopped: Option<Stop>,
}

/// Why writing stops.
enum Stop {
    Lacking(Value),
    TooDeep,
    TooLarge,
}

impl Writer {
    fn text(&mut self, value: &Value) {
        match value.as_str() {
            Some(text) => self.text.push_str(text),
            None if value.kind() == ValueKind::Bytes => {
                self.text.push_str(&String::from_utf8_lossy(value.as_bytes().unwrap_or_default()));
            }
            None if time::moment(value).is_some() => self.text.push_str(&value.to_string()),
            None => self.repr(value),
        }
    }

    fn repr(&mut self, value: &Value) {
        if as_undefined(value).is_some() || value.is_undefined() {
            if self.strict {
                self.stopped.get_or_insert(Stop::Lacking(value.clone()));
            }
            return;
        }
        match value.kind() {
            ValueKind::None => self.text.push_str("None"),
            ValueKind::Bool => self.text.push_str(if value.is_true() { "True" } else { "False" }),
            ValueKind::Number => match Number::of(value) {
                Some(Number::Int(i)) => self.text.push_str(&i.to_string()),
                Some(Number::Float(f)) => self.text.push_str(&float_repr(f)),
                None => self.text.push_str(&value.to_string()),
            },
            ValueKind::String => write_quoted(value.as_str().unwrap_or_default(), &mut self.text),
            ValueKind::Map => self.within('{', '}', |out| {
                let entries = pairs(value).into_iter().filter(|(_, item)| !is_omit(item));
                for (at, (key, item)) in entries.enumerate() {
                    if at > 0 {
                        out.text.push_str(", ");
                    }
                    out.repr(&key);
                    out.text.push_str(": ");
                    out.repr(&item);
                    if out.stopped.is_some() {
                        break;
                    }
                }
            }),
            ValueKind::Seq | ValueKind::Iterable if value.downcast_object_ref::<containers::Range>().is_none() => {
                let is_pair = value.downcast_object_ref::<containers::Group>().is_some();
                let (open, close) = if is_pair { ('(', ')') } else { ('[', ']') };
                self.within(open, close, |out| {
                    let items = value.try_iter().into_iter().flatten().filter(|item| !is_omit(item));
                    for (at, item) in items.enumerate() {
                        if at > 0 {
                            out.text.push_str(", ");
                        }
                        out.repr(&item);
                        if out.stopped.is_some() {
                            break;
                        }
                    }
                });
            }
            _ if is_omit(value) => self.text.push_str("<<Omit>>"),
            _ => self.text.push_str(&time::repr(value).unwrap_or_else(|| value.to_string())),
        }
    }

    fn within(&mut self, open: char, close: char, run: impl FnOnce(&mut Self)) {
        if self.stopped.is_none() {
            match (self.depth >= limits::depth(), self.text.len() > limits::LARGEST) {
                (true, _) => self.stopped = Some(Stop::TooDeep),
                (_, true) => self.stopped = Some(Stop::TooLarge),
                _ => {}
            }
        }
        if self.stopped.is_some() {
            return;
        }
        self.text.push(open);
        self.depth += 1;
        limits::with_stack(|| run(self));
        self.depth -= 1;
        self.text.push(close);
    }
}

/// A string in the quotes that Python would choose.
fn write_quoted(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 0x20 || (0x7f..=0xa0).contains(&(c as u32)) || c as u32 == 0xad => {
                out.push_str(&format!("\\x{:02x}", c as u32));
            }
            '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => {
                out.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}
