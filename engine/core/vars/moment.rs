//! Dates and times, as YAML has them and templates compute them.

use std::{fmt, sync::Arc};

use jiff::{
    Timestamp, ZonedDateTime,
    civil::{Date, DateTime},
    tz::{Offset, TimeZone},
};
use minijinja::{
    Value,
    value::{Object, ObjectRepr},
};

/// A date and time, with a time zone only if one was given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moment {
    pub at: DateTime,
    pub zone: Option<TimeZone>,
}

/// A date without a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Day(pub Date);

impl Moment {
    /// Reads what [`iso`](Self::iso) writes.
    pub(crate) fn of_iso(text: &str) -> Option<Self> {
        let text = text.replacen(' ', "T", 1);
        let signs = text.get(10..)?;
        let Some(at) = signs.rfind(['+', '-', 'Z']) else {
            return Some(Moment { at: text.parse().ok()?, zone: None });
        };
        let zoned: Timestamp = text.parse().ok()?;
        let civil: DateTime = text.get(..10 + at)?.parse().ok()?;
        let seconds = civil.to_zoned_datetime(TimeZone::UTC).ok()?.timestamp().as_second() - zoned.as_second();
        let offset = Offset::from_seconds(i32::try_from(seconds).ok()?).ok()?;
        Some(Moment { at: civil, zone: Some(TimeZone::fixed(offset)) })
    }

    /// The start of a day.
    pub(crate) fn of_day(day: Day) -> Self {
        Moment { at: day.0.to_datetime(jiff::civil::Time::midnight()), zone: None }
    }

    pub(crate) fn zoned(&self) -> Option<ZonedDateTime> {
        self.at.to_zoned_datetime(self.zone.clone().unwrap_or_else(TimeZone::system)).ok()
    }

    /// Seconds from UTC, if a time zone was given.
    pub(crate) fn offset(&self) -> Option<i32> {
        self.zone.as_ref().and_then(|_| self.zoned()).map(|zoned| zoned.offset().seconds())
    }

    /// As Python's `isoformat` writes it.
    pub(crate) fn iso(&self, separator: char) -> String {
        let at = self.at;
        let mut text = format!(
            "{:04}-{:02}-{:02}{separator}{:02}:{:02}:{:02}",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        );
        let micros = at.subsec_nanosecond() / 1000;
        if micros != 0 {
            text.push_str(&format!(".{micros:06}"));
        }
        if let Some(seconds) = self.offset() {
            let sign = if seconds < 0 { '-' } else { '+' };
            let minutes = seconds.abs() / 60;
            text.push_str(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
        }
        text
    }
}

/// The date or time from the text of a [`Kind::Time`](crate::syntax::Kind::Time), which is in ISO 8601.
pub(super) fn of_yaml(text: &str) -> Option<Value> {
    match text.len() {
        10 => text.parse().ok().map(|date| Value::from_object(Day(date))),
        _ => Moment::of_iso(text).map(Value::from_object),
    }
}

/// A date or time as text for JSON.
pub(crate) fn as_json(value: &Value) -> Option<String> {
    if let Some(moment) = value.downcast_object_ref::<Moment>() {
        return Some(moment.iso('T'));
    }
    value.downcast_object_ref::<Day>().map(|day| day.0.to_string())
}

impl Object for Moment {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        Some(match key {
            "year" => Value::from(self.at.year()),
            "month" => Value::from(self.at.month()),
            "day" => Value::from(self.at.day()),
            "hour" => Value::from(self.at.hour()),
            "minute" => Value::from(self.at.minute()),
            "second" => Value::from(self.at.second()),
            "microsecond" => Value::from(self.at.subsec_nanosecond() / 1000),
            _ => return None,
        })
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso(' '))
    }
}

impl Object for Day {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        Some(match key {
            "year" => Value::from(self.0.year()),
            "month" => Value::from(self.0.month()),
            "day" => Value::from(self.0.day()),
            _ => return None,
        })
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_of_yaml_are_read_and_shown() {
        for (yaml, shown, json) in [
            ("2020-01-02", "2020-01-02", "2020-01-02"),
            ("2020-01-02 03:04:05", "2020-01-02 03:04:05", "2020-01-02T03:04:05"),
            ("2020-01-02 03:04:05.678000", "2020-01-02 03:04:05.678000", "2020-01-02T03:04:05.678000"),
            ("2020-01-02 03:04:05+02:00", "2020-01-02 03:04:05+02:00", "2020-01-02T03:04:05+02:00"),
        ] {
            let value = of_yaml(yaml).unwrap_or_default();
            assert_eq!((value.to_string().as_str(), as_json(&value).as_deref()), (shown, Some(json)), "{yaml}");
        }
    }
}
