//! Numbers and sizes.

use minijinja::Value;

use super::{Pure, Table};

use crate::template::{
    args::Args,
    value::{
        big,
        error::{EvalError, EvalResult},
        number::{self, Number},
        ops, show,
    },
};

pub(super) const FILTERS: Table = &[
    ("abs", Pure(abs)),
    ("round", Pure(round)),
    ("log", Pure(log)),
    ("pow", Pure(pow)),
    ("root", Pure(root)),
    ("filesizeformat", Pure(filesizeformat)),
    ("human_readable", Pure(human_readable)),
    ("human_to_bytes", Pure(human_to_bytes)),
];

fn number(value: &Value, what: &str) -> EvalResult<Number> {
    Number::of(value)
        .ok_or_else(|| EvalError::new(format!("{what} must be a real number, not {}", show::type_name(value))))
}

/// A number for the function of this name; any other value is an error in Ansible's words.
fn operand(value: &Value, function: &str) -> EvalResult<f64> {
    Number::of(value).map(Number::float).ok_or_else(|| {
        let kind = show::type_name(value);
        EvalError::new(format!("{function}() can only be used on numbers: must be real number, not {kind}"))
    })
}

fn abs(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    if big::order(&value, &Value::from(0)).is_some() {
        return if big::order(&value, &Value::from(0)) == Some(std::cmp::Ordering::Less) {
            ops::neg(&value)
        } else {
            Ok(value)
        };
    }
    let input = Number::of(&value)
        .ok_or_else(|| EvalError::new(format!("bad operand type for abs(): '{}'", show::type_name(&value))))?;
    Ok(match input {
        Number::Int(i) if i < 0 => return ops::neg(&value),
        Number::Int(i) => number::int(i),
        Number::Float(f) => Value::from(f.abs()),
    })
}

/// Like Python, rounds half to even, based on the exact decimal value of the float.
fn rounded(f: f64, precision: i128) -> f64 {
    if precision >= 0 {
        // Formatting rounds the float's exact value, and ties to even.
        let digits = usize::try_from(precision.min(300)).unwrap_or(0);
        return format!("{f:.digits$}").parse().unwrap_or(f);
    }
    let scale = 10f64.powi(-(precision.max(-300) as i32));
    (f / scale).round_ties_even() * scale
}

/// An integer rounded to a power of ten, ties to even.
fn rounded_int(i: i128, precision: i128) -> i128 {
    let Some(scale) = u32::try_from(-precision).ok().and_then(|digits| 10i128.checked_pow(digits)) else { return 0 };
    let (down, rest) = (i.div_euclid(scale), i.rem_euclid(scale));
    let up = match (rest * 2).cmp(&scale) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => down.rem_euclid(2),
        std::cmp::Ordering::Greater => 1,
    };
    (down + up).saturating_mul(scale)
}

fn round(value: Value, mut args: Args) -> EvalResult {
    let precision = args.int_or("precision", 0)?;
    let method = args.text_or("method", "common")?;
    args.finish()?;
    let input = Number::of(&value)
        .ok_or_else(|| EvalError::new(format!("type {} doesn't define __round__ method", show::type_name(&value))))?;
    let scale = 10f64.powi(precision.clamp(-300, 300) as i32);
    match (&*method, input) {
        ("common", Number::Int(i)) if precision >= 0 => Ok(number::int(i)),
        ("common", Number::Int(i)) => Ok(number::int(rounded_int(i, precision))),
        ("common", input) => Ok(Value::from(rounded(input.float(), precision))),
        ("ceil", input) => Ok(Value::from((input.float() * scale).ceil() / scale)),
        ("floor", input) => Ok(Value::from((input.float() * scale).floor() / scale)),
        _ => Err(EvalError::new("method must be common, ceil or floor")),
    }
}

fn log(value: Value, mut args: Args) -> EvalResult {
    let base = args.optional("base")?;
    args.finish()?;
    let x = operand(&value, "log")?;
    if x <= 0.0 {
        return Err(EvalError::new("math domain error"));
    }
    let base = base.map(|base| operand(&base, "log")).transpose()?;
    Ok(Value::from(match base {
        None => x.ln(),
        Some(10.0) => x.log10(),
        Some(2.0) => x.log2(),
        Some(base) => x.ln() / base.ln(),
    }))
}

fn pow(value: Value, mut args: Args) -> EvalResult {
    let exponent = args.required("y")?;
    args.finish()?;
    Ok(Value::from(operand(&value, "pow")?.powf(operand(&exponent, "pow")?)))
}

fn root(value: Value, mut args: Args) -> EvalResult {
    let base = args.optional("base")?.map_or(Ok(2.0), |base| operand(&base, "root"))?;
    args.finish()?;
    let x = operand(&value, "root")?;
    if base == 2.0 && x < 0.0 {
        return Err(EvalError::new("root() can only be used on numbers: math domain error"));
    }
    Ok(Value::from(if base == 2.0 { x.sqrt() } else { x.powf(1.0 / base) }))
}

