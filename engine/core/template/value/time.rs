//! Dates and times: the values of `now()` and `to_datetime`.

use std::{borrow::Cow, cmp::Ordering, fmt, sync::Arc};

use jiff::{
    Timestamp,
    fmt::strtime::{BrokenDownTime, format},
    tz::TimeZone,
};
use minijinja::{
    Value,
    value::{Object, ObjectRepr},
};

pub(crate) use crate::vars::{Day, Moment};

use crate::template::value::{
    error::{EvalError, EvalResult},
    number,
};

/// The time between two moments, in microseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span(pub i128);

impl Moment {
    /// The current time, in the controller's time zone or in UTC.
    pub(crate) fn now(utc: bool) -> Self {
        let zone = if utc { TimeZone::UTC } else { TimeZone::system() };
        Moment { at: Timestamp::now().to_zoned_datetime(zone).datetime(), zone: None }
    }

    /// A number of seconds since the start of 1970.
    pub(crate) fn since_epoch(seconds: f64, utc: bool) -> EvalResult<Self> {
        let zone = if utc { TimeZone::UTC } else { TimeZone::system() };
        let micros = (seconds * 1e6).round() as i64;
        let at = Timestamp::from_microsecond(micros)
            .map_err(|_| EvalError::new(format!("{seconds} is not a valid time")))?;
        Ok(Moment { at: at.to_zoned_datetime(zone).datetime(), zone: None })
    }

    /// Formats it like `strftime`.
    pub(crate) fn format(&self, pattern: &str) -> EvalResult<String> {
        let refuse = |error: jiff::Error| EvalError::new(format!("cannot write a time as '{pattern}': {error}"));
        match self.zoned() {
            Some(zoned) => format(pattern, &zoned).map_err(refuse),
            None => format(pattern, self.at).map_err(refuse),
        }
    }

    fn micros(&self) -> i128 {
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        let nanos = self.at.to_zoned_datetime(zone).map_or(0, |zoned| zoned.timestamp().as_nanosecond());
        nanos.div_euclid(1000)
    }
}

/// Parses text with a format of `strptime`.
pub(crate) fn parsed(text: &str, pattern: &str) -> EvalResult<Moment> {
    let refuse = || EvalError::new(format!("time data '{text}' does not match format '{pattern}'"));
    let parsed = BrokenDownTime::parse(pattern, text).map_err(|_| refuse())?;
    let date = parsed.to_date().or_else(|_| jiff::civil::Date::new(1900, 1, 1)).map_err(|_| refuse())?;
    let time = parsed.to_time().unwrap_or_default();
    let zone = parsed.offset().map(TimeZone::fixed);
    Ok(Moment { at: date.to_datetime(time), zone })
}

impl Object for Span {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let (days, rest) = (self.0.div_euclid(86_400_000_000), self.0.rem_euclid(86_400_000_000));
        Some(match key {
            "days" => number::int(days),
            "seconds" => number::int(rest / 1_000_000),
            "microseconds" => number::int(rest % 1_000_000),
            _ => return None,
        })
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0.div_euclid(86_400_000_000), self.0.rem_euclid(86_400_000_000));
        let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
        match days {
            0 => {}
            1 | -1 => write!(f, "{days} day, ")?,
            _ => write!(f, "{days} days, ")?,
        }
        write!(f, "{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        if micros != 0 {
            write!(f, ".{micros:06}")?;
        }
        Ok(())
    }
}

/// The value as a moment; a day counts as its start.
pub(crate) fn moment(value: &Value) -> Option<Cow<'_, Moment>> {
    match value.downcast_object_ref::<Moment>() {
        Some(moment) => Some(Cow::Borrowed(moment)),
        None => value.downcast_object_ref::<Day>().map(|day| Cow::Owned(Moment::of_day(*day))),
    }
}

fn moments<'v>(a: &'v Value, b: &'v Value) -> Option<(Cow<'v, Moment>, Cow<'v, Moment>)> {
    Some((moment(a)?, moment(b)?))
}

/// `repr()` of a date or time.
pub(crate) fn repr(value: &Value) -> Option<String> {
    if let Some(Day(day)) = value.downcast_object_ref() {
        return Some(format!("datetime.date({}, {}, {})", day.year(), day.month(), day.day()));
    }
    let moment = value.downcast_object_ref::<Moment>()?;
    let at = moment.at;
    let mut parts = vec![at.year().into(), at.month().into(), at.day().into(), at.hour().into(), at.minute().into()];
    let micros = at.subsec_nanosecond() / 1000;
    match (at.second(), micros) {
        (0, 0) => {}
        (second, 0) => parts.push(i32::from(second)),
        (second, micros) => parts.extend([i32::from(second), micros]),
    }
    let parts = parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let zone = match moment.offset() {
        None => String::new(),
        Some(0) => ", tzinfo=datetime.timezone.utc".to_owned(),
        Some(seconds) => {
            let days = if seconds < 0 { "days=-1, " } else { "" };
            let seconds = seconds.rem_euclid(86_400);
            format!(", tzinfo=datetime.timezone(datetime.timedelta({days}seconds={seconds}))")
        }
    };
    Some(format!("datetime.datetime({parts}{zone})"))
}

/// The order of two moments or of two spans.
pub(crate) fn order(a: &Value, b: &Value) -> Option<Ordering> {
    if let Some((a, b)) = moments(a, b) {
        return Some(a.micros().cmp(&b.micros()));
    }
    let (a, b) = (a.downcast_object_ref::<Span>()?, b.downcast_object_ref::<Span>()?);
    Some(a.0.cmp(&b.0))
}

/// Moment or span plus span.
pub(crate) fn add(a: &Value, b: &Value) -> Option<Value> {
    let (a, b) = if b.downcast_object_ref::<Span>().is_some() { (a, b) } else { (b, a) };
    let span = b.downcast_object_ref::<Span>()?;
    shifted(a, span.0)
}

/// The span between two moments, or a moment or span minus a span.
pub(crate) fn sub(a: &Value, b: &Value) -> Option<Value> {
    if let Some((a, b)) = moments(a, b) {
        return Some(Value::from_object(Span(a.micros() - b.micros())));
    }
    shifted(a, -b.downcast_object_ref::<Span>()?.0)
}

fn shifted(value: &Value, micros: i128) -> Option<Value> {
    if let Some(span) = value.downcast_object_ref::<Span>() {
        return Some(Value::from_object(Span(span.0 + micros)));
    }
    let moment = value.downcast_object_ref::<Moment>()?;
    let by = jiff::SignedDuration::from_micros(i64::try_from(micros).ok()?);
    Some(Value::from_object(Moment { at: moment.at.checked_add(by).ok()?, zone: moment.zone.clone() }))
}
