//! `rplay config`: shows the settings, like `ansible-config`.

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use rplay::{
    config::{Config, ConfigError, ConfigInputs, Overview, PLUGIN_TYPES, Shown},
    docs::{Documentation, PluginType},
    source::Problems,
    syntax::builtin_name,
};
use serde_json::{Map, Value as Json, json};

use crate::{
    args::config::{ConfigAction, ConfigArgs, DumpArgs, InitArgs, ListArgs, SettingsArgs, ValidateArgs},
    diagnostics, output,
};

#[derive(Debug, thiserror::Error, Diagnostic)]
enum ConfigCommandError {
    /// Invalid options, which have their own exit code.
    #[error("{0}")]
    Options(String),
    #[error("{0}")]
    Failed(String),
}

/// Prints settings; the result is the exit code.
pub(crate) fn command(args: &ConfigArgs) -> Result<u8, Problems> {
    // As in ansible-core, this creates the directory for temporary files. Errors do not matter.
    if let Ok((config, _)) = Config::load()
        && let Some(directory) = config.local_tmp.as_deref()
    {
        let _ = std::fs::create_dir_all(directory);
    }
    match shown(args) {
        Ok((text, code)) => {
            output::show(text.as_bytes())?;
            Ok(code)
        }
        Err(problems) => {
            let code = match problems.first_as() {
                Some(ConfigCommandError::Options(_)) => diagnostics::OPTIONS,
                Some(ConfigCommandError::Failed(_)) => 1,
                None => diagnostics::exit_code(&problems),
            };
            Ok(diagnostics::end(&problems, code))
        }
    }
}

/// The text and the exit code.
fn shown(args: &ConfigArgs) -> Result<(String, u8), Problems> {
    match &args.action {
        ConfigAction::View(settings) => {
            let overview = read(settings)?;
            let path = overview
                .file
                .ok_or_else(|| ConfigCommandError::Failed("Invalid or no config file was supplied".to_owned()))?;
            let text = std::fs::read_to_string(&path).map_err(|error| ConfigError::Unreadable { path, error })?;
            Ok((text, 0))
        }
        ConfigAction::Dump(wanted) => Ok((using(args.verbose, &wanted.settings)? + &dump(wanted)?, 0)),
        ConfigAction::List(ListArgs { settings, format }) => {
            let overview = read(settings)?;
            let groups = groups(&overview, settings);
            // Ansible's own tool always prints a document.
            if let Some(format) = format.as_deref().or(diagnostics::is_ansible().then_some("yaml")) {
                return Ok((formatted(&document(&groups), format)?, 0));
            }
            let mut text = String::new();
            for (title, settings) in groups {
                text.push_str(&title.map(|(kind, plugin)| format!("# {kind} {plugin}\n")).unwrap_or_default());
                text.extend(settings.iter().map(|setting| about(setting)));
                if title.is_none() {
                    text.extend(overview.own.iter().map(about));
                }
            }
            Ok((text, 0))
        }
        ConfigAction::Init(wanted) => Ok((init(wanted)?, 0)),
        ConfigAction::Validate(wanted) => {
            let unknown = validate(wanted)?;
            for message in &unknown {
                output::aside(&format!("[ERROR]: {message}\n"));
            }
            match unknown.is_empty() {
                true => Ok(("All configurations seem valid!\n".to_owned(), 0)),
                false => Ok((String::new(), 1)),
            }
        }
    }
}

/// With `-v`, the current configuration file.
fn using(verbose: u8, settings: &SettingsArgs) -> Result<String, Problems> {
    Ok(match (verbose, read(settings)?.file) {
        (0, _) => String::new(),
        (_, Some(path)) => format!("Using {} as config file\n", path.display()),
        (_, None) => "No config file found; using defaults\n".to_owned(),
    })
}

fn own_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// All settings, from the named file if there is one.
fn read(settings: &SettingsArgs) -> Result<Overview, Problems> {
    let directory = std::env::current_dir().map_err(|error| ConfigError::Unreadable { path: ".".into(), error })?;
    let inputs = ConfigInputs { env: &own_environment, directory: &directory };
    let mut overview = match &settings.config {
        Some(path) => Overview::read_file(&checked(path, &directory)?, &inputs)?,
        None => Overview::read(&inputs)?,
    };
    add_named(&mut overview, settings, &inputs)?;
    Ok(overview)
}

