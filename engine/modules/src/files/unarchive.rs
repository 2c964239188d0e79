//! unarchive: unpacks archives with the host's tar and unzip.

mod archive;

use std::{
    path::{Component, Path, PathBuf},
    time::Duration,
};

use rplay_wire::{Failure, Map, Value, data};

use crate::system::machine;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    io_failure::io_failure,
    system::{
        attributes::{Attributes, Wanted, describe},
        glob,
        http::{Follow, Request},
        paths,
        program::Program,
        zip,
    },
};
use archive::{Archive, Kind, Source};

args! {
    /// Unpacks an archive (zip, or tar with any compression that the host supports) into a directory on the host.
    pub struct Unarchive {
        ..attributes: Attributes,
        /// The archive: on the controller, or on the host with `remote_src`.
        src: Text,
        /// The directory to unpack into; it must exist.
        dest: PathArg,
        /// Whether the archive is on the host.
        remote_src: Flag = Flag(false),
        /// Obsolete: the opposite of `remote_src`.
        copy: Option<Flag>,
        /// A path; if it exists, nothing is unpacked.
        creates: Option<PathArg>,
        /// Files to exclude.
        exclude: Vec<Text> = Vec::new(),
        /// The only files to unpack.
        include: Vec<Text> = Vec::new(),
        /// Additional options for tar or unzip.
        extra_opts: Vec<Text> = Vec::new(),
        /// Whether to keep files that are newer than those in the archive.
        keep_newer: Flag = Flag(false),
        /// Whether to return the file names.
        list_files: Flag = Flag(false),
        /// Whether the controller decrypts a vaulted archive.
        decrypt: Flag = Flag(true),
        /// Whether the certificate of the server must be valid that `src` is fetched from.
        validate_certs: Flag = Flag(true),
        /// Bytes of the archive that are read at once from a server.
        io_buffer_size: u64 = 65_536,
        _content: Option<Value>,
    }
}

