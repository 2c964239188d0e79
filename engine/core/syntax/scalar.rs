//! The types of scalars by the rules of YAML 1.1, as PyYAML and therefore Ansible apply them: `yes` is a boolean,
//! `0644` is octal, `1:30` is ninety.

use base64::{Engine, engine::general_purpose::STANDARD};
use num_bigint::BigInt;

use super::Kind;

/// As many digits as Python converts: that takes time by the square of their number.
const MOST_DIGITS: usize = 4300;

/// The value of a plain scalar without a tag; `None` if it is text.
pub(super) fn resolve(text: &str) -> Result<Option<Kind>, ScalarError> {
    let Some(first) = text.bytes().next() else { return Ok(Some(Kind::Null)) };
    Ok(match first {
        b'0'..=b'9' | b'+' | b'-' | b'.' => {
            if is_int(text) {
                Some(integer(text)?)
            } else if is_float(text) {
                float(text).map(Kind::Float)
            } else if first.is_ascii_digit() && is_timestamp(text) {
                Some(Kind::Time(timestamp(text).ok_or(ScalarError::NoSuchDate)?.into()))
            } else {
                None
            }
        }
        b'~' | b'n' | b'N' | b'y' | b'Y' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => word(text),
        b'=' if text == "=" => return Err(ScalarError::Indicator),
        b'<' if text == "<<" => return Err(ScalarError::Indicator),
        _ => None,
    })
}

/// The value of a scalar with a type tag (`!!int "3"`); `None` for a tag that is not one of YAML's scalar types.
pub(super) fn resolve_tagged(tag: &str, text: &str) -> Option<Result<Kind, ScalarError>> {
    let mismatch = ScalarError::Mismatch;
    Some(match tag {
        "null" => Ok(Kind::Null),
        "bool" => match word(&text.to_ascii_lowercase()) {
            Some(Kind::Bool(b)) => Ok(Kind::Bool(b)),
            _ => Err(mismatch),
        },
        "int" if is_int(text) || text.bytes().all(|b| b.is_ascii_digit()) => integer(text),
        "int" => Err(mismatch),
        "float" => float(text).map(Kind::Float).ok_or(mismatch),
        "timestamp" if is_timestamp(text) => {
            timestamp(text).map(|time| Kind::Time(time.into())).ok_or(ScalarError::NoSuchDate)
        }
        "timestamp" => Err(mismatch),
        "binary" => {
            let digits: String = text.split_whitespace().collect();
            STANDARD.decode(digits).map(|bytes| Kind::Bytes(bytes.into())).map_err(|_| mismatch)
        }
        _ => return None,
    })
}

/// Why a scalar is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScalarError {
    /// More digits than rplay can represent.
    BigInt,
    /// `2024-13-45`.
    NoSuchDate,
    /// `=` and `<<` have a meaning only as keys.
    Indicator,
    /// Does not match its tag.
    Mismatch,
}

fn word(text: &str) -> Option<Kind> {
    Some(match text {
        "~" | "null" | "Null" | "NULL" => Kind::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Kind::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Kind::Bool(false),
        _ => return None,
    })
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

fn all(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    text.bytes().all(allowed)
}

fn digit_or_underscore(b: u8) -> bool {
    b.is_ascii_digit() || b == b'_'
}

/// `:30:05` after the first number of a base-60 number.
fn is_sixties(mut rest: &str) -> bool {
    if !rest.starts_with(':') {
        return false;
    }
    while let Some(part) = rest.strip_prefix(':') {
        let length = part.find(':').unwrap_or(part.len());
        let ok = match part.as_bytes().get(..length) {
            Some([d]) => d.is_ascii_digit(),
            Some([b'0'..=b'5', d]) => d.is_ascii_digit(),
            _ => false,
        };
        if !ok {
            return false;
        }
        rest = &part[length..];
    }
    rest.is_empty()
}

fn is_int(text: &str) -> bool {
    let body = unsigned(text);
    if let Some(rest) = body.strip_prefix("0b") {
        return !rest.is_empty() && all(rest, |b| matches!(b, b'0' | b'1' | b'_')) && rest.contains(['0', '1']);
    }
    if let Some(rest) = body.strip_prefix("0x") {
        return all(rest, |b| b.is_ascii_hexdigit() || b == b'_') && rest.contains(|c: char| c != '_');
    }
    if let Some(rest) = body.strip_prefix('0') {
        return all(rest, |b| matches!(b, b'0'..=b'7' | b'_'));
    }
    if !body.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    match body.find(':') {
        Some(colon) => all(&body[..colon], digit_or_underscore) && is_sixties(&body[colon..]),
        None => all(body, digit_or_underscore),
    }
}

/// The value of a text that [`is_int`]; `None` if it needs more than 127 bits.
fn integer(text: &str) -> Result<Kind, ScalarError> {
    match int(text) {
        Some(int) => Ok(Kind::Int(int)),
        None => long_digits(text).map(|digits| Kind::Digits(digits.into())).ok_or(ScalarError::BigInt),
    }
}

/// The decimal digits of a large integer, if there are not too many.
fn long_digits(text: &str) -> Option<String> {
    let clean = text.replace('_', "");
    let body = unsigned(&clean);
    let (body, radix) = match (body.strip_prefix("0b"), body.strip_prefix("0x"), body.strip_prefix('0')) {
        (Some(rest), ..) => (rest, 2),
        (_, Some(rest), _) => (rest, 16),
        (_, _, Some(rest)) => (rest, 8),
        _ => (body, 10),
    };
    let value = BigInt::parse_bytes(body.as_bytes(), radix).filter(|_| body.len() <= MOST_DIGITS)?;
    Some(if clean.starts_with('-') { -value } else { value }.to_string())
}

fn int(text: &str) -> Option<i128> {
    let clean = text.replace('_', "");
    let body = unsigned(&clean);
    let value = if body == "0" {
        0
    } else if let Some(rest) = body.strip_prefix("0b") {
        i128::from_str_radix(rest, 2).ok()?
    } else if let Some(rest) = body.strip_prefix("0x") {
        i128::from_str_radix(rest, 16).ok()?
    } else if let Some(rest) = body.strip_prefix('0') {
        i128::from_str_radix(rest, 8).ok()?
    } else {
        body.split(':').try_fold(0i128, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?))?
    };
    Some(if clean.starts_with('-') { -value } else { value })
}

