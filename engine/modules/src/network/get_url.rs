//! `get_url`: downloads a file.

mod checksum;
mod fetch;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use rplay_wire::{Failure, Map, Value, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    io_failure::io_failure,
    network::web::{Web, modified, name_in_header},
    system::{
        attributes::{Attributes, describe},
        digest::Algorithm,
        http::{Address, Request, Response},
        machine::{self, AccessFlags},
        paths, regular,
    },
};
use checksum::{hashed, wanted, wanted_digest};
use fetch::Fetch;

args! {
    /// Downloads a file to the host by HTTP or HTTPS.
    pub struct GetUrl {
        ..web: Web,
        ..attributes: Attributes,
        /// The user name.
        url_username: Option<Text> | "username",
        /// The file, or a directory in which it gets its name from the server.
        dest: PathArg,
        /// The expected digest: `sha256:HEX`, or `sha256:URL` of a list of digests. A file that already matches is not
        /// downloaded.
        checksum: Text = String::new(),
        /// Keep a copy of the previous file.
        backup: Flag = Flag(false),
        /// Timeout in seconds for connecting, for the response, and for each part of it.
        timeout: u64 = 10,
        /// The directory for the file during the download; by default that of `dest`.
        tmp_dest: Option<PathArg>,
    }
}

impl Module for GetUrl {
    fn check(&self) -> Result<(), ArgError> {
        self.web.check()?;
        self.attributes.check()?;
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        self.web.refuse_no_url()?;
        if self.dest.0.is_empty() {
            return Err(Failure::new("Destination  does not exist").arg("dest"));
        }
        let dest = self.dest.on(host);
        let shown = self.web.shown();
        let told = data! {
            "url" => shown.as_str(), "dest" => paths::text(&dest), "elapsed" => 0,
            "checksum_dest" => Value::Null, "checksum_src" => Value::Null,
        };
        if !self.checksum.is_empty() {
            wanted(&self.checksum).map_err(|error| {
                let failure = Failure::new(error.msg).arg("checksum").data(told.clone()).data(describe(&dest));
                Failure { help: error.help, ..failure }
            })?;
        }
        let mut plan = Plan::unchanged().kept().set("url", shown.as_str()).set("dest", paths::text(&dest));
        let file = match dest.is_dir() || self.dest.0.ends_with('/') {
            true => Target::In(dest.clone()),
            false => Target::At(dest.clone()),
        };
        if let Target::At(path) = &file {
            regular::refuse_special(path).map_err(|error| io_failure("replace", path, &error).arg("dest"))?;
        }
        let directory = file.directory();
        if !directory.is_dir() && host.rehearses() {
            plan = plan.assumption(format!("the directory {}", directory.display()));
        }
        let checksum = match self.checksum.as_str() {
            "" => None,
            text => Some(wanted_digest(text, &self, host)),
        };
        let checksum = match checksum {
            Some(Err(failure)) if host.rehearses() => {
                plan = plan.warn(format!("check mode: {failure}"));
                None
            }
            other => other.transpose()?,
        };
        let present = match &file {
            Target::At(path) => path.is_file(),
            Target::In(_) => false,
        };
        let mut force = self.web.force.0;
        if present && let Some((algorithm, hex)) = &checksum {
            let found = hashed(&dest, algorithm)?;
            if found == *hex && !force {
                plan.data.extend(told);
                plan = plan.set("msg", "file already exists");
                let plan = self.attributes.resolve()?.plan(&dest, true, plan)?;
                return Ok(plan.finish(move |_, data| {
                    data.extend(describe(&dest));
                    Ok(())
                }));
            }
            // The server's file may be older than this one and still be the right one.
            force |= found != *hex;
        }
        let since = if present && !force { modified(&dest) } else { None };
        if host.check {
            return self.foretell(host, file, since.as_ref(), plan);
        }
        let fetch = Fetch { module: self, file, since, checksum };
        let download = move |host: &Host, data: &mut Map| {
            // A failure has the state of the file that is there.
            let failed = fetch.make(host, data);
            let names_it = data.contains_key("dest");
            failed.map_err(|failure| if names_it { failure.data(describe(&dest)) } else { failure })
        };
        Ok(plan.change(Change::maybe(format!("download {shown}"), download)))
    }
}

/// The destination.
enum Target {
    At(PathBuf),
    /// Into this directory, under its name from the server.
    In(PathBuf),
}

impl Target {
    fn directory(&self) -> &Path {
        match self {
            Target::At(path) => paths::directory(path),
            Target::In(path) => path,
        }
    }
}

