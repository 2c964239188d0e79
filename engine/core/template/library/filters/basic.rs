//! Defaults, types and conversions.

use minijinja::{Value, value::ValueKind};

use super::{Eval, Pure, Table};

use crate::{
    template::{
        args::Args,
        eval::machine::Machine,
        value::{
            big,
            error::{EvalError, EvalResult},
            items,
            number::{self, Number},
            show,
            text::escaped,
            undefined::{UndefinedReason, as_undefined, is_undefined, present},
        },
    },
    vars::BigInteger,
    vault::{self, Vault},
};

pub(super) const FILTERS: Table = &[
    ("default", Pure(default)),
    ("d", Pure(default)),
    ("mandatory", Eval(mandatory)),
    ("type_debug", Pure(type_debug)),
    ("bool", Eval(bool)),
    ("int", Pure(int)),
    ("float", Pure(float)),
    ("string", Pure(string)),
    ("list", Pure(list)),
    ("ternary", Pure(ternary)),
    ("attr", Eval(attr)),
    ("safe", Pure(string)),
    ("forceescape", Pure(escape)),
    ("escape", Pure(escape)),
    ("e", Pure(escape)),
    ("vault", Pure(encrypt)),
    ("unvault", Pure(decrypt)),
];

fn default(value: Value, mut args: Args) -> EvalResult {
    let default = args.raw("default_value").unwrap_or_else(|| Value::from(""));
    let boolean = match args.optional("boolean")? {
        None => false,
        Some(value) if value.kind() == ValueKind::Bool => value.is_true(),
        Some(value) => {
            let kind = show::type_name(&value);
            return Err(EvalError::new(format!("The 'boolean' argument must be of type 'bool', not '{kind}'.")));
        }
    };
    args.finish()?;
    if let Some(absence) = as_undefined(&value)
        && !absence.undefined()
    {
        // The variable exists, but its template is invalid: a default must not hide that.
        return present(value);
    }
    Ok(if is_undefined(&value) || (boolean && !items::truth(&value)) { default } else { value })
}

fn mandatory(machine: &mut Machine<'_>, value: Value, mut args: Args) -> EvalResult {
    let message = args.text("msg")?;
    args.finish()?;
    let Some(absence) = as_undefined(&value) else { return Ok(value) };
    let name = match &absence.what {
        UndefinedReason::Variable(name) => format!("'{name}' "),
        UndefinedReason::Attribute { key, .. } => format!("'{}' ", show::plain_text(key)),
        _ => String::new(),
    };
    let message = message.unwrap_or_else(|| format!("Mandatory variable {name} not defined.").replace("  ", " "));
    let message = format!("The filter plugin 'ansible.builtin.mandatory' failed: {message}");
    present(machine.undefined(UndefinedReason::Message(message), absence.range.clone()))
}

fn type_debug(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    Ok(Value::from(show::type_name(&value)))
}

/// Ansible's idea of a boolean: some words are true, some false, and `none` is false.
fn bool(machine: &mut Machine<'_>, value: Value, args: Args) -> EvalResult {
    args.finish()?;
    if value.kind() == ValueKind::Bool {
        return Ok(value);
    }
    let number = Number::of(&value);
    let (holds, is_valid) = match (&number, value.is_none()) {
        (Some(number), _) => (number.float() == 1.0, value.is_integer() && matches!(number.float(), 0.0 | 1.0)),
        (None, true) => (false, false),
        (None, false) => match &*show::text(&value)?.to_lowercase() {
            "yes" | "on" | "1" | "true" => (true, true),
            "no" | "off" | "0" | "false" => (false, true),
            _ => (false, false),
        },
    };
    if !is_valid {
        let message = format!(
            "The `bool` filter coerced invalid value {} ({}) to {}. This feature will be removed from ansible-core \
             version 2.23.",
            show::repr(&value),
            show::type_name(&value),
            if holds { "True" } else { "False" }
        );
        machine.session.scope.magic.deprecated(&message, None);
    }
    Ok(Value::from(holds))
}

fn int(value: Value, mut args: Args) -> EvalResult {
    let default = args.optional("default")?.unwrap_or_else(|| Value::from(0));
    let base = u32::try_from(args.int_or("base", 10)?).unwrap_or(10);
    args.finish()?;
    Ok(match (value.as_str(), Number::of(&value)) {
        (Some(text), _) => match parse_int(text, base) {
            Some(i) => number::int(i),
            None if base == 10
                && let Some(big) = BigInteger::parse(text.trim()) =>
            {
                big
            }
            None => match text.trim().replace('_', "").parse::<f64>() {
                Ok(f) if f.is_finite() => number::int(f as i128),
                _ => default,
            },
        },
        (None, Some(Number::Int(i))) => number::int(i),
        (None, Some(Number::Float(f))) if f.is_finite() => number::int(f as i128),
        (None, None) if big::is_big(&value) => value,
        _ => default,
    })
}

