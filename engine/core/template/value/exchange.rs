//! Values as JSON, on their way to a plugin in Python and back. Types that JSON lacks are objects whose key `$` names
//! the type; `engine/core/python/values.py` is the other end.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use indexmap::IndexMap;
use minijinja::{
    Value,
    value::{Tuple, ValueKind},
};
use serde_json::{Map, Value as Json, json};

use crate::{
    limits,
    template::{
        origin::Origin,
        value::{
            containers, number,
            number::Number,
            show,
            time::{Day, Moment, Span},
            undefined::{Undefined, UndefinedReason, as_undefined},
        },
    },
    vars::{BigInteger, Magic, holds_template, is_omit, is_trusted, omit},
};

/// Maximum nesting of values; neither end reads deeper JSON.
const MOST_LEVELS: usize = 100;

/// The values of one call. Undefined values stay here: the plugin gets references, which are resolved when they come
/// back.
#[derive(Default)]
pub struct Exchange {
    undefined: Vec<Value>,
    /// Knows what was encrypted. With it, text that a playbook wrote is marked as trusted, and encrypted values as such.
    magic: Option<Arc<dyn Magic>>,
}

/// Where a text comes from, as far as plugins can tell.
enum TextOrigin {
    /// Encrypted in this envelope.
    Vault(Arc<str>),
    Playbook,
    Other,
}

impl Exchange {
    /// For plugins that treat text from a playbook, and encrypted values, differently.
    pub fn with_trust(magic: &Arc<dyn Magic>) -> Self {
        Exchange { magic: Some(magic.clone()), ..Exchange::default() }
    }

    /// A value as JSON, with everything in it rendered.
    ///
    /// # Errors
    /// If the value contains something that plugins do not understand.
    pub fn encode(&mut self, value: &Value) -> Result<Json, String> {
        self.encode_at(value, 0)
    }

    fn encode_at(&mut self, value: &Value, level: usize) -> Result<Json, String> {
        if level > MOST_LEVELS {
            return Err(format!("it is nested deeper than {MOST_LEVELS} levels"));
        }
        if value.is_undefined() || as_undefined(value).is_some() {
            let hint = as_undefined(value).map_or_else(|| "the value is undefined".to_owned(), Undefined::message);
            // A value that failed to render is a deferred error, not an undefined value.
            let failed = as_undefined(value).is_some_and(|undefined| !undefined.undefined());
            self.undefined.push(value.clone());
            return Ok(json!({ "$": "undefined", "n": self.undefined.len() - 1, "v": hint, "failed": failed }));
        }
        if is_omit(value) {
            return Ok(json!({ "$": "omit" }));
        }
        let mut items = |value: &Value| {
            let items = value.try_iter().into_iter().flatten();
            limits::with_stack(|| items.map(|item| self.encode_at(&item, level + 1)).collect::<Result<Vec<_>, _>>())
        };
        match value.kind() {
            ValueKind::None => Ok(Json::Null),
            ValueKind::Bool => Ok(Json::Bool(value.is_true())),
            ValueKind::Number => Ok(match Number::of(value) {
                Some(Number::Int(int)) => match i64::try_from(int) {
                    Ok(small) => Json::from(small),
                    Err(_) => json!({ "$": "int", "v": int.to_string() }),
                },
                // Larger integers are written as digits.
                Some(Number::Float(_)) if value.is_integer() => json!({ "$": "int", "v": value.to_string() }),
                Some(Number::Float(float)) => json!({ "$": "float", "v": number::float_repr(float) }),
                None => json!({ "$": "int", "v": value.to_string() }),
            }),
            ValueKind::String => Ok(self.encode_text(value)),
            ValueKind::Bytes => Ok(json!({ "$": "bytes", "v": STANDARD.encode(value.as_bytes().unwrap_or_default()) })),
            ValueKind::Seq if value.is_tuple() => Ok(json!({ "$": "tuple", "v": items(value)? })),
            ValueKind::Seq | ValueKind::Iterable => items(value).map(Json::from),
            ValueKind::Map => limits::with_stack(|| self.encode_map(value, level)),
            _ => self.encode_object(value),
        }
    }