/// Adds the settings of named plugins that are not part of ansible-core, from their documentation.
fn add_named(overview: &mut Overview, wanted: &SettingsArgs, inputs: &ConfigInputs<'_>) -> Result<(), Problems> {
    let Some(kind) = PLUGIN_TYPES.iter().find(|kind| **kind == wanted.kind) else { return Ok(()) };
    let is_known = |name: &str| overview.plugins.iter().any(|of| of.kind == *kind && of.plugin == builtin_name(name));
    let unknown: Vec<&String> = wanted.plugins.iter().filter(|name| !is_known(name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let Some(plugin_type) = PluginType::named(kind) else { return Ok(()) };
    let (config, _) = Config::load()?;
    let library = crate::doc::library(&config, None, &[]);
    for name in unknown {
        let Some(located) = library.find(plugin_type, name) else {
            output::aside(&format!("[WARNING]: Skipping {name} as we could not find matching plugin\n"));
            continue;
        };
        let read = Documentation::read(&located, &library);
        let read = read.map_err(|error| ConfigCommandError::Failed(error.to_string()))?;
        let none = Map::new();
        let options = read.doc.get("options").and_then(Json::as_object).unwrap_or(&none);
        overview.add(kind, name, options, inputs);
    }
    Ok(())
}

/// The path of a configuration file, which must exist and have a supported format.
fn checked(path: &Path, directory: &Path) -> Result<PathBuf, ConfigCommandError> {
    let path = directory.join(rplay::files::filled_in(&path.to_string_lossy()));
    if std::fs::File::open(&path).is_err() || path.is_dir() {
        let message = format!("The provided configuration file is missing or not accessible: {}", path.display());
        return Err(ConfigCommandError::Options(message));
    }
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("cfg" | "ini") => Ok(path),
        ending => {
            let message = "Unsupported configuration file extension for";
            Err(ConfigCommandError::Options(format!("{message} {}: {}", path.display(), ending.unwrap_or_default())))
        }
    }
}

/// Settings under a common title: type and name of a plugin, or `None` for settings that belong to no plugin.
type Titled<'s> = (Option<(&'static str, &'s str)>, Vec<&'s Shown>);

/// The settings selected by the type and names of plugins.
fn groups<'s>(overview: &'s Overview, wanted: &SettingsArgs) -> Vec<Titled<'s>> {
    let kind = wanted.kind.as_str();
    let mut groups = Vec::new();
    if matches!(kind, "all" | "base") {
        groups.push((None, overview.settings.iter().collect()));
    }
    let of_kind = overview.plugins.iter().filter(|of| kind == "all" || kind == of.kind);
    let named =
        |name: &str| wanted.plugins.is_empty() || wanted.plugins.iter().any(|plugin| builtin_name(plugin) == name);
    for of in of_kind.filter(|of| named(&of.plugin)) {
        groups.push((Some((of.kind, &*of.plugin)), of.settings.iter().collect()));
    }
    groups
}

