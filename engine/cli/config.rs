//! `rplay config`: the settings, as `ansible-config` shows them.

use rplay::{
    config::{ConfigError, Overview, Shown, Surroundings},
    source::Problems,
};

use crate::{
    args::{ConfigAction, ConfigArgs},
    output,
};

/// Prints settings; the result is the exit code.
pub fn command(args: &ConfigArgs) -> Result<u8, Problems> {
    let env = |name: &str| std::env::var(name).ok();
    let folder = std::env::current_dir().map_err(|error| ConfigError::Unreadable { path: ".".into(), error })?;
    let overview = Overview::read(&Surroundings { env: &env, folder: &folder })?;
    let text = match &args.action {
        ConfigAction::View => match &overview.file {
            Some(path) => {
                std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable { path: path.clone(), error })?
            }
            None => {
                output::aside("there is no configuration file\n");
                return Ok(1);
            }
        },
        ConfigAction::Dump { only_changed } => {
            let mut text = match &overview.file {
                Some(path) => format!("CONFIG_FILE() = {}\n", path.display()),
                None => "CONFIG_FILE() = None\n".to_owned(),
            };
            let shown = overview.settings.iter().filter(|setting| !only_changed || setting.origin != "default");
            text.extend(shown.map(|setting| format!("{}({}) = {}\n", setting.name, setting.origin, setting.value)));
            text
        }
        ConfigAction::List => overview.settings.iter().map(about).collect(),
    };
    output::show(text.as_bytes())?;
    Ok(0)
}

fn about(setting: &Shown) -> String {
    format!(
        "{}:\n  ini: {}\n  env: {}\n  value: {}\n  source: {}\n  effect: {}\n",
        setting.name,
        setting.keys.join(", "),
        setting.variables.join(", "),
        setting.value,
        setting.origin,
        setting.effect.words()
    )
}
