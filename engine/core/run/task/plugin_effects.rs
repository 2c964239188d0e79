//! What the result of an action plugin does to the run: hosts and groups that are added, statistics, handlers, hidden
//! output. Results of modules never do that, not even those that a plugin passes on.

use crate::{
    actions::{Effect, TaskResult, entries, text_of},
    vars::{Layer, Lazy, Value},
};

/// Keys of results by which a plugin hides its output and notifies handlers.
pub(super) const NO_LOG: &str = "_ansible_no_log";
pub(super) const NOTIFY: &str = "_ansible_notify";

/// Takes what the keys of a plugin's result ask for.
pub(crate) fn take_effects(answer: &mut TaskResult) {
    if let Some(hides) = answer.data.shift_remove(NO_LOG) {
        answer.no_log |= hides.is_true();
    }
    if let Some(names) = answer.data.shift_remove(NOTIFY) {
        answer.notify.extend(words(&names));
    }
    if answer.failed || answer.unreachable {
        return;
    }
    let field =
        |of: &Value, name: &str| of.get_attr(name).ok().filter(|value| !value.is_undefined() && !value.is_none());
    if let Some(host) = answer.data.get("add_host")
        && let Some(name) = field(host, "host_name")
    {
        let vars = field(host, "host_vars").map(|vars| entries(&vars)).unwrap_or_default();
        let vars: Layer = vars.into_iter().map(|(name, value)| (name, Lazy::Data(value))).collect();
        let groups = field(host, "groups").map(|groups| words(&groups)).unwrap_or_default();
        answer.effects.push(Effect::AddHost { name: text_of(&name), groups, vars });
    }
    if let Some(group) = answer.data.get("add_group") {
        let parents = answer.data.get("parent_groups").map(words);
        let parents = parents.unwrap_or_else(|| vec!["all".to_owned()]);
        answer.effects.push(Effect::GroupBy { group: text_of(group), parents });
    }
    if let Some(stats) = answer.data.get("ansible_stats")
        && let Some(data) = field(stats, "data")
    {
        let flag = |name: &str, usual: bool| field(stats, name).map_or(usual, |value| value.is_true());
        let (per_host, aggregate) = (flag("per_host", false), flag("aggregate", true));
        answer.effects.push(Effect::Stats { data: entries(&data), per_host, aggregate });
    }
}

/// A name, or a list of names.
fn words(value: &Value) -> Vec<String> {
    match value.as_str() {
        Some(name) => vec![name.to_owned()],
        None => value.try_iter().into_iter().flatten().map(|name| text_of(&name)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::mapping;

    #[test]
    fn keys_of_a_result_are_effects_unless_it_failed() {
        let result = || {
            let host = mapping([("host_name", Value::from("new")), ("groups", Value::from(vec!["a", "b"]))]);
            let mut answer = TaskResult { changed: true, ..TaskResult::default() }.with("add_host", host);
            answer.set("add_group", "g");
            answer.set(NOTIFY, vec!["one"]);
            answer.set(NO_LOG, true);
            answer
        };
        let mut answer = result();
        take_effects(&mut answer);
        assert!(answer.no_log && answer.notify == ["one"] && !answer.data.contains_key(NO_LOG));
        let [Effect::AddHost { name, groups, .. }, Effect::GroupBy { group, parents }] = answer.effects.as_slice()
        else {
            panic!("{:?}", answer.effects)
        };
        assert!(name == "new" && groups == &["a", "b"] && group == "g" && parents == &["all"]);
        let mut failed = TaskResult { failed: true, ..result() };
        take_effects(&mut failed);
        assert!(failed.effects.is_empty() && failed.no_log);
    }
}
