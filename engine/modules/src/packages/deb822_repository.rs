//! `deb822_repository`: an apt package source in deb822 format, with its key.

use std::path::{Path, PathBuf};

use rplay_wire::{Failure, Value};

use crate::system::fs;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Flag, Text},
    choice,
    host::MAX_OUTPUT,
    io_failure::python_error,
    system::{
        attributes::{Wanted, describe},
        bounded,
        http::{Address, Request},
        mode::Mode,
        paths,
        place::{Content, Placement, removal},
    },
};

const SOURCES: &str = "/etc/apt/sources.list.d";
const KEYRINGS: &str = "/etc/apt/keyrings";

choice! {
    /// The content of a source.
    pub enum Kind {
        Deb = "deb",
        DebSrc = "deb-src",
    }
}

args! {
    /// Adds and removes apt package sources in `/etc/apt/sources.list.d/NAME.sources`.
    pub struct Deb822Repository {
        /// The name of the source and of its file.
        name: Text,
        /// Whether it should exist.
        state: State = State::Present,
        /// Allow a previously signed source to become unsigned.
        allow_downgrade_to_insecure: Option<Flag>,
        /// Allow an unsigned source.
        allow_insecure: Option<Flag>,
        /// Allow a weak signature.
        allow_weak: Option<Flag>,
        /// The architectures; by default the host's own.
        architectures: Option<Vec<Text>>,
        /// Download index files by their hash.
        by_hash: Option<Flag>,
        /// Whether to reject an index from the future.
        check_date: Option<Flag>,
        /// Whether to reject an expired index.
        check_valid_until: Option<Flag>,
        /// `main`, `contrib` ...; not for a suite that ends in `/`.
        components: Option<Vec<Text>>,
        /// How many seconds in the future an index may be.
        date_max_future: Option<i64>,
        /// Whether the source is enabled.
        enabled: Option<Flag>,
        /// The path of the `InRelease` file, relative to the suite.
        inrelease_path: Option<Text>,
        /// The languages of translations to download.
        languages: Option<Vec<Text>>,
        /// Download index differences.
        pdiffs: Option<Flag>,
        /// The key: a URL, a file on the host, a fingerprint, or the key itself, ASCII-armored.
        signed_by: Option<Text>,
        /// `bookworm`, `stable` ..., or a path that ends in `/`.
        suites: Option<Vec<Text>>,
        /// The download targets.
        targets: Option<Vec<Text>>,
        /// Trust the source without a signature, or never.
        trusted: Option<Flag>,
        /// `deb`, `deb-src`.
        types: Vec<Kind> = vec![Kind::Deb],
        /// The URLs of the packages.
        uris: Option<Vec<Text>>,
        /// The permissions of the file.
        mode: Option<Mode>,
    }
}

impl Module for Deb822Repository {
    fn check(&self) -> Result<(), ArgError> {
        if let Some(Mode::Preserve) = self.mode {
            return Err(ArgError::new("mode", "cannot be `preserve` here"));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        self.plan_below(Path::new(SOURCES), Path::new(KEYRINGS), host)
    }
}

impl Deb822Repository {
    fn plan_below(self, sources: &Path, keyrings: &Path, host: &Host) -> Result<Plan, Failure> {
        let slug = slug(&self.name);
        let dest = sources.join(format!("{slug}.sources"));
        let mut plan = Plan::unchanged().set("dest", paths::text(&dest)).set("key_filename", Value::Null);
        if self.state == State::Absent {
            let key = keyrings.join(format!("{slug}.gpg"));
            plan = plan.set("repo", Value::Null).set("key_filename", paths::text(key));
            for path in [dest, keyrings.join(format!("{slug}.asc")), keyrings.join(format!("{slug}.gpg"))] {
                if fs::symlink_metadata(&path).is_ok() {
                    let mut change = removal(path, host);
                    change.diff = None;
                    plan = plan.change(change);
                }
            }
            return Ok(plan);
        }
        let wanted = Wanted { mode: Some(self.mode.clone().unwrap_or(Mode::Bits(0o644))), ..Wanted::default() };
        let signed_by = match self.signed_by.as_deref() {
            Some(url) if is_address(url) => {
                let (path, planned) = plan_key(url, keyrings, &slug, plan, host)?;
                plan = planned.set("key_filename", paths::text(&path));
                Some(paths::text(&path))
            }
            Some(file) if fs::metadata(file).is_ok_and(|meta| meta.is_file()) => {
                plan = plan.set("key_filename", file);
                Some(file.to_owned())
            }
            other => other.map(str::to_owned),
        };
        let text = self.text(signed_by);
        plan = plan.set("repo", text.as_str());
        let mut placement = Placement::plain(&dest, Content::Bytes(text.into_bytes()));
        placement.wanted = wanted;
        plan = placement.plan(host, plan)?;
        // As in Ansible, differences are not shown: the result has the whole text.
        plan.changes.iter_mut().for_each(|change| change.diff = None);
        Ok(plan.finish(move |_, data| {
            data.extend(describe(&dest));
            Ok(())
        }))
    }

