//! Downloads collections with their dependencies into a directory, for offline installation.

use std::{collections::HashSet, fs, path::PathBuf};

use super::{
    Galaxy, GalaxyError, Result, Wanted,
    api::Api,
    archive::{self, Content},
    local_collection::LocalContent,
    question::{From, Question},
    resolve::resolve,
};

/// `galaxy collection download`.
#[derive(Debug, Default)]
pub struct DownloadOptions {
    pub wanted: Vec<Wanted>,
    pub path: PathBuf,
    pub no_deps: bool,
    pub prereleases: bool,
}

impl Galaxy {
    /// Downloads archives and writes a requirements.yml next to them.
    ///
    /// # Errors
    /// Same as for an installation.
    pub fn download_collections(&self, options: &DownloadOptions) -> Result<()> {
        let directory = PathBuf::from(crate::source::absolute(&options.path));
        let unwritten = |error: std::io::Error| GalaxyError::file(&directory, error);
        let scratch = tempfile::tempdir().map_err(|error| GalaxyError::new(error.to_string()))?;
        self.say("Process download dependency map");
        let (roots, local) = self.fetch_given(&options.wanted, scratch.path())?;
        let apis: Vec<Api<'_>> = self.servers.iter().map(|server| Api::new(self, server)).collect();
        let question = Question {
            roots,
            local: local.iter().map(|one| one.about.clone()).collect(),
            installed: &[],
            forced: HashSet::new(),
            forces_all: true,
            upgrade: false,
            prereleases: options.prereleases,
            with_dependencies: !options.no_deps,
        };
        let chosen = resolve(self, &apis, &question)?;
        fs::create_dir_all(&directory).map_err(unwritten)?;
        self.say(format!("Starting collection download process to '{}'", directory.display()));
        let mut text = "collections:\n".to_owned();
        for one in &chosen {
            let file = format!("{}-{}.tar.gz", one.name.replacen('.', "-", 1), one.version);
            let path = directory.join(&file);
            self.say(format!("Downloading collection '{}:{}' to '{}'", one.name, one.version, directory.display()));
            let new = tempfile::Builder::new().prefix(".rplay-").tempfile_in(&directory).map_err(unwritten)?;
            match &one.from {
                From::Server(at, detail) => {
                    let authorization = apis[*at].authorization()?;
                    let login = authorization.map(|word| (apis[*at].server, word));
                    self.take(&detail.download_url, login, detail.sha256.as_deref(), new.path())?;
                }
                From::Local(at) => match &local[*at].content {
                    LocalContent::Archive(from) => drop(fs::copy(from, new.path()).map_err(unwritten)?),
                    LocalContent::Directory(from) => {
                        let built = self.built(from)?;
                        let mut entries = vec![
                            ("MANIFEST.json".to_owned(), Content::Bytes(built.manifest)),
                            ("FILES.json".to_owned(), Content::Bytes(built.files)),
                        ];
                        entries.extend(built.entries);
                        archive::pack(new.path(), &entries, 0)?;
                    }
                },
                From::Installed => continue,
            }
            new.persist(&path).map_err(|error| unwritten(error.error))?;
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            fs::set_permissions(&path, mode).map_err(unwritten)?;
            self.say(format!("Collection '{}:{}' was downloaded successfully", one.name, one.version));
            text += &format!("- name: {file}\n  version: {}\n", one.version);
        }
        let path = directory.join("requirements.yml");
        self.say(format!("Writing requirements.yml file of downloaded collections to '{}'", path.display()));
        fs::write(&path, text).map_err(unwritten)
    }
}