fn is_float(text: &str) -> bool {
    let body = unsigned(text);
    if matches!(body, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let Some(dot) = body.find('.') else { return false };
    let (whole, rest) = (&body[..dot], &body[dot + 1..]);
    let (fraction, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let exponent_fits = exponent.is_none_or(|e| {
        e.strip_prefix(['+', '-']).is_some_and(|digits| !digits.is_empty() && all(digits, |b| b.is_ascii_digit()))
    });
    if !exponent_fits || !all(fraction, digit_or_underscore) {
        return false;
    }
    if whole.is_empty() {
        // A sign is not allowed here: `+.5` is text.
        return text.starts_with('.') && fraction.starts_with(|c: char| c.is_ascii_digit());
    }
    if !whole.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    match whole.find(':') {
        Some(colon) => exponent.is_none() && all(&whole[..colon], digit_or_underscore) && is_sixties(&whole[colon..]),
        None => all(whole, digit_or_underscore),
    }
}

fn float(text: &str) -> Option<f64> {
    let clean = text.replace('_', "").to_ascii_lowercase();
    let body = unsigned(&clean);
    let value = match body {
        ".inf" => f64::INFINITY,
        ".nan" => f64::NAN,
        _ if body.contains(':') => {
            // The additions are in Python's order, so that the result is identical to the last bit.
            let mut base = 1.0;
            let mut sum = 0.0;
            for part in body.rsplit(':') {
                sum += part.parse::<f64>().ok()? * base;
                base *= 60.0;
            }
            sum
        }
        _ => body.parse().ok()?,
    };
    Some(if clean.starts_with('-') { -value } else { value })
}

/// The parts of a date or time.
struct Stamp<'t> {
    date: [&'t str; 3],
    time: Option<Clock<'t>>,
}

struct Clock<'t> {
    hour: &'t str,
    minute: &'t str,
    second: &'t str,
    fraction: &'t str,
    /// `Z`, or sign, hours and minutes.
    zone: Option<(&'t str, &'t str, &'t str)>,
}

/// Takes from `least` to `most` digits.
fn digits<'t>(rest: &mut &'t str, least: usize, most: usize) -> Option<&'t str> {
    let length = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (taken, left) = rest.split_at_checked(length).filter(|_| length >= least)?;
    *rest = left;
    Some(taken)
}

fn skip(rest: &mut &str, c: char) -> Option<()> {
    *rest = rest.strip_prefix(c)?;
    Some(())
}

fn read_timestamp(text: &str) -> Option<Stamp<'_>> {
    let mut rest = text;
    let year = digits(&mut rest, 4, 4)?;
    skip(&mut rest, '-')?;
    let month = digits(&mut rest, 1, 2)?;
    skip(&mut rest, '-')?;
    let day = digits(&mut rest, 1, 2)?;
    let date = [year, month, day];
    if rest.is_empty() {
        return (month.len() == 2 && day.len() == 2).then_some(Stamp { date, time: None });
    }
    rest = match rest.strip_prefix(['T', 't']) {
        Some(rest) => rest,
        None => Some(rest.trim_start_matches([' ', '\t'])).filter(|trimmed| trimmed.len() < rest.len())?,
    };
    let hour = digits(&mut rest, 1, 2)?;
    skip(&mut rest, ':')?;
    let minute = digits(&mut rest, 2, 2)?;
    skip(&mut rest, ':')?;
    let second = digits(&mut rest, 2, 2)?;
    let fraction = if skip(&mut rest, '.').is_some() { digits(&mut rest, 0, usize::MAX)? } else { "" };
    rest = rest.trim_start_matches([' ', '\t']);
    let zone = match rest.split_at_checked(1) {
        None => None,
        Some(("Z", "")) => Some(("Z", "", "")),
        Some((sign @ ("+" | "-"), mut rest)) => {
            let hours = digits(&mut rest, 1, 2)?;
            let minutes = if skip(&mut rest, ':').is_some() { digits(&mut rest, 2, 2)? } else { "" };
            rest.is_empty().then_some(Some((sign, hours, minutes)))?
        }
        Some(_) => return None,
    };
    Some(Stamp { date, time: Some(Clock { hour, minute, second, fraction, zone }) })
}

