//! Python's string formatting: `'%s' % x` and `'{}'.format(x)`.

mod braces;
mod layout;

use minijinja::Value;

use crate::template::value::{
    big, containers,
    error::{EvalError, EvalResult},
    number::Number,
    show, size,
    text::pad,
};
pub(crate) use braces::braces;
use layout::{Layout, digits_fit, float, radix, signed};

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
                None if big::is_big(value) => {
                    let digits = value.to_string();
                    return Ok(signed(digits.trim_start_matches('-'), digits.starts_with('-'), layout, '>'));
                }
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
