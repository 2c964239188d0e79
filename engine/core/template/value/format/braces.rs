//! `'{}'.format(x)`.

use minijinja::Value;

use super::layout::{Layout, aligned, float, radix, signed};

use crate::template::value::{
    containers,
    error::{EvalError, EvalResult},
    items,
    number::{self, Number},
    show, size, time,
};

/// `format.format(*args, **named)`.
pub(crate) fn braces(format: &str, args: &[Value], named: &[(String, Value)]) -> EvalResult<String> {
    let mut next = 0;
    expand(format, args, named, &mut next, 2)
}

fn expand(format: &str, args: &[Value], named: &[(String, Value)], next: &mut usize, depth: u8) -> EvalResult<String> {
    let mut out = String::with_capacity(format.len());
    let mut rest = format;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let brace = &rest[at..at + 1];
        rest = &rest[at + 1..];
        if rest.starts_with(brace) {
            out.push_str(brace);
            rest = &rest[1..];
            continue;
        }
        if brace == "}" {
            return Err(EvalError::new("single '}' encountered in format string"));
        }
        let mut open = 1;
        let end = rest.char_indices().find(|(_, c)| {
            match c {
                '{' => open += 1,
                '}' => open -= 1,
                _ => {}
            }
            open == 0
        });
        let Some((end, _)) = end else { return Err(EvalError::new("expected '}' before end of string")) };
        let field = &rest[..end];
        rest = &rest[end + 1..];
        let (head, spec) = split_field(field);
        let (name, conversion) = match head.split_once('!') {
            Some((name, conversion)) => (name, Some(conversion)),
            None => (head, None),
        };
        let mut value = field_value(name, args, named, next)?;
        value = match conversion {
            None => value,
            Some("s") => Value::from(show::text(&value)?),
            Some("r" | "a") => Value::from(show::repr(&value)),
            Some(other) => return Err(EvalError::new(format!("unknown conversion specifier '{other}'"))),
        };
        let spec = match depth {
            0 => return Err(EvalError::new("max string recursion exceeded")),
            _ => expand(spec, args, named, next, depth - 1)?,
        };
        out.push_str(&formatted(&value, &spec)?);
    }
    out.push_str(rest);
    Ok(out)
}

/// A field's name and format, split at the first colon outside of brackets.
fn split_field(field: &str) -> (&str, &str) {
    let mut inside = false;
    for (at, c) in field.char_indices() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            ':' if !inside => return (&field[..at], &field[at + 1..]),
            _ => {}
        }
    }
    (field, "")
}

fn field_value(name: &str, args: &[Value], named: &[(String, Value)], next: &mut usize) -> EvalResult {
    let end = name.find(['.', '[']).unwrap_or(name.len());
    let (first, mut path) = name.split_at(end);
    let beyond = |at: usize| EvalError::new(format!("Replacement index {at} out of range for positional args tuple"));
    let mut value = if first.is_empty() {
        *next += 1;
        args.get(*next - 1).cloned().ok_or_else(|| beyond(*next - 1))?
    } else if let Ok(at) = first.parse::<usize>() {
        args.get(at).cloned().ok_or_else(|| beyond(at))?
    } else {
        let found = named.iter().find(|(known, _)| known == first).map(|(_, value)| value.clone());
        // A missing key, as Python shows it.
        found.ok_or_else(|| EvalError::new(show::repr(&Value::from(first))))?
    };
    while !path.is_empty() {
        if let Some(rest) = path.strip_prefix('[') {
            let (key, rest) = rest.split_once(']').ok_or_else(|| EvalError::new("missing ']' in format string"))?;
            let found = match key.parse::<usize>() {
                Ok(at) => items::items(&value)?.get(at).cloned(),
                Err(_) => value.as_object().and_then(|object| object.get_value_by_str(key)),
            };
            value = found.ok_or_else(|| EvalError::new(format!("no item '{key}' in format argument")))?;
            path = rest;
        } else {
            let rest = path.strip_prefix('.').unwrap_or(path);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let attribute = &rest[..end];
            let found = match containers::is_map(&value) {
                true => None,
                false => value.as_object().and_then(|object| object.get_value_by_str(attribute)),
            };
            value = found.ok_or_else(|| {
                EvalError::new(format!("'{}' object has no attribute '{attribute}'", show::type_name(&value)))
            })?;
            path = &rest[end..];
        }
    }
    Ok(value)
}

