//! Readers of events. Nothing here knows the engine: what a person sees comes from events alone.

mod channel;
mod terminal;
mod words;

pub use channel::Channel;
pub use terminal::{Explain, Look, Terminal};
