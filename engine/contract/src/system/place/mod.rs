//! Puts content into a file: checked by a command if asked, a copy of the old one kept if asked, and
//! replaced in one step, so that nobody ever reads half of it.

mod backup;
mod content;
mod placement;
mod shown;
#[cfg(test)]
mod tests;
mod validation;

pub use backup::backup;
pub use content::Content;
pub use placement::Placement;
pub use shown::{MAX_DIFF, removal};
