//! `rplay self`: shows this installation; creates links, completions and man pages.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use clap::CommandFactory;
use rplay::{
    collections::Collections,
    config::Config,
    link::{HostAgent, host_agent},
    python::{CoreError, Pythons},
    source::Problems,
};

use crate::{
    args::{
        Cli,
        own::{SelfAction, SelfArgs},
    },
    completions, output, tool,
};

#[derive(Debug, thiserror::Error, miette::Diagnostic)]
enum SelfError {
    #[error("{path}: {error}")]
    Path { path: PathBuf, error: io::Error },
    #[error("{path} exists and is not a link to this rplay")]
    #[diagnostic(help("remove it first if the link is to replace it"))]
    Taken { path: PathBuf },
}

/// Runs the subcommand; returns the exit code.
///
/// # Errors
/// If a file cannot be written or would be overwritten, the configuration cannot be read, or standard output fails.
pub(crate) fn command(args: &SelfArgs) -> Result<u8, Problems> {
    match &args.action {
        None => output::show(about()?.as_bytes())?,
        Some(SelfAction::Link { directory }) => output::show(link(directory)?.as_bytes())?,
        Some(SelfAction::Completions { shell }) => {
            output::show(&completions::script(*shell))?;
        }
        Some(SelfAction::Words { kind, line }) => output::show(completions::words(*kind, line).as_bytes())?,
        Some(SelfAction::Man { directory }) => {
            let at = |error| SelfError::Path { path: directory.clone(), error };
            fs::create_dir_all(directory).map_err(at)?;
            clap_mangen::generate_to(Cli::command(), directory).map_err(at)?;
        }
    }
    Ok(0)
}

/// The version, and what it finds on this machine.
fn about() -> Result<String, Problems> {
    let (config, _) = Config::load()?;
    let mut text = format!("rplay {}\n", env!("CARGO_PKG_VERSION"));
    let mut line = |what: &str, found: &str| {
        let _ = writeln!(text, "  {what:<13} {found}");
    };
    let executable = std::env::current_exe().map_or_else(|error| error.to_string(), |path| path.display().to_string());
    line("executable", &format!("{executable} ({})", std::env::consts::ARCH));
    line("build", rplay_agent::BUILD.rsplit(':').next().unwrap_or_default().get(..16).unwrap_or_default());
    line("for hosts", &agent(host_agent(rplay_agent::BUILD)));
    line("settings", &config.file.as_ref().map_or("no ansible.cfg".to_owned(), |path| path.display().to_string()));
    line("ssh", &ssh());
    let python = config.ansible_python.value.clone();
    line(
        "ansible-core",
        &match Pythons::new(python.clone()).core() {
            Ok(core) => format!("{} of {}", core.version, core.python.display()),
            Err(error) => format!("none ({error}); only content in Python needs it: {}", CoreError::help()),
        },
    );
    let collections =
        Collections::new(config.collections_path.0.clone(), *config.collections_scan_sys_path).with_interpreter(python);
    let places: Vec<String> = collections.places().iter().filter_map(|place| counted(place)).collect();
    line("collections", if places.is_empty() { "none".to_owned() } else { places.join(", ") }.as_str());
    Ok(text)
}

fn agent(found: Result<HostAgent, rplay_wire::Failure>) -> String {
    let megabytes = |bytes: u64| format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10);
    match found {
        Ok(HostAgent::Embedded { size, packed, full_size, full_packed }) => format!(
            "the agent embedded in it, {} ({} packed), and a full one for tasks that use HTTP, {} ({} packed)",
            megabytes(size),
            megabytes(packed),
            megabytes(full_size),
            megabytes(full_packed)
        ),
        Ok(HostAgent::Beside { path, size }) => format!("{}, {}", path.display(), megabytes(size)),
        Ok(HostAgent::Whole { size }) => format!("the executable itself, {}", megabytes(size)),
        Err(failure) => failure.msg,
    }
}

/// OpenSSH's version, which it prints on standard error.
fn ssh() -> String {
    let asked = Command::new("ssh").arg("-V").output();
    let said = asked.map(|output| String::from_utf8_lossy(&output.stderr).trim().to_owned());
    said.unwrap_or_else(|error| {
        let why = if error.kind() == std::io::ErrorKind::NotFound { String::new() } else { format!(" ({error})") };
        format!("none{why}; hosts with `connection: ssh` need OpenSSH's client")
    })
}

/// A place of collections with their number, if there are any.
fn counted(place: &Path) -> Option<String> {
    let directories = |path: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    };
    let is_collection = |path: &&PathBuf| path.join("MANIFEST.json").exists() || path.join("galaxy.yml").exists();
    let count =
        directories(place).iter().map(|namespace| directories(namespace).iter().filter(is_collection).count()).sum();
    match count {
        0usize => None,
        count => Some(format!("{} ({count})", place.display())),
    }
}

/// Creates links with the names of Ansible's tools. All or none: if one of the names is taken, none is created.
fn link(directory: &Path) -> Result<String, SelfError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        |error| SelfError::Path { path, error }
    };
    let own = std::env::current_exe().map_err(at(Path::new("rplay")))?;
    let missing: Vec<PathBuf> =
        tool::names().map(|name| directory.join(name)).filter(|path| !leads_to(path, &own)).collect();
    if let Some(path) = missing.iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(SelfError::Taken { path: path.clone() });
    }
    fs::create_dir_all(directory).map_err(at(directory))?;
    let mut text = String::new();
    for path in missing {
        std::os::unix::fs::symlink(&own, &path).map_err(at(&path))?;
        let _ = writeln!(text, "{} -> {}", path.display(), own.display());
    }
    Ok(text)
}

fn leads_to(path: &Path, own: &Path) -> bool {
    fs::canonicalize(path).is_ok_and(|path| path == own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_made_all_or_none() {
        let there = tempfile::tempdir().unwrap();
        let taken = there.path().join("ansible-vault");
        fs::write(&taken, "").unwrap();
        assert!(matches!(link(there.path()), Err(SelfError::Taken { path }) if path == taken));
        assert_eq!(fs::read_dir(there.path()).unwrap().count(), 1);
        fs::remove_file(&taken).unwrap();
        assert_eq!(link(there.path()).unwrap().lines().count(), tool::names().count());
        assert_eq!(link(there.path()).unwrap(), "", "they are there");
        let own = std::env::current_exe().unwrap();
        assert!(tool::names().all(|name| leads_to(&there.path().join(name), &own)));
        let new = there.path().join("home/bin");
        assert_eq!(link(&new).unwrap().lines().count(), tool::names().count(), "the directory is made");
    }

    #[test]
    fn every_command_has_a_man_page_and_completions() {
        let there = tempfile::tempdir().unwrap();
        clap_mangen::generate_to(Cli::command(), there.path()).unwrap();
        for page in ["rplay.1", "rplay-vault.1", "rplay-self.1"] {
            assert!(there.path().join(page).exists(), "{page}");
        }
        let script = completions::script(clap_complete::Shell::Bash);
        assert!(String::from_utf8(script).unwrap().contains("--start-at-task"));
    }
}
