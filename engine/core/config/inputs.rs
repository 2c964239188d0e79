//! What settings are read from.

use std::path::Path;

/// The inputs that settings are read from.
pub struct ConfigInputs<'s> {
    pub env: &'s dyn Fn(&str) -> Option<String>,
    pub directory: &'s Path,
}
