//! unarchive: sends an archive, which the host unpacks.

use rplay_contract::Wording;

use super::{
    After, Ask, Context, Rendered, Result, TaskResult, flag_arg,
    local_file::{content_of, find, name_of},
    required, text_of, wire_args,
};

/// In messages about wrong arguments.
pub(super) const WORDING: Wording = Wording {
    module: Some("ansible.legacy.unarchive"),
    like_module: true,
    missing: Some("src (or content) and dest are required"),
    ..Wording::USUAL
};

pub(super) fn unarchive(args: Rendered, context: &Context<'_>) -> Result<Ask> {
    let remote = flag_arg(&args, "remote_src")?.unwrap_or(false) || flag_arg(&args, "copy")? == Some(false);
    let src = text_of(&required(&args, "src")?);
    if !remote && src.contains("://") {
        let msg = format!("Unsupported option, an URI src ({src}) is only supported when remote_src is True");
        return Err(Box::new(TaskResult::failed(msg)));
    }
    if remote {
        return Ok(Ask { module: "unarchive", args: wire_args(args), after: After::Nothing });
    }
    let path = find(context, "files", &src, "Task failed: ")?;
    let content = content_of(&path, &args, context)?;
    let mut sent = wire_args(args);
    sent.shift_remove("decrypt");
    sent.insert("_content".into(), content);
    sent.insert("_original_basename".into(), name_of(&path));
    Ok(Ask { module: "unarchive", args: sent, after: After::Nothing })
}