    /// The file, with fields in Ansible's order: by the names of the arguments.
    fn text(&self, signed_by: Option<String>) -> String {
        let word = |flag: &Option<Flag>| flag.map(|flag| if flag.0 { "yes" } else { "no" }.to_owned());
        let list = |items: &Option<Vec<Text>>| items.as_ref().map(|items| items.join(" "));
        let types = self.types.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(" ");
        let fields = [
            ("Allow-Downgrade-To-Insecure", word(&self.allow_downgrade_to_insecure)),
            ("Allow-Insecure", word(&self.allow_insecure)),
            ("Allow-Weak", word(&self.allow_weak)),
            ("Architectures", list(&self.architectures)),
            ("By-Hash", word(&self.by_hash)),
            ("Check-Date", word(&self.check_date)),
            ("Check-Valid-Until", word(&self.check_valid_until)),
            ("Components", list(&self.components)),
            ("Date-Max-Future", self.date_max_future.map(|seconds| seconds.to_string())),
            ("Enabled", word(&self.enabled)),
            ("Inrelease-Path", self.inrelease_path.clone()),
            ("Languages", list(&self.languages)),
            ("X-Repolib-Name", Some(self.name.clone())),
            ("Pdiffs", word(&self.pdiffs)),
            ("Signed-By", signed_by),
            ("Suites", list(&self.suites)),
            ("Targets", list(&self.targets)),
            ("Trusted", word(&self.trusted)),
            ("Types", Some(types)),
            ("URIs", list(&self.uris)),
        ];
        let mut text = String::new();
        for (field, value) in fields {
            let Some(value) = value else { continue };
            text.push_str(field);
            text.push(':');
            match value.trim() {
                "" => {}
                lines if lines.contains('\n') => {
                    for line in lines.lines().map(str::trim) {
                        text.push_str("\n    ");
                        text.push_str(if line.is_empty() { "." } else { line });
                    }
                }
                line => {
                    text.push(' ');
                    text.push_str(line);
                }
            }
            text.push('\n');
        }
        text
    }
}

/// Whether the key is at an address.
fn is_address(key: &str) -> bool {
    ["http://", "https://", "file://"].iter().any(|scheme| key.starts_with(scheme))
}

fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' | '-' => slug.push(c),
            c if (c == '_' || c.is_whitespace()) && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    slug
}

/// Downloads the key and plans its file, named `.asc` or `.gpg` by its format.
fn plan_key(url: &str, keyrings: &Path, slug: &str, mut plan: Plan, host: &Host) -> Result<(PathBuf, Plan), Failure> {
    let about = |msg: String| Failure::new(msg).arg("signed_by");
    let shown = match url.starts_with("file://") {
        true => url.to_owned(),
        false => Address::parse(url).map_err(about)?.without_login(),
    };
    let key = match url.strip_prefix("file://") {
        Some(path) => bounded::read_file(Path::new(path), MAX_OUTPUT)
            .map_err(|error| format!("<urlopen error {}: '{path}'>", python_error(&error))),
        None => Request::get(url).send(host).and_then(|mut response| match response.status {
            200 => response.content().map_err(|failure| failure.msg),
            status => Err(format!("HTTP Error {status}: {}", response.reason)),
        }),
    };
    let key = match key {
        Ok(key) => key,
        Err(error) if host.rehearses() => {
            return Ok((
                keyrings.join(format!("{slug}.asc")),
                plan.warn(format!("check mode: cannot download {shown}: {error}")),
            ));
        }
        Err(error) => return Err(about(format!("Could not fetch signed_by key: {error}"))),
    };
    let suffix = if key.starts_with(b"-----BEGIN PGP") { "asc" } else { "gpg" };
    let path = keyrings.join(format!("{slug}.{suffix}"));
    if !keyrings.is_dir() {
        let directory = keyrings.to_owned();
        plan = plan.change(Change::new(format!("create directory {}", directory.display()), move |_, _| {
            fs::create_dir_all(&directory).map_err(|error| crate::io_failure::io_failure("create", &directory, &error))
        }));
    }
    let mut placement = Placement::plain(&path, Content::Bytes(key));
    placement.wanted.mode = Some(Mode::Bits(0o644));
    Ok((path, placement.plan(host, plan)?))
}

