//! The value of a result's `diff`.

use std::sync::Arc;

use rplay_contract::system::{
    attributes::state_text,
    place::{Unshown, is_prepared, prepared},
};
use rplay_wire::Diff;

use crate::vars::{Value, from_wire, mapping};

/// The value of `diff`, in the form of Ansible's module; `None` without one. `frame` is the module's own part: a list
/// for modules that list all differences, a mapping with headers for modules that show one file, a list of two mappings
/// for modules that show a file's content and attributes. One with `prepared` is complete: a program formatted it.
///
/// Differences that are not text (owner, mode, state) become two mappings.
pub(crate) fn value(frame: Option<&Value>, diffs: &[Diff]) -> Option<Value> {
    let (states, contents): (Vec<&Diff>, Vec<&Diff>) =
        diffs.iter().filter(|diff| !is_prepared(diff)).partition(|diff| state(diff).is_some());
    let items = |value: &Value| value.try_iter().map(Iterator::collect::<Vec<_>>).unwrap_or_default();
    let is_list = |value: &Value| matches!(value.kind(), minijinja::value::ValueKind::Seq);
    match frame {
        Some(frame) if is_list(frame) && !items(frame).is_empty() => {
            let mut parts = items(frame);
            if let (Some(diff), Some(part)) = (contents.first(), parts.first_mut()) {
                *part = filled(part, text(diff));
            }
            if let (Some((before, after)), Some(part)) = (states.first().and_then(|diff| state(diff)), parts.get_mut(1))
            {
                *part = filled(part, [("before", without_path(&before)), ("after", without_path(&after))]);
            }
            Some(parts.into_iter().collect())
        }
        Some(frame) if !is_list(frame) && frame.get_attr("prepared").is_ok_and(|text| !text.is_undefined()) => {
            Some(frame.clone())
        }
        Some(frame) if !is_list(frame) => {
            Some(contents.first().map_or(frame.clone(), |diff| filled(frame, text(diff))))
        }
        _ if diffs.is_empty() => None,
        _ if contents.is_empty() => together(&states),
        None if diffs.len() == 1 => contents.first().map(|diff| shown(diff)),
        _ => Some(diffs.iter().map(shown).collect()),
    }
}

/// Replaces the differences by those that `register` stores, where these are fewer or have other headers: what a module
/// tells of the attributes of one path, and of content and attributes apart; what a program formatted is shown as it is.
/// `value` is that of [`value`].
pub(crate) fn as_registered(value: Option<&Value>, diffs: &mut Arc<[Diff]>) {
    if let Some(text) = value.and_then(|value| value.get_attr("prepared").ok()?.as_str().map(str::to_owned)) {
        *diffs = [prepared(text)].into_iter().filter(|diff| !diff.after.is_empty()).collect();
        return;
    }
    let Some(value) = value.filter(|_| !diffs.is_empty()) else { return };
    let parts: Vec<Value> = match value.kind() {
        minijinja::value::ValueKind::Seq => value.try_iter().map(Iterator::collect).unwrap_or_default(),
        _ => vec![value.clone()],
    };
    let header = |part: &Value, name: &str| part.get_attr(name).ok()?.as_str().map(str::to_owned);
    let are_states = diffs.iter().all(|diff| state(diff).is_some()) && parts.len() == 1;
    let has_content =
        parts.first().and_then(|part| header(part, "after_header")).is_some_and(|header| header.ends_with(CONTENT));
    if !are_states && !has_content {
        return;
    }
    let is_unshown = |header: &String| Unshown::of(header).is_some();
    let unshown = diffs.iter().find(|diff| [&diff.before_header, &diff.after_header].into_iter().any(is_unshown));
    let side = |part: &Value, name: &str| match part.get_attr(name).ok().map(|side| crate::vars::to_wire(&side)) {
        Some(rplay_wire::Value::Str(text)) => text,
        Some(rplay_wire::Value::Map(side)) => state_text(&side),
        _ => String::new(),
    };
    let shown = parts.iter().enumerate().map(|(number, part)| match unshown.filter(|_| number == 0) {
        Some(diff) => diff.clone(),
        None => Diff {
            before_header: header(part, "before_header").unwrap_or_default(),
            after_header: header(part, "after_header").unwrap_or_default(),
            before: side(part, "before"),
            after: side(part, "after"),
        },
    });
    *diffs = shown.filter(|diff| diff.before != diff.after).collect();
}

/// How the header of the first part ends.
const CONTENT: &str = " (content)";

