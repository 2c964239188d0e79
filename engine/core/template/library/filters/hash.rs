//! Digests, base64, UUIDs, hashed passwords.

use base64::Engine;
use minijinja::Value;
use rplay_contract::system::{crypt, digest::Hashlib, encoding::Encoding};
use rplay_wire::hex;
use sha2::Digest;

use super::{Pure, Table};

use crate::template::{
    args::Args,
    value::{
        error::{EvalError, EvalResult},
        show,
    },
};

pub(super) const FILTERS: Table = &[
    ("md5", Pure(|value, args| digest(&value, &args, "md5"))),
    ("sha1", Pure(|value, args| digest(&value, &args, "sha1"))),
    ("checksum", Pure(|value, args| digest(&value, &args, "sha1"))),
    ("hash", Pure(hash)),
    ("b64encode", Pure(b64encode)),
    ("b64decode", Pure(b64decode)),
    ("to_uuid", Pure(to_uuid)),
    ("password_hash", Pure(password_hash)),
];

/// The bytes of a text.
fn bytes(value: &Value) -> EvalResult<Vec<u8>> {
    match value.as_bytes() {
        Some(bytes) => Ok(bytes.to_vec()),
        None => show::text(value).map(String::into_bytes),
    }
}

fn digest(value: &Value, args: &Args, kind: &str) -> EvalResult {
    args.finish()?;
    let bytes = bytes(value)?;
    let unknown =
        || EvalError::with_help(format!("unsupported hash type {kind}"), format!("use {}", Hashlib::NAMES.join(", ")));
    Ok(Value::from(Hashlib::named(kind).ok_or_else(unknown)?.of_bytes(&bytes)))
}

fn hash(value: Value, mut args: Args) -> EvalResult {
    let kind = args.text_or("hashtype", "sha1")?;
    digest(&value, &args, &kind)
}

/// The arguments of both filters: the encoding of the text, and whether the alphabet is that of URLs.
fn base64_options(args: &mut Args) -> EvalResult<(Encoding, bool)> {
    let name = args.text_or("encoding", "utf-8")?;
    let urlsafe = args.flag("urlsafe", false)?;
    args.finish()?;
    let encoding = Encoding::named(&name).ok_or_else(|| EvalError::new(format!("unknown encoding: {name}")))?;
    Ok((encoding, urlsafe))
}

fn b64encode(value: Value, mut args: Args) -> EvalResult {
    let (encoding, urlsafe) = base64_options(&mut args)?;
    let bytes = match value.as_bytes().filter(|_| value.as_str().is_none()) {
        Some(bytes) => bytes.to_vec(),
        None => encoding.encode(&show::text(&value)?).map_err(|wrong| EvalError::new(wrong.to_string()))?,
    };
    Ok(Value::from(match urlsafe {
        true => base64::engine::general_purpose::URL_SAFE.encode(bytes),
        false => base64::engine::general_purpose::STANDARD.encode(bytes),
    }))
}

/// Decodes like Python: characters outside the alphabet are skipped.
fn b64decode(value: Value, mut args: Args) -> EvalResult {
    let (encoding, urlsafe) = base64_options(&mut args)?;
    let mut text: String = show::text(&value)?
        .chars()
        .map(|c| match c {
            '-' if urlsafe => '+',
            '_' if urlsafe => '/',
            c => c,
        })
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='))
        .collect();
    // Padding ends the text, but only where it is needed.
    let data = text.find('=').unwrap_or(text.len());
    let padding = text.len() - data;
    let wanted = (4 - data % 4) % 4;
    if data % 4 == 1 {
        let message = format!(
            "Invalid base64-encoded string: number of data characters ({data}) cannot be 1 more than a multiple of 4"
        );
        return Err(EvalError::new(message));
    }
    if padding < wanted {
        return Err(EvalError::new("Incorrect padding"));
    }
    text.truncate(data + wanted);
    let engine = base64::engine::GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        base64::engine::GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
    );
    let decoded = engine.decode(&text).map_err(|error| EvalError::new(format!("not base64: {error}")))?;
    match encoding.decode(&decoded) {
        Some(text) => Ok(Value::from(text)),
        None => Ok(Value::from_bytes(decoded)),
    }
}

/// A version 5 UUID in a namespace, by default Ansible's own.
fn to_uuid(value: Value, mut args: Args) -> EvalResult {
    let space = args.text_or("namespace", "361E6D51-FAEC-444A-9079-341386DA8E2E")?;
    args.finish()?;
    let digits: String = space.chars().filter(|c| *c != '-').collect();
    let space = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32).ok_or_else(|| {
        EvalError::new({
            let why = "badly formed hexadecimal UUID string";
            format!("Invalid value '{space}' for 'namespace': {why}")
        })
    })?;
    let mut hasher = sha1::Sha1::new();
    hasher.update(space.to_be_bytes());
    hasher.update(show::text(&value)?);
    let digest = hasher.finalize();
    let mut id = [0u8; 16];
    for (slot, byte) in id.iter_mut().zip(digest.iter()) {
        *slot = *byte;
    }
    id[6] = id[6] & 0x0f | 0x50;
    id[8] = id[8] & 0x3f | 0x80;
    let text = hex::encode(id);
    Ok(Value::from(format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])))
}

fn password_hash(value: Value, mut args: Args) -> EvalResult {
    let kind = args.text_or("hashtype", "sha512")?;
    let salt = args.text("salt")?;
    let size = args.optional("salt_size")?.filter(|size| !size.is_none());
    let rounds = args.int("rounds")?;
    let ident = args.text("ident")?;
    args.finish()?;
    let Some(password) = value.as_str() else {
        let kind = show::type_name(&value);
        return Err(EvalError::new(format!("secret must be unicode or bytes, not {kind}")));
    };
    let salt_size = match size {
        Some(size) => Some(size.as_i64().ok_or_else(|| EvalError::new("salt_size must be an integer"))?.into()),
        None => None,
    };
    let options = crypt::Options { salt: salt.as_deref(), salt_size, rounds, ident: ident.as_deref() };
    let hashed = crypt::Scheme::named(&kind).and_then(|scheme| scheme.hash(password, options));
    hashed.map(Value::from).map_err(EvalError::new)
}
