//! The checkout of a repository: what it has, and how it gets to the version.

use std::{path::PathBuf, rc::Rc};

use rplay_wire::{Diff, Failure, Map, data};

use super::{
    Git,
    remote::{Heads, Version},
};
use crate::{
    Change, Host, Plan,
    system::{
        paths,
        program::{Output, Program},
    },
};

/// The checkout of a task.
pub(super) struct Checkout {
    pub task: Git,
    /// Empty if the task names none.
    pub dest: PathBuf,
    /// The umask for git, as the shell takes it.
    pub umask: Option<String>,
}

impl Checkout {
    /// What must change for the checkout to be at the version.
    pub(super) fn plan(self: Rc<Self>, host: &Host, mut plan: Plan) -> Result<Plan, Failure> {
        let git = self;
        let before = git.present(host)?;
        plan = plan.set("before", before.clone());
        if before.is_some() && !git.task.update.0 {
            return Ok(plan.set("after", before));
        }
        let heads = git.heads(host)?;
        let version = heads.version(&git.task.version);
        let wanted = version.commit().map(str::to_owned);
        let Some(present) = before else {
            plan = plan.set("after", wanted.clone());
            if host.diff {
                let new = format!(">> Newly checked out {}", wanted.clone().unwrap_or_default());
                plan = plan.set("diff", data! { "prepared" => new });
            }
            if !git.task.clone.0 {
                // As in ansible-core, only to tell of what a checkout would be.
                let change = Change::new(format!("check out {}", git.dest.display()), |_, _| Ok(()));
                return Ok(plan.change(change));
            }
            let diff = Diff { after: format!("{}\n", wanted.unwrap_or_default()), ..Diff::default() };
            let change = Change::new(format!("check out {}", git.dest.display()), move |host, data| {
                git.clone_it(&version, host)?;
                let after = git.present(host)?.unwrap_or_default();
                if host.diff {
                    let new = format!(">> Newly checked out {after}");
                    data.insert("diff".to_owned(), data! { "prepared" => new }.into());
                }
                data.insert("after".to_owned(), after.into());
                Ok(())
            });
            return Ok(plan.change(change.diff(diff)));
        };
        let is_dirty = !git.task.bare.0 && git.is_dirty(host)?;
        if is_dirty {
            let msg = format!("Local modifications exist in the destination: {}", git.dest.display());
            if !git.task.force.0 {
                return Err(Failure::new(format!("{msg} (force=no)."))
                    .arg("dest")
                    .help("`force: true` discards them")
                    .data(data! { "before" => present }));
            }
            if !host.check {
                plan = plan.set("msg", msg);
            }
        }
        let plan = git.clone().relocated(plan, host)?;
        let url = git.run(host, &["config", "--get", &format!("remote.{}.url", git.task.remote)])?.stdout;
        let moves = url.trim() != git.task.repo;
        let mut plan = plan.set("remote_url_changed", moves);
        let is_there = wanted.as_ref().is_some_and(|wanted| *wanted == present);
        // An abbreviated commit is only known in the checkout.
        let is_there = is_there || (wanted.is_none() && git.resolve(&git.task.version, host)? == Some(present.clone()));
        let submodules = git.task.recursive.0 && !git.task.bare.0 && git.has_stale_submodules(host)?;
        // At the same commit, but on another branch or on none.
        let is_elsewhere = is_there && !git.task.bare.0 && !host.check && git.is_elsewhere(&version, host)?;
        if is_there && !is_dirty && !moves && !submodules && !is_elsewhere {
            if !host.check {
                git.verify(host)?;
            }
            let plan = plan.set("after", present);
            let tracks = git.task.track_submodules.0 && git.has_submodules() && !host.check;
            return Ok(if tracks { plan.change(git.tracking()) } else { plan });
        }
        plan = plan.set("after", wanted.clone());
        if host.check
            && host.diff
            && let Some(wanted) = &wanted
        {
            // What is shown must be there; the checkout stays as it is. If it cannot be fetched, the difference says so.
            if !git.task.bare.0 {
                let _ = git.fetch(host);
            }
            plan = plan.set("diff", git.difference(&present, wanted, host)?);
        }
        let diff = Diff {
            before: format!("{present}\n"),
            after: format!("{}\n", wanted.unwrap_or_default()),
            ..Diff::default()
        };
        let counts = !is_there || is_dirty || moves || submodules;
        let change = Change::maybe(format!("update {}", git.dest.display()), move |host, data| {
            git.update(&version, moves, host)?;
            let after = git.present(host)?.unwrap_or_default();
            if host.diff && counts {
                data.insert("diff".to_owned(), git.difference(&present, &after, host)?.into());
            }
            data.insert("after".to_owned(), after.into());
            Ok(counts)
        });
        Ok(plan.change(if counts { change.diff(diff) } else { change }))
    }
}

