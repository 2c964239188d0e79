//! Inventory sources: what `-i` may name.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    GroupNames, HostSource, Inventory, InventoryError, SourceRules, address,
    directory::entries,
    ini,
    rules::{GroupVars, has_foreign},
    script, yaml,
};
use crate::{
    files::{self, Descent},
    source::{self, Problems, Source, Span, one_line},
    vars::{Layer, Lazy},
    vault::Vault,
};

/// The result of reading the sources.
#[derive(Default)]
struct Sources {
    /// How many were parsed.
    parsed: usize,
    /// Errors by source, reported as warnings, each with the start of ansible-core's message.
    malformed: Vec<(String, &'static str, Problems)>,
    /// Errors that end the run: unsupported kinds of sources.
    problems: Problems,
}

impl Inventory {
    /// Reads all sources in order: files, directories, executables, comma-separated lists of names.
    ///
    /// As in Ansible, a missing or malformed source is only a warning, and hosts defined before its first error are
    /// kept. The rules may make it an error.
    ///
    /// # Errors
    /// If a source is of an unsupported kind, or is malformed and the rules require all sources, or none could be read
    /// and the rules require one.
    pub fn load(sources: &[String], vault: Arc<Vault>, rules: &SourceRules) -> Result<Self, Problems> {
        let mut inventory = Inventory::default();
        inventory.layers.vault = vault;
        inventory.group_names = rules.group_names;
        inventory.tells_deprecated = rules.tells_deprecated;
        inventory.plugins = rules.plugins.clone();
        inventory.places = rules.records_places.then(Default::default);
        let mut found = Sources::default();
        for source in sources {
            inventory.read(source, rules, &mut found);
        }
        let none_parsed = found.parsed == 0;
        let fails = !found.problems.is_empty()
            || rules.any_unparsed_fails && !found.malformed.is_empty()
            || rules.none_parsed_fails && none_parsed && !sources.is_empty();
        if fails {
            let mut problems = Problems::default();
            for (path, _, more) in found.malformed {
                problems.0.extend(more.0);
                if rules.any_unparsed_fails {
                    problems.push(InventoryError::Unparsed { path });
                }
            }
            problems.0.extend(found.problems.0);
            if rules.none_parsed_fails && none_parsed {
                problems.push(InventoryError::NoneParsed);
            }
            return Err(problems);
        }
        for (source, by, more) in found.malformed {
            inventory.warnings.extend(more.0.iter().map(|problem| format!("{by}{}", one_line(&**problem))));
            inventory.warnings.push(format!("Unable to parse {source} as an inventory source"));
        }
        if none_parsed && rules.warns_of_none {
            inventory.warnings.push("No inventory was parsed, only implicit localhost is available".to_owned());
        }
        // Ansible attaches loose groups and hosts to `all` only after it has read a source completely.
        if !none_parsed {
            inventory.settle();
        }
        inventory.warn_of_names();
        inventory.checked_names.clear();
        inventory.group_names = GroupNames::default();
        inventory.plugins = None;
        inventory.source = None;
        inventory.layers.files = rules.files;
        inventory.layers.precedence.clone_from(&rules.precedence);
        inventory.layers.yaml_extensions.clone_from(&rules.yaml_extensions);
        for part in &rules.precedence {
            if let GroupVars::Unknown(name) = part {
                inventory.warnings.push(format!("Ignoring unknown variable precedence entry: {name}"));
            }
        }
        inventory.layers.vars_plugins.plugins = rules.plugins.clone();
        inventory.add_vars_of_plugins()?;
        Ok(inventory)
    }

    fn read(&mut self, text: &str, rules: &SourceRules, found: &mut Sources) {
        let path = Path::new(text);
        if !path.exists() {
            self.source = Some(Arc::new(HostSource { file: text.to_owned(), directory: None }));
            let read = self.with_enabled(text, rules).unwrap_or_else(|| match text.contains(',') {
                true => rules.enables("host_list", text).and_then(|()| self.read_names(text)),
                false => Err(InventoryError::Missing { path: text.to_owned() }.into()),
            });
            match read {
                Ok(()) => {
                    found.parsed += 1;
                    self.processed.push(text.to_owned());
                }
                Err(problems) => {
                    let name = if text.contains(',') { text.to_owned() } else { source::absolute(path) };
                    found.malformed.push((name, "", problems));
                }
            }
            return;
        }
        if path.is_dir() {
            self.add_directory(path);
            Descent::default().within(path, |descent| self.read_directory(path, rules, found, descent));
            return;
        }
        self.add_directory(&path.parent().map_or_else(PathBuf::new, Path::to_owned));
        self.read_file(path, rules, found);
    }

