//! Puts the content of `copy` on the host: one file, or a tree of files, directories and links.

use std::path::PathBuf;

use rplay_wire::{Diff, Failure, Map, Value, data};

use crate::system::fs;
use crate::{
    Change, Host, Plan,
    io_failure::io_failure,
    system::{
        attributes::{Attributes, Wanted, describe},
        digest::Algorithm,
        directories::make_directories,
        machine::{self, AccessFlags},
        mode::Mode,
        paths,
        place::{Content, Placement},
        tree::{Kind, Node},
    },
};

/// How files, directories and links are put at their places.
pub(super) struct Job {
    pub wanted: Wanted,
    /// Why owner, group or mode of the one file cannot be set, which fails once it is in place.
    pub refused: Option<Failure>,
    pub directory_mode: Option<Mode>,
    pub attributes: Attributes,
    pub backup: bool,
    pub force: bool,
    pub follow: bool,
    pub validate: Option<String>,
    pub checksum: Option<String>,
    /// Whether directories get the permissions of the source.
    pub keeps_modes: bool,
    /// Whether the content comes from assemble, whose result has a `diff` only with `--diff`.
    pub is_assembled: bool,
    /// Whether the content was on the host already.
    pub is_remote: bool,
    /// The file on the controller, as differences name it.
    pub source: Option<String>,
}

impl Job {
    /// Owner and mode of created directories.
    fn directories(&self) -> Wanted {
        Wanted { mode: self.directory_mode.clone(), flags: None, ..self.wanted.clone() }
    }

    pub(super) fn placement(&self, path: PathBuf, content: Content, wanted: Wanted) -> Placement {
        Placement {
            path,
            content,
            wanted,
            refused: None,
            backup: self.backup,
            link: None,
            validate: self.validate.clone(),
            unsafe_writes: self.attributes.unsafe_writes.map(|flag| flag.0),
            shown: true,
        }
    }

