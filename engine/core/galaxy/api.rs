//! Galaxy's API: version 3 for collections, version 1 for roles.

use std::{cell::OnceCell, collections::BTreeMap};

use rplay_contract::system::http::Request;
use rplay_wire::percent;
use serde_json::Value as Json;

use super::{Galaxy, GalaxyError, Result, request::RequestError, server::Server, upload::Upload, version::Version};

/// Maximum number of pages of a version list.
const MOST_PAGES: usize = 500;

/// A server during one run of the command.
pub(super) struct Api<'g> {
    galaxy: &'g Galaxy,
    pub server: &'g Server,
    /// The root of its API, and its API versions with their paths.
    root: OnceCell<(String, BTreeMap<String, String>)>,
    authorization: OnceCell<Option<String>>,
}

/// One version of a collection on a server.
#[derive(Clone, Debug)]
pub(super) struct Detail {
    pub download_url: String,
    pub sha256: Option<String>,
    pub dependencies: Vec<(String, String)>,
    /// Detached signatures of `MANIFEST.json`.
    pub signatures: Vec<String>,
    pub version_url: String,
}

/// A role on a server.
#[derive(Clone, Debug)]
pub(super) struct RoleEntry {
    pub json: Json,
    pub github_user: String,
    pub github_repo: String,
    pub branch: Option<String>,
    /// Names, and URLs if the server provides them.
    pub versions: Vec<(String, Option<String>)>,
}

impl<'g> Api<'g> {
    pub(super) fn new(galaxy: &'g Galaxy, server: &'g Server) -> Self {
        Api { galaxy, server, root: OnceCell::new(), authorization: OnceCell::new() }
    }

    /// The authorization header of each request; fetched once.
    pub(super) fn authorization(&self) -> Result<Option<&str>> {
        if let Some(known) = self.authorization.get() {
            return Ok(known.as_deref());
        }
        let made = match (&self.server.auth_url, &self.server.token, &self.server.username) {
            (Some(url), Some(token), _) => Some(format!("Bearer {}", self.exchanged(url, token)?)),
            (None, Some(token), _) => Some(format!("Token {token}")),
            (_, None, Some(user)) => {
                let password = self.server.password.clone().unwrap_or_default();
                Some(rplay_contract::system::http::Login::new(user, password).basic())
            }
            (_, None, None) => None,
        };
        Ok(self.authorization.get_or_init(|| made).as_deref())
    }

    /// Exchanges a permanent token for an access token.
    fn exchanged(&self, url: &str, token: &str) -> Result<String> {
        let mut request = self.galaxy.request(self.server.validate_certs, self.server.timeout, url);
        request.method = "POST".to_owned();
        request.headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        let fields = [("grant_type", "refresh_token"), ("client_id", &self.server.client_id), ("refresh_token", token)];
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", percent::encode(value, ""))).collect();
        request.body = Some(body.join("&").into_bytes());
        let json = self.galaxy.json_of(request)?;
        let token = json.get("access_token").and_then(Json::as_str).map(str::to_owned);
        token.ok_or_else(|| GalaxyError::new(format!("{url} gave no access_token")))
    }

    /// An authorized request.
    fn request(&self, method: &str, url: &str) -> Result<Request> {
        let mut request = self.galaxy.request(self.server.validate_certs, self.server.timeout, url);
        request.method = method.to_owned();
        if let Some(authorization) = self.authorization()? {
            request.headers.push(("authorization".to_owned(), authorization.to_owned()));
        }
        Ok(request)
    }

    fn get(&self, url: &str) -> std::result::Result<Json, RequestError> {
        let authorization = self.authorization().map_err(|error| RequestError::Other(error.0))?;
        self.galaxy.json(self.server, authorization, url)
    }

    /// The root of the API: the URL itself, or `api/` below it.
    fn root(&self) -> Result<&(String, BTreeMap<String, String>)> {
        if let Some(known) = self.root.get() {
            return Ok(known);
        }
        let bare = self.server.url.trim_end_matches('/');
        let below = format!("{bare}/api/");
        let itself = format!("{bare}/");
        let first = if bare.ends_with("/api") { [itself, below] } else { [below, itself] };
        let mut told = None;
        for root in first {
            match self.get(&root) {
                Ok(json) => {
                    if let Some(versions) = json.get("available_versions").and_then(Json::as_object) {
                        let path = |path: &Json| path.as_str().unwrap_or_default().to_owned();
                        let versions = versions.iter().map(|(name, json)| (name.clone(), path(json))).collect();
                        return Ok(self.root.get_or_init(|| (root, versions)));
                    }
                }
                Err(RequestError::NotFound) => {}
                Err(RequestError::Other(message)) => {
                    told.get_or_insert(message);
                    break;
                }
            }
        }
        Err(GalaxyError::new(told.unwrap_or_else(|| {
            format!(
                "Tried to find galaxy API root at {} but no 'available_versions' are available on {bare}",
                self.server.url
            )
        })))
    }

