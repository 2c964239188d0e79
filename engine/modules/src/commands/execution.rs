//! A process that a task asks for: when not to run it, and its result.

use std::{path::Path, process::Command as Process};

use jiff::ZonedDateTime;
use rplay_wire::{Failure, Map, Value, data};

use crate::{
    ArgError, Change, Host, Plan, args,
    argtypes::{Flag, PathArg, Text},
    system::{
        captured::Excess,
        glob, paths,
        process::{self, Finished},
        program::quoted,
        times,
    },
};

args! {
    /// When and where a command runs, what it reads, and how its output is kept.
    pub struct Circumstances {
        /// A path or glob pattern; if it matches an existing file, the command does not run.
        creates: Option<PathArg>,
        /// A path or glob pattern; if it matches no file, the command does not run.
        removes: Option<PathArg>,
        /// The working directory.
        chdir: Option<PathArg>,
        /// The standard input of the command.
        stdin: Option<Text>,
        /// Whether to append a newline to the standard input.
        stdin_add_newline: Flag = Flag(true),
        /// Whether to remove empty lines at the end of stdout and stderr.
        strip_empty_ends: Flag = Flag(true),
    }
}

/// Checks that a command has one of its forms. `help` says how to write it if it has none.
///
/// # Errors
/// If it has none, or several.
pub(crate) fn has_one_form(
    line: &Option<Text>,
    cmd: &Option<Text>,
    argv: &Option<Vec<Text>>,
    help: &str,
) -> Result<(), ArgError> {
    const EXCLUSIVE: &str = "parameters are mutually exclusive: _raw_params|cmd|argv";
    match (line, cmd, argv) {
        (Some(_), Some(_), _) => Err(ArgError::new("cmd", EXCLUSIVE)),
        (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => Err(ArgError::new("argv", EXCLUSIVE)),
        (None, None, None) => Err(ArgError {
            arg: None,
            msg: "one of the following is required: _raw_params, cmd, argv".to_owned(),
            help: Some(help.to_owned()),
        }),
        _ => Ok(()),
    }
}

impl Circumstances {
    /// The bytes for `stdin` and `stdin_add_newline`.
    fn input(&mut self) -> Option<Vec<u8>> {
        let mut text = self.stdin.take()?;
        if self.stdin_add_newline.0 {
            text.push('\n');
        }
        Some(text.into_bytes())
    }
}

pub(crate) use crate::system::place::NOT_EXECUTED;

/// A process that a task asks for, and when not to run it.
pub(crate) struct Execution {
    /// The value of the result's `cmd`.
    pub shown: Value,
    pub words: Vec<String>,
    pub circumstances: Circumstances,
}

impl Execution {
    /// Plans to run the process, unless `creates` or `removes` skips it.
    pub(crate) fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let Execution { shown, words, mut circumstances } = self;
        // As in ansible-core, an empty path is none.
        let Circumstances { creates, removes, chdir, .. } = &mut circumstances;
        [creates, removes, chdir].into_iter().for_each(|path| drop(path.take_if(|path| path.0.is_empty())));
        let directory = circumstances.chdir.as_ref().map(|chdir| chdir.on(host));
        if let Some(directory) = directory.as_deref().filter(|directory| !directory.is_dir()) {
            let mut data = result(shown, String::new(), String::new());
            data.shift_remove("msg");
            data.insert("rc".to_owned(), Value::Null);
            return Err(Failure::new("Unable to change directory before execution.")
                .arg("chdir")
                .help(format!("{} is not a directory", directory.display()))
                .data(data));
        }
        let mut plan = Plan { data: result(shown.clone(), String::new(), String::new()), ..Plan::default() };
        if let Some(reason) = not_needed(&circumstances.creates, &circumstances.removes, directory.as_deref(), host) {
            plan.data.insert(
                "msg".to_owned(),
                format!("{} command since {reason}", if host.check { "Would not run" } else { "Did not run" }).into(),
            );
            let stdout = format!("skipped, since {}", reason.replace('\'', ""));
            plan.data.insert("stdout".to_owned(), stdout.into());
            return Ok(plan);
        }
        const CHECKED: &str = "Command would have run if not in check mode";
        plan.data.insert("msg".to_owned(), CHECKED.into());
        let is_guarded = circumstances.creates.is_some() || circumstances.removes.is_some();
        let (input, strips) = (circumstances.input(), circumstances.strip_empty_ends.0);
        let what = format!("run {}", words.first().map_or("", String::as_str));
        let change = Change::new(what, move |host, data| {
            let mut process = host.command(words.first().map_or("", String::as_str));
            process.args(words.iter().skip(1));
            if let Some(directory) = &directory {
                process.current_dir(directory);
            }
            execute(host, &mut process, shown, input, strips, data)
        });
        Ok(plan.kept().change(if is_guarded {
            change.changed_even_if_failed()
        } else {
            change.changed_even_if_failed().unpredictable(CHECKED)
        }))
    }
}