impl GetUrl {
    fn request(&self, host: &Host, since: Option<&String>) -> Request {
        let mut request = self.web.request(host, self.timeout, self.url_username.as_ref(), None);
        request.reads_files = true;
        if let Some(since) = since {
            request.default_header("If-Modified-Since", since);
        } else if self.web.force.0 {
            request.default_header("Cache-Control", "no-cache");
        }
        request
    }
}

impl GetUrl {
    /// The result in check mode: the server is asked for the file, but nothing is downloaded.
    fn foretell(self, host: &Host, file: Target, since: Option<&String>, plan: Plan) -> Result<Plan, Failure> {
        let begun = Instant::now();
        let mut ask = self.request(host, since);
        "HEAD".clone_into(&mut ask.method);
        let response = ask.send(host);
        let elapsed = begun.elapsed().as_secs();
        let told = plan.data.clone();
        let response = response.map_err(|error| unreachable(&error, elapsed).data(told.clone()))?;
        let path = match &file {
            Target::At(path) => path.clone(),
            Target::In(directory) => directory.join(file_name(&response)),
        };
        let mut plan = plan.set("elapsed", elapsed);
        if !matches!(response.status, 200 | 304) {
            return Err(refused(&response).data(plan.data));
        }
        plan = plan.set("dest", paths::text(&path));
        if response.status == 304 {
            plan = plan.set("status_code", 304).set("msg", "HTTP Error 304: Not Modified");
            return self.attributes.resolve()?.plan(&path, true, plan);
        }
        let directory = file.directory();
        if directory.is_dir() {
            refuse_closed(&path, directory)?;
        }
        let before = if path.is_file() { Some(Algorithm::Sha1.of_file(&path)?) } else { None };
        plan.data.extend(data! {
            "msg" => size_message(&response), "checksum_dest" => before,
            "checksum_src" => Algorithm::Sha1.of_bytes(&[]), "src" => paths::text(scratch_name(&path)),
        });
        if path.exists() {
            plan.data.extend(describe(&path));
        }
        Ok(plan.change(Change::new(format!("fetch {}", self.web.shown()), |_, _| Ok(()))))
    }
}

/// Where a file would lie on its way to that path.
fn scratch_name(path: &Path) -> PathBuf {
    paths::directory(path).join(".rplay-fetched")
}

/// Refuses a file that must not be written, or a new one in a directory that must not.
fn refuse_closed(path: &Path, directory: &Path) -> Result<(), Failure> {
    let place = if path.exists() { path } else { directory };
    machine::access(place, AccessFlags::W_OK)
        .map_err(|_| Failure::new(format!("Destination {} is not writable", place.display())).arg("dest"))
}

/// The server could not be asked.
fn unreachable(error: &str, elapsed: u64) -> Failure {
    Failure::new(format!("Request failed: {error}")).arg("url").data(data! { "elapsed" => elapsed })
}

/// The server does not give the file.
fn refused(response: &Response) -> Failure {
    let error = format!("HTTP Error {}: {}", response.status, response.reason);
    Failure::new("Request failed")
        .arg("url")
        .help(error.clone())
        .data(data! { "response" => error, "status_code" => response.status })
}

fn size_message(response: &Response) -> String {
    format!("OK ({} bytes)", response.length.map_or_else(|| "unknown".to_owned(), |length| length.to_string()))
}

