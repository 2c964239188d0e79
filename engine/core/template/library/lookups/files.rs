//! Lookups of files and of command output.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use minijinja::Value;
use rplay_contract::{io_failure::python_error, system::encoding::Encoding};

use super::Table;

use crate::{
    files, program,
    source::Source,
    template::{
        args::Args,
        eval::{
            machine::Machine,
            template_file::{self, FileOptions},
        },
        library::paths,
        value::{
            containers,
            error::{EvalError, EvalResult},
            items, show,
            undefined::present,
        },
    },
    vars::{Lazy, Scope, of_template},
};

pub(super) const LOOKUPS: Table = &[
    ("file", file),
    ("unvault", unvault),
    ("template", template),
    ("fileglob", fileglob),
    ("first_found", first_found),
    ("lines", lines),
    ("pipe", pipe),
    ("csvfile", csvfile),
];

/// Ansible's search order for a file: in a subdirectory of each directory, then in the directory itself.
pub(super) fn search(machine: &Machine<'_>, kind: &str, name: &str) -> Option<PathBuf> {
    let name = paths::expanduser(name);
    let name = Path::new(&name);
    if name.is_absolute() {
        return name.exists().then(|| name.to_owned());
    }
    let directories = machine.session.scope.directories.iter();
    directories.flat_map(|directory| [directory.join(kind).join(name), directory.join(name)]).find(|path| path.exists())
}

pub(super) fn missing(kind: &str, name: &str) -> Box<EvalError> {
    EvalError::with_help(
        format!("Unable to access the file '{name}': File not found. Use -vvvvv to see paths searched."),
        format!("files are searched in `{kind}/` of the role, of the task file and of the playbook"),
    )
}

fn read(machine: &Machine<'_>, kind: &str, name: &str) -> EvalResult<String> {
    let path = search(machine, kind, name).ok_or_else(|| missing(kind, name))?;
    decoded(machine, &path, Encoding::Utf8)
}

/// The text of a file, decrypted if it is vaulted.
///
/// # Errors
/// If it cannot be read, is not in that encoding, or cannot be decrypted.
pub(super) fn decoded(machine: &Machine<'_>, path: &Path, encoding: Encoding) -> EvalResult<String> {
    let name = path.display();
    let bytes = files::read(path).map_err(|error| {
        let why = python_error(&error);
        EvalError::new(format!(
            "Unable to access the file '{name}': An error occurred while trying to read the file '{name}': {why}: '{name}'"
        ))
    })?;
    let text = encoding.decode(&bytes).ok_or_else(|| {
        let kind = if encoding == Encoding::Utf8 { "UTF-8" } else { "in that encoding" };
        EvalError::new(format!("'{name}' is not {kind}"))
    })?;
    match text.starts_with("$ANSIBLE_VAULT;") {
        true => machine.session.scope.magic.decrypt(&text).map(|text| text.to_string()).map_err(EvalError::new),
        false => Ok(text),
    }
}

fn file(machine: &mut Machine<'_>, terms: Vec<Value>, mut options: Args) -> EvalResult<Vec<Value>> {
    let (lstrip, rstrip) = (options.flag("lstrip", false)?, options.flag("rstrip", true)?);
    options.finish()?;
    let mut found = Vec::new();
    for term in terms {
        let text = read(machine, "files", &show::text(&term)?)?;
        let text = if lstrip { text.trim_start() } else { &text };
        let text = if rstrip { text.trim_end() } else { text };
        found.push(Value::from(text));
    }
    Ok(found)
}

fn unvault(machine: &mut Machine<'_>, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    options.finish()?;
    let content = |term: &Value| {
        let name = show::text(term)?;
        if search(machine, "files", &name).is_none() {
            return Err(EvalError::new(format!("Unable to find file matching \"{name}\"")));
        }
        read(machine, "files", &name).map(Value::from)
    };
    terms.iter().map(content).collect()
}

