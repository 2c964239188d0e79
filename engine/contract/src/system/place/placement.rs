//! A file with its desired content: comparison and replacement.

use std::{
    fs::{self, File},
    io::{self, Seek},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::PathBuf,
};

use rplay_wire::{Diff, Failure, Map, Value};
use rustix::fs::{AtFlags, CWD, linkat};
use tempfile::NamedTempFile;

use super::{
    backup::backup,
    content::{Content, fetched},
    shown::{Unshown, as_text, readable},
    validation::validate,
};
use crate::{
    Change, Host, Plan,
    args::ArgType,
    argtypes::Flag,
    io_failure::{Lock, io_failure, locked, python_error},
    system::{
        attributes::{Attributes, Wanted},
        flags, paths,
        preserved::{self, Preserved},
        regular, scratch,
    },
};

/// A file with its desired content. A symbolic link at `path` is replaced by a file; to follow it, pass
/// [`paths::real`].
pub struct Placement {
    pub path: PathBuf,
    pub content: Content,
    /// Owner, mode ...; unset ones are kept, or get the defaults of a new file.
    pub wanted: Wanted,
    /// Why owner and mode cannot be set. As in ansible-core, the content is put in place all the same.
    pub refused: Option<Failure>,
    /// Keep a copy of the previous file, and report its name as `backup_file`.
    pub backup: bool,
    /// The name that tasks know the file by, if it is a link to `path`: that of the kept copy.
    pub link: Option<PathBuf>,
    /// A command, with `%s` for the new file, that must succeed before the file is replaced.
    pub validate: Option<String>,
    /// Write in place if the file cannot be replaced; `None` leaves it to the environment of the call.
    pub unsafe_writes: Option<bool>,
    /// Whether content may be shown in a diff.
    pub shown: bool,
}

/// Whether `ANSIBLE_UNSAFE_WRITES` allows to write in place.
fn by_environment(host: &Host) -> bool {
    let set = host.variable("ANSIBLE_UNSAFE_WRITES").map(Value::from);
    set.is_some_and(|set| Flag::parse(&set).is_ok_and(|flag| flag.0))
}

impl Placement {
    /// Like [`Placement::new`], without owner and mode.
    pub fn plain(path: impl Into<PathBuf>, content: Content) -> Self {
        Placement {
            path: path.into(),
            content,
            wanted: Wanted::default(),
            refused: None,
            backup: false,
            link: None,
            validate: None,
            unsafe_writes: Some(false),
            shown: true,
        }
    }

    /// A file to be put at `path`, without backup and validation.
    pub fn new(path: impl Into<PathBuf>, content: Content, attributes: &Attributes) -> Self {
        let (wanted, refused) = match attributes.resolve() {
            Ok(wanted) => (wanted, None),
            Err(failure) => (Wanted::default(), Some(failure)),
        };
        let unsafe_writes = attributes.unsafe_writes.map(|flag| flag.0);
        Placement { wanted, refused, unsafe_writes, ..Placement::plain(path, content) }
    }

    pub fn backup(mut self, backup: bool) -> Self {
        self.backup = backup;
        self
    }

    pub fn validate(mut self, command: Option<String>) -> Self {
        self.validate = command;
        self
    }

    /// Whether the host's file has other content, or is not a regular file.
    ///
    /// # Errors
    /// If the host's file, or the new content, cannot be read.
    pub fn differs(&self) -> Result<bool, Failure> {
        let Ok(meta) = fs::symlink_metadata(&self.path) else { return Ok(true) };
        if !meta.is_file() {
            return Ok(true);
        }
        let differs = self.content.differs(&self.path, &meta);
        differs.map_err(|error| io_failure("read", &self.path, &error))
    }

