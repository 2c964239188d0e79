//! Jinja tests: the names after `is`.

use std::{cmp::Ordering, path::Path};

use minijinja::{Value, value::ValueKind};
use rplay_contract::io_failure::python_error;

use crate::{
    syntax::builtin_name,
    template::{
        args::Args,
        eval::{
            callable::{Bound, Macro},
            lazy,
            library::Library,
            machine::Machine,
        },
        library::versions::version,
        value::{
            big, containers,
            error::{EvalError, EvalResult},
            items,
            number::Number,
            ops, show,
            undefined::{as_undefined, is_undefined, present},
        },
    },
    vars::Outside,
};

type Run = fn(&mut Machine<'_>, &Value, Args) -> EvalResult<bool>;

/// Tests that accept undefined input.
const LENIENT: [&str; 2] = ["defined", "undefined"];

const TESTS: &[(&str, Run)] = &[
    ("defined", |_, value, args| unary(&args, !missing(value)?)),
    ("undefined", |_, value, args| unary(&args, missing(value)?)),
    ("none", |_, value, args| unary(&args, value.is_none())),
    ("boolean", |_, value, args| unary(&args, value.kind() == ValueKind::Bool)),
    ("true", |_, value, args| unary(&args, value.kind() == ValueKind::Bool && value.is_true())),
    ("false", |_, value, args| unary(&args, value.kind() == ValueKind::Bool && !value.is_true())),
    ("string", |_, value, args| unary(&args, value.kind() == ValueKind::String)),
    ("number", |_, value, args| unary(&args, Number::of(value).is_some() || big::is_big(value))),
    ("integer", |_, value, args| {
        unary(&args, value.kind() == ValueKind::Number && value.is_integer() || big::is_big(value))
    }),
    ("float", |_, value, args| unary(&args, value.kind() == ValueKind::Number && !value.is_integer())),
    ("mapping", |_, value, args| unary(&args, containers::is_map(value))),
    ("iterable", |_, value, args| unary(&args, iterable(value))),
    ("sequence", |_, value, args| unary(&args, iterable(value))),
    ("callable", |machine, value, args| unary(&args, callable(machine, value))),
    ("escaped", |_, _, args| unary(&args, false)),
    ("lower", |_, value, args| cased(value, &args, char::is_lowercase, char::is_uppercase)),
    ("upper", |_, value, args| cased(value, &args, char::is_uppercase, char::is_lowercase)),
    ("even", |_, value, args| unary(&args, whole(value)? % 2 == 0)),
    ("odd", |_, value, args| unary(&args, whole(value)? % 2 != 0)),
    ("divisibleby", divisible),
    ("sameas", same_as),
    ("in", |_, value, args| binary(args, |container| lazy::contains(container, value))),
    ("contains", |_, value, args| binary(args, |item| all_present(value).and_then(|()| lazy::contains(value, item)))),
    ("eq", |_, value, args| binary(args, |other| Ok(ops::equal(value, other)))),
    ("==", |_, value, args| binary(args, |other| Ok(ops::equal(value, other)))),
    ("equalto", |_, value, args| binary(args, |other| Ok(ops::equal(value, other)))),
    ("ne", |_, value, args| binary(args, |other| Ok(!ops::equal(value, other)))),
    ("!=", |_, value, args| binary(args, |other| Ok(!ops::equal(value, other)))),
    ("lt", |_, value, args| ordered("<", value, args, Ordering::is_lt)),
    ("<", |_, value, args| ordered("<", value, args, Ordering::is_lt)),
    ("lessthan", |_, value, args| ordered("<", value, args, Ordering::is_lt)),
    ("le", |_, value, args| ordered("<=", value, args, Ordering::is_le)),
    ("<=", |_, value, args| ordered("<=", value, args, Ordering::is_le)),
    ("gt", |_, value, args| ordered(">", value, args, Ordering::is_gt)),
    (">", |_, value, args| ordered(">", value, args, Ordering::is_gt)),
    ("greaterthan", |_, value, args| ordered(">", value, args, Ordering::is_gt)),
    ("ge", |_, value, args| ordered(">=", value, args, Ordering::is_ge)),
    (">=", |_, value, args| ordered(">=", value, args, Ordering::is_ge)),
    ("filter", |machine, value, args| {
        unary(&args, value.as_str().is_some_and(|name| machine.session.library.filter(builtin_name(name)).is_some()))
    }),
    ("test", |machine, value, args| {
        unary(&args, value.as_str().is_some_and(|name| machine.session.library.test(builtin_name(name)).is_some()))
    }),
    ("truthy", |_, value, args| truthy(value, args)),
    ("falsy", |_, value, args| Ok(!truthy(value, args)?)),
    ("all", |_, value, args| {
        all_present(value).and_then(|()| unary(&args, items::items(value)?.iter().all(items::truth)))
    }),
    ("any", |_, value, args| {
        all_present(value).and_then(|()| unary(&args, items::items(value)?.iter().any(items::truth)))
    }),
    ("nan", |_, value, args| unary(&args, nan(value))),
    ("isnan", |_, value, args| unary(&args, nan(value))),
    ("subset", |_, value, args| binary(args, |other| within(value, other))),
    ("issubset", |_, value, args| binary(args, |other| within(value, other))),
    ("superset", |_, value, args| binary(args, |other| within(other, value))),
    ("issuperset", |_, value, args| binary(args, |other| within(other, value))),
    ("match", |_, value, args| regex(value, args, Some("match"))),
    ("search", |_, value, args| regex(value, args, Some("search"))),
    ("regex", |_, value, args| regex(value, args, None)),
    ("version", |_, value, args| version(value, args)),
    ("version_compare", |_, value, args| version(value, args)),
    ("failed", |_, value, args| unary(&args, result(value, "failed", &["failed"])?)),
    ("failure", |_, value, args| unary(&args, result(value, "failed", &["failed"])?)),
    ("succeeded", |_, value, args| unary(&args, !result(value, "failed", &["failed"])?)),
    ("success", |_, value, args| unary(&args, !result(value, "failed", &["failed"])?)),
    ("successful", |_, value, args| unary(&args, !result(value, "failed", &["failed"])?)),
    ("changed", |_, value, args| unary(&args, changed(value)?)),
    ("change", |_, value, args| unary(&args, changed(value)?)),
    ("skipped", |_, value, args| unary(&args, result(value, "skipped", &["skipped"])?)),
    ("skip", |_, value, args| unary(&args, result(value, "skipped", &["skipped"])?)),
    ("unreachable", |_, value, args| unary(&args, result(value, "unreachable", &["unreachable"])?)),
    ("reachable", |_, value, args| unary(&args, !result(value, "unreachable", &["unreachable"])?)),
    ("timedout", |_, value, args| unary(&args, timed_out(value)?)),
    ("started", |_, value, args| unary(&args, job(value, "started")?)),
    ("finished", |_, value, args| unary(&args, job(value, "finished")?)),
    ("exists", |machine, value, args| on_path(machine, value, &args, |path| path.exists())),
    ("file", |machine, value, args| on_path(machine, value, &args, |path| path.is_file())),
    ("is_file", |machine, value, args| on_path(machine, value, &args, |path| path.is_file())),
    ("directory", |machine, value, args| on_path(machine, value, &args, |path| path.is_dir())),
    ("is_dir", |machine, value, args| on_path(machine, value, &args, |path| path.is_dir())),
    ("link", |machine, value, args| on_path(machine, value, &args, |path| path.is_symlink())),
    ("is_link", |machine, value, args| on_path(machine, value, &args, |path| path.is_symlink())),
    ("link_exists", |machine, value, args| on_path(machine, value, &args, |path| path.symlink_metadata().is_ok())),
    ("abs", |_, value, args| unary(&args, Path::new(&*show::text(value)?).is_absolute())),
    ("is_abs", |_, value, args| unary(&args, Path::new(&*show::text(value)?).is_absolute())),
    ("mount", |machine, value, args| on_path(machine, value, &args, is_mount)),
    ("is_mount", |machine, value, args| on_path(machine, value, &args, is_mount)),
    ("same_file", |machine, value, args| {
        machine.look_outside(Outside::Files)?;
        binary(args, |other| same_file(value, other))
    }),
    ("is_same_file", |machine, value, args| {
        machine.look_outside(Outside::Files)?;
        binary(args, |other| same_file(value, other))
    }),
    ("uri", |_, value, args| uri(value, args, None)),
    ("url", |_, value, args| uri(value, args, Some(false))),
    ("urn", |_, value, args| uri(value, args, Some(true))),
    ("vault_encrypted", |machine, value, args| {
        let magic = &machine.session.scope.magic;
        // As in ansible-core 2.19, the text of an envelope is not encrypted; a value that one was read from is.
        unary(&args, value.as_str().is_some_and(|text| magic.envelope_of(text).is_some()))
    }),
    ("vaulted_file", |machine, value, args| is_vaulted(machine, value, &args)),
];

/// Adds all tests.
pub(crate) fn add_to(library: &mut Library) {
    for (name, run) in TESTS {
        library.add_test(*name, LENIENT.contains(name), *run);
    }
}

fn unary(args: &Args, holds: bool) -> EvalResult<bool> {
    args.finish().map(|()| holds)
}

fn binary(mut args: Args, holds: impl FnOnce(&Value) -> EvalResult<bool>) -> EvalResult<bool> {
    let other = args.required("other")?;
    args.finish()?;
    holds(&other)
}

/// Whether the value is undefined. A variable with an invalid template is defined.
fn missing(value: &Value) -> EvalResult<bool> {
    if let Some(absence) = as_undefined(value)
        && !absence.undefined()
    {
        return present(value.clone()).map(|_| false);
    }
    Ok(is_undefined(value))
}

/// Fails if an item is undefined: what is written in Python sees no such item.
fn all_present(value: &Value) -> EvalResult<()> {
    if !containers::is_list(value) {
        return Ok(());
    }
    items::items(value)?.into_iter().try_for_each(|item| present(item).map(|_| ()))
}

fn iterable(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Iterable)
}

