//! What zypper answers with `--xmlout`: messages, and packages in groups.

/// An answer of zypper.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub(super) messages: Vec<String>,
    pub(super) packages: Vec<Package>,
}

/// A package in an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Package {
    pub(super) name: String,
    /// The enclosing element: `to-install`, `to-upgrade`, `solvable-list` ...
    pub(super) group: String,
    pub(super) version: String,
    pub(super) old_version: String,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// If it is not well-formed XML, in the words of Python's parser.
    pub(super) fn read(text: &str) -> Result<Answer, String> {
        let mut answer = Answer::default();
        let mut open: Vec<&str> = Vec::new();
        let mut rest = text.trim_start();
        let at = |rest: &str| {
            let before = &text[..text.len() - rest.len()];
            let line = before.rsplit('\n').next().unwrap_or_default();
            format!("line {}, column {}", before.matches('\n').count() + 1, line.chars().count())
        };
        while !rest.is_empty() {
            if let Some(more) = skipped(rest) {
                rest = more;
                continue;
            }
            let Some(tag) = rest.strip_prefix('<') else {
                let end = rest.find('<').unwrap_or(rest.len());
                if open.is_empty() && !rest[..end].trim().is_empty() {
                    return Err(format!("syntax error: {}", at(rest)));
                }
                if let (Some(&"message"), Some(message)) = (open.last(), answer.messages.last_mut()) {
                    message.push_str(&plain(&rest[..end]));
                }
                rest = &rest[end..];
                continue;
            };
            let end = end_of_tag(tag).ok_or_else(|| format!("unclosed token: {}", at(rest)))?;
            let (tag, after) = (&tag[..end], &tag[end + 1..]);
            if let Some(name) = tag.strip_prefix('/') {
                if open.pop() != Some(name.trim()) {
                    return Err(format!("mismatched tag: {}", at(&rest[2..])));
                }
            } else {
                let (name, attributes) =
                    tag.trim_end_matches('/').split_once([' ', '\n', '\t']).unwrap_or((tag.trim_end_matches('/'), ""));
                let of = |key: &str| attribute(attributes, key).unwrap_or_default();
                match name {
                    "solvable" => answer.packages.push(Package {
                        name: of("name"),
                        group: open.last().copied().unwrap_or_default().to_owned(),
                        version: of("edition"),
                        old_version: of("edition-old"),
                    }),
                    "message" => answer.messages.push(String::new()),
                    _ => {}
                }
                if !tag.ends_with('/') {
                    open.push(name);
                }
            }
            rest = after;
        }
        match open.is_empty() && text.contains('<') {
            true => Ok(answer),
            false => Err(format!("no element found: {}", at(""))),
        }
    }
}

/// What follows a declaration or a comment.
fn skipped(rest: &str) -> Option<&str> {
    let (start, end) = [("<?", "?>"), ("<!--", "-->")].into_iter().find(|(start, _)| rest.starts_with(start))?;
    rest[start.len()..].split_once(end).map(|(_, after)| after)
}

/// Where the tag ends: at a `>` that is not in quotes.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut quote = None;
    tag.char_indices().find_map(|(at, c)| {
        match (quote, c) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        None
    })
}

/// The value of an attribute.
fn attribute(attributes: &str, key: &str) -> Option<String> {
    let mut rest = attributes;
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let quote = after.chars().next()?;
        let (value, more) = after[quote.len_utf8()..].split_once(quote)?;
        if name.trim() == key {
            return Some(plain(value));
        }
        rest = more;
    }
    None
}

/// The text without XML's escapes.
fn plain(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let known = part.split_once(';').and_then(|(name, after)| {
            let c = match name {
                "lt" => '<',
                "gt" => '>',
                "amp" => '&',
                "quot" => '"',
                "apos" => '\'',
                _ => {
                    let number = name.strip_prefix('#')?;
                    let code = match number.strip_prefix('x') {
                        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                        None => number.parse().ok()?,
                    };
                    char::from_u32(code)?
                }
            };
            Some((c, after))
        });
        match known {
            Some((c, after)) => {
                plain.push(c);
                plain.push_str(after);
            }
            None => {
                plain.push('&');
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let text = "<?xml version='1.0'?>\n<stream>\n<!-- <x> -->\n<message type=\"info\">a &lt;b&gt; &#x41;</message>\n\
                    <install-summary>\n<to-upgrade>\n<solvable type='package' name=\"a&amp;b>c\" edition=\"2\" \
                    edition-old=\"1\"/>\n</to-upgrade>\n</install-summary>\n</stream>\n";
        let answer = Answer::read(text).unwrap();
        assert_eq!(answer.messages, ["a <b> A"]);
        let package = Package {
            name: "a&b>c".to_owned(),
            group: "to-upgrade".to_owned(),
            version: "2".to_owned(),
            old_version: "1".to_owned(),
        };
        assert_eq!(answer.packages, [package]);
        assert_eq!(Answer::read("<stream></stream>"), Ok(Answer::default()));
    }

    /// As Python's parser says it.
    #[test]
    fn what_is_not_xml() {
        for (text, error) in [
            ("", "no element found: line 1, column 0"),
            ("garbage\n", "syntax error: line 1, column 0"),
            ("<stream>\n", "no element found: line 2, column 0"),
            ("<stream><a></stream>\n", "mismatched tag: line 1, column 13"),
        ] {
            assert_eq!(Answer::read(text), Err(error.to_owned()), "{text}");
        }
    }
}
