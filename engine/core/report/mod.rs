//! Reports: they read events and do not depend on the engine.

mod answers;
mod callbacks;
mod channel;
mod log;
mod page;
mod run_report;
mod terminal;
mod words;

pub use answers::Answers;
pub use callbacks::{CallbackError, CallbackSetup, Callbacks};
pub use channel::{Channel, Reader};
pub use log::{Level, Log};
pub use run_report::{RunAbout, RunReport};
pub use terminal::{Explain, Look, Terminal};
