//! Lets tests cause panics that no known input causes.

/// Panics if a test requests it at this place. Does nothing in release builds.
pub fn trap(place: &str) {
    #[cfg(debug_assertions)]
    #[expect(clippy::panic, reason = "a test requests it")]
    if std::env::var_os("RPLAY_TEST_PANIC").is_some_and(|wanted| wanted == *place) {
        panic!("a test wants a fault: {place}");
    }
    #[cfg(not(debug_assertions))]
    let _ = place;
}
