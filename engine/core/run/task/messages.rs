//! What a result says besides its data: warnings, deprecations, tracebacks, keys that no module may set; and values of
//! the wrong type, which Ansible refuses.

use rplay_contract::{
    external::DEPRECATED,
    module_result::{NO_TRACEBACK, UNREADABLE},
};

use super::{python_json, strict};
use crate::{
    actions::{Effect, TaskResult, entries, text_of},
    plan::Action,
    run::{state::run::Run, steering},
    template,
    vars::{Value, mapping},
};

/// Prefix of keys that control Ansible itself.
const INTERNAL: &str = "_ansible_";

/// Keys by which only plugins change the inventory.
const OF_PLUGINS: [&str; 2] = ["add_host", "add_group"];

/// Whether results of an action say more than their data, since rplay does not implement it.
pub(crate) fn are_of(action: &Action) -> bool {
    match action {
        Action::External(_) | Action::Plugin(_) => true,
        // It returns what such a module has left.
        action => action.name() == "async_status",
    }
}

/// Settings for reading results.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    /// `display_traceback` includes errors.
    pub tells_tracebacks: bool,
    /// `module_strict_utf8_response`.
    pub is_strict: bool,
}

impl Run {
    /// How results of modules and plugins are read.
    pub(crate) fn reading(&self) -> Reading {
        let settings = &self.resolver.project.finder().settings;
        Reading {
            tells_tracebacks: settings.tracebacks.iter().any(|event| event == "error"),
            is_strict: !settings.lenient_utf8,
        }
    }
}

/// Reads what a module or a plugin that rplay does not implement has returned.
pub(crate) fn read(action: &Action, reading: Reading, result: &mut TaskResult) {
    let is_module = !matches!(action, Action::Plugin(_));
    if is_module {
        if let Some(wrong) = strict::refusal(reading.is_strict, result).or_else(|| unusable(result)) {
            *result = TaskResult { micros: result.micros, ..TaskResult::failed(format!("Task failed: {wrong}")) };
            return;
        }
        explain_json(result);
        drop_internal(result);
    }
    if let Some(trace) = result.data.get("exception").filter(|trace| trace.as_str().is_some() || trace.is_none()) {
        match trace.is_true() {
            true if !reading.tells_tracebacks => result.set("exception", NO_TRACEBACK),
            true => {}
            false => drop(result.data.shift_remove("exception")),
        }
    }
    // A module may say so of its host.
    result.unreachable |= result.data.get("unreachable").is_some_and(Value::is_true);
    take_warnings(result);
    take_deprecations(result);
    for effect in &result.effects {
        if let Effect::Facts(facts) = effect {
            let told = facts.keys().filter(|name| steering::is_restricted(name));
            let warnings = told.map(|name| format!("Removed restricted key from module data: {name}").into());
            result.warnings.extend(warnings);
        }
    }
}

/// Why Ansible can do nothing with a result.
fn unusable(result: &TaskResult) -> Option<String> {
    if let Some(facts) = result.data.get("ansible_facts") {
        return Some(format!("'{}' object has no attribute 'keys'", template::type_name(facts)));
    }
    ["stdout", "stderr"].iter().find_map(|name| {
        let text = result.data.get(*name)?;
        let lines = format!("{name}_lines");
        let is_wrong = text.as_str().is_none() && text.is_true() && !result.data.contains_key(&*lines);
        is_wrong.then(|| format!("'{}' object has no attribute 'splitlines'", template::type_name(text)))
    })
}

/// Says in Python's words why the output is no JSON.
fn explain_json(result: &mut TaskResult) {
    let text = |name: &str| result.data.get(name).and_then(Value::as_str);
    if text("msg").is_some_and(|msg| msg.starts_with(UNREADABLE))
        && let Some(why) = text("module_stdout").and_then(python_json::error)
    {
        result.set("msg", format!("{UNREADABLE}{why}"));
    }
}

fn drop_internal(result: &mut TaskResult) {
    let is_internal = |name: &str| name.starts_with(INTERNAL) || OF_PLUGINS.contains(&name);
    if !result.data.keys().any(|name| is_internal(name)) {
        return;
    }
    let (internal, kept): (Vec<_>, Vec<_>) =
        std::mem::take(&mut result.data).into_entries().into_iter().partition(|(name, _)| is_internal(name));
    result.data = kept.into_iter().collect();
    let told = internal.into_iter().filter(|(name, _)| &**name != "_ansible_parsed");
    let sentence = |(name, value)| {
        format!("Removed unexpected internal key in module return: {name} = {}", text_of(&value)).into()
    };
    result.warnings.splice(0..0, told.map(sentence));
}

