//! include_vars: loads variables from files during the run.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rplay_contract::{
    Wording, args,
    argtypes::{Flag, Text},
    module_result::UNKNOWN_ERROR,
    system::pattern::{Flags, Pattern},
};

use super::{Context, Effect, Rendered, Result, TaskResult, flag_arg, int_arg, list_arg, text_arg};
use crate::{
    files::Descent,
    vars::{Layer, Lazy, Value, mapping},
};

args! {
    /// Loads variables from files during the run.
    pub struct IncludeVars {
        /// The file.
        file: Option<Text> | "_raw_params",
        /// A directory of files.
        dir: Option<Text>,
        /// Store the variables in a mapping of this name.
        name: Option<Text>,
        /// How many levels of `dir` to read; 0 is unlimited.
        depth: i64 = 0,
        /// A regular expression for file names.
        files_matching: Option<Text>,
        /// Names of files to skip.
        ignore_files: Option<Vec<Text>>,
        /// File extensions to load.
        extensions: Vec<Text> = vec!["yaml".to_owned(), "yml".to_owned(), "json".to_owned()],
        /// Skip files with other extensions.
        ignore_unknown_extensions: Flag = Flag(false),
        /// `replace` or `merge` existing mappings.
        hash_behaviour: Option<Text>,
    }
}

/// The options of directories alone.
const OF_DIRECTORIES: [&str; 6] =
    ["dir", "depth", "files_matching", "ignore_files", "extensions", "ignore_unknown_extensions"];

/// In messages about wrong arguments.
pub(super) const WORDING: Wording =
    Wording { unknown: Some("Task failed: {} is not a valid option in include_vars"), ..Wording::USUAL };

pub(super) fn include_vars(args: Rendered, context: &Context<'_>) -> Result<TaskResult> {
    let of_directory = text_arg(&args, "dir").is_some()
        || context.task.args.named.keys().any(|name| OF_DIRECTORIES.contains(&&**name));
    let of_file = text_arg(&args, "file").or_else(|| text_arg(&args, "_raw_params")).is_some();
    if of_directory && of_file {
        let message = "You are mixing file only and dir only arguments, these are incompatible";
        return Err(Box::new(TaskResult::failed(format!("Task failed: {message}"))));
    }
    // As ansible-core: the reason is the `message`.
    read_vars(&args, context).map_err(|mut result| {
        if let Some(reason) = result.data.get("msg").cloned() {
            // The report shows only `msg`, which does not name the reason.
            let said = super::text_of(&reason);
            let told = result.help.map_or_else(|| said.clone(), |help| format!("{said}; {help}"));
            result.help = Some(told.into());
            result.set("message", reason);
            result.set("msg", UNKNOWN_ERROR);
            result.set("ansible_facts", mapping::<&str, Value>([]));
            result.set("ansible_included_var_files", Vec::<Value>::new());
        }
        result
    })
}