/// `format(value, spec)`.
fn formatted(value: &Value, spec: &str) -> EvalResult<String> {
    if spec.is_empty() {
        return show::text(value);
    }
    if let Some(moment) = time::moment(value) {
        return moment.format(spec);
    }
    let (layout, kind) = read_spec(spec)?;
    let refuse = || {
        let (kind, code) = (show::type_name(value), spec.chars().last().unwrap_or_default());
        EvalError::new(format!("Unknown format code '{code}' for object of type '{kind}'"))
    };
    if let Some(text) = value.as_str() {
        if !matches!(kind, None | Some('s')) {
            return Err(refuse());
        }
        let text: String = match layout.precision {
            Some(most) => text.chars().take(most).collect(),
            None => text.to_owned(),
        };
        let layout = Layout { fill: layout.fill.or(layout.zero.then_some('0')), ..layout };
        return Ok(aligned(&text, &layout, '<'));
    }
    match (Number::of(value), kind) {
        (Some(Number::Int(i)), None | Some('d' | 'n')) => {
            Ok(signed(&i.unsigned_abs().to_string(), i < 0, &layout, '>'))
        }
        (Some(Number::Int(i)), Some(kind @ ('x' | 'X' | 'o' | 'b'))) => {
            Ok(signed(&radix(i.unsigned_abs(), kind, layout.alternate), i < 0, &layout, '>'))
        }
        (Some(Number::Int(i)), Some('c')) => {
            let c = u32::try_from(i).ok().and_then(char::from_u32).ok_or_else(refuse)?;
            Ok(aligned(&c.to_string(), &layout, '<'))
        }
        (Some(number), Some('%')) => {
            let f = number.float() * 100.0;
            let precision = layout.precision.unwrap_or(6);
            Ok(signed(&format!("{:.precision$}%", f.abs()), f < 0.0, &layout, '>'))
        }
        (Some(number), Some(kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G'))) => {
            let f = number.float();
            let digits = float(f.abs(), kind, layout.precision.unwrap_or(6), layout.alternate);
            Ok(signed(&digits, f.is_sign_negative(), &layout, '>'))
        }
        (Some(Number::Float(f)), None) => {
            let digits = match layout.precision {
                Some(precision) => float(f.abs(), 'g', precision, false),
                None => number::float_repr(f.abs()),
            };
            Ok(signed(&digits, f.is_sign_negative(), &layout, '>'))
        }
        _ => Err(refuse()),
    }
}

fn read_spec(spec: &str) -> EvalResult<(Layout, Option<char>)> {
    let chars: Vec<char> = spec.chars().collect();
    let mut layout = Layout::default();
    let mut at = 0;
    let is_align = |c: Option<&char>| c.is_some_and(|c| matches!(c, '<' | '>' | '^' | '='));
    if is_align(chars.get(1)) {
        layout.fill = chars.first().copied();
        layout.align = chars.get(1).copied();
        at = 2;
    } else if is_align(chars.first()) {
        layout.align = chars.first().copied();
        at = 1;
    }
    if let Some(sign @ ('+' | '-' | ' ')) = chars.get(at) {
        layout.sign = Some(*sign);
        at += 1;
    }
    if chars.get(at) == Some(&'#') {
        layout.alternate = true;
        at += 1;
    }
    if chars.get(at) == Some(&'0') {
        layout.zero = true;
        at += 1;
    }
    let number = |at: &mut usize| -> EvalResult<Option<usize>> {
        let mut number = None;
        while let Some(digit) = chars.get(*at).and_then(|c| c.to_digit(10)) {
            number = Some(size::room(number.unwrap_or(0usize) as i128 * 10 + i128::from(digit))?);
            *at += 1;
        }
        Ok(number)
    };
    layout.width = number(&mut at)?.unwrap_or(0);
    if let Some(mark @ (',' | '_')) = chars.get(at) {
        layout.grouping = Some(*mark);
        at += 1;
    }
    if chars.get(at) == Some(&'.') {
        at += 1;
        layout.precision = Some(number(&mut at)?.ok_or_else(|| EvalError::new("format specifier missing precision"))?);
    }
    let kind = chars.get(at).copied();
    if chars.len() > at + 1 {
        return Err(EvalError::new(format!("invalid format specifier '{spec}'")));
    }
    Ok((layout, kind))
}