    /// Puts one file at `dest`.
    pub(super) fn one(
        self,
        host: &Host,
        content: Content,
        dest: PathBuf,
        src: Option<String>,
        makes_directory: bool,
    ) -> Result<Plan, Failure> {
        let dest = if self.follow && dest.is_symlink() && dest.exists() { paths::real(&dest) } else { dest };
        let mut data = data! { "dest" => paths::text(&dest) };
        if let Some(src) = src {
            data.insert("src".to_owned(), src.into());
        }
        if !self.is_remote
            && let Err(error) = fs::symlink_metadata(&dest)
            && error.kind() == std::io::ErrorKind::NotADirectory
        {
            let msg =
                format!("Task failed: Failed to get information on remote file ({}): Not a directory", dest.display());
            return Err(Failure::new(msg).arg("dest"));
        }
        if !self.force && dest.exists() {
            if self.is_remote {
                data.insert("msg".to_owned(), "file already exists".into());
                data.extend(describe(&dest));
            }
            return Ok(Plan { data, ..Plan::default() });
        }
        let sum = match &content {
            Content::Bytes(bytes) => Some(Algorithm::Sha1.of_bytes(bytes)),
            Content::File(file) => Some(Algorithm::Sha1.of_file(file).map_err(|e| io_failure("read", file, &e))?),
            Content::Blob(_) => None,
        };
        let new_md5 = match &content {
            Content::File(file) if self.is_remote && host.check => Some(Algorithm::Md5.of_file(file)),
            _ => None,
        };
        let placement = self.placement(dest.clone(), content, self.wanted.clone());
        let differs = placement.differs()?;
        // What the host has already is not sent, and so not verified.
        if let Some(checksum) = self.checksum.as_ref().filter(|_| differs || self.is_remote) {
            let sum = match (&sum, &placement.content) {
                (None, Content::Blob(blob)) => host.fetch(blob).and_then(|file| Algorithm::Sha1.of_file(&file))?,
                (sum, _) => sum.clone().unwrap_or_default(),
            };
            if !sum.eq_ignore_ascii_case(checksum) {
                let msg = "Copied file does not match the expected checksum. Transfer failed.";
                let failure = Failure::new(msg).arg("checksum");
                let failure = failure.data(data! { "expected_checksum" => checksum.as_str() });
                return Err(untransferred(failure, Some(sum.into()), self.is_remote));
            }
        }
        let mut plan = Plan::unchanged();
        let directory = paths::directory(&dest).to_owned();
        if !directory.is_dir() {
            if makes_directory {
                plan = make_directories(&directory, &self.directories(), plan)?;
            } else if host.check && !self.is_remote {
                plan = plan.assumption(format!("the directory {}", directory.display()));
            } else {
                plan = plan.assumes(host, format!("the directory {}", directory.display()), || {
                    let msg = format!("Destination directory {} does not exist", directory.display());
                    let failure = Failure::new(msg).arg("dest").help("make it first with file and `state: directory`");
                    // Content that lies on the host is looked at later.
                    let sum = sum.clone().or_else(|| fetched_sum(&placement.content, host)).filter(|_| !self.is_remote);
                    untransferred(failure, sum.map(Value::from), self.is_remote)
                })?;
            }
        }
        let is_closed = || directory.is_dir() && machine::access(&directory, AccessFlags::W_OK).is_err();
        if differs && !host.check && !placement.may_write_in_place(host) && is_closed() {
            let failure = Failure::new(format!("Destination {} not writable", directory.display())).arg("dest");
            return Err(untransferred(failure, sum.filter(|_| !self.is_remote).map(Value::from), self.is_remote));
        }
        plan = placement.plan(host, plan).map_err(|failure| {
            let sum = sum.clone().filter(|_| !self.is_remote);
            untransferred(failure, sum.map(Value::from), self.is_remote)
        })?;
        if let Some(sum) = sum {
            data.insert("checksum".to_owned(), sum.into());
        }
        if !differs && !self.is_remote {
            data.insert("path".to_owned(), paths::text(&dest).into());
            data.shift_remove("src");
        }
        let is_new = !dest.exists();
        // Ansible tells the checksum only of content that it transferred.
        let (is_remote, kept) = (self.is_remote, data.get("checksum").filter(|_| !self.is_remote).cloned());
        plan.changes = std::mem::take(&mut plan.changes)
            .into_iter()
            .map(|mut change| {
                if let Some(diff) = change.diff.as_mut().filter(|diff| is_new && !diff.after_header.is_empty()) {
                    diff.before_header.clear();
                }
                let kept = kept.clone();
                change.on_failure(move |failure| untransferred(failure, kept, is_remote))
            })
            .collect();
        told_alone(&mut plan, is_remote, self.source.as_deref());
        if !is_remote {
            if !self.is_assembled {
                let side = data! { "path" => paths::text(&dest) };
                let diff = match host.diff && !differs && plan.changes.is_empty() {
                    true => data! { "before" => side.clone(), "after" => side }.into(),
                    false => Value::List(Vec::new()),
                };
                data.insert("diff".to_owned(), diff);
            }
            if host.check && differs {
                // In that case the future state of the file is not reported.
                return Ok(Plan { data: data! { "diff" => Vec::<Value>::new() }, ..plan });
            }
        }
        if let Some(failure) = self.refused {
            let told = if is_remote { Map::new() } else { data };
            return refused(host, plan, &dest, failure, told);
        }
        if is_remote && host.check {
            // What the file will be, not what it is.
            let md5 = new_md5.transpose().map_err(|error| io_failure("read", &dest, &error))?;
            data.insert("md5sum".to_owned(), md5.into());
        }
        plan.data = data;
        let is_checked = is_remote && host.check;
        Ok(plan.finish(move |_, data| {
            if is_remote && dest.is_file() && !data.contains_key("md5sum") {
                data.insert("md5sum".to_owned(), Algorithm::Md5.of_file(&dest).ok().into());
            }
            if dest.is_file() && (differs || !data.contains_key("checksum")) {
                // In check mode these are the old file's; the new ones are known only for short content.
                if !data.contains_key("checksum") {
                    data.insert("checksum".to_owned(), Algorithm::Sha1.of_file(&dest)?.into());
                }
                if !is_checked {
                    data.insert("md5sum".to_owned(), Algorithm::Md5.of_file(&dest).ok().into());
                }
            }
            data.extend(describe(&dest));
            Ok(())
        }))
    }

    /// Puts a directory with its content at `dest`.
    pub(super) fn tree(
        self,
        host: &Host,
        nodes: Vec<Node>,
        dest: PathBuf,
        src: Option<String>,
    ) -> Result<Plan, Failure> {
        if dest.exists() && !dest.is_dir() {
            return Err(Failure::new(format!("{} is not a directory", dest.display())).arg("dest"));
        }
        let mut plan = Plan::unchanged();
        if !dest.is_dir() && (self.is_remote || !nodes.is_empty()) {
            plan = make_directories(&dest, &self.directories(), plan)?;
        }
        for node in nodes {
            let path = dest.join(&node.path);
            plan = match node.kind {
                Kind::Directory => self.directory(&node, path, plan)?,
                Kind::Link(target) => self.link(target, path, plan)?,
                Kind::File(content) => self.file(host, content, node.mode, path, plan)?,
            };
        }
        // As in Ansible, a directory's result has no differences.
        plan.changes.iter_mut().for_each(|change| change.diff = None);
        let mut data = data! { "dest" => paths::text(&dest) };
        // ansible-core writes a destination that is there as it does the source, with or without a slash.
        let of_content = dest.is_dir() && src.as_ref().is_some_and(|src| src.ends_with('/'));
        if let Some(src) = src {
            data.insert("src".to_owned(), src.into());
        }
        if !self.is_remote {
            let dest = paths::text(&dest);
            let slash = if dest.ends_with('/') { "" } else { "/" };
            data.insert("dest".to_owned(), format!("{dest}{slash}").into());
            plan.data = data;
            return Ok(plan);
        }
        data.extend(data! { "checksum" => Value::Null, "md5sum" => Value::Null });
        if of_content {
            data.insert("dest".to_owned(), format!("{}/", paths::text(&dest).trim_end_matches('/')).into());
        }
        plan.data = data;
        Ok(plan.finish(move |_, data| {
            data.extend(describe(&dest));
            Ok(())
        }))
    }

