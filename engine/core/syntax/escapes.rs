//! Backslash escapes in `key=value` text, of tasks and of `--extra-vars`.

use rplay_wire::hex::is_hex;

/// Decodes the escapes that Ansible decodes there: ` ` and the like, `\x41`, `\u0041`, `\U00000041`, and a backslash
/// before a quote or another backslash. Any other backslash is kept.
pub(crate) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let code = |digits: usize| {
            let number = after.get(1..1 + digits).filter(|number| is_hex(number, digits))?;
            let c = u32::from_str_radix(number, 16).ok().and_then(char::from_u32)?;
            Some((c, 1 + digits))
        };
        let meant = match after.chars().next() {
            Some(c @ ('\\' | '\'' | '"')) => Some((c, 1)),
            Some('a') => Some(('\x07', 1)),
            Some('b') => Some(('\x08', 1)),
            Some('f') => Some(('\x0c', 1)),
            Some('n') => Some(('\n', 1)),
            Some('r') => Some(('\r', 1)),
            Some('t') => Some(('\t', 1)),
            Some('v') => Some(('\x0b', 1)),
            Some('x') => code(2),
            Some('u') => code(4),
            Some('U') => code(8),
            _ => None,
        };
        let (c, length) = meant.unwrap_or(('\\', 0));
        out.push(c);
        rest = &after[length..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_stand_for_characters_and_other_backslashes_for_themselves() {
        for (written, meant) in [
            (r"a\nb\t\\n", "a\nb\t\\n"),
            (r#"\"\'"#, "\"'"),
            (r"\x41\u00e9\U0001F600", "Aé😀"),
            (r"\x4", r"\x4"),
            (r"\x+4", r"\x+4"),
            (r"\ud800", r"\ud800"),
            (r"\d\é\", r"\d\é\"),
            ("", ""),
        ] {
            assert_eq!(unescaped(written), meant, "{written}");
        }
    }
}