impl Module for Unarchive {
    fn check(&self) -> Result<(), ArgError> {
        self.attributes.check()?;
        if self.copy.is_some() && self.remote_src.0 {
            let msg = "parameters are mutually exclusive: ('copy', 'remote_src')";
            return Err(ArgError::new("copy", msg).help("leave out `copy`, which is obsolete"));
        }
        if !self.include.is_empty() && !self.exclude.is_empty() {
            return Err(ArgError::exclusive("include", &["include", "exclude"]));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let dest = self.dest.on(host);
        if let Some(creates) = self.creates.as_ref().map(|creates| creates.on(host)).filter(|path| path.exists()) {
            let reason = format!("skipped, since {} exists", creates.display());
            return Ok(Plan { skipped: Some(reason), ..Plan::default() });
        }
        if !dest.is_dir() {
            let msg = format!("dest '{}' must be an existing dir", dest.display());
            return Err(Failure::new(msg).arg("dest"));
        }
        let archive = Archive::open(self.archive(host)?)?;
        if host.check && archive.kind != Kind::Zip {
            let why = "remote module (ansible.legacy.unarchive) does not support check mode when using gtar";
            return Ok(Plan { skipped: Some(why.to_owned()), ..Plan::default() });
        }
        let job = Job { dest: dest.clone(), archive, asked: self.clone() };
        let names = job.names(host)?;
        let wanted = self.attributes.resolve()?;
        // tar does not unpack names that lead out of the directory, so those files are not touched afterwards.
        let is_within = |name: &&String| !Path::new(name).components().any(|part| part == Component::ParentDir);
        let places: Vec<PathBuf> = names.iter().filter(is_within).map(|name| dest.join(name)).collect();
        let mut data = data! {
            "dest" => paths::text(&dest), "src" => self.src.as_str(), "handler" => job.archive.kind.handler(),
        };
        if self.list_files.0 {
            data.insert("files".to_owned(), names.into());
        }
        let mut plan = Plan { data, ..Plan::default() }.kept();
        if job.is_unpacked(&wanted, host)? {
            for place in places.iter().filter(|place| place.symlink_metadata().is_ok()) {
                plan = wanted.plan(place, false, plan)?;
            }
            // As in Ansible, the result has no differences.
            plan.changes.iter_mut().for_each(|change| change.diff = None);
        } else {
            let what = format!("unpack {} into {}", self.src, dest.display());
            plan = plan.change(Change::new(what, move |host, data| {
                let tool = job.unpacking(host)?;
                let cmd = tool.words();
                let finished = tool.run()?;
                let results = data! {
                    "cmd" => cmd, "rc" => finished.rc, "out" => finished.stdout, "err" => finished.stderr,
                };
                data.insert("extract_results".to_owned(), results.into());
                if finished.rc != 0 {
                    data.shift_remove("files");
                    data.extend(describe(&job.dest));
                    let msg = format!("failed to unpack {} to {}", job.asked.src, job.dest.display());
                    return Err(Failure::new(msg).arg("src"));
                }
                for place in places.iter().filter(|place| place.symlink_metadata().is_ok()) {
                    wanted.apply(place, false)?;
                }
                Ok(())
            }));
        }
        Ok(plan.finish(move |_, data: &mut Map| {
            data.extend(describe(&dest));
            Ok(())
        }))
    }
}

impl Unarchive {
    fn archive(&self, host: &Host) -> Result<Source, Failure> {
        match &self._content {
            Some(Value::Blob(blob)) => Ok(Source::Path(host.fetch(blob)?)),
            Some(Value::Bytes(bytes)) => {
                let mut file = crate::system::scratch::file("")?;
                std::io::Write::write_all(&mut file, bytes)?;
                Ok(Source::Temporary(file.into_temp_path()))
            }
            Some(_) => Err(Failure::new("the archive's content is no bytes").arg("src")),
            None if self.src.contains("://") => self.fetched(host),
            None if self.remote_src.0 || self.copy == Some(Flag(false)) => {
                Ok(Source::Path(PathBuf::from(paths::expand(&self.src, host))))
            }
            None => Err(Failure::new(format!("the controller did not send {}", self.src)).arg("src")),
        }
    }
}

impl Unarchive {
    /// The archive from a server, in a file that goes away with the plan.
    fn fetched(&self, host: &Host) -> Result<Source, Failure> {
        let failed = |why: String| Failure::new(format!("Failure downloading {}, {why}", self.src)).arg("src");
        let mut request = Request::get(&self.src);
        request.default_header("User-Agent", "ansible-httpget");
        request.timeout = Duration::from_secs(10);
        request.follow = Follow::Urllib2;
        request.trust.validate = self.validate_certs.0;
        let mut response = request.send(host).map_err(|error| failed(format!("Request failed: {error}")))?;
        if !(200..300).contains(&response.status) {
            return Err(failed(format!("HTTP Error {}: {}", response.status, response.reason)));
        }
        let mut file = crate::system::scratch::file("")?;
        let size = usize::try_from(self.io_buffer_size.clamp(1 << 10, 16 << 20)).unwrap_or(1 << 16);
        let mut reader = std::io::BufReader::with_capacity(size, response.reader());
        std::io::copy(&mut reader, &mut file).map_err(|error| failed(error.to_string()))?;
        drop(reader);
        Ok(Source::Temporary(file.into_temp_path()))
    }
}

struct Job {
    archive: Archive,
    dest: PathBuf,
    asked: Unarchive,
}

impl Job {
    /// tar with its common options.
    fn tar(&self, host: &Host, action: &str) -> Result<Program, Failure> {
        let mut tool = host.required_program(if host.has_program("gtar") { "gtar" } else { "tar" })?;
        tool = tool.arg(action).option("-C", Some(paths::text(&self.dest)));
        tool = tool.arg_if(self.archive.kind == Kind::Gzip, "-z");
        // Names are shown as the options make them.
        tool = tool.arg_if(!self.asked.extra_opts.is_empty(), "--show-transformed-names");
        for option in &self.asked.extra_opts {
            tool = tool.arg(option);
        }
        if action == "--extract" {
            let Attributes { owner, group, .. } = &self.asked.attributes;
            for (option, name) in [("--owner", owner), ("--group", group)] {
                if let Some(name) = name {
                    tool = tool.arg(format!("{option}={name}"));
                }
            }
            tool = tool.arg_if(self.asked.keep_newer.0, "--keep-newer-files");
        }
        for pattern in &self.asked.exclude {
            tool = tool.arg(format!("--exclude={pattern}"));
        }
        tool = tool.option("-f", Some(self.archive.path()));
        for name in &self.asked.include {
            tool = tool.arg(name);
        }
        Ok(tool)
    }

