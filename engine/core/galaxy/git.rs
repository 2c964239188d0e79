//! Repositories, by the user's own git.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use super::{GalaxyError, Result};

/// Takes a repository at a branch, tag or commit into a folder that is not there yet.
///
/// # Errors
/// git is not there, or fails; its own words are in the message.
pub fn clone(repository: &str, version: Option<&str>, target: &Path) -> Result<()> {
    // What looks like an option is none: `--` ends them, and git refuses a version with a dash itself.
    if repository.starts_with('-') || version.is_some_and(|version| version.starts_with('-')) {
        return Err(GalaxyError::new(format!("`{repository}` is no repository")));
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

/// An archive of what a folder of a repository holds in git at its checked-out commit.
///
/// # Errors
/// As [`clone`].
pub fn archive(repository: &Path, target: &Path) -> Result<()> {
    let mut command = git();
    command.arg("-C").arg(repository).args(["archive", "--format=tar", "HEAD", "-o"]).arg(target);
    run(&mut command, &repository.display().to_string())
}

fn git() -> Command {
    let mut command = Command::new("git");
    // Nobody is there to answer; commands of other transports (`ext::`) are not for sources that others name.
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

/// The address without the login that it may hold.
fn masked(repository: &str) -> String {
    match repository.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?))) {
        Some((scheme, (login, rest))) if !login.contains('/') => format!("{scheme}://********@{rest}"),
        _ => repository.to_owned(),
    }
}