fn filesizeformat(value: Value, mut args: Args) -> EvalResult {
    let binary = args.flag("binary", false)?;
    args.finish()?;
    let bytes = match value.as_str() {
        Some(text) => text.trim().parse().map_err(|_| EvalError::new(format!("'{text}' is not a number")))?,
        None => number(&value, "the input")?.float(),
    };
    let (base, units) = match binary {
        true => (1024.0, ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]),
        false => (1000.0, ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]),
    };
    if bytes == 1.0 {
        return Ok(Value::from("1 Byte"));
    }
    if bytes < base {
        return Ok(Value::from(format!("{} Bytes", bytes as i64)));
    }
    let (mut size, mut name) = (base, "");
    for unit in units {
        name = unit;
        size *= base;
        if bytes < size {
            break;
        }
    }
    Ok(Value::from(format!("{:.1} {name}", base * bytes / size)))
}

/// Units with their number of bytes (or bits).
const UNITS: [(char, f64); 9] = [
    ('Y', 1208925819614629174706176.0),
    ('Z', 1180591620717411303424.0),
    ('E', 1152921504606846976.0),
    ('P', 1125899906842624.0),
    ('T', 1099511627776.0),
    ('G', 1073741824.0),
    ('M', 1048576.0),
    ('K', 1024.0),
    ('B', 1.0),
];

fn human_readable(value: Value, mut args: Args) -> EvalResult {
    let bits = args.flag("isbits", false)?;
    let unit = args.text("unit")?;
    args.finish()?;
    let size = match value.as_str() {
        Some(text) => text.trim().parse().map_err(|_| {
            let types = "'>=' not supported between instances of 'str' and 'int'";
            EvalError::new(format!("human_readable() failed on bad input: {types}"))
        })?,
        None => Number::of(&value).map(Number::float).ok_or_else(|| {
            let kind = show::type_name(&value);
            EvalError::new(format!("human_readable() failed on bad input: a number is needed, not {kind}"))
        })?,
    };
    let base = if bits { "bits" } else { "Bytes" };
    let wanted = unit.as_deref().and_then(|unit| unit.chars().next()).map(|unit| unit.to_ascii_uppercase());
    let found = UNITS.into_iter().find(|(mark, limit)| match wanted {
        Some(wanted) => *mark == wanted,
        None => size >= *limit,
    });
    let (mark, limit) = found.unwrap_or(('B', 1.0));
    let suffix = match mark {
        'B' => base.to_owned(),
        mark => format!("{mark}{}", base.chars().next().unwrap_or_default()),
    };
    Ok(Value::from(format!("{:.2} {suffix}", size / limit)))
}

fn human_to_bytes(value: Value, mut args: Args) -> EvalResult {
    let default = args.text("default_unit")?;
    let bits = args.flag("isbits", false)?;
    args.finish()?;
    let text = show::text(&value)?;
    let refuse =
        |why: String| EvalError::new(format!("human_to_bytes() can't interpret the input: human_to_bytes() {why}"));
    let unclear = || refuse(format!("can't interpret following string: {text}"));
    let trimmed = text.trim();
    let end = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(trimmed.len());
    let (digits, unit) = trimmed.split_at(end);
    let amount: f64 = digits.parse().map_err(|_| unclear())?;
    let unit = match unit.trim() {
        "" => default.unwrap_or_default(),
        unit => unit.to_owned(),
    };
    let Some(mark) = unit.chars().next() else { return Ok(number::int(amount.round_ties_even() as i128)) };
    let (_, limit) = UNITS.into_iter().find(|(known, _)| *known == mark.to_ascii_uppercase()).ok_or_else(|| {
        let suffixes = UNITS.map(|(mark, _)| mark.to_string()).join(", ");
        refuse(format!("failed to convert {text} (unit = {unit}). The suffix must be one of {suffixes}"))
    })?;
    // A letter alone, a letter with the unit, or the whole word.
    let upper = mark.to_ascii_uppercase();
    let (short, word) = if bits { ('b', "bit") } else { ('B', "byte") };
    let prefix = match upper {
        'Y' => "yotta",
        'Z' => "zetta",
        'E' => "exa",
        'P' => "peta",
        'T' => "tera",
        'G' => "giga",
        'M' => "mega",
        'K' => "kilo",
        _ => "",
    };
    let lower = unit.to_lowercase();
    let whole = format!("{prefix}{word}");
    let spelled = lower == whole || lower == format!("{whole}s");
    let fits = unit.len() == 1 || spelled || (upper != 'B' && unit.get(1..) == Some(&*short.to_string()));
    if !fits {
        let expected = if upper == 'B' { short.to_string() } else { format!("{upper}{short} or {upper}") };
        return Err(refuse(format!("failed to convert {text}. Value is not a valid string (expect {expected})")));
    }
    Ok(number::int((amount * limit).round_ties_even() as i128))
}