impl Checkout {
    /// Moves the repository out of the checkout, to the place that the task names.
    fn relocated(self: Rc<Self>, plan: Plan, host: &Host) -> Result<Plan, Failure> {
        let Some(wanted) = self.task.separate_git_dir.as_ref().map(|path| path.on(host)) else { return Ok(plan) };
        let now =
            self.must(host, &["rev-parse", "--absolute-git-dir"], "cannot find the repository of the checkout")?;
        let now = PathBuf::from(now.stdout.trim());
        if now == wanted || wanted.canonicalize().is_ok_and(|wanted| wanted == now) {
            return Ok(plan);
        }
        if wanted.exists() {
            let msg = format!("Separate-git-dir path {} already exists.", wanted.display());
            return Err(Failure::new(msg).arg("separate_git_dir"));
        }
        let plan = plan.set("git_dir_before", paths::text(&now)).set("git_dir_now", paths::text(&wanted));
        let change = Change::new(format!("move {} to {}", now.display(), wanted.display()), move |host, _| {
            // Run again in a repository, this moves it and leaves a link.
            let place = format!("--separate-git-dir={}", wanted.display());
            self.must(host, &["init", "--quiet", &place], "cannot move the repository").map(|_| ())
        });
        Ok(plan.change(change))
    }

    fn program(&self, host: &Host) -> Program {
        let executable = self.task.executable.as_ref().map(|path| paths::text(path.on(host)));
        let mut ssh = vec!["ssh".to_owned(), "-o".to_owned(), "BatchMode=yes".to_owned()];
        if self.task.accept_hostkey.0 {
            ssh.extend(["-o".to_owned(), "StrictHostKeyChecking=no".to_owned()]);
        } else if self.task.accept_newhostkey.0 {
            ssh.extend(["-o".to_owned(), "StrictHostKeyChecking=accept-new".to_owned()]);
        }
        if let Some(key) = &self.task.key_file {
            ssh.extend(["-i".to_owned(), paths::text(key.on(host)), "-o".to_owned(), "IdentitiesOnly=yes".to_owned()]);
        }
        let mut line = shell_words::join(ssh);
        if let Some(options) = &self.task.ssh_opts {
            line = format!("{line} {options}");
        }
        let executable = executable.as_deref().unwrap_or("git");
        let program = match &self.umask {
            // Only the shell can set it for one program.
            Some(umask) => {
                let script = r#"umask "$1"; shift; exec "$@""#;
                host.program("sh").args(["-c", script, "sh", umask, executable])
            }
            None => host.program(executable),
        };
        program.untranslated().env("GIT_TERMINAL_PROMPT", "0").env("GIT_SSH_COMMAND", line)
    }

    /// Runs git in the checkout.
    pub(super) fn run(&self, host: &Host, args: &[&str]) -> Result<Output, Failure> {
        self.program(host).current_dir(&self.dest).args(args).run()
    }

    /// Like `run`; failures become failures of the task, with passwords in the URL masked.
    fn must(&self, host: &Host, args: &[&str], what: &str) -> Result<Output, Failure> {
        self.clean(self.run(host, args)?).success(what)
    }

    pub(super) fn clean(&self, mut done: Output) -> Output {
        let login = self.task.repo.split_once("://").and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@'));
        if let Some((login, _)) = login.filter(|(login, _)| !login.is_empty()) {
            // As ansible-core masks passwords; a name alone may be a token.
            let shown = login.split_once(':').map_or("***".to_owned(), |(user, _)| format!("{user}:********"));
            done.stdout = done.stdout.replace(login, &shown);
            done.stderr = done.stderr.replace(login, &shown);
        }
        done
    }

    /// What changed between two commits, as git shows it.
    fn difference(&self, before: &str, after: &str, host: &Host) -> Result<Map, Failure> {
        let done = self.run(host, &["diff", "--no-color", before, after])?;
        let between = format!("between {before} and {after}");
        let shown = match (done.rc, done.stdout.is_empty()) {
            (0, false) => done.stdout,
            (0, true) => format!(">> No visual differences {between}"),
            _ => format!(">> Failed to get proper diff {between}:\n>> {}", done.stderr),
        };
        Ok(data! { "prepared" => shown })
    }

    /// The command line of a failure.
    fn told(&self, args: &str, host: &Host) -> Map {
        let named = self.task.executable.as_ref().map(|path| path.on(host));
        let program = named.or_else(|| host.find_program("git")).map_or_else(|| "git".to_owned(), paths::text);
        data! { "cmd" => format!("{program} {args}") }
    }

