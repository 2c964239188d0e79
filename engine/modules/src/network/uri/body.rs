//! The body of a request: text, or a converted structure.

use std::{
    io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use rplay_wire::{Failure, Map, Value, data, hex};
use sha2::{Digest, Sha256};

use super::Uri;
use crate::{
    Host,
    args::ArgType,
    argtypes::{PathArg, Text},
    choice,
    system::{bounded, http::form_encoded, regular},
};

choice! {
    /// The format of a structured body.
    pub enum BodyFormat {
        FormUrlencoded = "form-urlencoded",
        Json = "json",
        Raw = "raw",
        FormMultipart = "form-multipart",
    }
}

/// The body and its type.
pub(super) struct Payload {
    pub content: Content,
    /// The `Content-Type`, unless the task sets one.
    pub kind: Option<String>,
}

/// Content in memory, or in a file on the host.
pub(super) enum Content {
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// The body of the task, if it has one.
pub(super) fn payload(task: &Uri, host: &Host) -> Result<Option<Payload>, Failure> {
    if let Some(src) = &task.src {
        let content = source(src, host).map_err(|msg| Failure::new(msg).arg("src"))?;
        if let Content::File(path) = &content {
            // Whether it can be read must be known before anything is sent.
            regular::open(path).map_err(|error| {
                let msg = format!("Unable to open source file {}", path.display());
                Failure::new(msg).arg("src").help(unreadable(path, &error)).data(data! { "elapsed" => 0 })
            })?;
        }
        let kind = matches!(task.body_format, BodyFormat::Json).then(|| "application/json".to_owned());
        return Ok(Some(Payload { content, kind }));
    }
    let Some(body) = &task.body else { return Ok(None) };
    let about = |msg: String| Failure::new(msg).arg("body");
    Ok(Some(match (task.body_format, body) {
        (BodyFormat::Json, Value::Str(text)) => text_of(text, Some("application/json")),
        (BodyFormat::Json, body) => text_of(&rplay_wire::json_text(body), Some("application/json")),
        (BodyFormat::FormUrlencoded, Value::Str(text)) => text_of(text, Some("application/x-www-form-urlencoded")),
        (BodyFormat::FormUrlencoded, body) => {
            text_of(&form(body).map_err(about)?, Some("application/x-www-form-urlencoded"))
        }
        (BodyFormat::FormMultipart, Value::Map(parts)) => multipart(parts, host).map_err(about)?,
        (BodyFormat::FormMultipart, other) => {
            return Err(about(format!("body must be mapping, cannot be type {}", tagged(other))));
        }
        (BodyFormat::Raw, Value::Bytes(bytes)) => Payload { content: Content::Bytes(bytes.clone()), kind: None },
        (BodyFormat::Raw, Value::Map(_) | Value::List(_)) => {
            return Err(about("is a structure, which needs a format".to_owned())
                .help("set `body_format` to json, form-urlencoded or form-multipart"));
        }
        (BodyFormat::Raw, body) => text_of(&Text::parse(body).map_err(about)?, None),
    }))
}

/// The type of a value, by the name that ansible-core tells.
fn tagged(value: &Value) -> String {
    let name = value.type_name();
    match value {
        Value::Null | Value::Bool(_) => name.to_owned(),
        _ => format!("_AnsibleTagged{}{}", name[..1].to_uppercase(), &name[1..]),
    }
}

fn text_of(text: &str, kind: Option<&str>) -> Payload {
    Payload { content: Content::Bytes(text.as_bytes().to_vec()), kind: kind.map(str::to_owned) }
}

/// A path on the host, or content sent by the controller.
fn source(source: &Value, host: &Host) -> Result<Content, String> {
    Ok(match source {
        Value::Bytes(bytes) => Content::Bytes(bytes.clone()),
        Value::Blob(blob) => Content::File(host.fetch(blob).map_err(|error| format!("did not arrive: {error}"))?),
        other => Content::File(PathArg(Text::parse(other)?).on(host)),
    })
}

/// The content of a part.
fn file(value: &Value, host: &Host) -> Result<Vec<u8>, String> {
    match source(value, host)? {
        Content::Bytes(bytes) => Ok(bytes),
        Content::File(path) => bounded::read_file(&path, host.max_output()).map_err(|error| unreadable(&path, &error)),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("cannot read {}: {error}", path.display())
}

/// `a=1&b=2` from a dict or a list of pairs; list values repeat the name.
fn form(body: &Value) -> Result<String, String> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: &Value| -> Result<(), String> {
        match value {
            Value::List(items) => {
                for item in items {
                    pairs.push((name.to_owned(), Text::parse(item)?));
                }
            }
            Value::Null => pairs.push((name.to_owned(), "None".to_owned())),
            value => pairs.push((name.to_owned(), Text::parse(value)?)),
        }
        Ok(())
    };
    match body {
        Value::Map(map) => {
            for (name, value) in map {
                add(name, value)?;
            }
        }
        Value::List(items) => {
            for item in items {
                let parts: Vec<Value> = match item {
                    Value::List(parts) => parts.clone(),
                    // As in Python, a text is a list of its characters, and a dict one of its keys.
                    Value::Str(text) => text.chars().map(|c| c.to_string().into()).collect(),
                    Value::Map(map) => map.keys().map(|name| name.as_str().into()).collect(),
                    other => {
                        return Err(unpacking(&format!("cannot unpack non-iterable {} object", other.type_name())));
                    }
                };
                match parts.as_slice() {
                    [name, value] => add(&Text::parse(name)?, value)?,
                    few @ ([] | [_]) => {
                        let why = format!("not enough values to unpack (expected 2, got {})", few.len());
                        return Err(unpacking(&why));
                    }
                    _ => return Err(unpacking("too many values to unpack (expected 2)")),
                }
            }
        }
        // As ansible-core, which takes whatever is neither for text.
        other => return Text::parse(other),
    }
    let encoded = pairs.iter().map(|(name, value)| format!("{}={}", form_encoded(name), form_encoded(value)));
    Ok(encoded.collect::<Vec<_>>().join("&"))
}

/// That an item of a form is no pair, in Python's words, which playbooks look for.
fn unpacking(why: &str) -> String {
    format!("failed to parse body as form_urlencoded: {why}")
}

/// One part per key: text, or a dict with `content` or `filename`, `mime_type` and `multipart_encoding`. As in
/// ansible-core, files are sent as base64 unless told otherwise, and lines of texts end as HTTP's do.
fn multipart(parts: &Map, host: &Host) -> Result<Payload, String> {
    let mut rendered = Vec::new();
    for (name, part) in parts {
        let (content, filename, kind, encoding) = match part {
            Value::Map(part) => {
                let filename = part.get("filename").map(Text::parse).transpose()?;
                let (content, encoding) = match (part.get("content").or_else(|| part.get("_content")), &filename) {
                    (Some(Value::Str(text)), _) => (crlf(text.as_bytes()), None),
                    (Some(content), _) => encoded(file(content, host)?, part)?,
                    (None, Some(path)) => encoded(file(&Value::from(path.as_str()), host)?, part)?,
                    (None, None) => {
                        return Err(
                            "failed to parse body as form-multipart: at least one of filename or content must \
                                    be provided"
                                .to_owned(),
                        );
                    }
                };
                let kind = match part.get("mime_type") {
                    Some(kind) => Text::parse(kind)?,
                    None => filename.as_deref().map_or(UNKNOWN_TYPE, mime_type).to_owned(),
                };
                (content, filename, kind, encoding)
            }
            Value::Str(text) => (crlf(text.as_bytes()), None, "text/plain".to_owned(), None),
            other => {
                let kind = other.type_name();
                let why = format!("value must be a string, or mapping, cannot be type {kind}");
                return Err(format!("failed to parse body as form-multipart: {why}"));
            }
        };
        let mut head = format!("Content-Disposition: form-data; name=\"{}\"", quoted(name));
        if let Some(filename) = filename {
            let bare = filename.rsplit('/').next().unwrap_or(&filename);
            head.push_str(&format!("; filename=\"{}\"", quoted(bare)));
        }
        if let Some(encoding) = encoding {
            head.push_str(&format!("\r\nContent-Transfer-Encoding: {encoding}"));
        }
        head.push_str(&format!("\r\nContent-Type: {kind}\r\n\r\n"));
        rendered.push((head, content));
    }
    let boundary = boundary(&rendered);
    let mut content = Vec::with_capacity(rendered.iter().map(|(head, part)| head.len() + part.len() + 100).sum());
    for (head, part) in rendered {
        content.extend_from_slice(format!("--{boundary}\r\n{head}").as_bytes());
        content.extend_from_slice(&part);
        content.extend_from_slice(b"\r\n");
    }
    content.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(Payload { content: Content::Bytes(content), kind: Some(format!("multipart/form-data; boundary={boundary}")) })
}

/// The content of a file as its part sends it, and the name of that encoding.
fn encoded(content: Vec<u8>, part: &Map) -> Result<(Vec<u8>, Option<&'static str>), String> {
    match part.get("multipart_encoding").map(Text::parse).transpose()?.as_deref() {
        None | Some("base64") => {
            let code = BASE64.encode(content);
            let lines = code.as_bytes().chunks(76).flat_map(|line| [line, b"\r\n"]);
            Ok((lines.flatten().copied().collect(), Some("base64")))
        }
        Some("7or8bit") => Ok((crlf(&content), Some(if content.is_ascii() { "7bit" } else { "8bit" }))),
        Some(_) => Err("multipart_encoding must be one of dict_keys(['base64', '7or8bit']).".to_owned()),
    }
}

/// The bytes with each line's end as HTTP has it.
fn crlf(content: &[u8]) -> Vec<u8> {
    let mut ended = Vec::with_capacity(content.len());
    for (at, byte) in content.iter().enumerate() {
        if *byte == b'\n' && content[..at].last() != Some(&b'\r') {
            ended.push(b'\r');
        }
        ended.push(*byte);
    }
    ended
}

const UNKNOWN_TYPE: &str = "application/octet-stream";

/// The media type that the ending of a file's name stands for, as Python's `mimetypes` has it; only usual ones.
fn mime_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "txt" | "text" => "text/plain",
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "csv" => "text/csv",
        "xml" | "xsl" => "text/xml",
        "py" => "text/x-python",
        "js" | "mjs" => "text/javascript",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "tar" | "tgz" => "application/x-tar",
        "sh" => "application/x-sh",
        "doc" => "application/msword",
        "png" => "image/png",
        "jpg" | "jpeg" | "jpe" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "ico" => "image/vnd.microsoft.icon",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        _ => UNKNOWN_TYPE,
    }
}

fn quoted(text: &str) -> String {
    text.replace('"', "%22").replace(['\r', '\n'], " ")
}

/// A line that occurs in no part: the digest of all parts.
fn boundary(parts: &[(String, Vec<u8>)]) -> String {
    let mut digest = Sha256::new();
    for (head, content) in parts {
        digest.update(head);
        digest.update(content);
    }
    format!("rplay-{}", hex::encode(digest.finalize()))
}