/// The list under a name; another value is dropped with a warning.
fn list(result: &mut TaskResult, name: &str) -> Vec<Value> {
    let Some(told) = result.data.shift_remove(name) else { return Vec::new() };
    if told.kind() == minijinja::value::ValueKind::Seq {
        return told.try_iter().into_iter().flatten().collect();
    }
    if !told.is_none() {
        let kind = template::type_name(&told);
        let warning = format!("Task result `{name}` was <class '{kind}'> instead of <class 'list'>.");
        result.warnings.push(warning.into());
    }
    Vec::new()
}

fn take_warnings(result: &mut TaskResult) {
    let told = list(result, "warnings");
    result.warnings.extend(told.iter().map(|text| text_of(text).into()));
}

fn take_deprecations(result: &mut TaskResult) {
    let mut kept = Vec::new();
    for item in list(result, "deprecations") {
        match deprecation(&item) {
            Ok((about, rest, item)) => {
                // A plugin passes on what its modules have told, with the sentences among the warnings.
                if !result.warnings.iter().any(|known| known.starts_with(&about)) {
                    result.warnings.push((about + &rest).into());
                }
                kept.push(item);
            }
            Err(why) => {
                result.warnings.push(format!("Task result `deprecations` contained an invalid item: {why}").into());
                if item.as_str().is_some() {
                    result.warnings.push(text_of(&item).into());
                }
            }
        }
    }
    if !kept.is_empty() {
        result.set("deprecations", Value::from(kept));
    }
}

/// A deprecation: what is deprecated, what will become of it, and what `register` stores. The error says what is wrong
/// with it.
fn deprecation(item: &Value) -> Result<(String, String, Value), String> {
    if item.kind() != minijinja::value::ValueKind::Map {
        return Err(format!("'{}' object has no attribute 'pop'", template::type_name(item)));
    }
    let fields = entries(item);
    let word = |of: &Value, name: &str| of.get_attr(name).ok().and_then(|word| word.as_str().map(str::to_owned));
    let set = |name: &str| word(item, name).filter(|word| !word.is_empty());
    // Since ansible-core 2.19, they are objects.
    let event = fields.get("event").unwrap_or(item);
    let msg = word(event, "msg").ok_or("'msg'")?;
    let of_collection = |name: &String| mapping([("resolved_name", Value::from(&**name)), ("type", Value::from(()))]);
    let deprecator = match fields.get("deprecator").filter(|who| !who.is_none()) {
        Some(who) => {
            let kind = who.get_attr("type").unwrap_or_default();
            let kind = kind.get_attr("value").ok().filter(|kind| !kind.is_undefined()).unwrap_or(kind);
            let kind = if kind.is_undefined() { Value::from(()) } else { kind };
            mapping([("resolved_name", who.get_attr("resolved_name").unwrap_or_default()), ("type", kind)])
        }
        None => set("collection_name").as_ref().map(of_collection).unwrap_or_else(|| Value::from(())),
    };
    let collection = word(&deprecator, "resolved_name").map(|name| {
        // The full name of a plugin begins with that of its collection.
        name.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
    });
    let mut kept = vec![("msg", Value::from(msg.as_str())), ("collection_name", collection.into())];
    match set("date") {
        Some(date) => kept.push(("date", date.into())),
        None => kept.push(("version", set("version").into())),
    }
    kept.push(("deprecator", deprecator.clone()));
    let when = match (who(&deprecator), set("version"), set("date")) {
        (None, ..) => "in the future".to_owned(),
        (Some(of), Some(version), _) => format!("from {of} version {version}"),
        (Some(of), None, Some(date)) => format!("from {of} in a release after {date}"),
        (Some(of), None, None) => format!("from {of} in a future release"),
    };
    let msg = msg.trim();
    let end = if msg.ends_with(['.', '!', '?']) { "" } else { "." };
    let help = word(event, "help_text").map(|help| format!(" {help}")).unwrap_or_default();
    let rest = format!(" This feature will be removed {when}.{help}");
    Ok((format!("{DEPRECATED}{msg}{end}"), rest, mapping(kept)))
}