fn callable(machine: &Machine<'_>, value: &Value) -> bool {
    let function = |bound: &Bound| bound.receiver.is_some() || machine.session.library.function(&bound.name).is_some();
    value.downcast_object_ref::<Macro>().is_some() || value.downcast_object_ref::<Bound>().is_some_and(function)
}

fn cased(value: &Value, args: &Args, wanted: fn(char) -> bool, other: fn(char) -> bool) -> EvalResult<bool> {
    let text = show::text(value)?;
    unary(args, text.chars().any(wanted) && !text.chars().any(other))
}

fn whole(value: &Value) -> EvalResult<i128> {
    match Number::of(value) {
        Some(Number::Int(i)) => Ok(i),
        Some(Number::Float(f)) if f.fract() == 0.0 => Ok(f as i128),
        Some(Number::Float(_)) => Ok(1),
        None if value.as_str().is_some() => Err(EvalError::new("not all arguments converted during string formatting")),
        None => ops::rem(value, &Value::from(2)).map(|_| 0),
    }
}

fn divisible(_: &mut Machine<'_>, value: &Value, mut args: Args) -> EvalResult<bool> {
    let by = args.required("num")?;
    args.finish()?;
    Ok(ops::equal(&ops::rem(value, &by)?, &Value::from(0)))
}

