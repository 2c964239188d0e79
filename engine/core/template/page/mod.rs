//! Parsed templates, cached for the lifetime of the process.

pub(crate) mod nesting;
pub(crate) mod parsed_template;
pub(crate) mod reading;