/// `int(text, base)` of Python.
pub(crate) fn parse_int(text: &str, base: u32) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let prefixed = |mark: &str, of: u32| if base == of || base == 0 { lower.strip_prefix(mark) } else { None };
    let (digits, base) = if let Some(rest) = prefixed("0x", 16) {
        (rest, 16)
    } else if let Some(rest) = prefixed("0o", 8) {
        (rest, 8)
    } else if let Some(rest) = prefixed("0b", 2) {
        (rest, 2)
    } else {
        (&*lower, if base == 0 { 10 } else { base })
    };
    if !(2..=36).contains(&base) || digits.starts_with(['+', '-', '_']) || digits.ends_with('_') {
        return None;
    }
    let value = i128::from_str_radix(&digits.replace('_', ""), base).ok()?;
    Some(if negative { -value } else { value })
}

fn float(value: Value, mut args: Args) -> EvalResult {
    let default = args.optional("default")?.unwrap_or_else(|| Value::from(0.0));
    args.finish()?;
    Ok(match (value.as_str(), Number::of(&value)) {
        (Some(text), _) => text.trim().replace('_', "").parse::<f64>().map_or(default, Value::from),
        (None, _) => big::float(&value).map_or(default, Value::from),
    })
}

fn string(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    match value.as_str() {
        Some(_) if value.kind() == ValueKind::String => Ok(value),
        _ => show::text(&value).map(Value::from),
    }
}

fn list(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    items::items(&value)?.into_iter().map(present).collect::<EvalResult<Vec<_>>>().map(Value::from)
}

fn ternary(value: Value, mut args: Args) -> EvalResult {
    let yes = args.raw("true_val").ok_or_else(|| EvalError::new("missing 1 required argument: 'true_val'"))?;
    let no = args.raw("false_val").ok_or_else(|| EvalError::new("missing 1 required argument: 'false_val'"))?;
    let none = args.raw("none_val");
    args.finish()?;
    let value = present(value)?;
    Ok(match none {
        Some(none) if value.is_none() && !none.is_none() => none,
        _ if items::truth(&value) => yes,
        _ => no,
    })
}

fn attr(machine: &mut Machine<'_>, value: Value, mut args: Args) -> EvalResult {
    let name = args.required("name")?;
    args.finish()?;
    let range = 0..machine.page.text.len();
    machine.attribute(&value, &show::text(&name)?, range)
}

fn escape(value: Value, args: Args) -> EvalResult {
    args.finish()?;
    show::text(&value).map(|text| Value::from(escaped(&text)))
}

/// The text given to a vault filter; any other value is an error in Ansible's words.
fn vault_text<'v>(value: &'v Value, what: &str) -> EvalResult<&'v str> {
    value.as_str().ok_or_else(|| {
        let kind = show::type_name(value);
        EvalError::new(format!("{what}, instead we got <class '{kind}'>."))
    })
}

/// Encrypts text with the given password.
fn encrypt(value: Value, mut args: Args) -> EvalResult {
    let secret = args.required("secret")?;
    let salt = args.text("salt")?;
    let id = args.text_or("vault_id", "filter_default")?;
    args.flag("wrap_object", false)?;
    args.text("vaultid")?;
    args.finish()?;
    let secret = vault_text(&secret, "Secret passed is required to be a string")?;
    let text = vault_text(&value, "Can only vault strings")?;
    let encrypted = match salt {
        Some(salt) => vault::encrypt_salted(text.as_bytes(), secret.as_bytes(), Some(&id), salt.as_bytes()),
        None => vault::encrypt(text.as_bytes(), secret.as_bytes(), Some(&id)),
    };
    encrypted.map(Value::from).map_err(EvalError::new)
}

/// Decrypts text with the given password; text that is not encrypted stays as it is.
fn decrypt(value: Value, mut args: Args) -> EvalResult {
    let secret = args.required("secret")?;
    args.text("vault_id")?;
    args.text("vaultid")?;
    args.finish()?;
    let secret = vault_text(&secret, "Secret passed is required to be as string")?;
    let text = vault_text(&value, "Vault should be in the form of a string")?;
    match Vault::is_encrypted(text.as_bytes()) {
        true => vault::decrypt_with(text, secret.as_bytes()).map(Value::from).map_err(EvalError::new),
        false => Ok(value),
    }
}
