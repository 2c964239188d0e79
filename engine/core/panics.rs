//! A way for tests to cause the faults that no known input causes.

/// Panics if a test asks for a fault at this place. Release builds do nothing here.
pub fn trap(place: &str) {
    #[cfg(debug_assertions)]
    #[expect(clippy::panic, reason = "it is what was asked for")]
    if std::env::var_os("RPLAY_TEST_PANIC").is_some_and(|wanted| wanted == *place) {
        panic!("a test wants a fault: {place}");
    }
    #[cfg(not(debug_assertions))]
    let _ = place;
}
