//! Panics of other people's code that are caught and told as an error: nobody should see their text.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::Once,
};

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs something that may panic; `None` if it did, and then nothing is printed. The caller must not use again what
/// the panic may have left half done.
pub fn catch<T>(run: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |about| {
            // A thread that ends has no such mark any more.
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
