//! The engine as a library; it knows no terminal.
//!
//! Floors, each using only those before it: `source`, `secrets`, `vault`, `syntax`, `vars`, `config`,
//! `inventory`, `template`, `plan`, `event`, `link`, `actions`, `run`, `report`.

pub mod config;
pub mod inventory;
pub mod secrets;
pub mod source;
pub mod syntax;
pub mod vars;
pub mod vault;
