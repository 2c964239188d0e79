//! Stands in for Galaxy's API in tests. It serves the archives of collections that it is given, page by page, and
//! roles; it can want a token, announce wrong digests, and break off in the middle of a file.

use std::{
    fs, io,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Versions on one page of a list.
const PAGE: usize = 2;

/// A collection's archive.
#[derive(Clone)]
pub struct Published {
    pub namespace: String,
    pub name: String,
    pub version: String,
    pub dependencies: Value,
    pub signatures: Vec<String>,
    archive: Vec<u8>,
}

/// A role's archive; versions of one name belong together.
#[derive(Clone)]
pub struct Role {
    pub user: String,
    pub name: String,
    pub version: String,
    pub archive: Vec<u8>,
}

/// What it has and how it behaves.
#[derive(Default)]
pub struct State {
    pub collections: Vec<Published>,
    pub roles: Vec<Role>,
    /// Whole header that every request for the API must bring.
    pub authorization: Option<String>,
    /// Digests are announced wrong.
    pub wrong_digests: bool,
    /// Archives end after so many bytes, though more were announced.
    pub breaks_off: Option<usize>,
    /// What the server says of each import.
    pub import: Value,
    /// Paths that were asked for, and what was said of the asker.
    pub calls: Vec<(String, Option<String>)>,
    /// Queries and bodies of the requests of version 1.
    pub queries: Vec<String>,
    /// What becomes of an import of a role; `SUCCESS` if nothing is set.
    pub import_state: Option<String>,
}

/// A running stand-in. It serves until the process ends.
#[derive(Clone)]
pub struct Stand {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Stand {
    /// Listens on that address; port 0 takes any.
    ///
    /// # Errors
    /// If the address is taken.
    pub fn start(address: &str) -> io::Result<Stand> {
        let listener = TcpListener::bind(address)?;
        let url = format!("http://{}", listener.local_addr()?);
        let stand = Stand { url, state: Arc::default() };
        let served = stand.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let stand = served.clone();
                thread::spawn(move || stand.serve(&stream));
            }
        });
        Ok(stand)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Adds the archive of a collection; what it is stands in its manifest.
    ///
    /// # Errors
    /// If it cannot be read, or has no manifest.
    pub fn publish(&self, archive: &Path) -> io::Result<()> {
        let archive = fs::read(archive)?;
        let manifest = manifest(&archive)?;
        let text = |key: &str| manifest["collection_info"][key].as_str().unwrap_or_default().to_owned();
        self.state().collections.push(Published {
            namespace: text("namespace"),
            name: text("name"),
            version: text("version"),
            dependencies: manifest["collection_info"]["dependencies"].clone(),
            signatures: Vec::new(),
            archive,
        });
        Ok(())
    }

    /// Adds all archives in a directory.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn publish_all(&self, directory: &Path) -> io::Result<()> {
        let mut paths: Vec<PathBuf> = fs::read_dir(directory)?.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths.iter().filter(|path| path.to_string_lossy().ends_with(".tar.gz")).try_for_each(|path| self.publish(path))
    }

    fn serve(&self, stream: &TcpStream) {
        let Some((target, authorization, body)) = request(stream) else { return };
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut state = self.state();
        state.calls.push((path.to_owned(), authorization.clone()));
        if path.starts_with("/api/v1/") {
            state.queries.push(format!("{query}{}", String::from_utf8_lossy(&body)));
        }
        let is_api = path.starts_with("/api/");
        let (status, content) = if is_api && state.authorization.is_some() && state.authorization != authorization {
            (
                401,
                json!({ "errors": [{ "detail": "Authentication credentials were not provided." }] }).to_string().into(),
            )
        } else if path == "/auth" {
            let body = String::from_utf8_lossy(&body);
            match body.contains("grant_type=refresh_token") && body.contains("refresh_token=lasting") {
                true => (200, json!({ "access_token": "short-lived" }).to_string().into_bytes()),
                false => (400, b"{}".to_vec()),
            }
        } else if path == "/api/v3/artifacts/collections/" {
            match state.take(&body) {
                Some(()) => (202, json!({ "task": "/api/v3/imports/collections/one/" }).to_string().into_bytes()),
                None => (400, json!({ "errors": [{ "detail": "No archive." }] }).to_string().into_bytes()),
            }
        } else if let Some(name) = path.strip_prefix("/files/") {
            match state.archive(name) {
                Some(content) => (200, content),
                None => (404, Vec::new()),
            }
        } else {
            match state.answer(path, query, &self.url) {
                Some(json) => (200, json.to_string().into_bytes()),
                None => (404, json!({ "errors": [{ "detail": "Not found." }] }).to_string().into()),
            }
        };
        let end = state.breaks_off.filter(|_| path.starts_with("/files/")).unwrap_or(content.len()).min(content.len());
        drop(state);
        let mut stream = stream;
        let head = format!(
            "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            content.len()
        );
        // Whoever asked may be gone.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&content[..end]));
    }
}

