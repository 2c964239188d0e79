//! A line of YAML, as a person reads it.

use std::ops::Range;

/// A line of a text, without its line break.
#[derive(Clone, Copy)]
pub(super) struct Line<'t> {
    pub whole: &'t str,
    pub start: usize,
    pub end: usize,
}

impl<'t> Line<'t> {
    pub(super) fn around(whole: &'t str, at: usize) -> Self {
        let at = at.min(whole.len());
        let start = whole.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let end = whole.get(at..).and_then(|rest| rest.find('\n')).map_or(whole.len(), |length| at + length);
        let end = start + whole.get(start..end).map_or(0, |line| line.trim_end_matches('\r').len());
        Line { whole, start, end }
    }

    /// The nearest line above that is neither empty nor a comment.
    pub(super) fn above(self) -> Option<Line<'t>> {
        let mut line = self;
        while line.start > 0 {
            line = Line::around(self.whole, line.start - 1);
            let text = line.text(self.whole, line.content());
            if !text.is_empty() && !text.starts_with('#') {
                return Some(line);
            }
        }
        None
    }

    pub(super) fn text(self, whole: &'t str, range: Range<usize>) -> &'t str {
        whole.get(range).unwrap_or_default()
    }

    pub(super) fn all(self) -> &'t str {
        self.text(self.whole, self.start..self.end)
    }

    /// Without indentation, trailing space and comment.
    pub(super) fn content(self) -> Range<usize> {
        let indent = self.all().len() - self.all().trim_start().len();
        let start = (self.start + indent).min(self.end);
        start..self.value_end().max(start)
    }

    /// The line's key, or the whole line, for messages.
    pub(super) fn shown(self) -> String {
        let entry = self.entry();
        let end = self.first_colon(usize::MAX).unwrap_or(entry.end);
        format!("`{}`", self.text(self.whole, entry.start..end))
    }

    /// The content without list dashes.
    pub(super) fn entry(self) -> Range<usize> {
        let Range { mut start, end } = self.content();
        while let Some(rest) = self.text(self.whole, start..end).strip_prefix("- ") {
            start = end - rest.trim_start().len();
        }
        start..end
    }

    /// Where a value ends that extends to the end of the line: before a comment and trailing space.
    pub(super) fn value_end(self) -> usize {
        let all = self.all();
        let mut quote = None;
        let mut before = ' ';
        let mut end = all.len();
        for (at, c) in all.char_indices() {
            match (quote, c) {
                (None, '#') if before.is_whitespace() => {
                    end = at;
                    break;
                }
                (None, '\'' | '"') if !before.is_alphanumeric() => quote = Some(c),
                (Some(open), c) if open == c => quote = None,
                _ => {}
            }
            before = c;
        }
        self.start + all[..end].trim_end().len()
    }

    /// The tabs in the indentation, or the one at `at`.
    pub(super) fn tabs(self, at: usize) -> Option<Range<usize>> {
        let all = self.all();
        let indent = &all[..all.len() - all.trim_start().len()];
        let from = match indent.find('\t') {
            Some(tab) => self.start + tab,
            None if self.whole.get(at..)?.starts_with('\t') => at,
            None => return None,
        };
        let rest = self.whole.get(from..)?;
        Some(from..from + (rest.len() - rest.trim_start_matches('\t').len()))
    }

    /// The first colon that ends a key, if it is before `limit`.
    pub(super) fn first_colon(self, limit: usize) -> Option<usize> {
        let entry = self.entry();
        let text = self.text(self.whole, entry.start..limit.min(entry.end));
        text.match_indices(':')
            .map(|(at, _)| at)
            .find(|at| text[at + 1..].starts_with(' ') || at + 1 == text.len())
            .map(|at| entry.start + at)
    }

    /// The start of a `{{` or `{%` that begins an unquoted value, up to `limit`.
    pub(super) fn bare_template(self, limit: usize) -> Option<usize> {
        let all = self.all();
        all.match_indices("{{")
            .chain(all.match_indices("{%"))
            .map(|(at, _)| at)
            .filter(|at| self.start + at <= limit)
            .find(|at| {
                let before = all[..*at].trim_end();
                let spaced = before.len() < *at || before.is_empty() || before.ends_with('[');
                spaced && (before.is_empty() || before.ends_with([':', '-', '[', ',']))
            })
            .map(|at| self.start + at)
    }
}
