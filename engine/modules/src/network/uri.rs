//! `uri`: a request to a web service.

mod body;

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    time::Instant,
};

use rplay_wire::{Failure, Map, Value, data};

use crate::system::scratch;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    args::ArgType,
    argtypes::{Flag, PathArg, Text},
    io_failure::io_failure,
    network::web::{Web, modified, name_in_header},
    system::{
        attributes::{Attributes, describe},
        bounded,
        encoding::Encoding,
        http::{Address, Follow, IncompleteRead, Response},
        paths,
        place::{Content, Placement},
        regular,
    },
};
use body::{BodyFormat, Payload};

/// Maximum size in bytes of a response that is parsed as JSON, which takes many times its length.
const MAX_JSON: usize = 8 << 20;

/// A status that counts as success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status(u16);

impl ArgType for Status {
    const KIND: &'static str = "int";

    fn parse(value: &Value) -> Result<Self, String> {
        u16::try_from(i64::parse(value)?).map(Status).map_err(|_| "must be an HTTP status".to_owned())
    }
}

args! {
    /// Sends a request to a web service.
    pub struct Uri {
        ..web: Web,
        ..attributes: Attributes,
        /// The user name.
        url_username: Option<Text> | "user",
        /// A file or directory of trusted certificates, instead of the host's own.
        ca_path: Option<PathArg>,
        /// The method.
        method: Text = "GET".to_owned(),
        /// The body: text, or a structure for a format that converts it.
        body: Option<Value>,
        /// The format of a structured `body`.
        body_format: BodyFormat = BodyFormat::Raw,
        /// A file on the host to send instead of `body`.
        src: Option<Value>,
        /// The file in `src` is on the host, which is always the case here.
        remote_src: Flag = Flag(false),
        /// The status codes that count as success.
        status_code: Vec<Status> = vec![Status(200)],
        /// Return the response as `content`; JSON is always returned as `json`.
        return_content: Flag = Flag(false),
        /// Which redirects to follow.
        follow_redirects: Follow = Follow::Safe,
        /// Do nothing if this file exists.
        creates: Option<PathArg>,
        /// Do nothing if this file does not exist.
        removes: Option<PathArg>,
        /// Write the response to this file, or to a file in this directory.
        dest: Option<PathArg>,
        /// Timeout in seconds for connecting, for the response, and for each part of it.
        timeout: u64 = 30,
        /// A Unix socket to connect to.
        unix_socket: Option<PathArg>,
    }
}

