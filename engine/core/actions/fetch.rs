//! fetch: brings a file of the host to the controller.

use std::{
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use minijinja::value::ValueKind;
use rplay_contract::wire::{Map, data};

use super::{After, Ask, Context, Digests, Rendered, Result, TaskResult, flag_arg, text_arg};
use crate::files;

pub(super) fn fetch(args: Rendered, context: &Context<'_>) -> Result<Ask> {
    if context.check {
        let why = "check mode not (yet) supported for this module";
        return Err(Box::new(TaskResult::skipped(why)));
    }
    let (Some(src), Some(dest)) = (text_arg(&args, "src"), text_arg(&args, "dest")) else {
        return Err(Box::new(TaskResult::failed("src and dest are required")));
    };
    for (name, told) in [("src", "source"), ("dest", "dest")] {
        if args.get(name).is_some_and(|value| !matches!(value.kind(), ValueKind::String)) {
            let why = format!("Invalid type supplied for {told} option, it must be a string");
            return Err(Box::new(TaskResult::failed(why)));
        }
    }
    let flat = flag_arg(&args, "flat")?.unwrap_or(false);
    let name = Path::new(&src).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let base = |path: &str| {
        let path = files::named(path);
        context.scope.directories.last().map(|directory| directory.join(&path)).unwrap_or(path)
    };
    let path = match flat {
        true if dest.ends_with('/') => base(&dest).join(name),
        true if Path::new(&dest).is_dir() => {
            return Err(Box::new(TaskResult::failed(
                "dest is an existing directory, use a trailing slash if you want to fetch src into that directory",
            )));
        }
        true => base(&dest),
        false => {
            // Host and path become directories below `dest`, whatever their names are.
            if context.host.contains('/') || matches!(&**context.host, "." | "..") {
                let msg = format!("the host name {} cannot be used as a directory name", context.host);
                return Err(Box::new(TaskResult::failed(msg)));
            }
            base(&dest).join(&**context.host).join(from_root(&src))
        }
    };
    let known = Digests::of_file(&path).ok();
    let validates = flag_arg(&args, "validate_checksum")?.unwrap_or(true);
    let mut sent = data! { "src" => src, "fail_on_missing" => flag_arg(&args, "fail_on_missing")?.unwrap_or(true) };
    if let Some(known) = &known {
        sent.insert("_checksum".into(), known.sha1().into());
    }
    let download = context.blobs.downloads.expect(path, known, validates);
    sent.insert("_sink".into(), download.number().into());
    Ok(Ask { module: "fetch", args: sent, after: After::Keep(download) })
}

/// The arguments of the agent's `fetch` that brings a file to `dest`, and where it arrives.
pub fn download_of(src: &str, dest: PathBuf, blobs: &super::Blobs) -> (Map, Arc<super::Download>) {
    let download = blobs.downloads.expect(dest, None, true);
    (data! { "src" => src, "_sink" => download.number() }, download)
}

/// A path from the root: `..` does not lead above it.
fn from_root(path: &str) -> PathBuf {
    let mut below = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => below.push(name),
            Component::ParentDir => drop(below.pop()),
            _ => {}
        }
    }
    below
}
