//! copy, template, script, unarchive, fetch: transfer content between the controller and the host.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use rplay_contract::{
    system::encoding::Encoding,
    wire::{Map, Value as Wire, data},
};

use super::{After, Answer, Ask, Context, Digests, Rendered, Result, flag_arg, required, text_arg, text_of, wire_args};
use crate::{
    files::{self, Descent},
    source::{Problems, Source, absolute, display_name},
    template::{self, FileOptions},
    vars::{Layer, Lazy, Scope, Value},
};

pub fn copy(args: Rendered, context: &Context<'_>) -> Result<Ask> {
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
            return Err(Box::new(Answer::failed("src and content are mutually exclusive")));
        }
        sent.insert("_content".into(), context.blobs.bytes(text.into_bytes()));
        return Ok(ask(sent));
    }
    let src = match text_arg(&args, "src") {
        Some(src) if !remote => src,
        // The agent reports what is missing.
        _ => return Ok(ask(sent)),
    };
    if src.is_empty() {
        return Err(Box::new(Answer::failed("src (or content) is required")));
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
        descent
            .within(&root, |descent| tree(&root, &prefix, follow, context, &mut nodes, descent))
            .unwrap_or(Ok(()))?;
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
    preserve_mode(&mut sent, &path)?;
    if !flag_arg(&args, "force")?.unwrap_or(true) {
        // The result for a file that is there already tells where on the controller the other one is.
        sent.insert("src".into(), absolute(&path).into());
    }
    Ok(ask(sent))
}