impl State {
    /// Adds the archive in a form that was sent.
    fn take(&mut self, form: &[u8]) -> Option<()> {
        let find = |what: &[u8], from: usize| {
            form.get(from..)?.windows(what.len()).position(|window| window == what).map(|at| from + at)
        };
        let end = find(b"\r\n", 0)?;
        let boundary = [b"\r\n", form.get(..end)?].concat();
        let begin = find(b"\r\n\r\n", find(b"name=\"file\"; filename=", 0)?)? + 4;
        let archive = form.get(begin..find(&boundary, begin)?)?.to_vec();
        let manifest = manifest(&archive).ok()?;
        let text = |key: &str| Some(manifest["collection_info"][key].as_str()?.to_owned());
        self.collections.push(Published {
            namespace: text("namespace")?,
            name: text("name")?,
            version: text("version")?,
            dependencies: manifest["collection_info"]["dependencies"].clone(),
            signatures: Vec::new(),
            archive,
        });
        Some(())
    }

    fn archive(&self, name: &str) -> Option<Vec<u8>> {
        let collections = self.collections.iter().map(|one| (file_name(one), &one.archive));
        let roles =
            self.roles.iter().map(|one| (format!("{}-{}-{}.tar.gz", one.user, one.name, one.version), &one.archive));
        collections.chain(roles).find(|(found, _)| found == name).map(|(_, archive)| archive.clone())
    }

