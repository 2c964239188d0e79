//! The values of secret arguments, masked in what a module returns, as Ansible's modules mask those of `no_log`
//! arguments before anything is registered.

use std::collections::HashMap;

use rplay_contract::{
    module_result::NO_LOG_VALUE,
    wire::{Diff, Map, Outcome, Value},
};

use crate::{secrets::MASK, template::float_repr};

/// Keys that stay as they are where those of other values are masked; found by asking ansible-core's `uri`.
const KEPT_KEYS: [&str; 14] = [
    "changed",
    "content_type",
    "deprecations",
    "elapsed",
    "exception",
    "failed",
    "location",
    "msg",
    "path",
    "rc",
    "skipped",
    "stderr",
    "stdout",
    "warnings",
];

/// The values of the secret arguments of one call.
#[derive(Clone, Debug)]
pub(crate) struct HiddenValues {
    /// As text, none of them empty, the longest first, so that no part of one is replaced before the whole.
    texts: Vec<String>,
    /// Whether keys are masked, too.
    in_keys: bool,
}

/// The values that background jobs were started with, by job: their results are masked when they are asked for.
pub(crate) type HiddenOfJobs = HashMap<String, HiddenValues>;

impl HiddenValues {
    /// The values of the arguments of these names; `None` if there is nothing to hide. As in Ansible, booleans and what
    /// counts as false are no secrets.
    pub(crate) fn of(names: &[&str], args: &Map, in_keys: bool) -> Option<HiddenValues> {
        let given = names.iter().filter_map(|name| args.get(*name));
        let mut texts = Vec::new();
        given.filter(|value| !matches!(value, Value::Int(0))).for_each(|value| collect(value, &mut texts));
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        texts.dedup();
        (!texts.is_empty()).then_some(HiddenValues { texts, in_keys })
    }

    /// Masks them in an outcome. Its warnings stay, as in Ansible: reports mask what they show.
    pub(crate) fn mask(&self, outcome: &mut Outcome) {
        self.mask_map(&mut outcome.data, self.in_keys);
        self.mask_map(&mut outcome.facts, false);
        let diffs = outcome.diff.iter_mut();
        diffs.for_each(|Diff { before_header, after_header, before, after }| {
            let is_state = before_header.is_empty() && after_header.is_empty();
            for side in [before, after] {
                match serde_json::from_str(side) {
                    Ok(state @ serde_json::Value::Object(_)) if is_state => {
                        let mut state = Value::from(state);
                        self.mask_value(&mut state);
                        *side = serde_json::Value::from(&state).to_string();
                    }
                    _ => self.mask_text(side),
                }
            }
            self.mask_text(before_header);
            self.mask_text(after_header);
        });
        outcome.changes.iter_mut().chain(&mut outcome.skipped).for_each(|text| self.mask_text(text));
        if let Some(failure) = &mut outcome.failure {
            self.mask_text(&mut failure.msg);
        }
    }

    /// Masks them in a value, but not in keys.
    pub(crate) fn mask_value(&self, value: &mut Value) {
        self.mask_in(value, false);
    }

    fn mask_in(&self, value: &mut Value, in_keys: bool) {
        match value {
            Value::Str(text) => self.mask_text(text),
            Value::Int(number) if self.is_in(&number.to_string()) => *value = NO_LOG_VALUE.into(),
            Value::Float(number) if self.is_in(&float_repr(*number)) => *value = NO_LOG_VALUE.into(),
            Value::List(items) => items.iter_mut().for_each(|item| self.mask_in(item, in_keys)),
            Value::Map(map) => self.mask_map(map, in_keys),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Bytes(_) | Value::Blob(_) => {}
        }
    }

    fn mask_map(&self, map: &mut Map, in_keys: bool) {
        map.values_mut().for_each(|value| self.mask_in(value, in_keys));
        if in_keys && map.keys().any(|key| self.is_in(key)) {
            let masked = std::mem::take(map).into_iter().map(|(mut key, value)| {
                if !KEPT_KEYS.contains(&&*key) {
                    self.mask_text(&mut key);
                }
                (key, value)
            });
            map.extend(masked);
        }
    }