fn dump(wanted: &DumpArgs) -> Result<String, Problems> {
    let overview = read(&wanted.settings)?;
    let mut groups = groups(&overview, &wanted.settings);
    for (title, settings) in &mut groups {
        if title.is_some() {
            settings.sort_by_key(|setting| setting.name);
        }
        settings.retain(|setting| !wanted.only_changed || setting.origin != "default");
    }
    let base = matches!(wanted.settings.kind.as_str(), "all" | "base");
    let servers = if base { servers(&wanted.settings)? } else { Vec::new() };
    if wanted.format == "display" {
        let mut text = String::new();
        let file = overview.file.as_ref().map_or_else(|| "None".to_owned(), |path| path.display().to_string());
        let line = |setting: &&Shown| format!("{}({}) = {}\n", setting.name, origin_of(setting), setting.value);
        let mut last = None;
        for (title, settings) in groups.iter().filter(|(title, settings)| title.is_none() || !settings.is_empty()) {
            if let Some((kind, plugin)) = title {
                if last != Some(kind) && wanted.settings.kind == "all" {
                    let kind = kind.to_uppercase();
                    text.push_str(&format!("\n\n{kind}:\n{}\n", "=".repeat(kind.len())));
                }
                text.push_str(&format!("\n{plugin}:\n{}\n", "_".repeat(plugin.len())));
                last = Some(kind);
            }
            // The file stands among the settings, by its name.
            let at = settings.iter().take_while(|setting| title.is_none() && setting.name < "CONFIG_FILE").count();
            text.extend(settings.iter().take(at).map(line));
            if title.is_none() {
                text.push_str(&format!("CONFIG_FILE() = {file}\n"));
            }
            text.extend(settings.iter().skip(at).map(line));
            if title.is_none() {
                text.push_str("\nGALAXY_SERVERS:\n");
                for (name, entries) in &servers {
                    text.push_str(&format!("\n{name}:\n{}\n", "_".repeat(name.len())));
                    text.extend(entries.iter().map(|(key, value, origin)| {
                        format!("{key}({origin}) = {}\n", value.as_deref().unwrap_or("None"))
                    }));
                }
            }
        }
        return Ok(text);
    }
    let entry =
        |setting: &&Shown| json!({"name": setting.name, "origin": origin_of(setting), "value": setting.typed()});
    let mut all: Vec<Json> = Vec::new();
    let mut kinds: Map<String, Json> = Map::new();
    for (title, settings) in groups.iter().filter(|(title, settings)| title.is_none() || !settings.is_empty()) {
        let mut entries: Vec<Json> = settings.iter().map(entry).collect();
        match title {
            None => {
                let file = overview.file.as_ref().map(|path| path.display().to_string());
                let at = settings.partition_point(|setting| setting.name < "CONFIG_FILE");
                entries.insert(at, json!({"name": "CONFIG_FILE", "origin": "", "value": file}));
                all.extend(entries);
            }
            Some((kind, plugin)) => {
                let kind = kinds.entry(kind.to_uppercase()).or_insert_with(|| Json::Array(Vec::new()));
                if let Json::Array(plugins) = kind {
                    plugins.push(json!({*plugin: entries}));
                }
            }
        }
    }
    if base {
        let servers: Map<String, Json> = servers
            .into_iter()
            .map(|(name, entries)| {
                let entry = |(key, value, origin): (&str, Option<String>, String)| {
                    json!({"name": key, "origin": origin, "value": value})
                };
                (name, Json::from(entries.into_iter().map(entry).collect::<Vec<_>>()))
            })
            .collect();
        all.push(json!({ "GALAXY_SERVERS": servers }));
    }
    match wanted.settings.kind.as_str() {
        "all" => all.extend(kinds.into_iter().map(|(kind, plugins)| json!({ kind: plugins }))),
        // Plugins of a single type need no title.
        _ => all.extend(kinds.into_iter().flat_map(|(_, plugins)| plugins.as_array().cloned().unwrap_or_default())),
    }
    formatted(&Json::from(all), &wanted.format)
}

/// Where a setting's value comes from; `REQUIRED` if it must be set and is not.
fn origin_of(setting: &Shown) -> &str {
    if setting.required && setting.origin == "default" { "REQUIRED" } else { &setting.origin }
}

