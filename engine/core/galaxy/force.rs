//! What to reinstall.

/// What to reinstall although it is already installed (`--force`, `--force-with-deps`).
#[derive(Clone, Copy, Debug, Default)]
pub struct Force {
    /// Collections or roles that the command line or the requirements name.
    pub named: bool,
    /// These and their dependencies.
    pub dependencies: bool,
}

impl Force {
    /// Whether named collections or roles are reinstalled.
    pub fn of_named(self) -> bool {
        self.named || self.dependencies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forcing_dependencies_forces_what_is_named() {
        let force = |named, dependencies| Force { named, dependencies }.of_named();
        assert!(!force(false, false) && force(true, false) && force(false, true));
    }
}
