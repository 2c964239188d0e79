//! String constants of a Python file.

use std::collections::HashMap;

/// The strings that a file assigns to names at its top level or, with `in_class`, to attributes of its classes. The
/// last assignment to a name counts, as when the file runs. Values other than plain strings are left out.
pub(super) fn assignments(text: &str, in_class: bool) -> HashMap<String, String> {
    let indent = if in_class { "    " } else { "" };
    let mut found = HashMap::new();
    let mut at = 0;
    // Lines inside a string are not code, so strings that were read are skipped.
    while let Some(line) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let end = line.find('\n').map_or(text.len(), |end| at + end + 1);
        let first = line.lines().next().unwrap_or_default();
        let value = first.strip_prefix(indent).filter(|code| !code.starts_with([' ', '\t', '#'])).and_then(|code| {
            let (target, _) = code.split_once('=')?;
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            let target = target.trim_end();
            (!target.is_empty() && target.chars().all(is_name))
                .then_some((target, at + indent.len() + code.find('=')? + 1))
        });
        match value.and_then(|(target, start)| Some((target, expression(text, start)?))) {
            Some((target, (value, after))) => {
                found.insert(target.to_owned(), value);
                at = text.get(after..).and_then(|rest| rest.find('\n')).map_or(text.len(), |end| after + end + 1);
            }
            None => at = after_docstring(text, at).unwrap_or(end).max(end),
        }
    }
    found
}

/// The end of a string that is alone on its line.
fn after_docstring(text: &str, at: usize) -> Option<usize> {
    let start = at + text.get(at..)?.find(|c: char| c != ' ')?;
    let rest = text.get(start..)?;
    rest.trim_start_matches(['r', 'R', 'u', 'b'])
        .starts_with(['"', '\''])
        .then(|| literal(text, start))
        .flatten()
        .map(|(_, end)| end)
}

/// A string, or several adjacent or parenthesized ones, and where they end.
fn expression(text: &str, start: usize) -> Option<(String, usize)> {
    let mut at = start;
    let mut depth = 0_u32;
    let mut value: Option<String> = None;
    loop {
        let rest = text.get(at..)?;
        let c = rest.chars().next().unwrap_or('\n');
        match c {
            ' ' | '\t' => at += 1,
            '\n' | '\r' if depth > 0 && !rest.is_empty() => at += 1,
            '\\' if rest.starts_with("\\\n") => at += 2,
            '#' if depth > 0 => at += rest.find('\n')?,
            '(' if value.is_none() => (depth, at) = (depth + 1, at + 1),
            ')' if depth > 0 => (depth, at) = (depth - 1, at + 1),
            '\n' | '\r' | '#' => return value.filter(|_| depth == 0).map(|value| (value, at)),
            _ => {
                let (piece, end) = literal(text, at)?;
                value.get_or_insert_default().push_str(&piece);
                at = end;
            }
        }
    }
}

/// The string literal at a position, and where it ends.
fn literal(text: &str, start: usize) -> Option<(String, usize)> {
    let rest = text.get(start..)?;
    let prefix = rest.find(['"', '\''])?;
    let letters = rest.get(..prefix)?;
    if letters.len() > 2 || !letters.chars().all(|c| "rRuUbB".contains(c)) {
        return None;
    }
    let is_raw = letters.contains(['r', 'R']);
    let quote = rest.get(prefix..=prefix)?;
    let triple = quote.repeat(3);
    let body = rest.get(prefix..)?;
    let quote = if body.starts_with(&triple) { triple.as_str() } else { quote };
    let mut value = String::new();
    let mut at = start + prefix + quote.len();
    loop {
        let rest = text.get(at..)?;
        if rest.starts_with(quote) {
            return Some((value, at + quote.len()));
        }
        let c = rest.chars().next()?;
        match c {
            '\\' => {
                let escaped = rest.get(1..)?.chars().next()?;
                at += 1 + escaped.len_utf8();
                if is_raw {
                    value.extend(['\\', escaped]);
                    continue;
                }
                match escaped {
                    '\n' => {}
                    'n' => value.push('\n'),
                    't' => value.push('\t'),
                    'r' => value.push('\r'),
                    '\\' | '\'' | '"' => value.push(escaped),
                    'x' | 'u' | 'U' => {
                        let digits = match escaped {
                            'x' => 2,
                            'u' => 4,
                            _ => 8,
                        };
                        let code = u32::from_str_radix(text.get(at..at + digits)?, 16).ok()?;
                        value.push(char::from_u32(code)?);
                        at += digits;
                    }
                    other => value.extend(['\\', other]),
                }
            }
            '\n' if quote.len() == 1 => return None,
            c => {
                value.push(c);
                at += c.len_utf8();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_read_as_python_reads_them() {
        let file = "#!/usr/bin/python\n\"\"\"A page\nDOCUMENTATION = 'not this'\n\"\"\"\nimport x\n\nDOCUMENTATION = r'''\na: \\d\n'''\n\n\
                    EXAMPLES = (\"one\\n\"\n    'two \\x41' # note\n)\nRETURN = u\"\"\"# \\\nx\"\"\"\nclass M(object):\n    DOCUMENTATION = \"\"\"\nb: 1\n\"\"\"\n    MORE = 'c'\n\
                    \ndef f():\n    LATER = 'd'\nOTHER = f('x')\nRETURN = 'last'\n";
        let outside = assignments(file, false);
        let of = |name: &str| outside.get(name).cloned();
        assert_eq!(of("DOCUMENTATION").as_deref(), Some("\na: \\d\n"));
        assert_eq!(of("EXAMPLES").as_deref(), Some("one\ntwo A"));
        assert_eq!(of("RETURN").as_deref(), Some("last"));
        assert_eq!((of("OTHER"), of("LATER"), of("MORE")), (None, None, None));
        let inside = assignments(file, true);
        assert_eq!(inside.get("DOCUMENTATION").map(String::as_str), Some("\nb: 1\n"));
        assert_eq!(inside.get("MORE").map(String::as_str), Some("c"));
    }

    #[test]
    fn a_file_that_breaks_off_has_nothing() {
        for text in [
            "DOCUMENTATION = '''a",
            "DOCUMENTATION = ",
            "DOCUMENTATION = ('a'",
            "DOCUMENTATION = '\\x4",
            "DOCUMENTATION ='a\n'",
        ] {
            assert_eq!(assignments(text, false).get("DOCUMENTATION"), None, "{text}");
        }
    }
}