/// Who deprecates, in words; `None` if nobody says.
fn who(deprecator: &Value) -> Option<String> {
    let name = deprecator.get_attr("resolved_name").ok()?;
    let kind = deprecator.get_attr("type").ok()?;
    let mut words = name.as_str()?.splitn(3, '.');
    let collection = match (words.next()?, words.next()?) {
        ("ansible", "builtin") => "ansible-core".to_owned(),
        (namespace, name) => format!("collection '{namespace}.{name}'"),
    };
    Some(match (words.next(), kind.as_str().unwrap_or_default()) {
        (Some(plugin), "module") => format!("module '{plugin}' in {collection}"),
        (Some(plugin), "") => format!("plugin '{plugin}' in {collection}"),
        (Some(plugin), kind) => format!("{kind} plugin '{plugin}' in {collection}"),
        (None, _) => collection,
    })
}

#[cfg(test)]
mod tests {
    use rplay_contract::{module_result::outcome_of, wire};
    use serde_json::json;

    use super::*;

    fn read_of(json: serde_json::Value) -> TaskResult {
        let wire::Value::Map(result) = wire::Value::from(json) else { panic!("not a mapping") };
        let mut result = TaskResult::from_outcome(outcome_of(result, false));
        take_warnings(&mut result);
        take_deprecations(&mut result);
        drop_internal(&mut result);
        result
    }

    fn warnings(json: serde_json::Value) -> Vec<String> {
        read_of(json).warnings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_deprecation_says_what_becomes_of_what() {
        let typed = |deprecator: serde_json::Value, more: serde_json::Value| {
            let mut told = json!({"__ansible_type": "DeprecationSummary", "event": {"msg": "old!",
                "help_text": "Use new."}, "deprecator": deprecator});
            told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            told
        };
        let by = |name: &str, kind: serde_json::Value| json!({"resolved_name": name, "type": kind});
        let version = || json!({"version": "2"});
        let module = json!({"value": "module", "__ansible_type": "PluginType"});
        for (told, want) in [
            (
                typed(by("a.b.c", module.clone()), version()),
                "old! This feature will be removed from module 'c' in collection 'a.b' version 2. Use new.",
            ),
            (
                typed(by("a.b.c", "lookup".into()), json!({})),
                "old! This feature will be removed from lookup plugin 'c' in collection 'a.b' in a future release. Use new.",
            ),
            (
                typed(by("ansible.builtin", ().into()), version()),
                "old! This feature will be removed from ansible-core version 2. Use new.",
            ),
            (
                typed(by("ansible.builtin.copy", module.clone()), json!({"date": "2030-01-01"})),
                "old! This feature will be removed from module 'copy' in ansible-core in a release after 2030-01-01. Use new.",
            ),
            (typed(().into(), version()), "old! This feature will be removed in the future. Use new."),
            (
                json!({"msg": "old. ", "collection_name": "a.b", "version": "2"}),
                "old. This feature will be removed from collection 'a.b' version 2.",
            ),
            (json!({"msg": "old", "version": "2"}), "old. This feature will be removed in the future."),
        ] {
            assert_eq!(warnings(json!({"deprecations": [told]})), [format!("{DEPRECATED}{want}")]);
        }
        // Told already, by the module that a plugin ran.
        let told = json!({"warnings": [format!("{DEPRECATED}old. Gone.")], "deprecations": [{"msg": "old"}]});
        assert_eq!(warnings(told).len(), 1);
        let kept =
            read_of(json!({"deprecations": [typed(by("a.b.c.d", module), version()), {"msg": "m", "date": "d"}]}));
        assert_eq!(
            kept.data["deprecations"].to_string(),
            "[{'msg': 'old!', 'collection_name': 'a.b', 'version': '2', 'deprecator': {'resolved_name': 'a.b.c.d', \
             'type': 'module'}}, {'msg': 'm', 'collection_name': None, 'date': 'd', 'deprecator': None}]"
        );
    }

    #[test]
    fn what_is_no_list_or_no_text_is_told() {
        assert_eq!(
            warnings(json!({"warnings": "x", "deprecations": {}})),
            [
                "Task result `warnings` was <class 'str'> instead of <class 'list'>.",
                "Task result `deprecations` was <class 'dict'> instead of <class 'list'>."
            ]
        );
        assert_eq!(warnings(json!({"warnings": [null, true, ["a"]]})), ["None", "True", "['a']"]);
        assert_eq!(
            warnings(json!({"deprecations": ["old", {"version": "1"}]})),
            [
                "Task result `deprecations` contained an invalid item: 'str' object has no attribute 'pop'",
                "old",
                "Task result `deprecations` contained an invalid item: 'msg'"
            ]
        );
        assert_eq!(
            warnings(json!({"_ansible_x": {"a": 1}, "_ansible_parsed": true, "add_host": {}})),
            [
                "Removed unexpected internal key in module return: _ansible_x = {'a': 1}",
                "Removed unexpected internal key in module return: add_host = {}"
            ]
        );
    }
}
