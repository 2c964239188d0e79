//! Clones repositories with the user's git.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use super::{GalaxyError, Result};

/// Clones a branch, tag or commit of a repository into a directory that must not exist.
///
/// # Errors
/// If git is missing or fails; the message contains its output.
pub(super) fn clone(repository: &str, version: Option<&str>, target: &Path) -> Result<()> {
    // Nothing must be parsed as an option: `--` ends them, and git itself rejects a version with a leading dash.
    if repository.starts_with('-') || version.is_some_and(|version| version.starts_with('-')) {
        return Err(GalaxyError::new(format!("`{repository}` is not a repository")));
    }
    let mut command = git();
    command.args(["clone", "--quiet", "--", repository]).arg(target);
    run(&mut command, repository)?;
    if let Some(version) = version {
        let mut command = git();
        command.arg("-C").arg(target).args(["-c", "advice.detachedHead=false", "checkout", "--quiet", version, "--"]);
        run(&mut command, repository)?;
    }
    Ok(())
}

/// Archives the tracked content of a repository's directory at the checked-out commit.
///
/// # Errors
/// Same as [`clone`].
pub(super) fn archive(repository: &Path, target: &Path) -> Result<()> {
    let mut command = git();
    command.arg("-C").arg(repository).args(["archive", "--format=tar", "HEAD", "-o"]).arg(target);
    run(&mut command, &repository.display().to_string())
}

fn git() -> Command {
    let mut command = Command::new("git");
    // Nobody can answer prompts; transports that run commands (`ext::`) are not allowed for untrusted sources.
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh").stdin(Stdio::null());
    command
}

fn run(command: &mut Command, repository: &str) -> Result<()> {
    let failed = |error: String| {
        GalaxyError::new(format!("Failed to clone a Git repository from `{}`: {error}", masked(repository)))
    };
    // A large repository may take its time.
    let printed = command.output().map_err(|error| failed(format!("git: {error}")))?;
    match printed.status.success() {
        true => Ok(()),
        false => Err(failed(
            String::from_utf8_lossy(&printed.stderr).replace(repository, &masked(repository)).trim().to_owned(),
        )),
    }
}

/// The URL without credentials.
fn masked(repository: &str) -> String {
    match repository.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?))) {
        Some((scheme, (login, rest))) if !login.contains('/') => format!("{scheme}://********@{rest}"),
        _ => repository.to_owned(),
    }
}
