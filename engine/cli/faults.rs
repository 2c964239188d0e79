//! How faults look: the one place that knows miette's graphics.

use std::io::IsTerminal;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use rplay::{source::Problems, visible::Visible};

use crate::output;

/// Shows problems on standard error.
pub fn show(problems: &Problems) {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    for (index, problem) in problems.0.iter().enumerate() {
        if index > 0 {
            output::aside("\n");
        }
        output::aside(&format!("{}\n", text(problem.as_ref(), colour, columns())));
    }
}

/// Ansible's exit code for a file that cannot be read or understood.
pub const UNREADABLE: u8 = 4;

/// Shows what ends the run, and gives the exit code back.
pub fn end(problems: &Problems, exit_code: u8) -> u8 {
    show(problems);
    exit_code
}

/// A diagnostic with its place, drawn.
pub fn text(diagnostic: &dyn Diagnostic, colour: bool, columns: usize) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(columns).with_context_lines(1).with_links(false);
    let mut text = String::new();
    let diagnostic = Visible::new(diagnostic);
    match handler.render_report(&mut text, &diagnostic) {
        Ok(()) => text.trim_end().to_owned(),
        Err(_) => diagnostic.to_string(),
    }
}

/// The width of the terminal, or 100.
pub fn columns() -> usize {
    if let Some(columns) = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).filter(|c| *c > 20) {
        return columns;
    }
    terminal_columns().unwrap_or(100)
}

nix::ioctl_read_bad!(window_size, nix::libc::TIOCGWINSZ, nix::libc::winsize);

fn terminal_columns() -> Option<usize> {
    let mut size = nix::libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel fills in the structure that it is given.
    unsafe { window_size(nix::libc::STDOUT_FILENO, &mut size) }.ok()?;
    (size.ws_col > 20).then_some(size.ws_col.into())
}
