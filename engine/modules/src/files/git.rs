//! `git`: a checkout of a git repository at a version.

mod archive;
mod checkout;
mod remote;
mod signature;

use std::rc::Rc;

use rplay_wire::Failure;

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
        dest: PathArg,
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
        /// A folder for the repository itself, in place of `.git` in the checkout.
        separate_git_dir: Option<PathArg>,
        /// Fail unless the version is signed.
        verify_commit: Flag = Flag(false),
        /// Fingerprints of the keys that may have signed it; any by default.
        gpg_allowlist: Vec<Text> | "gpg_whitelist" = Vec::new(),
        /// Not supported.
        track_submodules: Flag = Flag(false),
        /// Not supported.
        umask: Option<Text>,
    }
}

impl Module for Git {
    fn check(&self) -> Result<(), ArgError> {
        let refused = [("track_submodules", self.track_submodules.0), ("umask", self.umask.is_some())];
        if let Some((name, _)) = refused.iter().find(|(_, given)| *given) {
            return Err(ArgError::new(name, "is not supported"));
        }
        for (name, value) in [("repo", &self.repo), ("version", &self.version), ("remote", &self.remote)] {
            if value.is_empty() || value.starts_with('-') {
                return Err(ArgError::new(name, format!("`{value}` is empty or would be taken for an option")));
            }
        }
        match &self.archive {
            Some(path) => drop(archive::format(&path.0)?),
            None if self.archive_prefix.is_some() => {
                let msg = "missing parameter(s) required by 'archive_prefix': archive";
                return Err(ArgError::new("archive_prefix", msg));
            }
            None => {}
        }
        if self.separate_git_dir.is_some() && self.bare.0 {
            return Err(ArgError::exclusive("separate_git_dir", &["separate_git_dir", "bare"]));
        }
        if self.accept_hostkey.0 && self.accept_newhostkey.0 {
            return Err(ArgError::exclusive("accept_newhostkey", &["accept_hostkey", "accept_newhostkey"]));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let dest = self.dest.on(host);
        let plan = Plan::unchanged();
        if self.executable.is_none() && !host.has_program("git") {
            let change = Change::new(format!("check out {}", dest.display()), |_, _| Ok(()));
            return plan.change(change).assumes(host, "the program git", || host.missing_program("git"));
        }
        let git = Rc::new(Checkout { task: self, dest });
        let plan = git.clone().plan(host, plan)?;
        let Some(path) = git.task.archive.as_ref().filter(|_| git.task.clone.0 || git.dest.exists()) else {
            return Ok(plan);
        };
        let (path, format) = (path.on(host), archive::format(&path.0).map_err(|error| Failure::new(error.msg))?);
        Ok(plan.then(move |host| git.archived(path, format, host)))
    }
}

#[cfg(test)]
mod tests;
