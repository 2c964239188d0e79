//! Digests, base64, UUIDs, hashed passwords.

use base64::Engine;
use minijinja::Value;
use rplay_wire::hex;
use sha2::Digest;

use super::{Pure, Table};

use crate::template::{
    args::Args,
    library::crypt,
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
    Ok(Value::from(match kind {
        "md5" => hex::encode(md5::Md5::digest(&bytes)),
        "sha1" => hex::encode(sha1::Sha1::digest(&bytes)),
        "sha224" => hex::encode(sha2::Sha224::digest(&bytes)),
        "sha256" => hex::encode(sha2::Sha256::digest(&bytes)),
        "sha384" => hex::encode(sha2::Sha384::digest(&bytes)),
        "sha512" => hex::encode(sha2::Sha512::digest(&bytes)),
        _ => {
            return Err(EvalError::with_help(
                format!("unsupported hash type '{kind}'"),
                "use md5, sha1, sha224, sha256, sha384 or sha512",
            ));
        }
    }))
}

fn hash(value: Value, mut args: Args) -> EvalResult {
    let kind = args.text_or("hashtype", "sha1")?;
    digest(&value, &args, &kind)
}

fn utf8(args: &mut Args) -> EvalResult<()> {
    let encoding = args.text_or("encoding", "utf-8")?.to_lowercase();
    args.flag("urlsafe", false)?;
    match &*encoding {
        "utf-8" | "utf8" | "ascii" => Ok(()),
        other => Err(EvalError::new(format!("the encoding '{other}' is not supported, only utf-8"))),
    }
}

fn b64encode(value: Value, mut args: Args) -> EvalResult {
    utf8(&mut args)?;
    args.finish()?;
    Ok(Value::from(base64::engine::general_purpose::STANDARD.encode(bytes(&value)?)))
}

fn b64decode(value: Value, mut args: Args) -> EvalResult {
    utf8(&mut args)?;
    args.finish()?;
    let text: String = show::text(&value)?.chars().filter(|c| !c.is_whitespace()).collect();
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(&text)
        .map_err(|error| EvalError::new(format!("not base64: {error}")))?;
    match String::from_utf8(decoded) {
        Ok(text) => Ok(Value::from(text)),
        Err(error) => Ok(Value::from_bytes(error.into_bytes())),
    }
}

/// A version 5 UUID in a namespace, by default Ansible's own.
fn to_uuid(value: Value, mut args: Args) -> EvalResult {
    let space = args.text_or("namespace", "361E6D51-FAEC-444A-9079-341386DA8E2E")?;
    args.finish()?;
    let digits: String = space.chars().filter(|c| *c != '-').collect();
    let space = u128::from_str_radix(&digits, 16)
        .ok()
        .filter(|_| digits.len() == 32)
        .ok_or_else(|| EvalError::new(format!("Invalid value '{space}' for 'namespace'")))?;
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
    let size = args.int("salt_size")?.and_then(|size| usize::try_from(size).ok()).filter(|size| *size <= 64);
    let salt = salt.or_else(|| size.filter(|size| *size > 0).map(crypt::random_salt));
    let rounds = args.int("rounds")?.and_then(|rounds| u32::try_from(rounds).ok());
    let ident = args.text("ident")?;
    args.finish()?;
    let password = show::text(&value)?;
    crypt::hash(&password, &kind, salt.as_deref(), rounds, ident.as_deref()).map(Value::from).map_err(EvalError::new)
}
