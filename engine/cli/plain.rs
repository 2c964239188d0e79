//! Diagnostics in ansible-core's format, for pipes and files: scripts search for its words. No line is wrapped.

use std::{fmt::Write, path::Path};

use miette::{Diagnostic, LabeledSpan, Severity, SourceCode};
use rplay::{source, visible::one_line};
use rplay_contract::external::is_deprecation;

/// Number of lines quoted before the place.
const BEFORE: usize = 2;

/// Maximum length of a quoted line with its number, in characters.
const LONGEST: usize = 120;

/// A diagnostic as text: `[ERROR]: message`, its place, the lines up to the place, and its help.
///
/// A cause (`diagnostic_source`) has its own part, and so does each related diagnostic.
pub(crate) fn text(diagnostic: &dyn Diagnostic) -> String {
    let mut text = String::new();
    one(diagnostic, &mut text);
    let is_long = is_deprecation(&text) && text.trim_end().contains('\n');
    let placed = is_long || text.trim_end_matches('\n').lines().count() > diagnostic.to_string().lines().count();
    text.truncate(text.trim_end_matches('\n').len());
    // A blank line sets it apart from what follows.
    if placed {
        text.push('\n');
    }
    text
}

fn one(diagnostic: &dyn Diagnostic, text: &mut String) {
    let message = diagnostic.to_string();
    let word = match diagnostic.severity() {
        Some(Severity::Warning | Severity::Advice) if is_deprecation(&message) => "DEPRECATION WARNING",
        Some(Severity::Warning | Severity::Advice) => "WARNING",
        _ => "ERROR",
    };
    let _ = writeln!(text, "[{word}]: {message}");
    let cause = diagnostic.diagnostic_source();
    if let Some(cause) = cause {
        // The cause's message is shown with its own place.
        let own = message.strip_suffix(&cause.to_string()).unwrap_or(&message);
        let _ = writeln!(text, "\n{}.", own.trim_end_matches([' ', ':']));
    }
    part(diagnostic, text);
    let mut next = cause;
    while let Some(cause) = next {
        next = cause.diagnostic_source();
        let message = cause.to_string();
        let own = match &next {
            Some(inner) => {
                let own = message.strip_suffix(&inner.to_string()).unwrap_or(&message);
                format!("{}.", own.trim_end_matches([' ', ':']))
            }
            None => message,
        };
        let _ = writeln!(text, "<<< caused by >>>\n\n{own}");
        part(cause, text);
    }
    for related in diagnostic.related().into_iter().flatten() {
        one(related, text);
    }
}

/// The place and the help text.
fn part(diagnostic: &dyn Diagnostic, text: &mut String) {
    let labels: Vec<LabeledSpan> = diagnostic.labels().into_iter().flatten().collect();
    let mut placed = false;
    if let Some(code) = diagnostic.source_code() {
        for label in &labels {
            placed |= place(code, label, text).is_some();
        }
    }
    if let Some(help) = diagnostic.help() {
        let _ = writeln!(text, "{}{help}\n", if placed { "" } else { "\n" });
    } else if !placed {
        text.push('\n');
    }
}