fn same_as(_: &mut Machine<'_>, value: &Value, mut args: Args) -> EvalResult<bool> {
    let other = args.required("other")?;
    args.finish()?;
    Ok(value.kind() == other.kind() && value.is_integer() == other.is_integer() && ops::equal(value, &other))
}

fn ordered(op: &str, value: &Value, mut args: Args, holds: fn(Ordering) -> bool) -> EvalResult<bool> {
    let other = args.required("other")?;
    args.finish()?;
    Ok(ops::order(op, value, &other)?.is_some_and(holds))
}

fn truthy(value: &Value, mut args: Args) -> EvalResult<bool> {
    let convert = args.flag("convert_bool", false)?;
    args.finish()?;
    let word = value.as_str().filter(|_| convert).map(str::to_lowercase);
    Ok(match word.as_deref() {
        Some("y" | "yes" | "on" | "1" | "true" | "t") => true,
        Some("n" | "no" | "off" | "0" | "false" | "f") => false,
        _ => items::truth(value),
    })
}

fn nan(value: &Value) -> bool {
    Number::of(value).is_some_and(|number| number.float().is_nan())
}

fn within(part: &Value, whole: &Value) -> EvalResult<bool> {
    let whole = items::items(whole)?;
    Ok(items::items(part)?.iter().all(|item| whole.contains(item)))
}

fn regex(value: &Value, mut args: Args, kind: Option<&str>) -> EvalResult<bool> {
    let pattern = args.text_or("pattern", "")?;
    let ignorecase = args.flag("ignorecase", false)?;
    let multiline = args.flag("multiline", false)?;
    let kind = match kind {
        Some(kind) => kind.to_owned(),
        None => args.text_or("match_type", "search")?,
    };
    args.finish()?;
    let text = show::text(value)?;
    crate::template::regex::find(&pattern, ignorecase, multiline)?;
    let pattern = match &*kind {
        "search" => pattern,
        "match" => format!(r"\A(?:{pattern})"),
        "fullmatch" => format!(r"\A(?:{pattern})\z"),
        _ => return Err(EvalError::new("match_type must be search, match or fullmatch")),
    };
    crate::template::regex::find(&pattern, ignorecase, multiline)?
        .is_match(&text)
        .map_err(|error| EvalError::new(format!("the regular expression failed: {error}")))
}

/// A boolean field of a task's result.
fn result(value: &Value, test: &str, keys: &[&str]) -> EvalResult<bool> {
    if !containers::is_map(value) {
        return Err(EvalError::with_help(
            format!("The '{test}' test expects a dictionary"),
            "test the variable that `register` has set",
        ));
    }
    let part = |key: &&str| value.as_object().and_then(|object| object.get_value_by_str(key));
    Ok(keys.iter().filter_map(part).any(|part| items::truth(&part)))
}