/// The file name from the server, without any directory. As in ansible-core, an address without one is its index.
fn file_name(response: &Response) -> String {
    let of_file = || response.url.strip_prefix("file:")?.rsplit('/').next().map(str::to_owned);
    let of_url = || Address::parse(&response.url).ok()?.last_segment().map(str::to_owned);
    let name = name_in_header(response).or_else(of_url).or_else(of_file);
    let name = name.and_then(|name| Path::new(&name).file_name().map(|name| name.to_string_lossy().into_owned()));
    name.unwrap_or_else(|| "index.html".to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        runner::tests::{call, checked},
        stand_in::{Server, response},
    };

    const SHA256: &str = "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4"; // of "hi"

    fn server() -> Server {
        Server::start(|seen| match seen.line.as_str() {
            line if line.contains("/missing") => response("404 Not Found", "", ""),
            line if line.contains("/SUMS") => response("200 OK", "", &format!("{SHA256}  ./f.txt\n{SHA256}x  other\n")),
            _ if seen.headers.contains("if-modified-since") => response("304 Not Modified", "", ""),
            _ => response("200 OK", "", "hi"),
        })
    }

    #[test]
    fn names_and_links_stay_as_they_are_written() {
        let server = server();
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| paths::text(directory.path().join(name));
        let args = |name: &str, dest: &str| data! { "url" => format!("{}/{name}", server.url), "dest" => dest, "use_proxy" => false };
        let escaped = call("get_url", args("a%20b", &at("")));
        assert_eq!(escaped.data["dest"], at("a%20b").into());
        fs::write(at("old"), "old").unwrap();
        std::os::unix::fs::symlink("old", at("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
        let mut forced = args("f", &at("link"));
        forced.insert("force".into(), true.into());
        let through = call("get_url", forced);
        assert_eq!((&through.data["dest"], &through.data["state"]), (&at("link").into(), &"link".into()));
        assert_eq!(fs::read_to_string(at("old")).unwrap(), "hi");
        assert!(call("get_url", args("f", &at("dangling"))).changed);
        assert!(!directory.path().join("dangling").is_symlink());
        let nowhere = call("get_url", args("f", "")).failure.unwrap();
        assert_eq!(nowhere.msg, "Destination  does not exist");
        // Check mode tells of the file that is there.
        let mut again = args("f", &at("old"));
        again.insert("force".into(), true.into());
        assert_eq!(checked("get_url", again).data["size"], 2.into());
    }

    #[test]
    fn a_file_is_fetched_once() {
        let server = server();
        let directory = tempfile::tempdir().unwrap();
        let url = format!("{}/f.txt", server.url);
        let args = || data! { "url" => url.as_str(), "dest" => paths::text(directory.path()), "mode" => "0600", "use_proxy" => false };
        assert!(checked("get_url", args()).changed);
        let first = call("get_url", args());
        assert!(first.changed && first.failure.is_none(), "{first:?}");
        assert_eq!(first.data["mode"], "0600".into());
        let file = directory.path().join("f.txt");
        assert_eq!(fs::read_to_string(&file).unwrap(), "hi");
        assert!(!call("get_url", args()).changed, "the same content is no change");
        let mut exact = args();
        exact.insert("dest".into(), paths::text(&file).into());
        let again = call("get_url", exact.clone());
        assert_eq!((again.changed, &again.data["status_code"]), (false, &304.into()));
        assert!(!checked("get_url", exact.clone()).changed);
        exact.insert("mode".into(), "0644".into());
        assert!(call("get_url", exact).changed, "another mode is a change");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn the_digest_decides() {
        let server = server();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f.txt");
        let args = |checksum: &str| {
            data! { "url" => format!("{}/f.txt", server.url), "dest" => paths::text(&file), "checksum" => checksum, "use_proxy" => false }
        };
        let wrong = call("get_url", args(&format!("sha256:{}", SHA256.replace('8', "9"))));
        assert!(wrong.failure.is_some_and(|failure| failure.msg.contains("did not match")) && !file.exists());
        fs::write(&file, "changed by hand").unwrap();
        assert!(call("get_url", args(&format!("sha256:{}/SUMS", server.url))).changed);
        assert_eq!(fs::read_to_string(&file).unwrap(), "hi");
        let requests = server.seen.lock().len();
        assert!(!call("get_url", args(&format!("sha256:{SHA256}"))).changed);
        assert_eq!(server.seen.lock().len(), requests, "nothing is fetched");
    }

    #[test]
    fn an_address_without_a_name_is_its_index() {
        let server = Server::start(|_| response("200 OK", "", "home"));
        let directory = tempfile::tempdir().unwrap();
        let done = call("get_url", data! { "url" => server.url.clone(), "dest" => paths::text(directory.path()) });
        assert!(done.changed && done.failure.is_none(), "{done:?}");
        assert_eq!(fs::read_to_string(directory.path().join("index.html")).unwrap(), "home");
    }

    #[test]
    fn a_missing_file_and_a_missing_directory() {
        let server = server();
        let args = |url: &str, dest: &str| data! { "url" => format!("{}{url}", server.url), "dest" => dest, "use_proxy" => false };
        let missing = call("get_url", args("/missing", "/tmp/rplay-never"));
        assert_eq!(missing.failure.unwrap().msg, "Request failed");
        assert_eq!(missing.data["status_code"], 404.into());
        assert!(call("get_url", args("/f", "/nonexistent/f")).failure.is_some());
        let soft = checked("get_url", args("/f", "/nonexistent/f"));
        assert!(soft.changed && soft.failure.is_none() && soft.warnings.len() == 1);
    }
}
