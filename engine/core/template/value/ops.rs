//! Python's operators: comparison, arithmetic, slices.

use std::cmp::Ordering;

use minijinja::{
    Value,
    value::{Tuple, ValueKind},
};

use crate::{
    limits,
    template::value::{
        big,
        containers::{self, is_container, is_list},
        depth::depth,
        error::{EvalError, EvalResult},
        format,
        items::items,
        number::{Number, int},
        show::type_name,
        size::{MOST_ITEMS, fits, items_fit, too_large_value},
        time,
        undefined::present,
    },
};

/// Whether two values are equal.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    if !is_container(a) || !is_container(b) {
        return match (a.kind(), b.kind()) {
            (ValueKind::Plain, ValueKind::Plain) => {
                time::order(a, b).or_else(|| big::order(a, b)).map_or_else(|| a == b, Ordering::is_eq)
            }
            _ => a == b,
        };
    }
    let levels = depth(a).min(depth(b));
    if levels > limits::depth() {
        // A value that contains itself is equal only to itself.
        return containers::same(a, b);
    }
    limits::with_stack_for(levels, || a == b)
}

/// Like [`equal`], for `==`.
///
/// # Errors
/// If an undefined item is reached before the first difference, as in Python.
pub(crate) fn compared(a: &Value, b: &Value) -> EvalResult<bool> {
    let equal = equal(a, b);
    if !equal && is_container(a) && is_container(b) {
        undefined_first(a, b)?;
    }
    Ok(equal)
}

