//! Arguments in one line: `copy: src=a dest="b c"`, `command: echo hi creates=/tmp/x`.

use std::{ops::Range, sync::Arc};

use crate::syntax::unescaped;

/// A parsed line of arguments.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub pairs: Vec<Pair>,
    /// The text without the pairs; `None` if nothing is left.
    pub free: Option<Arc<str>>,
}

/// One `key=value`.
#[derive(Debug, PartialEq)]
pub(super) struct Pair {
    pub key: String,
    /// Byte range in the line.
    pub key_at: Range<usize>,
    /// Without quotes, with escapes decoded.
    pub value: String,
    /// Byte range in the line, without the quotes.
    pub value_at: Range<usize>,
}

/// An unclosed quote or template, by its first byte.
#[derive(Debug, PartialEq)]
pub(super) struct Unbalanced(pub usize);

/// The pairs that are extracted from a command's text; all others are part of the command.
const COMMAND_PAIRS: [&str; 8] =
    ["creates", "removes", "chdir", "executable", "warn", "stdin", "stdin_add_newline", "strip_empty_ends"];

/// Parses a line. `command` is set for modules whose text is a command.
pub(super) fn split(text: &str, command: bool) -> Result<Line, Unbalanced> {
    let mut line = Line::default();
    let mut free = String::new();
    // The text between the last kept word and the next one.
    let mut from = 0;
    let mut after_pair = false;
    for word in words(text)? {
        let pair = pair(text, word.clone(), command);
        after_pair = pair.is_some();
        match pair {
            Some(pair) => {
                free.push_str(&text[from..word.start]);
                // The space after a pair is removed with it.
                from = word.end + (text[word.end..].len() - text[word.end..].trim_start_matches([' ', '\n']).len());
                line.pairs.push(pair);
            }
            // A lone backslash at the end of a line joins the lines.
            None if &text[word.clone()] == "\\" && text[word.end..].starts_with('\n') => {
                free.push_str(&text[from..word.start]);
                from = word.end + 1;
                if text[from..].starts_with(' ') {
                    from += 1;
                }
            }
            None => {
                free.push_str(&text[from..word.end]);
                from = word.end;
            }
        }
    }
    free.push_str(&text[from..]);
    if after_pair {
        free.truncate(free.strip_suffix(' ').map_or(free.len(), str::len));
    }
    line.free = (!free.trim().is_empty()).then(|| free.into());
    Ok(line)
}

/// Words are separated by spaces and line breaks outside of quotes and templates.
fn words(text: &str) -> Result<Vec<Range<usize>>, Unbalanced> {
    let bytes = text.as_bytes();
    let mut words = Vec::new();
    let mut start = None;
    let mut quote: Option<(u8, usize)> = None;
    // The current template: its closing bytes, its first byte, and the open quote inside it.
    let mut template: Option<([u8; 2], usize, Option<u8>)> = None;
    let mut braces = 0usize;
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        let next = bytes.get(at + 1).copied();
        if let Some((close, _, inner)) = &mut template {
            match *inner {
                Some(open) if b == open => *inner = None,
                Some(_) if b == b'\\' => at += 1,
                Some(_) => {}
                None if b == close[0] && next == Some(close[1]) && (braces == 0 || b != b'}') => {
                    template = None;
                    at += 1;
                }
                None if *close == *b"#}" => {}
                None if matches!(b, b'\'' | b'"') => *inner = Some(b),
                None if b == b'{' => braces += 1,
                None if b == b'}' => braces = braces.saturating_sub(1),
                None => {}
            }
            at += 1;
            continue;
        }
        match (b, quote) {
            (b' ' | b'\n', None) => {
                if let Some(start) = start.take() {
                    words.push(start..at);
                }
                at += 1;
                continue;
            }
            (b'{', _) if matches!(next, Some(b'{' | b'%' | b'#')) => {
                let close = match next {
                    Some(b'%') => *b"%}",
                    Some(b'#') => *b"#}",
                    _ => *b"}}",
                };
                start.get_or_insert(at);
                template = Some((close, at, None));
                braces = 0;
                at += 2;
                continue;
            }
            // An escaped quote neither opens nor closes.
            (b'\\', _) if matches!(next, Some(b'\'' | b'"')) || (quote.is_some() && next == Some(b'\\')) => {
                start.get_or_insert(at);
                at += 1;
            }
            (b'\'' | b'"', None) => quote = Some((b, at)),
            (b, Some((open, _))) if b == open => quote = None,
            _ => {}
        }
        start.get_or_insert(at);
        at += 1;
    }
    match (template, quote) {
        (Some((_, open, _)), _) => return Err(Unbalanced(open)),
        (_, Some((_, open))) => return Err(Unbalanced(open)),
        _ => {}
    }
    words.extend(start.map(|start| start..text.len()));
    Ok(words)
}

