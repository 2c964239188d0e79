//! Evaluation on the parser's tree.
//!
//! These files are mutually recursive by nature: expressions call macros, whose bodies are statements; statements
//! contain expressions; both read variables, which are templates themselves.

mod access;
mod blocks;
pub(crate) mod callable;
mod calls;
mod embedded;
pub(crate) mod files;
pub(crate) mod frame;
pub(crate) mod lazy;
pub(crate) mod library;
pub(crate) mod loops;
pub(crate) mod machine;
mod macros;
pub(crate) mod plugins;
pub(crate) mod render;
pub(crate) mod session;
pub(crate) mod statements;
pub(crate) mod template_file;
