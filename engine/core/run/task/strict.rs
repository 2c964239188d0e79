//! Results of modules that ansible-core refuses to read: with text that is not UTF-8, or objects of unknown types.

use minijinja::value::ValueKind;

use crate::{
    actions::{Effect, TaskResult},
    vars::{Value, mapping},
};

/// The characters by which an agent names bytes that are not UTF-8, as Python does by surrogates; nothing else uses them.
const BYTES: std::ops::RangeInclusive<char> = '\u{10dc80}'..='\u{10dcff}';

/// The types of objects in results that ansible-core reads; names of tagged values begin with another word.
const TYPES: [&str; 8] = [
    "Deprecated",
    "DeprecationSummary",
    "ErrorSummary",
    "Event",
    "EventChain",
    "PluginInfo",
    "PluginType",
    "WarningSummary",
];
const TAGGED: &str = "_AnsibleTagged";

/// Why ansible-core refuses a result, in its words. Unless it is strict (`module_strict_utf8_response`), bytes that are
/// not UTF-8 are replaced.
pub(super) fn refusal(is_strict: bool, result: &mut TaskResult) -> Option<String> {
    let of_facts = |effect: &Effect| match effect {
        Effect::Facts(facts) => facts.values().find_map(wrong),
        _ => None,
    };
    let found = result.data.values().find_map(wrong).or_else(|| result.effects.iter().find_map(of_facts))?;
    if let Wrong::Byte(..) = found
        && !is_strict
    {
        let whole = |fields: &mut crate::task_result::Fields| {
            *fields = std::mem::take(fields).into_entries().into_iter().map(|(k, v)| (k, replaced(&v))).collect();
        };
        whole(&mut result.data);
        for effect in &mut result.effects {
            if let Effect::Facts(facts) = effect {
                whole(facts);
            }
        }
        return None;
    }
    Some(match found {
        Wrong::Byte(byte, at) => format!(
            "Refusing to deserialize an invalid UTF8 string value: 'utf-8' codec can't encode character '\\udc{byte:02x}' in \
             position {at}: surrogates not allowed"
        ),
        Wrong::Type(kind) => {
            format!("Object of type '{kind}' is not JSON deserializable by the 'module_legacy_m2c' profile.")
        }
    })
}

enum Wrong {
    /// A byte, and its position in its text.
    Byte(u8, usize),
    Type(String),
}

fn wrong(value: &Value) -> Option<Wrong> {
    match value.kind() {
        ValueKind::String => {
            let at = value.as_str()?.chars().position(|c| BYTES.contains(&c))?;
            let byte = value.as_str()?.chars().nth(at)?;
            Some(Wrong::Byte(u32::from(byte).to_le_bytes()[0], at))
        }
        ValueKind::Seq => value.try_iter().ok()?.find_map(|item| wrong(&item)),
        ValueKind::Map => {
            let kind = value.get_attr("__ansible_type").ok().filter(|kind| !kind.is_undefined());
            if let Some(kind) = kind.as_ref().map(|kind| kind.as_str().unwrap_or_default())
                && !TYPES.contains(&kind)
                && !kind.starts_with(TAGGED)
            {
                return Some(Wrong::Type(kind.to_owned()));
            }
            let entry = |key: Value| wrong(&key).or_else(|| wrong(&value.get_item(&key).unwrap_or_default()));
            value.try_iter().ok()?.find_map(entry)
        }
        _ => None,
    }
}

fn replaced(value: &Value) -> Value {
    match value.kind() {
        ValueKind::String => match value.as_str() {
            Some(text) if text.contains(|c| BYTES.contains(&c)) => {
                let replaced = text.chars().map(|c| if BYTES.contains(&c) { char::REPLACEMENT_CHARACTER } else { c });
                Value::from(replaced.collect::<String>())
            }
            _ => value.clone(),
        },
        ValueKind::Seq => value.try_iter().into_iter().flatten().map(|item| replaced(&item)).collect(),
        ValueKind::Map => mapping(value.try_iter().into_iter().flatten().filter_map(|key| {
            let item = replaced(&value.get_item(&key).unwrap_or_default());
            Some((replaced(&key).as_str()?.to_owned(), item))
        })),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(value: Value) -> TaskResult {
        TaskResult::default().with("v", value)
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused_or_replaced() {
        let odd = || Value::from(vec![mapping([("k", Value::from("aé\u{10dcff}"))])]);
        let why = refusal(true, &mut result(odd())).unwrap();
        assert!(why.ends_with("can't encode character '\\udcff' in position 2: surrogates not allowed"), "{why}");
        let mut lenient = result(odd());
        assert_eq!(refusal(false, &mut lenient), None);
        assert_eq!(lenient.data["v"].to_string(), "[{'k': 'aé\u{fffd}'}]");
        assert_eq!(refusal(true, &mut result("\u{fffd}".into())), None);
    }

    #[test]
    fn objects_of_unknown_types_are_refused() {
        let typed = |kind: &str| result(Value::from(vec![mapping([("__ansible_type", Value::from(kind))])]));
        let why = refusal(false, &mut typed("X")).unwrap();
        assert_eq!(why, "Object of type 'X' is not JSON deserializable by the 'module_legacy_m2c' profile.");
        assert_eq!(refusal(true, &mut typed("_AnsibleTaggedStr")), None);
        assert_eq!(refusal(true, &mut typed("PluginType")), None);
    }
}