    fn directory(&self, node: &Node, path: PathBuf, plan: Plan) -> Result<Plan, Failure> {
        let mut wanted = self.directories();
        if self.keeps_modes || wanted.mode.is_none() && self.wanted.mode == Some(Mode::Preserve) {
            wanted.mode = node.mode.map(Mode::Bits);
        }
        if path.is_dir() {
            // An existing directory keeps its mode; only its owner is set.
            let wanted = Wanted { mode: None, ..wanted };
            return wanted.plan(&path, true, plan);
        }
        make_directories(&path, &wanted, plan)
    }

    fn file(
        &self,
        host: &Host,
        content: Content,
        mode: Option<u32>,
        path: PathBuf,
        plan: Plan,
    ) -> Result<Plan, Failure> {
        let path = if self.follow && path.is_symlink() { paths::real(&path) } else { path };
        let exists = path.symlink_metadata().is_ok();
        if exists && !self.force {
            return Ok(plan);
        }
        let mut wanted = self.wanted.clone();
        wanted.mode = match wanted.mode {
            Some(Mode::Preserve) => mode.map(Mode::Bits),
            None if !exists => mode.map(Mode::Bits),
            set => set,
        };
        self.placement(path, content, wanted).plan(host, plan)
    }

    fn link(&self, target: PathBuf, path: PathBuf, plan: Plan) -> Result<Plan, Failure> {
        if fs::read_link(&path).is_ok_and(|found| found == target) {
            return Ok(plan);
        }
        if path.symlink_metadata().is_ok() && !self.force {
            return Ok(plan);
        }
        if path.is_dir() && !path.is_symlink() {
            return Err(
                Failure::new(format!("{} is a directory, but a link is required there", path.display())).arg("dest")
            );
        }
        let wanted = Wanted { mode: None, flags: None, ..self.wanted.clone() };
        let what = format!("link {} to {}", path.display(), target.display());
        Ok(plan.change(Change::new(what, move |_, _: &mut Map| {
            crate::files::link::in_place(&path, |temporary| fs::symlink(&target, temporary))
                .map_err(|error| io_failure("create", &path, &error))?;
            wanted.apply(&path, false).map(|_| ())
        })))
    }
}

/// The plan for a file whose owner or mode cannot be set: its content is put in place, then the task fails, and tells
/// `data` of it.
///
/// # Errors
/// That failure, if nothing is to be put in place.
fn refused(host: &Host, plan: Plan, dest: &std::path::Path, failure: Failure, data: Map) -> Result<Plan, Failure> {
    let dest = dest.to_owned();
    let told = move || {
        let known = ["checksum", "diff"].into_iter().filter_map(|key| Some((key.to_owned(), data.get(key)?.clone())));
        let known: Map = known.collect();
        failure.data(known).data(describe(&dest))
    };
    match host.check || plan.changes.is_empty() {
        true => Err(told()),
        false => Ok(plan.change(Change::new("set owner and mode".to_owned(), move |_, _| Err(told())))),
    }
}

/// Leaves the differences that ansible-core tells: that of the content alone, which names the file on the controller;
/// none of content that was on the host.
fn told_alone(plan: &mut Plan, is_remote: bool, source: Option<&str>) {
    let is_content = |diff: &Diff| !diff.after_header.is_empty();
    let has_content = plan.changes.iter().any(|change| change.diff.as_ref().is_some_and(is_content));
    for change in &mut plan.changes {
        change.diff.take_if(|diff| is_remote || has_content && !is_content(diff));
        if let (Some(diff), Some(source)) = (&mut change.diff, source)
            && diff.after_header.starts_with('/')
        {
            source.clone_into(&mut diff.after_header);
        }
    }
}

/// The failure to write the content, with the fields that ansible-core reports about it.
pub(super) fn untransferred(mut failure: Failure, checksum: Option<Value>, is_remote: bool) -> Failure {
    if failure.data.contains_key("exit_status") {
        failure.help.get_or_insert_with(|| failure.msg.clone());
        failure.msg = "failed to validate".to_owned();
    }
    failure.data.extend(checksum.map(|checksum| ("checksum".to_owned(), checksum)));
    if !is_remote {
        failure.data.insert("diff".to_owned(), Value::List(Vec::new()));
    }
    failure
}

/// The digest of content that lies on the controller.
fn fetched_sum(content: &Content, host: &Host) -> Option<String> {
    let Content::Blob(blob) = content else { return None };
    Algorithm::Sha1.of_file(&host.fetch(blob).ok()?).ok()
}
