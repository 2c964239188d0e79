//! Values as Python would show, compare and add them.

use std::cmp::Ordering;

use indexmap::IndexMap;
use minijinja::{
    Value,
    value::{Tuple, ValueKind},
};

use super::fault::{Answer, Fault, absent, present};
use crate::{limits, vars::is_omit};

/// A number of either kind; booleans count as 0 and 1.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    pub fn of(value: &Value) -> Option<Self> {
        match value.kind() {
            ValueKind::Bool => Some(Number::Int(value.is_true() as i128)),
            ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok().map(Number::Int),
            ValueKind::Number => f64::try_from(value.clone()).ok().map(Number::Float),
            _ => None,
        }
    }

    pub fn float(self) -> f64 {
        match self {
            Number::Int(i) => i as f64,
            Number::Float(f) => f,
        }
    }
}

/// An integer as a value.
pub(crate) fn int(i: i128) -> Value {
    match i64::try_from(i) {
        Ok(small) => Value::from(small),
        Err(_) => Value::from(i),
    }
}

/// The name of the type, as Python has it.
pub(crate) fn type_name(value: &Value) -> String {
    if absent(value).is_some() {
        return "UndefinedMarker".into();
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
        ValueKind::Seq | ValueKind::Iterable => "list",
        ValueKind::Map => "dict",
        _ if value.downcast_object_ref::<super::dates::Moment>().is_some() => "datetime",
        _ if value.downcast_object_ref::<super::dates::Span>().is_some() => "timedelta",
        _ if is_omit(value) => "Omit",
        _ => "builtin_function_or_method",
    }
    .into()
}

/// Whether the value is a list, a tuple or something else that is run through in order.
pub(crate) fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

pub(crate) fn is_map(value: &Value) -> bool {
    value.kind() == ValueKind::Map
}

/// `repr()`.
pub(crate) fn repr(value: &Value) -> String {
    let mut out = Writer::default();
    out.repr(value);
    out.text
}

/// `str()`. A value that is undefined anywhere inside is an error.
pub(crate) fn text(value: &Value) -> Answer<String> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    let mut out = Writer { strict: true, ..Writer::default() };
    out.text(value);
    match out.stopped {
        None => Ok(out.text),
        Some(Stop::Lacking(value)) => Err(present(value).err().unwrap_or_else(|| Fault::new("undefined"))),
        Some(Stop::TooDeep) => Err(too_deep()),
        Some(Stop::TooLarge) => Err(too_large_value()),
    }
}

/// `str()`, whatever is inside.
pub(crate) fn plain_text(value: &Value) -> String {
    let mut out = Writer::default();
    out.text(value);
    out.text
}

/// Writes values as Python shows them.
#[derive(Default)]
struct Writer {
    text: String,
    /// Whether an undefined value ends it; else it is passed over.
    strict: bool,
    depth: usize,
    /// Nothing more is written. A value that holds itself would go on for ever.
    stopped: Option<Stop>,
}

