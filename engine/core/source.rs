//! Source texts, and places in them.

use std::{
    fmt, io,
    ops::Range,
    path::{Component, Path, PathBuf},
    sync::{Arc, OnceLock},
};

use crate::files;
use miette::{Diagnostic, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use crate::visible::{self, with_places};

/// A source text: a file, an `-e` argument, or generated text.
pub struct Source {
    /// The displayed name; relative to the working directory if that is shorter.
    pub name: String,
    /// The path, if it is a file.
    pub path: Option<PathBuf>,
    pub text: String,
    /// The text that diagnostics quote, if it contains control characters.
    shown: OnceLock<Option<String>>,
    /// Whether the text was decrypted: diagnostics must not quote it.
    pub secret: bool,
}

/// The language of secret sources. Their content is empty, so a diagnostic names the place instead of quoting it.
pub const SECRET: &str = "secret";

impl Source {
    /// Reads a file as UTF-8; a byte-order mark is removed.
    ///
    /// # Errors
    /// If it cannot be read, or is not UTF-8.
    pub fn read(path: &Path) -> io::Result<Arc<Self>> {
        let text = files::read_text(path)?;
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Ok(Source::of(display_name(path), Some(path.to_owned()), text))
    }

    /// A text that is not a file.
    pub fn inline(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Source::of(name.into(), None, text.into())
    }

    /// A text with this file as its origin.
    pub fn of(name: String, path: Option<PathBuf>, text: String) -> Arc<Self> {
        Arc::new(Source { name, path, text, shown: OnceLock::new(), secret: false })
    }

    /// A decrypted text: diagnostics give places but never quote it.
    pub fn decrypted(name: String, path: Option<PathBuf>, text: String) -> Arc<Self> {
        Arc::new(Source { name, path, text, shown: OnceLock::new(), secret: true })
    }

    /// The text as it may be shown, with the same length.
    fn shown(&self) -> &str {
        self.shown.get_or_init(|| with_places(&self.text)).as_deref().unwrap_or(&self.text)
    }

    /// Line and column of a byte offset, 1-based; columns count characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        (line, before[start..].chars().count() + 1)
    }
}

/// The working directory. It never changes, and is needed for every task.
fn here() -> Option<&'static Path> {
    static HERE: OnceLock<Option<PathBuf>> = OnceLock::new();
    HERE.get_or_init(|| std::env::current_dir().ok()).as_deref()
}

/// The absolute path, without `.` and `..`.
pub fn absolute(path: &Path) -> String {
    let path = match here() {
        Some(here) if !path.as_os_str().is_empty() => here.join(path),
        _ => path.to_owned(),
    };
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(clean.pop()),
            part => clean.push(part),
        }
    }
    clean.display().to_string()
}

/// The path as a user would write it in the working directory.
pub fn display_name(path: &Path) -> String {
    let path = path.strip_prefix(".").unwrap_or(path);
    here()
        .and_then(|here| path.strip_prefix(here).ok())
        .filter(|shorter| !shorter.as_os_str().is_empty())
        .unwrap_or(path)
        .display()
        .to_string()
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.name)
    }
}

/// A place in a source, as a byte range. In a diagnostic, one field can serve as both `#[source_code]` and
/// `#[label]`.
#[derive(Clone)]
pub struct Span {
    pub source: Arc<Source>,
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(source: &Arc<Source>, range: Range<usize>) -> Self {
        let limit = source.text.len();
        let start = range.start.min(limit);
        Span { source: source.clone(), start: start as u32, end: range.end.clamp(start, limit) as u32 }
    }

    /// Another byte range in the same source.
    pub fn at(&self, range: Range<usize>) -> Self {
        Span::new(&self.source, range)
    }

    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The text at this place.
    pub fn text(&self) -> &str {
        self.source.text.get(self.range()).unwrap_or_default()
    }

    /// `file:line:column`.
    pub fn with_column(&self) -> String {
        let (line, column) = self.line_column();
        format!("{}:{line}:{column}", self.source.name)
    }

    /// `file:line:column` with the whole path of the file, as ansible-core names the origin of a value.
    pub fn origin(&self) -> String {
        let (line, column) = self.line_column();
        format!("{}:{line}:{column}", self.file())
    }

    /// The whole path of the file.
    pub fn file(&self) -> String {
        self.source.path.as_deref().map_or_else(|| self.source.name.to_string(), absolute)
    }

    /// Line and column of the start, 1-based.
    pub fn line_column(&self) -> (usize, usize) {
        self.source.line_column(self.start as usize)
    }

    /// From the start of this span to the end of the other.
    pub fn to(&self, other: &Span) -> Self {
        Span::new(&self.source, self.start as usize..other.end as usize)
    }
}