    /// A text that is one of them says so; in longer ones each is replaced.
    fn mask_text(&self, text: &mut String) {
        if self.texts.contains(text) {
            NO_LOG_VALUE.clone_into(text);
            return;
        }
        for hidden in &self.texts {
            if text.contains(&**hidden) {
                *text = text.replace(&**hidden, MASK);
            }
        }
    }

    fn is_in(&self, text: &str) -> bool {
        self.texts.iter().any(|hidden| text.contains(&**hidden))
    }
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Str(text) if !text.is_empty() => texts.push(text.clone()),
        Value::Int(number) => texts.push(number.to_string()),
        Value::Float(number) if *number != 0.0 => texts.push(float_repr(*number)),
        Value::List(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Map(map) => map.values().for_each(|value| collect(value, texts)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use rplay_contract::wire::{Failure, data};

    use super::*;

    fn hidden(values: Vec<Value>) -> HiddenValues {
        HiddenValues::of(&["password"], &data! { "password" => values }, false).unwrap()
    }

    /// The wanted values are those that ansible-core registers.
    #[test]
    fn values_are_masked_whole_and_in_parts() {
        let mut outcome = Outcome {
            data: data! {
                "whole" => "hunter2", "part" => "a hunter2 b", "other" => "HUNTER2", "hunter2" => "key",
                "in" => vec![Value::from(42), 1421.into(), 0.42.into(), 7.into(), true.into(), Value::Null],
                "overlap" => "xabcab",
            },
            diff: vec![Diff::text("/hunter2", "hunter2", "x hunter2")],
            warnings: vec!["hunter2".to_owned()],
            failure: Some(Failure::new("fail hunter2")),
            ..Outcome::default()
        };
        hidden(vec!["hunter2".into(), 42.into(), "a".into(), "abc".into(), "ab".into(), "".into(), true.into()])
            .mask(&mut outcome);
        let no = || Value::from(NO_LOG_VALUE);
        let want = data! {
            "whole" => no(), "part" => "******** ******** b", "other" => "HUNTER2", "hunter2" => "key",
            "in" => vec![no(), no(), no(), 7.into(), true.into(), Value::Null], "overlap" => "x****************",
        };
        assert_eq!(outcome.data, want);
        let diff = &outcome.diff[0];
        assert_eq!([&*diff.before_header, &diff.before, &diff.after], ["/********", NO_LOG_VALUE, "x ********"]);
        assert_eq!(outcome.failure.unwrap().msg, "f********il ********");
        assert_eq!(outcome.warnings, ["hunter2"]);
    }

    #[test]
    fn keys_are_masked_where_the_module_does() {
        let args = data! { "url_password" => "a" };
        let mut outcome = Outcome {
            data: data! { "changed" => false, "path" => "b", "date" => "c", "json" => data! { "a" => 1, "xay" => 2 } },
            ..Outcome::default()
        };
        HiddenValues::of(&["url_password"], &args, true).unwrap().mask(&mut outcome);
        let json = data! { NO_LOG_VALUE => 1, "x********y" => 2 };
        assert_eq!(outcome.data, data! { "changed" => false, "path" => "b", "d********te" => "c", "json" => json });
    }

    #[test]
    fn a_difference_of_attributes_stays_one() {
        let mut outcome =
            Outcome { diff: vec![Diff { before: r#"{"a":"pw"}"#.into(), ..Diff::default() }], ..Outcome::default() };
        hidden(vec!["pw".into()]).mask(&mut outcome);
        assert_eq!(outcome.diff[0].before, format!(r#"{{"a":"{NO_LOG_VALUE}"}}"#));
    }

    #[test]
    fn what_is_empty_or_a_truth_value_is_no_secret() {
        for value in [Value::Null, false.into(), true.into(), "".into(), 0.into(), 0.0.into()] {
            assert!(HiddenValues::of(&["p"], &data! { "p" => value }, false).is_none());
        }
    }
}