/// What ends the writing.
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
            None => self.repr(value),
        }
    }

    fn repr(&mut self, value: &Value) {
        if absent(value).is_some() || value.is_undefined() {
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
            ValueKind::Seq | ValueKind::Iterable if value.downcast_object_ref::<super::objects::Range>().is_none() => {
                self.within('[', ']', |out| {
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
            _ if is_omit(value) => {}
            _ => self.text.push_str(&value.to_string()),
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

/// A value is nested deeper than anything should be; it may hold itself.
pub(crate) fn too_deep() -> Box<Fault> {
    let most = limits::depth();
    Fault::with_help(
        format!("recursive loop detected in template: a value is nested more than {most} levels deep"),
        "does it hold itself? The setting `recursion_limit` allows more levels",
    )
}

/// A value is larger than memory should be spent on.
pub(crate) fn too_large_value() -> Box<Fault> {
    Fault::new(format!("the value is too large: more than {} MiB", limits::LARGEST >> 20))
}

/// A text in the quotes Python would choose.
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

/// A float with the fewest digits that read back the same, in Python's notation.
pub(crate) fn float_repr(f: f64) -> String {
    if f.is_nan() {
        return "nan".into();
    }
    if f.is_infinite() {
        return if f > 0.0 { "inf".into() } else { "-inf".into() };
    }
    if f == 0.0 {
        return if f.is_sign_negative() { "-0.0".into() } else { "0.0".into() };
    }
    let scientific = format!("{f:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{f}");
        if plain.contains('.') { plain } else { plain + ".0" }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    }
}

/// The entries of a mapping.
pub(crate) fn pairs(value: &Value) -> Vec<(Value, Value)> {
    if let Some(map) = value.downcast_object_ref::<IndexMap<Value, Value>>() {
        return map.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    }
    value.as_object().and_then(|object| object.try_iter_pairs()).map(|pairs| pairs.collect()).unwrap_or_default()
}

/// A mapping of these entries.
pub(crate) fn map(entries: impl IntoIterator<Item = (Value, Value)>) -> Value {
    Value::from_object(entries.into_iter().collect::<IndexMap<Value, Value>>())
}

/// `bool()`.
pub(crate) fn truth(value: &Value) -> bool {
    match value.kind() {
        ValueKind::None | ValueKind::Undefined => false,
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable => {
            value.len().map_or_else(|| value.try_iter().is_ok_and(|mut items| items.next().is_some()), |len| len > 0)
        }
        _ => value.is_true(),
    }
}

/// The items one gets by running through a value: of a list, the keys of a mapping, the characters of a text.
pub(crate) fn items(value: &Value) -> Answer<Vec<Value>> {
    if let Some(list) = value.downcast_object_ref::<Vec<Value>>() {
        return Ok(list.clone());
    }
    match value.kind() {
        ValueKind::String => {
            Ok(value.as_str().unwrap_or_default().chars().map(|c| Value::from(c.to_string())).collect())
        }
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => match value.try_iter() {
            Ok(items) => Ok(items.collect()),
            Err(error) => Err(Fault::new(error.to_string())),
        },
        _ => {
            present(value.clone())?;
            Err(Fault::new(format!("'{}' object is not iterable", type_name(value))))
        }
    }
}

/// Whether two values are equal.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    if !is_container(a) || !is_container(b) {
        return a == b;
    }
    let levels = depth(a).min(depth(b));
    if levels > limits::depth() {
        // What holds itself equals nothing but itself.
        return super::objects::same(a, b);
    }
    limits::with_stack_for(levels, || a == b)
}

fn unsupported(op: &str, a: &Value, b: &Value) -> Box<Fault> {
    Fault::new(format!("unsupported operand type(s) for {op}: '{}' and '{}'", type_name(a), type_name(b)))
}

fn too_large() -> Box<Fault> {
    Fault::new("the number is too large: integers have 128 bits here")
}

/// `<`, `>` and their like. Only values of one kind have an order.
pub(crate) fn order(op: &str, a: &Value, b: &Value) -> Answer<Option<Ordering>> {
    if let (Some(x), Some(y)) = (Number::of(a), Number::of(b)) {
        return Ok(match (x, y) {
            (Number::Int(x), Number::Int(y)) => Some(x.cmp(&y)),
            _ => x.float().partial_cmp(&y.float()),
        });
    }
    if let (Some(x), Some(y)) = (a.as_str(), b.as_str()) {
        return Ok(Some(x.cmp(y)));
    }
    if is_list(a) && is_list(b) {
        let (x, y) = (items(a)?, items(b)?);
        for (a, b) in x.iter().zip(&y) {
            if !equal(a, b) {
                return limits::with_stack(|| order(op, a, b));
            }
        }
        return Ok(Some(x.len().cmp(&y.len())));
    }
    if let Some(ordering) = super::dates::order(a, b) {
        return Ok(Some(ordering));
    }
    Err(Fault::new(format!("'{op}' not supported between instances of '{}' and '{}'", type_name(a), type_name(b))))
}

pub(crate) fn add(a: &Value, b: &Value) -> Answer {
    match (Number::of(a), Number::of(b)) {
        (Some(Number::Int(x)), Some(Number::Int(y))) => return x.checked_add(y).map(int).ok_or_else(too_large),
        (Some(x), Some(y)) => return Ok(Value::from(x.float() + y.float())),
        _ => {}
    }
    if let (Some(x), Some(y)) = (a.as_str(), b.as_str()) {
        fits(x.len() + y.len())?;
        return Ok(Value::from([x, y].concat()));
    }
    if is_list(a) && is_list(b) {
        let mut all = items(a)?;
        all.extend(items(b)?);
        items_fit(all.len())?;
        return Ok(match a.is_tuple() && b.is_tuple() {
            true => Value::from(Tuple::from(all)),
            false => Value::from(all),
        });
    }
    if let Some(sum) = super::dates::add(a, b) {
        return Ok(sum);
    }
    match a.as_str() {
        Some(_) => Err(Fault::with_help(
            format!("can only concatenate str (not \"{}\") to str", type_name(b)),
            "write `~` instead of `+`, or make a text of it: `x | string`",
        )),
        None => Err(unsupported("+", a, b)),
    }
}

pub(crate) fn sub(a: &Value, b: &Value) -> Answer {
    match (Number::of(a), Number::of(b)) {
        (Some(Number::Int(x)), Some(Number::Int(y))) => x.checked_sub(y).map(int).ok_or_else(too_large),
        (Some(x), Some(y)) => Ok(Value::from(x.float() - y.float())),
        _ => super::dates::sub(a, b).ok_or_else(|| unsupported("-", a, b)),
    }
}

/// The most items of a list that one operation makes.
pub(crate) const MOST_ITEMS: usize = limits::LARGEST / size_of::<Value>();

/// A number of bytes or characters that are to be made: none if it is negative.
///
/// # Errors
/// There are more than one operation may make.
pub(crate) fn room(count: i128) -> Answer<usize> {
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    fits(count).map(|()| count)
}

/// Refuses to make so many bytes.
pub(crate) fn fits(bytes: usize) -> Answer<()> {
    if bytes > limits::LARGEST { Err(too_large_value()) } else { Ok(()) }
}

/// Refuses to make a list of so many items.
pub(crate) fn items_fit(items: usize) -> Answer<()> {
    if items > MOST_ITEMS { Err(too_large_value()) } else { Ok(()) }
}

/// Refuses a value that is nested too deeply: a loop that wraps a value into a list again and again would end in one
/// that nobody can compare, write or drop.
///
/// To look through all of a value whenever it is put into another one would cost too much. The first containers are
/// followed each time; all of it is looked through now and then, which is often enough to stop a loop in time.
pub(crate) fn nests<'v>(parts: impl IntoIterator<Item = &'v Value>) -> Answer<()> {
    let parts: Vec<&Value> = parts.into_iter().filter(|part| is_container(part)).collect();
    let Some(mut value) = parts.first().map(|first| Value::clone(first)) else { return Ok(()) };
    if is_looked_through() && parts.iter().any(|part| depth(part) >= limits::depth()) {
        return Err(too_deep());
    }
    for _ in 1..limits::depth() {
        match super::objects::first_container(&value) {
            Some(next) => value = next,
            None => return Ok(()),
        }
    }
    Err(too_deep())
}

fn is_container(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Map)
}

