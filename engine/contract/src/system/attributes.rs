//! Ownership and permissions of a file: the arguments that all modules share that write files, and the only place that
//! compares and sets them.

use std::{
    fs::{self, Metadata},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::Path,
    sync::OnceLock,
};

use nix::unistd::{Gid, Uid};
use rplay_wire::{Diff, Failure, Map, Value, data};

use crate::{
    ArgError, Change, Plan, args,
    argtypes::{Flag, Text},
    io_failure::io_failure,
    system::{
        accounts::{gid_of, group_name, uid_of, user_name},
        flags,
        mode::{FileMode, Mode, NO_MODE},
        paths,
        selinux::{self, Label},
    },
};

args! {
    /// Owner, group and permissions of a file.
    pub struct Attributes {
        /// The permissions: `"0644"`, or `u=rw,g=r,o=r`. Quote octal numbers.
        mode: Option<FileMode>,
        /// The owner, by name or ID.
        owner: Option<Text>,
        /// The group, by name or ID.
        group: Option<Text>,
        /// The user part of the SELinux label.
        seuser: Option<Text>,
        /// The role part of the SELinux label.
        serole: Option<Text>,
        /// The type part of the SELinux label.
        setype: Option<Text>,
        /// The level part (MLS/MCS range) of the SELinux label.
        selevel: Option<Text>,
        /// File attributes as for chattr(1): `+i`, `-i`, `=ai`; without a sign, exactly these.
        attributes: Option<Text> | "attr",
        /// Write in place if the file cannot be replaced atomically (for example a bind mount). By default what the
        /// host's environment variable `ANSIBLE_UNSAFE_WRITES` says.
        unsafe_writes: Option<Flag>,
    }
}

impl Attributes {
    /// To be called by a module's `check`.
    ///
    /// # Errors
    /// If there is no such file attribute.
    pub fn check(&self) -> Result<(), ArgError> {
        match self.attributes.as_deref().map(flags::check) {
            Some(Err(msg)) => Err(ArgError::new("attributes", msg)),
            _ => Ok(()),
        }
    }

    /// Resolves names on this host.
    ///
    /// # Errors
    /// If a user or group does not exist, the mode is none or that of a copied file, or a part of a label is to be the
    /// policy's default.
    pub fn resolve(&self) -> Result<Wanted, Failure> {
        let wanted = self.resolve_copied()?;
        match wanted.mode {
            Some(Mode::Preserve) => Err(Failure::new(NO_MODE).arg("mode")),
            _ => Ok(wanted),
        }
    }

    /// As [`Attributes::resolve`], where files are copied, and so may keep their mode.
    ///
    /// # Errors
    /// The same.
    pub fn resolve_copied(&self) -> Result<Wanted, Failure> {
        let parts = [&self.seuser, &self.serole, &self.setype, &self.selevel];
        let mode = |FileMode(mode): &FileMode| mode.clone().ok_or_else(|| Failure::new(NO_MODE).arg("mode"));
        Ok(Wanted {
            uid: self.owner.as_deref().map(uid_of).transpose()?,
            gid: self.group.as_deref().map(gid_of).transpose()?,
            mode: self.mode.as_ref().map(mode).transpose()?,
            flags: self.attributes.clone().filter(|flags| !flags.is_empty()),
            label: Label::wanted(parts)?,
        })
    }
}

/// The desired owner, group, mode ...; `None` keeps the current value.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub mode: Option<Mode>,
    /// In chattr's notation.
    pub flags: Option<String>,
    pub label: Option<Label>,
}

impl Wanted {
    /// The differences of the file at `path`, before and after; empty if there are none. With `follow`, symbolic links
    /// are followed.
    ///
    /// # Errors
    /// If the file cannot be inspected.
    pub fn difference(&self, path: &Path, follow: bool) -> io::Result<(Map, Map)> {
        let meta = if follow { fs::metadata(path)? } else { fs::symlink_metadata(path)? };
        let (mut before, mut after) = (Map::new(), Map::new());
        let mut differs = |key: &str, old: Value, new: Value| {
            if old != new {
                before.insert(key.to_owned(), old);
                after.insert(key.to_owned(), new);
            }
        };
        if let Some(uid) = self.uid {
            differs("owner", meta.uid().into(), uid.into());
        }
        if let Some(gid) = self.gid {
            differs("group", meta.gid().into(), gid.into());
        }
        if let Some(mode) = self.mode_for(&meta) {
            differs("mode", octal(meta.mode()).into(), octal(mode).into());
        }
        if let Some(flags) = self.flags.as_deref().filter(|_| !meta.is_symlink()) {
            let present = flags::of(path).unwrap_or_default();
            differs(
                "attributes",
                flags::letters(present).into(),
                flags::letters(flags::applied(present, flags)).into(),
            );
        }
        if let Some(label) = &self.label {
            let present = selinux::label_of(path, follow);
            differs("secontext", present.clone().into(), label.applied(present.as_deref()).into());
        }
        Ok((before, after))
    }

