//! file: creates and removes files, directories and links, and sets their owner and mode.

use std::{
    io,
    path::{Path, PathBuf},
};

use rplay_wire::{Failure, Map, data};

use crate::system::fs;
use crate::{
    ArgError, Change, Host, Module, Plan, Wording, args,
    argtypes::{Flag, PathArg, Text},
    choice,
    io_failure::{io_failure, python_error},
    system::{
        accounts::{Group, User},
        attributes::{Attributes, Wanted, describe, state_diff, state_word},
        folders::{made_diff, make_folders_or},
        paths,
        times::{FORMAT, Moment, Times},
    },
};

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

/// The current state of a path: `absent`, `link`, `directory`, `hard` or `file`.
pub(crate) fn present(path: &Path) -> &'static str {
    fs::symlink_metadata(path).map_or("absent", |meta| state_word(&meta))
}

/// The fields of a failure that describe its file.
pub(crate) fn described(path: &Path) -> Map {
    if path.exists() { describe(path) } else { Map::new() }
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
        let of_target = |failure: Failure| {
            let real = if self.follow.0 { paths::real(&shown) } else { shown.clone() };
            failure.data(data! { "path" => paths::text(&real) }).data(described(&real))
        };
        // An unknown owner is reported only if the file itself could have been made.
        let (wanted, unknown) = match self.attributes.resolve() {
            _ if state == State::Absent => (Wanted::default(), None),
            Ok(wanted) => (wanted, None),
            Err(failure) => (Wanted::default(), Some(of_target(failure))),
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
        if let Some(failure) = unknown {
            return Err(failure);
        }
        let mut plan = plan;
        if host.diff && state != State::Absent && plan.changes.iter().all(|change| change.diff.is_none()) {
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

/// What to do at a path.
pub(crate) struct Job {
    pub wanted: Wanted,
    pub src: Option<PathBuf>,
    pub follow: bool,
    pub force: bool,
    pub times: Times,
}

impl Job {
    fn file(self, path: PathBuf) -> Result<Plan, Failure> {
        let path = if self.follow && path.is_symlink() { paths::real(&path) } else { path };
        let found = present(&path);
        if !matches!(found, "file" | "hard") {
            return Err(Failure::new(format!("file ({}) is {found}, cannot continue", path.display()))
                .arg("path")
                .data(data! { "state" => found })
                .help(match found {
                    "absent" => "use `state: touch` to create an empty file, or use copy or template",
                    _ => "set `state` to what it should be",
                }));
        }
        let plan = self.settled(&path, Plan::unchanged())?;
        Ok(plan.set("path", paths::text(path)))
    }

    /// Sets owner, mode and times of an existing file.
    pub(crate) fn settled(&self, path: &Path, plan: Plan) -> Result<Plan, Failure> {
        let plan = self.wanted.plan(path, self.follow, plan)?;
        let differs = self.times.difference(path, self.follow);
        let (mut before, mut after) = differs.map_err(|error| io_failure("look at", path, &error))?;
        if after.is_empty() {
            return Ok(plan);
        }
        before.insert("path".to_owned(), paths::text(path).into());
        after.insert("path".to_owned(), paths::text(path).into());
        let (times, target, follow) = (self.times, path.to_owned(), self.follow);
        let change =
            Change::new(format!("set the times of {}", path.display()), move |_, _| times.apply(&target, follow));
        Ok(plan.change(change.diff(state_diff(&before, &after))))
    }

    fn touch(self, path: PathBuf) -> Result<Plan, Failure> {
        let target = if self.follow && path.is_symlink() { paths::real(&path) } else { path.clone() };
        if present(&target) != "absent" {
            return self.settled(&target, Plan::unchanged());
        }
        let (wanted, times, made) = (self.wanted, self.times, target.clone());
        let diff = made_diff(&target, &wanted, "touch");
        let change = Change::new(format!("create {}", target.display()), move |_, _| {
            let open = fs::File::options().write(true).create_new(true).open(&made);
            open.map_err(|error| {
                Failure::new("Error, could not touch target.")
                    .arg("path")
                    .help(io_failure("create", &made, &error).msg)
                    .data(data! { "path" => paths::text(&made) })
            })?;
            // A file that cannot get its owner or mode does not stay.
            let settled = wanted.apply(&made, false).and_then(|_| times.apply(&made, false));
            settled.inspect_err(|_| drop(fs::remove_file(&made)))
        });
        Ok(Plan::unchanged().change(change.diff(diff)))
    }

    fn directory(self, path: PathBuf, recurse: bool) -> Result<Plan, Failure> {
        let path = if self.follow && path.is_symlink() { paths::real(&path) } else { path };
        let found = present(&path);
        let mut plan = match found {
            "absent" => {
                let whole = path.clone();
                let not_made = move |folder: &Path, error: &io::Error| {
                    let msg = format!(
                        "There was an issue creating {} as requested: {}: b'{}'",
                        folder.display(),
                        python_error(error),
                        folder.display()
                    );
                    Failure::new(msg).arg("path").data(data! { "path" => paths::text(&whole) })
                };
                make_folders_or(&path, &self.wanted, Plan::unchanged(), not_made)?
            }
            "directory" => self.settled(&path, Plan::unchanged())?,
            other => {
                let msg = format!("{} already exists as a {other}", path.display());
                return Err(Failure::new(msg).arg("path"));
            }
        };
        if recurse && found == "directory" {
            plan = self.recurse(&path, plan)?;
        }
        Ok(plan.set("path", paths::text(path)))
    }

    fn recurse(&self, folder: &Path, mut plan: Plan) -> Result<Plan, Failure> {
        let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let mut entries = entries.map_err(|error| io_failure("read", folder, &error))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            plan = self.wanted.plan(&path, false, plan)?;
            let is_link = path.is_symlink();
            if path.is_dir() && (!is_link || self.follow) {
                if is_link {
                    plan = self.wanted.plan(&path, true, plan)?;
                    if folder.starts_with(paths::real(&path)) {
                        // It leads back to a directory being walked.
                        continue;
                    }
                }
                plan = self.recurse(&path, plan)?;
            } else if is_link && self.follow && path.exists() {
                plan = self.wanted.plan(&path, true, plan)?;
            }
        }
        Ok(plan)
    }
}

fn absent(path: &Path, host: &Host) -> Result<Plan, Failure> {
    let found = present(path);
    if found == "absent" {
        return Ok(Plan::unchanged());
    }
    let gone = path.to_owned();
    let change = Change::new(format!("remove {}", path.display()), move |_, _: &mut Map| {
        let removed = match fs::symlink_metadata(&gone) {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(&gone),
            Ok(_) => fs::remove_file(&gone),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_failure("remove", &gone, &error)),
            _ => Ok(()),
        }
    });
    let mut before = data! { "path" => paths::text(path), "state" => found };
    if host.diff && found == "directory" {
        let (mut folders, mut files) = (Vec::new(), Vec::new());
        held(path, &mut folders, &mut files);
        before.insert("path_content".to_owned(), data! { "directories" => folders, "files" => files }.into());
    }
    let after = data! { "path" => paths::text(path), "state" => "absent" };
    Ok(Plan::unchanged().change(change.diff(state_diff(&before, &after))))
}

/// What is in a directory and those below: directories and anything else.
fn held(folder: &Path, folders: &mut Vec<String>, files: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut own: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    own.sort();
    let (below, rest): (Vec<_>, Vec<_>) = own.into_iter().partition(|path| path.is_dir());
    folders.extend(below.iter().map(paths::text));
    files.extend(rest.iter().map(paths::text));
    below.iter().filter(|path| !path.is_symlink()).for_each(|path| held(path, folders, files));
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rplay_wire::{Outcome, Value};

    use super::*;
    use crate::runner::tests::{call, checked};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    /// Check mode predicts the change without making it, the first run makes it, and the second finds nothing to do.
    fn thrice(args: Map, untouched: impl Fn() -> bool) -> Outcome {
        let foretold = checked("file", args.clone());
        assert!(foretold.changed && untouched(), "{foretold:?}");
        let made = call("file", args.clone());
        assert!(made.changed && made.failure.is_none(), "{made:?}");
        assert_eq!(made.diff.len(), foretold.diff.len());
        let again = call("file", args);
        assert!(!again.changed && again.failure.is_none(), "{again:?}");
        made
    }

    fn text(path: &Path) -> Value {
        path.to_str().unwrap().into()
    }

    #[test]
    fn folders_are_made_with_those_they_stand_in() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("a/b");
        let args = data! { "path" => text(&path), "state" => "directory", "mode" => "u=rwx,g=rx,o=" };
        let made = thrice(args, || !path.exists());
        assert_eq!((mode(&path), mode(&base.path().join("a"))), (0o750, 0o750));
        assert_eq!((&made.data["state"], &made.data["mode"]), (&"directory".into(), &"0750".into()));
        assert!(made.diff[0].before.contains("absent"));
    }

    #[test]
    fn recurse_sets_all_that_differs() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("d/f");
        fs::create_dir(base.path().join("d")).unwrap();
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let args = data! { "path" => text(base.path()), "recurse" => true, "mode" => "u=rwX,g=rX,o=rX" };
        thrice(args, || mode(&file) == 0o600);
        assert_eq!((mode(&file), mode(&base.path().join("d"))), (0o644, 0o755));
    }

    #[test]
    fn what_does_not_go_with_the_state_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let (file, link) = (base.path().join("f"), base.path().join("l"));
        fs::write(&file, "").unwrap();
        symlink("f", &link).unwrap();
        let said = |args: Map| {
            let outcome = call("file", args);
            (outcome.failure.unwrap().msg, outcome.data.get("path").cloned(), outcome.data.get("state").cloned())
        };
        let src = "src option requires state to be 'link' or 'hard'".to_owned();
        let recurse = "recurse option requires state to be 'directory'".to_owned();
        let new = base.path().join("new");
        assert_eq!(said(data! { "path" => text(&new), "src" => "x" }), (src.clone(), Some(text(&new)), None));
        let found = Some("file".into());
        assert_eq!(said(data! { "path" => text(&file), "src" => "x" }), (src, Some(text(&file)), found.clone()));
        for args in [data! {}, data! { "state" => "file" }, data! { "state" => "touch" }] {
            let mut args = args;
            args.extend(data! { "path" => text(&file), "recurse" => true });
            assert_eq!(said(args), (recurse.clone(), Some(text(&file)), found.clone()));
        }
        // A link that is there stays one, and owner and mode are those of what it leads to.
        let (msg, path, _) = said(data! { "path" => text(&link), "owner" => "no-such-user" });
        assert_eq!((msg.as_str(), path), ("chown failed: failed to look up user no-such-user", Some(text(&file))));
        let peek = call("file", data! { "path" => text(&file), "_diff_peek" => true });
        assert_eq!(peek.data, data! { "path" => text(&file), "appears_binary" => false });
    }

    #[test]
    fn accounts_may_come_into_being_before_a_file_does() {
        let base = tempfile::tempdir().unwrap();
        let new = base.path().join("new");
        for (name, value, said) in [
            ("owner", "no-such", "failed to look up user no-such. Create user up to this point in real play"),
            ("owner", "987654", "failed to look up user with uid 987654. Create user up to this point in real play"),
            ("group", "no-such", "failed to look up group no-such. Create group up to this point in real play"),
        ] {
            let args = |path: &Path| data! { "path" => text(path), "state" => "directory", name => value };
            let outcome = checked("file", args(&new));
            assert_eq!((outcome.changed, outcome.warnings.as_slice()), (true, [said.to_owned()].as_slice()));
            let outcome = checked("file", args(base.path()));
            assert_eq!(
                (outcome.failure.is_some(), outcome.warnings.as_slice()),
                (value != "987654", [said.to_owned()].as_slice())
            );
        }
    }

    #[test]
    fn a_difference_always_names_the_path() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("f");
        fs::write(&file, "").unwrap();
        for (path, state) in [(file.as_path(), "file"), (base.path(), "directory")] {
            let side = data! { "path" => text(path) };
            let outcome = call("file", data! { "path" => text(path), "state" => state });
            assert_eq!(outcome.data["diff"], data! { "before" => side.clone(), "after" => side }.into());
        }
        let times = data! { "access_time" => "preserve", "modification_time" => "preserve" };
        let mut args = data! { "path" => text(&file), "state" => "touch" };
        args.extend(times);
        let side = |word: &str| data! { "path" => text(&file), "state" => word };
        let diff = data! { "before" => side("file"), "after" => side("touch") };
        assert_eq!(call("file", args).data["diff"], diff.into());
        let changed = call("file", data! { "path" => text(&file), "mode" => "0604" });
        assert!(!changed.data.contains_key("diff") && changed.diff.len() == 1);
    }

    #[test]
    fn what_cannot_be_made_is_told_as_ansible_does() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("f");
        fs::write(&file, "").unwrap();
        let under = file.join("x");
        let shown = under.display();
        for (state, msg) in [
            ("touch", "Error, could not touch target.".to_owned()),
            (
                "directory",
                format!("There was an issue creating {shown} as requested: [Errno 20] Not a directory: b'{shown}'"),
            ),
        ] {
            let outcome = call("file", data! { "path" => text(&under), "state" => state });
            assert_eq!((outcome.failure.unwrap().msg, &outcome.data["path"]), (msg, &text(&under)));
        }
        let link = base.path().join("l");
        let args = data! { "path" => text(&link), "src" => "nowhere", "state" => "link", "force" => true };
        for _ in 0..2 {
            assert!(matches!(call("file", args.clone()).warnings.as_slice(), [one] if one.contains("non-existent")));
        }
        let mut args = args;
        args.insert("follow".to_owned(), false.into());
        assert!(call("file", args).warnings.is_empty());
    }

    #[test]
    fn a_file_must_be_there_already_and_touch_makes_it() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("f");
        let failure = call("file", data! { "path" => text(&path), "mode" => "0600" }).failure.unwrap();
        assert_eq!(failure.msg, format!("file ({}) is absent, cannot continue", path.display()));
        let touched = call("file", data! { "path" => text(&path), "state" => "touch", "mode" => "0600" });
        assert!(touched.changed && mode(&path) == 0o600);
        assert_eq!(touched.data["dest"], text(&path));
        assert!(call("file", data! { "path" => text(&path), "state" => "touch" }).changed);
        let args = data! {
            "path" => text(&path), "state" => "touch",
            "modification_time" => "202601020304.05", "access_time" => "preserve",
        };
        thrice(args, || true);
    }

    #[test]
    fn links_are_made_turned_and_refused() {
        let base = tempfile::tempdir().unwrap();
        let (one, two, link) = (base.path().join("one"), base.path().join("two"), base.path().join("link"));
        fs::write(&one, "1").unwrap();
        fs::write(&two, "2").unwrap();
        let to = |target: &str, force: bool| data! { "path" => text(&link), "src" => target, "state" => "link", "force" => force };
        thrice(to("one", false), || !link.exists());
        thrice(to("two", false), || fs::read_link(&link).unwrap() == Path::new("one"));
        assert!(call("file", to("gone", false)).failure.unwrap().msg.contains("src file does not exist"));
        thrice(to("gone", true), || fs::read_link(&link).unwrap() == Path::new("two"));
        let onto_file =
            |force: bool| data! { "path" => text(&one), "src" => text(&two), "state" => "link", "force" => force };
        assert!(call("file", onto_file(false)).failure.unwrap().msg.contains("refusing to convert"));
        thrice(onto_file(true), || !one.is_symlink());
    }

    #[test]
    fn hard_links_share_what_they_are() {
        let base = tempfile::tempdir().unwrap();
        let (one, two) = (base.path().join("one"), base.path().join("two"));
        fs::write(&one, "1").unwrap();
        let made = thrice(data! { "path" => text(&two), "src" => text(&one), "state" => "hard" }, || !two.exists());
        assert_eq!(made.data["state"], "hard".into());
        let failure = call("file", data! { "path" => text(&two), "src" => "/no/such", "state" => "hard" }).failure;
        assert_eq!(failure.unwrap().msg, "src does not exist");
    }

    #[test]
    fn absent_takes_away_folders_and_links_but_not_what_links_lead_to() {
        let base = tempfile::tempdir().unwrap();
        let (folder, link) = (base.path().join("d"), base.path().join("l"));
        fs::create_dir_all(folder.join("e")).unwrap();
        symlink(&folder, &link).unwrap();
        thrice(data! { "path" => text(&link), "state" => "absent" }, || link.is_symlink());
        assert!(folder.is_dir());
        let made = thrice(data! { "path" => text(&folder), "state" => "absent" }, || folder.is_dir());
        assert_eq!(made.data["state"], "absent".into());
    }

    #[test]
    fn arguments_that_do_not_go_together_are_refused() {
        let failure = call("file", data! { "path" => "/x", "state" => "touch", "recurse" => true }).failure.unwrap();
        assert_eq!(failure.arg.as_deref(), Some("recurse"));
        let failure = call("file", data! { "path" => "/x", "state" => "absent", "src" => "/y" }).failure.unwrap();
        assert!(failure.msg.contains("src option requires state to be"));
        assert!(call("file", data! { "path" => "/x", "setype" => "etc_t" }).failure.is_some());
    }
}
