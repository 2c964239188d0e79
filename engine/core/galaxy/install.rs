//! Installs collections: each is unpacked next to its destination, verified against its manifest, and moved there
//! atomically.

use std::{
    collections::HashSet,
    fs::{self, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::{
    Galaxy, GalaxyError, Result, SignatureOptions, Wanted,
    api::{Api, Detail},
    archive::{self, Content},
    git,
    installed::{Installed, collections_folder, in_folder},
    manifest::{About, listed, sha256_of},
    requirement::Origin,
    resolve::{Chosen, From, Question, resolve},
    version::{Range, Version},
};

/// Name prefix of unfinished directories.
const UNFINISHED: &str = ".rplay-";

/// What is installed although it is there already (`--force`, `--force-with-deps`).
#[derive(Clone, Copy, Debug, Default)]
pub struct Force {
    /// What the command line or the requirements name.
    pub named: bool,
    /// That, and what it depends on.
    pub dependencies: bool,
}

impl Force {
    /// Whether what is named is installed again.
    pub fn of_named(self) -> bool {
        self.named || self.dependencies
    }
}

/// `galaxy collection install`.
#[derive(Debug, Default)]
pub struct InstallOptions {
    pub wanted: Vec<Wanted>,
    pub force: Force,
    pub no_deps: bool,
    pub upgrade: bool,
    pub prereleases: bool,
    /// Do not contact any server.
    pub offline: bool,
    pub ignore_errors: bool,
    pub signatures: SignatureOptions,
    /// `--signature`: further signatures of the named collections.
    pub more_signatures: Vec<String>,
}

/// A collection whose content is already local.
pub(super) struct AtHand {
    pub about: About,
    pub content: Hand,
    pub signatures: Vec<String>,
}

pub(super) enum Hand {
    Archive(PathBuf),
    Folder(PathBuf),
}

impl Galaxy {
    /// Installs collections and their dependencies.
    ///
    /// # Errors
    /// If something cannot be fetched, read or written, or versions conflict. Previously installed collections
    /// are kept.
    pub fn install_collections(&self, options: &InstallOptions) -> Result<()> {
        let place =
            self.collections_path.first().ok_or_else(|| GalaxyError::new("no collections path is configured"))?;
        let folder = collections_folder(place);
        let scratch = tempfile::tempdir().map_err(|error| GalaxyError::new(error.to_string()))?;
        self.say("Starting galaxy collection install process");
        let force = options.force.of_named();
        let there = in_folder(&folder);
        let (roots, at_hand) = self.at_hand(&options.wanted, scratch.path())?;
        // A requirement is met by a collection in any place; a collection that is replaced is replaced here.
        let mut installed: Vec<Installed> = there.values().cloned().collect();
        installed.extend(self.installed().into_iter().filter(|one| !there.contains_key(&one.name)));
        let is_there = |name: &str, range: &Range| {
            let found = installed.iter().find(|one| one.name == name);
            found.is_some_and(|one| match Version::parse(one.version()) {
                Ok(version) => range.takes(&version),
                Err(_) => range.pinned().is_none(),
            })
        };
        if !force && !options.upgrade && roots.iter().all(|(name, range, _)| is_there(name, range)) {
            self.say(
                "Nothing to do. All requested collections are already installed. If you want to reinstall them, consider using `--force`.",
            );
            return Ok(());
        }
        self.say("Process install dependency map");
        let apis: Vec<Api<'_>> = match options.offline {
            true => Vec::new(),
            false => self.servers.iter().map(|server| Api::new(self, server)).collect(),
        };
        let forced: HashSet<String> = roots.iter().filter(|_| force).map(|(name, ..)| name.clone()).collect();
        let question = Question {
            roots,
            at_hand: at_hand.iter().map(|one| one.about.clone()).collect(),
            installed: &installed,
            forced: forced.clone(),
            forces_all: options.force.dependencies,
            upgrade: options.upgrade,
            prereleases: options.prereleases,
            with_dependencies: !options.no_deps,
        };
        let chosen = resolve(self, &apis, &question)?;
        self.say("Starting collection install process");
        for one in &chosen {
            let same =
                installed.iter().any(|known| known.name == one.name && known.version() == one.version.to_string());
            let again = options.force.dependencies || forced.contains(&one.name);
            if matches!(one.from, From::Installed) || same && !again {
                self.say(format!("'{}:{}' is already installed, skipping.", one.name, one.version));
                continue;
            }
            let result = self.install_one(one, &at_hand, &apis, &folder, scratch.path(), options);
            match result {
                Err(error) if options.ignore_errors => self.warn(format!(
                    "Failed to install collection {}:{} but skipping due to --ignore-errors being set. Error: {error}",
                    one.name, one.version
                )),
                result => result?,
            }
        }
        Ok(())
    }

    fn install_one(
        &self,
        one: &Chosen,
        at_hand: &[AtHand],
        apis: &[Api<'_>],
        folder: &Path,
        scratch: &Path,
        options: &InstallOptions,
    ) -> Result<()> {
        let (namespace, short) = one.name.split_once('.').unwrap_or((&one.name, ""));
        let target = folder.join(namespace).join(short);
        let label = format!("{}:{}", one.name, one.version);
        let mut signatures: Vec<String> = Vec::new();
        for place in &options.more_signatures {
            signatures.push(self.signature_at(place)?);
        }
        let wanted = options.wanted.iter().filter(|wanted| wanted.name.as_ref() == Some(&one.name));
        for place in wanted.flat_map(|wanted| &wanted.signatures) {
            signatures.push(self.signature_at(place)?);
        }
        let (content, detail) = match &one.from {
            From::AtHand(at) => {
                for place in &at_hand[*at].signatures {
                    signatures.push(self.signature_at(place)?);
                }
                (&at_hand[*at].content, None)
            }
            From::Server(at, detail) => {
                let path = scratch.join(format!("{namespace}-{short}-{}.tar.gz", one.version));
                self.download(&apis[*at], detail, &path)?;
                signatures.extend(detail.signatures.iter().cloned());
                (&Hand::Archive(path), Some((at, detail)))
            }
            From::Installed => return Ok(()),
        };
        self.say(format!("Installing '{label}' to '{}'", target.display()));
        let stage = Stage::beside(&target)?;
        match content {
            Hand::Archive(path) => {
                archive::unpack(path, &stage.path(), 0)?;
                let listed = listed(&stage.path())?;
                self.check_signatures(
                    &one.name,
                    &stage.path().join("MANIFEST.json"),
                    &signatures,
                    &options.signatures,
                )?;
                stage.keep_listed(&listed)?;
                let about = About::read(&stage.path())?;
                if about.full_name() != one.name || about.version != one.version.to_string() {
                    return Err(GalaxyError::new(format!(
                        "the archive of '{label}' contains {}:{}",
                        about.full_name(),
                        about.version
                    )));
                }
            }
            Hand::Folder(path) => self.copy_folder(path, &stage.path())?,
        }
        stage.put(&target)?;
        remove_infos(folder, &one.name);
        if let Some((at, detail)) = detail {
            write_info(folder, one, apis[*at].root_url()?, detail)?;
        }
        if matches!(content, Hand::Folder(_)) {
            self.say(format!("Created collection for {label} at {}", target.display()));
        }
        self.say(format!("{label} was installed successfully"));
        Ok(())
    }

    pub(super) fn download(&self, api: &Api<'_>, detail: &Detail, path: &Path) -> Result<()> {
        self.say(format!("Downloading {} to {}", detail.download_url, path.display()));
        let authorization = api.authorization()?;
        self.take(&detail.download_url, authorization.map(|word| (api.server, word)), detail.sha256.as_deref(), path)
    }

    /// Copies everything in a collection's directory that belongs to the collection.
    fn copy_folder(&self, from: &Path, to: &Path) -> Result<()> {
        let unwritten = |error: io::Error| GalaxyError::new(format!("cannot copy {}: {error}", from.display()));
        if !from.join("galaxy.yml").is_file() && !from.join("galaxy.yaml").is_file() {
            let listed = listed(from)?;
            for name in ["MANIFEST.json", "FILES.json"] {
                fs::copy(from.join(name), to.join(name)).map_err(unwritten)?;
            }
            for entry in listed.iter().filter(|entry| entry.sha256.is_some()) {
                copy_file(&from.join(&entry.name), &to.join(&entry.name)).map_err(unwritten)?;
            }
            return Stage::check_listed(to, &listed);
        }
        let built = self.built(from)?;
        fs::write(to.join("MANIFEST.json"), &built.manifest).map_err(unwritten)?;
        fs::write(to.join("FILES.json"), &built.files).map_err(unwritten)?;
        for (name, content) in &built.entries {
            let target = to.join(name);
            match content {
                Content::Folder => fs::create_dir_all(&target),
                Content::File(path) => copy_file(path, &target),
                Content::Bytes(bytes) => fs::write(&target, bytes),
                Content::Link(link) => symlink(link, &target),
            }
            .map_err(unwritten)?;
        }
        Ok(())
    }

    /// Fetches collections that are given by location. Returns those given by name, and the content of each location.
    pub(super) fn at_hand(
        &self,
        wanted: &[Wanted],
        scratch: &Path,
    ) -> Result<(Vec<(String, Range, Option<String>)>, Vec<AtHand>)> {
        let mut roots = Vec::new();
        let mut at_hand: Vec<AtHand> = Vec::new();
        for (index, one) in wanted.iter().enumerate() {
            let mut found: Vec<(About, Hand)> = Vec::new();
            match &one.origin {
                Origin::Galaxy { server } => {
                    let name = one.name.clone().unwrap_or_default();
                    roots.push((name, one.range.clone(), server.clone()));
                }
                Origin::File(path) => {
                    if !path.is_file() {
                        return Err(GalaxyError::new(format!(
                            "the collection archive {} does not exist",
                            path.display()
                        )));
                    }
                    found.push((about_of_archive(path)?, Hand::Archive(path.clone())));
                }
                Origin::Url(url) => {
                    let path = scratch.join(format!("wanted-{index}.tar.gz"));
                    self.say(format!("Downloading {url} to {}", path.display()));
                    self.take(url, None, None, &path)?;
                    found.push((about_of_archive(&path)?, Hand::Archive(path)));
                }
                Origin::Folder(path) => found.push((About::read_source(path)?, Hand::Folder(path.clone()))),
                Origin::Subfolders(path) => found.extend(subfolders(path)?),
                Origin::Git { repository, folder, version } => {
                    let clone = scratch.join(format!("wanted-{index}"));
                    git::clone(repository, version.as_deref(), &clone)?;
                    let inner = match folder {
                        Some(folder) => clone.join(folder),
                        None => clone.clone(),
                    };
                    let is_inside = inner
                        .canonicalize()
                        .is_ok_and(|real| clone.canonicalize().is_ok_and(|root| real.starts_with(root)));
                    if !is_inside {
                        return Err(GalaxyError::new(format!(
                            "{repository} has no directory {}",
                            folder.as_deref().unwrap_or_default()
                        )));
                    }
                    match About::read_source(&inner) {
                        Ok(about) => found.push((about, Hand::Folder(inner))),
                        Err(error) => {
                            let inside = subfolders(&inner).unwrap_or_default();
                            if inside.is_empty() {
                                return Err(error);
                            }
                            found.extend(inside);
                        }
                    }
                }
            }
            for (about, content) in found {
                let name = about.full_name();
                if let Some(server_less) = one.name.as_ref().filter(|wanted| **wanted != name) {
                    return Err(GalaxyError::new(format!(
                        "{server_less} was requested, but its source contains {name}"
                    )));
                }
                let range = Range::parse(&format!("=={}", about.version))?;
                roots.push((name.clone(), range, None));
                at_hand.retain(|known| known.about.full_name() != name);
                at_hand.push(AtHand { about, content, signatures: one.signatures.clone() });
            }
        }
        // The last location given for a collection is used.
        let ranges: Vec<(String, Version)> = at_hand
            .iter()
            .map(|one| Ok((one.about.full_name(), Version::parse(&one.about.version)?)))
            .collect::<Result<_>>()?;
        roots.retain(|(name, range, _)| {
            !range
                .pinned()
                .is_some_and(|pinned| ranges.iter().any(|(known, version)| known == name && pinned != version))
        });
        Ok((roots, at_hand))
    }
}

impl About {
    /// For a working directory, where `galaxy.yml` takes precedence over a manifest.
    fn read_source(folder: &Path) -> Result<Self> {
        match folder.join("galaxy.yml").is_file() || folder.join("galaxy.yaml").is_file() {
            true => About::from_galaxy_yml(folder),
            false => About::read(folder),
        }
    }
}

fn about_of_archive(path: &Path) -> Result<About> {
    let folder = tempfile::tempdir().map_err(|error| GalaxyError::new(error.to_string()))?;
    archive::unpack(path, folder.path(), 0)?;
    if !folder.path().join("MANIFEST.json").is_file() {
        return Err(GalaxyError::new(format!(
            "Collection at '{}' does not contain the required file MANIFEST.json.",
            path.display()
        )));
    }
    About::read(folder.path())
}

fn subfolders(folder: &Path) -> Result<Vec<(About, Hand)>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(|error| GalaxyError::file(folder, error))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| ["galaxy.yml", "galaxy.yaml", "MANIFEST.json"].iter().any(|name| path.join(name).is_file()))
        .collect();
    paths.sort();
    paths.into_iter().map(|path| Ok((About::read_source(&path)?, Hand::Folder(path)))).collect()
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    let mode = if from.metadata()?.permissions().mode() & 0o100 != 0 { 0o755 } else { 0o644 };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(to)?;
    io::copy(&mut fs::File::open(from)?, &mut file)?;
    file.set_permissions(Permissions::from_mode(mode))
}

