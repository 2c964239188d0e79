pub(crate) mod play;
pub(crate) mod preflight;
