pub(crate) mod target;