pub fn template(args: Rendered, context: &Context<'_>) -> Result<Ask> {
    if let Some(line_end) = text_arg(&args, "newline_sequence")
        && !["\n", "\r", "\r\n", "\\n", "\\r", "\\r\\n"].contains(&line_end.as_str())
    {
        let mut answer = Answer::failed("newline_sequence needs to be one of: \n, \r or \r\n");
        answer.place = Some(context.span("newline_sequence"));
        return Err(Box::new(answer));
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
    if let Some(flag) = flag_arg(&args, "trim_blocks")? {
        options.trim_blocks = flag;
    }
    if let Some(flag) = flag_arg(&args, "lstrip_blocks")? {
        options.lstrip_blocks = flag;
    }
    let scope = template_scope(&path, &args, context);
    let text = template::render_file(&source, &scope, &options).map_err(|error| Box::new(super::failed_by(&error)))?;
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
    let name = text_arg(&args, "output_encoding").unwrap_or_else(|| "utf-8".to_owned());
    let at_encoding = |msg: String| {
        let mut answer = Answer::failed(format!("Task failed: {msg}"));
        answer.place = Some(context.span("output_encoding"));
        Box::new(answer)
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
fn template_scope(path: &Path, args: &Rendered, context: &Context<'_>) -> std::sync::Arc<Scope> {
    let full = absolute(path);
    let about = fs::metadata(path).ok();
    let modified = about.as_ref().map_or(0, |meta| meta.mtime());
    let mut layer = Layer::new();
    let mut set = |name: &str, value: Value| drop(layer.insert(name.into(), Lazy::Data(value)));
    set("template_path", full.clone().into());
    set("template_fullpath", full.into());
    set("template_host", host_name().into());
    set("template_uid", user_name(about.as_ref().map_or(0, |meta| meta.uid())).into());
    set("template_mtime", modified.into());
    set("template_destpath", args.get("dest").cloned().unwrap_or_default());
    set("template_run_date", now().into());
    if context.scope.find("ansible_managed").is_none() {
        set("ansible_managed", "Ansible managed".into());
    }
    let mut layers = context.scope.layers.clone();
    layers.push(std::sync::Arc::new(layer));
    let beside = path.parent().map(Path::to_owned);
    let folders: Vec<PathBuf> = beside.into_iter().chain(context.scope.folders.iter().cloned()).collect();
    std::sync::Arc::new(Scope::new(layers, context.scope.magic.clone(), folders.into()))
}

/// The current time in the format of Python's `str` of a datetime.
fn now() -> String {
    jiff::ZonedDateTime::now().strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn host_name() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Read from the file itself: a static executable must not use the C library's name services.
fn user_name(uid: u32) -> String {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    });
    found.unwrap_or_else(|| uid.to_string())
}

/// The first word of a command, which may be quoted, and the rest.
fn first_word(line: &str) -> (&str, &str) {
    let quoted = line.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let split = match quoted {
        Some(quote) => line[1..].split_once(quote),
        None => line.split_once(char::is_whitespace),
    };
    split.map_or((line, ""), |(word, rest)| (word, rest.trim()))
}

pub fn script(args: Rendered, context: &Context<'_>) -> Result<Ask> {
    let line = text_arg(&args, "_raw_params").or_else(|| text_arg(&args, "cmd")).unwrap_or_default();
    let line = line.trim();
    let (name, rest) = first_word(line);
    if name.is_empty() {
        return Err(Box::new(Answer::failed("one of the following is required: _raw_params, cmd")));
    }
    let path = find(context, "files", name, "")?;
    let own = ["_raw_params", "cmd", "decrypt"];
    let content = content_of(&path, &args, context)?;
    let mut sent = wire_args(args.into_iter().filter(|(name, _)| !own.contains(&&**name)));
    sent.insert("_content".into(), content);
    sent.insert("_arguments".into(), rest.into());
    sent.insert("_original_basename".into(), name_of(&path));
    Ok(Ask { module: "script", args: sent, after: After::Nothing })
}

pub fn unarchive(args: Rendered, context: &Context<'_>) -> Result<Ask> {
    let remote = flag_arg(&args, "remote_src")?.unwrap_or(false);
    let src = text_of(&required(&args, "src")?);
    if remote || src.contains("://") {
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

/// With `remote_src: false` the pieces lie on the controller, which puts them together.
pub fn assemble(args: Rendered, context: &Context<'_>) -> Result<Ask> {
    let ask = |module, args: Map| Ask { module, args, after: After::Nothing };
    if flag_arg(&args, "remote_src")?.unwrap_or(true) {
        return Ok(ask("assemble", wire_args(args)));
    }
    let src = text_of(&required(&args, "src")?);
    let folder = find(context, "files", &src, "Task failed: ")?;
    let at_src = |msg: String| {
        let mut answer = Answer::failed(msg);
        answer.place = Some(context.span("src"));
        Box::new(answer)
    };
    if !folder.is_dir() {
        return Err(at_src(format!("Source ({}) is not a directory", absolute(&folder))));
    }
    let pattern = text_arg(&args, "regexp").map(|regexp| {
        fancy_regex::Regex::new(&regexp)
            .map_err(|error| Box::new(Answer::failed(format!("`regexp` is no regular expression: {error}"))))
    });
    let pattern = pattern.transpose()?;
    let ignore_hidden = flag_arg(&args, "ignore_hidden")?.unwrap_or(false);
    let read = fs::read_dir(&folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut pieces: Vec<PathBuf> =
        read.map_err(|error| at_src(format!("cannot read {}: {error}", display_name(&folder))))?;
    pieces.sort();
    let delimiter = text_arg(&args, "delimiter").map(|text| rplay_contract::system::text::unescaped(&text));
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
    sent.insert("_original_basename".into(), name_of(&folder));
    sent.insert("_assembled".into(), true.into());
    Ok(ask("copy", sent))
}

/// Whether a file of the folder is one of the pieces.
fn is_piece(path: &Path, ignore_hidden: bool, pattern: Option<&fancy_regex::Regex>) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.is_file()
        && !(ignore_hidden && name.starts_with('.'))
        && pattern.is_none_or(|pattern| pattern.is_match(&name).unwrap_or(false))
}

/// A path as it is seen from the root: `..` leads no further up.
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

pub fn fetch(args: Rendered, context: &Context<'_>) -> Result<Ask> {
    if context.check {
        let why = "check mode not (yet) supported for this module";
        return Err(Box::new(Answer { skipped: Some(why.to_owned()), ..Answer::default() }));
    }
    let src = text_of(&required(&args, "src")?);
    let dest = text_of(&required(&args, "dest")?);
    let flat = flag_arg(&args, "flat")?.unwrap_or(false);
    let name = Path::new(&src).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let base = |path: &str| {
        let path = files::named(path);
        context.scope.folders.last().map(|folder| folder.join(&path)).unwrap_or(path)
    };
    let path = match flat {
        true if dest.ends_with('/') => base(&dest).join(name),
        true if Path::new(&dest).is_dir() => {
            return Err(Box::new(Answer::failed(
                "dest is an existing directory, use a trailing slash if you want to fetch src into that directory",
            )));
        }
        true => base(&dest),
        false => {
            // Host and path become directories below `dest`, whatever their names are.
            if context.host.contains('/') || matches!(&**context.host, "." | "..") {
                let msg = format!("the host name {} cannot be used as a directory name", context.host);
                return Err(Box::new(Answer::failed(msg)));
            }
            base(&dest).join(&**context.host).join(from_root(&src))
        }
    };
    let known = Digests::of_file(&path).ok();
    let validates = flag_arg(&args, "validate_checksum")?.unwrap_or(true);
    let mut sent = wire_args(args);
    if let Some(known) = &known {
        sent.insert("_checksum".into(), known.sha1().into());
    }
    let download = context.blobs.downloads.expect(path, known, validates);
    sent.insert("_sink".into(), download.number().into());
    Ok(Ask { module: "fetch", args: sent, after: After::Keep(download) })
}

fn find(context: &Context<'_>, kind: &str, name: &str, prefix: &str) -> Result<PathBuf> {
    let path = context.path(kind, name).ok_or_else(|| {
        let mut answer = Answer::failed(format!("{prefix}{}", context.not_found(kind, name)));
        answer.place = Some(context.span("src"));
        Box::new(answer)
    })?;
    files::refuse_special(&path).map_err(|error| {
        let mut answer = Answer::failed(format!("cannot read {}: {error}", display_name(&path)));
        answer.place = Some(context.span("src"));
        Box::new(answer)
    })?;
    Ok(path)
}

fn name_of(path: &Path) -> Wire {
    Wire::Str(path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default())
}

/// The file named by `src`, decrypted if necessary.
fn source_of(path: &Path, context: &Context<'_>) -> Result<Arc<Source>> {
    let told = |problems: Problems| Box::new(Answer::failed(problems.told(&context.span("src"))));
    context.project.source(path, None).map_err(told)
}

fn content_of(path: &Path, args: &Rendered, context: &Context<'_>) -> Result<Wire> {
    let unreadable = |error: std::io::Error| {
        let mut answer = Answer::failed(format!("cannot read {}: {error}", path.display()));
        answer.place = Some(context.span("src"));
        Box::new(answer)
    };
    if flag_arg(args, "decrypt")?.unwrap_or(true) && is_vault(path) {
        let source = source_of(path, context)?;
        return Ok(context.blobs.bytes(source.text.clone().into_bytes()));
    }
    context.blobs.file(path).map_err(unreadable)
}

fn is_vault(path: &Path) -> bool {
    crate::files::begins_with(path, b"$ANSIBLE_VAULT;")
}

fn preserve_mode(sent: &mut Map, path: &Path) -> Result<()> {
    if sent.get("mode").and_then(Wire::as_str) == Some("preserve") {
        let mode = fs::metadata(path).map(|meta| meta.mode() & 0o7777).unwrap_or(0o644);
        sent.insert("mode".into(), format!("{mode:04o}").into());
    }
    Ok(())
}

fn node(relative: &Path, kind: &str, path: &Path) -> Result<Wire> {
    let mode = fs::metadata(path).map(|meta| meta.mode() & 0o7777).unwrap_or(0o755);
    Ok(Wire::Map(data! { "path" => relative.display().to_string(), "kind" => kind, "mode" => mode }))
}

fn tree(
    folder: &Path,
    prefix: &Path,
    follow: bool,
    context: &Context<'_>,
    nodes: &mut Vec<Wire>,
    descent: &mut Descent,
) -> Result<()> {
    let failed = |error: std::io::Error| Box::new(Answer::failed(format!("cannot read {}: {error}", folder.display())));
    let mut names: Vec<PathBuf> =
        fs::read_dir(folder).map_err(failed)?.flatten().map(|entry| PathBuf::from(entry.file_name())).collect();
    names.sort();
    for name in names {
        let path = folder.join(&name);
        let relative = prefix.join(&name);
        let about = fs::symlink_metadata(&path).map_err(failed)?;
        // Links that lead nowhere, in a circle or to what is no file stay links even if they are followed.
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
            match descent.within(&path, |descent| tree(&path, &relative, follow, context, nodes, descent)) {
                Some(done) => done?,
                None => {
                    nodes.truncate(at);
                    link(nodes)?;
                }
            }
        } else {
            files::refuse_special(&path)
                .map_err(|error| Box::new(Answer::failed(format!("cannot read {}: {error}", path.display()))))?;
            let Wire::Map(mut file) = node(&relative, "file", &path)? else { continue };
            file.insert("content".into(), context.blobs.file(&path).map_err(failed)?);
            nodes.push(Wire::Map(file));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_may_stand_in_quotes() {
        assert_eq!(first_word("run.sh a 'b c'"), ("run.sh", "a 'b c'"));
        assert_eq!(first_word("'with space.sh' --x"), ("with space.sh", "--x"));
        assert_eq!(first_word("\"q.sh\""), ("q.sh", ""));
        assert_eq!(first_word("plain"), ("plain", ""));
    }
}
