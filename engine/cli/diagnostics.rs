//! Rendering of diagnostics; the only file that uses miette's graphics.

use std::{
    fmt,
    io::IsTerminal,
    sync::{Arc, LazyLock, OnceLock},
};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity, SourceCode};
use rplay::{
    config::Diagnostics,
    event::Deliveries,
    report::{Deprecations, Explain, Level, Log},
    secrets::Secrets,
    source::{Problems, SECRET},
    visible::{Visible, piped},
};

use crate::{output, plain};

/// A setting of an output format with a wrong value.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{setting} must be {wanted}, not `{text}` ({origin})")]
pub(crate) struct SettingError {
    pub setting: &'static str,
    pub wanted: &'static str,
    pub text: String,
    pub origin: String,
}

/// Secrets to mask in all output of this process, including the errors that end it.
static SECRETS: LazyLock<Arc<Secrets>> = LazyLock::new(Arc::default);
/// The agents being sent to hosts.
static DELIVERIES: LazyLock<Arc<Deliveries>> = LazyLock::new(Arc::default);
/// Whether a warning about a deprecation was shown.
static DEPRECATIONS: LazyLock<Deprecations> = LazyLock::new(Deprecations::default);
/// The log that also receives problems.
static LOG: OnceLock<Arc<Log>> = OnceLock::new();

/// The secrets of this process.
pub(crate) fn secrets() -> &'static Arc<Secrets> {
    &SECRETS
}

/// The agents that this process is sending.
pub(crate) fn deliveries() -> &'static Arc<Deliveries> {
    &DELIVERIES
}

/// Whether this process has shown a warning about a deprecation.
pub(crate) fn deprecations() -> &'static Deprecations {
    &DEPRECATIONS
}

/// Shows a warning without a place on standard error.
pub(crate) fn warn(message: &str) {
    let message = SECRETS.mask(message);
    let introduction = DEPRECATIONS.introduction(&message).map(|line| format!("{line}\n")).unwrap_or_default();
    output::aside(&format!("{introduction}{}\n", piped(&rplay::report::worded(&message, None, None))));
}

/// From now on, problems are also written to the log.
pub(crate) fn log_to(log: Arc<Log>) {
    // There is one run per process.
    let _ = LOG.set(log);
}

/// Shows problems on standard error.
pub(crate) fn show(problems: &Problems) {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let boxes = boxes(std::io::stderr().is_terminal());
    for (index, problem) in problems.0.iter().enumerate() {
        if index > 0 && boxes {
            output::aside("\n");
        }
        if let Some(line) = DEPRECATIONS.introduction(&problem.to_string()) {
            output::aside(&format!("{line}\n"));
        }
        let shown = if boxes { text(problem.as_ref(), colour, columns()) } else { lines(problem.as_ref()) };
        output::aside(&format!("{}\n", SECRETS.mask(&shown)));
        if let Some(log) = LOG.get() {
            log.record(Level::Error, &SECRETS.mask(&lines(problem.as_ref())));
        }
    }
}

/// Whether this process was called by one of Ansible's names.
static IS_ANSIBLE: OnceLock<bool> = OnceLock::new();

/// From now on, output looks like Ansible's unless a setting says otherwise.
pub(crate) fn be_ansible(called_so: bool) {
    // A process has one name.
    let _ = IS_ANSIBLE.set(called_so);
}

/// Whether this process was called by one of Ansible's names: scripts then read its output as Ansible's.
pub(crate) fn is_ansible() -> bool {
    IS_ANSIBLE.get().copied().unwrap_or_default()
}

/// The look of diagnostics, from the settings.
static LOOK: OnceLock<Diagnostics> = OnceLock::new();

/// Shows diagnostics in this look from now on.
pub(crate) fn look_like(look: Diagnostics) {
    // There is one run per process.
    let _ = LOOK.set(look);
}

/// Whether a diagnostic is shown as a box, on a terminal or elsewhere.
pub(crate) fn boxes(to_terminal: bool) -> bool {
    // The settings themselves may be invalid.
    let named = || std::env::var("RPLAY_DIAGNOSTICS").ok().and_then(|name| Diagnostics::named(&name));
    are_boxes(LOOK.get().copied().or_else(named).unwrap_or_default(), is_ansible(), to_terminal)
}

fn are_boxes(look: Diagnostics, is_ansible: bool, to_terminal: bool) -> bool {
    match look {
        Diagnostics::Auto => to_terminal || !is_ansible,
        Diagnostics::Boxes => true,
        Diagnostics::Lines => false,
    }
}

/// Renders a diagnostic as ansible-core does. Lines of decrypted files are not shown.
pub(crate) fn lines(diagnostic: &dyn Diagnostic) -> String {
    plain::text(&Visible::new(&Shown::of(diagnostic)))
}