/// Why the process is skipped: "'/x' exists"; `None` if it is not.
pub(crate) fn not_needed(
    creates: &Option<PathArg>,
    removes: &Option<PathArg>,
    directory: Option<&Path>,
    host: &Host,
) -> Option<String> {
    let exists = |pattern: &PathArg| {
        let pattern = directory.unwrap_or(Path::new("")).join(pattern.on(host));
        glob::exists(&pattern)
    };
    let created = creates.as_ref().filter(|path| exists(path));
    let removed = removes.as_ref().filter(|path| !exists(path));
    created
        .map(|path| format!("'{}' exists", paths::text(path.on(host))))
        .or_else(|| removed.map(|path| format!("'{}' does not exist", paths::text(path.on(host)))))
}

/// The controller adds the lists of lines.
fn result(shown: Value, stdout: String, stderr: String) -> Map {
    data! {
        "cmd" => shown,
        "rc" => 0,
        "stdout" => stdout,
        "stderr" => stderr,
        "start" => Value::Null,
        "end" => Value::Null,
        "delta" => Value::Null,
        "msg" => "",
    }
}

/// Runs the process and puts its results into `data`; a nonzero exit code is a failure.
pub(crate) fn execute(
    host: &Host,
    process: &mut Process,
    shown: Value,
    stdin: Option<Vec<u8>>,
    strip_empty_ends: bool,
    data: &mut Map,
) -> Result<(), Failure> {
    let start = times::now();
    let mut finished = process::run(process, stdin, host.max_output()).map_err(|error| {
        let program = paths::text(process.get_program());
        let reason = error
            .raw_os_error()
            .map_or_else(|| error.to_string(), |code| nix::errno::Errno::from_raw(code).desc().to_owned());
        ["start", "end", "delta", "msg"].into_iter().for_each(|key| drop(data.shift_remove(key)));
        let words = std::iter::once(process.get_program()).chain(process.get_args()).map(paths::text);
        let line = words.map(|word| quoted(&word).into_owned()).collect::<Vec<_>>().join(" ");
        let rc = error.raw_os_error().unwrap_or(2);
        Failure::new(NOT_EXECUTED)
            .help(format!("cannot run {program}: {reason}"))
            .data(data! { "cmd" => line, "rc" => rc, "stdout" => "", "stderr" => "" })
            .not_begun()
    })?;
    let end = times::now();
    let (mut stdout, mut stderr) = (std::mem::take(&mut finished.stdout), std::mem::take(&mut finished.stderr));
    if strip_empty_ends {
        strip_end(&mut stdout);
        strip_end(&mut stderr);
    }
    data.extend(result(shown, stdout, stderr));
    data.insert("start".to_owned(), moment(&start).into());
    data.insert("end".to_owned(), moment(&end).into());
    let micros = end.timestamp().as_microsecond() - start.timestamp().as_microsecond();
    data.insert("delta".to_owned(), span(micros).into());
    succeed(host, &finished, "the command", data)
}

/// Records the exit code. Fails unless it is 0, or if the process was killed because it printed endlessly.
pub(crate) fn succeed(host: &Host, finished: &Finished, what: &str, data: &mut Map) -> Result<(), Failure> {
    data.insert("rc".to_owned(), finished.rc.into());
    match &finished.excess {
        Some(excess) if excess.was_killed() => {
            data.shift_remove("msg");
            return Err(Failure::new(excess.sentence(what)).help(Excess::help()));
        }
        Some(excess) => host.warn(format!("{}; {}", excess.sentence(what), Excess::help())),
        None => {}
    }
    match finished.rc {
        0 => Ok(()),
        _ => {
            data.shift_remove("msg");
            Err(Failure::new("non-zero return code"))
        }
    }
}

/// Removes line breaks at the end.
fn strip_end(text: &mut String) {
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
}

pub(crate) fn moment(time: &ZonedDateTime) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}

/// A duration in Python's format: `0:00:01.002003`.
pub(crate) fn span(micros: i64) -> String {
    let micros = micros.max(0);
    let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
    format!("{}:{:02}:{:02}.{rest:06}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
