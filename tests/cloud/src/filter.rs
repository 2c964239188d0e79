//! What the Describe actions have in common: filters and pages, and parameters that are known.

use serde_json::{Value, json};

use crate::{Answer, error};

/// Refuses parameters that the action does not have.
pub(crate) fn known(payload: &Value, names: &[&str]) -> Result<(), (String, String)> {
    for name in payload.as_object().into_iter().flat_map(|map| map.keys()) {
        if !names.contains(&name.as_str()) {
            return error("UnknownParameter", format!("The parameter `{name}` is not recognized."));
        }
    }
    Ok(())
}

/// A text that must be there.
pub(crate) fn text(payload: &Value, name: &str) -> Result<String, (String, String)> {
    match payload[name].as_str() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => error("MissingParameter", format!("The request is missing the required parameter `{name}`.")),
    }
}

/// The texts of a list.
pub(crate) fn texts(payload: &Value, name: &str) -> Vec<String> {
    let items = payload[name].as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Those that the filters let through, one page of them. `field` gives what a filter of that name looks at.
pub(crate) fn page<'v>(
    payload: &Value,
    all: impl Iterator<Item = &'v Value>,
    set: &str,
    tags: &str,
    numbers_are_text: bool,
    field: impl Fn(&str) -> Option<&'static str>,
) -> Answer {
    let number = |name: &str, default: usize| match &payload[name] {
        Value::Null => Ok(default),
        Value::String(text) if numbers_are_text => {
            text.parse().or_else(|_| error("InvalidParameterValue", format!("`{name}` is no number")))
        }
        Value::Number(number) if !numbers_are_text => Ok(number.as_u64().unwrap_or(0) as usize),
        _ => error("InvalidParameter", format!("The parameter `{name}` has the wrong type.")),
    };
    let (offset, limit) = (number("Offset", 0)?, number("Limit", 20)?);
    if limit > 100 {
        return error("InvalidParameterValue.LimitExceeded", "Limit is at most 100");
    }
    let mut tests: Vec<(Option<String>, Option<&'static str>, Vec<String>)> = Vec::new();
    for filter in payload["Filters"].as_array().into_iter().flatten() {
        let name = text(filter, "Name")?;
        let tag = name.strip_prefix("tag:").map(str::to_owned);
        let field = field(&name);
        if tag.is_none() && field.is_none() {
            return error("InvalidFilter", format!("there is no filter `{name}`"));
        }
        tests.push((tag, field, texts(filter, "Values")));
    }
    let fits = |item: &Value| {
        tests.iter().all(|(tag, field, values)| match (tag, field) {
            (Some(tag), _) => item[tags].as_array().into_iter().flatten().any(|pair| {
                let key = pair["Key"].as_str().or(pair["TagKey"].as_str());
                let value = pair["Value"].as_str().or(pair["TagValue"].as_str()).unwrap_or_default();
                key == Some(tag) && values.iter().any(|wanted| wanted == value)
            }),
            (None, Some(field)) => {
                let found = item[*field].as_str().unwrap_or_default();
                // Names are matched in part.
                let is_name = field.ends_with("Name") || *field == "Platform";
                values.iter().any(|value| if is_name { found.contains(value.as_str()) } else { found == value })
            }
            (None, None) => true,
        })
    };
    let found: Vec<&Value> = all.filter(|item| fits(item)).collect();
    let total = found.len();
    let found: Vec<&Value> = found.into_iter().skip(offset).take(limit).collect();
    Ok(json!({ "TotalCount": total, set: found }))
}