    fn answer(&self, path: &str, query: &str, url: &str) -> Option<Value> {
        let value = |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match parts[..] {
            ["api"] => Some(json!({ "available_versions": { "v1": "v1/", "v3": "v3/" }, "current_version": "v3" })),
            ["api", "v3", "imports", "collections", "one"] => Some(self.import.clone()),
            ["api", "v3", "collections", namespace, name] => {
                let newest = self.versions(namespace, name).pop()?;
                Some(json!({ "namespace": namespace, "name": name, "highest_version": { "version": newest.version },
                    "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z" }))
            }
            ["api", "v3", "collections", namespace, name, "versions"] => {
                let all = self.versions(namespace, name);
                let offset: usize = value("offset").and_then(|text| text.parse().ok()).unwrap_or(0);
                let page: Vec<Value> = all
                    .iter()
                    .skip(offset)
                    .take(PAGE)
                    .map(|one| json!({ "version": one.version, "href": format!("{path}{}/", one.version) }))
                    .collect();
                let next = (offset + PAGE < all.len()).then(|| format!("{path}?limit={PAGE}&offset={}", offset + PAGE));
                (!all.is_empty())
                    .then(|| json!({ "meta": { "count": all.len() }, "links": { "next": next }, "data": page }))
            }
            ["api", "v3", "collections", namespace, name, "versions", version] => {
                let one = self.versions(namespace, name).into_iter().find(|one| one.version == version)?;
                let digest = if self.wrong_digests {
                    "0".repeat(64)
                } else {
                    rplay_wire::hex::encode(Sha256::digest(&one.archive))
                };
                let signatures: Vec<Value> = one.signatures.iter().map(|text| json!({ "signature": text })).collect();
                Some(json!({
                    "version": version,
                    "href": path,
                    "download_url": format!("{url}/files/{}", file_name(one)),
                    "artifact": { "filename": file_name(one), "sha256": digest, "size": one.archive.len() },
                    "namespace": { "name": namespace },
                    "collection": { "name": name },
                    "name": name,
                    "metadata": { "dependencies": one.dependencies },
                    "signatures": signatures,
                }))
            }
            ["api", "v1", "roles"] => {
                let (user, name) = (value("owner__username")?, value("name")?);
                let found = self.roles.iter().find(|role| role.user == user && role.name == name);
                let results: Vec<Value> = found
                    .map(|role| {
                        json!({ "id": 7, "username": user, "name": role.name, "github_user": user,
                        "github_repo": name, "github_branch": "main", "description": "as on the server" })
                    })
                    .into_iter()
                    .collect();
                Some(json!({ "count": results.len(), "results": results }))
            }
            ["api", "v1", "roles", "7", "versions"] => {
                let results: Vec<Value> = self
                    .roles
                    .iter()
                    .map(|role| {
                        let file = format!("{url}/files/{}-{}-{}.tar.gz", role.user, role.name, role.version);
                        json!({ "name": role.version, "download_url": file })
                    })
                    .collect();
                Some(json!({ "count": results.len(), "results": results, "next": null }))
            }
            ["api", "v1", "imports"] => {
                let messages = json!([{ "id": 1, "message_text": "starting" }, { "id": 2, "message_text": "done" }]);
                let role = json!({ "id": 7, "name": "web" });
                Some(json!({ "results": [{
                    "id": 9, "state": self.import_state.as_deref().unwrap_or("SUCCESS"), "github_user": "some",
                    "github_repo": "web", "summary_fields": { "task_messages": messages, "role": role },
                }] }))
            }
            ["api", "v1", "removerole"] => Some(json!({ "status": "Role deleted", "deleted_roles": [] })),
            ["api", "v1", "notification_secrets"] if query.is_empty() => Some(json!([
                { "id": 3, "source": "travis", "github_user": "some", "github_repo": "web" }
            ])),
            ["api", "v1", "notification_secrets", "3"] => Some(json!({})),
            ["api", "v1", "search", "roles"] => {
                let results: Vec<Value> = self
                    .roles
                    .iter()
                    .filter(|role| value("autocomplete").is_none_or(|word| role.name.contains(word)))
                    .map(|role| json!({ "username": role.user, "name": role.name, "description": "as on the server" }))
                    .collect();
                Some(json!({ "count": results.len(), "results": results }))
            }
            _ => None,
        }
    }

    fn versions(&self, namespace: &str, name: &str) -> Vec<&Published> {
        self.collections.iter().filter(|one| one.namespace == namespace && one.name == name).collect()
    }
}

fn file_name(one: &Published) -> String {
    format!("{}-{}-{}.tar.gz", one.namespace, one.name, one.version)
}

fn manifest(archive: &[u8]) -> io::Result<Value> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.as_ref() == Path::new("MANIFEST.json") {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            return serde_json::from_str(&text).map_err(io::Error::other);
        }
    }
    Err(io::Error::other("an archive without MANIFEST.json"))
}

/// The target, the header `authorization` and the body.
fn request(stream: &TcpStream) -> Option<(String, Option<String>, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let target = line.split_whitespace().nth(1)?.to_owned();
    let (mut authorization, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => authorization = Some(value.trim().to_owned()),
            "content-length" => length = value.trim().parse().unwrap_or(0),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((target, authorization, body))
}