    fn encode_text(&self, value: &Value) -> Json {
        let text = value.as_str().unwrap_or_default();
        match self.origin_of(value, text) {
            TextOrigin::Vault(envelope) => json!({ "$": "vaulted", "v": text, "e": &*envelope }),
            TextOrigin::Playbook => json!({ "$": "trusted", "v": text }),
            TextOrigin::Other => Json::from(text),
        }
    }

    fn origin_of(&self, value: &Value, text: &str) -> TextOrigin {
        let Some(magic) = &self.magic else { return TextOrigin::Other };
        if let Some(envelope) = magic.envelope_of(text) {
            return TextOrigin::Vault(envelope);
        }
        // Text from a playbook is trusted there, too, unless it still contains templates: then it is data to show.
        match is_trusted(value) && !holds_template(text) {
            true => TextOrigin::Playbook,
            false => TextOrigin::Other,
        }
    }

    fn encode_map(&mut self, value: &Value, level: usize) -> Result<Json, String> {
        let pairs = containers::pairs(value);
        // Keys of one kind need no marks of their own: a playbook wrote all of them, or none.
        let is_all = |wanted: fn(&TextOrigin) -> bool| {
            let is_wanted =
                |key: &Value| key.as_str().is_some_and(|text| text != "$" && wanted(&self.origin_of(key, text)));
            pairs.iter().all(|(key, _)| is_wanted(key))
        };
        let is_written = !pairs.is_empty() && is_all(|origin| matches!(origin, TextOrigin::Playbook));
        if is_written || is_all(|origin| matches!(origin, TextOrigin::Other)) {
            let mut entries = Map::new();
            for (key, value) in &pairs {
                entries.insert(key.as_str().unwrap_or_default().to_owned(), self.encode_at(value, level + 1)?);
            }
            return Ok(match is_written {
                true => json!({ "$": "keys", "v": entries }),
                false => Json::Object(entries),
            });
        }
        let mut entries = Vec::with_capacity(pairs.len());
        for (key, value) in &pairs {
            entries.push(json!([self.encode_at(key, level + 1)?, self.encode_at(value, level + 1)?]));
        }
        Ok(json!({ "$": "dict", "v": entries }))
    }

    fn encode_object(&self, value: &Value) -> Result<Json, String> {
        if let Some(int) = BigInteger::of(value) {
            return Ok(json!({ "$": "int", "v": int.to_string() }));
        }
        if let Some(moment) = value.downcast_object_ref::<Moment>() {
            return Ok(json!({ "$": "datetime", "v": moment.iso('T') }));
        }
        if let Some(Day(day)) = value.downcast_object_ref() {
            return Ok(json!({ "$": "date", "v": day.to_string() }));
        }
        if let Some(span) = value.downcast_object_ref::<Span>() {
            return Ok(json!({ "$": "timedelta", "v": i64::try_from(span.0).unwrap_or(i64::MAX) }));
        }
        Err(format!("a value of type '{}' cannot be passed to a plugin in Python", show::type_name(value)))
    }

