//! A dict with its own arguments inside another module's arguments, such as a network or a mount.

use std::ops::Deref;

use rplay_wire::Value;

use crate::{
    ArgError, Args,
    args::{self, ArgType},
};

/// The arguments `T` as a dict. Unknown keys are errors.
#[derive(Clone, Debug)]
pub(crate) struct Nested<T>(pub T);

impl<T: Args> ArgType for Nested<T> {
    const KIND: &'static str = "dict";

    fn parse(value: &Value) -> Result<Self, String> {
        let map = args::dict(value)?;
        let known = T::args();
        if let Some(other) = args::unknown(&known, map) {
            let known: Vec<_> = known.iter().map(|arg| arg.name).collect();
            return Err(format!("has an unknown key `{other}` (supported: {})", known.join(", ")));
        }
        T::from_map(map).map(Nested).map_err(incomplete)
    }
}

fn incomplete(errors: Vec<ArgError>) -> String {
    let errors = errors.into_iter().map(|error| match error.arg {
        Some(arg) if !error.msg.contains(&format!("`{arg}`")) => format!("`{arg}` {}", error.msg),
        _ => error.msg,
    });
    format!("is incomplete or invalid: {}", errors.collect::<Vec<_>>().join("; "))
}

impl<T> Deref for Nested<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
