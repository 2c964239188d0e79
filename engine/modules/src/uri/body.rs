//! What `uri` sends: text as it is, or a structure made into text.

use rplay_wire::{Failure, Map, Value};

use super::Uri;
use crate::{
    Host,
    args::ArgType,
    argtypes::{PathArg, Text},
    choice,
    http::form_encoded,
};

choice! {
    /// How a structure becomes text.
    pub enum BodyFormat {
        Raw = "raw",
        Json = "json",
        FormUrlencoded = "form-urlencoded",
        FormMultipart = "form-multipart",
    }
}

/// What is sent, and what it is said to be.
pub struct Payload {
    pub content: Vec<u8>,
    /// The `Content-Type`, unless the task names one.
    pub kind: Option<String>,
}

/// The payload of the task, if it has one.
pub fn payload(task: &Uri, host: &Host) -> Result<Option<Payload>, Failure> {
    if let Some(src) = &task.src {
        let content = file(src, host).map_err(|msg| Failure::new(msg).arg("src"))?;
        return Ok(Some(Payload { content, kind: None }));
    }
    let Some(body) = &task.body else { return Ok(None) };
    let about = |msg: String| Failure::new(msg).arg("body");
    Ok(Some(match (task.body_format, body) {
        (BodyFormat::Json, Value::Str(text)) => text_of(text, Some("application/json")),
        (BodyFormat::Json, body) => text_of(&serde_json::Value::from(body).to_string(), Some("application/json")),
        (BodyFormat::FormUrlencoded, Value::Str(text)) => text_of(text, Some("application/x-www-form-urlencoded")),
        (BodyFormat::FormUrlencoded, body) => {
            text_of(&form(body).map_err(about)?, Some("application/x-www-form-urlencoded"))
        }
        (BodyFormat::FormMultipart, Value::Map(parts)) => multipart(parts, host).map_err(about)?,
        (BodyFormat::FormMultipart, other) => {
            return Err(about(format!("must be a dict for `body_format: form-multipart`, not {}", other.type_name())));
        }
        (BodyFormat::Raw, Value::Bytes(bytes)) => Payload { content: bytes.clone(), kind: None },
        (BodyFormat::Raw, Value::Map(_) | Value::List(_)) => {
            return Err(about("is a structure, which cannot be sent as it is".to_owned())
                .help("say what to make of it: `body_format: json`, or form-urlencoded, or form-multipart"));
        }
        (BodyFormat::Raw, body) => text_of(&Text::parse(body).map_err(about)?, None),
    }))
}

fn text_of(text: &str, kind: Option<&str>) -> Payload {
    Payload { content: text.as_bytes().to_vec(), kind: kind.map(str::to_owned) }
}

/// A path on the host, or content that the controller sent along.
fn file(source: &Value, host: &Host) -> Result<Vec<u8>, String> {
    let path = match source {
        Value::Bytes(bytes) => return Ok(bytes.clone()),
        Value::Blob(blob) => host.fetch(blob).map_err(|error| format!("did not arrive: {error}"))?,
        other => PathArg(Text::parse(other)?).on(host),
    };
    crate::regular::read(&path).map_err(|error| format!("cannot be read: {}: {error}", path.display()))
}

/// `a=1&b=2` of a dict, or of a list of pairs; a list as a value repeats the name.
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
                let Some([name, value]) = item.as_list() else {
                    return Err("must be a dict, or a list of pairs".to_owned());
                };
                add(&Text::parse(name)?, value)?;
            }
        }
        other => return Err(format!("must be a dict or a list of pairs, not {}", other.type_name())),
    }
    let encoded = pairs.iter().map(|(name, value)| format!("{}={}", form_encoded(name), form_encoded(value)));
    Ok(encoded.collect::<Vec<_>>().join("&"))
}

/// A part for each key: text, or a dict with `content` or `filename`, and `mime_type`.
fn multipart(parts: &Map, host: &Host) -> Result<Payload, String> {
    let mut rendered = Vec::new();
    for (name, part) in parts {
        let (content, filename, kind) = match part {
            Value::Map(part) => {
                let filename = part.get("filename").map(Text::parse).transpose()?;
                let content = match (part.get("content"), &filename) {
                    (Some(Value::Str(text)), _) => text.as_bytes().to_vec(),
                    (Some(content), _) => file(content, host)?,
                    (None, Some(path)) => file(&Value::from(path.as_str()), host)?,
                    (None, None) => return Err(format!("`{name}` needs `content` or `filename`")),
                };
                let kind = part.get("mime_type").map(Text::parse).transpose()?;
                (content, filename, kind.unwrap_or_else(|| "application/octet-stream".to_owned()))
            }
            other => (Text::parse(other)?.into_bytes(), None, "text/plain".to_owned()),
        };
        let mut head = format!("Content-Disposition: form-data; name=\"{}\"", quoted(name));
        if let Some(filename) = filename {
            let bare = filename.rsplit('/').next().unwrap_or(&filename);
            head.push_str(&format!("; filename=\"{}\"", quoted(bare)));
        }
        head.push_str(&format!("\r\nContent-Type: {kind}\r\n\r\n"));
        rendered.push((head, content));
    }
    let boundary = boundary(&rendered);
    let mut content = Vec::new();
    for (head, part) in &rendered {
        content.extend_from_slice(format!("--{boundary}\r\n{head}").as_bytes());
        content.extend_from_slice(part);
        content.extend_from_slice(b"\r\n");
    }
    content.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(Payload { content, kind: Some(format!("multipart/form-data; boundary={boundary}")) })
}

fn quoted(text: &str) -> String {
    text.replace('"', "%22").replace(['\r', '\n'], " ")
}

/// A line that stands in no part: the digest of all of them.
fn boundary(parts: &[(String, Vec<u8>)]) -> String {
    let all = parts.iter().flat_map(|(head, content)| head.bytes().chain(content.iter().copied())).collect::<Vec<_>>();
    format!("rplay-{}", crate::digest::Algorithm::Sha256.of_bytes(&all))
}
