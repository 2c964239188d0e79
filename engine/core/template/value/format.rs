//! Python's string formatting: `'%s' % x` and `'{}'.format(x)`.

use minijinja::Value;

use crate::template::value::{
    containers,
    error::{EvalError, EvalResult},
    items,
    number::{self, Number},
    show, size,
    text::pad,
    time,
};

/// The format of one value.
#[derive(Clone, Debug, Default)]
struct Layout {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    zero: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
}

/// Maximum number of digits after the decimal point; a limit of Rust's float formatting.
const MOST_DIGITS: usize = u16::MAX as usize;

/// `format % args`.
pub(crate) fn format(format: &str, args: &[Value]) -> EvalResult<String> {
    let mut out = String::with_capacity(format.len());
    let mut next = 0;
    let mut keyed = false;
    let take = |next: &mut usize| {
        *next += 1;
        args.get(*next - 1).cloned().ok_or_else(|| EvalError::new("not enough arguments for format string"))
    };
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut key = None;
        if chars.next_if_eq(&'(').is_some() {
            let name: String = chars.by_ref().take_while(|c| *c != ')').collect();
            let map = args
                .first()
                .filter(|map| containers::is_map(map))
                .ok_or_else(|| EvalError::new("format requires a mapping"))?;
            let found = map.as_object().and_then(|map| map.get_value_by_str(&name));
            key = Some(found.ok_or_else(|| EvalError::new(format!("the mapping has no key '{name}'")))?);
            keyed = true;
        }
        let mut layout = Layout::default();
        while let Some(flag) = chars.next_if(|c| matches!(c, '-' | '+' | ' ' | '0' | '#')) {
            match flag {
                '-' => layout.align = Some('<'),
                '+' => layout.sign = Some('+'),
                ' ' => layout.sign = layout.sign.or(Some(' ')),
                '0' => layout.zero = true,
                _ => layout.alternate = true,
            }
        }
        let number =
            |chars: &mut std::iter::Peekable<std::str::Chars<'_>>, next: &mut usize| -> EvalResult<Option<i128>> {
                if chars.next_if_eq(&'*').is_some() {
                    return match Number::of(&take(next)?) {
                        Some(Number::Int(i)) => Ok(Some(i)),
                        _ => Err(EvalError::new("* wants int")),
                    };
                }
                let mut digits = String::new();
                while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                match digits.is_empty() {
                    true => Ok(None),
                    false => digits.parse().map(Some).map_err(|_| size::too_large_value()),
                }
            };
        if let Some(width) = number(&mut chars, &mut next)? {
            if width < 0 {
                layout.align = Some('<');
            }
            layout.width = size::room(width.saturating_abs())?;
        }
        if chars.next_if_eq(&'.').is_some() {
            layout.precision = Some(size::room(number(&mut chars, &mut next)?.unwrap_or(0))?);
        }
        while chars.next_if(|c| matches!(c, 'l' | 'h' | 'L')).is_some() {}
        let Some(kind) = chars.next() else { return Err(EvalError::new("incomplete format")) };
        if kind == '%' {
            out.push('%');
            continue;
        }
        let value = match key {
            Some(value) => value,
            None => take(&mut next)?,
        };
        out.push_str(&percent(kind, &value, &layout)?);
    }
    if !keyed && next < args.len() && !args.iter().all(containers::is_map) {
        return Err(EvalError::new("not all arguments converted during string formatting"));
    }
    Ok(out)
}

