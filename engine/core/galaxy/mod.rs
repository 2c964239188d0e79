//! `rplay galaxy`: collections and roles from archives, folders, git and Galaxy's API, as `ansible-galaxy` handles them.

mod api;
mod archive;
mod build;
mod directives;
mod download;
mod git;
mod init;
mod install;
mod installed;
mod manifest;
mod request;
mod requirement;
mod resolve;
mod role_install;
mod role_list;
mod roles;
mod server;
mod signature;
mod verify;
mod version;

use std::{cell::RefCell, path::PathBuf, sync::Arc};

use miette::Diagnostic;
use rplay_contract::{Host, NoBlobs};

pub use build::BuildOptions;
pub use download::DownloadOptions;
pub use init::InitOptions;
pub use install::InstallOptions;
pub use installed::ListFormat;
pub use requirement::{Requirements, Wanted, WantedRole};
pub use role_install::RoleOptions;
pub use server::{GALAXY, Server, Servers, token_in};
pub use signature::{CODES, Count, SignatureOptions};
pub use verify::VerifyOptions;

/// What went wrong, in words that Ansible's users know.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{0}")]
pub struct GalaxyError(pub String);

impl GalaxyError {
    pub fn new(message: impl Into<String>) -> Self {
        GalaxyError(message.into())
    }

    /// Something about a file.
    pub(crate) fn file(path: &std::path::Path, error: impl std::fmt::Display) -> Self {
        GalaxyError(format!("{}: {error}", path.display()))
    }
}

pub type Result<T> = std::result::Result<T, GalaxyError>;

/// What a person is told while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Line(String),
    Warning(String),
}

/// The work place: where things are installed, the servers to ask, and who is told.
pub struct Galaxy {
    /// Collections: the first is where they are installed.
    pub collections_path: Vec<PathBuf>,
    /// Roles: the first is where they are installed.
    pub roles_path: Vec<PathBuf>,
    pub servers: Vec<Server>,
    tell: RefCell<Box<dyn FnMut(Said)>>,
    /// For requests and programs.
    host: Host,
}

impl Galaxy {
    pub fn new(
        collections_path: Vec<PathBuf>,
        roles_path: Vec<PathBuf>,
        servers: Vec<Server>,
        tell: impl FnMut(Said) + 'static,
    ) -> Self {
        let host = Host::new(Vec::new(), Arc::new(NoBlobs));
        Galaxy { collections_path, roles_path, servers, tell: RefCell::new(Box::new(tell)), host }
    }

    fn say(&self, line: impl Into<String>) {
        (self.tell.borrow_mut())(Said::Line(line.into()));
    }

    fn warn(&self, message: impl Into<String>) {
        (self.tell.borrow_mut())(Said::Warning(message.into()));
    }
}