impl fmt::Display for Span {
    /// `file:line`, the format of Ansible's task paths.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source.name, self.line_column().0)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

impl Span {
    /// Whether the value here was written after the tag `!unsafe`.
    pub fn is_unsafe(&self) -> bool {
        let before = self.source.text.get(..self.range().start).unwrap_or_default();
        before.trim_end().ends_with("!unsafe") || self.text().starts_with("!unsafe")
    }
}

impl From<Span> for SourceSpan {
    fn from(span: Span) -> Self {
        span.range().into()
    }
}

impl SourceCode for Span {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inner = self.source.shown().read_span(span, lines_before, lines_after)?;
        if self.source.secret {
            let (line, column) = self.source.line_column(span.offset());
            let name = visible::one_line(&self.source.name).into_owned();
            let content = MietteSpanContents::new_named(name, &[], *span, line - 1, column - 1, 1);
            return Ok(Box::new(content.with_language(SECRET)));
        }
        Ok(Box::new(MietteSpanContents::new_named(
            visible::one_line(&self.source.name).into_owned(),
            inner.data(),
            *inner.span(),
            inner.line(),
            inner.column(),
            inner.line_count(),
        )))
    }
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// A diagnostic of any module. Each module has its own enum; this is their common type.
pub type Problem = Box<dyn Diagnostic + Send + Sync>;

/// All problems that were found, in reading order.
#[derive(Debug, Default, thiserror::Error)]
#[error("{} problem{} found", .0.len(), if .0.len() == 1 { "" } else { "s" })]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    pub fn push(&mut self, problem: impl Diagnostic + Send + Sync + 'static) {
        self.0.push(Box::new(problem));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first problem, if there is one and it is an `E`.
    pub fn first_as<E: std::error::Error + 'static>(&self) -> Option<&E> {
        let first: &(dyn std::error::Error + 'static) = &**self.0.first()?;
        first.downcast_ref()
    }

    /// All messages on one line, each with its place unless it is in the current file: for results of tasks that
    /// read a file.
    pub fn told(&self, at_hand: &Span) -> String {
        let told = |problem: &Problem| match Place::of(&**problem).filter(|place| place.name != at_hand.source.name) {
            Some(Place { name, line, column }) => format!("{problem} ({name}:{line}:{column})"),
            None => problem.to_string(),
        };
        self.0.iter().map(told).collect::<Vec<_>>().join("; ")
    }

    /// Only the messages, on one line: for text that is not in a file.
    pub fn messages(&self) -> String {
        self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    /// All problems on one line, formatted by [`one_line`].
    pub fn one_line(&self) -> String {
        self.0.iter().map(|problem| one_line(&**problem)).collect::<Vec<_>>().join("; ")
    }

    /// `value`, unless problems were found.
    ///
    /// # Errors
    /// The problems, if there are any.
    pub fn unless_any<T>(self, value: T) -> Result<T, Problems> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl<E: Diagnostic + Send + Sync + 'static> From<E> for Problems {
    fn from(problem: E) -> Self {
        Problems(vec![Box::new(problem)])
    }
}

/// The place of a problem: its first label. Line and column are 1-based.
struct Place {
    name: String,
    line: usize,
    column: usize,
}

impl Place {
    fn of(problem: &(dyn Diagnostic + Send + Sync)) -> Option<Self> {
        let label = problem.labels()?.next()?;
        let content = problem.source_code()?.read_span(label.inner(), 0, 0).ok()?;
        let name = content.name().unwrap_or("?").to_owned();
        Some(Place { name, line: content.line() + 1, column: content.column() + 1 })
    }
}

/// A problem on one line, followed by its place (`file:line`), if any, and its help.
pub fn one_line(problem: &(dyn Diagnostic + Send + Sync)) -> String {
    let mut text = problem.to_string();
    text.extend(Place::of(problem).map(|place| format!(" ({}:{})", place.name, place.line)));
    if let Some(help) = problem.help() {
        text.push_str(&format!("; {help}"));
    }
    text
}

/// The place of a problem; `None` if it has none, or none that may be shown.
pub fn span_of(problem: &(dyn Diagnostic + Send + Sync)) -> Option<Span> {
    const WHOLE: usize = u32::MAX as usize;
    let label = problem.labels()?.next()?;
    let content = problem.source_code()?.read_span(label.inner(), WHOLE, WHOLE).ok()?;
    if content.language() == Some(SECRET) {
        return None;
    }
    let text = std::str::from_utf8(content.data()).ok()?;
    let source = Source::of(content.name().unwrap_or_default().to_owned(), None, text.to_owned());
    let start = label.offset().checked_sub(content.span().offset())?;
    Some(Span::new(&source, start..start + label.len()))
}

/// Maximum length in bytes of a name for suggestions.
const LONGEST_NAME: usize = 256;

/// The name in `known` that is closest to a misspelled one.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let allowed = (name.chars().count() / 3).clamp(1, 3);
    // Each difference in length is at least one edit; computing the distance of long texts is expensive.
    let near = |candidate: &&str| candidate.len().abs_diff(name.len()) <= allowed * 4 && name.len() <= LONGEST_NAME;
    known
        .into_iter()
        .filter(near)
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
