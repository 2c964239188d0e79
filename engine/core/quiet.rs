//! Catches panics of dependencies and turns them into errors, without printing their message.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::Once,
};

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs something that may panic. After a panic, returns `None` and prints nothing; values that the panic may have left
/// inconsistent must not be used again.
pub fn catch<T>(run: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |about| {
            // The marker is gone when the thread ends.
            if !QUIET.try_with(Cell::get).unwrap_or(false) {
                before(about);
            }
        }));
    });
    let before = QUIET.replace(true);
    let done = catch_unwind(AssertUnwindSafe(run));
    QUIET.set(before);
    done.ok()
}

#[cfg(test)]
mod tests {
    use std::panic::resume_unwind;

    use super::*;

    #[test]
    fn a_panic_is_nothing_and_other_values_come_back() {
        assert_eq!(catch(|| 3), Some(3));
        assert_eq!(catch(|| resume_unwind(Box::new(()))), None::<()>);
        assert!(!QUIET.get());
    }
}
