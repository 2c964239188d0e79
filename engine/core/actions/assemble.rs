//! assemble: puts files together.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rplay_contract::{
    Wording,
    system::pattern::{Flags, Pattern},
    wire::Map,
};

use super::{
    After, Ask, Context, Rendered, Result, TaskResult, flag_arg,
    local_file::{find, name_of, source_of},
    required, text_arg, text_of, wire_args,
};
use crate::{
    files,
    source::{absolute, display_name},
};

/// With `remote_src: false` the pieces lie on the controller, which puts them together.
/// In messages about wrong arguments.
pub(super) const WORDING: Wording = Wording {
    module: Some("ansible.legacy.assemble"),
    like_module: true,
    missing: Some("src and dest are required"),
    ..Wording::USUAL
};

pub(super) fn assemble(args: Rendered, context: &Context<'_>) -> Result<Ask> {
    let ask = |module, args: Map| Ask { module, args, after: After::Nothing };
    if flag_arg(&args, "remote_src")?.unwrap_or(true) {
        return Ok(ask("assemble", wire_args(args)));
    }
    let src = text_of(&required(&args, "src")?);
    let directory = find(context, "files", &src, "Task failed: ")?;
    let at_src = |msg: String| {
        let mut result = TaskResult::failed(msg);
        result.place = Some(context.span("src"));
        Box::new(result)
    };
    if !directory.is_dir() {
        return Err(at_src(format!("Source ({}) is not a directory", absolute(&directory))));
    }
    let pattern = text_arg(&args, "regexp").map(|regexp| {
        Pattern::compile(&regexp, Flags::default())
            .map_err(|error| Box::new(TaskResult::failed(format!("`regexp` is no regular expression: {error}"))))
    });
    let pattern = pattern.transpose()?;
    let ignore_hidden = flag_arg(&args, "ignore_hidden")?.unwrap_or(false);
    let read = fs::read_dir(&directory).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut pieces: Vec<PathBuf> =
        read.map_err(|error| at_src(format!("cannot read {}: {error}", display_name(&directory))))?;
    pieces.sort();
    let delimiter = text_arg(&args, "delimiter")
        .filter(|text| !text.is_empty())
        .map(|text| rplay_contract::system::text::unescaped(&text));
    let mut joined: Vec<u8> = Vec::new();
    let mut is_open = false;
    for (number, piece) in pieces.iter().filter(|piece| is_piece(piece, ignore_hidden, pattern.as_ref())).enumerate() {
        if is_open {
            joined.push(b'\n');
        }
        if let Some(delimiter) = delimiter.as_deref().filter(|_| number > 0) {
            joined.extend_from_slice(delimiter.as_bytes());
            if !delimiter.ends_with('\n') {
                joined.push(b'\n');
            }
        }
        files::refuse_special(piece)
            .map_err(|error| at_src(format!("cannot read {}: {error}", display_name(piece))))?;
        let content = match flag_arg(&args, "decrypt")?.unwrap_or(true) {
            true => match fs::read(piece) {
                Ok(content) if content.starts_with(b"$ANSIBLE_VAULT;") => {
                    source_of(piece, context)?.text.as_bytes().to_vec()
                }
                other => other.map_err(|error| at_src(format!("cannot read {}: {error}", display_name(piece))))?,
            },
            false => {
                fs::read(piece).map_err(|error| at_src(format!("cannot read {}: {error}", display_name(piece))))?
            }
        };
        is_open = !content.ends_with(b"\n");
        joined.extend(content);
    }
    let own = ["src", "remote_src", "delimiter", "regexp", "ignore_hidden", "decrypt"];
    let mut sent = wire_args(args.into_iter().filter(|(name, _)| !own.contains(&&**name)));
    sent.insert("_content".into(), context.blobs.bytes(joined));
    sent.insert("_original_basename".into(), name_of(&directory));
    sent.insert("_assembled".into(), true.into());
    Ok(ask("copy", sent))
}

/// Whether a file of the directory is one of the pieces.
fn is_piece(path: &Path, ignore_hidden: bool, pattern: Option<&Pattern>) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.is_file() && !(ignore_hidden && name.starts_with('.')) && pattern.is_none_or(|pattern| pattern.is_in(&name))
}
