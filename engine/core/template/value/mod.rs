//! Python's values on top of minijinja's: formatting, comparison, arithmetic, sorting, and undefined values.

pub(crate) mod big;
pub(crate) mod containers;
pub(crate) mod depth;
pub(crate) mod error;
pub(crate) mod exchange;
pub(crate) mod format;
pub(crate) mod freeze;
pub(crate) mod integer_set;
pub(crate) mod items;
pub(crate) mod number;
pub(crate) mod ops;
pub(crate) mod place;
pub(crate) mod show;
pub(crate) mod size;
pub(crate) mod sort;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod undefined;
