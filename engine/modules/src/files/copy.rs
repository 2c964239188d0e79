//! copy: writes content from the controller, or from elsewhere on the host, to files.

mod job;

use std::{os::unix::fs::MetadataExt, path::PathBuf};

use rplay_wire::{Failure, Value, data};

use crate::system::fs;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    io_failure::io_failure,
    system::{
        attributes::{Attributes, Wanted, describe},
        mode::{FileMode, Mode},
        paths,
        place::Content,
        tree::{self, Kind, Node},
    },
};
use job::{Job, untransferred};

args! {
    /// Copies files and directories to the host.
    pub struct Copy {
        ..attributes: Attributes,
        /// The file or directory to copy: on the controller, or on the host with `remote_src`. A directory that ends in
        /// `/` stands for its content.
        src: Option<Text>,
        /// Text to write, instead of `src`.
        content: Option<Value>,
        /// The destination. If it ends in `/` or is a directory, the file keeps its name.
        dest: PathArg,
        /// Keep a copy of the previous file.
        backup: Flag = Flag(false),
        /// Whether to replace an existing file.
        force: Flag = Flag(true),
        /// A command that must accept the new file before it is put in place; `%s` is its path.
        validate: Option<Text>,
        /// The permissions of created directories.
        directory_mode: Option<Mode>,
        /// Whether `src` is on the host.
        remote_src: Flag = Flag(false),
        /// Whether to follow a symbolic link at `dest`.
        follow: Flag = Flag(false),
        /// Whether to follow symbolic links in `src` or copy them as links. By default they are followed on the
        /// controller, and copied with `remote_src`.
        local_follow: Option<Flag>,
        /// The SHA-1 of the content, which is verified.
        checksum: Option<Text>,
        /// Whether the controller decrypts a vaulted `src`.
        decrypt: Flag = Flag(true),
        _content: Option<Value>,
        _original_basename: Option<Text>,
        _source: Option<Text>,
        _tree: Option<Vec<Value>>,
        _assembled: Flag = Flag(false),
    }
}

