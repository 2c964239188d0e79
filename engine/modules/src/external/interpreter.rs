//! Finds the Python interpreter for a module on the host.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use parking_lot::Mutex;
use rplay_wire::Failure;

use super::Order;
use crate::{Host, system::process};

/// The command, and its path if it was just discovered.
pub(super) struct Interpreter {
    pub words: Vec<String>,
    pub found: Option<String>,
}

/// The Python that the controller names, or the first candidate on the host.
pub(super) fn python(order: &Order, host: &Host) -> Result<Interpreter, Failure> {
    if let Some(named) = &order.interpreter {
        let words = words(named)?;
        let program = words.first().map(String::as_str).unwrap_or_default();
        let program = crate::system::paths::expand(program, host);
        let found = match program.contains('/') {
            true => PathBuf::from(&program).is_file().then(|| PathBuf::from(&program)),
            false => host.find_program(&program),
        };
        let Some(path) = found else { return Err(missing(named)) };
        let words = std::iter::once(path.display().to_string()).chain(words.into_iter().skip(1)).collect();
        return Ok(Interpreter { words, found: None });
    }
    let mut discovered = DISCOVERED.lock();
    if let Some((of, path)) = &*discovered
        && *of == order.candidates
    {
        return Ok(Interpreter { words: vec![path.clone()], found: None });
    }
    let mut paths = order.candidates.iter().filter_map(|candidate| match candidate.contains('/') {
        true => Some(PathBuf::from(candidate)).filter(|path| path.is_file()),
        false => host.find_program(candidate),
    });
    let Some(path) = paths.find(|path| runs(path, host)) else { return Err(none(order)) };
    let path = path.display().to_string();
    *discovered = Some((order.candidates.clone(), path.clone()));
    Ok(Interpreter { words: vec![path.clone()], found: Some(path) })
}

/// The discovered candidate: searched for once per agent, and reported once.
static DISCOVERED: Mutex<Option<(Vec<String>, String)>> = Mutex::new(None);

/// Whether it really is Python and not a placeholder (a shim of pyenv, a dangling wrapper).
fn runs(path: &Path, host: &Host) -> bool {
    let mut command = host.command(&path.display().to_string());
    let finished = process::run_within(command.args(["-c", "print('yes')"]), None, 1024, Some(Duration::from_secs(30)));
    finished.is_ok_and(|finished| finished.rc == 0 && finished.stdout.trim() == "yes")
}

/// Splits a command like a shell.
pub(super) fn words(command: &str) -> Result<Vec<String>, Failure> {
    shell_words::split(command)
        .ok()
        .filter(|words| !words.is_empty())
        .ok_or_else(|| Failure::new(format!("`{command}` is not an interpreter command")))
}

/// The failure for a missing interpreter that was named.
pub(super) fn missing(named: &str) -> Failure {
    let program = named.split_whitespace().next().unwrap_or(named);
    let mut failure = Failure::new(format!("The module interpreter '{named}' was not found."));
    failure.data.insert("module_stdout".into(), "".into());
    failure.data.insert("module_stderr".into(), format!("/bin/sh: 1: {program}: not found\n").into());
    failure.data.insert("rc".into(), 127.into());
    failure
        .help("set another one with the variable `ansible_python_interpreter` (or that of its language), or install it")
}

fn none(order: &Order) -> Failure {
    let mut failure =
        Failure::new(format!("the module {} is written in Python, which this host does not have", order.name));
    failure.data.insert("rc".into(), 127.into());
    failure.help(
        "install it: `python3` on Debian, Ubuntu, Fedora, SUSE and Alpine, `python` on Arch, `python3.12` or `python3` on \
         RHEL and its kin; or name it with the variable `ansible_python_interpreter`",
    )
}
