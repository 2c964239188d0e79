//! `subversion`: a working copy of a Subversion repository.

use std::path::PathBuf;

use rplay_wire::{Failure, Value};

use crate::{
    ArgFault, Change, Host, Module, Plan, args,
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
        /// The folder of the working copy.
        dest: Option<PathArg>,
        /// The revision.
        revision: Text | "rev" | "version" = "HEAD".to_owned(),
        /// Whether changes in the working copy are thrown away; without it they are a failure.
        force: Flag = Flag(false),
        /// Whether a folder that is no working copy is made one, around what is there.
        in_place: Flag = Flag(false),
        /// Who logs in to the repository.
        username: Option<Text>,
        /// The password; it needs Subversion 1.10 on the host, which reads it from its standard input.
        password: Option<Secret>,
        /// The program, if it is not `svn`.
        executable: Option<PathArg>,
        /// Whether the repository is checked out where there is no working copy.
        checkout: Flag = Flag(true),
        /// Whether an existing working copy is updated.
        update: Flag = Flag(true),
        /// Whether files are written without a working copy around them.
        export: Flag = Flag(false),
        /// Whether a working copy of another URL is switched to this one.
        switch: Flag = Flag(true),
        /// Whether the certificate of the repository's server must be one that is trusted.
        validate_certs: Flag = Flag(false),
    }
}

impl Module for Subversion {
    fn check(&self) -> Result<(), ArgFault> {
        let needs_dest = self.checkout.0 || self.update.0 || self.export.0;
        if self.dest.is_none() && needs_dest {
            let msg = "the destination directory must be specified unless checkout=no, update=no, and export=no";
            return Err(ArgFault::new("dest", msg));
        }
        match [&self.repo, &self.revision].iter().find(|text| text.starts_with('-')) {
            Some(text) => Err(ArgFault::new("repo", format!("`{text}` would be taken for an option of svn"))),
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

/// What is asked for, and where.
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

    /// Older versions take a password as an argument alone, where every user of the host sees it.
    fn check_password(&self, host: &Host) -> Result<(), Failure> {
        if self.wish.password.is_none() {
            return Ok(());
        }
        let name = self.wish.executable.as_ref().map_or_else(|| "svn".to_owned(), |path| paths::text(path.on(host)));
        let version = host.program(&name).args(["--version", "--quiet"]).untranslated().run()?;
        let version = version.success("cannot ask svn for its version")?.stdout;
        let mut numbers = version.trim().split('.').map_while(|part| part.parse::<u32>().ok());
        match (numbers.next(), numbers.next()) {
            (Some(1), Some(minor)) if minor < 10 => {
                let msg = format!(
                    "svn {} can take a password as an argument only, where all users of the host see it",
                    version.trim()
                );
                Err(Failure::new(msg).arg("password").help("Subversion 1.10 reads it from its standard input"))
            }
            _ => Ok(()),
        }
    }

    fn run(&self, host: &Host, words: &[&str], what: &str) -> Result<Output, Failure> {
        self.program(host).args(words).run()?.success(what)
    }

    /// `svn info`: revision and URL as the result shows them, and the URL.
    fn info(&self, host: &Host, target: &str, revision: Option<&str>) -> Result<(Vec<String>, String), Failure> {
        let mut words = vec!["info"];
        if let Some(revision) = revision {
            words.extend(["-r", revision]);
        }
        words.extend(["--", target]);
        let told = self.run(host, &words, "cannot ask svn about the repository")?.stdout;
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
            words.extend(["--", &self.wish.repo, &dest]);
            self.run(host, &words, &format!("cannot {verb} the repository"))?;
            if !export {
                let (after, _) = self.info(host, &dest, None)?;
                data.insert("before".to_owned(), Value::Null);
                data.insert("after".to_owned(), after.into());
            }
            Ok(())
        }))
    }

    /// Brings an existing working copy to the revision.
    fn refresh(self, host: &Host) -> Result<Plan, Failure> {
        let dest = paths::text(&self.dest);
        let status =
            self.run(host, &["status", "--quiet", "--ignore-externals", "--", &dest], "cannot look for changes")?;
        let is_modified = status.stdout.lines().any(is_change);
        if is_modified && !self.wish.force.0 {
            return Err(Failure::new("ERROR: modified files exist in the repository.").arg("force"));
        }
        let (before, url) = self.info(host, &dest, None)?;
        let (wanted, repo) = self.info(host, &self.wish.repo, Some(&self.wish.revision))?;
        let is_other = url != repo && self.wish.switch.0;
        let plan = Plan::unchanged().set("before", before.clone());
        if !is_modified && !is_other && before.first() == wanted.first() {
            return Ok(plan.set("after", before));
        }
        let what = format!("update {dest} to {}", wanted.first().map_or("", String::as_str));
        Ok(plan.change(Change::new(what, move |host, data| {
            if is_modified {
                self.run(host, &["revert", "-R", "--", &dest], "cannot undo the changes")?;
            }
            if is_other {
                let words = ["switch", "--ignore-ancestry", "-r", &self.wish.revision, "--", &self.wish.repo, &dest];
                self.run(host, &words, "cannot switch the working copy")?;
            }
            self.run(host, &["update", "-r", &self.wish.revision, "--", &dest], "cannot update the working copy")?;
            let (after, _) = self.info(host, &dest, None)?;
            data.insert("after".to_owned(), after.into());
            Ok(())
        })))
    }
}

/// Whether a line of `svn status` tells of a change: the first seven columns say so (svn help status).
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
