//! Where inventories come from: what `-i` may name.

use std::{
    collections::HashSet,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{GroupNames, Inventory, InventoryFault, SourceRules, address, folder::entries, ini, script, yaml};
use crate::{
    files::{self, Descent},
    source::{Problems, Source, Span, one_line},
    vars::{Layer, Lazy},
    vault::Vault,
};

/// What reading a source came to.
#[derive(Default)]
struct Sources {
    /// How many were understood.
    parsed: usize,
    /// What is not to be understood, by source; it is left out altogether.
    malformed: Vec<(String, Problems)>,
    /// What ends the run: sources that cannot be read at all, or that rplay does not support.
    problems: Problems,
}

impl Inventory {
    /// Reads all sources in order: files, folders, executables, lists of names with commas.
    ///
    /// A source that is not to be understood gives no hosts at all: it is left out with warnings, or ends the run, as
    /// the rules say.
    ///
    /// # Errors
    /// A source cannot be read (there is no such file, it may not be read or not be decrypted), is of a kind that is
    /// not supported, or is malformed and the rules want all sources.
    pub fn load(sources: &[String], vault: Arc<Vault>, rules: &SourceRules) -> Result<Self, Problems> {
        let mut left_out: HashSet<String> = HashSet::new();
        let mut told: Vec<(String, Problems)> = Vec::new();
        let (mut inventory, found) = loop {
            let mut inventory = Inventory::default();
            inventory.layers.vault = vault.clone();
            inventory.group_names = rules.group_names;
            let mut found = Sources::default();
            for source in sources {
                inventory.read(source, rules, &left_out, &mut found);
            }
            if found.malformed.is_empty() || !found.problems.is_empty() {
                break (inventory, found);
            }
            // What such a source said before its fault must not count: once more, without it.
            left_out.extend(found.malformed.iter().map(|(source, _)| source.clone()));
            told.append(&mut found.malformed);
            if rules.any_unparsed_fails {
                break (inventory, found);
            }
        };
        told.extend(found.malformed);
        let none_parsed = found.parsed == 0 && !sources.is_empty();
        let fails = !found.problems.is_empty()
            || rules.any_unparsed_fails && !told.is_empty()
            || rules.none_parsed_fails && none_parsed;
        if fails {
            let mut problems = Problems::default();
            for (path, more) in told {
                problems.0.extend(more.0);
                if rules.any_unparsed_fails {
                    problems.push(InventoryFault::Unparsed { path });
                }
            }
            problems.0.extend(found.problems.0);
            if rules.none_parsed_fails && none_parsed {
                problems.push(InventoryFault::NoneParsed);
            }
            return Err(problems);
        }
        for (source, more) in told {
            inventory.warnings.extend(more.0.iter().map(|problem| one_line(&**problem)));
            inventory.warnings.push(format!("Unable to parse {source} as an inventory source"));
        }
        if none_parsed && rules.warns_of_none {
            inventory.warnings.push("No inventory was parsed, only implicit localhost is available".to_owned());
        }
        inventory.settle();
        inventory.warn_of_names();
        inventory.group_names = GroupNames::default();
        Ok(inventory)
    }

    fn read(&mut self, text: &str, rules: &SourceRules, left_out: &HashSet<String>, found: &mut Sources) {
        let path = Path::new(text);
        if !path.exists() {
            let read = match text.contains(',') {
                true => self.read_names(text),
                false => Err(InventoryFault::Missing { path: text.to_owned() }.into()),
            };
            match read {
                Ok(()) => found.parsed += 1,
                Err(problems) => found.problems.0.extend(problems.0),
            }
            return;
        }
        if path.is_dir() {
            self.add_folder(path);
            let before = (found.parsed, found.malformed.len(), found.problems.0.len(), left_out.len());
            Descent::default().within(path, |descent| self.read_folder(path, rules, left_out, found, descent));
            if before == (found.parsed, found.malformed.len(), found.problems.0.len(), 0) {
                let warning = format!("Unable to parse {text} as an inventory source: there are no files in it");
                match rules.any_unparsed_fails {
                    true => found.problems.push(InventoryFault::Unparsed { path: text.to_owned() }),
                    false => self.warnings.push(warning),
                }
            }
            return;
        }
        self.add_folder(&path.parent().map_or_else(PathBuf::new, Path::to_owned));
        self.read_file(path, left_out, found);
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

    /// Reads all files of a folder and of those in it.
    fn read_folder(
        &mut self,
        folder: &Path,
        rules: &SourceRules,
        left_out: &HashSet<String>,
        found: &mut Sources,
        descent: &mut Descent,
    ) {
        let members = match entries(folder) {
            Ok(members) => members,
            Err(fault) => return found.problems.push(fault),
        };
        for (name, path) in members {
            let of_variables = matches!(name.as_str(), "group_vars" | "host_vars" | "vars_plugins");
            if name.starts_with('.') || of_variables || rules.ignores(&name) {
                continue;
            }
            match path.is_dir() {
                true => {
                    descent.within(&path, |descent| self.read_folder(&path, rules, left_out, found, descent));
                }
                false => self.read_file(&path, left_out, found),
            }
        }
    }

    fn read_file(&mut self, path: &Path, left_out: &HashSet<String>, found: &mut Sources) {
        let name = path.display().to_string();
        if left_out.contains(&name) {
            return;
        }
        let read = match is_program(path) {
            true => script::read(self, path),
            false => match self.readable(path) {
                Ok((source, in_yaml)) => self.read_source(path, &source, in_yaml),
                Err(problems) => return found.problems.0.extend(problems.0),
            },
        };
        match read {
            Ok(()) => found.parsed += 1,
            // Only what is wrong with the file itself; what rplay lacks ends the run.
            Err(problems) if self.refused => found.problems.0.extend(problems.0),
            Err(problems) => found.malformed.push((name, problems)),
        }
        self.refused = false;
    }

    /// The text of a file, and whether it is in YAML.
    fn readable(&self, path: &Path) -> Result<(Arc<Source>, bool), Problems> {
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
        Ok((source, in_yaml))
    }

    fn read_source(&mut self, path: &Path, source: &Arc<Source>, in_yaml: bool) -> Result<(), Problems> {
        let read = if in_yaml { yaml::read(self, source) } else { ini::read(self, source) };
        read.map_err(|mut problems| {
            if source.text.starts_with("#!") {
                let message = "this is a program, but not executable";
                let place = Span::new(source, 0..source.text.lines().next().map_or(0, str::len));
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
    executable && (files::begins_with(path, b"#!") || files::begins_with(path, b"\x7fELF"))
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