fn percent(kind: char, value: &Value, layout: &Layout) -> EvalResult<String> {
    let wants =
        |what: &str| EvalError::new(format!("%{kind} format: {what} is required, not {}", show::type_name(value)));
    let text = match kind {
        's' => show::text(value)?,
        'r' | 'a' => show::repr(value),
        'c' => match (value.as_str(), Number::of(value)) {
            (Some(text), _) if text.chars().count() == 1 => text.to_owned(),
            (None, Some(Number::Int(i))) => {
                u32::try_from(i).ok().and_then(char::from_u32).ok_or_else(|| wants("a character"))?.to_string()
            }
            _ => return Err(wants("a character")),
        },
        'd' | 'i' | 'u' => {
            let i = match Number::of(value) {
                Some(Number::Int(i)) => i,
                Some(Number::Float(f)) => f.trunc() as i128,
                None => return Err(wants("a real number")),
            };
            return Ok(signed(&i.unsigned_abs().to_string(), i < 0, layout, '>'));
        }
        'x' | 'X' | 'o' => {
            let Some(Number::Int(i)) = Number::of(value) else { return Err(wants("an integer")) };
            return Ok(signed(&radix(i.unsigned_abs(), kind, layout.alternate), i < 0, layout, '>'));
        }
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
            let f = Number::of(value).ok_or_else(|| wants("a real number"))?.float();
            digits_fit(layout)?;
            let digits = float(f.abs(), kind, layout.precision.unwrap_or(6), layout.alternate);
            return Ok(signed(&digits, f.is_sign_negative(), layout, '>'));
        }
        _ => return Err(EvalError::new(format!("unsupported format character '{kind}'"))),
    };
    let text: String = match layout.precision {
        Some(most) => text.chars().take(most).collect(),
        None => text,
    };
    let left = if layout.align == Some('<') { 0 } else { usize::MAX };
    Ok(pad(&text, layout.width, ' ', left))
}

fn radix(value: u128, kind: char, prefix: bool) -> String {
    let (mark, digits) = match kind {
        'x' => ("0x", format!("{value:x}")),
        'X' => ("0X", format!("{value:X}")),
        'o' => ("0o", format!("{value:o}")),
        _ => ("0b", format!("{value:b}")),
    };
    if prefix { format!("{mark}{digits}") } else { digits }
}

fn digits_fit(layout: &Layout) -> EvalResult<()> {
    match layout.precision.is_some_and(|precision| precision > MOST_DIGITS) {
        true => Err(EvalError::new(format!("precision too big: at most {MOST_DIGITS} digits"))),
        false => Ok(()),
    }
}

/// The digits of a non-negative float.
fn float(f: f64, kind: char, precision: usize, alternate: bool) -> String {
    if !f.is_finite() {
        return if f.is_nan() { "nan".into() } else { "inf".into() };
    }
    let text = match kind.to_ascii_lowercase() {
        'e' => exponent(f, precision),
        'g' => general(f, precision.max(1), alternate),
        _ => format!("{f:.precision$}"),
    };
    if kind.is_ascii_uppercase() { text.to_uppercase() } else { text }
}

fn exponent(f: f64, precision: usize) -> String {
    let text = format!("{f:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn general(f: f64, precision: usize, alternate: bool) -> String {
    if f == 0.0 {
        return "0".into();
    }
    let scientific = exponent(f, precision - 1);
    let power: i32 = scientific.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0);
    let trim = |text: &str| match text.contains('.') && !alternate {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if power < -4 || power >= precision as i32 {
        let (digits, rest) = scientific.split_once('e').unwrap_or((&scientific, "+00"));
        return format!("{}e{rest}", trim(digits));
    }
    let decimals = (precision as i32 - 1 - power).max(0) as usize;
    trim(&format!("{f:.decimals$}"))
}

/// A number with sign, grouping and padding.
fn signed(digits: &str, negative: bool, layout: &Layout, default_align: char) -> String {
    let sign = match (negative, layout.sign) {
        (true, _) => "-",
        (false, Some('+')) => "+",
        (false, Some(' ')) => " ",
        _ => "",
    };
    let digits = match layout.grouping {
        Some(mark) => grouped(digits, mark),
        None => digits.to_owned(),
    };
    let zero = layout.zero && layout.align.is_none();
    if zero || layout.align == Some('=') {
        let fill = if zero { '0' } else { layout.fill.unwrap_or(' ') };
        return format!("{sign}{}", pad(&digits, layout.width.saturating_sub(sign.len()), fill, usize::MAX));
    }
    aligned(&format!("{sign}{digits}"), layout, default_align)
}

fn grouped(digits: &str, mark: char) -> String {
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (whole, rest) = digits.split_at(end);
    let mut out = String::new();
    for (at, c) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(mark);
        }
        out.push(c);
    }
    out + rest
}

fn aligned(text: &str, layout: &Layout, default: char) -> String {
    let missing = layout.width.saturating_sub(text.chars().count());
    let left = match layout.align.unwrap_or(default) {
        '<' => 0,
        '^' => missing / 2,
        _ => missing,
    };
    pad(text, layout.width, layout.fill.unwrap_or(' '), left)
}

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
    if let Some(moment) = value.downcast_object_ref::<time::Moment>() {
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
