//! Where inventories come from: what `-i` may name.

use std::{
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Inventory, InventoryFault, address, folder::entries, ini, script, yaml};
use crate::{
    source::{Problems, Source, Span},
    vars::{Layer, Lazy},
    vault::Vault,
};

/// Files of an inventory folder that end so are not read (INVENTORY_IGNORE_EXTS).
const IGNORED: [&str; 12] =
    [".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry"];

impl Inventory {
    /// Reads all sources in order: files, folders, executables, lists of names with commas.
    ///
    /// What cannot be read is an error, unlike in Ansible, which then goes on with no hosts.
    pub fn load(sources: &[String], vault: Arc<Vault>) -> Result<Self, Problems> {
        let mut inventory = Inventory::default();
        inventory.layers.vault = vault;
        let mut problems = Problems::default();
        for source in sources {
            if let Err(found) = inventory.read(source) {
                problems.0.extend(found.0);
            }
        }
        inventory.settle();
        inventory.warn_of_names();
        problems.unless_any(inventory)
    }

    fn read(&mut self, text: &str) -> Result<(), Problems> {
        let path = Path::new(text);
        if !path.exists() {
            return match text.contains(',') {
                true => self.read_names(text),
                false => Err(InventoryFault::Missing { path: text.to_owned() }.into()),
            };
        }
        if path.is_dir() {
            self.add_folder(path);
            if self.read_folder(path)? == 0 {
                self.warnings.push(format!("Unable to parse {text} as an inventory source: there are no files in it"));
            }
            return Ok(());
        }
        self.add_folder(&path.parent().map_or_else(PathBuf::new, Path::to_owned));
        self.read_file(path)
    }

    /// `a,b,c[1:3]`: only hosts, in no group.
    fn read_names(&mut self, text: &str) -> Result<(), Problems> {
        let source = Source::inline("-i", text);
        let mut problems = Problems::default();
        for entry in text.split(',') {
            let start = entry.as_ptr() as usize - text.as_ptr() as usize;
            let entry = entry.trim();
            if entry.is_empty() {
                continue;
            }
            match address::expand(entry) {
                Ok((names, port)) => {
                    for name in names {
                        let host = self.host_index(&name);
                        let vars = port.map(|port| ("ansible_port".into(), Lazy::Data(port.into())));
                        self.set_host_vars(host, Layer::from_iter(vars));
                    }
                }
                Err(message) => {
                    let place = Span::new(&source, start..start + entry.len());
                    problems.push(InventoryFault::syntax(place, message));
                }
            }
        }
        problems.unless_any(())
    }

    /// Reads all files of a folder and of those in it; says how many there were.
    fn read_folder(&mut self, folder: &Path) -> Result<usize, Problems> {
        let mut count = 0;
        let mut problems = Problems::default();
        for (name, path) in entries(folder)? {
            let of_variables = matches!(name.as_str(), "group_vars" | "host_vars" | "vars_plugins");
            if name.starts_with('.') || of_variables || IGNORED.iter().any(|end| name.ends_with(end)) {
                continue;
            }
            let read = match path.is_dir() {
                true => self.read_folder(&path),
                false => self.read_file(&path).map(|()| 1),
            };
            match read {
                Ok(more) => count += more,
                Err(found) => problems.0.extend(found.0),
            }
        }
        problems.unless_any(count)
    }

    fn read_file(&mut self, path: &Path) -> Result<(), Problems> {
        if is_program(path) {
            return script::read(self, path);
        }
        let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned());
        if extension.as_deref() == Some("toml") {
            return Err(InventoryFault::Toml { path: path.display().to_string() }.into());
        }
        let source = self.layers.vault.clone().read(path)?;
        let in_yaml = match extension.as_deref() {
            Some("yml" | "yaml" | "json") => true,
            Some(_) => false,
            None => looks_like_yaml(&source.text),
        };
        let read = if in_yaml { yaml::read(self, &source) } else { ini::read(self, &source) };
        read.map_err(|mut problems| {
            if source.text.starts_with("#!") {
                let message = "this is a program, but not executable";
                let place = Span::new(&source, 0..source.text.lines().next().map_or(0, str::len));
                let help = format!("chmod +x {}", path.display());
                problems = InventoryFault::syntax(place, message).help(help).into();
            }
            problems
        })
    }
}

/// Whether a file is to be run: executable, and a script or a binary.
fn is_program(path: &Path) -> bool {
    let executable = path.metadata().is_ok_and(|about| about.permissions().mode() & 0o111 != 0);
    let mut start = [0; 4];
    executable
        && std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && (start.starts_with(b"#!") || &start == b"\x7fELF")
}

/// Which of the two a file without an extension is in, judged by its first telling line: Ansible tries
/// one after the other, but then cannot say what was wrong.
fn looks_like_yaml(text: &str) -> bool {
    for line in text.lines() {
        let bare = line.split(" #").next().unwrap_or_default().trim_end();
        if bare.trim().is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        let section = bare.starts_with('[') && bare.ends_with(']');
        return bare == "---"
            || bare.starts_with("--- ")
            || bare.starts_with(['{', '%'])
            || (!section && (bare.ends_with(':') || bare.contains(": ")));
    }
    false
}