impl Module for Uri {
    fn check(&self) -> Result<(), ArgError> {
        self.web.check()?;
        self.attributes.check()?;
        if !self.method.bytes().all(|byte| byte.is_ascii_alphabetic()) || self.method.is_empty() {
            return Err(ArgError::new(
                "method",
                "Parameter 'method' needs to be a single word in uppercase, like GET or POST.",
            ));
        }
        if self.body.is_some() && self.src.is_some() {
            return Err(ArgError::exclusive("src", &["body", "src"]));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        self.web.refuse_no_url()?;
        // Nothing follows from it: a file is always on the host by now.
        let _ = self.remote_src;
        for (path, stops_when) in [(&self.creates, true), (&self.removes, false)] {
            let Some(path) = path else { continue };
            // As in ansible-core, no pattern.
            let there = path.on(host).exists();
            if there == stops_when {
                let state = if there { "exists" } else { "does not exist" };
                return Ok(Plan::unchanged().set("stdout", format!("skipped, since '{}' {state}", path.0)));
            }
        }
        let what = format!("{} {}", self.method.to_ascii_uppercase(), self.web.shown());
        if let Some(dest) = self.dest.as_ref().map(|dest| paths::real(&dest.on(host))) {
            regular::refuse_special(&dest).map_err(|error| io_failure("replace", &dest, &error).arg("dest"))?;
        }
        let change = Change::maybe(what, move |host, data| self.make(host, data));
        Ok(Plan::unchanged().change(change.unpredictable("This action (uri) does not support check mode.")))
    }
}

impl Uri {
    fn make(self, host: &Host, data: &mut Map) -> Result<bool, Failure> {
        let mut request = self.web.request(host, self.timeout, self.url_username.as_ref(), self.ca_path.as_ref());
        request.method = self.method.to_ascii_uppercase();
        request.follow = self.follow_redirects;
        request.unix_socket = self.unix_socket.as_ref().map(|path| path.on(host));
        let file = self.dest.as_ref().map(|dest| paths::real(&dest.on(host))).filter(|dest| dest.is_file());
        if self.web.force.0 {
            request.default_header("Cache-Control", "no-cache");
        } else if let Some(since) = file.and_then(|file| modified(&file)) {
            request.default_header("If-Modified-Since", &since);
        }
        if let Some(Payload { content, kind }) = body::payload(&self, host)? {
            match content {
                body::Content::Bytes(bytes) => request.body = Some(bytes),
                body::Content::File(path) => request.body_file = Some(path),
            }
            // Python's urllib says this of any body that nobody says anything of.
            request.default_header("Content-Type", kind.as_deref().unwrap_or("application/x-www-form-urlencoded"));
        }
        let begun = Instant::now();
        let sent = request.send(host);
        data.insert("elapsed".to_owned(), begun.elapsed().as_secs().into());
        let shown = self.web.shown();
        let mut response = match sent {
            Ok(response) => response,
            Err(error) => {
                let msg = format!("Status code was -1 and not {}: Request failed: {error}", self.expected());
                if self.return_content.0 {
                    data.insert("content".to_owned(), "".into());
                }
                return Err(Failure::new(msg).arg("url").data(data! {
                    "status" => -1, "url" => shown, "redirected" => false,
                }));
            }
        };
        let status = response.status;
        let is_expected = self.status_code.contains(&Status(status));
        data.extend(described(&response));
        if !response.redirected {
            // As in ansible-core, it is the URL as written, and counts as another one without its user.
            let stripped = self.web.without_login().filter(|_| status < 300);
            data.insert("redirected".to_owned(), stripped.is_some().into());
            data.insert("url".to_owned(), stripped.unwrap_or(shown).into());
        }
        let dest =
            self.dest.as_ref().filter(|_| is_expected && status != 304).map(|dest| target(&dest.on(host), &response));
        let kept = match &dest {
            Some(path) => Some(download(&mut response, path)?),
            None => None,
        };
        match status >= 400 && is_expected && kept.is_none() && !self.return_content.0 && !is_json(&response) {
            // What came with an error that was expected.
            true => {
                let body = bounded::read(response.reader(), MAX_JSON).unwrap_or_default();
                data.insert("body".to_owned(), String::from_utf8_lossy(&body).into_owned().into());
            }
            false => self.show(&mut response, kept.as_deref(), host, data)?,
        }
        let said = match status {
            100..300 => format!(
                "OK ({} bytes)",
                response.length.map_or_else(|| "unknown".to_owned(), |length| length.to_string())
            ),
            _ => format!("HTTP Error {status}: {}", response.reason),
        };
        if !is_expected {
            let msg = format!("Status code was {status} and not {}: {said}", self.expected());
            return Err(Failure::new(msg).arg("url"));
        }
        data.insert("msg".to_owned(), said.into());
        if (300..400).contains(&status) {
            data.insert("body".to_owned(), "".into());
        }
        match (dest, kept) {
            (Some(path), Some(new)) => self.keep(&path, &new, host, data),
            _ => Ok(false),
        }
    }

