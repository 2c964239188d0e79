//! The validation command for new content.

use std::path::Path;

use rplay_wire::{Failure, data};

use crate::{Host, system::process};

/// Runs the command, in which `%s` stands for `file`. Fails if it cannot be run or exits with a code other than 0; the
/// failure contains its output.
pub(super) fn validate(command: &str, file: &Path, host: &Host) -> Result<(), Failure> {
    let about = |msg: String| Failure::new(msg).arg("validate");
    let command = command.replace("%s", &shell_words::quote(&file.to_string_lossy()));
    let words = shell_words::split(&command).map_err(|error| about(format!("cannot read `{command}`: {error}")))?;
    let Some((program, arguments)) = words.split_first() else { return Err(about("nothing to run".to_owned())) };
    let done = process::run(host.command(program).args(arguments), None, host.max_output());
    let done = done.map_err(|error| about(format!("failed to validate: cannot run {program}: {error}")))?;
    if done.rc == 0 {
        return Ok(());
    }
    // Of a program that prints without end only the last words count.
    let said = if done.excess.is_some() { done.stderr.lines().next_back().unwrap_or_default() } else { &done.stderr };
    Err(about(format!("failed to validate: rc:{} error:{said}", done.rc)).data(data! {
        "exit_status" => done.rc, "stdout" => done.stdout.as_str(), "stderr" => done.stderr.as_str(),
    }))
}
