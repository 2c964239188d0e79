//! The packages of the Python that has Ansible: `pip install ansible` installs collections.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

/// The package directories with collections: of the virtual environment, of the interpreter of an `ansible` command in
/// PATH, or of `python3`; with `named`, only of that interpreter. No Python is started.
pub fn site_packages(named: Option<&Path>) -> Vec<PathBuf> {
    if let Some(interpreter) = named {
        let prefix = interpreter.parent().and_then(Path::parent).unwrap_or(interpreter);
        return packages_below(prefix).into_iter().filter(|f| f.join("ansible_collections").is_dir()).collect();
    }
    let prefixes = [env::var_os("VIRTUAL_ENV").map(PathBuf::from), of_command("ansible"), of_command("python3")];
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".local"));
    let mut found = Vec::new();
    for prefix in prefixes.into_iter().flatten().chain(home) {
        for folder in packages_below(&prefix) {
            if folder.join("ansible_collections").is_dir() && !found.contains(&folder) {
                found.push(folder);
            }
        }
    }
    found
}

/// The prefix of the interpreter that runs a command in PATH.
fn of_command(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let command = env::split_paths(&path).map(|folder| folder.join(name)).find(|command| command.is_file())?;
    let interpreter = match name.starts_with("python") {
        true => command,
        false => interpreter(&command)?,
    };
    Some(interpreter.parent()?.parent()?.to_owned())
}

/// The program after `#!`. One that is run through `env` is searched for next to the command.
fn interpreter(command: &Path) -> Option<PathBuf> {
    let mut head = Vec::new();
    File::open(command).ok()?.take(512).read_to_end(&mut head).ok()?;
    let head = String::from_utf8_lossy(&head);
    let line = head.strip_prefix("#!")?.lines().next()?;
    let program = PathBuf::from(line.split_whitespace().next()?);
    match program.file_name() == Some(OsStr::new("env")) {
        true => Some(command.to_owned()),
        false => Some(program),
    }
}

/// `PREFIX/lib/python3*/site-packages` and the equivalents of distributions.
fn packages_below(prefix: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for lib in ["lib", "lib64", "local/lib"] {
        let lib = prefix.join(lib);
        let Ok(entries) = fs::read_dir(&lib) else { continue };
        let mut versions: Vec<PathBuf> = entries
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
            .map(|entry| entry.path())
            .collect();
        versions.sort();
        for version in versions.into_iter().rev() {
            found.extend(["site-packages", "dist-packages"].map(|folder| version.join(folder)));
        }
    }
    found
}
