//! file: creates and removes files, directories and links, and sets their owner and mode.

pub(crate) mod job;

use std::path::{Path, PathBuf};

use rplay_wire::{Failure, data};

use crate::{
    ArgError, Change, Host, Module, Plan, Wording, args,
    argtypes::{Flag, PathArg, Text},
    choice,
    system::{
        accounts::{Group, User},
        attributes::{Attributes, Wanted, describe},
        paths,
        times::{FORMAT, Moment, Times},
    },
};
use job::{Job, absent, described, present};

choice! {
    /// The desired state of the path.
    pub enum State {
        /// Nothing.
        Absent = "absent",
        /// A directory, with its parent directories.
        Directory = "directory",
        /// A file that is there already: its owner and mode are set.
        File = "file",
        /// A hard link.
        Hard = "hard",
        /// A symbolic link.
        Link = "link",
        /// A file, empty if it is new; its times are set to now.
        Touch = "touch",
    }
}

/// In messages about wrong arguments.
pub(crate) const WORDING: Wording = Wording { internal: &["_diff_peek", "_original_basename"], ..Wording::USUAL };

args! {
    /// Creates and removes files, directories and links, and sets their owner and mode.
    pub struct File {
        ..attributes: Attributes,
        /// The path of the file, directory or link.
        path: PathArg | "dest" | "name",
        /// The desired state. By default the current one, or a directory with `recurse`.
        state: Option<State>,
        /// The target of a link.
        src: Option<PathArg>,
        /// Set owner and mode of the directory's content too.
        recurse: Flag = Flag(false),
        /// Create a link even if its target is missing or another file has to be replaced.
        force: Flag = Flag(false),
        /// Whether to follow a symbolic link at the path.
        follow: Flag = Flag(true),
        /// `preserve`, `now`, or a time. The default is `now` for `touch`, otherwise `preserve`.
        modification_time: Option<Text>,
        /// The format of `modification_time`, as for strptime(3).
        modification_time_format: Text = FORMAT.to_owned(),
        /// `preserve`, `now`, or a time. The default is `now` for `touch`, otherwise `preserve`.
        access_time: Option<Text>,
        /// The format of `access_time`, as for strptime(3).
        access_time_format: Text = FORMAT.to_owned(),
        _original_basename: Option<Text>,
        /// Only tell whether the file looks binary; for whoever compares files before they are replaced.
        _diff_peek: Option<Flag>,
    }
}

/// Whether a file has a byte in its beginning that text does not have.
fn looks_binary(path: &Path) -> bool {
    use std::io::Read;
    let mut start = Vec::new();
    let read = crate::system::regular::open(path).and_then(|file| file.take(8192).read_to_end(&mut start));
    read.is_ok() && start.contains(&0)
}

impl File {
    /// In check mode, an earlier task may have created the owner and the group: a warning tells of those that the host
    /// does not know, and what does not exist yet goes without them.
    fn await_accounts(&mut self, host: &Host, is_new: bool) {
        let missing = |kind: &str, id: &str, name: &str| {
            let numbered =
                if name.bytes().all(|byte| byte.is_ascii_digit()) { format!(" with {id}") } else { String::new() };
            host.warn(format!(
                "failed to look up {kind}{numbered} {name}. Create {kind} up to this point in real play"
            ));
        };
        let is_known = |name: &String| match name.parse() {
            Ok(uid) => User::numbered(uid).is_some(),
            Err(_) => User::named(name).is_some(),
        };
        if let Some(owner) = self.attributes.owner.as_ref().filter(|owner| !is_known(owner)) {
            missing("user", "uid", owner);
            self.attributes.owner.take_if(|_| is_new);
        }
        let is_known = |name: &String| match name.parse() {
            Ok(gid) => Group::numbered(gid).is_some(),
            Err(_) => Group::named(name).is_some(),
        };
        if let Some(group) = self.attributes.group.as_ref().filter(|group| !is_known(group)) {
            missing("group", "gid", group);
            self.attributes.group.take_if(|_| is_new);
        }
    }

    /// Whether the other arguments are allowed with the state; by default that is the state of the existing file.
    fn suits(&self, state: State) -> Result<(), Failure> {
        if self.recurse.0 && state != State::Directory {
            return Err(Failure::new("recurse option requires state to be 'directory'").arg("recurse"));
        }
        if self.src.is_some() && !matches!(state, State::Link | State::Hard) {
            return Err(Failure::new("src option requires state to be 'link' or 'hard'").arg("src"));
        }
        Ok(())
    }
}

impl Module for File {
    fn check(&self) -> Result<(), ArgError> {
        self.attributes.check()
    }

