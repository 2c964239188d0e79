//! Readers of events. Nothing here knows the engine: what a person sees comes from events alone.

mod answers;
mod callbacks;
mod channel;
mod log;
mod terminal;
mod words;

pub use answers::Answers;
pub use callbacks::{CallbackError, CallbackSetup, Callbacks};
pub use channel::{Channel, Reader};
pub use log::{Level, Log};
pub use terminal::{Explain, Look, Terminal};