/// Settings as `ansible-config list` describes them, those of plugins below `PLUGINS`. The texts are Ansible's and are
/// left out, except for those of documentation that was read.
fn document(groups: &[Titled<'_>]) -> Json {
    let mut all = Map::new();
    let mut plugins: Map<String, Json> = Map::new();
    for (title, settings) in groups {
        let of: Map<String, Json> =
            settings.iter().map(|setting| (setting.name.to_owned(), described(setting))).collect();
        match title {
            None => all.extend(of),
            Some((kind, plugin)) => {
                let kind = plugins.entry((*kind).to_owned()).or_insert_with(|| json!({}));
                if let Json::Object(kind) = kind {
                    kind.insert((*plugin).to_owned(), Json::Object(of));
                }
            }
        }
    }
    if !plugins.is_empty() {
        all.insert("PLUGINS".to_owned(), Json::Object(plugins));
    }
    let mut all = Json::Object(all);
    all.sort_all_objects();
    all
}

fn described(setting: &Shown) -> Json {
    let named = |names: &[&str]| names.iter().map(|name| json!({"name": name})).collect::<Json>();
    let ini = || -> Json {
        let keys = setting.keys.iter().filter_map(|key| key.split_once('.'));
        keys.map(|(section, key)| json!({"key": key, "section": section})).collect()
    };
    let mut fields = Map::new();
    let default = setting.default_typed();
    if !default.is_null() {
        fields.insert("default".to_owned(), default);
    }
    fields.insert("type".to_owned(), setting.kind.into());
    for (name, is_there, value) in [
        ("env", !setting.variables.is_empty(), named(&setting.variables)),
        ("ini", !setting.keys.is_empty(), ini()),
        ("vars", !setting.vars.is_empty(), named(&setting.vars)),
        ("description", !setting.about.is_empty(), json!(setting.about)),
        ("required", setting.required, true.into()),
    ] {
        if is_there {
            fields.insert(name.to_owned(), value);
        }
    }
    Json::Object(fields)
}

fn formatted(data: &Json, format: &str) -> Result<String, Problems> {
    if format == "yaml" {
        let text = output::yaml(data)?;
        return Ok(text.trim_end().to_owned() + "\n");
    }
    Ok(output::json(data) + "\n")
}

/// The settings of each Galaxy server: key, value and origin.
fn servers(wanted: &SettingsArgs) -> Result<Vec<(String, Vec<(&'static str, Option<String>, String)>)>, Problems> {
    const KEYS: [&str; 9] =
        ["url", "username", "password", "token", "auth_url", "api_version", "validate_certs", "client_id", "timeout"];
    let directory = std::env::current_dir().map_err(|error| ConfigError::Unreadable { path: ".".into(), error })?;
    let named = wanted.config.as_ref().map(|path| checked(path, &directory)).transpose()?;
    let env = |name: &str| match (&named, name) {
        (Some(path), "ANSIBLE_CONFIG") => Some(path.display().to_string()),
        _ => own_environment(name),
    };
    let (config, _) = Config::read(&ConfigInputs { env: &env, directory: &directory })?;
    let file = config.file.as_deref().map_or_else(|| "default".to_owned(), |path| path.display().to_string());
    let shown = config.galaxy_sections.iter().map(|section| {
        let entry = |key: &'static str| match section.get(key) {
            Some(value) => (key, Some(value.to_owned()), file.clone()),
            None => (key, None, "default".to_owned()),
        };
        (section.name.clone(), KEYS.into_iter().map(entry).collect())
    });
    Ok(shown.collect())
}

/// A file that sets everything to its default: as sections and keys, environment variables, or variables of plays.
fn init(wanted: &InitArgs) -> Result<String, Problems> {
    // Only defaults: the current settings do not count.
    let nothing = ConfigInputs { env: &|_| None, directory: Path::new("/") };
    let mut overview = Overview::defaults(&nothing);
    add_named(&mut overview, &wanted.settings, &nothing)?;
    let mut groups = groups(&overview, &wanted.settings);
    for (_, settings) in groups.iter_mut().filter(|(title, _)| title.is_some() && wanted.format == "ini") {
        settings.sort_by_key(|setting| setting.name);
    }
    let settings = groups.into_iter().flat_map(|(_, settings)| settings);
    let mark = if wanted.disabled { ";" } else { "" };
    if wanted.format == "ini" {
        // A key occurs once in its section, however many plugins read it.
        let mut sections: Vec<(&str, Vec<(&str, &Shown)>)> = Vec::new();
        for (section, key, setting) in settings
            .filter_map(|setting| setting.keys.last()?.split_once('.').map(|(section, key)| (section, key, setting)))
        {
            let at = sections.iter().position(|(name, _)| *name == section).unwrap_or_else(|| {
                sections.push((section, Vec::new()));
                sections.len() - 1
            });
            if !sections[at].1.iter().any(|(known, _)| *known == key) {
                sections[at].1.push((key, setting));
            }
        }
        let sections = sections.into_iter().map(|(section, keys)| {
            let line = |(key, setting): (&str, &Shown)| {
                let about = if setting.about.is_empty() { setting.name } else { &setting.about.join("\n# ") };
                format!("# ({}) {about}\n{mark}{key}={}\n\n", setting.kind, setting.plain())
            };
            format!("[{section}]\n{}", keys.into_iter().map(line).collect::<String>())
        });
        return Ok(sections.collect::<Vec<_>>().join("\n"));
    }
    let mark = if wanted.disabled { "#" } else { "" };
    let mut told: Vec<&str> = Vec::new();
    let mut entries: Vec<String> = Vec::new();
    for setting in settings {
        let name = match wanted.format.as_str() {
            "env" => setting.variables.first(),
            _ => setting.vars.first(),
        };
        let Some(name) = name.filter(|name| !told.contains(name)) else { continue };
        told.push(name);
        let said = if setting.about.is_empty() { String::new() } else { format!(": {}", setting.about.join("\n#")) };
        let about = format!("# {}({}){said}\n", setting.name, setting.kind);
        let value = match wanted.format.as_str() {
            "env" => {
                // Quoted for a shell.
                let value = match setting.typed() {
                    Json::Bool(is_on) => u8::from(is_on).to_string(),
                    _ if setting.plain().is_empty() => String::new(),
                    _ => shell_words::quote(&setting.plain()).into_owned(),
                };
                format!("{mark}{name}={value}\n")
            }
            _ => {
                let value = Some(setting.typed()).filter(|value| !value.is_null());
                let value = value.map_or_else(|| "''".to_owned(), |value| value.to_string());
                format!("{mark}{name}: {value}\n\n")
            }
        };
        entries.push(about + &value);
    }
    Ok(entries.join("\n"))
}

/// The entries of the configuration file or the environment that are not settings, in Ansible's words.
fn validate(wanted: &ValidateArgs) -> Result<Vec<String>, Problems> {
    let overview = read(&wanted.settings)?;
    let groups = groups(&overview, &wanted.settings);
    let known: Vec<&Shown> = groups.into_iter().flat_map(|(_, settings)| settings).collect();
    if wanted.format == "env" {
        let is_known = |name: &str| known.iter().any(|setting| setting.variables.contains(&name));
        // Each Galaxy server has environment variables with its name.
        let other = |name: &str| {
            name == "ANSIBLE_CONFIG" || name.starts_with("ANSIBLE_TEST_") || name.starts_with("ANSIBLE_GALAXY_SERVER_")
        };
        let mut unknown: Vec<String> = std::env::vars_os()
            .filter_map(|(name, _)| name.into_string().ok())
            .filter(|name| name.starts_with("ANSIBLE_") && !is_known(name) && !other(name))
            .map(|name| format!("Found unknown environment variable '{name}'."))
            .collect();
        unknown.sort_unstable();
        return Ok(unknown);
    }
    let Some(path) = &overview.file else { return Ok(Vec::new()) };
    let mut unknown: Vec<String> = Vec::new();
    for (section, key) in &overview.entries {
        let mut of_section = known.iter().flat_map(|setting| setting.keys.iter()).filter_map(|key| key.split_once('.'));
        let own = section == "rplay" || section.starts_with("galaxy_server.");
        let message = match of_section.clone().any(|(name, _)| name == section) {
            _ if own => continue,
            false => format!("Found unknown section '{section}' in '{}.", path.display()),
            true if of_section.any(|(name, known)| name == section && known == key) => continue,
            true => format!("Found unknown key '{key}' in section '{section}' in '{}.", path.display()),
        };
        if !unknown.contains(&message) {
            unknown.push(message);
        }
    }
    Ok(unknown)
}

fn about(setting: &Shown) -> String {
    format!(
        "{}:\n  type: {}\n  ini: {}\n  env: {}\n{}  default: {}\n  value: {}\n  source: {}\n  effect: {}\n",
        setting.name,
        setting.kind,
        setting.keys.join(", "),
        setting.variables.join(", "),
        match setting.vars.is_empty() {
            true => String::new(),
            false => format!("  vars: {}\n", setting.vars.join(", ")),
        },
        setting.default,
        setting.value,
        setting.origin,
        setting.effect.words()
    )
}