    /// The value that a plugin returned.
    ///
    /// # Errors
    /// If it is not of a type that both ends know.
    pub fn decode(&self, json: Json) -> Result<Value, String> {
        let entries = match json {
            Json::Array(items) => return self.decode_all(items).map(Value::from),
            Json::Object(entries) => entries,
            Json::Number(number) => {
                let int = number.as_i64().map(Value::from).or_else(|| number.as_u64().map(Value::from));
                return Ok(int.unwrap_or_else(|| Value::from(number.as_f64().unwrap_or(f64::NAN))));
            }
            Json::String(text) => return Ok(Value::from(text)),
            Json::Bool(truth) => return Ok(Value::from(truth)),
            Json::Null => return Ok(Value::from(())),
        };
        let Some(kind) = entries.get("$") else {
            let mut map = IndexMap::with_capacity(entries.len());
            for (key, value) in entries {
                map.insert(Value::from(key), self.decode(value)?);
            }
            return Ok(Value::from_object(map));
        };
        let strange = || format!("a plugin's value of kind {kind} cannot be read");
        let told = entries.get("v");
        let text = || told.and_then(Json::as_str).ok_or_else(strange);
        Ok(match kind.as_str().unwrap_or_default() {
            "dict" => {
                let mut map = IndexMap::new();
                for pair in told.and_then(Json::as_array).ok_or_else(strange)? {
                    let part = |at: usize| self.decode(pair.get(at).cloned().unwrap_or_default());
                    map.insert(part(0)?, part(1)?);
                }
                Value::from_object(map)
            }
            "keys" => {
                let mut map = IndexMap::new();
                for (key, value) in told.and_then(Json::as_object).ok_or_else(strange)? {
                    map.insert(Value::from_safe_string(key.clone()), self.decode(value.clone())?);
                }
                Value::from_object(map)
            }
            "tuple" => {
                Value::from(Tuple::from(self.decode_all(told.and_then(Json::as_array).ok_or_else(strange)?.clone())?))
            }
            "bytes" => Value::from_bytes(STANDARD.decode(text()?).map_err(|_| strange())?),
            "int" => match text()?.parse::<i128>() {
                Ok(int) => number::int(int),
                Err(_) => BigInteger::parse(text()?).ok_or_else(strange)?,
            },
            "trusted" => Value::from_safe_string(text()?.to_owned()),
            "vaulted" => {
                let envelope = entries.get("e").and_then(Json::as_str).ok_or_else(strange)?;
                let known = self.magic.as_ref().and_then(|magic| magic.decrypt(envelope).ok());
                known
                    .filter(|known| Some(&**known) == text().ok())
                    .map_or_else(|| text().map(Value::from), |known| Ok(Value::from(known)))?
            }
            "float" => Value::from(text()?.parse::<f64>().map_err(|_| strange())?),
            "datetime" => Value::from_object(Moment::of_iso(text()?).ok_or_else(strange)?),
            "date" => Value::from_object(Day(text()?.parse().map_err(|_| strange())?)),
            "timedelta" => Value::from_object(Span(told.and_then(Json::as_i64).ok_or_else(strange)?.into())),
            "omit" => omit(),
            "undefined" => {
                let known = entries.get("n").and_then(Json::as_u64).and_then(|n| self.undefined.get(n as usize));
                match known {
                    Some(known) => known.clone(),
                    None => undefined(text()?),
                }
            }
            _ => return Err(strange()),
        })
    }

    fn decode_all(&self, items: Vec<Json>) -> Result<Vec<Value>, String> {
        items.into_iter().map(|item| self.decode(item)).collect()
    }
}

