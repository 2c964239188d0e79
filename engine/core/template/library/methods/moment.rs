//! Methods of moments, as Python's `datetime` has them.

use jiff::civil::{Date, DateTime};
use minijinja::{Value, value::Tuple};

use crate::template::{
    args::Args,
    value::{
        error::{EvalError, EvalResult},
        time::{Day, Moment},
    },
};

/// The names of the methods.
pub(super) const NAMES: [&str; 11] = [
    "strftime",
    "isoformat",
    "timestamp",
    "date",
    "time",
    "weekday",
    "isoweekday",
    "replace",
    "ctime",
    "isocalendar",
    "toordinal",
];

/// Calls a method of a day.
///
/// # Errors
/// Those of [`call`].
pub(super) fn call_of_day(day: Day, method: &str, args: Args) -> EvalResult {
    let answer = call(&Moment::of_day(day), method, args)?;
    // The results for a day have no time of day.
    Ok(match (method, answer.downcast_object_ref::<Moment>()) {
        ("isoformat", _) => Value::from(day.0.to_string()),
        (_, Some(moment)) => Value::from_object(Day(moment.at.date())),
        _ => answer,
    })
}

/// Calls a method of a moment.
///
/// # Errors
/// If there is no such method, or it does not take these arguments or this value.
pub(super) fn call(moment: &Moment, method: &str, mut args: Args) -> EvalResult {
    let answer = match method {
        "strftime" => Value::from(moment.format(&args.text_or("format", "%c")?)?),
        "isoformat" => {
            let separator = args.text_or("sep", "T")?.chars().next().unwrap_or('T');
            Value::from(moment.iso(separator))
        }
        "timestamp" => {
            let nanos = moment.zoned().map_or(0, |zoned| zoned.timestamp().as_nanosecond());
            Value::from(nanos as f64 / 1e9)
        }
        "date" | "time" => {
            let iso = moment.iso(' ');
            let (date, time) = iso.split_once(' ').unwrap_or((&iso, ""));
            Value::from(if method == "date" { date } else { time })
        }
        "weekday" => Value::from(moment.at.weekday().to_monday_zero_offset()),
        "isoweekday" => Value::from(moment.at.weekday().to_monday_one_offset()),
        "replace" => {
            let at = moment.at;
            let mut part = |name: &str, known: i128| args.int_or(name, known);
            let date =
                [part("year", at.year().into())?, part("month", at.month().into())?, part("day", at.day().into())?];
            let time = [
                part("hour", at.hour().into())?,
                part("minute", at.minute().into())?,
                part("second", at.second().into())?,
                part("microsecond", (at.subsec_nanosecond() / 1000).into())?,
            ];
            let small = |i: i128| i8::try_from(i).ok();
            let [year, month, day] = date;
            let [hour, minute, second, micro] = time;
            let new = || {
                let nanos = i32::try_from(micro).ok().filter(|micro| (0..1_000_000).contains(micro))? * 1000;
                let (year, month, day) = (i16::try_from(year).ok()?, small(month)?, small(day)?);
                DateTime::new(year, month, day, small(hour)?, small(minute)?, small(second)?, nanos).ok()
            };
            let at = new().ok_or_else(|| EvalError::new("a part of the time is out of range"))?;
            Value::from_object(Moment { at, zone: moment.zone.clone() })
        }
        "ctime" => Value::from(moment.format("%a %b %e %H:%M:%S %Y")?),
        "isocalendar" => {
            let week = moment.at.date().iso_week_date();
            let parts = [week.year().into(), i64::from(week.week()), i64::from(week.weekday().to_monday_one_offset())];
            Value::from(Tuple::from(parts.map(Value::from).to_vec()))
        }
        "toordinal" => {
            let first = Date::constant(1, 1, 1);
            let days = moment.at.date().duration_since(first).as_hours() / 24;
            Value::from(days + 1)
        }
        _ => return Err(EvalError::new(format!("'datetime' object has no method '{method}'"))),
    };
    args.finish()?;
    Ok(answer)
}
