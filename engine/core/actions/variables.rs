//! set_fact, set_stats, include_vars, validate_argument_spec.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use indexmap::IndexMap;

use rplay_contract::argtypes::LooseFlag;

use super::{Answer, Context, Effect, Rendered, Result, flag_arg, int_arg, list_arg, required, text_arg};
use crate::{
    files::Descent,
    source::Source,
    syntax::{self, spec},
    template,
    vars::{Layer, Lazy, Value, mapping},
};

pub fn set_fact(mut args: Rendered) -> Result<Answer> {
    let cacheable = flag_arg(&args, "cacheable")?.unwrap_or(false);
    args.shift_remove("cacheable");
    if args.is_empty() {
        return Err(Box::new(Answer::failed(
            "No key/value pairs provided, at least one is required for this action to succeed",
        )));
    }
    if let Some(bad) = args.keys().find(|name| !is_identifier(name)) {
        return Err(Box::new(bad_name(bad)));
    }
    let vars: Layer = args.into_iter().map(|(name, value)| (name, Lazy::Data(value))).collect();
    let mut answer = Answer::default();
    answer.effects.push(Effect::SetFacts { vars, cacheable });
    Ok(answer)
}

/// The answer of a task that was to set a variable of such a name.
fn bad_name(name: &str) -> Answer {
    let mut answer = Answer::failed(format!("Task failed: Invalid variable name '{name}'."));
    answer.help = Some(
        "variables begin with a letter or an underscore, hold letters, digits and underscores only, and are no \
         keywords of Python"
            .to_owned(),
    );
    answer
}

fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    !KEYWORDS.contains(&name)
        && chars.next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        && chars.all(|c| c == '_' || c.is_ascii_alphanumeric())
}

/// Words that Ansible rejects as variable names.
const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "false", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda",
    "none", "nonlocal", "not", "or", "pass", "raise", "return", "true", "try", "while", "with", "yield",
];

pub fn set_stats(args: &Rendered) -> Result<Answer> {
    let data = required(args, "data")?;
    let data: IndexMap<Arc<str>, Value> = super::entries(&data);
    if let Some(bad) = data.keys().find(|name| !is_identifier(name)) {
        return Err(Box::new(bad_name(bad)));
    }
    let loose = |name: &str| super::parsed::<LooseFlag>(args, name).map(|found| found.map(|flag| flag.0));
    let per_host = loose("per_host")?.unwrap_or(false);
    let aggregate = loose("aggregate")?.unwrap_or(true);
    let shown =
        mapping([("data", mapping(data.clone())), ("per_host", per_host.into()), ("aggregate", aggregate.into())]);
    let mut answer = Answer::default().with("ansible_stats", shown);
    answer.effects.push(Effect::Stats { data, per_host, aggregate });
    Ok(answer)
}

pub fn include_vars(args: &Rendered, context: &Context<'_>) -> Result<Answer> {
    // As ansible-core: the reason is the `message`.
    read_vars(args, context).map_err(|mut answer| {
        if let Some(reason) = answer.data.get("msg").cloned() {
            answer.help.get_or_insert_with(|| super::text_of(&reason));
            answer.set("message", reason);
            answer.set("msg", "Task failed: Action failed: Unknown error.");
            answer.set("ansible_facts", mapping::<&str, Value>([]));
            answer.set("ansible_included_var_files", Vec::<Value>::new());
        }
        answer
    })
}

fn read_vars(args: &Rendered, context: &Context<'_>) -> Result<Answer> {
    let extensions =
        list_arg(args, "extensions").unwrap_or_else(|| ["json", "yaml", "yml"].map(str::to_owned).to_vec());
    let files = match (text_arg(args, "dir"), text_arg(args, "file").or_else(|| text_arg(args, "_raw_params"))) {
        (Some(_), Some(_)) => return Err(Box::new(Answer::failed("`dir` and `file` are mutually exclusive"))),
        (Some(dir), None) => files_of_folder(&dir, args, &extensions, context)?,
        (None, Some(file)) => vec![context.file("vars", file.trim()).ok_or_else(|| {
            let mut answer = Answer::failed(context.not_found("vars", file.trim()));
            answer.place = Some(context.span("file"));
            Box::new(answer)
        })?],
        (None, None) => {
            return Err(Box::new(Answer::failed("Could not find file: neither `file` nor `dir` is given")));
        }
    };
    let merge = match text_arg(args, "hash_behaviour").as_deref() {
        None | Some("replace") => false,
        Some("merge") => true,
        Some(other) => {
            return Err(Box::new(Answer::failed(format!("`hash_behaviour` must be replace or merge, not `{other}`"))));
        }
    };
    let mut vars = Layer::new();
    for file in &files {
        let failed = |problems: crate::source::Problems| Answer::of_problems(&problems, &context.task.span);
        let layer = context.project.vars(file, None).map_err(|problems| Box::new(failed(problems)))?;
        for (name, value) in layer.iter() {
            let value = match vars.get(name) {
                Some(before) if merge => merged(before, value),
                _ => value.clone(),
            };
            vars.insert(name.clone(), value);
        }
    }
    if merge && text_arg(args, "name").is_none() {
        for (name, value) in vars.iter_mut() {
            if let Some(before) = context.scope.find(name) {
                *value = merged(&before, value);
            }
        }
    }
    if let Some(name) = text_arg(args, "name") {
        vars = Layer::from_iter([(Arc::from(name), Lazy::Map(Arc::new(vars)))]);
    }
    let shown: Vec<Value> = files.iter().map(|file| Value::from(crate::source::absolute(file))).collect();
    let mut answer = Answer::default().with("ansible_included_var_files", shown);
    answer.effects.push(Effect::IncludeVars(vars));
    Ok(answer)
}