fn undefined(message: &str) -> Value {
    let what = UndefinedReason::Message(message.to_owned());
    Value::from_object(Undefined { what, origin: Arc::new(Origin::Nowhere), range: 0..0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that is encrypted has this text.
    struct Sealed(Arc<str>);

    impl Magic for Sealed {
        fn get(&self, _name: &str) -> Option<crate::vars::Lazy> {
            None
        }

        fn names(&self) -> Vec<Arc<str>> {
            Vec::new()
        }

        fn envelope_of(&self, text: &str) -> Option<Arc<str>> {
            std::ptr::eq(text.as_ptr(), self.0.as_ptr()).then(|| "$ANSIBLE_VAULT".into())
        }

        fn decrypt(&self, _envelope: &str) -> Result<Arc<str>, String> {
            Ok(self.0.clone())
        }
    }

    #[test]
    fn keys_that_a_playbook_wrote_come_back_as_such() {
        let magic: Arc<dyn Magic> = Arc::new(Sealed("sealed".into()));
        let mut exchange = Exchange::with_trust(&magic);
        let written = |text: &str| Value::from_safe_string(text.to_owned());
        let all = containers::map([(written("a"), Value::from(1)), (written("b"), Value::from(2))]);
        let json = exchange.encode(&all).unwrap();
        assert_eq!(json, json!({ "$": "keys", "v": { "a": 1, "b": 2 } }));
        let some = containers::map([(written("a"), Value::from(1)), (Value::from("b"), Value::from(2))]);
        for (value, want) in [(all, [true, true]), (some, [true, false])] {
            let json = exchange.encode(&value).unwrap();
            let back = containers::pairs(&exchange.decode(json).unwrap());
            assert_eq!(back.iter().map(|(key, _)| is_trusted(key)).collect::<Vec<_>>(), want);
        }
        let none = exchange.encode(&containers::map([(Value::from("a"), Value::from(1))])).unwrap();
        assert_eq!(none, json!({ "a": 1 }));
    }

    #[test]
    fn what_is_encrypted_comes_back_as_such() {
        let sealed = Arc::new(Sealed("sealed".into()));
        let magic: Arc<dyn Magic> = sealed.clone();
        let mut exchange = Exchange::with_trust(&magic);
        let json = exchange.encode(&Value::from(vec![Value::from(sealed.0.clone()), Value::from("sealed")])).unwrap();
        assert_eq!(json, json!([{ "$": "vaulted", "v": "sealed", "e": "$ANSIBLE_VAULT" }, "sealed"]));
        let back = exchange.decode(json).unwrap();
        let is_sealed = |index: usize| {
            let item = back.get_item_by_index(index).unwrap();
            magic.envelope_of(item.as_str().unwrap()).is_some()
        };
        assert!(is_sealed(0) && !is_sealed(1));
        // A plugin cannot give another text the mark.
        let other = exchange.decode(json!({ "$": "vaulted", "v": "other", "e": "$ANSIBLE_VAULT" })).unwrap();
        assert_eq!(other.as_str(), Some("other"));
    }

    #[track_caller]
    fn goes_and_comes(value: Value) {
        let magic: Arc<dyn Magic> = Arc::new(Sealed("sealed".into()));
        let mut exchange = Exchange::with_trust(&magic);
        let json = exchange.encode(&value).unwrap();
        let back = exchange.decode(json.clone()).unwrap();
        assert_eq!(show::repr(&back), show::repr(&value), "{json}");
        assert_eq!(show::type_name(&back), show::type_name(&value), "{json}");
    }

    #[test]
    fn values_keep_their_types() {
        for value in [
            Value::from(()),
            Value::from(true),
            Value::from(-5),
            Value::from(u64::MAX),
            Value::from(i128::MAX),
            BigInteger::parse(&"9".repeat(60)).unwrap(),
            Value::from(0.1),
            Value::from(1.0),
            Value::from(1e300),
            Value::from("text"),
            Value::from_safe_string("trusted".to_owned()),
            Value::from_bytes(vec![0, 255]),
            Value::from(vec![Value::from(1), Value::from("a")]),
            Value::from(Tuple::from(vec![Value::from(1)])),
            containers::map([(Value::from("$"), Value::from(1))]),
            containers::map([(Value::from_safe_string("$".to_owned()), Value::from(1))]),
            containers::map([(Value::from(1), Value::from("one")), (Value::from("b"), Value::from(()))]),
            Value::from_object(Moment::of_iso("2024-02-29T12:30:00").unwrap()),
            Value::from_object(Moment::of_iso("2024-02-29T12:30:00.25+05:30").unwrap()),
            Value::from_object(Moment::of_iso("2024-02-29T12:30:00-08:00").unwrap()),
            Value::from_object(Day(jiff::civil::date(2024, 2, 29))),
            Value::from_object(Span(-1_500_000)),
        ] {
            goes_and_comes(value);
        }
        let nan = Exchange::default().decode(json!({ "$": "float", "v": "nan" })).unwrap();
        assert!(f64::try_from(nan).is_ok_and(f64::is_nan));
        let mut exchange = Exchange::default();
        let json = exchange.encode(&omit()).unwrap();
        assert!(is_omit(&exchange.decode(json).unwrap()));
    }

    #[test]
    fn what_is_undefined_comes_back_as_itself_and_what_is_new_has_its_message() {
        let mut exchange = Exchange::default();
        let own = undefined("'a' is undefined");
        let json = exchange.encode(&Value::from(vec![Value::from(1), own.clone()])).unwrap();
        let back = exchange.decode(json).unwrap();
        assert_eq!(as_undefined(&back.get_item_by_index(1).unwrap()).unwrap().message(), "'a' is undefined");
        let new = exchange.decode(json!({ "$": "undefined", "v": "no such thing" })).unwrap();
        assert_eq!(as_undefined(&new).unwrap().message(), "no such thing");
    }

    #[test]
    fn what_is_nested_too_deeply_or_strange_is_refused() {
        let deep = (0..200).fold(Value::from(1), |inner, _| Value::from(vec![inner]));
        assert!(Exchange::default().encode(&deep).unwrap_err().contains("nested deeper"));
        assert!(Exchange::default().decode(json!({ "$": "riddle" })).unwrap_err().contains("riddle"));
        assert!(Exchange::default().decode(json!({ "$": "int", "v": "9".repeat(60_000) })).is_err());
    }
}