/// `Origin: file:line:column`, and the lines.
fn place(code: &dyn SourceCode, label: &LabeledSpan, text: &mut String) -> Option<()> {
    let exact = code.read_span(label.inner(), 0, 0).ok()?;
    let (line, column) = (exact.line() + 1, exact.column() + 1);
    let name = exact.name().unwrap_or_default();
    // Text without lines is quoted as it is.
    if name.starts_with('<') && name.ends_with('>') {
        let quoted = String::from_utf8_lossy(exact.data());
        let _ = writeln!(text, "Origin: {name}\n\n{}\n", one_line(&quoted));
        return Some(());
    }
    let file = if Path::new(name).exists() { source::absolute(Path::new(name)) } else { name.to_owned() };
    let _ = writeln!(text, "Origin: {file}:{line}:{column}\n");
    // With one more line: without it, the content would end at the span's end, not at the end of its line.
    let seen = code.read_span(label.inner(), BEFORE, 1).ok()?;
    let lines = String::from_utf8_lossy(seen.data()).into_owned();
    let width = line.to_string().len();
    let quoted = (seen.line() + 1..=line).zip(lines.lines());
    // A source may return more than requested.
    for (number, quoted) in quoted.filter(|(number, _)| number + BEFORE >= line) {
        let whole = format!("{number:>width$} {}", one_line(quoted));
        let cut = match whole.char_indices().nth(LONGEST) {
            Some(_) => whole.chars().take(LONGEST - 3).chain("...".chars()).collect::<String>(),
            None => whole,
        };
        let _ = writeln!(text, "{}", cut.trim_end());
    }
    let said =
        label.label().filter(|said| !said.is_empty()).map(|said| format!(": {}", one_line(said))).unwrap_or_default();
    let _ = writeln!(text, "{}^ column {column}{said}\n", " ".repeat(width + column));
    Some(())
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use miette::{Diagnostic, LabeledSpan, SourceCode};
    use rplay::source::{Source, Span};

    use super::text;

    #[derive(Debug, thiserror::Error)]
    #[error("{message}")]
    struct Told {
        message: &'static str,
        place: Option<Span>,
        label: Option<&'static str>,
        help: Option<&'static str>,
        cause: Option<Box<Told>>,
    }

    impl Diagnostic for Told {
        fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
            self.help.map(|help| Box::new(help) as Box<dyn fmt::Display>)
        }

        fn source_code(&self) -> Option<&dyn SourceCode> {
            self.place.as_ref().map(|place| place as &dyn SourceCode)
        }

        fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
            let label = self.label.map(str::to_owned);
            let of = move |place: &Span| LabeledSpan::new_with_span(label.clone(), place.range());
            Some(Box::new(self.place.iter().map(of)))
        }

        fn diagnostic_source(&self) -> Option<&dyn Diagnostic> {
            self.cause.as_deref().map(|cause| cause as &dyn Diagnostic)
        }
    }

    fn at(lines: &str, word: &str) -> Option<Span> {
        let source = Source::inline("play.yml (inline)", lines);
        let start = lines.find(word).unwrap();
        Some(Span::new(&source, start..start + word.len()))
    }

    /// Same as ansible-core 2.19, except for the label and the help.
    #[test]
    fn as_ansible_writes_it() {
        let long = format!("a\n\n{}\n  - here: x\n", "b".repeat(130));
        let told = Told {
            message: "Task failed: Module failed: no",
            place: at(&long, "here"),
            label: Some("failed on a"),
            help: Some("do it"),
            cause: None,
        };
        let quoted = "b".repeat(115);
        assert_eq!(
            text(&told),
            format!(
                "[ERROR]: Task failed: Module failed: no\nOrigin: play.yml (inline):4:5\n\n2\n3 {quoted}...\n4   - here: \
                 x\n      ^ column 5: failed on a\n\ndo it\n"
            )
        );
        let bare = Told { message: "no", place: None, label: None, help: None, cause: None };
        assert_eq!(text(&bare), "[ERROR]: no");
    }

    #[test]
    fn a_word_of_the_command_line_has_no_line() {
        let source = Source::inline("<CLI option '-e'>", "tasks");
        let place = Some(Span::new(&source, 0..5));
        let told = Told { message: "no", place, label: None, help: None, cause: None };
        assert_eq!(text(&told), "[ERROR]: no\nOrigin: <CLI option '-e'>\n\ntasks\n");
    }

    #[test]
    fn a_cause_has_its_own_place() {
        let lines = "- name: x\n  when: y\n";
        let cause = Told { message: "'y' is undefined", place: at(lines, "y"), label: None, help: None, cause: None };
        let told = Told {
            message: "Task failed: condition: 'y' is undefined",
            place: at(lines, "name"),
            label: None,
            help: None,
            cause: Some(Box::new(cause)),
        };
        let shown = text(&told);
        for part in ["Task failed: condition.\n", ":1:3\n", "<<< caused by >>>\n\n'y' is undefined\n"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
}
