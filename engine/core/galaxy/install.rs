//! Installs collections: each is unpacked next to its destination, verified against its manifest, and moved there
//! atomically.

use std::{
    collections::HashSet,
    fs::{self, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink},
    path::Path,
};

use super::{
    Galaxy, GalaxyError, Result, SignatureOptions, Wanted,
    api::{Api, Detail},
    archive::{self, Content},
    force::Force,
    installed::{Installed, collections_directory, in_directory},
    local_collection::{LocalCollection, LocalContent},
    manifest::{About, listed},
    question::{Chosen, From, Question},
    resolve::resolve,
    stage::Stage,
    version::{Range, Version},
};

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

impl Galaxy {
    /// Installs collections and their dependencies.
    ///
    /// # Errors
    /// If something cannot be fetched, read or written, or versions conflict. Previously installed collections
    /// are kept.
    pub fn install_collections(&self, options: &InstallOptions) -> Result<()> {
        let place =
            self.collections_path.first().ok_or_else(|| GalaxyError::new("no collections path is configured"))?;
        let directory = collections_directory(place);
        let scratch = tempfile::tempdir().map_err(|error| GalaxyError::new(error.to_string()))?;
        self.say("Starting galaxy collection install process");
        let force = options.force.of_named();
        let there = in_directory(&directory);
        let (roots, local) = self.fetch_given(&options.wanted, scratch.path())?;
        // A collection in any place meets a requirement; replacements always go here.
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
            local: local.iter().map(|one| one.about.clone()).collect(),
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
            let result = self.install_one(one, &local, &apis, &directory, scratch.path(), options);
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
        local: &[LocalCollection],
        apis: &[Api<'_>],
        directory: &Path,
        scratch: &Path,
        options: &InstallOptions,
    ) -> Result<()> {
        let (namespace, short) = one.name.split_once('.').unwrap_or((&one.name, ""));
        let target = directory.join(namespace).join(short);
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
            From::Local(at) => {
                for place in &local[*at].signatures {
                    signatures.push(self.signature_at(place)?);
                }
                (&local[*at].content, None)
            }
            From::Server(at, detail) => {
                let path = scratch.join(format!("{namespace}-{short}-{}.tar.gz", one.version));
                self.download(&apis[*at], detail, &path)?;
                signatures.extend(detail.signatures.iter().cloned());
                (&LocalContent::Archive(path), Some((at, detail)))
            }
            From::Installed => return Ok(()),
        };
        self.say(format!("Installing '{label}' to '{}'", target.display()));
        let stage = Stage::beside(&target)?;
        match content {
            LocalContent::Archive(path) => {
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
            LocalContent::Directory(path) => self.copy_directory(path, &stage.path())?,
        }
        stage.put(&target)?;
        remove_infos(directory, &one.name);
        if let Some((at, detail)) = detail {
            write_info(directory, one, apis[*at].root_url()?, detail)?;
        }
        if matches!(content, LocalContent::Directory(_)) {
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
    fn copy_directory(&self, from: &Path, to: &Path) -> Result<()> {
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
                Content::Directory => fs::create_dir_all(&target),
                Content::File(path) => copy_file(path, &target),
                Content::Bytes(bytes) => fs::write(&target, bytes),
                Content::Link(link) => symlink(link, &target),
            }
            .map_err(unwritten)?;
        }
        Ok(())
    }
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

/// The directories next to a collection in which earlier installations recorded its origin.
fn remove_infos(directory: &Path, name: &str) {
    let begin = format!("{name}-");
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let found = entry.file_name();
        let found = found.to_string_lossy();
        if found.starts_with(&begin) && found.ends_with(".info") {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Text in YAML, in quotes only if it needs them.
pub(super) fn scalar(text: &str) -> String {
    let starts = |c: char| c.is_ascii_alphanumeric() || c == '/';
    let goes_on = |c: char| c.is_ascii_alphanumeric() || "/:._-+%~?&=".contains(c);
    let is_plain = text.starts_with(starts) && text.chars().all(goes_on) && !text.ends_with(':');
    // What YAML reads as something else than text.
    let is_text =
        text.contains(|c: char| c.is_ascii_alphabetic() && c != 'e' && c != 'E') || text.matches('.').count() > 1;
    let word = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&&*text.to_ascii_lowercase());
    match is_plain && is_text && !word && !text.starts_with("0x") {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}

/// `NAME-VERSION.info/GALAXY.yml`: the origin of a collection.
fn write_info(directory: &Path, one: &Chosen, server: &str, detail: &Detail) -> Result<()> {
    let (namespace, short) = one.name.split_once('.').unwrap_or((&one.name, ""));
    let signatures: Vec<String> =
        detail.signatures.iter().map(|signature| serde_json::Value::from(signature.as_str()).to_string()).collect();
    let text = format!(
        "download_url: {}\nformat_version: 1.0.0\nname: {short}\nnamespace: {namespace}\nserver: {}\nsignatures: [{}]\nversion: {}\nversion_url: {}\n",
        scalar(&detail.download_url),
        scalar(server),
        signatures.join(", "),
        one.version,
        scalar(&detail.version_url)
    );
    let path = directory.join(format!("{}-{}.info", one.name, one.version));
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
