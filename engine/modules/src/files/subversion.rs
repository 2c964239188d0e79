//! `subversion`: a working copy of a Subversion repository.

use std::path::PathBuf;

use rplay_wire::{Failure, Value};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Secret, Text},
    system::{
        paths,
        program::{Output, Program},
    },
};

args! {
    /// Checks out, updates or exports a Subversion repository.
    pub struct Subversion {
        /// The repository's URL.
        repo: Text | "name" | "repository",
        /// The directory of the working copy.
        dest: Option<PathArg>,
        /// The revision.
        revision: Text | "rev" | "version" = "HEAD".to_owned(),
        /// Whether to discard local changes; otherwise they are a failure.
        force: Flag = Flag(false),
        /// Whether to check out into an existing directory that is not a working copy, keeping its files.
        in_place: Flag = Flag(false),
        /// The user name for the repository.
        username: Option<Text>,
        /// The password; requires Subversion 1.10 on the host, which reads it from its standard input.
        password: Option<Secret>,
        /// The svn executable.
        executable: Option<PathArg>,
        /// Whether to check out the repository if there is no working copy.
        checkout: Flag = Flag(true),
        /// Whether to update an existing working copy.
        update: Flag = Flag(true),
        /// Whether to export files without a working copy.
        export: Flag = Flag(false),
        /// Whether to switch a working copy of another URL to this one.
        switch: Flag = Flag(true),
        /// Whether to verify the TLS certificate of the server.
        validate_certs: Flag = Flag(false),
    }
}

impl Module for Subversion {
    fn check(&self) -> Result<(), ArgError> {
        let needs_dest = self.checkout.0 || self.update.0 || self.export.0;
        if self.dest.is_none() && needs_dest {
            let msg = "the destination directory must be specified unless checkout=no, update=no, and export=no";
            return Err(ArgError::new("dest", msg));
        }
        match [&self.repo, &self.revision].iter().find(|text| text.starts_with('-')) {
            Some(text) => Err(ArgError::new("repo", format!("`{text}` would be taken for an option of svn"))),
            None => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let svn = Svn { dest: self.dest.as_ref().map(|dest| dest.on(host)).unwrap_or_default(), wish: self };
        svn.check_password(host)?;
        let wish = &svn.wish;
        if !wish.export.0 && !wish.update.0 && !wish.checkout.0 {
            return Ok(Plan::unchanged().set("after", svn.remote_revision(host)?));
        }
        let exists = svn.dest.join(".svn").exists();
        if wish.export.0 || !exists && (!svn.dest.exists() || wish.in_place.0 && wish.checkout.0) {
            return Ok(svn.fresh(exists));
        }
        if !exists {
            let msg =
                format!("ERROR: {} folder already exists, but its not a subversion repository.", svn.dest.display());
            return Err(Failure::new(msg).arg("dest"));
        }
        if !wish.update.0 {
            return Ok(Plan::unchanged());
        }
        svn.refresh(host)
    }
}

/// The request, and where it applies.
struct Svn {
    dest: PathBuf,
    wish: Subversion,
}

impl Svn {
    fn program(&self, host: &Host) -> Program {
        let name = self.wish.executable.as_ref().map(|path| paths::text(path.on(host)));
        let mut program = host.program(name.as_deref().unwrap_or("svn")).args(["--non-interactive", "--no-auth-cache"]);
        if !self.wish.validate_certs.0 {
            program = program.arg("--trust-server-cert");
        }
        if let Some(user) = &self.wish.username {
            program = program.arg("--username").arg(user);
        }
        if let Some(password) = &self.wish.password {
            program = program.arg("--password-from-stdin").stdin(password.0.as_bytes());
        }
        program.untranslated()
    }

    /// Older versions accept a password only as an argument, which all users of the host can read.
    fn check_password(&self, host: &Host) -> Result<(), Failure> {
        if self.wish.password.is_none() {
            return Ok(());
        }
        let name = self.wish.executable.as_ref().map_or_else(|| "svn".to_owned(), |path| paths::text(path.on(host)));
        let version = host.program(&name).args(["--version", "--quiet"]).untranslated().run()?;
        let version = version.success("cannot determine the version of svn")?.stdout;
        let mut numbers = version.trim().split('.').map_while(|part| part.parse::<u32>().ok());
        match (numbers.next(), numbers.next()) {
            (Some(1), Some(minor)) if minor < 10 => {
                let msg = format!(
                    "svn {} accepts a password only as an argument, which all users of the host can read",
                    version.trim()
                );
                Err(Failure::new(msg).arg("password").help("Subversion 1.10 reads it from its standard input"))
            }
            _ => Ok(()),
        }
    }

