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
        return packages_of(prefix).into_iter().filter(|f| f.join("ansible_collections").is_dir()).collect();
    }
    let prefixes = [env::var_os("VIRTUAL_ENV").map(PathBuf::from), of_command("ansible"), of_command("python3")];
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".local"));
    let mut found = Vec::new();
    for prefix in prefixes.into_iter().flatten().chain(home) {
        for directory in packages_of(&prefix) {
            if directory.join("ansible_collections").is_dir() && !found.contains(&directory) {
                found.push(directory);
            }
        }
    }
    found
}

/// The prefix of the interpreter that runs a command in PATH.
fn of_command(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let command = env::split_paths(&path).map(|directory| directory.join(name)).find(|command| command.is_file())?;
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

/// The package directories of the interpreter below a prefix, in the order of its `sys.path`: its own, those that their
/// `.pth` files name, and, for a virtual environment that includes them, those of the Python it was made with.
fn packages_of(prefix: &Path) -> Vec<PathBuf> {
    let prefixes = std::iter::once(prefix.to_owned()).chain(base_of(prefix));
    let own = prefixes.flat_map(|prefix| packages_below(&prefix));
    own.flat_map(|directory| {
        let named = named_by_pth(&directory);
        std::iter::once(directory).chain(named)
    })
    .collect()
}

/// The directories in the `.pth` files of a package directory. Lines with code are left out: no Python is started.
fn named_by_pth(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension() == Some(OsStr::new("pth")));
    files.sort();
    let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    let is_path = |line: &&str| !line.is_empty() && !line.starts_with('#') && !line.starts_with("import");
    texts
        .flat_map(|text| text.lines().map(str::trim_end).filter(is_path).map(|l| directory.join(l)).collect::<Vec<_>>())
        .collect()
}

/// The prefix of the Python that a virtual environment was made with, if its packages are included.
fn base_of(prefix: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(prefix.join("pyvenv.cfg")).ok()?;
    let value = |name: &str| {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let included = value("include-system-site-packages")?.eq_ignore_ascii_case("true");
    included.then(|| Path::new(value("home")?).parent().map(Path::to_owned)).flatten()
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
            found.extend(["site-packages", "dist-packages"].map(|directory| version.join(directory)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_those_of_sys_path() {
        let directory = tempfile::tempdir().unwrap();
        let at = |path: &str| directory.path().join(path);
        for path in ["venv/lib/python3.11/site-packages", "base/lib/python3.11/site-packages/beside", "far", "venv/bin"]
        {
            fs::create_dir_all(at(path)).unwrap();
        }
        let own = at("venv/lib/python3.11/site-packages");
        let lines = format!("# a comment\nimport os\n\n{}\nmissing\n", at("far").display());
        fs::write(own.join("x.pth"), lines).unwrap();
        let base = at("base/lib/python3.11/site-packages");
        fs::write(base.join("y.pth"), "beside\n").unwrap();
        for place in [own.clone(), at("far"), base.clone(), base.join("beside")] {
            fs::create_dir(place.join("ansible_collections")).unwrap();
        }
        let python = at("venv/bin/python");
        let home = format!("home = {}\ninclude-system-site-packages = ", at("base/bin").display());
        fs::write(at("venv/pyvenv.cfg"), format!("{home}false\n")).unwrap();
        assert_eq!(site_packages(Some(&python)), [own.clone(), at("far")]);
        fs::write(at("venv/pyvenv.cfg"), format!("{home}true\n")).unwrap();
        assert_eq!(site_packages(Some(&python)), [own, at("far"), base.clone(), base.join("beside")]);
    }
}
