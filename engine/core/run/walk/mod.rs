pub(crate) mod gathering;
pub(crate) mod include;
pub(crate) mod meta;
pub(crate) mod walk;