    fn run(&self, host: &Host, words: &[&str]) -> Result<Output, Failure> {
        self.program(host).args(words).succeed()
    }

    /// `svn info`: revision and URL as in the result, and the URL.
    fn info(&self, host: &Host, target: &str, revision: Option<&str>) -> Result<(Vec<String>, String), Failure> {
        let mut words = vec!["info"];
        if let Some(revision) = revision {
            words.extend(["-r", revision]);
        }
        words.extend(["--", target]);
        let told = self.run(host, &words)?.stdout;
        let line = |name: &str| told.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        let (revision, url) = (line("Revision:"), line("URL:"));
        let bare = url.trim_start_matches("URL:").trim().to_owned();
        Ok((vec![revision, url], bare))
    }

    fn remote_revision(&self, host: &Host) -> Result<Value, Failure> {
        let (info, _) = self.info(host, &self.wish.repo, Some(&self.wish.revision))?;
        Ok(info.into_iter().next().unwrap_or_default().into())
    }

    /// A checkout or an export.
    fn fresh(self, exists: bool) -> Plan {
        let export = self.wish.export.0;
        if !export && !self.wish.checkout.0 {
            return Plan::unchanged();
        }
        let verb = if export { "export" } else { "checkout" };
        let what = format!("{verb} {} to {}", self.wish.repo, self.dest.display());
        Plan::unchanged().change(Change::new(what, move |host, data| {
            let dest = paths::text(&self.dest);
            let mut words = vec![verb, "-r", &self.wish.revision];
            if self.wish.in_place.0 || export && (self.wish.force.0 || exists) {
                words.push("--force");
            }
            // Neither can be taken for an option.
            words.extend([&*self.wish.repo, &dest]);
            self.run(host, &words)?;
            if !export {
                let (after, _) = self.info(host, &dest, None)?;
                data.insert("before".to_owned(), Value::Null);
                data.insert("after".to_owned(), after.into());
            }
            Ok(())
        }))
    }

    /// Updates an existing working copy to the revision.
    fn refresh(self, host: &Host) -> Result<Plan, Failure> {
        let dest = paths::text(&self.dest);
        let status = self.run(host, &["status", "--quiet", "--ignore-externals", "--", &dest])?;
        let is_modified = status.stdout.lines().any(is_change);
        if is_modified && !self.wish.force.0 {
            return Err(Failure::new("ERROR: modified files exist in the repository.").arg("force"));
        }
        let (before, url) = self.info(host, &dest, None)?;
        let (wanted, repo) = self.info(host, &self.wish.repo, Some(&self.wish.revision))?;
        let is_other = url != repo && self.wish.switch.0;
        let is_same = !is_modified && !is_other && before.first() == wanted.first();
        let plan = Plan::unchanged();
        let plan = match host.check {
            // As in ansible-core, only the revisions.
            true => {
                let first = |lines: &[String]| lines.first().cloned().unwrap_or_default();
                plan.set("before", first(&before)).set("after", first(&wanted))
            }
            false if is_same => plan.set("before", before.clone()).set("after", before),
            false => plan.set("before", before),
        };
        if is_same {
            return Ok(plan);
        }
        let what = format!("update {dest} to {}", wanted.first().map_or("", String::as_str));
        Ok(plan.change(Change::new(what, move |host, data| {
            if is_modified {
                self.run(host, &["revert", "-R", "--", &dest])?;
            }
            if is_other {
                let words = ["switch", "--ignore-ancestry", "-r", &self.wish.revision, "--", &self.wish.repo, &dest];
                self.run(host, &words)?;
            }
            self.run(host, &["update", "-r", &self.wish.revision, "--", &dest])?;
            let (after, _) = self.info(host, &dest, None)?;
            data.insert("after".to_owned(), after.into());
            Ok(())
        })))
    }
}

/// Whether a line of `svn status` is a change, by its first seven columns (svn help status).
fn is_change(line: &str) -> bool {
    let columns: String = line.chars().take(7).collect();
    columns.contains(['A', 'C', 'D', 'I', 'M', 'R', '!', '~'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_from_notes() {
        assert!(is_change("M       file") && is_change(" M      .") && is_change("!       gone"));
        assert!(!is_change("X       external") && !is_change("") && !is_change("?       other"));
    }
}