    /// Plans what is needed: nothing, a change of owner and mode, or a replacement.
    ///
    /// # Errors
    /// If the directory does not exist, the path is a directory, the host's file cannot be read, or nothing is to be put
    /// in place and owner or mode cannot be set.
    pub fn plan(mut self, host: &Host, mut plan: Plan) -> Result<Plan, Failure> {
        self.refuse_other_kinds()?;
        let exists = self.path.exists();
        let differs = self.differs()?;
        if let Some(failure) = self.refused.take_if(|_| host.check && exists || !differs) {
            return Err(failure);
        }
        if differs {
            // As in ansible-core, check mode does not look at the command.
            if let Some(command) = self.validate.as_ref().filter(|command| !host.check && !command.contains("%s")) {
                return Err(Failure::new(format!("validate must contain %s: {command}")).arg("validate"));
            }
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
        let most = host.max_diff();
        // Small enough to be shown; it is needed on the host anyway.
        if let Content::Blob(blob) = &self.content
            && blob.size <= most
        {
            self.content = Content::File(fetched(blob, host)?);
        }
        if self.path.exists() {
            match readable(regular::open(&self.path).and_then(|f| f.metadata()), most, || regular::read(&self.path)) {
                Ok(text) => diff.before = text,
                Err(why) => diff.before_header = why,
            }
        }
        let after = match &self.content {
            Content::Bytes(bytes) if bytes.len() as u64 > most => Err(Unshown::Long(most).header()),
            Content::Bytes(bytes) => as_text(bytes.clone()),
            Content::File(file) => readable(fs::metadata(file), most, || regular::read(file)),
            Content::Blob(_) => Err(Unshown::Long(most).header()),
        };
        match after {
            Ok(text) => diff.after = text,
            Err(why) => diff.after_header = why,
        }
        Ok(diff)
    }

    /// Whether an existing file may be written where it is if no new one can replace it.
    pub fn may_write_in_place(&self, host: &Host) -> bool {
        self.unsafe_writes.unwrap_or_else(|| by_environment(host))
    }

    /// Refuses a path that is a directory, a FIFO, a socket or a device.
    ///
    /// # Errors
    /// If it is one of these.
    pub fn refuse_other_kinds(&self) -> Result<(), Failure> {
        if self.path.is_dir() && !self.path.is_symlink() {
            return Err(Failure::new(format!("{} is a directory, not a file", self.path.display())));
        }
        regular::refuse_special(&self.path).map_err(|error| io_failure("replace", &self.path, &error))
    }

    /// Writes the file immediately, for modules that learn the content only while making changes. The new file is
    /// private until it has all preserved attributes; then it replaces the old one.
    ///
    /// # Errors
    /// If the file cannot be written or put in place, or its validation fails; the old file stays. If its owner or mode
    /// cannot be set.
    pub fn put(mut self, host: &Host, data: &mut Map) -> Result<(), Failure> {
        self.refuse_other_kinds()?;
        let failed = |error: &io::Error| io_failure("write", &self.path, error);
        let is_there = fs::symlink_metadata(&self.path).is_ok_and(|meta| !meta.is_symlink());
        if is_there && let Some(lock) = locked(&self.path) {
            return Err(lock.failure("replace", &self.path));
        }
        let unsafe_writes = self.may_write_in_place(host);
        let (mut new, is_beside) = self.temporary(is_there, unsafe_writes)?;
        self.content.write_to(new.as_file_mut(), &self.path, host)?;
        if let Some(command) = &self.validate {
            validate(command, new.path(), host)?;
        }
        let old = is_there.then(|| Preserved::of(&self.path)).transpose().map_err(|e| failed(&e))?;
        if self.backup && self.path.is_file() {
            let kept = backup(self.link.as_deref().unwrap_or(&self.path), host)?;
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
                (Err(error), Some(old)) if unsafe_writes => self.overwrite(error.file, &old, host)?,
                (Err(error), _) => {
                    let failure = io_failure("replace", &self.path, &error.error);
                    return Err(match failure.help {
                        Some(_) => failure,
                        None => failure.help("if it is a bind mount, set `unsafe_writes: true`"),
                    });
                }
            },
        };
        // Last, since an immutable file could not be moved to its destination.
        if let Some(written) = &self.wanted.flags {
            flags::change_open(&file, written, &self.path)?;
        }
        self.refused.take().map_or(Ok(()), Err)
    }

    /// A new private file for the content, and whether it is next to the one to replace. If no file can be created
    /// there, it is elsewhere: for `unsafe_writes` with an existing file, and for a new file in an append-only
    /// directory.
    fn temporary(&self, is_there: bool, unsafe_writes: bool) -> Result<(NamedTempFile, bool), Failure> {
        let directory = paths::directory(&self.path);
        let lock = locked(directory);
        // A file created in an append-only directory could neither be moved nor removed.
        let made = match &lock {
            None => scratch::file_in(directory),
            Some(_) => Err(io::Error::from(nix::errno::Errno::EPERM)),
        };
        match made {
            Ok(new) => Ok((new, true)),
            Err(_) if unsafe_writes && is_there || !is_there && lock.as_ref().is_some_and(Lock::takes_names) => {
                let new =
                    scratch::file("").map_err(|error| io_failure("create a temporary file for", &self.path, &error))?;
                Ok((new, false))
            }
            Err(error) => Err(match lock {
                Some(lock) => lock.failure("create a file in", directory),
                None if error.kind() == io::ErrorKind::PermissionDenied => {
                    let help = "files are replaced by a new one in the same directory; set `unsafe_writes: true` to write in place";
                    let (shown, error) = (directory.display(), python_error(&error));
                    let msg = format!(
                        "Task failed: Module failed: The destination directory '{shown}' is not writable by the current \
                         user: {error}: b'{shown}'"
                    );
                    Failure::new(msg).help(help)
                }
                None => io_failure("write", &self.path, &error),
            }),
        }
    }

    /// Adds a file to an append-only directory, where files cannot be renamed: the complete, unnamed file gets its
    /// final name.
    fn add_name(&self, mut new: NamedTempFile) -> Result<File, Failure> {
        let failed = |error: io::Error| io_failure("create", &self.path, &error);
        let flags = nix::libc::O_TMPFILE | nix::libc::O_CLOEXEC;
        let mut nameless = File::options();
        nameless.read(true).write(true).mode(0o600).custom_flags(flags);
        let mut file = nameless.open(paths::directory(&self.path)).map_err(failed)?;
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

    /// Writes to the old file in place, since a mount point cannot be replaced.
    fn overwrite(&self, mut new: NamedTempFile, old: &Preserved, host: &Host) -> Result<File, Failure> {
        let failed = |error: io::Error| io_failure("write into", &self.path, &error);
        let mut file = regular::open_to_overwrite(&self.path).map_err(failed)?;
        let source = new.as_file_mut();
        source.rewind().map_err(failed)?;
        let length = io::copy(source, &mut file).map_err(failed)?;
        file.set_len(length).map_err(failed)?;
        // Writing clears setuid and capabilities.
        old.give(&file, &self.wanted, &self.path)?.into_iter().for_each(|lost| host.warn(lost));
        let label = Wanted { label: self.wanted.label.clone(), ..Wanted::default() };
        label.apply(&self.path, false)?;
        Ok(file)
    }
}