fn pair(text: &str, word: Range<usize>, command: bool) -> Option<Pair> {
    let written = &text[word.clone()];
    let equals = written.match_indices('=').map(|(at, _)| at).find(|at| *at > 0 && !written[..*at].ends_with('\\'))?;
    let key = &written[..equals];
    if command && !COMMAND_PAIRS.contains(&key) {
        return None;
    }
    let value = &written[equals + 1..];
    let quoted = matches!(value.as_bytes(), [first @ (b'\'' | b'"'), .., last] if first == last)
        && !value[..value.len() - 1].ends_with('\\');
    let mut value_at = word.start + equals + 1..word.end;
    if quoted {
        value_at = value_at.start + 1..value_at.end - 1;
    }
    Some(Pair {
        key: key.to_owned(),
        key_at: word.start..word.start + equals,
        value: unescaped(&text[value_at.clone()]),
        value_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, command: bool) -> String {
        match split(text, command) {
            Err(Unbalanced(at)) => format!("unbalanced at {at}"),
            Ok(line) => {
                let mut parts: Vec<_> =
                    line.pairs.iter().map(|pair| format!("{}={:?}", pair.key, pair.value)).collect();
                parts.extend(line.free.map(|free| format!("free={free:?}")));
                parts.join(" ")
            }
        }
    }

    /// Right-hand sides were recorded from ansible-core 2.19.
    #[test]
    fn pairs() {
        for (text, expected) in [
            (r#"msg="{{ a b }}" verbosity=1"#, r#"msg="{{ a b }}" verbosity="1""#),
            ("msg=hello world", r#"msg="hello" free="world""#),
            (r#"msg=a\nb x="q\"r""#, r#"msg="a\nb" x="q\"r""#),
            (r#"a="b" c="{{ d e }}" f='x y'"#, r#"a="b" c="{{ d e }}" f="x y""#),
            ("{{ foo }} a=1", r#"a="1" free="{{ foo }}""#),
            ("pkg={{item}} state=present", r#"pkg="{{item}}" state="present""#),
            ("msg={# c d #}x", r#"msg="{# c d #}x""#),
            ("msg={% if a %}b c{% endif %}", r#"msg="{% if a %}b" free="c{% endif %}""#),
            ("msg=a=b", r#"msg="a=b""#),
            ("=x", r#"free="=x""#),
            ("msg='a'b c=d", r#"msg="'a'b" c="d""#),
            ("a = b", r#"free="a = b""#),
            ("a= b", r#"a="" free="b""#),
            ("a=\"b\" \n\n c=d\n", r#"a="b" c="d""#),
            (r#"a="{{ 'x y' }}" b={{ "q" }}"#, r#"a="{{ 'x y' }}" b="{{ \"q\" }}""#),
            (r"a=\u00e9 b=\x41 c=\101", r#"a="é" b="A" c="\\101""#),
            ("a=''", r#"a="""#),
            ("msg=\"a  b\n   c\"", r#"msg="a  b\n   c""#),
            ("msg={{ a\n  b }} x=1", r#"msg="{{ a\n  b }}" x="1""#),
            (r#"msg="a"#, "unbalanced at 4"),
            ("url=http://x/?a=b&c=d", r#"url="http://x/?a=b&c=d""#),
        ] {
            assert_eq!(shown(text, false), expected, "{text}");
        }
    }

    #[test]
    fn commands() {
        for (text, expected) in [
            (r#"echo hi creates=/x chdir="/a b" foo=bar"#, r#"creates="/x" chdir="/a b" free="echo hi foo=bar""#),
            (
                r#"echo hi; x=1 creates={{ a b }} && y="{{ c d }}""#,
                r#"creates="{{ a b }}" free="echo hi; x=1 && y=\"{{ c d }}\"""#,
            ),
            (r#"FOO=bar   baz  "creates=/q""#, r#"free="FOO=bar   baz  \"creates=/q\"""#),
            ("a\\\n  b\n# c creates=/z\n  d", r##"creates="/z" free="a\\\n  b\n# c d""##),
            (
                "\n  echo one\n  echo   two creates=/tmp/x\n\n  echo three\n",
                r#"creates="/tmp/x" free="\n  echo one\n  echo   two echo three\n""#,
            ),
            ("a creates=/x   b", r#"creates="/x" free="a b""#),
            ("a   creates=/x", r#"creates="/x" free="a  ""#),
            ("a\n creates=/x\n", r#"creates="/x" free="a\n""#),
            ("  a  creates=/x  ", r#"creates="/x" free="  a ""#),
            (r"echo a\nb creates=/x\ty", r#"creates="/x\ty" free="echo a\\nb""#),
            ("echo a\ncreates=/x\necho b", r#"creates="/x" free="echo a\necho b""#),
            (r#"echo "a creates=/x" removes=/y"#, r#"removes="/y" free="echo \"a creates=/x\"""#),
            ("echo it's", "unbalanced at 7"),
            (r"echo \' x", r#"free="echo \\' x""#),
            (r#"a {{ "}}" }} b creates=/x"#, r#"creates="/x" free="a {{ \"}}\" }} b""#),
            (r#"a {{ {"b": {"c": 1}} }} creates=/x"#, r#"creates="/x" free="a {{ {\"b\": {\"c\": 1}} }}""#),
            ("echo a \\\n  b creates=/x", r#"creates="/x" free="echo a  b""#),
            ("echo {{ a", "unbalanced at 5"),
        ] {
            assert_eq!(shown(text, true), expected, "{text}");
        }
    }
}