/// `after` merged over `before`, including nested mappings.
fn merged(before: &Lazy, after: &Lazy) -> Lazy {
    let parts = |lazy: &Lazy| match lazy {
        Lazy::Map(parts) => Some(Layer::clone(parts)),
        Lazy::Data(value) if value.kind() == minijinja::value::ValueKind::Map => {
            Some(super::entries(value).into_iter().map(|(name, value)| (name, Lazy::Data(value))).collect())
        }
        _ => None,
    };
    let (Some(mut both), Some(after)) = (parts(before), parts(after)) else { return after.clone() };
    for (key, value) in after.iter() {
        let value = both.get(key).map_or_else(|| value.clone(), |known| merged(known, value));
        both.insert(key.clone(), value);
    }
    Lazy::Map(Arc::new(both))
}

fn files_of_folder(dir: &str, args: &Rendered, extensions: &[String], context: &Context<'_>) -> Result<Vec<PathBuf>> {
    let missing = || {
        let last = context.candidates("vars", dir).into_iter().next_back().unwrap_or_else(|| dir.into());
        Box::new(Answer::failed(format!("{} directory does not exist", crate::source::absolute(&last))))
    };
    let folder = context.folder("vars", dir).ok_or_else(missing)?;
    let depth = int_arg(args, "depth")?.unwrap_or(0);
    let ignored = list_arg(args, "ignore_files").unwrap_or_default();
    let unknown_is_fine = flag_arg(args, "ignore_unknown_extensions")?.unwrap_or(false);
    let matching = match text_arg(args, "files_matching") {
        Some(pattern) => Some(fancy_regex::Regex::new(&pattern).map_err(|error| {
            Box::new(Answer::failed(format!("`files_matching` is not a valid regular expression: {error}")))
        })?),
        None => None,
    };
    let mut files = Vec::new();
    let deepest = if depth <= 0 { usize::MAX } else { depth as usize };
    let mut descent = Descent::default();
    descent.within(&folder, |descent| collect(&folder, deepest, &mut files, descent));
    let mut taken = Vec::new();
    for file in files {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if ignored.contains(&name) || matching.as_ref().is_some_and(|regex| !regex.is_match(&name).unwrap_or(false)) {
            continue;
        }
        let ending = file.extension().map(|e| e.to_string_lossy().into_owned()).unwrap_or_default();
        match extensions.contains(&ending) {
            true => taken.push(file),
            false if unknown_is_fine => {}
            false => {
                return Err(Box::new(Answer::failed(format!(
                    "{} does not have a valid extension: {}",
                    file.display(),
                    extensions.join(", ")
                ))));
            }
        }
    }
    Ok(taken)
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>, descent: &mut Descent) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let (folders, own): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    files.extend(own);
    if depth > 1 {
        for folder in folders {
            descent.within(&folder, |descent| collect(&folder, depth - 1, files, descent));
        }
    }
}

pub fn validate(args: &Rendered, context: &Context<'_>) -> Result<Answer> {
    let given;
    let options = match &context.task.spec {
        Some(spec) => &spec.options,
        None => {
            given = options_of(&required(args, "argument_spec")?)?;
            &given
        }
    };
    let provided = args.get("provided_arguments").filter(|value| !value.is_none()).map(super::entries);
    let values = match provided {
        Some(provided) => provided,
        None => {
            let mut values: IndexMap<Arc<str>, Value> = IndexMap::new();
            for name in options.iter().flat_map(|(name, option)| std::iter::once(name).chain(&option.aliases)) {
                if let Some(lazy) = context.scope.find(name) {
                    let value =
                        template::render(&lazy, context.scope).map_err(|error| Box::new(super::failed_by(&error)))?;
                    values.insert(name.clone(), value);
                }
            }
            values
        }
    };
    for (name, option) in options {
        let given = std::iter::once(name).chain(&option.aliases).find_map(|name| values.get(name));
        if let Some(secret) = given.filter(|_| option.no_log) {
            super::conceal(secret, context.scope);
        }
    }
    let faults = spec::validate(options, &values);
    if faults.is_empty() {
        return Ok(Answer::default().with("msg", "The arg spec validation passed"));
    }
    let errors: Vec<Value> = faults.iter().map(|fault| Value::from(fault.msg.as_str())).collect();
    let told: Vec<&str> = faults.iter().map(|fault| fault.msg.as_str()).collect();
    let mut answer = Answer::failed(format!("Validation of arguments failed:\n{}", told.join("\n")));
    answer.place = faults.into_iter().find_map(|fault| fault.option);
    Ok(answer.with("argument_errors", errors))
}

/// The options of a specification that a task passes as a value.
fn options_of(value: &Value) -> Result<IndexMap<Arc<str>, spec::ArgumentOption>> {
    let options: serde_json::Value = (&crate::vars::to_wire(value)).into();
    let text = serde_json::json!({ "main": { "options": options } }).to_string();
    let wrong = |problems: crate::source::Problems| {
        Box::new(Answer::failed(format!("the argument spec is not valid: {}", problems.messages())))
    };
    let loaded = syntax::yaml::load(&Source::inline("argument_spec", text)).map_err(wrong)?;
    let mut specs = syntax::argument_specs(loaded.node).map_err(wrong)?;
    Ok(specs.entry_points.swap_remove("main").map(|spec| spec.options).unwrap_or_default())
}
