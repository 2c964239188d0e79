//! What the modules for LVM share.

use rplay_wire::{Failure, data};

use crate::system::program::Output;

/// Fails with `msg`, the exit code and the errors of a program that failed.
pub(super) fn checked(done: &Output, msg: impl FnOnce() -> String) -> Result<(), Failure> {
    match done.rc {
        0 => Ok(()),
        rc => Err(Failure::new(msg()).data(data! { "rc" => rc, "err" => done.stderr.as_str() })),
    }
}
