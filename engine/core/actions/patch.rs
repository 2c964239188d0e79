//! patch: sends a patch, which the host applies.

use super::{
    After, Ask, Context, Rendered, Result, flag_arg,
    local_file::{content_of, find},
    required, text_of, wire_args,
};

pub(super) fn patch(args: Rendered, context: &Context<'_>) -> Result<Ask> {
    if flag_arg(&args, "remote_src")?.unwrap_or(false) {
        return Ok(Ask { module: "patch", args: wire_args(args), after: After::Nothing });
    }
    let named = if args.contains_key("src") { "src" } else { "patchfile" };
    let path = find(context, "files", &text_of(&required(&args, named)?), "")?;
    let content = content_of(&path, &args, context)?;
    let mut sent = wire_args(args);
    sent.insert("_content".into(), content);
    Ok(Ask { module: "patch", args: sent, after: After::Nothing })
}
