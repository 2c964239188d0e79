//! Modules that are programs: scripts in any language and binaries, which get a file with their arguments.

use std::{
    borrow::Cow,
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    process::Command,
};

use rplay_wire::{Failure, Map, Mode, Value, json_text, python_text};

use super::{
    Ended, Order, Style,
    interpreter::{self, missing},
    settings::{self, Directory},
    store,
};
use crate::{
    Host,
    system::{process, regular},
};

/// The placeholder for the arguments in a module of [`Style::JsonArgs`].
const JSON_ARGS: &[u8] = b"<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>";

/// Runs the module. `found` receives facts about a discovered interpreter.
pub(super) fn run(order: &Order, mode: Mode, host: &Host, found: &mut Map) -> Result<Ended, Failure> {
    let directory = Directory::make(order, host)?;
    let mut content = regular::read(store::path_of(&order.content, host)?)?;
    let args = Value::Map(arguments(order, mode, directory.path()));
    if order.style == Style::JsonArgs {
        content = replaced(&content, JSON_ARGS, json_text(&args).as_bytes());
    }
    let shebang = shebang(&content);
    // The program can see the module's name in its path.
    let path = directory.path().join(order.name.rsplit('.').next().unwrap_or("module"));
    write(&path, &content, 0o700)?;
    let file = directory.path().join("args");
    let mut words = starter(order, host, shebang.as_deref(), found)?;
    words.push(path.display().to_string());
    match order.style {
        Style::Pairs => write(&file, pairs(&args).as_bytes(), 0o600)?,
        Style::Json => write(&file, json_text(&args).as_bytes(), 0o600)?,
        Style::JsonArgs | Style::Python => {}
    }
    if matches!(order.style, Style::Pairs | Style::Json) {
        words.push(file.display().to_string());
    }
    let program = words.first().cloned().unwrap_or_default();
    let start = |words: &[String]| -> std::io::Result<process::Finished> {
        let mut command: Command = host.command(words.first().map(String::as_str).unwrap_or_default());
        command.args(words.get(1..).unwrap_or_default());
        process::run(&mut command, None, host.max_output())
    };
    let finished = match start(&words) {
        // Without a shebang line, it is run as a shell script, like execvp does.
        Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ENOEXEC as i32) => {
            start(&[vec!["/bin/sh".to_owned()], words].concat())
        }
        other => other,
    };
    let finished = finished.map_err(|error| match error.kind() {
        ErrorKind::NotFound => missing(shebang.as_deref().unwrap_or(&program)),
        _ => Failure::new(format!("cannot start the module {}: {error}", order.name)),
    })?;
    let excess = finished.excess.as_ref().map(|excess| excess.sentence(&format!("the module {}", order.name)));
    Ok(Ended { rc: finished.rc, stdout: finished.stdout, stderr: finished.stderr, excess })
}

/// The words before the module's path: the interpreter, if it is not that of the shebang line.
fn starter(order: &Order, host: &Host, shebang: Option<&str>, found: &mut Map) -> Result<Vec<String>, Failure> {
    if shebang.is_some_and(is_python) {
        let python = interpreter::python(order, host)?;
        if let Some(path) = &python.found {
            found.extend(super::discovered(path));
        }
        return Ok(python.words);
    }
    match &order.interpreter {
        Some(named) => interpreter::words(named),
        None => Ok(Vec::new()),
    }
}

/// Whether a shebang line (without `#!`) names Python. As in Ansible, the host's own Python is used, whichever it
/// names.
pub(super) fn is_python(shebang: &str) -> bool {
    language(shebang).is_some_and(|name| name.starts_with("python"))
}

/// The name of the program in a shebang line (without `#!`), also behind `env`.
fn language(shebang: &str) -> Option<&str> {
    let mut words = shebang.split_whitespace();
    let name = words.next()?.rsplit('/').next()?;
    match name {
        "env" => words.find(|word| !word.starts_with('-') && !word.contains('=')),
        name => Some(name),
    }
}

/// The shebang line of a script, without `#!`.
fn shebang(content: &[u8]) -> Option<String> {
    let line = content.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    Some(String::from_utf8_lossy(line).trim().to_owned())
}

/// The arguments, including the settings.
fn arguments(order: &Order, mode: Mode, directory: &Path) -> Map {
    let mut args = order.args.clone();
    args.extend(
        settings::of(order, mode, directory).into_iter().map(|(name, value)| (format!("_ansible_{name}"), value)),
    );
    args
}

