//! `\040` for a space: the escapes in mount tables and `/etc/fstab` (fstab(5)).

/// Escapes a word.
pub fn escaped(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        match c {
            ' ' | '\t' | '\n' | '\\' | '#' => out.push_str(&format!("\\{:03o}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// Unescapes a word. A backslash without three octal digits after it is literal.
pub fn unescaped(word: &str) -> String {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let [first, more @ ..] = rest {
        rest = match more {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', more @ ..] if *first == b'\\' => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                more
            }
            _ => {
                out.push(*first);
                more
            }
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_divides_words_is_written_as_numbers() {
        let word = "a b\tc\nd\\e#\u{e9}";
        assert_eq!(escaped(word), r"a\040b\011c\012d\134e\043é");
        assert_eq!(unescaped(&escaped(word)), word);
        // The result of one escape is not part of another.
        assert_eq!(unescaped(r"\134040"), r"\040");
        assert_eq!(unescaped(r"\303\251 \4 \400 \"), r"é \4 \400 \");
    }
}