    fn is_chosen(&self, name: &str) -> bool {
        let fits = |pattern: &String| glob::Pattern::new(pattern).fits(name);
        !self.asked.exclude.iter().any(fits) && (self.asked.include.is_empty() || self.asked.include.iter().any(fits))
    }

    fn entries(&self) -> Result<Vec<zip::Entry>, Failure> {
        let all = zip::entries(self.archive.source.as_ref());
        let all = all.map_err(|error| io_failure("read", self.archive.source.as_ref(), &error).arg("src"))?;
        Ok(all.into_iter().filter(|entry| self.is_chosen(&entry.name)).collect())
    }

    /// The names of the unpacked files, relative to the directory.
    fn names(&self, host: &Host) -> Result<Vec<String>, Failure> {
        if self.archive.kind == Kind::Zip {
            return Ok(self.entries()?.into_iter().map(|entry| entry.name).collect());
        }
        let mut tool = self.tar(host, "--list")?;
        tool = tool.arg("--show-transformed-names");
        let program = tool.words().into_iter().next().unwrap_or_default();
        let finished = tool.run()?;
        let why = match (finished.rc, finished.stdout.is_empty()) {
            (0, false) => {
                return Ok(finished.stdout.lines().map(|name| name.trim_start_matches('/').to_owned()).collect());
            }
            (0, true) => "found no files in archive. Empty archive files are not supported.".to_owned(),
            _ => format!("could not handle archive: Unable to list files in the archive: {}", finished.stderr),
        };
        Err(Failure::new(format!(
            "Failed to find handler for \"{}\". Make sure the required command to extract the file is installed.\n\
             Command \"{program}\" {why}",
            self.asked.src
        ))
        .arg("src"))
    }

    /// Whether the directory already contains what would be unpacked.
    fn is_unpacked(&self, wanted: &Wanted, host: &Host) -> Result<bool, Failure> {
        if self.archive.kind == Kind::Zip {
            let like = zip::Like {
                with_mode: self.asked.attributes.mode.is_none(),
                owner: wanted.uid.unwrap_or_else(|| machine::geteuid().as_raw()),
                group: wanted.gid.unwrap_or_else(|| machine::getegid().as_raw()),
                or_newer: self.asked.keep_newer.0,
            };
            let is_there =
                |entry: &zip::Entry| entry.place(&self.dest).is_some_and(|place| entry.is_like(&place, &like));
            let entries = self.entries()?;
            // unzip says that the archive has nothing of what `include` names.
            return Ok((!entries.is_empty() || self.asked.include.is_empty()) && entries.iter().all(is_there));
        }
        let finished = self.tar(host, "--diff")?.run()?;
        if finished.rc == 0 {
            return Ok(true);
        }
        let attributes = &self.asked.attributes;
        let is_root = machine::geteuid().is_root();
        // Attributes that are set anyway, or cannot be set, are not differences.
        let is_nothing = |line: &str| {
            line.is_empty()
                || line.ends_with("Uid differs") && (attributes.owner.is_some() || !is_root)
                || line.ends_with("Gid differs") && (attributes.group.is_some() || !is_root)
                || line.ends_with("Mode differs") && attributes.mode.is_some()
                || line.contains("Exiting with failure status")
                // A name of which `--strip-components` leaves nothing.
                || line.starts_with(": ") || line.contains("tar: : ")
        };
        Ok(finished.stdout.lines().chain(finished.stderr.lines()).all(is_nothing))
    }

