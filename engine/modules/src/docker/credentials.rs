//! The registry credentials in `~/.docker/config.json`, shared with the docker command.

use std::{
    io,
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose};
use parking_lot::Mutex;
use rplay_wire::Failure;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::image_name::ImageName;
use crate::{
    Host,
    argtypes::PathArg,
    system::{expand, fs, regular},
};

/// The key of credentials for Docker's own registry.
pub(super) const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// The key of a registry in the file: its host and port, or [`DOCKER_HUB`].
pub(super) fn registry_key(registry: &str) -> String {
    let bare = registry.trim().trim_start_matches("https://").trim_start_matches("http://");
    match bare.split('/').next().unwrap_or(bare) {
        "" | "docker.io" | "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB.to_owned(),
        host => host.to_owned(),
    }
}

/// Credentials for a registry.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub username: String,
    pub password: String,
    /// Some registries issue a token, which is stored instead of the password.
    pub token: Option<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// The parsed file.
pub(super) struct DockerConfig {
    path: PathBuf,
    json: Json,
}

impl DockerConfig {
    /// Reads the file at `path`, or in the directory DOCKER_CONFIG, or in the user's home directory; a missing file is
    /// empty.
    pub(super) fn read(host: &Host, path: Option<&PathArg>) -> Result<DockerConfig, Failure> {
        let path = match path {
            Some(path) => path.on(host),
            None => match host.variable("DOCKER_CONFIG").filter(|directory| !directory.is_empty()) {
                Some(directory) => PathBuf::from(directory).join("config.json"),
                None => home(host)?.join(".docker/config.json"),
            },
        };
        Self::read_at(path)
    }