    /// The differences from what a new file gets by itself, before and after.
    pub fn difference_of_new(&self) -> (Map, Map) {
        let (mut before, mut after) = (Map::new(), Map::new());
        let default = Wanted::default().mode_of_new(false);
        let mode = self.mode.as_ref().map(|_| Value::from(octal(self.mode_over(default))));
        let flags = self.flags.as_deref().map(|flags| Value::from(flags.trim_start_matches(['+', '='])));
        for (key, old, new) in [
            ("owner", Value::from(Uid::effective().as_raw()), self.uid.map(Value::from)),
            ("group", Value::from(Gid::effective().as_raw()), self.gid.map(Value::from)),
            ("mode", Value::from(octal(default)), mode),
            ("attributes", Value::from(""), flags),
        ] {
            if let Some(new) = new.filter(|new| *new != old) {
                before.insert(key.to_owned(), old);
                after.insert(key.to_owned(), new);
            }
        }
        (before, after)
    }

    /// Adds the change of the attributes at `path`, which must exist, if any differ.
    ///
    /// # Errors
    /// If the file cannot be inspected.
    pub fn plan(&self, path: &Path, follow: bool, plan: Plan) -> Result<Plan, Failure> {
        let (mut before, mut after) = self.difference(path, follow).map_err(|e| io_failure("look at", path, &e))?;
        if after.is_empty() {
            return Ok(plan);
        }
        let what = after.keys().cloned().collect::<Vec<_>>().join(", ");
        before.insert("path".to_owned(), paths::text(path).into());
        after.insert("path".to_owned(), paths::text(path).into());
        let (wanted, target) = (self.clone(), path.to_owned());
        let change = Change::new(format!("set {what} of {}", path.display()), move |_, _| {
            wanted.apply(&target, follow).map(|_| ())
        });
        Ok(plan.change(change.diff(state_diff(&before, &after))))
    }

    /// Sets differing attributes and returns whether there were any. For files that a change has just created, and for
    /// those found by [`Wanted::plan`].
    ///
    /// # Errors
    /// If the file cannot be inspected or changed.
    pub fn apply(&self, path: &Path, follow: bool) -> Result<bool, Failure> {
        let (before, after) = self.difference(path, follow).map_err(|e| io_failure("look at", path, &e))?;
        let owner = self.uid.filter(|_| after.contains_key("owner")).map(Uid::from_raw);
        let group = self.gid.filter(|_| after.contains_key("group")).map(Gid::from_raw);
        if owner.is_some() || group.is_some() {
            chown(path, owner, group, follow).map_err(|e| io_failure("change the owner of", path, &e))?;
        }
        // Read again: changing the owner may have cleared setuid and setgid.
        let meta = if follow { fs::metadata(path) } else { fs::symlink_metadata(path) };
        let meta = meta.map_err(|e| io_failure("look at", path, &e))?;
        if let Some(mode) = self.mode_for(&meta).filter(|mode| *mode != meta.mode() & 0o7777) {
            chmod(path, mode, follow).map_err(|e| io_failure("change the mode of", path, &e))?;
        }
        if let Some(Value::Str(label)) = after.get("secontext") {
            selinux::set_label(path, label, follow).map_err(|e| io_failure("label", path, &e))?;
        }
        if let Some(flags) = self.flags.as_deref().filter(|_| after.contains_key("attributes")) {
            flags::change(path, flags)?;
        }
        Ok(!before.is_empty())
    }

    /// The permission bits for a file with this metadata; `None` to keep them. On Linux, links have none of their own.
    pub fn mode_for(&self, meta: &Metadata) -> Option<u32> {
        let mode = self.mode.as_ref().filter(|mode| !meta.is_symlink() && **mode != Mode::Preserve)?;
        Some(mode.applied(meta.mode() & 0o7777, meta.is_dir(), umask()))
    }

    /// The permission bits for a file that would otherwise have the bits `present`.
    pub fn mode_over(&self, present: u32) -> u32 {
        self.mode.as_ref().map_or(present, |mode| mode.applied(present, false, umask()))
    }

    /// The permission bits of a new file or directory.
    pub fn mode_of_new(&self, is_directory: bool) -> u32 {
        let default = if is_directory { 0o777 } else { 0o666 } & !umask();
        self.mode.as_ref().map_or(default, |mode| mode.applied(default, is_directory, umask()))
    }
}

/// The state of a file as reported by all modules: path, owner, group, mode, size, state ...; empty if it does not
/// exist. Links are not followed.
pub fn describe(path: &Path) -> Map {
    let Ok(meta) = fs::symlink_metadata(path) else { return Map::new() };
    let mut map = data! {
        "uid" => meta.uid(),
        "gid" => meta.gid(),
        "owner" => user_name(meta.uid()),
        "group" => group_name(meta.gid()),
        "mode" => octal(meta.mode()),
        "state" => state_word(&meta),
        "size" => meta.size(),
    };
    if let Some(label) = selinux::label_of(path, false) {
        map.insert("secontext".to_owned(), label.into());
    }
    map
}