fn template(machine: &mut Machine<'_>, terms: Vec<Value>, mut options: Args) -> EvalResult<Vec<Value>> {
    let mut layout = FileOptions::default();
    let text = |options: &mut Args, name: &str, slot: &mut String| -> EvalResult<()> {
        if let Some(value) = options.text(name)? {
            *slot = value;
        }
        Ok(())
    };
    text(&mut options, "variable_start_string", &mut layout.variable_start_string)?;
    text(&mut options, "variable_end_string", &mut layout.variable_end_string)?;
    text(&mut options, "comment_start_string", &mut layout.comment_start_string)?;
    text(&mut options, "comment_end_string", &mut layout.comment_end_string)?;
    // Neither is documented, but both work in Ansible.
    layout.trim_blocks = options.flag("trim_blocks", true)?;
    layout.lstrip_blocks = options.flag("lstrip_blocks", false)?;
    // The value of a template keeps its type here anyway.
    options.flag("convert_data", true)?;
    options.flag("jinja2_native", false)?;
    let vars = options.optional("template_vars")?.filter(|vars| !vars.is_none());
    options.finish()?;
    let mut found = Vec::new();
    for term in terms {
        let name = show::text(&term)?;
        let path = search(machine, "templates", &name)
            .ok_or_else(|| EvalError::new(format!("the template file {name} could not be found for the lookup")))?;
        let mut source =
            Source::read(&path).map_err(|error| EvalError::new(format!("cannot read '{name}': {error}")))?;
        let scope = &machine.session.scope;
        if source.text.starts_with("$ANSIBLE_VAULT;") {
            let text = scope.magic.decrypt(&source.text).map_err(EvalError::new)?;
            source = Source::decrypted(source.name.clone(), source.path.clone(), text.to_string());
        }
        let mut layer = of_template(&name, &path, None, scope).map_err(EvalError::new)?;
        if let Some(vars) = &vars {
            for (key, value) in containers::pairs(vars) {
                layer.insert(show::text(&key)?.into(), Lazy::Data(present(value)?));
            }
        }
        let layers = [Arc::new(layer)].into_iter().chain(scope.layers.iter().cloned()).collect();
        let scope = Arc::new(Scope { layers, magic: scope.magic.clone(), directories: scope.directories.clone() });
        found.push(template_file::file_value(&source, &scope, &layout, machine.session.library)?);
    }
    Ok(found)
}

fn fileglob(machine: &mut Machine<'_>, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    options.finish()?;
    let mut found = Vec::new();
    for term in terms {
        let pattern = paths::expanduser(&show::text(&term)?);
        let path = Path::new(&pattern);
        let files =
            |path: &Path| -> Vec<PathBuf> { paths::glob(path).into_iter().filter(|path| path.is_file()).collect() };
        let paths = match path.is_absolute() {
            true => files(path),
            false => {
                let directories = machine.session.scope.directories.iter();
                let places =
                    directories.flat_map(|directory| [directory.join("files").join(path), directory.join(path)]);
                places.map(|place| files(&place)).find(|files| !files.is_empty()).unwrap_or_default()
            }
        };
        if paths.is_empty() && !is_in_a_directory(machine, path) {
            let directory = path.parent().unwrap_or(path).display();
            let message = format!("Unable to find '{directory}' in expected paths (use -vvvvv to see paths)");
            machine.session.scope.magic.warn(&message, None);
        }
        found.extend(paths.into_iter().map(|path| Value::from(path.display().to_string())));
    }
    Ok(found)
}

/// Whether the directory of a pattern exists; a pattern without one is looked for in all directories.
fn is_in_a_directory(machine: &Machine<'_>, pattern: &Path) -> bool {
    let Some(directory) = pattern.parent().filter(|directory| !directory.as_os_str().is_empty()) else { return true };
    let directories = machine.session.scope.directories.iter();
    let mut places = directories.flat_map(|base| [base.join("files").join(directory), base.join(directory)]);
    directory.is_absolute() && directory.is_dir() || !directory.is_absolute() && places.any(|place| place.is_dir())
}