/// A directory next to the destination, in which something is completed before it becomes visible.
pub(super) struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    pub(super) fn beside(target: &Path) -> Result<Self> {
        let parent = target.parent().unwrap_or(Path::new("."));
        let failed = |error: io::Error| GalaxyError::new(format!("cannot write {}: {error}", parent.display()));
        fs::create_dir_all(parent).map_err(failed)?;
        sweep(parent);
        let folder = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(parent).map_err(failed)?;
        fs::create_dir(folder.path().join("new")).map_err(failed)?;
        fs::set_permissions(folder.path().join("new"), Permissions::from_mode(0o755)).map_err(failed)?;
        Ok(Stage { folder })
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("new")
    }

    /// A directory to unpack something of which only a part is needed.
    pub(super) fn raw(&self) -> Result<PathBuf> {
        let raw = self.folder.path().join("raw");
        fs::create_dir(&raw).map_err(|error| GalaxyError::file(&raw, error))?;
        Ok(raw)
    }

    /// Selects a subdirectory as the content to install.
    pub(super) fn adopt(&self, folder: &Path) -> Result<()> {
        let new = self.path();
        fs::remove_dir(&new)
            .and_then(|()| fs::rename(folder, &new))
            .map_err(|error| GalaxyError::file(folder, error))?;
        fs::set_permissions(&new, Permissions::from_mode(0o755)).map_err(|error| GalaxyError::file(&new, error))
    }

    /// # Errors
    /// If a listed file is missing or does not match its checksum.
    pub(super) fn check_listed(folder: &Path, listed: &[super::manifest::Listed]) -> Result<()> {
        for entry in listed {
            let path = folder.join(&entry.name);
            match &entry.sha256 {
                None => fs::create_dir_all(&path).map_err(|error| GalaxyError::file(&path, error))?,
                Some(wanted) => {
                    let found = sha256_of(&path).map_err(|error| {
                        GalaxyError::new(format!("`{}` is listed in FILES.json but missing: {error}", entry.name))
                    })?;
                    if found != *wanted {
                        return Err(GalaxyError::new(format!(
                            "Checksum mismatch for '{}' inside the collection: expected {wanted} by FILES.json, found {found}",
                            entry.name
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes files that the manifest does not list, once all listed ones were verified.
    pub(super) fn keep_listed(&self, listed: &[super::manifest::Listed]) -> Result<()> {
        let folder = self.path();
        Stage::check_listed(&folder, listed)?;
        for name in super::manifest::differences(&folder, listed) {
            let path = folder.join(&name);
            let removed =
                if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(GalaxyError::file(&path, error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Moves it to its destination atomically, and then removes the previous content.
    pub(super) fn put(self, target: &Path) -> Result<()> {
        let new = self.path();
        let failed = |error: io::Error| GalaxyError::new(format!("cannot write {}: {error}", target.display()));
        if target.symlink_metadata().is_ok() {
            let old = self.folder.path().join("old");
            match renameat2(AT_FDCWD, &new, AT_FDCWD, target, RenameFlags::RENAME_EXCHANGE) {
                // The previous content is now in the stage and removed with it.
                Ok(()) => return Ok(()),
                // For file systems that cannot exchange directories.
                Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOSYS) => {
                    fs::rename(target, &old).map_err(failed)?;
                }
                Err(error) => return Err(failed(error.into())),
            }
        }
        fs::rename(&new, target).map_err(failed)
    }
}

/// Removes leftovers of installations that were killed more than a day ago.
fn sweep(parent: &Path) {
    let day = Duration::from_secs(24 * 3600);
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let old = entry
            .metadata()
            .and_then(|about| about.modified())
            .is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > day));
        if old && entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            // Another process may remove it at the same time.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The directories next to a collection in which earlier installations recorded its origin.
fn remove_infos(folder: &Path, name: &str) {
    let begin = format!("{name}-");
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let found = entry.file_name();
        let found = found.to_string_lossy();
        if found.starts_with(&begin) && found.ends_with(".info") {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// `NAME-VERSION.info/GALAXY.yml`: the origin of a collection.
fn write_info(folder: &Path, one: &Chosen, server: &str, detail: &Detail) -> Result<()> {
    let (namespace, short) = one.name.split_once('.').unwrap_or((&one.name, ""));
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let signatures: Vec<String> = detail.signatures.iter().map(|signature| quoted(signature)).collect();
    let text = format!(
        "download_url: {}\nformat_version: 1.0.0\nname: {short}\nnamespace: {namespace}\nserver: {}\nsignatures: [{}]\nversion: {}\nversion_url: {}\n",
        quoted(&detail.download_url),
        quoted(server),
        signatures.join(", "),
        one.version,
        quoted(&detail.version_url)
    );
    let path = folder.join(format!("{}-{}.info", one.name, one.version));
    let write = || -> io::Result<()> {
        fs::create_dir_all(&path)?;
        let mut file = tempfile::NamedTempFile::new_in(&path)?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(Permissions::from_mode(0o644))?;
        file.persist(path.join("GALAXY.yml")).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| GalaxyError::file(&path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forcing_dependencies_forces_what_is_named() {
        let force = |named, dependencies| Force { named, dependencies }.of_named();
        assert!(!force(false, false) && force(true, false) && force(false, true));
    }
}