impl Module for Copy {
    fn check(&self) -> Result<(), ArgError> {
        let is_sent = self._content.is_some() || self._tree.is_some();
        if self.dest.0.is_empty() {
            return Err(ArgError::new("dest", "dest is required"));
        }
        match (&self.src, &self.content) {
            (None, None) if !is_sent => Err(ArgError::new("src", "src (or content) is required")),
            (Some(_), Some(_)) => Err(ArgError::new("content", "src and content are mutually exclusive")),
            (None, Some(_)) if self.dest.0.ends_with('/') => {
                Err(ArgError::new("dest", "can not use content with a dir as dest"))
            }
            _ if self.attributes.mode == Some(FileMode(Some(Mode::Preserve))) => Ok(()),
            _ => self.attributes.check(),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let dest = self.dest.on(host);
        let ends_in_slash = self.dest.0.ends_with('/');
        let is_directory = |src: &String| PathBuf::from(paths::expand(src, host)).is_dir();
        let is_tree = self._tree.is_some() || self.remote_src.0 && self.src.as_ref().is_some_and(is_directory);
        let (wanted, refused) = match self.attributes.resolve_copied() {
            Ok(wanted) => (wanted, None),
            // As in ansible-core, the content of one file is put in place all the same.
            Err(failure) if !is_tree => (Wanted::default(), Some(failure)),
            Err(failure) => return Err(failure),
        };
        let job = Job {
            wanted,
            refused,
            directory_mode: self.directory_mode.clone(),
            attributes: self.attributes.clone(),
            backup: self.backup.0,
            force: self.force.0,
            follow: self.follow.0,
            validate: self.validate.clone(),
            checksum: self.checksum.clone(),
            keeps_modes: false,
            is_assembled: self._assembled.0,
            is_remote: self.remote_src.0 && self._content.is_none() && self._tree.is_none(),
            source: self._source.clone(),
        };
        let src = self.src.clone();
        if let Some(entries) = &self._tree {
            if let Some(checksum) = job.checksum.as_ref().filter(|_| !entries.is_empty()) {
                return Err(no_checksum(checksum, false));
            }
            let nodes = entries.iter().map(Node::read).collect::<Result<Vec<_>, _>>()?;
            return job.tree(host, nodes, dest, src);
        }
        if self.remote_src.0 {
            let src = src.ok_or_else(|| Failure::new("src is required with remote_src").arg("src"))?;
            return self.within_host(host, job, &src, dest, ends_in_slash);
        }
        let content = match (self._content, self.content, &src) {
            (Some(Value::Bytes(bytes)), ..) => Content::Bytes(bytes),
            (Some(Value::Blob(blob)), ..) => Content::Blob(blob),
            (Some(value), ..) | (None, Some(value), _) => Content::Bytes(
                <Text as args::ArgType>::parse(&value)
                    .map_err(|expected| Failure::new(format!("`content` {expected}")).arg("content"))?
                    .into_bytes(),
            ),
            (None, None, Some(src)) => {
                return Err(Failure::new(format!("the controller did not send the content of {src}")).arg("src"));
            }
            (None, None, None) => return Err(Failure::new("src (or content) is required").arg("src")),
        };
        if src.is_none() && self._original_basename.is_none() && (ends_in_slash || dest.is_dir()) {
            let failure = Failure::new("can not use content with a dir as dest").arg("dest");
            return Err(untransferred(failure, None, false));
        }
        let name = self._original_basename.filter(|_| ends_in_slash || dest.is_dir());
        let (dest, makes_directory) = match name {
            Some(name) => (dest.join(name), ends_in_slash),
            None => (dest, false),
        };
        job.one(host, content, dest, src, makes_directory)
    }
}

/// The failure of a checksum for a directory, whose files have others.
fn no_checksum(wanted: &str, is_remote: bool) -> Failure {
    let msg = "Copied file does not match the expected checksum. Transfer failed.";
    let failure = Failure::new(msg).arg("checksum").help("a directory has no checksum");
    untransferred(failure.data(data! { "expected_checksum" => wanted }), None, is_remote)
}

impl Copy {
    fn within_host(
        &self,
        host: &Host,
        mut job: Job,
        src: &str,
        dest: PathBuf,
        ends_in_slash: bool,
    ) -> Result<Plan, Failure> {
        let path = PathBuf::from(paths::expand(src, host));
        let meta = fs::metadata(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Failure::new(format!("Source {src} not found")).arg("src"),
            _ => io_failure("read", &path, &error).arg("src"),
        })?;
        if meta.is_dir() {
            if let Some(checksum) = &job.checksum {
                return Err(no_checksum(checksum, true));
            }
            let mut nodes = tree::walk(&path, self.local_follow.is_some_and(|follow| follow.0))?;
            let mut top = dest.clone();
            if let Some(name) = path.file_name().filter(|_| !src.ends_with('/')) {
                nodes.iter_mut().for_each(|node| node.path = PathBuf::from(name).join(&node.path));
                let node = Node { path: name.into(), mode: Some(meta.mode() & 0o7777), kind: Kind::Directory };
                nodes.insert(0, node);
                if ends_in_slash || dest.is_dir() {
                    top.push(name);
                }
            }
            // The content of the directory keeps its permissions; `mode` is for the directory itself.
            let mode = match job.wanted.mode.clone() {
                Some(Mode::Preserve) => Some(Mode::Bits(meta.mode() & 0o7777)),
                mode => mode.inspect(|_| job.wanted.mode = None),
            };
            job.keeps_modes = true;
            if !ends_in_slash {
                job.directory_mode = None;
            }
            let wanted = Wanted { mode, flags: None, ..job.wanted.clone() };
            let is_below = top != dest;
            let mut plan = job.tree(host, nodes, dest, Some(src.to_owned()))?;
            if is_below {
                // The result is of the directory that was put into the existing one.
                let told = top.clone();
                plan = plan.set("dest", paths::text(&top)).finish(move |_, data| {
                    data.extend(describe(&told));
                    Ok(())
                });
            }
            return match top.exists() {
                true => {
                    let mut plan = wanted.plan(&top, true, plan)?;
                    plan.changes.iter_mut().for_each(|change| change.diff = None);
                    Ok(plan)
                }
                false => {
                    let what = format!("set owner and mode of {}", top.display());
                    Ok(plan.change(Change::new(what, move |_, _| wanted.apply(&top, true).map(|_| ()))))
                }
            };
        }
        if !meta.is_file() {
            return Err(Failure::new(format!("Source {src} is not a file")).arg("src"));
        }
        if job.wanted.mode == Some(Mode::Preserve) {
            job.wanted.mode = Some(Mode::Bits(meta.mode() & 0o7777));
        }
        // A replaced file gets the permissions of the new one.
        if job.wanted.mode.is_none() && dest.symlink_metadata().is_ok() && !dest.is_dir() && !ends_in_slash {
            let target = if job.follow { paths::real(&dest) } else { dest.clone() };
            if job.placement(target, Content::File(path.clone()), Wanted::default()).differs()? {
                job.wanted.mode = Some(Mode::Bits(meta.mode() & 0o7777));
            }
        }
        let into_directory = ends_in_slash || dest.is_dir();
        let dest = match path.file_name().filter(|_| into_directory) {
            Some(name) => dest.join(name),
            None => dest,
        };
        job.one(host, Content::File(path), dest, Some(src.to_owned()), ends_in_slash)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use std::path::Path;