/// `key=value` words, quoted for a shell; values in Python's format.
fn pairs(args: &Value) -> String {
    args.as_map().into_iter().flatten().fold(String::new(), |mut text, (name, value)| {
        let shown = match value {
            Value::Str(text) => text.clone(),
            other => python_text(other),
        };
        text.push_str(&format!("{name}={} ", quoted(&shown)));
        text
    })
}

/// A word in quotes, if necessary, as Python writes them for a shell.
fn quoted(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.into(),
        false => format!("'{}'", text.replace('\'', "'\"'\"'")).into(),
    }
}

fn replaced(content: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    let mut done = Vec::with_capacity(content.len() + by.len());
    let mut rest = content;
    while let Some(at) = rest.windows(what.len()).position(|window| window == what) {
        let (before, after) = rest.split_at(at);
        done.extend_from_slice(before);
        done.extend_from_slice(by);
        rest = after.get(what.len()..).unwrap_or_default();
    }
    done.extend_from_slice(rest);
    done
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), Failure> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(content)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rplay_wire::{Call, Outcome, data};

    use super::*;
    use crate::{NoBlobs, external::MODULE, runner};

    fn order(style: Style, content: &str) -> Order {
        Order {
            name: "mine".into(),
            style,
            content: Value::from(content),
            base: None,
            package: String::new(),
            interpreter: None,
            candidates: vec!["python3".into()],
            args: data! { "a" => "x y", "b" => vec![1, 2], "c" => true },
            settings: data! { "verbosity" => 0 },
            shows_invocation: false,
            remote_tmp: None,
        }
    }

    fn outcome(order: Order) -> Outcome {
        let (args, mode) = (order.into_args(), Mode { check: true, ..Mode::default() });
        let call = Call { module: MODULE.into(), args, mode, environment: Vec::new(), background: None };
        runner::run(&call, &Host::new(Vec::new(), Arc::new(NoBlobs)))
    }

    #[test]
    fn a_script_gets_its_arguments_as_words_or_as_json() {
        let pairs = outcome(order(
            Style::Pairs,
            "#!/bin/sh\n. \"$1\"\nprintf '{\"a\": \"%s\", \"b\": \"%s\", \"check\": \"%s\"}' \"$a\" \"$b\" \"$_ansible_check_mode\"\n",
        ));
        assert_eq!(pairs.data, data! { "a" => "x y", "b" => "[1, 2]", "check" => "True" });
        let json = outcome(order(Style::Json, "#!/bin/sh\n# WANT_JSON\nprintf '{\"args\": %s}' \"$(cat $1)\"\n"));
        assert_eq!(json.data["args"], Value::from(data! { "a" => "x y", "b" => vec![1, 2], "c" => true }));
        let within = outcome(order(
            Style::JsonArgs,
            "#!/bin/sh\ncat <<'E'\n{\"args\": <<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>}\nE\n",
        ));
        assert_eq!(within.data["args"], json.data["args"]);
        assert_eq!(super::pairs(&data! { "a" => "it's", "b" => "x" }.into()), "a='it'\"'\"'s' b=x ");
    }

    #[test]
    fn a_text_without_a_first_line_is_a_shell_script_and_a_missing_interpreter_is_named() {
        assert!(outcome(order(Style::Pairs, "echo '{\"changed\": true}'\n")).changed);
        let failure = outcome(order(Style::Pairs, "#!/nowhere/lua -x\n")).failure.unwrap();
        assert_eq!(failure.msg, "The module interpreter '/nowhere/lua -x' was not found.");
        assert_eq!(failure.data.get("rc"), None, "the data joins the outcome's");
    }

    #[test]
    fn python_is_looked_for_whatever_the_first_line_names() {
        for (line, python) in [
            ("/usr/bin/python", true),
            ("/usr/bin/env -S python3.9 -u", true),
            ("/bin/sh", false),
            ("/usr/bin/env perl", false),
        ] {
            assert_eq!(is_python(line), python, "{line}");
        }
        let outcome = outcome(order(Style::Json, "#!/usr/bin/python2.4\nprint('{\"changed\": false}')\n"));
        assert!(outcome.failure.is_none(), "{outcome:?}");
        assert!(outcome.facts.contains_key("discovered_interpreter_python") && outcome.holds_up);
    }
}
