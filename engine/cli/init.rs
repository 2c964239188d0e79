//! `rplay init`: creates a runnable project.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use rplay::source::Problems;

use crate::{args::init::InitArgs, doc, output};

/// The files of a project, except the schema.
const FILES: [(&str, &str); 9] = [
    ("ansible.cfg", include_str!("init/ansible.cfg")),
    (".gitignore", include_str!("init/gitignore")),
    ("inventory/hosts.yml", include_str!("init/hosts.yml")),
    ("inventory/group_vars/web.yml", include_str!("init/web.yml")),
    ("site.yml", include_str!("init/site.yml")),
    ("roles/greeting/defaults/main.yml", include_str!("init/defaults.yml")),
    ("roles/greeting/meta/argument_specs.yml", include_str!("init/specs.yml")),
    ("roles/greeting/tasks/main.yml", include_str!("init/tasks.yml")),
    ("roles/greeting/templates/greeting.txt.j2", include_str!("init/greeting.txt.j2")),
];

/// The schema that editors check playbooks with, as printed by `rplay doc --schema`.
const SCHEMA: &str = ".rplay/playbook.json";

#[derive(Debug, thiserror::Error, miette::Diagnostic)]
enum InitError {
    #[error("{}", taken(paths))]
    #[diagnostic(help("nothing was made; name another directory: rplay init DIRECTORY"))]
    Taken { paths: Vec<PathBuf> },
    #[error("{}: {error}", path.display())]
    Path { path: PathBuf, error: io::Error },
}

fn taken(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    format!("{} {} already", names.join(", "), if paths.len() == 1 { "exists" } else { "exist" })
}

/// Creates the project; returns the exit code.
///
/// # Errors
/// If one of its files exists, in which case none is created, or cannot be written.
pub(crate) fn command(args: &InitArgs) -> Result<u8, Problems> {
    let directory = &args.directory;
    let schema = doc::schema_of_playbooks()?;
    let files: Vec<(PathBuf, &str)> =
        FILES.into_iter().chain([(SCHEMA, &*schema)]).map(|(name, text)| (directory.join(name), text)).collect();
    let paths: Vec<PathBuf> =
        files.iter().map(|(path, _)| path.clone()).filter(|path| path.symlink_metadata().is_ok()).collect();
    if !paths.is_empty() {
        return Err(InitError::Taken { paths }.into());
    }
    let mut told = String::new();
    for (path, text) in &files {
        write(path, text).map_err(|error| InitError::Path { path: path.clone(), error })?;
        told += &format!("{}\n", path.display());
    }
    let cd = if directory == Path::new(".") { String::new() } else { format!("cd {} && ", directory.display()) };
    told += &format!(
        "\nThe project runs on this machine alone until inventory/hosts.yml names others.\n\n  {cd}rplay --check --diff   \
         show what would change\n  {cd}rplay --diff           change it\n"
    );
    output::show(told.as_bytes())?;
    Ok(0)
}

/// Writes a file that must not exist.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
