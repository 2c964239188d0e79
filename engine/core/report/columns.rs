//! Texts that must fit into one line of a terminal.

/// Cuts a text to a number of columns. Colour codes take no columns; wide characters, such as Chinese ones, take two.
pub(super) fn cut(text: &str, most: usize) -> String {
    let (mut cut, mut used) = (String::new(), 0);
    let mut rest = text.chars();
    let mut is_coloured = false;
    while let Some(c) = rest.next() {
        if c == '\x1b' {
            is_coloured = true;
            cut.push(c);
            for c in rest.by_ref() {
                cut.push(c);
                if c.is_ascii_alphabetic() {
                    break;
                }
            }
            continue;
        }
        used += width(c);
        if used > most {
            break;
        }
        cut.push(c);
    }
    if is_coloured && used > most {
        cut.push_str("\x1b[0m");
    }
    cut
}

/// The number of columns that a text takes; colour codes take none.
pub(super) fn of(text: &str) -> usize {
    let (mut used, mut rest) = (0, text.chars());
    while let Some(c) = rest.next() {
        match c {
            '\x1b' => _ = rest.by_ref().find(char::is_ascii_alphabetic),
            c => used += width(c),
        }
    }
    used
}

/// The number of columns that a character takes.
fn width(c: char) -> usize {
    match c as u32 {
        0x300..=0x36f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 => 2,
        0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_take_no_column_and_wide_characters_two() {
        assert_eq!((of("abc"), of("\x1b[2mabc\x1b[0m"), of("\u{4e2d}x")), (3, 3, 3));
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "abc");
        assert_eq!(cut("\x1b[2mabcd\x1b[0m", 3), "\x1b[2mabc\x1b[0m");
        assert_eq!(cut("\x1b[2mabc\x1b[0m", 3), "\x1b[2mabc\x1b[0m");
        assert_eq!(cut("\u{4e2d}\u{6587}x", 3), "\u{4e2d}");
    }
}