fn is_timestamp(text: &str) -> bool {
    read_timestamp(text).is_some()
}

/// The date or time in the format of Python's `str()`; `None` if there is no such date.
fn timestamp(text: &str) -> Option<String> {
    let Stamp { date: [year, month, day], time } = read_timestamp(text)?;
    let [year, month, day]: [u32; 3] = [year.parse().ok()?, month.parse().ok()?, day.parse().ok()?];
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year == 0 || day == 0 || day > days {
        return None;
    }
    let mut written = format!("{year:04}-{month:02}-{day:02}");
    let Some(time) = time else { return Some(written) };
    let [hour, minute, second]: [u32; 3] =
        [time.hour.parse().ok()?, time.minute.parse().ok()?, time.second.parse().ok()?];
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    written.push_str(&format!(" {hour:02}:{minute:02}:{second:02}"));
    let micro = format!("{:0<6.6}", time.fraction);
    if micro != "000000" {
        written.push('.');
        written.push_str(&micro);
    }
    match time.zone {
        None => {}
        Some(("Z", ..)) => written.push_str("+00:00"),
        Some((sign, hours, minutes)) => {
            let hours: u32 = hours.parse().ok()?;
            let minutes: u32 = if minutes.is_empty() { 0 } else { minutes.parse().ok()? };
            if hours > 23 || minutes > 59 {
                return None;
            }
            let sign = if hours + minutes == 0 { "+" } else { sign };
            written.push_str(&format!("{sign}{hours:02}:{minutes:02}"));
        }
    }
    Some(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{source::Source, syntax::yaml};

    /// All rows of a table recorded from PyYAML.
    #[test]
    fn scalars_mean_what_pyyaml_says() {
        let mut rows = 0;
        let mut wrong = Vec::new();
        for line in include_str!("yaml_scalars.csv").lines().skip(1) {
            rows += 1;
            let [scalar, kind, value] = csv_row(line);
            let loaded = yaml::load(&Source::inline("scalar.yml", format!("k: {scalar}\n")));
            let found = match &loaded {
                Err(_) => ("error", value.clone()),
                Ok(loaded) => describe(&loaded.node.as_map().expect("a mapping")[0].1.kind),
            };
            let expected = match kind.as_str() {
                "date" | "datetime" => ("time", value.replace('T', " ")),
                _ => (kind.as_str(), value),
            };
            if found != expected {
                wrong.push(format!("{scalar}: {found:?}, not {expected:?}"));
            }
        }
        assert_eq!(rows, 128);
        assert_eq!(wrong, Vec::<String>::new());
    }

    fn describe(kind: &Kind) -> (&'static str, String) {
        match kind {
            Kind::Null => ("null", String::new()),
            Kind::Bool(b) => ("bool", b.to_string()),
            Kind::Int(i) => ("int", i.to_string()),
            Kind::Float(f) if f.is_nan() => ("float", "nan".to_owned()),
            Kind::Float(f) => ("float", format!("{f:?}")),
            Kind::Digits(digits) => ("int", digits.to_string()),
            Kind::Time(time) => ("time", time.to_string()),
            Kind::Str(text) => ("str", text.value.to_string()),
            Kind::Bytes(bytes) => ("bytes", String::from_utf8_lossy(bytes).into_owned()),
            Kind::Seq(_) | Kind::Map(_) => ("collection", String::new()),
        }
    }

    fn csv_row(line: &str) -> [String; 3] {
        let mut fields = [const { String::new() }; 3];
        let (mut at, mut quoted) = (0, false);
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => fields[at].extend(chars.next()),
                '"' => quoted = !quoted,
                ',' if !quoted => at += 1,
                c => fields[at].push(c),
            }
        }
        fields
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        assert_eq!(resolve("2023-02-29").err(), Some(ScalarError::NoSuchDate));
        assert_eq!(resolve("2024-02-29 24:00:00").err(), Some(ScalarError::NoSuchDate));
        assert!(matches!(resolve("2024-02-29"), Ok(Some(Kind::Time(time))) if &*time == "2024-02-29"));
    }

    #[test]
    fn whole_numbers_have_a_limit() {
        for (text, digits) in [
            ("9".repeat(60), "9".repeat(60)),
            (format!("-0x1{}", "0".repeat(40)), "-1461501637330902918203684832716283019655932542976".to_owned()),
        ] {
            assert!(matches!(resolve(&text), Ok(Some(Kind::Digits(found))) if *found == digits));
        }
        assert_eq!(resolve(&"9".repeat(6000)).err(), Some(ScalarError::BigInt));
    }
}
