//! The inputs that settings are read from.

use std::path::Path;

/// The environment and the working directory, from which settings are read.
pub struct ConfigInputs<'s> {
    pub env: &'s dyn Fn(&str) -> Option<String>,
    pub directory: &'s Path,
}