    /// Reads a source with the plugins that the settings enable; `None` if all of them are built in, or the others
    /// cannot run here.
    fn with_enabled(&mut self, source: &str, rules: &SourceRules) -> Option<Result<(), Problems>> {
        let enabled = rules.enabled.as_deref().filter(|enabled| has_foreign(enabled))?;
        let plugins = self.plugins.clone()?;
        let read = self.read_with_plugins(&*plugins, source, None);
        if !self.refused {
            return Some(read);
        }
        self.refused = false;
        for problem in read.err().into_iter().flat_map(|problems| problems.0) {
            let warning = format!("Failed to load inventory plugins of {}: {problem}", enabled.join(", "));
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        None
    }

    /// `a,b:22`: only hosts, in no group. As in Ansible, ranges are left as they are.
    fn read_names(&mut self, text: &str) -> Result<(), Problems> {
        let source = Source::inline("-i", text);
        let mut problems = Problems::default();
        for entry in text.split(',') {
            let start = entry.as_ptr() as usize - text.as_ptr() as usize;
            let entry = entry.trim();
            if entry.is_empty() {
                continue;
            }
            let expanded = match entry.split_once('[') {
                Some((name, _)) if !name.is_empty() => Ok((vec![entry.to_owned()], None)),
                _ => address::expand(entry),
            };
            match expanded {
                Ok((names, port)) => {
                    for name in names {
                        let host = self.host_index(&name);
                        let vars = port.map(|port| ("ansible_port".into(), Lazy::Data(port.into())));
                        self.set_host_vars(host, Layer::from_iter(vars));
                    }
                }
                Err(message) => {
                    let place = Span::new(&source, start..start + entry.len());
                    problems.push(InventoryError::syntax(place, message));
                }
            }
        }
        problems.unless_any(())
    }

    /// Reads all files of a directory and its subdirectories.
    fn read_directory(&mut self, directory: &Path, rules: &SourceRules, found: &mut Sources, descent: &mut Descent) {
        let before = (found.parsed, found.malformed.len(), found.problems.0.len());
        let members = match entries(directory) {
            Ok(members) => members,
            Err(error) => return found.problems.push(error),
        };
        for (name, path) in members {
            let of_variables = matches!(name.as_str(), "group_vars" | "host_vars" | "vars_plugins");
            if name.starts_with('.') || of_variables || rules.ignores(&name) {
                continue;
            }
            match path.is_dir() {
                true => {
                    descent.within(&path, |descent| self.read_directory(&path, rules, found, descent));
                }
                false => self.read_file(&path, rules, found),
            }
        }
        if before == (found.parsed, found.malformed.len(), found.problems.0.len()) {
            let empty = InventoryError::EmptyDirectory { path: directory.display().to_string() };
            found.malformed.push((source::absolute(directory), "", empty.into()));
        }
    }

    fn read_file(&mut self, path: &Path, rules: &SourceRules, found: &mut Sources) {
        self.source = Some(Arc::new(HostSource {
            file: source::absolute(path),
            directory: Some(source::absolute(&path.join(".."))),
        }));
        let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned());
        let extension = extension.as_deref();
        let is_yaml = rules.is_yaml(extension);
        let text = path.to_string_lossy();
        let read = self.with_enabled(&text, rules).unwrap_or_else(|| match is_program(path) {
            true => rules.enables("script", &text).and_then(|()| {
                script::read(self, path)
                    .or_else(|errors| self.read_instead_of_running(errors, path, extension, is_yaml))
            }),
            false if extension == Some("toml") => match self.plugins.clone() {
                Some(plugins) => self.read_with_plugins(&*plugins, &text, None),
                None => {
                    self.refused = true;
                    Err(InventoryError::Toml { path: path.display().to_string() }.into())
                }
            },
            false if is_yaml => {
                // A file that names its plugin is read by `auto`.
                let read = rules.enables("yaml", &text).or_else(|_| rules.enables("auto", &text));
                read.and_then(|()| self.read_text(path, extension, is_yaml))
            }
            // A name without an extension may be either.
            false => rules
                .enables("ini", &text)
                .or_else(|error| if extension.is_none() { rules.enables("yaml", &text) } else { Err(error) })
                .and_then(|()| self.read_text(path, extension, is_yaml)),
        });
        match read {
            Ok(()) => {
                found.parsed += 1;
                self.processed.push(source::absolute(path));
            }
            // Only errors in the file itself are collected; a source that rplay does not support ends the run.
            Err(problems) if self.refused => found.problems.0.extend(problems.0),
            Err(problems) => {
                let by = if self.is_plugins { "" } else { begun(path, extension, is_yaml, &problems) };
                found.malformed.push((source::absolute(path), by, problems));
            }
        }
        (self.refused, self.is_plugins) = (false, false);
    }

