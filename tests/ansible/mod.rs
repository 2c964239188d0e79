//! The ansible-core of this machine: the one that RPLAY_ANSIBLE_PYTHON names, or that of the `ansible` in PATH.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The interpreter that has ansible-core; `None`, with the reason printed, where there is none.
pub(crate) fn ansible() -> Option<PathBuf> {
    let has_it = |python: &PathBuf| {
        let mut command = Command::new(python);
        let status = command.args(["-c", "import ansible.release"]).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let named = std::env::var_os("RPLAY_ANSIBLE_PYTHON").map(PathBuf::from);
    let in_path = || {
        let directories: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
        let script = directories.iter().map(|directory| directory.join("ansible")).find(|path| path.is_file())?;
        let first = fs::read_to_string(script).ok()?;
        Some(PathBuf::from(first.lines().next()?.strip_prefix("#!")?.split_whitespace().next()?))
    };
    let found = named.or_else(in_path).filter(has_it);
    if found.is_none() {
        println!("skipped: no ansible-core was found; RPLAY_ANSIBLE_PYTHON names a Python that has it");
    }
    found
}

/// Whether that Python has a collection too.
pub(crate) fn has_collection(python: &Path, name: &str) -> bool {
    let import = format!("import ansible_collections.{name}");
    let has = Command::new(python).args(["-c", &import]).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    if !has {
        println!("skipped: the collection {name} is not installed beside ansible-core");
    }
    has
}

/// The release of that ansible-core, as (2, 19).
pub(crate) fn version(python: &Path) -> (u32, u32) {
    let print = "from ansible.release import __version__; print(__version__)";
    let output = Command::new(python).args(["-c", print]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut numbers = text.split('.').map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}
