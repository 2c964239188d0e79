//! Puts content into a file: checked by a command if asked, a copy of the old one kept if asked, and
//! replaced in one step, so that nobody ever reads half of it.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read, Seek, Write},
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use rplay_wire::{Blob, Diff, Failure, Map, data};
use rustix::fs::{AtFlags, CWD, linkat};
use tempfile::NamedTempFile;

use crate::{
    Change, Host, Plan,
    cannot::{Lock, cannot, locked},
    system::{
        attributes::{Attributes, Wanted},
        digest::Algorithm,
        flags, paths,
        preserved::{self, Preserved},
        process, regular, scratch, times,
    },
};

/// Content longer than this is not shown in a diff. Bytes.
pub const MAX_DIFF: u64 = 104_448;

/// What a file is to hold.
#[derive(Clone, Debug)]
pub enum Content {
    Bytes(Vec<u8>),
    /// As much as this file on the host holds.
    File(PathBuf),
    /// Stays with the controller unless the host has something else.
    Blob(Blob),
}

/// A file and what it is to hold. A symbolic link at `path` is replaced by a file; who wants to follow it
/// gives [`paths::real`].
pub struct Placement {
    pub path: PathBuf,
    pub content: Content,
    /// Owner, mode ...; what is left open stays as it is, or is the default for a new file.
    pub wanted: Wanted,
    /// Keep the file that is replaced, and report its name as `backup_file`.
    pub backup: bool,
    /// A command, with `%s` for the new file, that must succeed before it is taken.
    pub validate: Option<String>,
    /// Write into the old file if it cannot be replaced.
    pub unsafe_writes: bool,
    /// Whether content may be shown in a diff.
    pub shown: bool,
}

impl Placement {
    /// As [`Placement::new`], with nothing said about owner and mode.
    pub fn plain(path: impl Into<PathBuf>, content: Content) -> Self {
        Placement {
            path: path.into(),
            content,
            wanted: Wanted::default(),
            backup: false,
            validate: None,
            unsafe_writes: false,
            shown: true,
        }
    }

    /// No backup, no validation.
    pub fn new(path: impl Into<PathBuf>, content: Content, attributes: &Attributes) -> Result<Self, Failure> {
        Ok(Placement {
            path: path.into(),
            content,
            wanted: attributes.resolve()?,
            backup: false,
            validate: None,
            unsafe_writes: attributes.unsafe_writes.0,
            shown: true,
        })
    }

    pub fn backup(mut self, backup: bool) -> Self {
        self.backup = backup;
        self
    }

    pub fn validate(mut self, command: Option<String>) -> Self {
        self.validate = command;
        self
    }

    /// Whether the host's file holds something else, or is no plain file.
    pub fn differs(&self) -> Result<bool, Failure> {
        let Ok(meta) = fs::symlink_metadata(&self.path) else { return Ok(true) };
        if !meta.is_file() {
            return Ok(true);
        }
        // What has no blocks may have content all the same: the files of /proc and /sys.
        let has_length = |length: u64| meta.blocks() == 0 || meta.len() == length;
        let differs = match &self.content {
            Content::Bytes(bytes) if !has_length(bytes.len() as u64) => Ok(true),
            Content::Bytes(bytes) => regular::read(&self.path).map(|found| found != *bytes),
            Content::File(file) => same_content(&self.path, file).map(|same| !same),
            Content::Blob(blob) if !has_length(blob.size) => Ok(true),
            Content::Blob(blob) => Algorithm::Sha256.of_file(&self.path).map(|found| found != blob.sha256),
        };
        differs.map_err(|error| cannot("read", &self.path, &error))
    }

    /// Adds what is to be done to the plan: nothing, a change of owner and mode, or the file's replacement.
    /// Fails when the folder is not there, or the path is one.
    pub fn plan(mut self, host: &Host, mut plan: Plan) -> Result<Plan, Failure> {
        if let Some(command) = &self.validate
            && !command.contains("%s")
        {
            return Err(Failure::new(format!("validate must contain %s: {command}")).arg("validate"));
        }
        self.refuse_other_kinds()?;
        let exists = self.path.exists();
        if self.differs()? {
            let diff = self.diff(host)?;
            let verb = if exists { "replace" } else { "create" };
            let what = format!("{verb} {}", self.path.display());
            let (path, wanted) = (self.path.clone(), self.wanted.clone());
            plan = plan.change(Change::new(what, move |host, data| self.put(host, data)).diff(diff));
            if !exists || path.is_symlink() {
                return Ok(plan);
            }
            return wanted.plan(&path, false, plan);
        }
        self.wanted.plan(&self.path, false, plan)
    }

