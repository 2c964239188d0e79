//! Methods of moments, as Python's `datetime` has them.

use minijinja::Value;

use crate::template::{
    args::Args,
    value::{
        error::{EvalError, EvalResult},
        time::Moment,
    },
};

/// The names of the methods.
pub(super) const NAMES: [&str; 7] = ["strftime", "isoformat", "timestamp", "date", "time", "weekday", "isoweekday"];

/// Calls a method of a moment.
///
/// # Errors
/// There is no such method, or it does not take these arguments or this value.
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
        _ => return Err(EvalError::new(format!("'datetime' object has no method '{method}'"))),
    };
    args.finish()?;
    Ok(answer)
}