/// The differences of one path, its owner and mode and its times, as one. Those of other paths are left out, as
/// ansible-core does.
fn together(states: &[&Diff]) -> Option<Value> {
    let mut sides = states.iter().filter_map(|diff| state(diff));
    let (mut before, mut after) = sides.next()?;
    let path = |side: &Value| side.get_attr("path").ok();
    let whole = |side: &Value, more: &Value| {
        let fields = |side: &Value| {
            let keys = side.try_iter().into_iter().flatten();
            keys.filter_map(|key| Some((key.as_str()?.to_owned(), side.get_item(&key).ok()?))).collect::<Vec<_>>()
        };
        let own = fields(side);
        let added = fields(more).into_iter().filter(|(key, _)| own.iter().all(|(known, _)| known != key));
        mapping(own.clone().into_iter().chain(added.collect::<Vec<_>>()))
    };
    for (more_before, more_after) in sides {
        if path(&more_before) == path(&before) {
            before = whole(&before, &more_before);
            after = whole(&after, &more_after);
        }
    }
    Some(mapping([("before", before), ("after", after)]))
}

/// Both sides of a difference that is not text.
fn state(diff: &Diff) -> Option<(Value, Value)> {
    let read = |text: &str| match serde_json::from_str::<serde_json::Value>(text) {
        Ok(json @ serde_json::Value::Object(_)) => Some(from_wire(json.into())),
        _ => None,
    };
    let has_header = !diff.before_header.is_empty() || !diff.after_header.is_empty();
    if has_header { None } else { Some((read(&diff.before)?, read(&diff.after)?)) }
}

fn shown(diff: &Diff) -> Value {
    match state(diff) {
        Some((before, after)) => mapping([("before", before), ("after", after)]),
        None => {
            let [before, after] = text(diff);
            let sides = [
                (before, ("before_header", &diff.before_header), ("dst_binary", "dst_larger")),
                (after, ("after_header", &diff.after_header), ("src_binary", "src_larger")),
            ];
            // A side that is not shown has the reason in its header.
            let fields =
                sides.into_iter().flat_map(|(side, (name, header), (binary, larger))| match Unshown::of(header) {
                    Some(Unshown::Binary) => vec![(binary, Value::from(1))],
                    Some(Unshown::Long(most)) => vec![(larger, Value::from(most))],
                    None if header.is_empty() => vec![side],
                    None => vec![side, (name, Value::from(header.as_str()))],
                });
            mapping(fields)
        }
    }
}

