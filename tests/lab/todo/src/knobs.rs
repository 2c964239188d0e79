//! Ways to misbehave, set by environment, for tests of what a deployment does about it.

use std::time::Duration;

pub struct Knobs {
    /// `START_DELAY`: seconds before anything is connected or listened to.
    pub start_delay: Duration,
    /// `FAIL_READY`: ping answers 503 for ever.
    pub fail_ready: bool,
    /// `SLOW_MS`: each answer waits so long.
    pub slow: Duration,
    /// `CRASH_AFTER`: seconds from listening until the process dies.
    pub crash_after: Option<Duration>,
    /// `GRACE`: seconds that requests under way get at SIGTERM. The real service gives none.
    pub grace: Option<Duration>,
    /// `TODO_VERSION`: which image this is, told in a header.
    pub version: String,
}

impl Knobs {
    pub fn from_env() -> Knobs {
        Knobs::from(|name| std::env::var(name).ok())
    }

    fn from(get: impl Fn(&str) -> Option<String>) -> Knobs {
        let number =
            |name: &str| get(name)?.trim().parse::<f64>().ok().filter(|value| value.is_finite() && *value > 0.0);
        let seconds = |name: &str| number(name).map(Duration::from_secs_f64);
        Knobs {
            start_delay: seconds("START_DELAY").unwrap_or_default(),
            fail_ready: get("FAIL_READY").is_some_and(|value| !matches!(value.as_str(), "" | "0" | "false")),
            slow: Duration::from_secs_f64(number("SLOW_MS").unwrap_or(0.0) / 1000.0),
            crash_after: seconds("CRASH_AFTER"),
            grace: seconds("GRACE"),
            version: get("TODO_VERSION").unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_unless_set() {
        let off = Knobs::from(|_| None);
        assert!(!off.fail_ready && off.grace.is_none() && off.crash_after.is_none());
        assert_eq!((off.slow, off.start_delay), (Duration::ZERO, Duration::ZERO));
        let zero = Knobs::from(|_| Some("0".into()));
        assert!(!zero.fail_ready && zero.grace.is_none() && zero.crash_after.is_none());
        let on = Knobs::from(|_| Some("1.5".into()));
        assert!(on.fail_ready);
        assert_eq!(on.slow, Duration::from_micros(1500));
        assert_eq!(on.grace, Some(Duration::from_millis(1500)));
    }
}
