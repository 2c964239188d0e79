//! How deep, how large and how long: bounds on what a project's own content may ask of the controller.
//!
//! Without them a variable that needs itself ends in a stack overflow, `/dev/zero` as a vars file in no memory, and a
//! silent inventory program never. The bounds belong to the process: the settings set them once, at the start.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    thread::LocalKey,
    time::Duration,
};

static DEPTH: AtomicUsize = AtomicUsize::new(Limits::DEFAULT.depth);
static FILE_SIZE: AtomicU64 = AtomicU64::new(Limits::DEFAULT.file_size);
static PROGRAM_SECONDS: AtomicU64 = AtomicU64::new(Limits::DEFAULT.program_time.as_secs());

/// The longest text, in bytes, and list, in items, that one operation of a template may make. Python has no such
/// bound but memory; what is larger is a mistake, and refused as Python refuses what does not fit.
pub const LARGEST: usize = 256 << 20;

/// The bounds that can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How deep templates, macros, includes, roles and values may nest. Python's own bound is 1000, too.
    pub depth: usize,
    /// The largest file, in bytes, that is read as a whole on the controller.
    pub file_size: u64,
    /// How long a program that prints an inventory or a password may take.
    pub program_time: Duration,
}

impl Limits {
    pub const DEFAULT: Limits = Limits { depth: 1000, file_size: 256 << 20, program_time: Duration::from_secs(600) };

    /// Makes these the bounds of the process.
    pub fn set(self) {
        DEPTH.store(self.depth.clamp(10, 10_000), Relaxed);
        FILE_SIZE.store(self.file_size.max(1), Relaxed);
        PROGRAM_SECONDS.store(self.program_time.as_secs().max(1), Relaxed);
    }
}

/// How deep things may nest: see [`Limits::depth`].
pub fn depth() -> usize {
    DEPTH.load(Relaxed)
}

/// The largest file in bytes: see [`Limits::file_size`].
pub fn file_size() -> u64 {
    FILE_SIZE.load(Relaxed)
}

/// How long a program may take: see [`Limits::program_time`].
pub fn program_time() -> Duration {
    Duration::from_secs(PROGRAM_SECONDS.load(Relaxed))
}

/// Runs with enough stack left, wherever the thread has got to.
pub fn with_stack<T>(run: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(256 << 10, 2 << 20, run)
}

/// Runs with room on the stack for `levels` of a recursion whose frames take no more than a few KiB each.
pub fn with_stack_for<T>(levels: usize, run: impl FnOnce() -> T) -> T {
    let bytes = (256 << 10) + levels.saturating_mul(FRAME);
    stacker::maybe_grow(bytes, bytes, run)
}

/// What one level of the parser of templates takes in a build without optimisation.
const FRAME: usize = 4 << 10;

/// How deep a thread is in one kind of recursion.
pub type Counter = Cell<usize>;

/// Runs one level deeper, with enough stack; `None` if that is deeper than allowed.
pub fn deeper<T>(counter: &'static LocalKey<Counter>, run: impl FnOnce() -> T) -> Option<T> {
    /// Counts down even when something panics.
    struct Level(&'static LocalKey<Counter>);
    impl Drop for Level {
        fn drop(&mut self) {
            self.0.with(|count| count.set(count.get().saturating_sub(1)));
        }
    }
    let deep = counter.with(Cell::get);
    if deep >= depth() {
        return None;
    }
    counter.with(|count| count.set(deep + 1));
    let _level = Level(counter);
    Some(with_stack(run))
}

#[cfg(test)]
mod tests {
    use super::*;

    thread_local! {
        static LEVEL: Counter = const { Cell::new(0) };
    }

    #[test]
    fn a_recursion_ends_at_the_limit_and_can_begin_again() {
        fn down() -> usize {
            deeper(&LEVEL, down).map_or(0, |deep| deep + 1)
        }
        assert_eq!(down(), depth());
        assert_eq!(down(), depth());
    }

    #[test]
    fn a_panic_leaves_the_count_as_it_was() {
        let _ = std::panic::catch_unwind(|| deeper(&LEVEL, || std::panic::resume_unwind(Box::new(()))));
        assert_eq!(LEVEL.with(Cell::get), 0);
    }
}
