//! What precedes the first warning about a deprecation.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rplay_contract::external::is_deprecation;

/// Shown before the first warning about a deprecation.
const INTRODUCTION: &str =
    "[WARNING]: Deprecation warnings can be disabled by setting `deprecation_warnings=False` in ansible.cfg.";

/// Whether a warning about a deprecation was shown; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Deprecations(Arc<AtomicBool>);

impl Deprecations {
    /// The line to show before this warning: once, before the first one about a deprecation.
    pub fn introduction(&self, message: &str) -> Option<&'static str> {
        (is_deprecation(message) && !self.0.swap(true, Ordering::Relaxed)).then_some(INTRODUCTION)
    }
}

#[cfg(test)]
mod tests {
    use rplay_contract::external::DEPRECATED;

    use super::*;

    #[test]
    fn the_first_deprecation_is_introduced() {
        let deprecations = Deprecations::default();
        assert!(deprecations.introduction("odd").is_none());
        assert!(deprecations.clone().introduction(&format!("{DEPRECATED}old")).is_some());
        assert!(deprecations.introduction(&format!("{DEPRECATED}older")).is_none());
    }
}
