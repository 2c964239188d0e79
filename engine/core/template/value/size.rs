//! How large and how deep the values that one operation makes may be.

use minijinja::Value;

use crate::{
    limits,
    template::value::error::{EvalError, EvalResult},
};

/// A value is nested deeper than anything should be; it may hold itself.
pub(crate) fn too_deep() -> Box<EvalError> {
    let most = limits::depth();
    EvalError::with_help(
        format!("recursive loop detected in template: a value is nested more than {most} levels deep"),
        "does it hold itself? The setting `recursion_limit` allows more levels",
    )
}

/// A value is larger than memory should be spent on.
pub(crate) fn too_large_value() -> Box<EvalError> {
    EvalError::new(format!("the value is too large: more than {} MiB", limits::LARGEST >> 20))
}

/// The most items of a list that one operation makes.
pub(crate) const MOST_ITEMS: usize = limits::LARGEST / size_of::<Value>();

/// A number of bytes or characters that are to be made: none if it is negative.
///
/// # Errors
/// There are more than one operation may make.
pub(crate) fn room(count: i128) -> EvalResult<usize> {
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    fits(count).map(|()| count)
}

/// Refuses to make so many bytes.
pub(crate) fn fits(bytes: usize) -> EvalResult<()> {
    if bytes > limits::LARGEST { Err(too_large_value()) } else { Ok(()) }
}

/// Refuses to make a list of so many items.
pub(crate) fn items_fit(items: usize) -> EvalResult<()> {
    if items > MOST_ITEMS { Err(too_large_value()) } else { Ok(()) }
}

/// Refuses a replacement that would make too large a text.
pub(crate) fn fits_replaced(text: &str, old: &str, new: &str) -> EvalResult<()> {
    let longer = new.len().saturating_sub(old.len());
    // What cannot become too large is not counted.
    match longer.saturating_mul(text.len() + 1) <= limits::LARGEST {
        true => Ok(()),
        false => fits(longer.saturating_mul(text.matches(old).count())),
    }
}
