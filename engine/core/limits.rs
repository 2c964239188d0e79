//! Limits on the resources that a project may use on the controller: depth, size and time.
//!
//! Without them, a recursive variable overflows the stack, `/dev/zero` as a vars file exhausts memory, and a silent
//! inventory script never ends. The limits are global and set once at the start.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    thread::LocalKey,
    time::Duration,
};

static DEPTH: AtomicUsize = AtomicUsize::new(Limits::DEFAULT.depth);
static FILE_SIZE: AtomicU64 = AtomicU64::new(Limits::DEFAULT.file_size);
static PROGRAM_SECONDS: AtomicU64 = AtomicU64::new(Limits::DEFAULT.program_time.as_secs());

/// Maximum length of a text in bytes, and of a list in items, that one operation of a template may create. Larger ones
/// are certainly a mistake.
pub const LARGEST: usize = 256 << 20;

/// The configurable limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum depth of nested templates, macros, includes, roles and values. Python's limit is 1000 too.
    pub depth: usize,
    /// Maximum size in bytes of a file that is read on the controller.
    pub file_size: u64,
    /// Time limit of a program that prints an inventory or a password.
    pub program_time: Duration,
}

impl Limits {
    pub const DEFAULT: Limits = Limits { depth: 1000, file_size: 256 << 20, program_time: Duration::from_secs(600) };

    /// Sets the limits of the process.
    pub fn set(self) {
        DEPTH.store(self.depth.clamp(10, 10_000), Relaxed);
        FILE_SIZE.store(self.file_size.max(1), Relaxed);
        PROGRAM_SECONDS.store(self.program_time.as_secs().max(1), Relaxed);
    }
}

/// See [`Limits::depth`].
pub fn depth() -> usize {
    DEPTH.load(Relaxed)
}

/// See [`Limits::file_size`].
pub fn file_size() -> u64 {
    FILE_SIZE.load(Relaxed)
}

/// See [`Limits::program_time`].
pub fn program_time() -> Duration {
    Duration::from_secs(PROGRAM_SECONDS.load(Relaxed))
}

/// Runs with enough stack, growing it if necessary.
pub fn with_stack<T>(run: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(256 << 10, 2 << 20, run)
}

/// Runs with enough stack for `levels` of a recursion with frames of a few KiB each.
pub fn with_stack_for<T>(levels: usize, run: impl FnOnce() -> T) -> T {
    let bytes = (256 << 10) + levels.saturating_mul(FRAME);
    stacker::maybe_grow(bytes, bytes, run)
}

/// Stack use of one level of the template parser in an unoptimized build.
const FRAME: usize = 4 << 10;

/// Depth of a thread in one kind of recursion.
pub type Counter = Cell<usize>;

/// Runs one level deeper, with enough stack; `None` beyond the limit.
pub fn deeper<T>(counter: &'static LocalKey<Counter>, run: impl FnOnce() -> T) -> Option<T> {
    /// Decrements the counter even after a panic.
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
