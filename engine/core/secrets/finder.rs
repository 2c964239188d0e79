//! Finds many texts within another one, in one pass.

use std::{ops::Range, sync::Arc};

use aho_corasick::{AhoCorasick, MatchKind};
use regex::Regex;

/// Searches for a set of encodings.
#[derive(Debug)]
pub(super) struct Finder {
    spellings: Vec<Arc<str>>,
    /// `None` only if there are too many encodings: then everything is masked.
    exact: Option<AhoCorasick>,
    /// Encodings with white space, which may be wrapped differently where text was reformatted (YAML folds lines and
    /// indents blocks).
    loose: Option<Regex>,
}

impl Finder {
    pub(super) fn of(spellings: Vec<Arc<str>>) -> Self {
        let exact = AhoCorasick::builder()
            // All matches count, not only the first of overlapping ones.
            .match_kind(MatchKind::Standard)
            .build(spellings.iter().map(|text| text.as_bytes()))
            .ok();
        let loose: Vec<String> = spellings.iter().filter_map(|text| loosely(text)).collect();
        let (mut exact, mut regex) = (exact, None);
        if !loose.is_empty() {
            match regex::RegexBuilder::new(&loose.join("|")).size_limit(256 << 20).build() {
                Ok(built) => regex = Some(built),
                Err(_) => exact = None,
            }
        }
        Finder { spellings, exact, loose: regex }
    }

    pub(super) fn spellings(&self) -> &[Arc<str>] {
        &self.spellings
    }

    fn find(&self, text: &str, ranges: &mut Vec<Range<usize>>) {
        match &self.exact {
            Some(exact) => ranges.extend(exact.find_overlapping_iter(text).map(|found| found.range())),
            None => ranges.push(0..text.len()),
        }
        if let Some(loose) = &self.loose {
            ranges.extend(loose.find_iter(text).map(|found| found.range()));
        }
    }
}

/// The ranges of all matches, in order; overlapping ones are merged.
pub(super) fn ranges(finders: &[Arc<Finder>], text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    finders.iter().for_each(|finder| finder.find(text, &mut found));
    found.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for range in found {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// An expression for a text whose white space may have changed; `None` for a single word.
fn loosely(text: &str) -> Option<String> {
    let words: Vec<String> = text.split_ascii_whitespace().map(regex::escape).collect();
    (words.len() > 1).then(|| words.join(r"[ \t\r\n]+"))
}
