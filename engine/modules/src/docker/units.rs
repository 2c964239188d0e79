//! Sizes, durations and other notations of the docker command.

use rplay_wire::{Map, Value};
use serde_json::{Value as Json, json};

use crate::args::ArgType;

/// Bytes: `512m`, `1.5GiB`, `1024`; `unlimited` and -1 for no limit, where supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub i64);

impl ArgType for Size {
    const KIND: &'static str = "str";

    fn parse(value: &Value) -> Result<Self, String> {
        let text = String::parse(value)?;
        let text = text.trim();
        let wrong = || format!("must be a size such as 512m or 1G, not `{text}`");
        if text.eq_ignore_ascii_case("unlimited") || text == "-1" {
            return Ok(Size(-1));
        }
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let unit = unit.trim().to_ascii_lowercase();
        let unit = unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(&unit);
        let power = match unit {
            "" => 0,
            "k" => 1,
            "m" => 2,
            "g" => 3,
            "t" => 4,
            "p" => 5,
            _ => return Err(wrong()),
        };
        let bytes = number * 1024f64.powi(power);
        if bytes > 9e18 { Err(wrong()) } else { Ok(Size(bytes as i64)) }
    }
}

/// Nanoseconds: `1m30s`, `500ms`. A number without a unit is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub i64);

impl ArgType for Span {
    const KIND: &'static str = "str";

    fn parse(value: &Value) -> Result<Self, String> {
        let text = String::parse(value)?;
        let wrong = || format!("must be a duration such as 30s or 1m30s, not `{text}`");
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(wrong());
        }
        let mut sum = 0i64;
        while !rest.is_empty() {
            let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
            let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
            let nanos: i64 = match unit {
                "h" => 3_600_000_000_000,
                "m" => 60_000_000_000,
                "s" => 1_000_000_000,
                "ms" => 1_000_000,
                "us" | "µs" => 1_000,
                _ => return Err(wrong()),
            };
            let number: i64 = number.parse().map_err(|_| wrong())?;
            sum = number.checked_mul(nanos).and_then(|part| sum.checked_add(part)).ok_or_else(wrong)?;
            rest = after;
        }
        Ok(Span(sum))
    }
}

/// A ulimit: `nofile:1024:2048`, or one number for both.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ulimit(pub Json);

impl ArgType for Ulimit {
    const KIND: &'static str = "str";

    fn parse(value: &Value) -> Result<Self, String> {
        let text = String::parse(value)?;
        let wrong = || format!("must be NAME:SOFT or NAME:SOFT:HARD, not `{text}`");
        let mut parts = text.split(':');
        let name = parts.next().filter(|name| !name.is_empty()).ok_or_else(wrong)?;
        let soft: i64 = parts.next().and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
        let hard = match parts.next() {
            Some(hard) => hard.parse().map_err(|_| wrong())?,
            None => soft,
        };
        if parts.next().is_some() {
            return Err(wrong());
        }
        Ok(Ulimit(json!({"Name": name, "Soft": soft, "Hard": hard})))
    }
}

/// A device: `/dev/host`, `/dev/host:/dev/inside`, `/dev/host:/dev/inside:rwm`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Device(pub Json);

impl ArgType for Device {
    const KIND: &'static str = "str";

    fn parse(value: &Value) -> Result<Self, String> {
        let text = String::parse(value)?;
        let parts: Vec<_> = text.split(':').collect();
        let (host, inside, may) = match parts.as_slice() {
            [host] => (*host, *host, "rwm"),
            [host, may] if !may.starts_with('/') => (*host, *host, *may),
            [host, inside] => (*host, *inside, "rwm"),
            [host, inside, may] => (*host, *inside, *may),
            _ => return Err(format!("must be a device such as /dev/sda:/dev/xvda:rwm, not `{text}`")),
        };
        Ok(Device(json!({"PathOnHost": host, "PathInContainer": inside, "CgroupPermissions": may})))
    }
}

/// Strings by name. Values must be strings: YAML converts an unquoted `yes`, `0644` or `1.10` to another type, and the
/// original text is lost.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Texts(pub Vec<(String, String)>);

impl std::fmt::Debug for Texts {
    /// Only names: the values may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl ArgType for Texts {
    const KIND: &'static str = "dict";

    fn parse(value: &Value) -> Result<Self, String> {
        let map = Map::parse(value).map_err(|_| format!("must be a dict of strings, not {}", value.type_name()))?;
        let texts = map.into_iter().map(|(name, value)| match value {
            Value::Str(text) => Ok((name, text)),
            other => Err(format!(
                "has a value for {name} that is not a string but {}; quote it, or use `| string`",
                other.type_name()
            )),
        });
        texts.collect::<Result<_, _>>().map(Texts)
    }
}

/// Strings by name; numbers and booleans are converted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Options(pub Vec<(String, String)>);

impl ArgType for Options {
    const KIND: &'static str = "dict";

    fn parse(value: &Value) -> Result<Self, String> {
        let map = Map::parse(value)?;
        let texts = map.into_iter().map(|(name, value)| match value {
            // Docker's options use lower case.
            Value::Bool(on) => Ok((name, on.to_string())),
            value => String::parse(&value).map(|text| (name, text)),
        });
        texts.collect::<Result<_, _>>().map(Options)
    }
}

impl Options {
    /// The Engine's format.
    pub(crate) fn json(&self) -> Json {
        // Sorted by name, so that the order in the playbook does not matter.
        let sorted: std::collections::BTreeMap<_, _> = self.0.iter().map(|(name, value)| (name, value)).collect();
        Json::Object(sorted.into_iter().map(|(name, value)| (name.clone(), Json::from(value.as_str()))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_binary() {
        let size = |text: &str| Size::parse(&text.into()).map(|s| s.0).ok();
        assert_eq!(size("512m"), Some(512 << 20));
        assert_eq!(size("1.5GiB"), Some(3 << 29));
        assert_eq!(size("2 kB"), Some(2048));
        assert_eq!(size("77"), Some(77));
        assert_eq!(size("unlimited"), Some(-1));
        for wrong in ["", "m", "5x", "1.2.3m", "-5"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        let span = |text: &str| Span::parse(&text.into()).map(|s| s.0).ok();
        assert_eq!(span("1m30s"), Some(90_000_000_000));
        assert_eq!(span("500ms"), Some(500_000_000));
        assert_eq!(span("1h5us"), Some(3_600_000_005_000));
        for wrong in ["", "5", "s", "5 s", "1d"] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn limits_and_devices_are_read_from_their_notation() {
        let both = json!({"Name": "nofile", "Soft": 5, "Hard": 5});
        assert_eq!(Ulimit::parse(&"nofile:5".into()), Ok(Ulimit(both)));
        assert!(Ulimit::parse(&"nofile".into()).is_err());
        assert!(Ulimit::parse(&"nofile:1:2:3".into()).is_err());
        let device = Device::parse(&"/dev/a:/dev/b:r".into()).map(|d| d.0);
        assert_eq!(device, Ok(json!({"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"})));
    }

    #[test]
    fn values_that_yaml_has_changed_are_refused_without_being_shown() {
        let map = rplay_wire::data! { "MODE" => 420 };
        let message = Texts::parse(&Value::Map(map)).unwrap_err();
        assert!(message.contains("MODE") && !message.contains("420"), "{message}");
        let message = Texts::parse(&"A=1 hunter2".into()).unwrap_err();
        assert!(!message.contains("hunter2"), "{message}");
        assert_eq!(format!("{:?}", Texts(vec![("A".into(), "hunter2".into())])), "[\"A\"]");
    }
}