    fn diff(&mut self, host: &Host) -> Result<Diff, Failure> {
        let path = paths::text(&self.path);
        let mut diff = Diff { before_header: path.clone(), after_header: path, ..Diff::default() };
        if !self.shown {
            return Ok(diff);
        }
        // Small enough to be shown; it is needed on the host anyway.
        if let Content::Blob(blob) = &self.content
            && blob.size <= MAX_DIFF
        {
            self.content = Content::File(host.fetch(blob).map_err(|error| transfer(&error))?);
        }
        if self.path.exists() {
            match readable(regular::open(&self.path).and_then(|f| f.metadata()), || regular::read(&self.path)) {
                Ok(text) => diff.before = text,
                Err(why) => diff.before_header = why,
            }
        }
        let after = match &self.content {
            Content::Bytes(bytes) if bytes.len() as u64 > MAX_DIFF => Err(too_long()),
            Content::Bytes(bytes) => as_text(bytes.clone()),
            Content::File(file) => readable(fs::metadata(file), || regular::read(file)),
            Content::Blob(_) => Err(too_long()),
        };
        match after {
            Ok(text) => diff.after = text,
            Err(why) => diff.after_header = why,
        }
        Ok(diff)
    }

    /// Fails when a directory, a FIFO, a socket or a device stands where the file is to be.
    pub fn refuse_other_kinds(&self) -> Result<(), Failure> {
        if self.path.is_dir() && !self.path.is_symlink() {
            return Err(Failure::new(format!("{} is a directory, not a file", self.path.display())));
        }
        regular::refuse_special(&self.path).map_err(|error| cannot("replace", &self.path, &error))
    }

    /// Writes the file now. For modules that learn the content only while they change things. The new file is
    /// for its maker alone until it has all that the old one hands on; then it takes the old one's place.
    pub fn put(self, host: &Host, data: &mut Map) -> Result<(), Failure> {
        self.refuse_other_kinds()?;
        let failed = |error: &io::Error| cannot("write", &self.path, error);
        let is_there = fs::symlink_metadata(&self.path).is_ok_and(|meta| !meta.is_symlink());
        if is_there && let Some(lock) = locked(&self.path) {
            return Err(lock.failure("replace", &self.path));
        }
        let (mut new, is_beside) = self.temporary(is_there)?;
        match &self.content {
            Content::Bytes(bytes) => new.as_file_mut().write_all(bytes).map_err(|e| failed(&e))?,
            Content::File(file) => copy_into(file, new.as_file_mut()).map_err(|e| failed(&e))?,
            Content::Blob(blob) => {
                let file = host.fetch(blob).map_err(|e| transfer(&e))?;
                copy_into(&file, new.as_file_mut()).map_err(|e| failed(&e))?;
            }
        }
        if let Some(command) = &self.validate {
            validate(command, new.path(), host)?;
        }
        let old = is_there.then(|| Preserved::of(&self.path)).transpose().map_err(|e| failed(&e))?;
        if self.backup && self.path.is_file() {
            let kept = backup(&self.path, host)?;
            data.insert("backup_file".to_owned(), paths::text(kept).into());
        }
        match &old {
            Some(old) if is_beside => {
                old.give(new.as_file(), &self.wanted, &self.path)?.into_iter().for_each(|lost| host.warn(lost))
            }
            Some(_) => {}
            None if is_beside => preserved::give_new(new.as_file(), &self.wanted, &self.path)?,
            None => {}
        }
        if is_beside && self.wanted.label.is_some() {
            let label = Wanted { label: self.wanted.label.clone(), ..Wanted::default() };
            label.apply(new.path(), false)?;
        }
        let file = match old {
            Some(old) if !is_beside => self.overwrite(new, &old, host)?,
            None if !is_beside => self.add_name(new)?,
            old => match (new.persist(&self.path), old) {
                (Ok(file), _) => file,
                (Err(error), Some(old)) if self.unsafe_writes => self.overwrite(error.file, &old, host)?,
                (Err(error), _) => {
                    let failure = cannot("replace", &self.path, &error.error);
                    return Err(match failure.help {
                        Some(_) => failure,
                        None => failure.help("if it is a bind mount, write `unsafe_writes: true`"),
                    });
                }
            },
        };
        // Last of all: an immutable file could not have been moved to its place.
        match &self.wanted.flags {
            Some(written) => flags::change_open(&file, written, &self.path),
            None => Ok(()),
        }
    }

