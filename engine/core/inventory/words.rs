//! Splits lines into words like a POSIX shell, with the place of each word.

use std::ops::Range;

/// A word without its quotes, and its byte range in the line.
#[derive(Debug, PartialEq)]
pub(super) struct Word {
    pub text: String,
    pub range: Range<usize>,
}

/// The position of an unclosed quote.
#[derive(Debug, PartialEq)]
pub(super) struct OpenQuote(pub usize);

/// Splits a line. As in Ansible, a `#` outside of quotes begins a comment, even within a word.
pub(super) fn split(line: &str) -> Result<Vec<Word>, OpenQuote> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '#' {
            break;
        }
        if c.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        let current = word.get_or_insert_with(|| Word { text: String::new(), range: at..at });
        match c {
            '\'' => loop {
                match chars.next() {
                    Some((_, '\'')) => break,
                    Some((_, inner)) => current.text.push(inner),
                    None => return Err(OpenQuote(at)),
                }
            },
            '"' => loop {
                match chars.next() {
                    Some((_, '"')) => break,
                    Some((_, '\\')) => match chars.next() {
                        Some((_, inner @ ('"' | '\\'))) => current.text.push(inner),
                        Some((_, inner)) => current.text.extend(['\\', inner]),
                        None => return Err(OpenQuote(at)),
                    },
                    Some((_, inner)) => current.text.push(inner),
                    None => return Err(OpenQuote(at)),
                }
            },
            '\\' => current.text.extend(chars.next().map(|(_, escaped)| escaped)),
            other => current.text.push(other),
        }
        current.range.end = chars.peek().map_or(line.len(), |(next, _)| *next);
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lose_their_quotes_and_keep_their_place() {
        let line = r#"host a='1 2' b="x \"y\" \n" c=a\ b d=x#y e"#;
        let words = split(line).unwrap();
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(texts, ["host", "a=1 2", r#"b=x "y" \n"#, "c=a b", "d=x"]);
        assert_eq!(&line[words[1].range.clone()], "a='1 2'");
    }

    #[test]
    fn open_quotes_are_found() {
        assert_eq!(split("a 'b"), Err(OpenQuote(2)));
        assert_eq!(split("a # 'b").unwrap().len(), 1);
    }
}