/// How a report without boxes renders errors and warnings: like ansible-core, or not at all.
pub(crate) fn explanation() -> Option<Explain> {
    let as_lines = !boxes(std::io::stderr().is_terminal());
    as_lines.then(|| Box::new(|diagnostic: &dyn Diagnostic| lines(diagnostic)) as Explain)
}

/// Ansible's exit code for a file that cannot be read or parsed.
pub(crate) const UNREADABLE: u8 = 4;

/// Ansible's exit code for invalid options.
pub(crate) const OPTIONS: u8 = 5;

/// The exit code of a command that fails with these problems: invalid settings count as invalid options.
pub(crate) fn exit_code(problems: &Problems) -> u8 {
    let of_settings =
        problems.first_as::<rplay::config::ConfigError>().is_some() || problems.first_as::<SettingError>().is_some();
    if of_settings || rplay::vars::ExtraVarsError::is_misuse(problems) { OPTIONS } else { 1 }
}

/// Reports an error in the command line; returns the exit code.
pub(crate) fn refuse(message: &str) -> u8 {
    output::aside(&format!("[ERROR]: {}\n", SECRETS.mask(message)));
    OPTIONS
}

/// Shows the problems that end the run; returns the exit code.
pub(crate) fn end(problems: &Problems, exit_code: u8) -> u8 {
    show(problems);
    exit_code
}

/// Renders a diagnostic with its source. Lines of decrypted files are not shown.
pub(crate) fn text(diagnostic: &dyn Diagnostic, colour: bool, columns: usize) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(columns).with_context_lines(1).with_links(false);
    let mut text = String::new();
    let shown = Shown::of(diagnostic);
    match handler.render_report(&mut text, &Visible::new(&shown)) {
        Ok(()) => text.trim_end().to_owned(),
        Err(_) => diagnostic.to_string(),
    }
}

/// A diagnostic that is safe to show: for a decrypted file it gives the place, but no source lines and no help,
/// which might quote them.
struct Shown<'d> {
    inner: &'d dyn Diagnostic,
    /// Masked before it is wrapped into lines.
    message: String,
    /// Whether it points into a decrypted file.
    secret: bool,
    related: Vec<Shown<'d>>,
    cause: Option<Box<Shown<'d>>>,
}

impl<'d> Shown<'d> {
    fn of(inner: &'d dyn Diagnostic) -> Self {
        let place = decrypted_place(inner);
        let message = SECRETS.mask(&inner.to_string()).into_owned();
        Shown {
            inner,
            message: match &place {
                Some(place) => format!("{message}\nat {place}; its lines are not shown because it is encrypted"),
                None => message,
            },
            secret: place.is_some(),
            related: inner.related().into_iter().flatten().map(Shown::of).collect(),
            cause: inner.diagnostic_source().map(|cause| Box::new(Shown::of(cause))),
        }
    }
}

/// The place of a diagnostic in a decrypted file: `file:line:column`.
fn decrypted_place(diagnostic: &dyn Diagnostic) -> Option<String> {
    let label = diagnostic.labels()?.next()?;
    let content = diagnostic.source_code()?.read_span(label.inner(), 0, 0).ok()?;
    let at = || format!("{}:{}:{}", content.name().unwrap_or_default(), content.line() + 1, content.column() + 1);
    (content.language() == Some(SECRET)).then(at)
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.inner.code()
    }

    fn severity(&self) -> Option<Severity> {
        self.inner.severity()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.inner.help().filter(|_| !self.secret)
    }

    fn url<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.inner.url()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.inner.source_code().filter(|_| !self.secret)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.inner.labels().filter(|_| !self.secret)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        let related =
            || Box::new(self.related.iter().map(|shown| shown as &dyn Diagnostic)) as Box<dyn Iterator<Item = _>>;
        (!self.related.is_empty()).then(related)
    }

    fn diagnostic_source(&self) -> Option<&dyn Diagnostic> {
        self.cause.as_deref().map(|cause| cause as &dyn Diagnostic)
    }
}

/// The width of the terminal, or 100.
pub(crate) fn columns() -> usize {
    if let Some(columns) = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).filter(|c| *c > 20) {
        return columns;
    }
    terminal_columns().unwrap_or(100)
}

fn terminal_columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 20).then_some(size.ws_col.into())
}

#[cfg(test)]
mod tests {
    use rplay::config::Diagnostics::{Auto, Boxes, Lines};

    use super::are_boxes;

    #[test]
    fn only_ansibles_names_write_lines_by_themselves_and_off_a_terminal() {
        for (look, is_ansible, to_terminal, boxes) in [
            (Auto, false, false, true),
            (Auto, false, true, true),
            (Auto, true, false, false),
            (Auto, true, true, true),
            (Boxes, true, false, true),
            (Lines, false, true, false),
        ] {
            assert_eq!(are_boxes(look, is_ansible, to_terminal), boxes, "{look:?} {is_ansible} {to_terminal}");
        }
    }
}