    /// The current commit; `None` if there is no checkout.
    pub(super) fn present(&self, host: &Host) -> Result<Option<String>, Failure> {
        if self.dest.as_os_str().is_empty() {
            return Ok(None);
        }
        let sign = if self.task.bare.0 { self.dest.join("objects") } else { self.dest.join(".git") };
        if !sign.exists() {
            return Ok(None);
        }
        // git reports if the current user does not own the checkout.
        let done = self.run(host, &["rev-parse", "HEAD"])?;
        if done.rc != 0 && done.stderr.contains("dubious ownership") {
            return Err(done.failure("cannot read the checkout").arg("dest"));
        }
        Ok(Some(done.stdout.trim().to_owned()))
    }

    /// Whether the checkout is on another branch than the version is, or on one while that is a tag.
    fn is_elsewhere(&self, version: &Version, host: &Host) -> Result<bool, Failure> {
        let now = self.run(host, &["symbolic-ref", "--quiet", "--short", "HEAD"])?.stdout;
        Ok(match version {
            Version::Branch { name, .. } => now.trim() != name,
            Version::Tag { .. } => !now.trim().is_empty(),
            Version::Commit(_) => false,
        })
    }

    fn resolve(&self, version: &str, host: &Host) -> Result<Option<String>, Failure> {
        let done = self.run(host, &["rev-parse", "--verify", "--quiet", &format!("{version}^{{commit}}")])?;
        Ok((done.rc == 0).then(|| done.stdout.trim().to_owned()))
    }

    fn is_dirty(&self, host: &Host) -> Result<bool, Failure> {
        let done = self.must(
            host,
            &["status", "--porcelain", "--untracked-files=no", "--ignore-submodules"],
            "cannot list local changes in the checkout",
        )?;
        Ok(!done.stdout.trim().is_empty())
    }

    fn has_submodules(&self) -> bool {
        self.task.recursive.0 && self.dest.join(".gitmodules").exists()
    }

    /// Brings the submodules to the latest commits of their branches; a change if one moves.
    fn tracking(self: Rc<Self>) -> Change {
        Change::maybe("update the submodules", move |host, _| {
            let versions =
                |host: &Host| self.run(host, &["submodule", "status", "--recursive"]).map(|done| done.stdout);
            let before = versions(host)?;
            self.update_submodules(host)?;
            Ok(versions(host)? != before)
        })
    }

    fn has_stale_submodules(&self, host: &Host) -> Result<bool, Failure> {
        if !self.dest.join(".gitmodules").exists() {
            return Ok(false);
        }
        let done = self.must(host, &["submodule", "status", "--recursive"], "cannot list the submodules")?;
        Ok(done.stdout.lines().any(|line| line.starts_with(['-', '+'])))
    }

    fn heads(&self, host: &Host) -> Result<Heads, Failure> {
        let done = self.program(host).args(["ls-remote", "--symref", "--", &self.task.repo]).run()?;
        let done = self.clean(done);
        if done.rc != 0 {
            let line = format!("ls-remote {} -h refs/heads/{}", self.task.repo, self.task.version);
            let line = self.clean(Output { stdout: line, ..Output::default() }).stdout;
            let failure = Failure::new(done.stderr.trim_end()).arg("repo").data(done.data());
            return Err(failure.data(self.told(&line, host)));
        }
        Ok(Heads::parse(&done.stdout))
    }

    fn depth(&self) -> Vec<String> {
        self.task.depth.map(|depth| vec![format!("--depth={depth}")]).unwrap_or_default()
    }

    fn clone_it(&self, version: &Version, host: &Host) -> Result<(), Failure> {
        let mut args = vec!["clone".to_owned(), "--origin".to_owned(), self.task.remote.clone()];
        args.extend(self.depth());
        if self.task.bare.0 {
            args.push("--bare".to_owned());
        }
        if self.task.single_branch.0 {
            args.push("--single-branch".to_owned());
        }
        if let Some(reference) = &self.task.reference {
            args.push(format!("--reference={reference}"));
        }
        if let Version::Branch { name, .. } | Version::Tag { name, .. } = version
            && self.task.version != "HEAD"
        {
            args.extend(["--branch".to_owned(), name.clone()]);
        }
        if let Some(place) = &self.task.separate_git_dir {
            args.push(format!("--separate-git-dir={}", place.on(host).display()));
        }
        args.extend(["--".to_owned(), self.task.repo.clone(), paths::text(&self.dest)]);
        let done = self.clean(self.program(host).args(&args).run()?);
        if done.rc != 0 {
            // As in ansible-core, git itself says why.
            if done.stderr.trim().is_empty() {
                return Err(done.failure("cannot clone the repository"));
            }
            let words: Vec<&str> = args.iter().map(String::as_str).filter(|word| *word != "--").collect();
            let line = self.clean(Output { stdout: words.join(" "), ..Output::default() }).stdout;
            let failure = Failure::new(done.stderr.trim_end()).arg("dest").data(done.data());
            return Err(failure.data(self.told(&line, host)));
        }
        if let Some(refspec) = &self.task.refspec {
            self.must(host, &["fetch", &self.task.remote, refspec], "cannot fetch the refspec")?;
        }
        if self.task.bare.0 {
            return Ok(());
        }
        if let Version::Commit(commit) = version {
            self.check_out_commit(commit, host)?;
        }
        self.verify(host)?;
        self.update_submodules(host)
    }

