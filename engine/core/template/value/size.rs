//! Limits on the size and depth of values that one operation creates.

use minijinja::Value;

use crate::{
    limits,
    template::value::error::{EvalError, EvalResult},
};

/// The error for a value that is nested too deeply; it may contain itself.
pub(crate) fn too_deep() -> Box<EvalError> {
    let most = limits::depth();
    EvalError::with_help(
        format!("recursive loop detected in template: a value is nested more than {most} levels deep"),
        "it may contain itself; otherwise, raise the setting `recursion_limit`",
    )
}

/// The error for a value that is too large.
pub(crate) fn too_large_value() -> Box<EvalError> {
    EvalError::new(format!("the value is too large: more than {} MiB", limits::LARGEST >> 20))
}

/// Maximum number of list items that one operation creates.
pub(crate) const MOST_ITEMS: usize = limits::LARGEST / size_of::<Value>();

/// The number of bytes or characters to create; 0 if negative.
///
/// # Errors
/// If it exceeds the limit for one operation.
pub(crate) fn room(count: i128) -> EvalResult<usize> {
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    fits(count).map(|()| count)
}

/// Rejects creating this many bytes.
pub(crate) fn fits(bytes: usize) -> EvalResult<()> {
    if bytes > limits::LARGEST { Err(too_large_value()) } else { Ok(()) }
}

/// Rejects creating a list of this many items.
pub(crate) fn items_fit(items: usize) -> EvalResult<()> {
    if items > MOST_ITEMS { Err(too_large_value()) } else { Ok(()) }
}

/// Rejects a replacement whose result would be too large.
pub(crate) fn fits_replaced(text: &str, old: &str, new: &str) -> EvalResult<()> {
    let longer = new.len().saturating_sub(old.len());
    // Counts matches only if the result could become too large.
    match longer.saturating_mul(text.len() + 1) <= limits::LARGEST {
        true => Ok(()),
        false => fits(longer.saturating_mul(text.matches(old).count())),
    }
}
