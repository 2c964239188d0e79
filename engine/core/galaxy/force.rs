//! What is installed again.

/// What is installed although it is there already (`--force`, `--force-with-deps`).
#[derive(Clone, Copy, Debug, Default)]
pub struct Force {
    /// What the command line or the requirements name.
    pub named: bool,
    /// That, and what it depends on.
    pub dependencies: bool,
}

impl Force {
    /// Whether what is named is installed again.
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