/// `file`, `directory`, `link` or `hard`, the values of `state` in the module `file`.
pub fn state_word(meta: &Metadata) -> &'static str {
    if meta.is_symlink() {
        "link"
    } else if meta.is_dir() {
        "directory"
    } else if meta.nlink() > 1 {
        "hard"
    } else {
        "file"
    }
}

/// Permission bits in the format of results: `0644`, and with setuid `04755`.
pub fn octal(mode: u32) -> String {
    format!("0{:03o}", mode & 0o7777)
}

/// A diff of two states that are not text, as JSON.
pub fn state_diff(before: &Map, after: &Map) -> Diff {
    Diff { before: state_text(before), after: state_text(after), ..Diff::default() }
}

/// A side of such a diff: JSON with sorted keys, indented by four.
pub fn state_text(side: &Map) -> String {
    let mut json = serde_json::Value::from(&Value::Map(side.clone()));
    json.sort_all_objects();
    let text = serde_json::to_string_pretty(&json).unwrap_or_default();
    text.lines().flat_map(|line| [&line[..line.len() - line.trim_start().len()], line, "\n"]).collect()
}

/// The umask. Read once; the agent never changes it.
pub fn umask() -> u32 {
    static UMASK: OnceLock<u32> = OnceLock::new();
    *UMASK.get_or_init(|| {
        let status = crate::system::regular::read_to_string("/proc/self/status").unwrap_or_default();
        let known = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        known.and_then(|bits| u32::from_str_radix(bits.trim(), 8).ok()).unwrap_or_else(|| {
            // Before Linux 4.7, reading requires setting it; meanwhile new files get too few permissions, never too
            // many.
            let present = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
            nix::sys::stat::umask(present);
            present.bits()
        })
    })
}

/// Changes the owner of a file; with `follow`, of a link's target.
///
/// # Errors
/// Those of chown(2).
pub fn chown(path: &Path, owner: Option<Uid>, group: Option<Gid>, follow: bool) -> io::Result<()> {
    let result = if follow {
        nix::unistd::chown(path, owner, group)
    } else {
        let flag = nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW;
        nix::unistd::fchownat(nix::fcntl::AT_FDCWD, path, owner, group, flag)
    };
    result.map_err(io::Error::from)
}

/// Changes the permission bits of a file. Without `follow`, a symbolic link that was put in its place meanwhile is not
/// followed.
fn chmod(path: &Path, mode: u32, follow: bool) -> io::Result<()> {
    let permissions = fs::Permissions::from_mode(mode);
    if follow {
        return fs::set_permissions(path, permissions);
    }
    // chmod(2) has no such flag before Linux 6.6: the file is opened with O_PATH and accessed through its descriptor.
    let flags = nix::libc::O_PATH | nix::libc::O_NOFOLLOW | nix::libc::O_CLOEXEC;
    let file = fs::File::options().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_symlink() {
        return Err(nix::errno::Errno::ELOOP.into());
    }
    match fs::set_permissions(format!("/proc/self/fd/{}", file.as_raw_fd()), permissions.clone()) {
        // /proc is missing, as in some chroots.
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::set_permissions(path, permissions),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(mode: &str) -> Wanted {
        Wanted { mode: Some(args::ArgType::parse(&mode.into()).unwrap()), ..Wanted::default() }
    }

    #[test]
    fn only_what_differs_is_changed_and_shown() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        fs::write(&file, "x").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(wanted("0600").plan(&file, false, Plan::unchanged()).unwrap().changes.is_empty());
        let plan = wanted("g+r").plan(&file, false, Plan::unchanged()).unwrap();
        let diff = plan.changes[0].diff.clone().unwrap();
        assert_eq!(diff.before, format!("{{\n    \"mode\": \"0600\",\n    \"path\": \"{}\"\n}}\n", file.display()));
        assert!(wanted("g+r").apply(&file, false).unwrap());
        assert_eq!(describe(&file)["mode"], "0640".into());
        assert!(!wanted("g+r").apply(&file, false).unwrap());
    }

    #[test]
    fn each_level_is_indented_by_four() {
        let content = data! { "files" => vec![Value::from("/a")], "directories" => Value::Null };
        let text = state_text(&data! { "path_content" => content });
        let lines = ["{", "    \"path_content\": {", "        \"directories\": null,", "        \"files\": ["];
        assert_eq!(text.lines().take(4).collect::<Vec<_>>(), lines);
        assert!(text.ends_with("            \"/a\"\n        ]\n    }\n}\n"), "{text}");
    }

    #[test]
    fn a_link_has_no_mode_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("f"), directory.path().join("l"));
        fs::write(&file, "x").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(!wanted("0777").apply(&link, false).unwrap());
        assert!(wanted("0777").apply(&link, true).unwrap());
        assert_eq!(describe(&file)["mode"], "0777".into());
        assert_eq!(describe(&link)["state"], "link".into());
    }
}
