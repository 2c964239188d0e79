//! Numbers that neither this protocol nor `serde_json` has: integers beyond 128 (or 64) bits, infinity, NaN. They are
//! text with a mark, and become numbers again where text is written or values are read.

use std::borrow::Cow;

/// The beginning of a text that stands for a number.
pub const MARK: &str = "\0number:";

/// How JSON writes the mark.
const WRITTEN: &str = "\"\\u0000number:";

/// Infinity or NaN as a marked text.
pub(crate) fn of_float(float: f64) -> String {
    let name = match float {
        _ if float.is_nan() => "NaN",
        _ if float > 0.0 => "Infinity",
        _ => "-Infinity",
    };
    format!("{MARK}{name}")
}

/// A number's text as a marked text in JSON.
pub fn marked(number: &str) -> String {
    format!("{WRITTEN}{number}\"")
}

/// JSON with numbers instead of marked texts, as Python writes and reads it.
pub fn unmarked(json: &str) -> Cow<'_, str> {
    let mut parts = json.split(WRITTEN);
    let first = parts.next().unwrap_or_default();
    let mut done = Cow::Borrowed(first);
    for part in parts {
        let done = done.to_mut();
        match part.split_once('"') {
            Some((number, rest)) if is_number(number) => {
                done.push_str(number);
                done.push_str(rest);
            }
            _ => {
                done.push_str(WRITTEN);
                done.push_str(part);
            }
        }
    }
    done
}

/// Whether the text after a mark is a number.
pub fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    text == "NaN" || digits == "Infinity" || !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_lose_their_mark() {
        for (json, want) in [
            (r#"{"a": 1}"#, r#"{"a": 1}"#),
            (r#"["\u0000number:-12","\u0000number:NaN", "\u0000number:-Infinity"]"#, "[-12,NaN, -Infinity]"),
            (r#"["\u0000number:1, 2","\u0000number:"]"#, r#"["\u0000number:1, 2","\u0000number:"]"#),
        ] {
            assert_eq!(unmarked(json), want);
        }
        assert_eq!(unmarked(&marked("7")), "7");
    }
}