    /// The root of the API, without a trailing slash.
    pub(super) fn root_url(&self) -> Result<&str> {
        Ok(self.root()?.0.trim_end_matches('/'))
    }

    fn version_root(&self, version: &str) -> Result<String> {
        let (root, versions) = self.root()?;
        match versions.get(version) {
            Some(path) => Ok(format!("{root}{}/", path.trim_matches('/'))),
            None => {
                let there = versions.keys().cloned().collect::<Vec<_>>().join(", ");
                Err(GalaxyError::new(format!(
                    "Galaxy action requires API versions '{version}' but only '{there}' are available on {} {root}",
                    self.server.name
                )))
            }
        }
    }

    /// The full URL for one from the server, which may lack the host.
    fn absolute(&self, url: &str) -> Result<String> {
        if url.contains("://") {
            return Ok(url.to_owned());
        }
        let root = &self.root()?.0;
        let after = root.find("://").map_or(0, |at| at + 3);
        let end = root[after..].find('/').map_or(root.len(), |at| after + at);
        Ok(format!("{}/{}", &root[..end], url.trim_start_matches('/')))
    }

    /// The versions of a collection; none if the server does not have it.
    pub(super) fn versions(&self, name: &str) -> Result<Vec<Version>> {
        let (namespace, short) = name.split_once('.').unwrap_or((name, ""));
        let mut url = format!("{}collections/{namespace}/{short}/versions/?limit=100", self.version_root("v3")?);
        let mut versions = Vec::new();
        for _ in 0..MOST_PAGES {
            let json = match self.get(&url) {
                Ok(json) => json,
                Err(RequestError::NotFound) => return Ok(Vec::new()),
                Err(error) => return Err(error.into()),
            };
            let entries = json.get("data").or_else(|| json.get("results")).and_then(Json::as_array);
            for entry in entries.into_iter().flatten() {
                // Invalid versions are ignored.
                versions.extend(entry.get("version").and_then(Json::as_str).and_then(|text| Version::parse(text).ok()));
            }
            match json.pointer("/links/next").or_else(|| json.get("next")).and_then(Json::as_str) {
                Some(next) => url = self.absolute(next)?,
                None => return Ok(versions),
            }
        }
        Err(GalaxyError::new(format!("the version list of {name} on {} does not end", self.server.url)))
    }

    /// The details of one version of a collection.
    pub(super) fn detail(&self, name: &str, version: &Version) -> Result<Detail> {
        let (namespace, short) = name.split_once('.').unwrap_or((name, ""));
        let url = format!("{}collections/{namespace}/{short}/versions/{version}/", self.version_root("v3")?);
        let json = self.get(&url)?;
        let text = |pointer: &str| json.pointer(pointer).and_then(Json::as_str).map(str::to_owned);
        let download = text("/download_url").ok_or_else(|| GalaxyError::new(format!("{url} has no download_url")))?;
        let dependencies = json.pointer("/metadata/dependencies").and_then(Json::as_object);
        let signatures = json.get("signatures").and_then(Json::as_array).into_iter().flatten();
        Ok(Detail {
            download_url: self.absolute(&download)?,
            sha256: text("/artifact/sha256"),
            dependencies: dependencies
                .into_iter()
                .flatten()
                .map(|(name, range)| (name.clone(), range.as_str().unwrap_or("*").to_owned()))
                .collect(),
            signatures: signatures.filter_map(|entry| Some(entry.get("signature")?.as_str()?.to_owned())).collect(),
            version_url: text("/href").unwrap_or(url),
        })
    }

    /// Sends the archive of a collection; returns the URL that tells of its import.
    pub(super) fn send_collection(&self, upload: &Upload) -> Result<String> {
        let url = format!("{}artifacts/collections/", self.version_root("v3")?);
        let (body, kind) = upload.form();
        let mut request = self.request("POST", &url)?;
        request.headers.push(("content-type".to_owned(), kind));
        request.body = Some(body);
        let json = self.galaxy.json_of(request)?;
        let task = json.get("task").and_then(Json::as_str);
        self.absolute(task.ok_or_else(|| GalaxyError::new(format!("{url} names no import task")))?)
    }

