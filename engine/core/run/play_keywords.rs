//! Rendered values of a play's keywords.

use std::sync::Arc;

use miette::Diagnostic;

use crate::{
    plan::Field,
    run::state::{
        host::HostState,
        play::{NO_HOST, PlayRun},
        run::Run,
    },
    source::{Problems, Span},
    template,
    vars::{Scope, Value},
};

/// A strategy plugin drives ansible-core's own workers, which rplay does not have.
pub(crate) const NO_PLUGINS: &str = "strategy plugins are not supported; use linear, free, host_pinned or debug";

#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum PlayError {
    #[error("cannot render `{name}`: {reason}")]
    Keyword {
        name: &'static str,
        reason: String,
        #[source_code]
        #[label("here")]
        at: Span,
    },
    #[error("Invalid 'order' specified for inventory hosts: {order}")]
    #[diagnostic(help("inventory, reverse_inventory, sorted, reverse_sorted and shuffle are orders"))]
    Order {
        order: String,
        #[source_code]
        #[label("unknown order")]
        at: Span,
    },
    #[error("`serial` must be a number of hosts or a percentage, or a list of these")]
    Serial {
        #[source_code]
        #[label("neither")]
        at: Span,
    },
    #[error("an undefined variable was found when attempting to template the vars_files item: {reason}")]
    VarsFiles {
        reason: String,
        #[source_code]
        #[label("in this item")]
        at: Span,
    },
    #[error("Invalid `vars_files` value of type '{kind}'.")]
    #[diagnostic(help("A `vars_files` value should either be a string or list of strings."))]
    VarsFileType {
        kind: String,
        #[source_code]
        #[label("must be a file name")]
        at: Span,
    },
    #[error("Invalid play strategy specified: {name}")]
    Strategy {
        name: String,
        #[source_code]
        #[label("unknown strategy")]
        at: Span,
        #[help]
        help: Option<String>,
    },
    #[error("Invalid play strategy specified: {name}")]
    #[diagnostic(help("the setting `strategy`: {}", NO_PLUGINS))]
    StrategySetting { name: String },
}

impl PlayError {
    /// Ansible's exit code for a run that ends with this error.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            PlayError::Order { .. } => 5,
            PlayError::Serial { .. } | PlayError::Strategy { .. } | PlayError::StrategySetting { .. } => 1,
            _ => 4,
        }
    }
}

impl Run {
    pub(crate) fn scope_of_play(self: &Arc<Self>, play: &Arc<PlayRun>) -> Arc<Scope> {
        let host = Arc::new(HostState::new(NO_HOST.into(), Vec::new()));
        host.set_gathered(true);
        self.scope(play, &host, None, None)
    }
}

/// The rendered value of a play's keyword.
pub(crate) fn rendered(field: &Field, scope: &Arc<Scope>, name: &'static str) -> Result<Value, Problems> {
    template::render(&field.value, scope)
        .map_err(|error| PlayError::Keyword { name, reason: error.to_string(), at: field.span.clone() }.into())
}
