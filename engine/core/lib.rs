//! The engine as a library; it knows no terminal.
//!
//! Floors, each using only those before it: `source`, `syntax`, `inventory`, `vars`, `template`, `plan`,
//! `event`, `link`, `actions`, `run`, `report`.

pub mod source;
pub mod syntax;
pub mod template;
pub mod vars;