fn text(diff: &Diff) -> [(&'static str, Value); 2] {
    [("before", Value::from(diff.before.as_str())), ("after", Value::from(diff.after.as_str()))]
}

/// The mapping with these fields added.
fn filled(frame: &Value, fields: [(&'static str, Value); 2]) -> Value {
    let own = frame.try_iter().into_iter().flatten().filter_map(|key| {
        let value = frame.get_item(&key).ok()?;
        Some((key.as_str()?.to_owned(), value))
    });
    let own: Vec<(String, Value)> = own.filter(|(key, _)| fields.iter().all(|(name, _)| name != key)).collect();
    mapping(own.into_iter().chain(fields.map(|(name, value)| (name.to_owned(), value))))
}

fn without_path(side: &Value) -> Value {
    let keys = side.try_iter().into_iter().flatten().filter(|key| key.as_str() != Some("path"));
    mapping(keys.filter_map(|key| Some((key.as_str()?.to_owned(), side.get_item(&key).ok()?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: Option<Value>) -> serde_json::Value {
        value.map_or(serde_json::Value::Null, |value| (&crate::vars::to_wire(&value)).into())
    }

    #[test]
    fn a_side_that_is_not_shown_says_why() {
        let diff = Diff { after_header: Unshown::Binary.header(), ..Diff::text("/f", "a\n", "") };
        let told = json(value(Some(&Value::from(Vec::<Value>::new())), &[diff]));
        assert_eq!(told, serde_json::json!([{"before": "a\n", "before_header": "/f", "src_binary": 1}]));
    }

    #[test]
    fn what_is_shown_is_what_is_registered() {
        let part = |name: &str| mapping([("before_header", Value::from(name)), ("after_header", Value::from(name))]);
        let frame: Value = [part("/f (content)"), part("/f (file attributes)")].into_iter().collect();
        let mode = |mode: &str| format!("{{\"mode\": \"{mode}\", \"path\": \"/f\"}}");
        let state = Diff { before: mode("0644"), after: mode("0600"), ..Diff::default() };
        let shown = |frame: &Value, diffs: &[Diff]| {
            let mut diffs = Arc::from(diffs);
            as_registered(value(Some(frame), &diffs).as_ref(), &mut diffs);
            diffs.to_vec()
        };
        let text = Diff::text("/f (content)", "a\n", "b\n");
        let side = |mode: &str| format!("{{\n    \"mode\": \"{mode}\"\n}}\n");
        let attributes = Diff::text("/f (file attributes)", side("0644"), side("0600"));
        let content = Diff::text("/f", "a\n", "b\n");
        assert_eq!(shown(&frame, &[content.clone(), state.clone()]), [text.clone(), attributes.clone()]);
        assert_eq!(shown(&frame, std::slice::from_ref(&content)), std::slice::from_ref(&text));
        assert_eq!(shown(&part("/f (content)"), std::slice::from_ref(&content)), [text]);
        assert_eq!(shown(&frame, std::slice::from_ref(&state)), [attributes]);
        // Without `--diff` nothing is shown.
        assert_eq!(shown(&frame, &[]), []);
        let long = Diff { before_header: Unshown::Binary.header(), ..content.clone() };
        assert_eq!(shown(&frame, std::slice::from_ref(&long)), [long]);
        // Of several paths, only the first is shown.
        let of_other = |text: &str| text.replace("/f", "/g");
        let other = Diff { before: of_other(&state.before), after: of_other(&state.after), ..Diff::default() };
        let mut several: Arc<[Diff]> = [state.clone(), other].into();
        as_registered(value(None, &several).as_ref(), &mut several);
        assert_eq!(several.len(), 1);
        assert!(several[0].after.contains("/f"));
        // A module without parts shows what it found.
        let both = [content, state];
        assert_eq!(shown(&Value::from(Vec::<Value>::new()), &both), both);
    }

    #[test]
    fn what_a_program_formatted_stays_as_it_is() {
        let frame = mapping([("prepared", Value::from("1 upgraded"))]);
        let diffs = [Diff::text("packages", "", "sl 5\n")];
        let value = value(Some(&frame), &diffs);
        assert_eq!(json(value.clone()), serde_json::json!({"prepared": "1 upgraded"}));
        let mut shown: Arc<[Diff]> = diffs.into();
        as_registered(value.as_ref(), &mut shown);
        assert_eq!(*shown, [prepared("1 upgraded".to_owned())]);
        // One of several stays without sides.
        let several: Value = [frame].into_iter().collect();
        assert_eq!(json(super::value(Some(&several), &shown)), serde_json::json!([{"prepared": "1 upgraded"}]));
    }

    #[test]
    fn owner_mode_and_times_of_a_path_are_one_difference() {
        let part = |key: &str, path: &str| {
            let side = |value: u8| format!("{{\"{key}\": {value}, \"path\": \"{path}\"}}");
            Diff { before: side(1), after: side(2), ..Diff::default() }
        };
        let diffs = [part("mode", "/f"), part("mtime", "/f"), part("mode", "/g")];
        let side = |value: u8| serde_json::json!({"mode": value, "path": "/f", "mtime": value});
        assert_eq!(json(value(None, &diffs)), serde_json::json!({"before": side(1), "after": side(2)}));
    }

    #[test]
    fn the_shape_is_that_of_the_module() {
        let content = Diff::text("/f", "a\n", "b\n");
        let mode = Diff {
            before: r#"{"mode": "0644", "path": "/f"}"#.to_owned(),
            after: r#"{"mode": "0600", "path": "/f"}"#.to_owned(),
            ..Diff::default()
        };
        let both = [content.clone(), mode.clone()];
        let shown = |frame: serde_json::Value, diffs: &[Diff]| {
            let frame = from_wire(frame.into());
            json(value((!frame.is_none()).then_some(&frame), diffs))
        };
        let maps =
            serde_json::json!({"before": {"mode": "0644", "path": "/f"}, "after": {"mode": "0600", "path": "/f"}});
        let text = serde_json::json!({"before": "a\n", "after": "b\n", "before_header": "/f", "after_header": "/f"});
        let none = serde_json::Value::Null;
        assert_eq!(shown(none.clone(), &[]), none);
        assert_eq!(shown(none.clone(), std::slice::from_ref(&mode)), maps);
        assert_eq!(shown(none.clone(), std::slice::from_ref(&content)), text);
        assert_eq!(shown(serde_json::json!([]), &both), serde_json::json!([text, maps]));
        assert_eq!(shown(serde_json::json!([]), &[]), none);
        let frame =
            serde_json::json!([{"before": "", "after": "", "before_header": "/f (content)"}, {"before_header": "x"}]);
        assert_eq!(shown(frame.clone(), &[]), frame);
        assert_eq!(
            shown(frame, &both),
            serde_json::json!([
                {"before_header": "/f (content)", "before": "a\n", "after": "b\n"},
                {"before_header": "x", "before": {"mode": "0644"}, "after": {"mode": "0600"}},
            ])
        );
    }
}