/// Whether this time all of a value is looked through: for one in 32, at places without a pattern.
fn is_looked_through() -> bool {
    thread_local! {
        static STATE: std::cell::Cell<u32> = const { std::cell::Cell::new(1) };
    }
    // The constants are those of Numerical Recipes; the upper bits are the good ones.
    let state = STATE.with(|state| state.replace(state.get().wrapping_mul(1_664_525).wrapping_add(1_013_904_223)));
    state >> 27 == 0
}

/// How deep containers are nested, at most [`limits::depth`] or a little more.
fn depth(value: &Value) -> usize {
    /// Of a larger value only a part is looked at.
    const MOST: usize = 100_000;
    let (mut deepest, mut seen) = (0, 0);
    let mut open = vec![(value.clone(), 1)];
    while let Some((value, level)) = open.pop() {
        deepest = deepest.max(level);
        seen += 1;
        if deepest > limits::depth() || seen > MOST {
            break;
        }
        open.extend(super::objects::containers(&value).into_iter().map(|part| (part, level + 1)));
    }
    deepest
}

/// Refuses a replacement that would make too large a text.
pub(crate) fn fits_replaced(text: &str, old: &str, new: &str) -> Answer<()> {
    let longer = new.len().saturating_sub(old.len());
    // What cannot become too large is not counted.
    match longer.saturating_mul(text.len() + 1) <= limits::LARGEST {
        true => Ok(()),
        false => fits(longer.saturating_mul(text.matches(old).count())),
    }
}

pub(crate) fn mul(a: &Value, b: &Value) -> Answer {
    match (Number::of(a), Number::of(b)) {
        (Some(Number::Int(x)), Some(Number::Int(y))) => return x.checked_mul(y).map(int).ok_or_else(too_large),
        (Some(x), Some(y)) => return Ok(Value::from(x.float() * y.float())),
        (None, Some(Number::Int(times))) => repeat(a, times),
        (Some(Number::Int(times)), None) => repeat(b, times),
        _ => None,
    }
    .ok_or_else(|| unsupported("*", a, b))?
}

fn repeat(value: &Value, times: i128) -> Option<Answer> {
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    let fits = |len: usize, most: usize| len.checked_mul(times).is_some_and(|len| len <= most);
    if let Some(text) = value.as_str() {
        return Some(if fits(text.len(), limits::LARGEST) {
            Ok(Value::from(text.repeat(times)))
        } else {
            Err(too_large_value())
        });
    }
    if !is_list(value) {
        return None;
    }
    Some(items(value).and_then(|items| match fits(items.len(), MOST_ITEMS) {
        true => Ok(Value::from(std::iter::repeat_n(items, times).flatten().collect::<Vec<_>>())),
        false => Err(too_large_value()),
    }))
}

fn numbers(op: &str, a: &Value, b: &Value) -> Answer<(Number, Number)> {
    Number::of(a).zip(Number::of(b)).ok_or_else(|| unsupported(op, a, b))
}

