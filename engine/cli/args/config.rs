//! The command line of `rplay config`, which is that of `ansible-config`.

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand, builder::PossibleValuesParser};
use rplay::config::PLUGIN_TYPES;

/// `rplay config`
#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub action: ConfigAction,
    /// Say more
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// List all settings of ansible-core: keys, value, source, and whether rplay supports them
    List(ListArgs),
    /// Show one line per setting: NAME(source) = value
    Dump(DumpArgs),
    /// Show the configuration file as it is
    View(SettingsArgs),
    /// Print a configuration file with all settings at their defaults
    Init(InitArgs),
    /// Check that all keys of the configuration file, or all environment variables, are settings
    Validate(ValidateArgs),
}

/// Which settings.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SettingsArgs {
    /// Configuration file to use instead of the current one
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Settings of this kind of plugin: `all`, `base`, `become`, `connection` ...
    #[arg(short = 't', long = "type", value_name = "TYPE", default_value = "base", value_parser = types())]
    pub kind: String,
    /// Only these plugins
    #[arg(value_name = "PLUGIN")]
    pub plugins: Vec<String>,
}

/// The types of settings: those of ansible-core itself, and of the types of its plugins.
fn types() -> PossibleValuesParser {
    PossibleValuesParser::new(["all", "base"].iter().chain(PLUGIN_TYPES).copied())
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// As a document, without values: `json` or `yaml`
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json", "yaml"])]
    pub format: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DumpArgs {
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Only settings that differ from their default
    #[arg(long, alias = "changed-only")]
    pub only_changed: bool,
    /// `display`, `json` or `yaml`
    #[arg(short, long, value_name = "FORMAT", default_value = "display", value_parser = ["json", "yaml", "display"])]
    pub format: String,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// `ini`, `env` or `vars`
    #[arg(short, long, value_name = "FORMAT", default_value = "ini", value_parser = ["ini", "env", "vars"])]
    pub format: String,
    /// Comment out each setting
    #[arg(long)]
    pub disabled: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// `ini`: the configuration file; `env`: the environment
    #[arg(short, long, value_name = "FORMAT", default_value = "ini", value_parser = ["ini", "env"])]
    pub format: String,
}
