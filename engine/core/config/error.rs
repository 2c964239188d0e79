//! Errors and warnings of the settings.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use super::tables::name_of;
use crate::source::Span;

/// An error in the settings.
#[derive(Debug, Error, Diagnostic)]
pub enum ConfigError {
    #[error("cannot read configuration file `{}`: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },

    #[error("{message}")]
    Line {
        message: String,
        #[source_code]
        #[label]
        place: Span,
        #[help]
        help: Option<String>,
    },

    #[error("Config '{}' from 'env: {name}' has an invalid value: {message}", name_of(name))]
    Environment { name: &'static str, message: String },

    #[error(
        "{} is ignored, because its directory is world-writable",
        path.display()
    )]
    #[diagnostic(
        severity(Warning),
        help("remove write permission for others (chmod o-w), or set ANSIBLE_CONFIG to the file")
    )]
    WorldWritable { path: PathBuf },

    #[error("the setting `{name}` ({origin}) has no effect: not supported yet")]
    #[diagnostic(severity(Warning))]
    WithoutEffect { name: &'static str, origin: String },

    #[error("{message}")]
    #[diagnostic(severity(Warning))]
    Deprecated { message: String },

    #[error("the Galaxy server `{name}` has no url")]
    #[diagnostic(help("add a section [galaxy_server.{name}] with `url = https://...`"))]
    ServerWithoutUrl { name: String },

    #[error("unknown setting `{key}` in section [{section}]")]
    #[diagnostic(severity(Warning))]
    Unknown {
        section: String,
        key: String,
        #[source_code]
        #[label("no effect")]
        place: Span,
        #[help]
        help: Option<String>,
    },
}
