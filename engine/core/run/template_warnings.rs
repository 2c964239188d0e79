//! Collects warnings of templates while a task is prepared or its result evaluated; `register` stores them, too.

use std::cell::RefCell;

use crate::{
    actions::entries,
    task_result::TemplateWarning,
    vars::{Value, mapping},
};

/// The text between a deprecation message and the version of the removal.
const REMOVED_FROM: &str = " This feature will be removed from ansible-core version ";

thread_local! {
    /// The warnings so far, while they are collected on this thread.
    static COLLECTED: RefCell<Option<Vec<TemplateWarning>>> = const { RefCell::new(None) };
}

/// Does work; also returns the warnings of templates meanwhile.
pub(crate) fn collecting<R>(work: impl FnOnce() -> R) -> (R, Vec<TemplateWarning>) {
    let outer = COLLECTED.with(|collected| collected.replace(Some(Vec::new())));
    let done = work();
    let warnings = COLLECTED.with(|collected| collected.replace(outer));
    (done, warnings.unwrap_or_default())
}

/// Adds a warning, without its help, if warnings are collected on this thread; repeated ones are dropped.
pub(crate) fn warn(mut warning: TemplateWarning) {
    warning.text.truncate(warning.text.find("\n\n").unwrap_or(warning.text.len()));
    COLLECTED.with(|collected| {
        if let Some(collected) = collected.borrow_mut().as_mut()
            && !collected.contains(&warning)
        {
            collected.push(warning);
        }
    });
}

/// The value that `register` stores, with these warnings.
pub(crate) fn with_warnings(registered: &Value, warnings: &[TemplateWarning]) -> Value {
    let mut fields = entries(registered);
    let texts = |deprecated| {
        warnings.iter().filter(move |warning| warning.deprecated == deprecated).map(|warning| &warning.text)
    };
    let mut add = |name: &str, more: Vec<Value>| {
        if !more.is_empty() {
            let known = fields.get(name).and_then(|known| Some(known.try_iter().ok()?.collect::<Vec<_>>()));
            fields.insert(name.into(), known.unwrap_or_default().into_iter().chain(more).collect());
        }
    };
    add("warnings", texts(false).map(|text| Value::from(text.as_str())).collect());
    let deprecator = || mapping([("resolved_name", Value::from("ansible.builtin")), ("type", Value::from(()))]);
    let deprecation = |text: &String| match text.split_once(REMOVED_FROM) {
        Some((msg, version)) => mapping([
            ("msg", Value::from(msg)),
            ("version", Value::from(version.trim_end_matches('.'))),
            ("collection_name", Value::from("ansible.builtin")),
            ("deprecator", deprecator()),
        ]),
        None => mapping([("msg", Value::from(text.as_str()))]),
    };
    add("deprecations", texts(true).map(deprecation).collect());
    mapping(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_collected_by_the_innermost_work() {
        let warning = |text: &str, deprecated| TemplateWarning { text: text.to_owned(), deprecated };
        warn(warning("not collected", false));
        let ((), collected) = collecting(|| {
            let ((), inner) = collecting(|| warn(warning("inner", false)));
            assert_eq!(inner.len(), 1);
            warn(warning("odd", false));
            warn(warning("odd", false));
            warn(warning("old. This feature will be removed from ansible-core version 2.23.", true));
        });
        let registered = with_warnings(&mapping([("warnings", Value::from(vec!["first"]))]), &collected);
        assert_eq!(
            registered.to_string(),
            "{'warnings': ['first', 'odd'], 'deprecations': [{'msg': 'old.', 'version': '2.23', 'collection_name': \
             'ansible.builtin', 'deprecator': {'resolved_name': 'ansible.builtin', 'type': None}}]}"
        );
    }
}