    /// A new file for the content, readable by its maker alone, and whether it is beside the one to replace.
    /// It is elsewhere when nothing can be made beside it: for `unsafe_writes`, if there is a file to write into,
    /// and for a new name in an append-only folder.
    fn temporary(&self, is_there: bool) -> Result<(NamedTempFile, bool), Failure> {
        let folder = paths::folder(&self.path);
        let lock = locked(folder);
        // What is made in an append-only folder could neither be moved nor removed again.
        let made = match &lock {
            None => scratch::file_in(folder),
            Some(_) => Err(io::Error::from(nix::errno::Errno::EPERM)),
        };
        match made {
            Ok(new) => Ok((new, true)),
            Err(_) if self.unsafe_writes && is_there || !is_there && lock.as_ref().is_some_and(Lock::takes_names) => {
                let new = scratch::file("").map_err(|error| cannot("make a temporary file for", &self.path, &error))?;
                Ok((new, false))
            }
            Err(error) => Err(match lock {
                Some(lock) => lock.failure("create a file in", folder),
                None if error.kind() == io::ErrorKind::PermissionDenied => {
                    let help =
                        "a file is replaced by a new one beside it; `unsafe_writes: true` writes into it as it stands";
                    cannot("create a file in", folder, &error).help(help)
                }
                None => cannot("write", &self.path, &error),
            }),
        }
    }

    /// Puts a file into an append-only folder, where it must have its name from the start: it gets it when it is
    /// whole, having had none before.
    fn add_name(&self, mut new: NamedTempFile) -> Result<File, Failure> {
        let failed = |error: io::Error| cannot("create", &self.path, &error);
        let flags = nix::libc::O_TMPFILE | nix::libc::O_CLOEXEC;
        let mut nameless = File::options();
        nameless.read(true).write(true).mode(0o600).custom_flags(flags);
        let mut file = nameless.open(paths::folder(&self.path)).map_err(failed)?;
        let source = new.as_file_mut();
        source.rewind().and_then(|()| io::copy(source, &mut file)).map_err(failed)?;
        preserved::give_new(&file, &self.wanted, &self.path)?;
        let held = format!("/proc/self/fd/{}", file.as_raw_fd());
        let linked = linkat(CWD, held, CWD, &self.path, AtFlags::SYMLINK_FOLLOW);
        linked.map_err(|error| failed(error.into()))?;
        let label = Wanted { label: self.wanted.label.clone(), ..Wanted::default() };
        label.apply(&self.path, false)?;
        Ok(file)
    }

    /// Writes into the old file as it stands: a mount point cannot be renamed over.
    fn overwrite(&self, mut new: NamedTempFile, old: &Preserved, host: &Host) -> Result<File, Failure> {
        let failed = |error: io::Error| cannot("write into", &self.path, &error);
        let mut file = regular::open_to_overwrite(&self.path).map_err(failed)?;
        let source = new.as_file_mut();
        source.rewind().map_err(failed)?;
        let length = io::copy(source, &mut file).map_err(failed)?;
        file.set_len(length).map_err(failed)?;
        // Writing takes setuid and capabilities away.
        old.give(&file, &self.wanted, &self.path)?.into_iter().for_each(|lost| host.warn(lost));
        let label = Wanted { label: self.wanted.label.clone(), ..Wanted::default() };
        label.apply(&self.path, false)?;
        Ok(file)
    }
}

/// The removal of a file, shown with what it held.
pub fn removal(path: PathBuf) -> Change {
    let shown = paths::text(&path);
    let held = readable(fs::metadata(&path), || regular::read(&path)).unwrap_or_default();
    let diff = Diff { before: held, before_header: shown.clone(), after_header: shown.clone(), ..Diff::default() };
    let remove = move |_: &Host, _: &mut Map| fs::remove_file(&path).map_err(|error| cannot("remove", &path, &error));
    Change::new(format!("remove {shown}"), remove).diff(diff)
}