    fn plan(mut self, host: &Host) -> Result<Plan, Failure> {
        let mut path = self.path.on(host);
        if self._diff_peek.is_some_and(|peek| peek.0) {
            return Ok(Plan::unchanged().set("path", paths::text(&path)).set("appears_binary", looks_binary(&path)));
        }
        let state = self.state.unwrap_or_else(|| match present(&path) {
            "link" => State::Link,
            "hard" => State::Hard,
            "directory" => State::Directory,
            "absent" if self.recurse.0 => State::Directory,
            _ => State::File,
        });
        self.suits(state)
            .map_err(|failure| failure.data(data! { "path" => paths::text(&path) }).data(described(&path)))?;
        // A file whose path is a directory is created in it, under the name of its source.
        if !matches!(state, State::Link | State::Absent | State::Directory) && path.is_dir() {
            let name = self._original_basename.take().map(PathBuf::from);
            let src = self.src.as_ref().and_then(|src| src.on(host).file_name().map(PathBuf::from));
            if let Some(name) = name.or(src) {
                path.push(name);
            }
        }
        if host.check && state != State::Absent {
            self.await_accounts(host, present(&path) == "absent");
        }
        let default = if state == State::Touch { "now" } else { "preserve" };
        let times = Times {
            modified: Moment::read(
                self.modification_time.as_deref().unwrap_or(default),
                &self.modification_time_format,
                "modification_time",
            )?,
            accessed: Moment::read(
                self.access_time.as_deref().unwrap_or(default),
                &self.access_time_format,
                "access_time",
            )?,
        };
        let shown = path.clone();
        let about = |failure: Failure| {
            let is_followed = self.follow.0 && state != State::Link && shown.is_symlink();
            let real = if is_followed { paths::real(&shown) } else { shown.clone() };
            failure.data(data! { "path" => paths::text(&real) }).data(described(&real))
        };
        // Owner and mode are those of what a link leads to.
        let (target, follow) = (path.clone(), self.follow.0);
        let of_target = move |failure: Failure| {
            let real = if follow { paths::real(&target) } else { target };
            failure.data(data! { "path" => paths::text(&real) }).data(described(&real))
        };
        // An unknown owner is reported only if the file itself could have been made.
        let (wanted, unknown) = match self.attributes.resolve() {
            _ if state == State::Absent => (Wanted::default(), None),
            Ok(wanted) => (wanted, None),
            Err(failure) => (Wanted::default(), Some(failure)),
        };
        let job = Job {
            wanted,
            src: self.src.as_ref().map(|src| src.on(host)),
            follow: self.follow.0,
            force: self.force.0,
            times,
        };
        let key = if matches!(state, State::Link | State::Hard | State::Touch) { "dest" } else { "path" };
        let plan = match state {
            State::File => job.file(path),
            State::Directory => job.directory(path, self.recurse.0),
            State::Touch => job.touch(path),
            State::Link => job.link(path),
            State::Hard => job.hard(path),
            State::Absent => absent(&path, host),
        };
        let plan = match state {
            // Reports the path and the target of the link.
            State::Hard | State::Link => plan?,
            _ => plan.map_err(about)?,
        };
        let mut plan = plan;
        if let Some(failure) = unknown {
            // As in ansible-core, what was touched into being is removed again, other things stay.
            if host.check || plan.changes.is_empty() {
                return Err(of_target(failure));
            }
            let touched = (state == State::Touch && present(&shown) == "absent").then(|| shown.clone());
            let set = Change::new("set owner and mode".to_owned(), move |_, _| {
                let failure = of_target(failure);
                touched.map_or(Ok(()), crate::system::fs::remove_file)?;
                Err(failure)
            });
            return Ok(plan.change(set));
        }
        // In check mode, ansible-core does not tell of what a file would be that it touched into being.
        let is_untold = host.check && state == State::Touch && present(&shown) == "absent";
        if host.check && state == State::Directory && present(&shown) == "absent" {
            for change in &mut plan.changes {
                change.diff = change.diff.take().map(|diff| job::unmade(&diff, &shown));
            }
        }
        if is_untold {
            plan.changes.iter_mut().for_each(|change| change.diff = None);
        } else if host.diff && state != State::Absent && plan.changes.iter().all(|change| change.diff.is_none()) {
            // As in ansible-core, the difference always names the path.
            let side = |word: &str| match state {
                State::Touch => data! { "path" => paths::text(&shown), "state" => word },
                _ => data! { "path" => paths::text(&shown) },
            };
            plan = plan.set("diff", data! { "before" => side(present(&shown)), "after" => side("touch") });
        }
        Ok(plan.finish(move |_, data| {
            let path = data.get(key).and_then(|path| path.as_str()).map(PathBuf::from).unwrap_or(shown);
            data.insert(key.to_owned(), paths::text(&path).into());
            if state == State::Absent && !path.exists() {
                data.insert("state".to_owned(), "absent".into());
            } else if path.exists() {
                // In check mode, a file to remove still exists.
                data.extend(describe(&path));
            }
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests;
