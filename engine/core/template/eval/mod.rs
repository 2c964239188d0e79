//! Evaluation over the parser's tree.
//!
//! These files are one circle, and cannot be otherwise: an expression may call a macro, whose body is statements; a
//! statement holds expressions; both read variables, which are templates that are rendered when they are read.

pub(crate) mod callable;
pub(crate) mod files;
pub(crate) mod frame;
pub(crate) mod lazy;
pub(crate) mod library;
pub(crate) mod machine;
pub(crate) mod plugins;
pub(crate) mod render;
pub(crate) mod statements;
pub(crate) mod template_file;
