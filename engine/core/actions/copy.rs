//! copy: sends a file, a directory or text.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rplay_contract::{
    Wording,
    wire::{Map, Value as Wire, data},
};

use super::{
    After, Ask, Context, Rendered, Result, TaskResult, flag_arg,
    local_file::{content_of, find, name_of, preserve_mode},
    text_arg, text_of, wire_args,
};
use crate::{
    files::{self, Descent},
    source::absolute,
    vars::Arguments,
};

/// Whether it ends without an answer: a file is not there.
pub(super) fn gives_up(msg: &str) -> bool {
    msg.contains("Could not find or access")
}

/// In messages about wrong arguments.
pub(super) const WORDING: Wording = Wording {
    module: Some("ansible.legacy.copy"),
    internal: &["_original_basename"],
    removed: &["decrypt"],
    like_module: true,
    missing: Some("{} is required"),
    ..Wording::USUAL
};

pub(super) fn copy(args: Rendered, context: &Context<'_>) -> Result<Ask> {
    let ask = |args: Map| Ask { module: "copy", args, after: After::Nothing };
    let remote = flag_arg(&args, "remote_src")?.unwrap_or(false);
    let content = args.get("content").filter(|value| !value.is_none()).cloned();
    let mut sent =
        wire_args(args.iter().filter(|(name, _)| &***name != "content").map(|(n, v)| (n.clone(), v.clone())));
    if let Some(content) = content {
        let text = match content.as_str() {
            Some(text) => text.to_owned(),
            None if matches!(content.kind(), minijinja::value::ValueKind::Map | minijinja::value::ValueKind::Seq) => {
                rplay_wire::json_text(&crate::vars::to_wire(&content))
            }
            None => text_of(&content),
        };
        if args.contains_key("src") {
            return Err(Box::new(TaskResult::failed("src and content are mutually exclusive")));
        }
        sent.insert("_content".into(), context.blobs.bytes(text.into_bytes()));
        if sent.get("mode").and_then(Wire::as_str) == Some("preserve") {
            // In ansible-core, content is a private file first.
            sent.insert("mode".into(), "0600".into());
        }
        return Ok(ask(sent));
    }
    let src = match text_arg(&args, "src") {
        Some(src) if !remote => src,
        // The agent reports what is missing.
        _ => return Ok(ask(sent)),
    };
    if src.is_empty() {
        return Err(Box::new(TaskResult::failed("src (or content) is required")));
    }
    let path = find(context, "files", &src, "Unexpected AnsibleActionFail error: ")?;
    if path.is_dir() {
        let (root, prefix) = match src.ends_with('/') {
            true => (path.clone(), PathBuf::new()),
            false => (path.clone(), PathBuf::from(path.file_name().unwrap_or_default())),
        };
        let mut nodes = Vec::new();
        let follow = flag_arg(&args, "local_follow")?.unwrap_or(true);
        if !prefix.as_os_str().is_empty() {
            nodes.push(node(&prefix, "dir", &root)?);
        }
        let mut descent = Descent::default();
        // Each file of the directory may be a vault of its own.
        let content = |path: &Path| content_of(path, &args, context);
        descent
            .within(&root, |descent| tree(&root, &prefix, follow, &content, &mut nodes, descent))
            .unwrap_or(Ok(()))?;
        // As in ansible-core, an empty directory is nothing to copy.
        if nodes.len() == usize::from(!prefix.as_os_str().is_empty()) {
            nodes.clear();
        }
        // The controller file's mode counts only if it is asked for.
        if sent.get("mode").and_then(Wire::as_str) != Some("preserve") {
            for node in &mut nodes {
                if let Wire::Map(node) = node {
                    node.shift_remove("mode");
                }
            }
        }
        let slash = if src.ends_with('/') { "/" } else { "" };
        let shown = path.display().to_string();
        let shown = if path.is_absolute() { shown } else { absolute(&path) };
        sent.insert("src".into(), format!("{}{slash}", shown.trim_end_matches('/')).into());
        sent.insert("_tree".into(), Wire::List(nodes));
        return Ok(ask(sent));
    }
    sent.insert("_content".into(), content_of(&path, &args, context)?);
    sent.insert("_original_basename".into(), name_of(&path));
    if context.diff {
        sent.insert("_source".into(), absolute(&path).into());
    }
    preserve_mode(&mut sent, &path)?;
    if !flag_arg(&args, "force")?.unwrap_or(true) {
        // The result for an existing file contains the path of the source on the controller.
        sent.insert("src".into(), absolute(&path).into());
    }
    Ok(ask(sent))
}

/// Whether it may read files of the controller.
pub(super) fn reads_our_files(args: &Arguments) -> bool {
    args.named.contains_key("src") || args.whole.is_some()
}

fn node(relative: &Path, kind: &str, path: &Path) -> Result<Wire> {
    let mode = fs::metadata(path).map(|meta| meta.mode() & 0o7777).unwrap_or(0o755);
    Ok(Wire::Map(data! { "path" => relative.display().to_string(), "kind" => kind, "mode" => mode }))
}

fn tree(
    directory: &Path,
    prefix: &Path,
    follow: bool,
    content: &dyn Fn(&Path) -> Result<Wire>,
    nodes: &mut Vec<Wire>,
    descent: &mut Descent,
) -> Result<()> {
    let failed =
        |error: std::io::Error| Box::new(TaskResult::failed(format!("cannot read {}: {error}", directory.display())));
    let mut names: Vec<PathBuf> =
        fs::read_dir(directory).map_err(failed)?.flatten().map(|entry| PathBuf::from(entry.file_name())).collect();
    // Files come before the directories beside them, as os.walk lists them: the error reported is the first in that
    // order.
    names.sort_by_cached_key(|name| (directory.join(name).is_dir(), name.clone()));
    for name in names {
        let path = directory.join(&name);
        let relative = prefix.join(&name);
        let about = fs::symlink_metadata(&path).map_err(failed)?;
        // Broken and circular links, and links to other kinds of files, stay links even if links are followed.
        let leads = fs::metadata(&path).is_ok_and(|meta| meta.is_file() || meta.is_dir());
        let link = |nodes: &mut Vec<Wire>| -> Result<()> {
            let target = fs::read_link(&path).map_err(failed)?;
            nodes.push(Wire::Map(data! {
                "path" => relative.display().to_string(), "kind" => "link", "target" => target.display().to_string(),
            }));
            Ok(())
        };
        if about.is_symlink() && (!follow || !leads) {
            link(nodes)?;
        } else if path.is_dir() {
            let at = nodes.len();
            nodes.push(node(&relative, "dir", &path)?);
            match descent.within(&path, |descent| tree(&path, &relative, follow, content, nodes, descent)) {
                Some(done) => done?,
                None => {
                    nodes.truncate(at);
                    link(nodes)?;
                }
            }
        } else {
            files::refuse_special(&path)
                .map_err(|error| Box::new(TaskResult::failed(format!("cannot read {}: {error}", path.display()))))?;
            let Wire::Map(mut file) = node(&relative, "file", &path)? else { continue };
            file.insert("content".into(), content(&path)?);
            nodes.push(Wire::Map(file));
        }
    }
    Ok(())
}
