//! Templates as they are parsed: once per process.

pub(crate) mod nesting;
pub(crate) mod parsed_template;
pub(crate) mod reading;