    fn update(&self, version: &Version, moves: bool, host: &Host) -> Result<(), Failure> {
        let remote = self.task.remote.as_str();
        if moves {
            let known = self.run(host, &["config", "--get", &format!("remote.{remote}.url")])?.rc == 0;
            let verb = if known { "set-url" } else { "add" };
            self.must(host, &["remote", verb, remote, &self.task.repo], "cannot set the repository's URL")?;
        }
        self.fetch(host)?;
        if self.task.bare.0 {
            return Ok(());
        }
        match version {
            Version::Branch { name, .. } => {
                let there = format!("{remote}/{name}");
                self.must(host, &["checkout", "--force", "-B", name, &there], "cannot check out the branch")?;
                self.must(host, &["reset", "--hard", &there], "cannot bring the branch forward")?;
            }
            Version::Tag { name, .. } => {
                let tag = format!("refs/tags/{name}");
                self.must(host, &["checkout", "--force", "--detach", &tag], "cannot check out the tag")?;
            }
            Version::Commit(commit) => self.check_out_commit(commit, host)?,
        }
        self.verify(host)?;
        self.update_submodules(host)
    }

    /// Brings what the remote has into the repository, not into the checkout.
    fn fetch(&self, host: &Host) -> Result<(), Failure> {
        let remote = self.task.remote.as_str();
        let heads = format!("+refs/heads/*:refs/{}", if self.task.bare.0 { "heads/*" } else { "remotes/" });
        let heads = if self.task.bare.0 { heads } else { format!("{heads}{remote}/*") };
        let depth = self.depth();
        let mut args = vec!["fetch", "--force", "--tags"];
        args.extend(depth.iter().map(String::as_str));
        args.extend([remote, &heads]);
        args.extend(self.task.refspec.as_deref());
        let done = self.clean(self.run(host, &args)?);
        if done.rc != 0 {
            let msg = format!("Failed to download remote objects and refs:  {}{}", done.stdout, done.stderr);
            return Err(Failure::new(msg).data(done.data()));
        }
        Ok(())
    }

    fn check_out_commit(&self, commit: &str, host: &Host) -> Result<(), Failure> {
        if self.resolve(commit, host)?.is_none() {
            // In no branch, or beyond the depth.
            let depth = self.depth();
            let mut args = vec!["fetch"];
            args.extend(depth.iter().map(String::as_str));
            args.extend([self.task.remote.as_str(), commit]);
            self.run(host, &args)?;
        }
        if self.resolve(commit, host)?.is_none() {
            // As git tells it, which might take the name for that of a file.
            let is_whole = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            let (rc, said) = match is_whole {
                true => (128, format!("fatal: reference is not a tree: {commit}\n")),
                false => (1, format!("error: pathspec '{commit}' did not match any file(s) known to git\n")),
            };
            let told = data! { "rc" => rc, "stdout" => "", "stderr" => said };
            let cmd = self.told(&format!("checkout --force {commit}"), host);
            return Err(Failure::new(format!("Failed to checkout {commit}")).arg("version").data(told).data(cmd));
        }
        let done = self.clean(self.run(host, &["checkout", "--force", "--detach", commit])?);
        if done.rc != 0 {
            return Err(Failure::new(format!("Failed to checkout {commit}")).arg("version").data(done.data()));
        }
        Ok(())
    }

    fn update_submodules(&self, host: &Host) -> Result<(), Failure> {
        if !self.has_submodules() {
            return Ok(());
        }
        self.must(host, &["submodule", "sync", "--recursive"], "cannot set the submodules' URLs")?;
        let mut args = vec!["submodule", "update", "--init", "--recursive", "--force"];
        if self.task.track_submodules.0 {
            args.push("--remote");
        }
        self.must(host, &args, "cannot update the submodules")?;
        Ok(())
    }
}