fn read_vars(args: &Rendered, context: &Context<'_>) -> Result<TaskResult> {
    let extensions =
        list_arg(args, "extensions").unwrap_or_else(|| ["yaml", "yml", "json"].map(str::to_owned).to_vec());
    let files = match (text_arg(args, "dir"), text_arg(args, "file").or_else(|| text_arg(args, "_raw_params"))) {
        (Some(dir), _) => files_of_directory(&dir, args, &extensions, context)?,
        (None, Some(file)) => vec![context.file("vars", file.trim()).ok_or_else(|| {
            let mut result = TaskResult::failed(context.not_found("vars", file.trim()));
            result.place = Some(context.span("file"));
            Box::new(result)
        })?],
        (None, None) => {
            let message = "Could not find file on the Ansible Controller.\nIf you are using a module and expect the file to \
                           exist on the remote, see the remote_src option";
            return Err(Box::new(TaskResult::failed(message)));
        }
    };
    // As in ansible-core, any other word means to replace.
    let merge = text_arg(args, "hash_behaviour").as_deref() == Some("merge");
    let mut vars = Layer::new();
    for file in &files {
        let failed = |problems: crate::source::Problems| TaskResult::of_problems(&problems, context.task.span);
        let layer = match text_arg(args, "name") {
            Some(_) => context.project.mapping(file),
            None => context.project.vars(file),
        };
        let layer = layer.map_err(|problems| Box::new(failed(problems)))?;
        vars.extend(layer.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    if let Some(name) = text_arg(args, "name") {
        vars = Layer::from_iter([(Arc::from(name), Lazy::Map(Arc::new(vars)))]);
    }
    // As in Ansible, only what was known before is merged; among the files, the last one wins.
    if merge {
        for (name, value) in vars.iter_mut() {
            if let Some(before) = context.scope.find(name) {
                *value = before.merged(value);
            }
        }
    }
    let shown: Vec<Value> = files.iter().map(|file| Value::from(crate::source::absolute(file))).collect();
    let mut result = TaskResult::default().with("ansible_included_var_files", shown);
    result.no_log = files.iter().any(|file| is_encrypted(file));
    result.effects.push(Effect::IncludeVars(vars));
    Ok(result)
}

/// Whether the file is encrypted as a whole.
fn is_encrypted(file: &Path) -> bool {
    let mut head = [0; 15];
    let read = std::fs::File::open(file).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head));
    read.is_ok() && head == *b"$ANSIBLE_VAULT;"
}

fn files_of_directory(
    dir: &str,
    args: &Rendered,
    extensions: &[String],
    context: &Context<'_>,
) -> Result<Vec<PathBuf>> {
    let missing = || {
        let last = context.candidates("vars", dir).into_iter().next_back().unwrap_or_else(|| dir.into());
        let why = if last.exists() { "is not a directory" } else { "directory does not exist" };
        Box::new(TaskResult::failed(format!("{} {why}", crate::source::absolute(&last))))
    };
    let directory = context.directory("vars", dir).ok_or_else(missing)?;
    let depth = int_arg(args, "depth")?.unwrap_or(0);
    // Regular expressions for the end of a name.
    let mut ignored = Vec::new();
    for pattern in list_arg(args, "ignore_files").unwrap_or_default() {
        ignored.push(Pattern::compile(&format!("(?:{pattern})$"), Flags::default()).map_err(|error| {
            Box::new(TaskResult::failed(format!("`ignore_files` is not a valid regular expression: {error}")))
        })?);
    }
    let unknown_is_fine = flag_arg(args, "ignore_unknown_extensions")?.unwrap_or(false);
    let matching = match text_arg(args, "files_matching") {
        Some(pattern) => Some(Pattern::compile(&pattern, Flags::default()).map_err(|error| {
            Box::new(TaskResult::failed(format!("`files_matching` is not a valid regular expression: {error}")))
        })?),
        None => None,
    };
    let mut files = Vec::new();
    let deepest = if depth <= 0 { usize::MAX } else { depth as usize };
    let mut descent = Descent::default();
    descent.within(&directory, |descent| collect(&directory, deepest, &mut files, descent));
    let mut taken = Vec::new();
    for file in files {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if ignored.iter().any(|pattern| pattern.is_in(&name))
            || matching.as_ref().is_some_and(|pattern| !pattern.is_in(&name))
        {
            continue;
        }
        let ending = file.extension().map(|e| e.to_string_lossy().into_owned()).unwrap_or_default();
        match extensions.contains(&ending) {
            true => taken.push(file),
            false if unknown_is_fine => {}
            false => {
                return Err(Box::new(TaskResult::failed(format!(
                    "{} does not have a valid extension: {}",
                    file.display(),
                    extensions.join(", ")
                ))));
            }
        }
    }
    Ok(taken)
}

fn collect(directory: &Path, depth: usize, files: &mut Vec<PathBuf>, descent: &mut Descent) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let (directories, own): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    files.extend(own);
    if depth > 1 {
        for directory in directories {
            descent.within(&directory, |descent| collect(&directory, depth - 1, files, descent));
        }
    }
}
