//! Makes control characters visible in text from others: hosts, but also inventories and playbooks.
//!
//! Terminals interpret escape sequences. One in the output of a command, in a file's name or in an error message could
//! move the cursor over earlier lines, set the window's title, or on some terminals type into the shell; bidirectional
//! control characters make a line read differently. Therefore all text passes through here before it is written, to a
//! terminal or to a file that somebody will look at later.

use std::{borrow::Cow, fmt};

use miette::{Diagnostic, LabeledSpan, Severity, SourceCode};

/// Multi-line text with visible control characters (`^[` or `\u009b`). Line breaks and tabs are kept.
pub fn visible(text: &str) -> Cow<'_, str> {
    match text.find(is_hidden) {
        None => Cow::Borrowed(text),
        Some(_) => Cow::Owned(shown(text, false)),
    }
}

/// The same for a pipe or a file, where a carriage return moves no cursor: it is kept, since scripts may expect it.
pub fn piped(text: &str) -> Cow<'_, str> {
    match text.contains('\r') {
        false => visible(text),
        true => Cow::Owned(text.split('\r').map(visible).collect::<Vec<_>>().join("\r")),
    }
}

/// Text that must stay on one line, such as a name: a line break is shown as ` `, so that no name can imitate a line of
/// the report.
pub fn one_line(text: &str) -> Cow<'_, str> {
    match text.find(|c| c == '\n' || is_hidden(c)) {
        None => Cow::Borrowed(text),
        Some(_) => Cow::Owned(shown(text, true)),
    }
}

/// Whether a terminal would interpret the character instead of showing it.
fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        // Bidirectional formatting characters (Unicode Annex 9).
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        // C0, DEL and C1.
        c => c.is_control(),
    }
}

fn shown(text: &str, one_line: bool) -> String {
    let mut shown = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' if one_line => shown.push_str("\\n"),
            // The line ending of Windows and network devices.
            '\r' if !one_line && chars.peek() == Some(&'\n') => shown.push(c),
            c if !is_hidden(c) => shown.push(c),
            c @ '\0'..='\u{1f}' => shown.extend(['^', char::from(c as u8 | 0x40)]),
            // Same as in JSON and YAML, so that their texts keep their value.
            c => shown.push_str(&format!("\\u{:04x}", c as u32)),
        }
    }
    shown
}

/// A diagnostic with visible texts; its source is handled separately ([`with_places`]).
pub struct Visible<'d>(&'d dyn Diagnostic, Option<Box<Visible<'d>>>);

impl<'d> Visible<'d> {
    pub fn new(diagnostic: &'d dyn Diagnostic) -> Self {
        let cause = diagnostic.diagnostic_source().map(|cause| Box::new(Visible::new(cause)));
        Visible(diagnostic, cause)
    }
}

impl fmt::Debug for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&self.0.to_string()))
    }
}

impl std::error::Error for Visible<'_> {}

impl Diagnostic for Visible<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.code()
    }

    fn severity(&self) -> Option<Severity> {
        self.0.severity()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.0.help()?.to_string();
        Some(Box::new(visible(&help).into_owned()))
    }

    fn url<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.url()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let visible_label = |label: LabeledSpan| {
            let text = label.label().map(|text| visible(text).into_owned());
            match label.primary() {
                true => LabeledSpan::new_primary_with_span(text, *label.inner()),
                false => LabeledSpan::new_with_span(text, *label.inner()),
            }
        };
        Some(Box::new(self.0.labels()?.map(visible_label)))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        self.0.related()
    }

    fn diagnostic_source(&self) -> Option<&dyn Diagnostic> {
        self.1.as_ref().map(|cause| &**cause as &dyn Diagnostic)
    }
}

/// A source text with each hidden character replaced by one of the same length in bytes, so that places stay valid.
/// `None` if there are none.
pub fn with_places(text: &str) -> Option<String> {
    let hidden = |c: char| c != '\r' && is_hidden(c);
    text.contains(hidden).then(|| {
        let seen = |c: char| match (hidden(c), c.len_utf8()) {
            (false, _) => c,
            (true, 1) => '?',
            (true, 2) => '\u{bf}',
            (true, _) => '\u{fffd}',
        };
        text.chars().map(seen).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        for (text, shown, named) in [
            ("plain ü \u{202f}", "plain ü \u{202f}", "plain ü \u{202f}"),
            ("\x1b[2J\x07", "^[[2J^G", "^[[2J^G"),
            ("\u{9b}31m\x7f", "\\u009b31m\\u007f", "\\u009b31m\\u007f"),
            ("abc\u{202e}fdp\u{2066}", "abc\\u202efdp\\u2066", "abc\\u202efdp\\u2066"),
            ("a\tb\nc", "a\tb\nc", "a\tb\\nc"),
            ("50%\r100%\r\n", "50%^M100%\r\n", "50%^M100%^M\\n"),
        ] {
            assert_eq!(visible(text), shown);
            assert_eq!(one_line(text), named);
        }
        for c in (0..0x3000).filter_map(char::from_u32) {
            let text = visible(&c.to_string()).into_owned();
            assert!(matches!(c, '\n' | '\t') || !text.chars().any(is_hidden), "{c:?}");
        }
    }

    #[test]
    fn places_in_a_source_stay_where_they_are() {
        let text = "a\x1b\u{9b}\u{202e}b\r\n";
        let seen = with_places(text).unwrap();
        assert_eq!(seen, "a?\u{bf}\u{fffd}b\r\n");
        assert_eq!(seen.len(), text.len());
        assert!(with_places("plain\r\n").is_none());
    }
}