    /// Adds the content to the result if requested, reading it from the destination file if there is one.
    fn show(&self, response: &mut Response, kept: Option<&Path>, host: &Host, data: &mut Map) -> Result<(), Failure> {
        let is_json = is_json(response);
        if !self.return_content.0 && !is_json {
            // A short response is read to its end, so that the server can finish.
            if kept.is_none() {
                let _ = io::copy(&mut response.reader().take(1 << 16), &mut io::sink());
            }
            return Ok(());
        }
        let most = if self.return_content.0 { host.max_output() } else { MAX_JSON };
        let read = match kept {
            Some(path) => bounded::read_file(path, most),
            None if response.length.is_some_and(|length| length > most as u64) => {
                Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {most} bytes")))
            }
            None => bounded::read(response.reader(), most),
        };
        let content = match read {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge && !self.return_content.0 => {
                host.warn(format!("the response from {} is too long to be parsed as JSON: {error}", response.url));
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                let msg = format!("the response from {} is too long for a result: {error}", response.url);
                let help = "write it to a file with `dest`, or raise `rplay_max_output`";
                return Err(Failure::new(msg).arg("return_content").help(help));
            }
            Err(error) => {
                if IncompleteRead::of(&error).is_some() {
                    data.clear();
                }
                return Err(Failure::new(format!("HTTP Error while fetching {}: {error}", response.url)));
            }
        };
        let kind = response.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let charset = kind.split(';').find_map(|part| part.trim().strip_prefix("charset=").map(str::to_owned));
        let encoding = charset.and_then(|name| Encoding::named(name.trim_matches('"')));
        let other = encoding.filter(|encoding| *encoding != Encoding::Utf8).and_then(|known| known.decode(&content));
        let text = match other.map_or_else(|| String::from_utf8(content), Ok) {
            Ok(text) => text,
            Err(broken) => String::from_utf8_lossy(broken.as_bytes()).into_owned(),
        };
        if is_json && text.len() > MAX_JSON {
            host.warn(format!(
                "the response from {} is too long to be parsed as JSON: it has {} bytes",
                response.url,
                text.len()
            ));
        } else if is_json && let Ok(json) = serde_json::from_str::<serde_json::Value>(&text) {
            data.insert("json".to_owned(), json.into());
        }
        if self.return_content.0 {
            data.insert("content".to_owned(), text.into());
        }
        Ok(())
    }

    /// Moves the downloaded file to its destination, unless that has the same content.
    fn keep(&self, path: &Path, new: &Path, host: &Host, data: &mut Map) -> Result<bool, Failure> {
        data.insert("path".to_owned(), paths::text(path).into());
        let placement = Placement::new(path, Content::File(new.to_owned()), &self.attributes);
        if placement.differs()? {
            placement.put(host, data)?;
        } else {
            self.attributes.resolve()?.apply(path, true)?;
        }
        data.extend(describe(path));
        // As in ansible-core, a download into a file is a change, even if its content is the same.
        Ok(true)
    }

    fn expected(&self) -> String {
        let codes = self.status_code.iter().map(|status| status.0.to_string()).collect::<Vec<_>>();
        format!("[{}]", codes.join(", "))
    }
}

/// The destination file: `dest`, or a file in it named as on the server.
fn target(dest: &Path, response: &Response) -> PathBuf {
    let path = paths::real(dest);
    if !path.is_dir() {
        return path;
    }
    let name = name_in_header(response).or_else(|| Address::parse(&response.url).ok()?.file_name());
    // The server may have redirected the request; its file name must not be a path.
    let name = name.filter(|name| paths::is_file_name(name));
    path.join(name.unwrap_or_else(|| "index.html".to_owned()))
}

/// Downloads the content to a temporary file next to its destination.
fn download(response: &mut Response, path: &Path) -> Result<scratch::TempPath, Failure> {
    let directory = paths::directory(path);
    let failed = |error: io::Error| io_failure("write into", directory, &error).arg("dest");
    let mut new = scratch::Builder::new().prefix(".rplay-uri-").tempfile_in(directory).map_err(failed)?;
    io::copy(&mut response.reader(), new.as_file_mut())
        .map_err(|error| Failure::new(format!("HTTP Error while fetching {}: {error}", response.url)).arg("url"))?;
    Ok(new.into_temp_path())
}

/// The result's data for every response: status, URL, cookies, and headers as variables.
fn described(response: &Response) -> Map {
    let mut data = Map::new();
    for (name, value) in &response.headers {
        let value = match (name.as_str(), Address::parse(&response.url)) {
            ("location", Ok(here)) => here.join(value).map_or_else(|_| value.clone(), |there| there.without_login()),
            _ => value.clone(),
        };
        data.insert(name.replace('-', "_"), value.into());
    }
    let cookies: Map = response.cookies.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let line = response.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
    data.extend(data! {
        "status" => response.status, "url" => response.url.as_str(), "redirected" => true,
    });
    // A response that is an error to ansible-core brings none.
    if response.status < 300 {
        data.extend(data! { "cookies" => cookies, "cookies_string" => line });
    }
    data
}

/// `application/json`, `application/problem+json` ...
fn is_json(response: &Response) -> bool {
    let kind = response.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (_, subtype) = kind.split_once('/').unwrap_or_default();
    matches!(subtype, "json" | "javascript") || subtype.ends_with("+json")
}

#[cfg(test)]
mod tests;
