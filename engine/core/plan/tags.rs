//! Which tasks are selected by `--tags` and `--skip-tags`.

/// The selection on the command line.
#[derive(Clone, Debug, Default)]
pub struct TagSelection {
    /// Empty means `all`.
    pub only: Vec<String>,
    pub skip: Vec<String>,
}

impl TagSelection {
    /// Whether a task with these tags runs. `always` runs unless it is skipped by name, also with
    /// `never`, which otherwise runs only if one of the task's tags is selected.
    pub fn takes(&self, tags: &[impl AsRef<str>]) -> bool {
        let has = |name: &str| tags.iter().any(|tag| tag.as_ref() == name);
        let any_of = |chosen: &[String]| chosen.iter().any(|name| has(name));
        let tagged = tags.iter().any(|tag| tag.as_ref() != "untagged");
        let (always, never) = (has("always"), has("never"));
        let chosen = |name: &str| self.only.iter().any(|only| only == name);
        let taken = if self.only.is_empty() {
            always || !never
        } else {
            always
                || (chosen("all") && !never)
                || any_of(&self.only)
                || (chosen("tagged") && tagged && !never)
                || (chosen("untagged") && !tagged)
        };
        let skips = |name: &str| self.skip.iter().any(|skip| skip == name);
        let skipped = any_of(&self.skip)
            || (skips("all") && (!always || skips("always")))
            || (skips("tagged") && tagged)
            || (skips("untagged") && !tagged);
        taken && !skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(only: &[&str], skip: &[&str], tags: &[&str]) -> bool {
        let owned = |words: &[&str]| words.iter().map(|word| word.to_string()).collect();
        TagSelection { only: owned(only), skip: owned(skip) }.takes(tags)
    }

    #[test]
    fn without_options_all_but_never() {
        assert!(takes(&[], &[], &[]));
        assert!(takes(&[], &[], &["a"]));
        assert!(!takes(&[], &[], &["never", "a"]));
        assert!(takes(&[], &[], &["never", "always"]));
    }

    #[test]
    fn tags_choose() {
        assert!(takes(&["a"], &[], &["a", "b"]));
        assert!(!takes(&["a"], &[], &["b"]));
        assert!(!takes(&["a"], &[], &[]));
        assert!(takes(&["a"], &[], &["always"]));
        assert!(takes(&["a"], &[], &["never", "a"]));
        assert!(takes(&["a"], &[], &["never", "always"]));
        assert!(!takes(&["a"], &["never"], &["never", "always"]));
        assert!(!takes(&["b"], &[], &["never", "a"]));
        assert!(takes(&["tagged"], &[], &["b"]));
        assert!(!takes(&["tagged"], &[], &[]));
        assert!(takes(&["untagged"], &[], &[]));
        assert!(takes(&["all"], &[], &["b"]));
    }

    #[test]
    fn skip_tags_wins() {
        assert!(!takes(&[], &["a"], &["a", "b"]));
        assert!(!takes(&["a"], &["b"], &["a", "b"]));
        assert!(!takes(&[], &["always"], &["always"]));
        assert!(takes(&[], &["all"], &["always"]));
        assert!(!takes(&[], &["tagged"], &["a"]));
        assert!(!takes(&[], &["untagged"], &[]));
    }
}
