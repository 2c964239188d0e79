//! Compares installed collections with their manifests, and the manifests with the server's.

use super::{
    Galaxy, GalaxyError, Result, SignatureOptions, Wanted,
    api::Api,
    archive,
    installed::Installed,
    manifest::{About, differences, listed, sha256_of},
    requirement::Origin,
    version::Version,
};

/// `galaxy collection verify`.
#[derive(Debug, Default)]
pub struct VerifyOptions {
    pub wanted: Vec<Wanted>,
    /// Compare only with the installed manifest.
    pub offline: bool,
    pub ignore_errors: bool,
    pub signatures: SignatureOptions,
    pub more_signatures: Vec<String>,
}

impl Galaxy {
    /// Returns whether all collections are unmodified.
    ///
    /// # Errors
    /// If one is not installed, or the server cannot be queried.
    pub fn verify(&self, options: &VerifyOptions) -> Result<bool> {
        let installed = self.installed();
        let mut all = true;
        for one in &options.wanted {
            let (Some(name), Origin::Galaxy { server }) = (&one.name, &one.origin) else {
                return Err(GalaxyError::new(
                    "only collections that were installed by name can be verified: NAMESPACE.NAME[:VERSION]",
                ));
            };
            match self.verify_one(name, one, server.as_deref(), &installed, options) {
                Ok(same) => all &= same,
                Err(error) if options.ignore_errors => self.warn(format!(
                    "Failed to verify collection {name} but skipping due to --ignore-errors being set. Error: {error}"
                )),
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    fn verify_one(
        &self,
        name: &str,
        wanted: &Wanted,
        server: Option<&str>,
        installed: &[Installed],
        options: &VerifyOptions,
    ) -> Result<bool> {
        let found = installed.iter().find(|one| one.name == name);
        let Some(found) = found else {
            return Err(GalaxyError::new(format!(
                "Collection {name} is not installed in any of the collection paths."
            )));
        };
        if !found.path.join("MANIFEST.json").is_file() {
            return Err(GalaxyError::new(format!(
                "Collection {name} does not appear to have a MANIFEST.json. A MANIFEST.json is expected if the collection has been built and installed via ansible-galaxy"
            )));
        }
        let about = About::read(&found.path)?;
        let version = Version::parse(&about.version)?;
        let label = format!("{name}:{version}");
        let begin = || {
            self.say(format!("Verifying '{label}'."));
            self.say(format!("Installed collection found at '{}'", found.path.display()));
        };
        if let Some(pinned) = wanted.range.pinned().filter(|pinned| **pinned != version) {
            begin();
            self.say(format!("{name} has the version '{version}' but is being compared to '{pinned}'"));
            return Ok(false);
        }
        begin();
        let manifest = found.path.join("MANIFEST.json");
        let mut signatures = Vec::new();
        for place in options.more_signatures.iter().chain(&wanted.signatures) {
            signatures.push(self.signature_at(place)?);
        }
        let scratch = tempfile::tempdir().map_err(|error| GalaxyError::new(error.to_string()))?;
        let mut remote = None;
        if !options.offline {
            let path = scratch.path().join("remote.tar.gz");
            let unpacked = scratch.path().join("remote");
            std::fs::create_dir(&unpacked).map_err(|error| GalaxyError::file(&unpacked, error))?;
            let apis =
                self.servers.iter().filter(|one| server.is_none_or(|wanted| wanted == one.name || wanted == one.url));
            let mut last = None;
            for server in apis {
                let api = Api::new(self, server);
                match api.detail(name, &version) {
                    Ok(detail) => {
                        self.download(&api, &detail, &path)?;
                        archive::unpack(&path, &unpacked, 0)?;
                        signatures.extend(detail.signatures);
                        remote = Some(unpacked);
                        break;
                    }
                    Err(error) => last = Some(error),
                }
            }
            if remote.is_none() {
                let why = last.map(|error| format!(": {error}")).unwrap_or_default();
                return Err(GalaxyError::new(format!(
                    "Failed to find remote collection {label} on any of the galaxy servers{why}"
                )));
            }
        }
        self.check_signatures(name, &manifest, &signatures, &options.signatures)?;
        let digest = sha256_of(&manifest).map_err(|error| GalaxyError::file(&manifest, error))?;
        self.say(format!("MANIFEST.json hash: {digest}"));
        // Both could have been changed, so the server's manifest is authoritative.
        let mut different = Vec::new();
        let judge = remote.as_ref().unwrap_or(&found.path);
        if remote.is_some() && sha256_of(&judge.join("MANIFEST.json")).ok() != Some(digest) {
            different.push("MANIFEST.json".to_owned());
        }
        match listed(judge) {
            Ok(listed) => different.extend(differences(&found.path, &listed)),
            Err(_) if remote.is_none() => different.push("FILES.json".to_owned()),
            Err(error) => return Err(error),
        }
        if different.is_empty() {
            self.say(match remote {
                Some(_) => format!("Successfully verified that checksums for '{label}' match the remote collection."),
                None => format!(
                    "Successfully verified that checksums for '{label}' are internally consistent with its manifest."
                ),
            });
            return Ok(true);
        }
        let list: String = different.iter().map(|name| format!("\n    {name}")).collect();
        self.say(format!("Collection {name} contains modified content in the following files:{list}"));
        Ok(false)
    }
}
