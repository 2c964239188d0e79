//! `\040` for a space: how the kernel's tables of mounts and `/etc/fstab` keep words apart (fstab(5)).

/// A word as it is written there.
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

/// A word as it is meant. A backslash without three octal digits of a byte after it stands for itself.
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
        // What is made of one number is not read as part of another.
        assert_eq!(unescaped(r"\134040"), r"\040");
        assert_eq!(unescaped(r"\303\251 \4 \400 \"), r"é \4 \400 \");
    }
}
