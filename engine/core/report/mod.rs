//! Reports: they read events and do not depend on the engine.

mod answers;
mod callbacks;
mod channel;
mod failures;
mod log;
mod look;
mod message;
mod page;
mod run_document;
mod run_report;
mod task_error;
mod terminal;
mod words;

pub use answers::Answers;
pub use callbacks::{CallbackError, CallbackSetup, Callbacks};
pub use channel::{Channel, Reader};
pub use log::{Level, Log};
pub use look::{Explain, Format, Look};
pub use run_document::RunAbout;
pub use run_report::RunReport;
pub use terminal::Terminal;