    fn unpacking(&self, host: &Host) -> Result<Program, Failure> {
        let asked = &self.asked;
        if self.archive.kind != Kind::Zip {
            return self.tar(host, "--extract");
        }
        let mut tool = host.required_program("unzip")?;
        tool = tool.arg("-o").arg_if(asked.keep_newer.0, "-u");
        for option in &asked.extra_opts {
            tool = tool.arg(option);
        }
        tool = tool.arg(self.archive.path());
        for name in &asked.include {
            tool = tool.arg(name);
        }
        for name in &asked.exclude {
            tool = tool.option("-x", Some(name));
        }
        tool = tool.option("-d", Some(paths::text(&self.dest)));
        Ok(tool)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;
    use crate::runner::tests::{call, checked};

    fn archive(base: &Path, options: &[&str], name: &str) -> String {
        let src = base.join("src");
        fs::create_dir_all(src.join("d")).unwrap();
        fs::write(src.join("d/f"), "one").unwrap();
        fs::write(src.join("g"), "two").unwrap();
        let file = base.join(name);
        let packed = Command::new("tar").args(options).arg(&file).arg("-C").arg(&src).args(["d", "g"]).status();
        assert!(packed.unwrap().success());
        file.to_str().unwrap().to_owned()
    }

    #[test]
    fn an_archive_is_unpacked_once() {
        let base = tempfile::tempdir().unwrap();
        for (options, name, handler) in [("-cf", "a.tar", "TarArchive"), ("-czf", "a.tgz", "TgzArchive")] {
            let src = archive(base.path(), &[options], name);
            let dest = base.path().join(handler);
            fs::create_dir(&dest).unwrap();
            let args = data! {
                "src" => src, "dest" => dest.to_str().unwrap(), "remote_src" => true, "list_files" => true,
            };
            assert!(checked("unarchive", args.clone()).skipped.is_some() && !dest.join("g").exists());
            let made = call("unarchive", args.clone());
            assert!(made.changed && made.failure.is_none(), "{made:?}");
            assert_eq!((&made.data["handler"], &made.data["files"]), (&handler.into(), &vec!["d/", "d/f", "g"].into()));
            assert!(!call("unarchive", args.clone()).changed);
            fs::write(dest.join("g"), "changed").unwrap();
            assert!(call("unarchive", args.clone()).changed);
            assert_eq!(fs::read_to_string(dest.join("g")).unwrap(), "two");
            let mut with_mode = args;
            with_mode.insert("mode".into(), "u=rwX,go=".into());
            assert!(call("unarchive", with_mode.clone()).changed);
            assert!(!call("unarchive", with_mode).changed);
            assert_eq!(describe(&dest.join("d/f"))["mode"], "0600".into());
        }
    }

    #[test]
    fn errors_are_named_and_creates_skips() {
        let base = tempfile::tempdir().unwrap();
        let src = archive(base.path(), &["-cf"], "a.tar");
        let args = |dest: &str| data! { "src" => src.as_str(), "dest" => dest, "remote_src" => true };
        assert!(call("unarchive", args("/no/such")).failure.unwrap().msg.contains("must be an existing dir"));
        let mut skipped = args(base.path().to_str().unwrap());
        skipped.insert("creates".into(), "/etc".into());
        assert!(call("unarchive", skipped).skipped.is_some());
        let broken = base.path().join("broken.tgz");
        fs::write(&broken, b"\x1f\x8bnonsense").unwrap();
        let args =
            data! { "src" => broken.to_str().unwrap(), "dest" => base.path().to_str().unwrap(), "remote_src" => true };
        assert!(call("unarchive", args).failure.unwrap().msg.starts_with("Failed to find handler"));
    }
}
