//! The protocol between controller and agent.
//!
//! Both ends are always of the same build (the controller identifies the agent on a host by its digest), so frames
//! carry no version, and no field is optional for the sake of compatibility. Everything received is validated
//! nevertheless: a frame that is too long or cannot be decoded is a [`FrameError`].

// A panic ends all plays or all calls; what cannot happen is an error like any other.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod bounds;
mod call;
mod frame;
pub mod hex;
pub mod number;
mod outcome;
pub mod percent;
mod pieces;
mod text;
mod value;

pub use bounds::MAX_DEPTH;
pub use call::{AGENT_PATH, Background, Batch, Become, BecomePlugin, Call, Mode, Reply, Request, Stage};
pub use frame::{
    FrameError, MARKER, MAX_FRAME, MAX_REPLY, decode, decode_at_most, encode, read_frame, read_reply, write_frame,
};
pub use outcome::{Diff, Failure, Outcome};
pub use pieces::{MAX_OUTCOME, PIECE, Pieces, outcome_frames};
pub use text::{json_text, python_text};
pub use value::{Blob, Map, Value};
