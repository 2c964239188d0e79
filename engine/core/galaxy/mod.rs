//! `rplay galaxy`: collections and roles from archives, directories, git and Galaxy's API, compatible with
//! `ansible-galaxy`.

mod api;
mod archive;
mod build;
mod directives;
mod download;
mod force;
mod git;
mod init;
mod install;
mod installed;
mod local_collection;
mod manifest;
mod provider;
mod publish;
mod question;
mod request;
mod requirement;
mod resolve;
mod role_import;
mod role_install;
mod role_list;
mod roles;
mod server;
mod signature;
mod skeleton;
mod stage;
mod upload;
mod verify;
mod version;
mod wanted_role;

use std::{cell::RefCell, path::PathBuf, sync::Arc};

use miette::Diagnostic;
use rplay_contract::{Host, NoBlobs};

pub use build::BuildOptions;
pub use download::DownloadOptions;
pub use force::Force;
pub use init::InitOptions;
pub use install::InstallOptions;
pub use installed::ListFormat;
pub use publish::PublishOptions;
pub use requirement::{Requirements, Wanted};
pub use role_import::{ImportOptions, Setup};
pub use role_install::RoleOptions;
pub use server::{GALAXY, Server, Servers, token_in};
pub use signature::{CODES, Count, SignatureOptions};
pub use skeleton::Skeleton;
pub use verify::VerifyOptions;
pub use wanted_role::WantedRole;

/// An error, where possible in Ansible's words.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{0}")]
pub struct GalaxyError(pub String);

impl GalaxyError {
    pub fn new(message: impl Into<String>) -> Self {
        GalaxyError(message.into())
    }

    /// An error about a file.
    pub(crate) fn file(path: &std::path::Path, error: impl std::fmt::Display) -> Self {
        GalaxyError(format!("{}: {error}", path.display()))
    }
}

pub type Result<T> = std::result::Result<T, GalaxyError>;

/// Progress messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    Line(String),
    Warning(String),
}

/// The context of the commands: installation paths, servers, and where messages go.
pub struct Galaxy {
    /// Collections are installed into the first one.
    pub collections_path: Vec<PathBuf>,
    /// Roles are installed into the first one.
    pub roles_path: Vec<PathBuf>,
    pub servers: Vec<Server>,
    tell: RefCell<Box<dyn FnMut(Progress)>>,
    /// For requests and programs.
    host: Host,
}

impl Galaxy {
    pub fn new(
        collections_path: Vec<PathBuf>,
        roles_path: Vec<PathBuf>,
        servers: Vec<Server>,
        tell: impl FnMut(Progress) + 'static,
    ) -> Self {
        let host = Host::new(Vec::new(), Arc::new(NoBlobs));
        Galaxy { collections_path, roles_path, servers, tell: RefCell::new(Box::new(tell)), host }
    }

    fn say(&self, line: impl Into<String>) {
        (self.tell.borrow_mut())(Progress::Line(line.into()));
    }

    fn warn(&self, message: impl Into<String>) {
        (self.tell.borrow_mut())(Progress::Warning(message.into()));
    }
}