    use super::*;
    use crate::runner::tests::{call, checked};
    use crate::system::attributes::octal;

    fn text(path: &Path) -> Value {
        path.to_str().unwrap().into()
    }

    fn mode(path: &Path) -> String {
        octal(fs::metadata(path).unwrap().mode())
    }

    #[test]
    fn content_is_put_once_with_its_mode() {
        let base = tempfile::tempdir().unwrap();
        let dest = base.path().join("f");
        let args = data! { "dest" => text(&dest), "_content" => Value::Bytes(b"abc".to_vec()), "mode" => "0640" };
        assert!(checked("copy", args.clone()).changed && !dest.exists());
        let made = call("copy", args.clone());
        assert!(made.changed && made.failure.is_none(), "{made:?}");
        assert_eq!(made.data["checksum"], "a9993e364706816aba3e25717850c26c9cd0d89d".into());
        assert_eq!(made.data["md5sum"], "900150983cd24fb0d6963f7d28e17f72".into());
        assert_eq!((&made.data["mode"], &made.data["size"]), (&"0640".into(), &3.into()));
        assert_eq!(made.diff[0].after, "abc");
        let again = call("copy", args.clone());
        assert!(!again.changed && again.data["path"] == text(&dest));
        let mut other = args;
        other.insert("mode".into(), "u=rw,g=,o=".into());
        assert!(call("copy", other).changed);
        assert_eq!(mode(&dest), "0600");
    }

    #[test]
    fn a_directory_takes_the_file_under_its_own_name() {
        let base = tempfile::tempdir().unwrap();
        let args = |dest: &str| data! { "dest" => dest, "_content" => "x", "_original_basename" => "name" };
        let dest = base.path().to_str().unwrap();
        assert_eq!(call("copy", args(dest)).data["dest"], format!("{dest}/name").into());
        let made = call("copy", args(&format!("{dest}/new/er/")));
        assert_eq!(made.data["dest"], format!("{dest}/new/er/name").into());
        let failure = call("copy", args(&format!("{dest}/none/x"))).failure.unwrap();
        assert_eq!(failure.msg, format!("Destination directory {dest}/none does not exist"));
    }

    #[test]
    fn without_force_what_is_there_stays_and_backups_keep_what_goes() {
        let base = tempfile::tempdir().unwrap();
        let dest = base.path().join("f");
        fs::write(&dest, "old").unwrap();
        let outcome = call("copy", data! { "dest" => text(&dest), "_content" => "new", "force" => "no" });
        assert!(!outcome.changed && fs::read_to_string(&dest).unwrap() == "old");
        let outcome = call("copy", data! { "dest" => text(&dest), "content" => "new", "backup" => "yes" });
        assert_eq!(fs::read_to_string(outcome.data["backup_file"].as_str().unwrap()).unwrap(), "old");
        let outcome = call("copy", data! { "dest" => text(&dest), "content" => "bad", "validate" => "grep good %s" });
        assert!(outcome.failure.unwrap().msg.starts_with("failed to validate"));
        let wrong = call("copy", data! { "dest" => text(&dest), "content" => "x", "checksum" => "00" });
        assert!(wrong.failure.unwrap().msg.contains("expected checksum"));
        assert_eq!(fs::read_to_string(&dest).unwrap(), "new");
    }

    /// As in ansible-core, a refusal also reports the file as it is now.
    #[test]
    fn content_is_put_even_if_its_owner_is_unknown() {
        let base = tempfile::tempdir().unwrap();
        let dest = base.path().join("f");
        let args = data! { "dest" => text(&dest), "content" => "abc", "owner" => "no such user" };
        let rehearsed = checked("copy", args.clone());
        assert!(rehearsed.failure.is_none() && !dest.exists());
        for _ in 0..2 {
            let failed = call("copy", args.clone());
            assert!(!failed.changed && fs::read_to_string(&dest).unwrap() == "abc");
            assert!(failed.failure.is_some());
            assert_eq!((&failed.data["state"], &failed.data["size"]), (&"file".into(), &3.into()));
            assert_eq!(failed.data["checksum"], "a9993e364706816aba3e25717850c26c9cd0d89d".into());
        }
    }

