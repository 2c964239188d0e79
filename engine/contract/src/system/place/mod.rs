//! Puts content into a file: optionally validated by a command, with an optional backup, and replaced atomically, so
//! that nobody ever reads partial content.

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
pub use shown::{Unshown, is_prepared, prepared, removal};
pub use validation::NOT_EXECUTED;
