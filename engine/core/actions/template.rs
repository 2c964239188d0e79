//! template: renders a file of the controller.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rplay_contract::{
    Wording, args,
    argtypes::{Flag, PathArg, Text},
    system::encoding::Encoding,
    wire,
};

use super::{
    After, Ask, Context, Rendered, Result, TaskResult, flag_arg,
    local_file::{find, name_of, preserve_mode, source_of},
    required, text_arg, text_of, wire_args,
};
use crate::{
    template::{self, FileOptions},
    vars::{Scope, of_template},
};

args! {
    /// Renders a template of the controller to a file on the host.
    pub struct Template {
        /// The template.
        src: Text,
        /// The path on the host.
        dest: PathArg,
        /// Keep a copy of the previous file.
        backup: Flag = Flag(false),
        /// Replace an existing file that differs.
        force: Flag = Flag(true),
        /// Follow symbolic links at the destination.
        follow: Flag = Flag(false),
        /// A command that must succeed before the file is replaced; `%s` is the path of the new file.
        validate: Option<Text>,
        /// Permissions: octal, symbolic or `preserve`.
        mode: Option<wire::Value>,
        /// Owner, by name or number.
        owner: Option<Text>,
        /// Group, by name or number.
        group: Option<Text>,
        /// File attributes, as for chattr.
        attributes: Option<Text> | "attr",
        /// Write in place if the file cannot be replaced.
        unsafe_writes: Option<Flag>,
        /// SELinux user.
        seuser: Option<Text>,
        /// SELinux role.
        serole: Option<Text>,
        /// SELinux type.
        setype: Option<Text>,
        /// SELinux level.
        selevel: Option<Text>,
        /// The line ending of the result.
        newline_sequence: Text = "\n".to_owned(),
        /// The start of a block.
        block_start_string: Text = "{%".to_owned(),
        /// The end of a block.
        block_end_string: Text = "%}".to_owned(),
        /// The start of an expression.
        variable_start_string: Text = "{{".to_owned(),
        /// The end of an expression.
        variable_end_string: Text = "}}".to_owned(),
        /// The start of a comment.
        comment_start_string: Text = "{#".to_owned(),
        /// The end of a comment.
        comment_end_string: Text = "#}".to_owned(),
        /// Remove the newline after a block.
        trim_blocks: Flag = Flag(true),
        /// Remove white space before a block.
        lstrip_blocks: Flag = Flag(false),
        /// The encoding of the result.
        output_encoding: Text = "utf-8".to_owned(),
    }
}

/// In messages about wrong arguments.
pub(super) const WORDING: Wording = Wording {
    // copy writes the file and refuses what it does not know.
    module: Some("ansible.legacy.copy"),
    args_of: Some("copy"),
    internal: &["_original_basename"],
    removed: &["decrypt"],
    refused: &[("state", "'state' cannot be specified on a template")],
    like_module: true,
    missing: Some("src and dest are required"),
    ..Wording::USUAL
};

pub(super) fn template(args: Rendered, context: &Context<'_>) -> Result<Ask> {
    if let Some(line_end) = text_arg(&args, "newline_sequence")
        && !["\n", "\r", "\r\n", "\\n", "\\r", "\\r\\n"].contains(&line_end.as_str())
    {
        // ansible-core's message, from whose end the last sequence, `\r\n`, is trimmed.
        let mut result = TaskResult::failed("newline_sequence needs to be one of: \n, \r or");
        result.place = Some(context.span("newline_sequence"));
        return Err(Box::new(result));
    }
    let src = text_of(&required(&args, "src")?);
    let path = find(context, "templates", &src, "")?;
    let source = source_of(&path, context)?;
    let mut options = FileOptions::default();
    macro_rules! text_options {
        ($($name:ident)*) => {$(
            if let Some(text) = text_arg(&args, stringify!($name)) {
                options.$name = text.into();
            }
        )*};
    }
    text_options!(newline_sequence block_start_string block_end_string variable_start_string variable_end_string
        comment_start_string comment_end_string);
    // As in Ansible, the sequences may also be written with backslashes, as YAML's single quotes leave them.
    for (written, meant) in [("\\n", "\n"), ("\\r", "\r"), ("\\r\\n", "\r\n")] {
        if options.newline_sequence == written {
            options.newline_sequence = meant.into();
        }
    }
    if let Some(flag) = flag_arg(&args, "trim_blocks")? {
        options.trim_blocks = flag;
    }
    if let Some(flag) = flag_arg(&args, "lstrip_blocks")? {
        options.lstrip_blocks = flag;
    }
    let scope = template_scope(&src, &path, &args, context)?;
    let text =
        template::render_file(&source, &scope, &options).map_err(|error| Box::new(TaskResult::of_error(&error)))?;
    let own = [
        "newline_sequence",
        "block_start_string",
        "block_end_string",
        "variable_start_string",
        "variable_end_string",
        "comment_start_string",
        "comment_end_string",
        "trim_blocks",
        "lstrip_blocks",
        "output_encoding",
    ];
    let name = text_arg(&args, "output_encoding").filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| "utf-8".to_owned());
    let at_encoding = |msg: String| {
        let mut result = TaskResult::failed(format!("Task failed: {msg}"));
        result.place = Some(context.span("output_encoding"));
        Box::new(result)
    };
    let encoding = Encoding::named(&name).ok_or_else(|| at_encoding(format!("unknown encoding: {name}")))?;
    let content = encoding.encode(&text).map_err(|error| at_encoding(error.to_string()))?;
    let mut sent = wire_args(args.into_iter().filter(|(name, _)| !own.contains(&&**name)));
    sent.insert("_content".into(), context.blobs.bytes(content));
    sent.insert("_original_basename".into(), name_of(&path));
    preserve_mode(&mut sent, &path)?;
    Ok(Ask { module: "copy", args: sent, after: After::Nothing })
}

/// The variables of a template file besides the task's.
fn template_scope(written: &str, path: &Path, args: &Rendered, context: &Context<'_>) -> Result<Arc<Scope>> {
    let layer = of_template(written, path, args.get("dest").cloned(), context.scope)
        .map_err(|msg| Box::new(TaskResult::failed(format!("Task failed: {msg}"))))?;
    let mut layers = context.scope.layers.clone();
    layers.push(Arc::new(layer));
    let beside = path.parent().map(Path::to_owned);
    let directories: Vec<PathBuf> = beside.into_iter().chain(context.scope.directories.iter().cloned()).collect();
    Ok(Arc::new(Scope::new(layers, context.scope.magic.clone(), directories.into())))
}