/// The first existing file. Terms are names, or mappings with `files` and `paths`.
fn first_found(machine: &mut Machine<'_>, terms: Vec<Value>, mut options: Args) -> EvalResult<Vec<Value>> {
    let mut skip = options.flag("skip", false)?;
    let files = options.optional("files")?;
    let paths = options.optional("paths")?;
    // Only `with_first_found` searches `files/` and the like; the lookup itself takes paths as they are.
    let kind = options.text_or("_subdir", ".")?;
    options.finish()?;
    let words = |value: &Value| -> EvalResult<Vec<String>> {
        let all = if containers::is_list(value) { items::items(value)? } else { vec![value.clone()] };
        let mut words = Vec::new();
        for word in all {
            let text = show::text(&word)?;
            words
                .extend(text.split([',', ':', ';']).map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()));
        }
        Ok(words)
    };
    let join = |files: &[String], paths: &[String]| -> Vec<String> {
        match paths.is_empty() {
            true => files.to_vec(),
            false => paths.iter().flat_map(|path| files.iter().map(move |file| format!("{path}/{file}"))).collect(),
        }
    };
    let own = |value: &Option<Value>| value.as_ref().map(words).transpose().map(Option::unwrap_or_default);
    let (own_files, own_paths) = (own(&files)?, own(&paths)?);
    let mut names = Vec::new();
    let mut queue: Vec<Value> = terms;
    queue.reverse();
    while let Some(term) = queue.pop() {
        if containers::is_list(&term) {
            let mut items = items::items(&term)?;
            items.reverse();
            queue.extend(items);
        } else if containers::is_map(&term) {
            let part = |name: &str| term.as_object().and_then(|term| term.get_value_by_str(name));
            let (files, paths) =
                (own(&part("files").map(present).transpose()?)?, own(&part("paths").map(present).transpose()?)?);
            skip |= part("skip").is_some_and(|skip| items::truth(&skip));
            names.extend(join(&files, if paths.is_empty() { &own_paths } else { &paths }));
        } else {
            let Some(name) = term.as_str() else {
                let kind = show::type_name(&term);
                let message = format!("Invalid term supplied. A string, dict or list is required, not '{kind}').");
                return Err(EvalError::new(message));
            };
            names.extend(join(&[name.to_owned()], &own_paths));
        }
    }
    names.extend(join(&own_files, &own_paths));
    for name in &names {
        let found = [&*kind, "tasks"].iter().find_map(|kind| search(machine, kind, name));
        if let Some(path) = found {
            return Ok(vec![Value::from(paths::normpath(&path.display().to_string()))]);
        }
    }
    match skip {
        true => Ok(vec![]),
        false => Err(EvalError::with_help(
            "No file was found when using first_found.",
            "set `skip: true` if the file is optional",
        )),
    }
}

/// The encoding named by the option `encoding`.
pub(super) fn named_encoding(options: &mut Args) -> EvalResult<Encoding> {
    let name = options.text_or("encoding", "utf-8")?;
    Encoding::named(&name).ok_or_else(|| EvalError::new(format!("unknown encoding: {name}")))
}