    /// What a server tells of an import.
    pub(super) fn import(&self, task: &str) -> Result<Json> {
        // Some servers give a task of another kind; the last part of its URL is the import's number.
        let id = task.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let url = match task.contains("/imports/collections/") {
            true => task.to_owned(),
            false => format!("{}imports/collections/{id}/", self.version_root("v3")?),
        };
        match self.get(&url) {
            // It may not be there yet.
            Err(RequestError::NotFound) => Ok(Json::Null),
            told => Ok(told?),
        }
    }

    /// A role `USER.NAME`; `None` if the server does not have it.
    pub(super) fn role(&self, name: &str) -> Result<Option<RoleEntry>> {
        let Some((user, short)) = name.rsplit_once('.') else {
            return Err(GalaxyError::new(format!(
                "Invalid role name ({name}). Specify role as format: username.rolename"
            )));
        };
        let root = self.version_root("v1")?;
        let url =
            format!("{root}roles/?owner__username={}&name={}", percent::encode(user, ""), percent::encode(short, ""));
        let json = match self.get(&url) {
            Ok(json) => json,
            Err(RequestError::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(json) = json.pointer("/results/0").cloned() else { return Ok(None) };
        let text = |key: &str| json.get(key).and_then(Json::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let mut versions = Vec::new();
        if let Some(id) = json.get("id") {
            let mut url = format!("{root}roles/{id}/versions/?page_size=50");
            for _ in 0..MOST_PAGES {
                let page = match self.get(&url) {
                    Ok(page) => page,
                    Err(RequestError::NotFound) => break,
                    Err(error) => return Err(error.into()),
                };
                for entry in page.get("results").and_then(Json::as_array).into_iter().flatten() {
                    if let Some(name) = entry.get("name").and_then(Json::as_str) {
                        let download = entry.get("download_url").and_then(Json::as_str).map(str::to_owned);
                        versions.push((name.to_owned(), download));
                    }
                }
                match page.get("next_link").or_else(|| page.get("next")).and_then(Json::as_str) {
                    Some(next) => url = self.absolute(next)?,
                    None => break,
                }
            }
        }
        Ok(Some(RoleEntry {
            github_user: text("github_user").unwrap_or_default(),
            github_repo: text("github_repo").unwrap_or_default(),
            branch: text("github_branch"),
            versions,
            json,
        }))
    }

    /// Roles that match all these words.
    pub(super) fn search_roles(&self, words: &[String], filters: &[(&str, String)]) -> Result<Json> {
        let mut url = format!("{}search/roles/?", self.version_root("v1")?);
        if !words.is_empty() {
            url += &format!("&autocomplete={}", percent::encode(&words.join(" "), ""));
        }
        for (name, value) in filters {
            // Several are separated by blanks.
            url += &format!("&{name}_autocomplete={}", percent::encode(&value.replace(',', " "), ""));
        }
        Ok(self.get(&(url + "&page_size=1000"))?)
    }

    /// Imports of roles that match this query.
    pub(super) fn role_imports(&self, query: &str) -> Result<Vec<Json>> {
        let json = self.get(&format!("{}imports?{query}", self.version_root("v1")?))?;
        Ok(json.get("results").and_then(Json::as_array).cloned().unwrap_or_default())
    }

    /// The user's integrations.
    pub(super) fn notification_secrets(&self) -> Result<Vec<Json>> {
        let json = self.get(&format!("{}notification_secrets", self.version_root("v1")?))?;
        let list = json.get("results").unwrap_or(&json);
        Ok(list.as_array().cloned().unwrap_or_default())
    }

    /// Sends a form to a path of version 1; the response may be empty.
    pub(super) fn send_form(&self, method: &str, path: &str, form: &[(&str, &str)]) -> Result<Json> {
        let url = format!("{}{path}", self.version_root("v1")?);
        let mut request = self.request(method, &url)?;
        if !form.is_empty() {
            request.headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
            let pair = |(name, value): &(&str, &str)| format!("{name}={}", percent::encode(value, ""));
            request.body = Some(form.iter().map(pair).collect::<Vec<_>>().join("&").into_bytes());
        }
        Ok(self.galaxy.json_of(request)?)
    }
}
