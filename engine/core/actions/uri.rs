//! uri: sends the files of a request's body, which the host sends to the server.

use rplay_contract::{Wording, wire::Value as Wire};

use super::{After, Ask, Context, Rendered, Result, TaskResult, flag_arg, local_file::find, text_arg, wire_args};

/// In messages about wrong arguments.
pub(super) const WORDING: Wording = Wording { module: Some("ansible.legacy.uri"), like_module: true, ..Wording::USUAL };

/// A file that is sent as the body is on the controller, or on the host with `remote_src`; so are the files of a
/// multipart body.
pub(super) fn uri(args: Rendered, context: &Context<'_>) -> Result<Ask> {
    let remote = flag_arg(&args, "remote_src")?.unwrap_or(false);
    let src = text_arg(&args, "src").filter(|_| !remote);
    let is_multipart = text_arg(&args, "body_format").as_deref() == Some("form-multipart");
    let mut sent = wire_args(args);
    let content = |name: &str, arg: &str| -> Result<Wire> {
        let path = find(context, "files", name, "Task failed: ")?;
        context.blobs.file(&path).map_err(|error| {
            let mut result = TaskResult::failed(format!("cannot read {}: {error}", path.display()));
            result.place = Some(context.span(arg));
            Box::new(result)
        })
    };
    if let Some(src) = src {
        sent.insert("src".into(), content(&src, "src")?);
    }
    if is_multipart && let Some(Wire::Map(parts)) = sent.get_mut("body") {
        for part in parts.values_mut() {
            let Wire::Map(part) = part else { continue };
            let has_content = part.get("content").is_some_and(|content| !matches!(content, Wire::Null));
            let name = part.get("filename").and_then(Wire::as_str).map(str::to_owned);
            if let Some(name) = name.filter(|_| !has_content && !remote) {
                part.insert("_content".into(), content(&name, "body")?);
            }
        }
    }
    Ok(Ask { module: "uri", args: sent, after: After::Nothing })
}
