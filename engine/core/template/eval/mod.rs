//! Evaluation on the parser's tree.
//!
//! These files are mutually recursive by nature: expressions call macros, whose bodies are statements; statements
//! contain expressions; both read variables, which are templates themselves.

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
