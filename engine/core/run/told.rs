//! What templates warn about while a task is prepared or judged: `register` has it, too.

use std::cell::RefCell;

use crate::{
    actions::entries,
    task_result::TemplateWarning,
    vars::{Value, mapping},
};

/// What stands between a deprecation and the version that has it no longer.
const REMOVED_FROM: &str = " This feature will be removed from ansible-core version ";

thread_local! {
    /// What was told since somebody listens on this thread.
    static HEARD: RefCell<Option<Vec<TemplateWarning>>> = const { RefCell::new(None) };
}

/// Does work, and gives what was told meanwhile.
pub(crate) fn listening<R>(work: impl FnOnce() -> R) -> (R, Vec<TemplateWarning>) {
    let outer = HEARD.with(|heard| heard.replace(Some(Vec::new())));
    let done = work();
    let told = HEARD.with(|heard| heard.replace(outer));
    (done, told.unwrap_or_default())
}

/// Passes a message to the listener of this thread, if there is one; repeated messages are dropped.
pub(crate) fn tell(told: TemplateWarning) {
    HEARD.with(|heard| {
        if let Some(heard) = heard.borrow_mut().as_mut()
            && !heard.contains(&told)
        {
            heard.push(told);
        }
    });
}

/// The value that `register` stores, with what was told.
pub(crate) fn with_told(registered: &Value, told: &[TemplateWarning]) -> Value {
    let mut fields = entries(registered);
    let texts = |deprecated| told.iter().filter(move |told| told.deprecated == deprecated).map(|told| &told.text);
    let mut add = |name: &str, more: Vec<Value>| {
        if !more.is_empty() {
            let known = fields.get(name).and_then(|known| Some(known.try_iter().ok()?.collect::<Vec<_>>()));
            fields.insert(name.into(), known.unwrap_or_default().into_iter().chain(more).collect());
        }
    };
    add("warnings", texts(false).map(|text| Value::from(text.as_str())).collect());
    let deprecation = |text: &String| match text.split_once(REMOVED_FROM) {
        Some((msg, version)) => mapping([
            ("msg", Value::from(msg)),
            ("version", Value::from(version.trim_end_matches('.'))),
            ("collection_name", Value::from("ansible.builtin")),
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
    fn who_listens_hears_what_is_told_meanwhile() {
        let told = |text: &str, deprecated| TemplateWarning { text: text.to_owned(), deprecated };
        tell(told("nobody listens", false));
        let ((), heard) = listening(|| {
            let ((), inner) = listening(|| tell(told("inner", false)));
            assert_eq!(inner.len(), 1);
            tell(told("odd", false));
            tell(told("odd", false));
            tell(told("old. This feature will be removed from ansible-core version 2.23.", true));
        });
        let registered = with_told(&mapping([("warnings", Value::from(vec!["first"]))]), &heard);
        assert_eq!(
            registered.to_string(),
            "{'warnings': ['first', 'odd'], 'deprecations': [{'msg': 'old.', 'version': '2.23', 'collection_name': \
             'ansible.builtin'}]}"
        );
    }
}