/// Keeps a copy beside the file, under the name that Ansible gives it, with its times and all else that it
/// hands on, and returns its path. What could not be kept becomes a warning.
pub fn backup(path: &Path, host: &Host) -> Result<PathBuf, Failure> {
    let failed = |error: io::Error| cannot("make a backup of", path, &error);
    let time = times::now().strftime("%Y-%m-%d@%H:%M:%S").to_string();
    let mut source = regular::open(path).map_err(failed)?;
    // Several changes of one file within a second keep a backup each.
    let mut number = std::process::id();
    let (mut copy, kept) = loop {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{number}.{time}~"));
        let kept = path.with_file_name(name);
        match File::options().write(true).create_new(true).mode(0o600).open(&kept) {
            Ok(file) => break (file, kept),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number = number.wrapping_add(1),
            Err(error) => return Err(failed(error)),
        }
    };
    let mut fill = || -> Result<(), Failure> {
        io::copy(&mut source, &mut copy).map_err(failed)?;
        let old = Preserved::of(&paths::real(path)).map_err(failed)?;
        old.give(&copy, &Wanted::default(), path)?.into_iter().for_each(|lost| host.warn(format!("backup: {lost}")));
        let meta = source.metadata().map_err(failed)?;
        let times = fs::FileTimes::new();
        let times = meta.modified().map_or(times, |time| times.set_modified(time));
        let times = meta.accessed().map_or(times, |time| times.set_accessed(time));
        copy.set_times(times).map_err(failed)
    };
    let filled = fill();
    if filled.is_err() {
        // Half a backup is none.
        let _ = fs::remove_file(&kept);
    }
    filled.map(|()| kept)
}

fn validate(command: &str, file: &Path, host: &Host) -> Result<(), Failure> {
    let about = |msg: String| Failure::new(msg).arg("validate");
    let command = command.replace("%s", &shell_words::quote(&file.to_string_lossy()));
    let words = shell_words::split(&command).map_err(|error| about(format!("cannot read `{command}`: {error}")))?;
    let Some((program, arguments)) = words.split_first() else { return Err(about("nothing to run".to_owned())) };
    let done = process::run(host.command(program).args(arguments), None, host.max_output());
    let done = done.map_err(|error| about(format!("failed to validate: cannot run {program}: {error}")))?;
    if done.rc == 0 {
        return Ok(());
    }
    let said = if done.stderr.trim().is_empty() { &done.stdout } else { &done.stderr };
    // Of a program that prints without end only the last words count.
    let said = if done.excess.is_some() { said.lines().next_back().unwrap_or_default() } else { said.trim() };
    Err(about(format!("failed to validate: {said}")).data(data! {
        "exit_status" => done.rc, "stdout" => done.stdout.as_str(), "stderr" => done.stderr.as_str(),
    }))
}

fn copy_into(file: &Path, target: &mut File) -> io::Result<()> {
    io::copy(&mut regular::open(file)?, target).map(|_| ())
}

fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (regular::open(one)?, regular::open(other)?);
    let (left, right) = (one.metadata()?, other.metadata()?);
    if left.len() != right.len() && left.blocks() > 0 && right.blocks() > 0 {
        return Ok(false);
    }
    let (mut one, mut other) =
        (io::BufReader::with_capacity(1 << 16, one), io::BufReader::with_capacity(1 << 16, other));
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let read = one.read(&mut left)?;
        if read == 0 {
            return Ok(other.read(&mut right)? == 0);
        }
        match other.read_exact(&mut right[..read]) {
            Ok(()) if left[..read] == right[..read] => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

fn readable(meta: io::Result<Metadata>, read: impl FnOnce() -> io::Result<Vec<u8>>) -> Result<String, String> {
    match meta {
        Ok(meta) if meta.len() > MAX_DIFF => Err(too_long()),
        _ => read().map_err(|error| format!("diff skipped: {error}")).and_then(as_text),
    }
}

fn as_text(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.contains(&0) {
        return Err("diff skipped: the content is binary".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "diff skipped: the content is binary".to_owned())
}

fn too_long() -> String {
    format!("diff skipped: the content is longer than {MAX_DIFF} bytes")
}

fn transfer(error: &io::Error) -> Failure {
    Failure::new(format!("the content did not arrive: {error}"))
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::{PermissionsExt, symlink},
        sync::Arc,
    };

    use rustix::fs::{XattrFlags, getxattr, setxattr};

    use super::*;
    use crate::{NoBlobs, system::mode::Mode};

    fn host() -> Host {
        Host::new(Vec::new(), Arc::new(NoBlobs))
    }

    fn placement(path: &Path, text: &str) -> Placement {
        Placement {
            path: path.to_owned(),
            content: Content::Bytes(text.into()),
            wanted: Wanted::default(),
            backup: false,
            validate: None,
            unsafe_writes: false,
            shown: true,
        }
    }

    #[test]
    fn the_same_content_is_no_change_and_other_content_is_shown_and_put() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        fs::write(&file, "old\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(placement(&file, "old\n").plan(&host(), Plan::unchanged()).unwrap().changes.is_empty());
        let plan = placement(&file, "new\n").plan(&host(), Plan::unchanged()).unwrap();
        let diff = plan.changes[0].diff.as_ref().unwrap();
        assert_eq!((diff.before.as_str(), diff.after.as_str()), ("old\n", "new\n"));
        assert_eq!(fs::read_to_string(&file).unwrap(), "old\n", "planning changes nothing");
        let mut data = Map::new();
        placement(&file, "new\n").backup(true).put(&host(), &mut data).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new\n");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
        let kept = data["backup_file"].as_str().unwrap();
        assert_eq!(fs::read_to_string(kept).unwrap(), "old\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
    }

    #[test]
    fn content_that_does_not_validate_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        let good = placement(&file, "good").validate(Some("grep -q good %s".into()));
        good.put(&host(), &mut Map::new()).unwrap();
        let bad = placement(&file, "bad").validate(Some("grep -q good %s".into()));
        let failure = bad.put(&host(), &mut Map::new()).unwrap_err();
        assert_eq!(failure.data["exit_status"], 1.into());
        assert_eq!(fs::read_to_string(&file).unwrap(), "good");
        let without = placement(&file, "x").validate(Some("true".into()));
        assert!(without.plan(&host(), Plan::unchanged()).is_err());
    }

    #[test]
    fn a_link_is_replaced_and_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("f"), folder.path().join("l"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(placement(&link, "old").differs().unwrap());
        placement(&link, "new").put(&host(), &mut Map::new()).unwrap();
        assert!(!link.is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    }

    /// u::rw-, u:1:rw-, g::r--, m::rw-, o::---: the permission bits show as 0660.
    const ACL: &[u8] = &[
        2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 6, 0, 1, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 6,
        0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
    ];

    /// Sets an extended attribute; whether this file system and user can.
    fn attribute(path: &Path, name: &str, value: &[u8]) -> bool {
        let is_set = setxattr(path, name, value, XattrFlags::empty()).is_ok();
        if !is_set {
            eprintln!("skipped: {name} cannot be set here");
        }
        is_set
    }

    fn found(path: &Path, name: &str) -> Option<Vec<u8>> {
        let mut buffer = [0; 256];
        getxattr(path, name, &mut buffer).ok().map(|length| buffer[..length].to_vec())
    }

    fn bits(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn the_new_file_and_the_backup_have_the_attributes_of_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        // cap_net_raw+ep, as the kernel keeps it.
        let capability = [[1, 0, 0, 2, 0, 32, 0, 0].as_slice(), &[0; 12]].concat();
        let all = [
            ("user.note", b"hi".as_slice()),
            ("trusted.note", b"root"),
            ("system.posix_acl_access", ACL),
            ("security.capability", &capability),
        ];
        fs::write(&file, "old").unwrap();
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(&file, Some(1), Some(1)).unwrap();
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o4755)).unwrap();
        let kept: Vec<_> = all.into_iter().filter(|(name, value)| attribute(&file, name, value)).collect();
        let (mode, owner) = (bits(&file), fs::metadata(&file).unwrap().uid());
        let mut data = Map::new();
        let host = host();
        placement(&file, "new").backup(true).put(&host, &mut data).unwrap();
        let backup = PathBuf::from(data["backup_file"].as_str().unwrap());
        for path in [&file, &backup] {
            assert_eq!((bits(path), fs::metadata(path).unwrap().uid()), (mode, owner));
            for (name, value) in &kept {
                assert_eq!(found(path, name).as_deref(), Some(*value), "{name} of {}", path.display());
            }
        }
        assert_eq!(host.take_warnings(), Vec::<String>::new());
    }

    #[test]
    fn explicit_permissions_move_the_mask_and_not_the_group() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        fs::write(&file, "old").unwrap();
        if !attribute(&file, "system.posix_acl_access", ACL) {
            return;
        }
        let mut placement = placement(&file, "new");
        placement.wanted.mode = Some(Mode::Bits(0o640));
        placement.put(&host(), &mut Map::new()).unwrap();
        let acl = crate::system::acl::Acl::read(&found(&file, "system.posix_acl_access").unwrap()).unwrap();
        assert_eq!((bits(&file), acl), (0o640, crate::system::acl::Acl::read(ACL).unwrap().with_mode(0o640, 7)));
    }

    #[test]
    fn a_folders_default_list_does_not_reach_a_replaced_file() {
        let folder = tempfile::tempdir().unwrap();
        if !attribute(folder.path(), "system.posix_acl_default", ACL) {
            return;
        }
        let file = folder.path().join("f");
        let made = tempfile::NamedTempFile::new().unwrap();
        fs::write(&made, "old").unwrap();
        // Moved there, it has no list.
        if made.persist(&file).is_err() || found(&file, "system.posix_acl_access").is_some() {
            return;
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        placement(&file, "new").put(&host(), &mut Map::new()).unwrap();
        assert_eq!((bits(&file), found(&file, "system.posix_acl_access")), (0o640, None));
    }

    #[test]
    fn another_owner_gets_neither_setuid_nor_capabilities() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o4755)).unwrap();
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let mut placement = placement(&file, "new");
        placement.wanted.uid = Some(1);
        placement.put(&host(), &mut Map::new()).unwrap();
        assert_eq!((bits(&file), fs::metadata(&file).unwrap().uid()), (0o755, 1));
    }

    #[test]
    fn backups_within_a_second_do_not_replace_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        fs::write(&file, "1").unwrap();
        let kept = |text: &str| {
            let mut data = Map::new();
            placement(&file, text).backup(true).put(&host(), &mut data).unwrap();
            fs::read_to_string(data["backup_file"].as_str().unwrap()).unwrap()
        };
        assert_eq!((kept("2"), kept("3"), kept("4")), ("1".into(), "2".into(), "3".into()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    #[test]
    fn special_files_are_not_replaced_and_links_to_them_are() {
        let folder = tempfile::tempdir().unwrap();
        let (fifo, link) = (folder.path().join("fifo"), folder.path().join("link"));
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        symlink(&fifo, &link).unwrap();
        let said = format!("cannot replace {}: it is a FIFO, not a regular file", fifo.display());
        let refused = placement(&fifo, "x").plan(&host(), Plan::unchanged()).map(|_| ()).unwrap_err();
        assert_eq!(refused.msg, said);
        assert_eq!(placement(&fifo, "x").put(&host(), &mut Map::new()).unwrap_err().msg, said);
        placement(&link, "x").plan(&host(), Plan::unchanged()).unwrap();
        placement(&link, "x").put(&host(), &mut Map::new()).unwrap();
        assert!(link.is_file() && !link.is_symlink() && !fifo.is_file());
    }

    #[test]
    fn files_of_proc_have_content_though_no_length() {
        let text = fs::read_to_string("/proc/version").unwrap();
        assert!(!placement(Path::new("/proc/version"), &text).differs().unwrap());
        assert!(placement(Path::new("/proc/version"), "other").differs().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("f");
        let from_proc = Placement::plain(&copy, Content::File("/proc/version".into()));
        from_proc.put(&host(), &mut Map::new()).unwrap();
        assert_eq!(fs::read_to_string(&copy).unwrap(), text);
        assert!(!Placement::plain(&copy, Content::File("/proc/version".into())).differs().unwrap());
    }

    /// As root only, and only where the file system has such attributes.
    #[test]
    fn what_is_locked_says_so_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (file, inner) = (folder.path().join("f"), folder.path().join("d"));
        fs::write(&file, "old").unwrap();
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("g"), "old").unwrap();
        for (path, letter, name) in [
            (&file, 'i', "immutable"),
            (&file, 'a', "append-only"),
            (&inner, 'i', "immutable"),
            (&inner, 'a', "append-only"),
        ] {
            if flags::change(path, &format!("+{letter}")).is_err() {
                eprintln!("skipped: {letter} cannot be set here");
                return;
            }
            let target = if path.is_dir() { inner.join("g") } else { file.clone() };
            let refused = placement(&target, "new").backup(true).put(&host(), &mut Map::new());
            let in_place = Placement { unsafe_writes: true, ..placement(&target, "new") }.put(&host(), &mut Map::new());
            let changed = flags::change(path, &format!("-{letter}"));
            let said = format!("Operation not permitted, as it is {name} (attribute `{letter}`)");
            assert!(refused.as_ref().unwrap_err().msg.ends_with(&said), "{refused:?}");
            changed.unwrap();
            if path.is_dir() {
                in_place.unwrap();
                assert_eq!(fs::read_to_string(&target).unwrap(), "new");
                fs::write(&target, "old").unwrap();
            } else {
                assert!(in_place.is_err());
            }
            assert_eq!(fs::read_to_string(&target).unwrap(), "old");
            assert_eq!((fs::read_dir(folder.path()).unwrap().count(), fs::read_dir(&inner).unwrap().count()), (2, 1));
        }
    }

    #[test]
    fn a_new_file_in_an_append_only_folder_has_its_name_at_once() {
        let folder = tempfile::tempdir().unwrap();
        if flags::change(folder.path(), "+a").is_err() {
            eprintln!("skipped: no folder can be append-only here");
            return;
        }
        let mut placement = placement(&folder.path().join("f"), "new").validate(Some("grep -q new %s".into()));
        placement.wanted.mode = Some(Mode::Bits(0o640));
        let made = placement.put(&host(), &mut Map::new());
        flags::change(folder.path(), "-a").unwrap();
        made.unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("f")).unwrap(), "new");
        assert_eq!((bits(&folder.path().join("f")), fs::read_dir(folder.path()).unwrap().count()), (0o640, 1));
    }

    #[test]
    fn what_a_full_disk_cuts_off_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let mount = folder.path().join("m");
        fs::create_dir(&mount).unwrap();
        let small =
            nix::mount::mount(Some("tmpfs"), &mount, Some("tmpfs"), nix::mount::MsFlags::empty(), Some("size=16k"));
        if small.is_err() {
            eprintln!("skipped: nothing can be mounted here");
            return;
        }
        let file = mount.join("f");
        fs::write(&file, "old").unwrap();
        let failure =
            placement(&file, &"x".repeat(100_000)).put(&host(), &mut Map::new()).map_err(|failure| failure.msg);
        let left: Vec<_> = fs::read_dir(&mount).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        let content = fs::read_to_string(&file).unwrap();
        // The same folder, which cannot be written to any more.
        let flags = nix::mount::MsFlags::MS_REMOUNT | nix::mount::MsFlags::MS_RDONLY;
        nix::mount::mount(None::<&str>, &mount, None::<&str>, flags, None::<&str>).unwrap();
        let read_only = placement(&file, "new").put(&host(), &mut Map::new()).map_err(|failure| failure.msg);
        nix::mount::umount(&mount).unwrap();
        assert_eq!(failure.unwrap_err(), format!("cannot write {}: No space left on device", file.display()));
        assert_eq!((left, content.as_str()), (vec!["f".into()], "old"));
        assert_eq!(read_only.unwrap_err(), format!("cannot write {}: Read-only file system", file.display()));
    }

    #[test]
    fn a_mount_point_is_written_into_only_when_that_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let (below, point) = (folder.path().join("below"), folder.path().join("point"));
        fs::write(&below, "old, and long").unwrap();
        fs::write(&point, "").unwrap();
        let bind = nix::mount::MsFlags::MS_BIND;
        if nix::mount::mount(Some(&below), &point, None::<&str>, bind, None::<&str>).is_err() {
            eprintln!("skipped: nothing can be mounted here");
            return;
        }
        let refused = placement(&point, "new").put(&host(), &mut Map::new());
        let written = Placement { unsafe_writes: true, ..placement(&point, "new") }.put(&host(), &mut Map::new());
        nix::mount::umount(&point).unwrap();
        let refused = refused.unwrap_err();
        assert!(refused.msg.ends_with("Device or resource busy") && refused.help.unwrap().contains("unsafe_writes"));
        written.unwrap();
        assert_eq!(fs::read_to_string(&below).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn long_and_binary_content_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        fs::write(&file, [0, 159, 1]).unwrap();
        let plan = placement(&file, &"x".repeat(200_000)).plan(&host(), Plan::unchanged()).unwrap();
        let diff = plan.changes[0].diff.as_ref().unwrap();
        assert!(diff.before_header.contains("binary") && diff.after_header.contains("longer"));
        assert!(diff.after.is_empty());
    }
}