/// Fails on an undefined item before the first difference of two containers; true if they differ.
fn undefined_first(a: &Value, b: &Value) -> EvalResult<bool> {
    if a.len() != b.len() {
        return Ok(true);
    }
    let entry = |map: &Value, key: &Value| map.get_item(key).unwrap_or_default();
    let differ = |x: &Value, y: &Value| match is_container(x) && is_container(y) {
        true => limits::with_stack(|| undefined_first(x, y)),
        false => {
            present(x.clone())?;
            present(y.clone())?;
            Ok(!self::equal(x, y))
        }
    };
    if is_list(a) && is_list(b) {
        for (x, y) in items(a)?.iter().zip(&items(b)?) {
            if differ(x, y)? {
                return Ok(true);
            }
        }
    } else if a.kind() == ValueKind::Map && b.kind() == ValueKind::Map {
        for key in a.try_iter().into_iter().flatten() {
            let (x, y) = (entry(a, &key), entry(b, &key));
            // A key that is not there, unlike an undefined value.
            if y.is_undefined() || differ(&x, &y)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn unsupported(op: &str, a: &Value, b: &Value) -> Box<EvalError> {
    EvalError::new(format!("unsupported operand type(s) for {op}: '{}' and '{}'", type_name(a), type_name(b)))
}

/// The result of an operator on integers of which one, or the result, is beyond 128 bits.
fn beyond(op: &str, a: &Value, b: &Value) -> EvalResult {
    big::operate(op, a, b).unwrap_or_else(|| Err(unsupported(op, a, b)))
}

/// `<`, `>` and the like. Only values of the same kind can be ordered.
pub(crate) fn order(op: &str, a: &Value, b: &Value) -> EvalResult<Option<Ordering>> {
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
    if let Some(ordering) = time::order(a, b).or_else(|| big::order(a, b)) {
        return Ok(Some(ordering));
    }
    Err(EvalError::new(format!("'{op}' not supported between instances of '{}' and '{}'", type_name(a), type_name(b))))
}

pub(crate) fn add(a: &Value, b: &Value) -> EvalResult {
    match (Number::of(a), Number::of(b)) {
        (Some(Number::Int(x)), Some(Number::Int(y))) => {
            return x.checked_add(y).map_or_else(|| beyond("+", a, b), |sum| Ok(int(sum)));
        }
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
    if let Some(sum) = time::add(a, b) {
        return Ok(sum);
    }
    if is_beyond(a, b) {
        return arithmetic("+", a, b, |x, y| x + y);
    }
    match a.as_str() {
        Some(_) => Err(EvalError::with_help(
            format!("can only concatenate str (not \"{}\") to str", type_name(b)),
            "use `~` instead of `+`, or convert it: `x | string`",
        )),
        None if is_list(a) => {
            let kind = if a.is_tuple() { "tuple" } else { "list" };
            Err(EvalError::new(format!("can only concatenate {kind} (not \"{}\") to {kind}", type_name(b))))
        }
        None => Err(unsupported("+", a, b)),
    }
}

pub(crate) fn sub(a: &Value, b: &Value) -> EvalResult {
    match (Number::of(a), Number::of(b)) {
        (Some(Number::Int(x)), Some(Number::Int(y))) => {
            x.checked_sub(y).map_or_else(|| beyond("-", a, b), |rest| Ok(int(rest)))
        }
        (Some(x), Some(y)) => Ok(Value::from(x.float() - y.float())),
        _ if is_beyond(a, b) => arithmetic("-", a, b, |x, y| x - y),
        _ => time::sub(a, b).ok_or_else(|| unsupported("-", a, b)),
    }
}

pub(crate) fn mul(a: &Value, b: &Value) -> EvalResult {
    match (Number::of(a), Number::of(b)) {
        (Some(Number::Int(x)), Some(Number::Int(y))) => {
            return x.checked_mul(y).map_or_else(|| beyond("*", a, b), |product| Ok(int(product)));
        }
        (Some(x), Some(y)) => return Ok(Value::from(x.float() * y.float())),
        _ if is_beyond(a, b) => return arithmetic("*", a, b, |x, y| x * y),
        (None, Some(Number::Int(times))) => repeat(a, times),
        (Some(Number::Int(times)), None) => repeat(b, times),
        _ => None,
    }
    .ok_or_else(|| {
        let sequence = |value: &Value| value.as_str().is_some() || is_list(value);
        // Python names the factor that is not a number.
        match (sequence(a), sequence(b)) {
            (true, _) => multiplied(b),
            (false, true) => multiplied(a),
            (false, false) => unsupported("*", a, b),
        }
    })?
}

/// Whether one of them is an integer beyond 128 bits.
fn is_beyond(a: &Value, b: &Value) -> bool {
    big::is_big(a) || big::is_big(b)
}

/// An operator on such numbers; `on_floats` if one is a float.
fn arithmetic(op: &str, a: &Value, b: &Value, on_floats: impl Fn(f64, f64) -> f64) -> EvalResult {
    if let Some(result) = big::operate(op, a, b) {
        return result;
    }
    match (big::float(a), big::float(b)) {
        (Some(x), Some(y)) if x.is_finite() && y.is_finite() => Ok(Value::from(on_floats(x, y))),
        (Some(_), Some(_)) => Err(EvalError::new("int too large to convert to float")),
        _ => Err(unsupported(op, a, b)),
    }
}

fn multiplied(by: &Value) -> Box<EvalError> {
    EvalError::new(format!("can't multiply sequence by non-int of type '{}'", type_name(by)))
}

fn repeat(value: &Value, times: i128) -> Option<EvalResult> {
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

fn numbers(op: &str, a: &Value, b: &Value) -> EvalResult<(Number, Number)> {
    Number::of(a).zip(Number::of(b)).ok_or_else(|| unsupported(op, a, b))
}

pub(crate) fn div(a: &Value, b: &Value) -> EvalResult {
    if is_beyond(a, b) && big::float(b) != Some(0.0) {
        return match (big::float(a), big::float(b)) {
            (Some(x), Some(y)) if x.is_finite() && y.is_finite() => Ok(Value::from(x / y)),
            (Some(_), Some(_)) => Err(EvalError::new("integer division result too large for a float")),
            _ => Err(unsupported("/", a, b)),
        };
    }
    let (x, y) = numbers("/", a, b)?;
    if y.float() == 0.0 {
        let float = matches!(x, Number::Float(_)) || matches!(y, Number::Float(_));
        return Err(EvalError::new(if float { "float division by zero" } else { "division by zero" }));
    }
    Ok(Value::from(x.float() / y.float()))
}

pub(crate) fn floor_div(a: &Value, b: &Value) -> EvalResult {
    if is_beyond(a, b) {
        return arithmetic("//", a, b, |x, y| (x / y).floor());
    }
    match numbers("//", a, b)? {
        (_, Number::Int(0)) => Err(EvalError::new("integer division or modulo by zero")),
        (Number::Int(x), Number::Int(y)) => {
            let Some(quotient) = x.checked_div(y) else { return beyond("//", a, b) };
            Ok(int(if x % y != 0 && (x < 0) != (y < 0) { quotient - 1 } else { quotient }))
        }
        (_, y) if y.float() == 0.0 => Err(EvalError::new("float floor division by zero")),
        (x, y) => Ok(Value::from((x.float() / y.float()).floor())),
    }
}

pub(crate) fn rem(a: &Value, b: &Value) -> EvalResult {
    if let Some(format) = a.as_str() {
        let args = if b.is_tuple() { items(b)? } else { vec![b.clone()] };
        return format::format(format, &args).map(Value::from);
    }
    if is_beyond(a, b) {
        return arithmetic("%", a, b, f64::rem_euclid);
    }
    match numbers("%", a, b)? {
        (_, Number::Int(0)) => Err(EvalError::new("integer modulo by zero")),
        (Number::Int(x), Number::Int(y)) => {
            let rest = x.checked_rem(y).unwrap_or(0);
            Ok(int(if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest }))
        }
        (_, y) if y.float() == 0.0 => Err(EvalError::new("float modulo by zero")),
        (x, y) => {
            let rest = x.float() % y.float();
            Ok(Value::from(if rest != 0.0 && (rest < 0.0) != (y.float() < 0.0) { rest + y.float() } else { rest }))
        }
    }
}

pub(crate) fn pow(a: &Value, b: &Value) -> EvalResult {
    if is_beyond(a, b) {
        return arithmetic("**", a, b, f64::powf);
    }
    match numbers("** or pow()", a, b)? {
        (Number::Int(x), Number::Int(y)) if y >= 0 => {
            let power = u32::try_from(y).ok().and_then(|y| x.checked_pow(y));
            power.map_or_else(|| beyond("**", a, b), |power| Ok(int(power)))
        }
        (x, y) => Ok(Value::from(x.float().powf(y.float()))),
    }
}

pub(crate) fn neg(value: &Value) -> EvalResult {
    match Number::of(value) {
        Some(Number::Int(i)) => i.checked_neg().map_or_else(|| beyond("-", &Value::from(0), value), |i| Ok(int(i))),
        Some(Number::Float(f)) => Ok(Value::from(-f)),
        None if big::is_big(value) => beyond("-", &Value::from(0), value),
        None => Err(EvalError::new(format!("bad operand type for unary -: '{}'", type_name(value)))),
    }
}

/// `item in container`.
pub(crate) fn contains(container: &Value, item: &Value) -> EvalResult<bool> {
    match container.kind() {
        ValueKind::String => match item.as_str() {
            Some(part) => Ok(container.as_str().unwrap_or_default().contains(part)),
            None => {
                Err(EvalError::new(format!("'in <string>' requires string as left operand, not {}", type_name(item))))
            }
        },
        ValueKind::Map => Ok(container.as_object().is_some_and(|object| object.get_value(item).is_some())),
        ValueKind::Seq | ValueKind::Iterable => Ok(items(container)?.iter().any(|known| equal(known, item))),
        _ => Err(EvalError::new(format!("argument of type '{}' is not iterable", type_name(container)))),
    }
}

/// `value[start:stop:step]`.
pub(crate) fn slice(value: &Value, start: Option<i128>, stop: Option<i128>, step: Option<i128>) -> EvalResult {
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(EvalError::new("slice step cannot be zero"));
    }
    if value.kind() == ValueKind::Map || !(value.as_str().is_some() || is_list(value)) {
        return Err(EvalError::new(format!("'{}' object cannot be sliced", type_name(value))));
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
