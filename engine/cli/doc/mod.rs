//! `rplay doc`: documents modules, plugins, roles and keywords, like `ansible-doc`.
//!
//! The documentation of built-in modules comes from the definitions that also validate their arguments; that of modules
//! and plugins of collections, ansible-core and the user is read from their files.

mod doc_output;
mod examples;
mod keywords;
mod layout;
mod native;
mod page;
mod plugins;
mod request;
mod roles;
mod schema;
mod values;

use miette::Diagnostic;
use rplay::{config::Config, docs::PluginType, plan::Action, source::Problems};
use serde_json::Value as Json;

use crate::{args::doc::DocArgs, diagnostics, output};

pub(crate) use native::show;
use request::Request;
pub(crate) use request::library;

/// Ansible's message if nothing is named.
const NO_NAMES: &str = "Missing name(s), incorrect options passed for detailed documentation.";

#[derive(Debug, thiserror::Error, Diagnostic)]
enum DocError {
    #[error("{0}")]
    Failed(String),
    #[error("{0}")]
    Schema(#[from] serde_json::Error),
}

/// The JSON schema of playbooks, as text.
///
/// # Errors
/// If it cannot be written as JSON.
pub(crate) fn schema_of_playbooks() -> Result<String, Problems> {
    Ok(as_text(&schema::of_playbooks())?)
}

fn as_text(schema: &Json) -> Result<String, DocError> {
    Ok(format!("{}\n", serde_json::to_string_pretty(schema)?))
}

/// Prints the requested documentation. `tool` is Ansible's name by which it was called, if any.
///
/// # Errors
/// If settings cannot be read, or the requested documentation does not exist.
pub(crate) fn command(args: &DocArgs, tool: Option<&str>) -> Result<u8, Problems> {
    if args.schema {
        let text = match args.names.is_empty() {
            true => schema_of_playbooks()?,
            false => as_text(&schema::of_modules(&args.names).map_err(DocError::Failed)?)?,
        };
        output::show(text.as_bytes())?;
        return Ok(0);
    }
    if tool.is_some() && PluginType::named(&args.kind).is_none() && !["role", "keyword"].contains(&args.kind.as_str()) {
        let choices: Vec<String> = types().iter().map(|kind| format!("'{kind}'")).collect();
        output::aside(&format!(
            "ansible-doc: error: argument -t/--type: invalid choice: '{}' (choose from {})\n",
            args.kind,
            choices.join(", ")
        ));
        return Ok(2);
    }
    let is_plain = !args.list && !args.list_files && !args.json && !args.metadata_dump && args.kind == "module";
    let is_unnamed = !args.list && !args.list_files && !args.metadata_dump && args.names.is_empty();
    if is_plain && args.names.is_empty() || tool.is_some() && is_unnamed {
        if tool.is_some() {
            return Ok(refused(NO_NAMES, diagnostics::OPTIONS));
        }
        output::show(native::list(&Action::all()).as_bytes())?;
        return Ok(0);
    }
    let (config, _) = Config::load()?;
    let shown = Request::new(args, &config, tool.is_some());
    let said = if args.metadata_dump {
        shown.dump()
    } else {
        match (args.kind.as_str(), PluginType::named(&args.kind)) {
            ("keyword", _) => shown.keywords(),
            ("role", _) => shown.roles(),
            (_, Some(kind)) if args.list || args.list_files => shown.list(kind),
            (_, Some(kind)) if args.snippet => shown.snippets(kind),
            (_, Some(kind)) => shown.plugins(kind),
            (kind, None) => {
                Err((format!("{kind} is not a type of plugins; they are {}", types().join(", ")), diagnostics::OPTIONS))
            }
        }
    };
    match said {
        Ok(text) if args.json || args.metadata_dump => output::show(text.as_bytes())?,
        Ok(text) => output::page(text.as_bytes(), &config.pager)?,
        Err((message, code)) => return Ok(refused(&message, code)),
    }
    Ok(0)
}

/// Reports why there is nothing to show; returns the exit code.
fn refused(message: &str, code: u8) -> u8 {
    output::aside(&format!("[ERROR]: {message}\n"));
    code
}

fn types() -> Vec<&'static str> {
    PluginType::all().map(PluginType::name).chain(["role", "keyword"]).collect()
}