pub(crate) fn div(a: &Value, b: &Value) -> Answer {
    let (x, y) = numbers("/", a, b)?;
    if y.float() == 0.0 {
        return Err(Fault::new("division by zero"));
    }
    Ok(Value::from(x.float() / y.float()))
}

pub(crate) fn floor_div(a: &Value, b: &Value) -> Answer {
    match numbers("//", a, b)? {
        (_, Number::Int(0)) => Err(Fault::new("integer division or modulo by zero")),
        (Number::Int(x), Number::Int(y)) => {
            let quotient = x.checked_div(y).ok_or_else(too_large)?;
            Ok(int(if x % y != 0 && (x < 0) != (y < 0) { quotient - 1 } else { quotient }))
        }
        (_, y) if y.float() == 0.0 => Err(Fault::new("float floor division by zero")),
        (x, y) => Ok(Value::from((x.float() / y.float()).floor())),
    }
}

pub(crate) fn rem(a: &Value, b: &Value) -> Answer {
    if let Some(format) = a.as_str() {
        let args = if b.is_tuple() { items(b)? } else { vec![b.clone()] };
        return super::printf::format(format, &args).map(Value::from);
    }
    match numbers("%", a, b)? {
        (_, Number::Int(0)) => Err(Fault::new("integer modulo by zero")),
        (Number::Int(x), Number::Int(y)) => {
            let rest = x.checked_rem(y).unwrap_or(0);
            Ok(int(if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest }))
        }
        (_, y) if y.float() == 0.0 => Err(Fault::new("float modulo by zero")),
        (x, y) => {
            let rest = x.float() % y.float();
            Ok(Value::from(if rest != 0.0 && (rest < 0.0) != (y.float() < 0.0) { rest + y.float() } else { rest }))
        }
    }
}

pub(crate) fn pow(a: &Value, b: &Value) -> Answer {
    match numbers("** or pow()", a, b)? {
        (Number::Int(x), Number::Int(y)) if y >= 0 => {
            u32::try_from(y).ok().and_then(|y| x.checked_pow(y)).map(int).ok_or_else(too_large)
        }
        (x, y) => Ok(Value::from(x.float().powf(y.float()))),
    }
}

pub(crate) fn neg(value: &Value) -> Answer {
    match Number::of(value) {
        Some(Number::Int(i)) => i.checked_neg().map(int).ok_or_else(too_large),
        Some(Number::Float(f)) => Ok(Value::from(-f)),
        None => Err(Fault::new(format!("bad operand type for unary -: '{}'", type_name(value)))),
    }
}

/// `item in container`.
pub(crate) fn contains(container: &Value, item: &Value) -> Answer<bool> {
    match container.kind() {
        ValueKind::String => match item.as_str() {
            Some(part) => Ok(container.as_str().unwrap_or_default().contains(part)),
            None => Err(Fault::new(format!("'in <string>' requires string as left operand, not {}", type_name(item)))),
        },
        ValueKind::Map => Ok(super::objects::has_key(container, item)),
        ValueKind::Seq | ValueKind::Iterable => Ok(items(container)?.iter().any(|known| equal(known, item))),
        _ => Err(Fault::new(format!("argument of type '{}' is not iterable", type_name(container)))),
    }
}

/// `value[start:stop:step]`.
pub(crate) fn slice(value: &Value, start: Option<i128>, stop: Option<i128>, step: Option<i128>) -> Answer {
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(Fault::new("slice step cannot be zero"));
    }
    if value.kind() == ValueKind::Map || !(value.as_str().is_some() || is_list(value)) {
        return Err(Fault::new(format!("'{}' object cannot be sliced", type_name(value))));
    }
    let all = items(value)?;
    let len = all.len() as i128;
    let clamp = |at: i128, low: i128, high: i128| (if at < 0 { at + len } else { at }).clamp(low, high);
    let mut picked = Vec::new();
    if step > 0 {
        let mut at = start.map_or(0, |at| clamp(at, 0, len));
        let stop = stop.map_or(len, |at| clamp(at, 0, len));
        while at < stop {
            picked.extend(all.get(at as usize).cloned());
            at = at.saturating_add(step);
        }
    } else {
        let mut at = start.map_or(len - 1, |at| clamp(at, -1, len - 1));
        let stop = stop.map_or(-1, |at| clamp(at, -1, len - 1));
        while at > stop {
            picked.extend(all.get(at as usize).cloned());
            at = at.saturating_add(step);
        }
    }
    Ok(match value.as_str() {
        Some(_) => Value::from(picked.iter().filter_map(|c| c.as_str()).collect::<String>()),
        None if value.is_tuple() => Value::from(Tuple::from(picked)),
        None => Value::from(picked),
    })
}
