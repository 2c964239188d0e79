//! Reports: they read events and do not depend on the engine.

mod additions;
mod adhoc_report;
mod callbacks;
mod channel;
mod columns;
mod deprecations;
mod differences;
mod failures;
mod formats;
mod layout;
mod live;
mod log;
mod look;
mod message;
mod page;
mod palette;
mod result_format;
mod run_document;
mod run_report;
mod task_error;
mod terminal;
mod values;
mod warning;

pub use additions::{
    Added, Addition, Junit, JunitOptions, LogPlays, Order, Profile, ProfileOf, Timer, Tree, WithAdditions,
};
pub use adhoc_report::AdhocReport;
pub use callbacks::{CallbackError, CallbackSetup, Callbacks};
pub use channel::{Channel, Reader};
pub use deprecations::Deprecations;
pub use formats::{Dense, Format, JsonDocument, JsonLines, JsonOptions, Output, Quiet};
pub use live::{Live, Screen};
pub use log::{Level, Log};
pub use look::{Explain, Look};
pub use palette::{Colour, Palette};
pub use result_format::ResultFormat;
pub use run_document::RunAbout;
pub use run_report::RunReport;
pub use terminal::Terminal;
pub use warning::worded;
