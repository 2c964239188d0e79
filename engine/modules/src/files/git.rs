//! `git`: a checkout of a git repository at a version.

mod archive;
mod checkout;
mod remote;
mod signature;

use std::rc::Rc;

use rplay_wire::{Failure, Value, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
};
use checkout::Checkout;

args! {
    /// Clones a repository, or updates a checkout to a version.
    pub struct Git {
        /// The URL of the repository.
        repo: Text | "name",
        /// The path of the checkout.
        dest: Option<PathArg>,
        /// A branch, a tag, a full commit hash, or `HEAD` for the default branch.
        version: Text = "HEAD".to_owned(),
        /// The name of the remote.
        remote: Text = "origin".to_owned(),
        /// Discard local changes.
        force: Flag = Flag(false),
        /// Update an existing checkout.
        update: Flag = Flag(true),
        /// Clone the repository if the checkout does not exist.
        clone: Flag = Flag(true),
        /// Create a bare repository.
        bare: Flag = Flag(false),
        /// The number of commits to fetch.
        depth: Option<u64>,
        /// Fetch only the history of the version's branch.
        single_branch: Flag = Flag(false),
        /// Include submodules.
        recursive: Flag = Flag(true),
        /// An additional refspec to fetch.
        refspec: Option<Text>,
        /// A reference repository on the host.
        reference: Option<Text>,
        /// An SSH private key.
        key_file: Option<PathArg>,
        /// Options for ssh.
        ssh_opts: Option<Text>,
        /// Accept any host key.
        accept_hostkey: Flag = Flag(false),
        /// Accept the host keys of unknown servers.
        accept_newhostkey: Flag = Flag(false),
        /// The git executable.
        executable: Option<PathArg>,
        /// A file for an archive of the version; it ends in `.tar`, `.tar.gz`, `.tgz` or `.zip`.
        archive: Option<PathArg>,
        /// A prefix for the paths in the archive.
        archive_prefix: Option<Text>,
        /// A directory for the repository itself, in place of `.git` in the checkout.
        separate_git_dir: Option<PathArg>,
        /// Fail unless the version is signed.
        verify_commit: Flag = Flag(false),
        /// Fingerprints of the keys that may have signed it; any by default.
        gpg_allowlist: Vec<Text> | "gpg_whitelist" = Vec::new(),
        /// Bring submodules to the latest commits of their branches.
        track_submodules: Flag = Flag(false),
        /// The umask for what git creates, an octal number in quotes.
        umask: Option<Value>,
    }
}

impl Module for Git {
    fn check(&self) -> Result<(), ArgError> {
        if self.dest.is_none() && self.clone.0 {
            return Err(ArgError::new("dest", "the destination directory must be specified unless clone=no"));
        }
        for (name, value) in [("repo", &self.repo), ("version", &self.version), ("remote", &self.remote)] {
            if value.is_empty() || value.starts_with('-') {
                return Err(ArgError::new(name, format!("`{value}` is empty or would be taken for an option")));
            }
        }
        if self.archive.is_none() && self.archive_prefix.is_some() {
            let msg = "missing parameter(s) required by 'archive_prefix': archive";
            return Err(ArgError::new("archive_prefix", msg));
        }
        if self.separate_git_dir.is_some() && self.bare.0 {
            return Err(ArgError::exclusive("separate_git_dir", &["separate_git_dir", "bare"]));
        }
        if self.accept_hostkey.0 && self.accept_newhostkey.0 {
            return Err(ArgError::exclusive("accept_newhostkey", &["accept_hostkey", "accept_newhostkey"]));
        }
        Ok(())
    }

    fn plan(mut self, host: &Host) -> Result<Plan, Failure> {
        // As in ansible-core, also the checkout knows a repository of the host by its URL.
        if self.repo.starts_with('/') {
            self.repo.insert_str(0, "file://");
        }
        let umask = self.umask.as_ref().map(umask).transpose()?;
        let archive = match &self.archive {
            Some(path) => Some((path.on(host), archive::format(&path.0)?)),
            None => None,
        };
        // Without one, only the repository is looked at.
        let dest = self.dest.as_ref().map(|dest| dest.on(host)).unwrap_or_default();
        let plan = Plan::unchanged();
        if self.executable.is_none() && !host.has_program("git") {
            let change = Change::new(format!("check out {}", dest.display()), |_, _| Ok(()));
            return plan.change(change).assumes(host, "the program git", || host.missing_program("git"));
        }
        let git = Rc::new(Checkout { task: self, dest, umask });
        let plan = git.clone().plan(host, plan)?;
        let Some((path, format)) = archive.filter(|_| git.task.clone.0 || git.dest.exists()) else { return Ok(plan) };
        Ok(plan.then(move |host| git.archived(path, format, host)))
    }
}

/// The umask as the shell takes it.
fn umask(given: &Value) -> Result<String, Failure> {
    let Some(text) = given.as_str() else {
        return Err(Failure::new("umask must be defined as a quoted octal integer").arg("umask"));
    };
    let digits = text.trim().trim_start_matches("0o");
    if digits.is_empty() || !digits.bytes().all(|byte| matches!(byte, b'0'..=b'7')) {
        let details = format!("invalid literal for int() with base 8: '{text}'");
        return Err(Failure::new("umask must be an octal integer").arg("umask").data(data! { "details" => details }));
    }
    Ok(digits.to_owned())
}

#[cfg(test)]
mod tests;