    fn read_at(path: PathBuf) -> Result<DockerConfig, Failure> {
        let text = match regular::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Failure::new(format!("cannot read {}: {error}", path.display()))),
        };
        let json = if text.trim().is_empty() { Ok(json!({})) } else { serde_json::from_str(&text) };
        match json {
            Ok(json @ Json::Object(_)) => Ok(DockerConfig { path, json }),
            // Only the location, never the text: it contains passwords.
            Err(error) => Err(Failure::new(format!(
                "{} is not JSON (line {}, column {})",
                path.display(),
                error.line(),
                error.column()
            ))),
            Ok(_) => Err(Failure::new(format!("{} does not contain a JSON object", path.display()))),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The credential helper of this registry, if one is configured.
    pub(super) fn credential_helper(&self, registry: &str) -> Option<&str> {
        let of_registry = self.json.get("credHelpers").and_then(Json::as_object).and_then(|helpers| {
            helpers.iter().find(|(key, _)| registry_key(key) == registry).and_then(|(_, helper)| helper.as_str())
        });
        of_registry.or_else(|| self.json.get("credsStore")?.as_str()).filter(|helper| !helper.is_empty())
    }

    /// The stored credentials of a registry.
    pub(super) fn login(&self, registry: &str) -> Option<Login> {
        let entry = self.entry(registry)?;
        let text = |key: &str| entry.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let decoded = general_purpose::STANDARD.decode(text("auth")).unwrap_or_default();
        let decoded = String::from_utf8(decoded).unwrap_or_default();
        let (username, password) = decoded
            .split_once(':')
            .map(|(name, password)| (name.to_owned(), password.trim_end_matches('\0').to_owned()))
            .unwrap_or_else(|| (text("username"), text("password")));
        let token = Some(text("identitytoken")).filter(|token| !token.is_empty());
        let empty = username.is_empty() && password.is_empty() && token.is_none();
        (!empty).then_some(Login { username, password, token })
    }

    /// Whether the file mentions the registry at all; with a credential helper, an empty entry means that there are
    /// credentials.
    pub(super) fn names(&self, registry: &str) -> bool {
        self.entry(registry).is_some()
    }

    fn entry(&self, registry: &str) -> Option<&Json> {
        let auths = self.json.get("auths")?.as_object()?;
        auths.iter().find(|(key, _)| registry_key(key) == registry).map(|(_, entry)| entry)
    }

    /// Adds or removes credentials; everything else in the file is kept. Concurrent calls do not lose each other's
    /// changes: the file is read again under a lock.
    pub(super) fn store(&self, registry: &str, login: Option<&Login>) -> Result<(), Failure> {
        static WRITING: Mutex<()> = Mutex::new(());
        let _turn = WRITING.lock();
        let mut config = Self::read_at(self.path.clone())?;
        if let Some(root) = config.json.as_object_mut() {
            let auths = root.entry("auths").or_insert_with(|| json!({}));
            let Some(auths) = auths.as_object_mut() else {
                return Err(Failure::new(format!("`auths` in {} is not an object", self.path.display())));
            };
            auths.retain(|key, _| registry_key(key) != registry);
            if let Some(login) = login {
                let auth = general_purpose::STANDARD.encode(format!("{}:{}", login.username, login.password));
                let entry = match &login.token {
                    Some(token) => json!({"auth": auth, "identitytoken": token}),
                    None => json!({"auth": auth}),
                };
                auths.insert(registry.to_owned(), entry);
            }
        }
        config.write().map_err(|error| Failure::new(format!("cannot write {}: {error}", self.path.display())))
    }

    /// Replaces the whole file, readable only by its owner.
    fn write(&self) -> io::Result<()> {
        // A link is kept: its target is replaced.
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        if !directory.exists() {
            use std::os::unix::fs::DirBuilderExt;
            fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let mut text = Vec::new();
        let tabs = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        self.json.serialize(&mut serde_json::Serializer::with_formatter(&mut text, tabs))?;
        text.push(b'\n');
        regular::refuse_special(&path)?;
        let mut file = crate::system::scratch::file_in(directory)?;
        file.write_all(&text)?;
        if let Ok(old) = fs::metadata(&path) {
            let present = file.as_file().metadata()?;
            if (old.uid(), old.gid()) != (present.uid(), present.gid()) {
                fs::fchown(file.as_file(), Some(old.uid()), Some(old.gid()))?;
            }
        }
        file.persist(&path).map(drop).map_err(|error| error.error)
    }
}

/// The user's home directory.
fn home(host: &Host) -> Result<PathBuf, Failure> {
    let found = expand::own_home(&|name| host.variable(name)).filter(|home| home.starts_with('/'));
    let found = found.map(PathBuf::from);
    found.ok_or_else(|| Failure::new("this user has no home directory").help("set HOME or DOCKER_CONFIG"))
}

/// The header X-Registry-Auth for an image's registry, if credentials are stored for it.
pub(super) fn registry_auth(host: &Host, image: &ImageName) -> Result<Option<String>, Failure> {
    let registry = image.registry.as_deref().map_or_else(|| DOCKER_HUB.to_owned(), registry_key);
    let config = DockerConfig::read(host, None)?;
    if let Some(login) = config.login(&registry) {
        let auth = match &login.token {
            Some(token) => json!({"identitytoken": token, "serveraddress": registry}),
            None => json!({"username": login.username, "password": login.password, "serveraddress": registry}),
        };
        return Ok(Some(general_purpose::URL_SAFE.encode(auth.to_string())));
    }
    match config.credential_helper(&registry) {
        Some(helper) if config.names(&registry) => Err(refuse_helper(&config, &registry, helper)),
        _ => Ok(None),
    }
}

/// Credential helpers need a desktop or a keyring, which servers do not have.
pub(super) fn refuse_helper(config: &DockerConfig, registry: &str, helper: &str) -> Failure {
    Failure::new(format!(
        "{} uses docker-credential-{helper} for {registry}; credential helpers are not supported",
        config.path().display()
    ))
    .help("remove `credsStore` (or the registry's line in `credHelpers`) from that file and use docker_login")
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, sync::Arc};

    use super::*;
    use crate::NoBlobs;

    fn login(password: &str) -> Login {
        Login { username: "me".into(), password: password.into(), token: None }
    }

    #[test]
    fn a_login_joins_what_is_in_the_file_and_leaves_it_readable_by_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".docker/config.json");
        let empty = DockerConfig::read_at(path.clone()).unwrap();
        empty.store("r.io:5000", Some(&login("p:q"))).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let mut json: Json = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        json["proxies"] = json!({"default": {}});
        json["auths"]["https://other.io/v2/"] = json!({"auth": "eDp5"});
        fs::write(&path, json.to_string()).unwrap();

        // The stale copy must not overwrite changes made meanwhile.
        empty.store("r.io:5000", Some(&login("new"))).unwrap();
        let read = DockerConfig::read_at(path.clone()).unwrap();
        assert_eq!(read.login("r.io:5000"), Some(login("new")));
        assert_eq!(read.login("other.io").unwrap().password, "y");
        assert!(read.json["proxies"]["default"].is_object());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);

        read.store("r.io:5000", None).unwrap();
        let read = DockerConfig::read_at(path.clone()).unwrap();
        assert_eq!(read.login("r.io:5000"), None);
        assert!(read.names("other.io"));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_broken_file_is_reported_without_its_text() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        fs::write(&path, "{\"auths\": {\"r.io\": {\"auth\": \"c2VjcmV0\"}").unwrap();
        let message = DockerConfig::read_at(path).err().unwrap().msg;
        assert!(message.contains("is not JSON") && !message.contains("c2Vj"), "{message}");
    }

    #[test]
    fn pulls_carry_the_login_of_their_registry_and_refuse_a_helper() {
        let directory = tempfile::tempdir().unwrap();
        let host = Host::new(
            vec![("DOCKER_CONFIG".into(), directory.path().to_string_lossy().into_owned())],
            Arc::new(NoBlobs),
        );
        let of = |name: &str| registry_auth(&host, &ImageName::parse(name, None).unwrap());
        assert_eq!(of("r.io/todo"), Ok(None));
        let auths =
            json!({"r.io": {"auth": "bWU6cHc="}, "https://index.docker.io/v1/": {"identitytoken": "t"}, "h.io": {}});
        let write = |json: Json| fs::write(directory.path().join("config.json"), json.to_string()).unwrap();
        write(json!({"auths": auths}));
        let decoded = |name: &str| {
            let bytes = general_purpose::URL_SAFE.decode(of(name).unwrap().unwrap()).unwrap();
            serde_json::from_slice::<Json>(&bytes).unwrap()
        };
        assert_eq!(decoded("r.io/todo"), json!({"username": "me", "password": "pw", "serveraddress": "r.io"}));
        assert_eq!(decoded("todo")["identitytoken"], "t");
        write(json!({"auths": auths, "credsStore": "pass"}));
        assert!(of("h.io/x").unwrap_err().msg.contains("docker-credential-pass"));
        assert_eq!(of("public.io/x"), Ok(None));
    }

    #[test]
    fn registries_have_one_name_each() {
        for hub in ["", "docker.io", "https://index.docker.io/v1/", "index.docker.io"] {
            assert_eq!(registry_key(hub), DOCKER_HUB);
        }
        assert_eq!(registry_key("https://r.io:5000/v2/"), "r.io:5000");
    }
}
