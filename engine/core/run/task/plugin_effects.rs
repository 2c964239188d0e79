//! What the result of an action plugin does to the run: hosts and groups that are added, statistics, handlers, output
//! that is hidden or always shown. Results of modules never do that, not even those that a plugin passes on.

use crate::{
    actions::{Effect, TaskResult, entries, text_of},
    vars::{Layer, Lazy, Value},
};

/// Keys of results by which a plugin hides its output, notifies handlers, has its result shown whatever the verbosity,
/// and never shown as a whole.
pub(super) const NO_LOG: &str = "_ansible_no_log";
pub(super) const NOTIFY: &str = "_ansible_notify";
pub(super) const SHOWS: &str = "_ansible_verbose_always";
pub(super) const HIDES: &str = "_ansible_verbose_override";
/// The key of a result that stands for an exception.
pub(super) const RAISED: &str = "_ansible_raised";
/// The key of a result that no module gave.
pub(super) const OWN: &str = "_ansible_own";

/// Takes what the keys of a plugin's result ask for.
pub(crate) fn take_effects(result: &mut TaskResult) {
    if let Some(hides) = result.data.shift_remove(NO_LOG) {
        result.no_log |= hides.is_true();
    }
    if let Some(names) = result.data.shift_remove(NOTIFY) {
        result.notify.extend(words(&names));
    }
    result.raised |= result.data.shift_remove(RAISED).is_some();
    result.by_action |= result.data.shift_remove(OWN).is_some();
    let shows = result.data.shift_remove(SHOWS).is_some_and(|shows| shows.is_true());
    match result.data.shift_remove(HIDES).is_some() {
        true => result.silent = true,
        false => result.verbose_always |= shows,
    }
    if result.failed || result.unreachable {
        return;
    }
    let field =
        |of: &Value, name: &str| of.get_attr(name).ok().filter(|value| !value.is_undefined() && !value.is_none());
    if let Some(host) = result.data.get("add_host")
        && let Some(name) = field(host, "host_name")
    {
        let vars = field(host, "host_vars").map(|vars| entries(&vars)).unwrap_or_default();
        let vars: Layer = vars.into_iter().map(|(name, value)| (name, Lazy::Data(value))).collect();
        let groups = field(host, "groups").map(|groups| words(&groups)).unwrap_or_default();
        result.effects.push(Effect::AddHost { name: text_of(&name), groups, vars });
    }
    if let Some(group) = result.data.get("add_group") {
        let parents = result.data.get("parent_groups").map(words);
        let parents = parents.unwrap_or_else(|| vec!["all".to_owned()]);
        result.effects.push(Effect::GroupBy { group: text_of(group), parents });
    }
    if let Some(stats) = result.data.get("ansible_stats")
        && let Some(data) = field(stats, "data")
    {
        let flag = |name: &str, usual: bool| field(stats, name).map_or(usual, |value| value.is_true());
        let (per_host, aggregate) = (flag("per_host", false), flag("aggregate", true));
        result.effects.push(Effect::Stats { data: entries(&data), per_host, aggregate });
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
        let sample = || {
            let host = mapping([("host_name", Value::from("new")), ("groups", Value::from(vec!["a", "b"]))]);
            let mut result = TaskResult { changed: true, ..TaskResult::default() }.with("add_host", host);
            result.set("add_group", "g");
            result.set(NOTIFY, vec!["one"]);
            result.set(NO_LOG, true);
            result
        };
        let mut result = sample();
        take_effects(&mut result);
        assert!(result.no_log && result.notify == ["one"] && !result.data.contains_key(NO_LOG));
        let [Effect::AddHost { name, groups, .. }, Effect::GroupBy { group, parents }] = result.effects.as_slice()
        else {
            panic!("{:?}", result.effects)
        };
        assert!(name == "new" && groups == &["a", "b"] && group == "g" && parents == &["all"]);
        let mut failed = TaskResult { failed: true, ..sample() };
        take_effects(&mut failed);
        assert!(failed.effects.is_empty() && failed.no_log);
    }

    #[test]
    fn a_result_is_always_shown_unless_it_is_not_shown_as_a_whole() {
        for (keys, shown) in [(&[SHOWS][..], true), (&[SHOWS, HIDES], false), (&[], false)] {
            let mut result = TaskResult::default();
            keys.iter().for_each(|key| result.set(key, true));
            take_effects(&mut result);
            assert!(result.verbose_always == shown && result.data.is_empty(), "{keys:?}");
            assert_eq!(result.silent, keys.contains(&HIDES), "{keys:?}");
        }
    }
}