fn changed(value: &Value) -> EvalResult<bool> {
    if !result(value, "changed", &[])? {
        let part = |key: &str| value.as_object().and_then(|object| object.get_value_by_str(key));
        return Ok(match (part("changed"), part("results")) {
            (Some(changed), _) => items::truth(&changed),
            (None, Some(results)) if containers::is_list(&results) => {
                let mut any = false;
                for result in items::items(&results)? {
                    any |= containers::is_map(&result) && changed(&result)?;
                }
                any
            }
            _ => false,
        });
    }
    Ok(true)
}

fn timed_out(value: &Value) -> EvalResult<bool> {
    result(value, "timedout", &[])?;
    let timed_out = value.as_object().and_then(|object| object.get_value_by_str("timedout"));
    let Some(timed_out) = timed_out.filter(items::truth) else { return Ok(false) };
    if !containers::is_map(&timed_out) {
        return Err(EvalError::new(format!("'{}' object has no attribute 'get'", show::type_name(&timed_out))));
    }
    let period = timed_out.as_object().and_then(|part| part.get_value_by_str("period"));
    Ok(period.is_some_and(|period| items::truth(&period)))
}

/// `started` and `finished` of an asynchronous task. For any other task both are true.
fn job(value: &Value, test: &str) -> EvalResult<bool> {
    result(value, test, &[])?;
    let part = value.as_object().and_then(|object| object.get_value_by_str(test));
    Ok(part.is_none_or(|part| items::truth(&part)))
}

fn on_path(machine: &Machine<'_>, value: &Value, args: &Args, holds: impl FnOnce(&Path) -> bool) -> EvalResult<bool> {
    machine.look_outside(Outside::Files)?;
    // Python takes a number for a file descriptor; a template has no open files.
    if matches!(value.kind(), ValueKind::Number | ValueKind::Bool) {
        return unary(args, false);
    }
    let Some(text) = value.as_str() else {
        let kind = show::type_name(value);
        let message = format!("stat: path should be string, bytes, os.PathLike or integer, not {kind}");
        return Err(EvalError::new(message));
    };
    unary(args, holds(Path::new(text)))
}

fn is_mount(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(here) = path.symlink_metadata() else { return false };
    if !here.is_dir() {
        return false;
    }
    path.join("..").symlink_metadata().is_ok_and(|parent| parent.dev() != here.dev() || parent.ino() == here.ino())
}

/// Whether a file is encrypted. One that cannot be read is an error.
fn is_vaulted(machine: &Machine<'_>, value: &Value, args: &Args) -> EvalResult<bool> {
    let mut error = None;
    let vaulted = on_path(machine, value, args, |path| {
        error = std::fs::File::open(path).err();
        error.is_none() && crate::files::begins_with(path, b"$ANSIBLE_VAULT;")
    })?;
    match error {
        None => Ok(vaulted),
        Some(error) => {
            let path = show::text(value)?;
            let why = python_error(&error);
            Err(EvalError::new(format!("Cannot test if the file '{path}' is a vault: {why}: b'{path}'")))
        }
    }
}

fn same_file(a: &Value, b: &Value) -> EvalResult<bool> {
    use std::os::unix::fs::MetadataExt;
    let (a, b) = (show::text(a)?, show::text(b)?);
    let id = |path: &str| {
        let found =
            std::fs::metadata(path).map_err(|error| EvalError::new(format!("{}: '{path}'", python_error(&error))))?;
        EvalResult::Ok((found.dev(), found.ino()))
    };
    Ok(id(&a)? == id(&b)?)
}

/// Whether a text can be read as a URI, of these schemes if any are given. As in Ansible, a text without scheme is one, a
/// URL needs a scheme and a host, and a URN the scheme `urn`.
fn uri(value: &Value, mut args: Args, urn: Option<bool>) -> EvalResult<bool> {
    let schemes: Vec<String> = match args.optional("schemes")? {
        Some(schemes) if !schemes.is_none() => {
            items::items(&schemes)?.iter().map(show::text).collect::<EvalResult<_>>()?
        }
        _ => Vec::new(),
    };
    args.finish()?;
    let text = match value.as_str() {
        Some(text) => text,
        None if value.is_none() => "",
        None => return Ok(false),
    };
    let valid = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    let (scheme, rest) = match text.split_once(':').filter(|(scheme, _)| valid(scheme)) {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => (String::new(), text),
    };
    let host = rest.strip_prefix("//").map_or("", |rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    // An address with unbalanced brackets cannot be parsed.
    let readable = host.contains('[') == host.contains(']');
    let allowed = schemes.is_empty() || schemes.contains(&scheme);
    Ok(readable
        && allowed
        && match urn {
            Some(true) => scheme == "urn",
            Some(false) => !host.is_empty(),
            None => true,
        })
}
