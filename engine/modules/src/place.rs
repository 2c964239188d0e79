//! Puts content into a file: checked by a command if asked, a copy of the old one kept if asked, and
//! replaced in one step, so that nobody ever reads half of it.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use nix::unistd::{Gid, Uid};
use rplay_wire::{Blob, Diff, Failure, Map, data};

use crate::{
    Change, Host, Plan,
    attributes::{Attributes, Wanted, chown, umask},
    cannot::cannot,
    digest::Algorithm,
    paths, selinux, times,
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
        let differs = match &self.content {
            Content::Bytes(bytes) => Ok(meta.len() != bytes.len() as u64 || fs::read(&self.path)? != *bytes),
            Content::File(file) => same_content(&self.path, file).map(|same| !same),
            Content::Blob(blob) if meta.len() != blob.size => Ok(true),
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
        if self.path.is_dir() && !self.path.is_symlink() {
            return Err(Failure::new(format!("{} is a directory, not a file", self.path.display())));
        }
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
            match readable(File::open(&self.path).and_then(|f| f.metadata()), || fs::read(&self.path)) {
                Ok(text) => diff.before = text,
                Err(why) => diff.before_header = why,
            }
        }
        let after = match &self.content {
            Content::Bytes(bytes) if bytes.len() as u64 > MAX_DIFF => Err(too_long()),
            Content::Bytes(bytes) => as_text(bytes.clone()),
            Content::File(file) => readable(fs::metadata(file), || fs::read(file)),
            Content::Blob(_) => Err(too_long()),
        };
        match after {
            Ok(text) => diff.after = text,
            Err(why) => diff.after_header = why,
        }
        Ok(diff)
    }

    /// Writes the file now. For modules that learn the content only while they change things.
    pub fn put(self, host: &Host, data: &mut Map) -> Result<(), Failure> {
        let folder = paths::folder(&self.path);
        let failed = |error: &io::Error| cannot("write", &self.path, error);
        let mut new = tempfile::Builder::new().prefix(".rplay-").tempfile_in(folder).map_err(|e| failed(&e))?;
        match &self.content {
            Content::Bytes(bytes) => new.write_all(bytes).map_err(|e| failed(&e))?,
            Content::File(file) => copy_into(file, &mut new).map_err(|e| failed(&e))?,
            Content::Blob(blob) => {
                let file = host.fetch(blob).map_err(|e| transfer(&e))?;
                copy_into(&file, &mut new).map_err(|e| failed(&e))?;
            }
        }
        if let Some(command) = &self.validate {
            validate(command, new.path(), host)?;
        }
        let old = fs::symlink_metadata(&self.path).ok().filter(|meta| !meta.is_symlink());
        if self.backup && self.path.is_file() {
            let kept = backup(&self.path)?;
            data.insert("backup_file".to_owned(), paths::text(kept).into());
        }
        if let Some(old) = &old {
            keep(old, &self.path, new.path()).map_err(|e| failed(&e))?;
        } else {
            let mode = 0o666 & !umask();
            fs::set_permissions(new.path(), fs::Permissions::from_mode(mode)).map_err(|e| failed(&e))?;
        }
        let bare = Wanted { flags: None, ..self.wanted.clone() };
        bare.apply(new.path(), false)?;
        if let Err(error) = new.persist(&self.path) {
            if !self.unsafe_writes {
                let failure = cannot("replace", &self.path, &error.error);
                return Err(failure.help("if it is a bind mount, write `unsafe_writes: true`"));
            }
            // Into the file as it stands: a mount point cannot be renamed over.
            let mut source = error.file.reopen().map_err(|e| failed(&e))?;
            let mut target =
                fs::OpenOptions::new().write(true).truncate(true).open(&self.path).map_err(|e| failed(&e))?;
            io::copy(&mut source, &mut target).map_err(|e| failed(&e))?;
        }
        self.wanted.apply(&self.path, false).map(|_| ())
    }
}

/// The removal of a file, shown with what it held.
pub fn removal(path: PathBuf) -> Change {
    let shown = paths::text(&path);
    let held = readable(fs::metadata(&path), || fs::read(&path)).unwrap_or_default();
    let diff = Diff { before: held, before_header: shown.clone(), after_header: shown.clone(), ..Diff::default() };
    let remove = move |_: &Host, _: &mut Map| fs::remove_file(&path).map_err(|error| cannot("remove", &path, &error));
    Change::new(format!("remove {shown}"), remove).diff(diff)
}

/// Gives the new file the owner, permissions and label of the old one. As another user than root the
/// owner cannot be kept; the file is then the user's own, as it would be after any editor.
fn keep(old: &Metadata, path: &Path, new: &Path) -> io::Result<()> {
    let (owner, group) = (Uid::from_raw(old.uid()), Gid::from_raw(old.gid()));
    match chown(new, Some(owner), Some(group), false) {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
        _ => {}
    }
    fs::set_permissions(new, fs::Permissions::from_mode(old.mode() & 0o7777))?;
    match selinux::label_of(path, false) {
        Some(label) => selinux::set_label(new, &label, false),
        None => Ok(()),
    }
}

/// Keeps a copy beside the file, under the name that Ansible gives it, and returns its path.
pub fn backup(path: &Path) -> Result<PathBuf, Failure> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    let time = times::now().strftime("%Y-%m-%d@%H:%M:%S");
    name.push(format!(".{}.{time}~", std::process::id()));
    let kept = path.with_file_name(name);
    let copied = fs::copy(path, &kept).and_then(|_| {
        let old = fs::metadata(path)?;
        keep(&old, path, &kept)?;
        File::options().append(true).open(&kept)?.set_modified(old.modified()?)
    });
    copied.map_err(|error| cannot("make a backup of", path, &error))?;
    Ok(kept)
}

fn validate(command: &str, file: &Path, host: &Host) -> Result<(), Failure> {
    let about = |msg: String| Failure::new(msg).arg("validate");
    let command = command.replace("%s", &shell_words::quote(&file.to_string_lossy()));
    let words = shell_words::split(&command).map_err(|error| about(format!("cannot read `{command}`: {error}")))?;
    let Some((program, arguments)) = words.split_first() else { return Err(about("nothing to run".to_owned())) };
    let output = host.command(program).args(arguments).output();
    let output = output.map_err(|error| about(format!("failed to validate: cannot run {program}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let said = if stderr.trim().is_empty() { &stdout } else { &stderr };
    Err(about(format!("failed to validate: {}", said.trim())).data(data! {
        "exit_status" => output.status.code(),
        "stdout" => stdout.as_ref(),
        "stderr" => stderr.as_ref(),
    }))
}

fn copy_into(file: &Path, target: &mut impl Write) -> io::Result<()> {
    io::copy(&mut File::open(file)?, target).map(|_| ())
}

fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
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
    use std::sync::Arc;

    use super::*;
    use crate::NoBlobs;

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
