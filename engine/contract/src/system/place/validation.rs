//! The validation command for new content.

use std::path::Path;

use rplay_wire::{Failure, data};

use crate::{Host, io_failure::reason, system::process};

/// The failure of a command that could not be started, in the words of ansible-core; the reason is its help.
pub const NOT_EXECUTED: &str = "Error executing command.";

/// Runs the command, in which `%s` stands for `file`. Fails if it cannot be run or exits with a code other than 0; the
/// failure contains its output.
pub(super) fn validate(command: &str, file: &Path, host: &Host) -> Result<(), Failure> {
    let about = |msg: String| Failure::new(msg).arg("validate");
    let command = command.replace("%s", &shell_words::quote(&file.to_string_lossy()));
    let words = shell_words::split(&command).map_err(|error| about(format!("cannot read `{command}`: {error}")))?;
    let Some((program, arguments)) = words.split_first() else { return Err(about("nothing to run".to_owned())) };
    let done = process::run(host.command(program).args(arguments), None, host.max_output());
    let done = done.map_err(|error| {
        about(NOT_EXECUTED.to_owned()).help(format!("cannot run {program}: {}", reason(&error))).data(data! {
            "rc" => error.raw_os_error().unwrap_or(2), "cmd" => command.as_str(), "stdout" => "", "stderr" => "",
        })
    })?;
    if done.rc == 0 {
        return Ok(());
    }
    // Of a program that prints without end only the last words count.
    let said = if done.excess.is_some() { done.stderr.lines().next_back().unwrap_or_default() } else { &done.stderr };
    Err(about(format!("failed to validate: rc:{} error:{said}", done.rc)).data(data! {
        "exit_status" => done.rc, "stdout" => done.stdout.as_str(), "stderr" => done.stderr.as_str(),
    }))
}
