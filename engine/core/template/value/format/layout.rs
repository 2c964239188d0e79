//! The layout of a formatted value: digits, sign, grouping, padding.

use crate::template::value::{
    error::{EvalError, EvalResult},
    text::pad,
};

/// The format of one value.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub fill: Option<char>,
    pub align: Option<char>,
    pub sign: Option<char>,
    pub alternate: bool,
    pub zero: bool,
    pub width: usize,
    pub grouping: Option<char>,
    pub precision: Option<usize>,
}

/// Maximum number of digits after the decimal point; a limit of Rust's float formatting.
const MOST_DIGITS: usize = u16::MAX as usize;

pub(super) fn radix(value: u128, kind: char, prefix: bool) -> String {
    let (mark, digits) = match kind {
        'x' => ("0x", format!("{value:x}")),
        'X' => ("0X", format!("{value:X}")),
        'o' => ("0o", format!("{value:o}")),
        _ => ("0b", format!("{value:b}")),
    };
    if prefix { format!("{mark}{digits}") } else { digits }
}

pub(super) fn digits_fit(layout: &Layout) -> EvalResult<()> {
    match layout.precision.is_some_and(|precision| precision > MOST_DIGITS) {
        true => Err(EvalError::new(format!("precision too big: at most {MOST_DIGITS} digits"))),
        false => Ok(()),
    }
}

/// The digits of a non-negative float.
pub(super) fn float(f: f64, kind: char, precision: usize, alternate: bool) -> String {
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
pub(super) fn signed(digits: &str, negative: bool, layout: &Layout, default_align: char) -> String {
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

pub(super) fn aligned(text: &str, layout: &Layout, default: char) -> String {
    let missing = layout.width.saturating_sub(text.chars().count());
    let left = match layout.align.unwrap_or(default) {
        '<' => 0,
        '^' => missing / 2,
        _ => missing,
    };
    pad(text, layout.width, layout.fill.unwrap_or(' '), left)
}