/// The output of a command. Like Ansible, runs it on the controller in a shell.
fn printed(lookup: &str, command: &str, directory: Option<&PathBuf>) -> EvalResult<String> {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command);
    if let Some(directory) = directory.filter(|directory| directory.is_dir()) {
        shell.current_dir(directory);
    }
    let output = program::run(shell.stdin(Stdio::inherit()).stderr(Stdio::piped()))
        .map_err(|error| EvalError::new(format!("the command `{command}` failed: {error}")))?;
    if !output.status.success() {
        let code = output.status.code().unwrap_or(-1);
        let message = format!("lookup_plugin.{lookup}({command}) returned {code}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(match stderr.lines().next() {
            Some(line) => EvalError::with_help(message, format!("it said: {line}")),
            None => EvalError::new(message),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn pipe(machine: &mut Machine<'_>, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    options.finish()?;
    let directory = machine.session.scope.directories.last();
    terms.iter().map(|term| Ok(Value::from(printed("pipe", &show::text(term)?, directory)?.trim_end()))).collect()
}

fn lines(machine: &mut Machine<'_>, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    options.finish()?;
    let mut found = Vec::new();
    let directory = machine.session.scope.directories.last();
    for term in terms {
        found.extend(printed("lines", &show::text(&term)?, directory)?.lines().map(Value::from));
    }
    Ok(found)
}

/// The options of a term such as `key file=x.csv col=2`, merged over those of the call.
pub(super) fn term_options(term: &str, options: &Args) -> (String, Args) {
    let mut options = options.clone();
    let mut words = Vec::new();
    for (key, value) in super::key_values(term) {
        match key {
            Some(key) => {
                options.named.retain(|(known, _)| *known != key);
                options.named.push((key, Value::from(value)));
            }
            None => words.push(value),
        }
    }
    (words.join(" "), options)
}

fn csvfile(machine: &mut Machine<'_>, terms: Vec<Value>, options: Args) -> EvalResult<Vec<Value>> {
    let mut found = Vec::new();
    if terms.is_empty() {
        return Err(EvalError::new("Search key is required but was not found"));
    }
    for term in terms {
        let Some(term) = term.as_str() else {
            let kind = show::type_name(&term);
            return Err(EvalError::new(format!("'{kind}' object has no attribute 'split'")));
        };
        let given: Vec<String> = options.named.iter().map(|(name, _)| name.clone()).collect();
        let (key, mut options) = term_options(term, &options);
        let name = options.text_or("file", "ansible.csv")?;
        let column = usize::try_from(options.int_or("col", 1)?).unwrap_or(1);
        let key_column = usize::try_from(options.int_or("keycol", 0)?).unwrap_or(0);
        let delimiter = match &*options.text_or("delimiter", "TAB")? {
            "TAB" | "\t" => '\t',
            other => {
                let mut chars = other.chars();
                match (chars.next(), chars.next()) {
                    (Some(one), None) => one,
                    _ => return Err(EvalError::new("\"delimiter\" must be a 1-character string")),
                }
            }
        };
        let default = options.optional("default")?;
        let encoding = named_encoding(&mut options)?;
        // Only the term's options are checked: unknown options of the call are ignored.
        if let Some((name, _)) = options.named.iter().find(|(name, _)| !given.contains(name)) {
            return Err(EvalError::new(format!("'{name}' is not a valid option")));
        }
        options.finish()?;
        if key.is_empty() {
            return Err(EvalError::new("Search key is required but was not found"));
        }
        let text = match search(machine, "files", &name) {
            Some(path) => decoded(machine, &path, encoding)?,
            None => {
                return Err(EvalError::with_help(
                    "expected str, bytes or os.PathLike object, not NoneType",
                    format!("there is no file {name}"),
                ));
            }
        };
        let row = rows(&text, delimiter).into_iter().find(|row| row.get(key_column) == Some(&key));
        if row.as_ref().is_some_and(|row| column >= row.len()) {
            return Err(EvalError::new("list index out of range"));
        }
        match (row.and_then(|row| row.get(column).cloned()), default) {
            (Some(value), _) => found.push(Value::from(value)),
            // Each item of a list is a result.
            (None, Some(default)) if containers::is_list(&default) => found.extend(items::items(&default)?),
            (None, Some(default)) => found.push(default),
            (None, None) => {}
        }
    }
    Ok(found)
}

/// Rows of delimited values; quoted fields may contain the delimiter and newlines.
fn rows(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field, mut quoted) = (vec![], vec![], String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => quoted = !quoted,
            c if c == delimiter && !quoted => row.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            c => field.push(c),
        }
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field);
        rows.push(row);
    }
    rows
}
