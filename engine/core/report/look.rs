//! The look of the output on a terminal: options and colours.

use miette::Diagnostic;

use super::{
    Deprecations, ResultFormat,
    palette::{Colour, Palette},
};
use crate::event::Counts;

/// Renders a diagnostic. The command line defines its look, and makes control characters visible.
pub type Explain = Box<dyn Fn(&dyn Diagnostic) -> String + Send>;

/// The options of the output.
pub struct Look {
    pub palette: Palette,
    pub columns: usize,
    pub verbosity: u8,
    /// Show hosts without changes (`display_ok_hosts`, `display_skipped_hosts`).
    pub show_ok: bool,
    /// Show the values of `set_stats` (`show_custom_stats`).
    pub custom_stats: bool,
    /// How results are written (`callback_result_format`, `callback_format_pretty`).
    pub results: ResultFormat,
    pub show_skipped: bool,
    /// Equal failures of a task share a box; otherwise each is shown before its result, as in ansible-core.
    pub boxes: bool,
    /// Failures go to standard error (`display_failed_stderr`).
    pub failures_aside: bool,
    /// Lines that the verbosity asks for go to standard error (`verbose_to_stderr`).
    pub verbose_aside: bool,
    /// Mark plays and tasks in check mode (`check_mode_markers`).
    pub check_markers: bool,
    /// The run as a whole is in check mode.
    pub check: bool,
    /// Show the place of failed tasks even without `-vv` (`show_task_path_on_failure`).
    pub failed_paths: bool,
    /// Show a line when a host starts a task (`show_per_host_start`).
    pub starts: bool,
    /// With `-v`, show the changes of results as phrases.
    pub changes: bool,
    /// Unchanged lines around differences (`diff context`).
    pub diff_context: usize,
    /// Whether a warning about a deprecation was shown.
    pub deprecations: Deprecations,
}

impl Look {
    /// A host's line of the recap.
    pub(super) fn recap_line(&self, host: &str, counts: &Counts) -> String {
        let colour = match counts {
            Counts { failed: 1.., .. } | Counts { unreachable: 1.., .. } => Colour::Failed,
            Counts { changed: 1.., .. } => Colour::Changed,
            _ => Colour::Ok,
        };
        let part = |name: &str, count: u32, colour: Colour| {
            let text = format!("{name}={count:<4}");
            if count > 0 { self.coloured(&text, colour) } else { text }
        };
        format!(
            "{}{} : {} {} {} {} {} {} {}",
            self.coloured(host, colour),
            " ".repeat(26_usize.saturating_sub(host.chars().count())),
            part("ok", counts.ok, Colour::Ok),
            part("changed", counts.changed, Colour::Changed),
            part("unreachable", counts.unreachable, Colour::Unreachable),
            part("failed", counts.failed, Colour::Failed),
            part("skipped", counts.skipped, Colour::Skipped),
            part("rescued", counts.rescued, Colour::Ok),
            part("ignored", counts.ignored, Colour::Warning),
        )
    }

    /// The suffix of a play's or task's name in check mode.
    pub(super) fn marker(&self, check: bool) -> &'static str {
        if check && self.check_markers { " [CHECK MODE]" } else { "" }
    }

    pub(super) fn coloured(&self, text: &str, colour: Colour) -> String {
        self.palette.coloured(text, colour)
    }
}
