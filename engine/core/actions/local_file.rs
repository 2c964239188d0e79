//! Files of the controller that an action sends to a host.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rplay_contract::wire::{Map, Value as Wire};

use super::{Context, Rendered, Result, TaskResult, flag_arg, text_of};
use crate::{
    files,
    source::{Source, absolute, display_name},
};

pub(super) fn find(context: &Context<'_>, kind: &str, name: &str, prefix: &str) -> Result<PathBuf> {
    let path = context.path(kind, name).ok_or_else(|| {
        let mut result = TaskResult::failed(format!("{prefix}{}", context.not_found(kind, name)));
        result.place = Some(context.span("src"));
        Box::new(result)
    })?;
    files::refuse_special(&path).map_err(|error| {
        let mut result = TaskResult::failed(format!("cannot read {}: {error}", display_name(&path)));
        result.place = Some(context.span("src"));
        Box::new(result)
    })?;
    Ok(path)
}

pub(super) fn name_of(path: &Path) -> Wire {
    Wire::Str(path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default())
}

/// The file named by `src`, decrypted if necessary.
pub(super) fn source_of(path: &Path, context: &Context<'_>) -> Result<Arc<Source>> {
    context.project.source(path).map_err(|problems| {
        let at = context.span("src");
        let mut result = TaskResult::of_problems(&problems, &at);
        // A file that cannot be read has no place in itself.
        result.place.get_or_insert(at);
        Box::new(result)
    })
}

pub(super) fn content_of(path: &Path, args: &Rendered, context: &Context<'_>) -> Result<Wire> {
    let unreadable = |error: std::io::Error| {
        let mut result = TaskResult::failed(format!("cannot read {}: {error}", path.display()));
        result.place = Some(context.span("src"));
        Box::new(result)
    };
    if flag_arg(args, "decrypt")?.unwrap_or(true) && is_vault(path) {
        let source = source_of(path, context).map_err(|mut result| {
            let told = result.data.get("msg").map(text_of).unwrap_or_default();
            if told.contains("no vault secrets found") {
                let msg = format!("A vault password or secret must be specified to decrypt {}", absolute(path));
                result.data.insert("msg".into(), msg.into());
            }
            result
        })?;
        return Ok(context.blobs.bytes(source.text.clone().into_bytes()));
    }
    context.blobs.file(path).map_err(unreadable)
}

fn is_vault(path: &Path) -> bool {
    files::begins_with(path, b"$ANSIBLE_VAULT;")
}

pub(super) fn preserve_mode(sent: &mut Map, path: &Path) -> Result<()> {
    if sent.get("mode").and_then(Wire::as_str) == Some("preserve") {
        let mode = fs::metadata(path).map(|meta| meta.mode() & 0o7777).unwrap_or(0o644);
        sent.insert("mode".into(), format!("{mode:04o}").into());
    }
    Ok(())
}