    #[test]
    fn a_directory_has_no_checksum() {
        let base = tempfile::tempdir().unwrap();
        let args = data! { "src" => text(base.path()), "dest" => text(&base.path().join("to")), "remote_src" => true, "checksum" => "00" };
        let told = call("copy", args).failure.unwrap();
        assert!(told.msg.contains("does not match the expected checksum") && !base.path().join("to").exists());
    }

    #[test]
    fn a_tree_is_copied_with_directories_files_and_links() {
        let base = tempfile::tempdir().unwrap();
        let dest = base.path().join("to");
        let tree: Vec<Value> = vec![
            data! { "path" => "sub", "kind" => "dir", "mode" => 0o700 }.into(),
            data! { "path" => "sub/deep", "kind" => "dir", "mode" => 0o711 }.into(),
            data! { "path" => "sub/f", "kind" => "file", "mode" => 0o604, "content" => Value::Bytes(b"1".to_vec()) }
                .into(),
            data! { "path" => "l", "kind" => "link", "target" => "sub/f" }.into(),
        ];
        let args = data! { "dest" => text(&dest), "_tree" => tree, "mode" => "preserve", "directory_mode" => "0750" };
        assert!(checked("copy", args.clone()).changed && !dest.exists());
        let made = call("copy", args.clone());
        assert!(made.changed && made.failure.is_none(), "{made:?}");
        assert_eq!((mode(&dest.join("sub")), mode(&dest.join("sub/f"))), ("0750".into(), "0604".into()));
        assert_eq!(fs::read_to_string(dest.join("l")).unwrap(), "1");
        let preserved = base.path().join("preserved");
        let again = data! { "dest" => text(&preserved), "_tree" => args["_tree"].clone(), "mode" => "preserve" };
        call("copy", again);
        assert_eq!((mode(&preserved.join("sub")), mode(&preserved.join("sub/deep"))), ("0700".into(), "0711".into()));
        assert!(!call("copy", args).changed);
        let up: Vec<Value> = vec![data! { "path" => "../up", "kind" => "dir" }.into()];
        assert!(call("copy", data! { "dest" => text(&dest), "_tree" => up }).failure.is_some());
    }

    #[test]
    fn files_and_directories_of_the_host_are_copied() {
        let base = tempfile::tempdir().unwrap();
        let (src, dest) = (base.path().join("src"), base.path().join("dest"));
        fs::create_dir_all(src.join("d")).unwrap();
        fs::write(src.join("d/f"), "1").unwrap();
        fs::set_permissions(src.join("d/f"), fs::Permissions::from_mode(0o751)).unwrap();
        symlink("d/f", src.join("l")).unwrap();
        let args = data! { "src" => text(&src), "dest" => text(&dest), "remote_src" => true, "local_follow" => false };
        assert!(call("copy", args.clone()).changed);
        assert_eq!(mode(&dest.join("src/d/f")), "0751");
        assert!(dest.join("src/l").is_symlink());
        assert!(!call("copy", args).changed);
        let one = base.path().join("one");
        let args =
            data! { "src" => text(&src.join("d/f")), "dest" => text(&one), "remote_src" => true, "mode" => "preserve" };
        assert!(call("copy", args.clone()).changed && mode(&one) == "0751");
        assert!(!call("copy", args).changed);
        let gone = call("copy", data! { "src" => "/no/such", "dest" => text(&one), "remote_src" => true });
        assert_eq!(gone.failure.unwrap().msg, "Source /no/such not found");
    }

    #[test]
    fn a_link_is_followed_only_if_asked() {
        let base = tempfile::tempdir().unwrap();
        let (file, link) = (base.path().join("f"), base.path().join("l"));
        fs::write(&file, "old").unwrap();
        symlink("f", &link).unwrap();
        let args = |follow: bool| data! { "dest" => text(&link), "content" => "new", "follow" => follow };
        assert!(call("copy", args(true)).changed && link.is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(call("copy", args(false)).changed && !link.is_symlink());
    }

    #[test]
    fn arguments_that_do_not_go_together_are_refused() {
        for (args, word) in [
            (data! { "dest" => "/x" }, "required"),
            (data! { "dest" => "/x", "src" => "a", "content" => "b" }, "mutually exclusive"),
            (data! { "dest" => "/x/", "content" => "b" }, "can not use content with a dir"),
        ] {
            let failure = call("copy", args).failure.unwrap();
            assert!(failure.msg.contains(word), "{failure}");
        }
    }
}
