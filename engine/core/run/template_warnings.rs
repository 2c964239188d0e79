//! Collects warnings of templates while a task is prepared or its result evaluated; `register` stores them, too.

use std::cell::RefCell;

use crate::{
    actions::entries,
    task_result::TemplateWarning,
    vars::{Value, mapping},
};

/// The text between a deprecation message and what removes the feature when.
const REMOVED_FROM: &str = " This feature will be removed from ";

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
    add("deprecations", texts(true).map(|text| deprecation(text)).collect());
    mapping(fields)
}

/// A deprecation as results have it, from its sentence.
fn deprecation(text: &str) -> Value {
    let Some((msg, rest)) = text.split_once(REMOVED_FROM) else {
        return mapping([("msg", Value::from(text))]);
    };
    let rest = rest.split_once(". ").map_or(rest, |(rest, _)| rest).trim_end_matches('.');
    let (of, version, date) = match (rest.split_once(" version "), rest.split_once(" in a release after ")) {
        (Some((of, version)), _) => (of, Some(version), None),
        (None, Some((of, date))) => (of, None, Some(date)),
        (None, None) => (rest.split_once(" in a future release").map_or(rest, |(of, _)| of), None, None),
    };
    // `lookup plugin 'c' in collection 'a.b'`, `collection 'a.b'`, `ansible-core`.
    let (plugin, of) = of.split_once(" in ").map_or((None, of), |(plugin, of)| (Some(plugin), of));
    let quoted = |text: &str| text.split('\'').nth(1).map(str::to_owned);
    let collection = quoted(of).unwrap_or_else(|| "ansible.builtin".to_owned());
    let (name, kind) = match plugin.and_then(|plugin| Some((quoted(plugin)?, plugin.split_once(' ')?.0))) {
        Some((name, kind)) => (format!("{collection}.{name}"), Some(kind).filter(|kind| *kind != "plugin")),
        None => (collection.clone(), None),
    };
    let mut fields = vec![("msg", Value::from(msg))];
    match date {
        Some(date) => fields.push(("date", date.into())),
        None => fields.push(("version", version.map_or_else(|| Value::from(()), Value::from))),
    }
    let kind = kind.map_or_else(|| Value::from(()), Value::from);
    fields.push(("collection_name", collection.into()));
    fields.push(("deprecator", mapping([("resolved_name", Value::from(name)), ("type", kind)])));
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

    #[test]
    fn a_sentence_tells_who_removes_a_feature_when() {
        for (rest, want) in [
            (
                "collection 'a.b' version 3.0.",
                "'version': '3.0', 'collection_name': 'a.b', 'deprecator': {'resolved_name': 'a.b', 'type': None}",
            ),
            (
                "collection 'a.b' in a release after 2030-01-01. Use new.",
                "'date': '2030-01-01', 'collection_name': 'a.b', 'deprecator': {'resolved_name': 'a.b', 'type': None}",
            ),
            (
                "lookup plugin 'c' in ansible-core version 2.",
                "'version': '2', 'collection_name': 'ansible.builtin', 'deprecator': {'resolved_name': 'ansible.builtin.c', 'type': 'lookup'}",
            ),
            (
                "plugin 'c' in collection 'a.b' in a future release.",
                "'version': None, 'collection_name': 'a.b', 'deprecator': {'resolved_name': 'a.b.c', 'type': None}",
            ),
        ] {
            assert_eq!(
                deprecation(&format!("Old.{REMOVED_FROM}{rest}")).to_string(),
                format!("{{'msg': 'Old.', {want}}}")
            );
        }
    }
}
