//! What a request brings, read as gin binds it: the query for GET, a form or JSON otherwise.

use std::collections::HashMap;

use serde_json::Value;

pub struct Input(HashMap<String, Value>);

impl Input {
    pub fn form(text: &[u8]) -> Input {
        Input(
            form_urlencoded::parse(text)
                .map(|(key, value)| (key.into_owned(), Value::String(value.into_owned())))
                .collect(),
        )
    }

    pub fn json(text: &[u8]) -> Result<Input, String> {
        serde_json::from_slice(text).map(Input).map_err(|why| why.to_string())
    }

    pub fn text(&self, name: &str) -> Result<&str, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(format!("json: cannot unmarshal into field {name} of type string")),
        }
    }

    pub fn number(&self, name: &str) -> Result<i64, String> {
        let wrong = || format!("json: cannot unmarshal into field {name} of type int");
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(0),
            Some(Value::String(text)) if text.is_empty() => Ok(0),
            Some(Value::String(text)) => text.parse().map_err(|_| wrong()),
            Some(value) => value.as_i64().ok_or_else(wrong),
        }
    }

    /// A text of `least` to `most` characters, or the validator's words about it.
    pub fn text_of(&self, name: &str, field: &str, least: usize, most: usize) -> Result<&str, String> {
        let text = self.text(name)?;
        let tag = match text.chars().count() {
            0 if least > 0 => "required",
            length if length < least => "min",
            length if length > most => "max",
            _ => return Ok(text),
        };
        let last = field.rsplit('.').next().unwrap_or(field);
        Err(format!("Key: '{field}' Error:Field validation for '{last}' failed on the '{tag}' tag"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_json_read_alike() {
        for input in [Input::form(b"title=a%20b&id=7"), Input::json(br#"{"title":"a b","id":7}"#).unwrap()] {
            assert_eq!(input.text("title"), Ok("a b"));
            assert_eq!(input.number("id"), Ok(7));
            assert_eq!((input.text("content"), input.number("status")), (Ok(""), Ok(0)));
        }
        assert!(Input::json(b"[1]").is_err());
        assert!(Input::json(br#"{"title":1}"#).unwrap().text("title").is_err());
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        let input = Input::json(r#"{"a":"","b":"ab","c":"操作成","d":"toolong"}"#.as_bytes()).unwrap();
        let tag = |name| {
            input.text_of(name, "Req.Name", 3, 5).map_err(|why| why.rsplit('\'').nth(1).unwrap_or("").to_string())
        };
        assert_eq!(tag("a"), Err("required".into()));
        assert_eq!(tag("b"), Err("min".into()));
        assert_eq!(tag("c"), Ok("操作成"));
        assert_eq!(tag("d"), Err("max".into()));
    }
}
