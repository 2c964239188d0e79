//! What a lean agent says in the place of what it lacks: HTTP, the modules that need it in all that they do, and the
//! tables of encodings.
//!
//! `engine/dist/build` makes it with the feature `lean`. It is what a host gets first, because it takes less than half of a
//! full agent's time to unpack. The controller sends calls that need more to a full one.

use rplay_wire::{Call, Failure, Outcome};

use crate::Host;

pub(crate) const ABSENT: &str = "the lean agent cannot do this, and got the task by mistake: please report it";

/// Answers in the place of a module that it lacks.
pub(crate) fn absent(_: &Call, _: &Host) -> Outcome {
    Outcome::failed(Failure::new(ABSENT))
}
