//! Trace lines: what was sent where, and why. Shown on standard error with `-vvvv`.

use std::{
    io::{self, Write},
    sync::Arc,
};

use rplay::{secrets::Secrets, visible::visible};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt::{self, MakeWriter, time},
    layer::SubscriberExt,
    registry,
    util::SubscriberInitExt,
};

/// The verbosity from which trace lines are shown.
pub(crate) const VERBOSITY: u8 = 4;

/// Shows the library's trace lines from now on: seconds since the start, module, fields, message.
pub(crate) fn start(secrets: Arc<Secrets>) {
    let lines = fmt::layer().with_ansi(false).with_level(false).with_timer(time::uptime()).with_writer(Masked(secrets));
    // The console starts a run for each command; the first subscriber stays.
    let _ = registry().with(lines).with(Targets::new().with_target("rplay", LevelFilter::TRACE)).try_init();
}

/// Standard error without secrets. Each line is written at once.
struct Masked(Arc<Secrets>);

impl<'w> MakeWriter<'w> for Masked {
    type Writer = MaskedLine<'w>;

    fn make_writer(&'w self) -> Self::Writer {
        MaskedLine(&self.0)
    }
}

struct MaskedLine<'w>(&'w Secrets);

impl Write for MaskedLine<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let line_length = line.len();
        let line = String::from_utf8_lossy(line);
        io::stderr().lock().write_all(visible(&self.0.mask(&line)).as_bytes())?;
        Ok(line_length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