    /// Reads a file in the format that it seems to have and, if that fails, in the other format.
    fn read_text(&mut self, path: &Path, extension: Option<&str>, is_yaml: bool) -> Result<(), Problems> {
        let source = &self.layers.vault.clone().read(path)?;
        let read = match extension {
            _ if is_yaml => yaml::read(self, source).or_else(|errors| self.instead(errors, ini::read, source)),
            Some(_) => ini::read(self, source),
            None if looks_like_yaml(&source.text) => {
                yaml::read(self, source).or_else(|errors| self.instead(errors, ini::read, source))
            }
            None => ini::read(self, source).or_else(|errors| self.instead(errors, yaml::read, source)),
        };
        read.map_err(|problems| match source.text.starts_with("#!") {
            true => {
                let message = "this is a program, but not executable";
                let place = Span::new(source, 0..source.text.lines().next().map_or(0, str::len));
                let help = format!("chmod +x {}", path.display());
                InventoryError::syntax(place, message).help(help).into()
            }
            false => problems,
        })
    }

    /// Reads the text of a program that failed: as in ansible-core, the plugins after `script` are tried, too. If it is no
    /// inventory either, the errors are the program's.
    fn read_instead_of_running(
        &mut self,
        errors: Problems,
        path: &Path,
        extension: Option<&str>,
        is_yaml: bool,
    ) -> Result<(), Problems> {
        if self.refused || self.is_plugins {
            return Err(errors);
        }
        self.read_text(path, extension, is_yaml).map_err(|_| errors)
    }

    /// Reads a source with another parser; if that fails too, the errors are those of the first one.
    fn instead(
        &mut self,
        errors: Problems,
        reader: fn(&mut Inventory, &Arc<Source>) -> Result<(), Problems>,
        source: &Arc<Source>,
    ) -> Result<(), Problems> {
        if self.refused || self.is_plugins || source.text.starts_with("#!") {
            return Err(errors);
        }
        reader(self, source).map_err(|_| errors)
    }
}

/// The start of ansible-core's message about a source: it names the plugin that the errors come from.
fn begun(path: &Path, extension: Option<&str>, is_yaml: bool, problems: &Problems) -> &'static str {
    // A file that cannot be read at all has no plugin.
    let is_format = |problem: &source::Problem| {
        let error: &(dyn std::error::Error + 'static) = &**problem;
        match error.downcast_ref::<InventoryError>() {
            Some(error) => matches!(error, InventoryError::Syntax { .. } | InventoryError::Script { .. }),
            None => error.is::<crate::syntax::YamlError>(),
        }
    };
    if !problems.0.iter().all(is_format) {
        return "";
    }
    match extension {
        _ if is_program(path) => "Failed to parse inventory with 'script' plugin: ",
        _ if is_yaml => "Failed to parse inventory with 'yaml' plugin: ",
        None if files::read_text(path).is_ok_and(|text| looks_like_yaml(&text)) => {
            "Failed to parse inventory with 'yaml' plugin: "
        }
        _ => "Failed to parse inventory with 'ini' plugin: Failed to parse inventory: ",
    }
}

/// Whether a file is a program: an executable script or binary.
fn is_program(path: &Path) -> bool {
    let executable = path.metadata().is_ok_and(|about| about.permissions().mode() & 0o111 != 0);
    executable && (files::begins_with(path, b"#!") || files::begins_with(path, b"\x7fELF"))
}

/// Whether a file without an extension seems to be YAML, judged by its first distinctive line. That format is tried
/// first, and its errors are reported.
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