#[cfg(test)]
mod tests {
    use rplay_wire::data;

    use super::*;
    use crate::{
        Args,
        stand_in::{Server, host, response},
    };

    fn repository(args: rplay_wire::Map) -> Deb822Repository {
        Deb822Repository::from_map(&args).unwrap()
    }

    /// Written by ansible-core 2.19 for the same arguments.
    #[test]
    fn the_file_is_the_one_that_ansible_writes() {
        let all = repository(data! {
            "name" => "Docker CE_x.y", "uris" => "https://download.docker.com/linux/debian", "suites" => vec!["bookworm", "b2"],
            "components" => "stable", "architectures" => "amd64", "signed_by" => "/etc/apt/keyrings/d.asc", "enabled" => true,
            "check_valid_until" => false, "types" => vec!["deb", "deb-src"], "pdiffs" => true, "by_hash" => true,
            "date_max_future" => 5, "allow_insecure" => false, "inrelease_path" => "x", "languages" => vec!["en", "none"],
            "trusted" => false,
        });
        assert_eq!(slug(&all.name), "docker-ce-xy");
        assert_eq!(
            all.text(all.signed_by.clone()),
            "Allow-Insecure: no\nArchitectures: amd64\nBy-Hash: yes\nCheck-Valid-Until: no\nComponents: stable\n\
             Date-Max-Future: 5\nEnabled: yes\nInrelease-Path: x\nLanguages: en none\nX-Repolib-Name: Docker CE_x.y\n\
             Pdiffs: yes\nSigned-By: /etc/apt/keyrings/d.asc\nSuites: bookworm b2\nTrusted: no\nTypes: deb deb-src\n\
             URIs: https://download.docker.com/linux/debian\n"
        );
        let inline = repository(data! {
            "name" => "k", "uris" => "http://x", "suites" => "./", "components" => Value::List(vec![]),
            "signed_by" => "-----BEGIN PGP\n\nabc\n def\n-----END",
        });
        assert_eq!(
            inline.text(inline.signed_by.clone()),
            "Components:\nX-Repolib-Name: k\nSigned-By:\n    -----BEGIN PGP\n    .\n    abc\n    def\n    -----END\n\
             Suites: ./\nTypes: deb\nURIs: http://x\n"
        );
    }

    #[test]
    fn the_key_is_fetched_and_named_by_what_it_is() {
        let server = Server::start(|_| response("200 OK", "", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n"));
        let root = tempfile::tempdir().unwrap();
        let keyrings = root.path().join("keyrings");
        let wanted = || {
            repository(
                data! { "name" => "d", "uris" => "http://x", "suites" => "s", "signed_by" => server.url.as_str() },
            )
        };
        let plan = wanted().plan_below(root.path(), &keyrings, &host()).unwrap();
        assert_eq!(plan.changes.len(), 3, "the directory, the key, the file");
        for change in plan.changes {
            change.make(&host(), &mut rplay_wire::Map::new()).unwrap();
        }
        assert!(fs::read_to_string(root.path().join("d.sources")).unwrap().contains("keyrings/d.asc\n"));
        assert!(wanted().plan_below(root.path(), &keyrings, &host()).unwrap().changes.is_empty());
        let gone = Deb822Repository { state: State::Absent, ..wanted() };
        assert_eq!(gone.plan_below(root.path(), &keyrings, &host()).unwrap().changes.len(), 2);
    }

    #[test]
    fn the_file_of_the_key_is_told() {
        let root = tempfile::tempdir().unwrap();
        let key = root.path().join("k.asc");
        fs::write(&key, "-----BEGIN PGP PUBLIC KEY BLOCK-----\n").unwrap();
        let key = paths::text(&key);
        let keyrings = root.path().join("keyrings");
        let told = |signed_by: String| {
            let wanted = repository(data! { "name" => "d", "uris" => "http://x", "signed_by" => signed_by });
            wanted.plan_below(root.path(), &keyrings, &host()).map(|plan| plan.data["key_filename"].clone())
        };
        assert_eq!(told(key.clone()).unwrap(), key.as_str().into());
        assert_eq!(told(format!("file://{key}")).unwrap(), paths::text(keyrings.join("d.asc")).into());
        assert_eq!(told("9DC858229FC7DD38854AE2D88D81803C0EBFCD88".to_owned()).unwrap(), Value::Null);
        assert_eq!(
            told("file:///no/such/key".to_owned()).unwrap_err().msg,
            "Could not fetch signed_by key: <urlopen error [Errno 2] No such file or directory: '/no/such/key'>"
        );
    }
}
