//! `yum_repository`: a package source for yum and dnf.

use rplay_wire::{Failure, data};

use crate::{
    ArgError, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Flag, PathArg, Secret, Text},
    choice,
    system::{
        attributes::Attributes,
        lossless, paths,
        place::{Content, Placement, removal},
        text,
    },
};

choice! {
    /// A kind of addresses.
    pub enum IpResolve {
        Four = "4",
        Six = "6",
        V4 = "IPv4",
        V6 = "IPv6",
        Whatever = "whatever",
    }
}

args! {
    /// Adds and removes sections of `.repo` files.
    pub struct YumRepository {
        ..attributes: Attributes,
        /// The section: the ID of the repository.
        name: Text,
        /// Whether it should exist.
        state: State = State::Present,
        /// The file, without `.repo`; by default named after the repository.
        file: Option<Text>,
        /// The directory of the file.
        reposdir: PathArg = PathArg("/etc/yum.repos.d".to_owned()),
        /// The displayed name of the repository.
        description: Option<Text>,
        /// The URLs of the packages.
        baseurl: Option<Vec<Text>>,
        /// The URL of a mirror list.
        mirrorlist: Option<Text>,
        /// The URL of a metalink.
        metalink: Option<Text>,
        /// Whether the repository is enabled.
        enabled: Option<Flag>,
        /// Whether packages must be signed.
        gpgcheck: Option<Flag>,
        /// Whether the index must be signed.
        repo_gpgcheck: Option<Flag>,
        /// The URLs of the keys.
        gpgkey: Option<Vec<Text>>,
        /// The CA key that signed the keys.
        gpgcakey: Option<Text>,
        /// Packages to exclude.
        exclude: Option<Vec<Text>> | "excludepkgs",
        /// The only packages to include.
        includepkgs: Option<Vec<Text>>,
        /// Another file to read.
        include: Option<Text>,
        /// Whether to verify the server's TLS certificate.
        sslverify: Option<Flag> | "validate_certs",
        /// Trusted CA certificates.
        sslcacert: Option<Text> | "ca_cert",
        /// The client certificate.
        sslclientcert: Option<Text> | "client_cert",
        /// The key of the client certificate.
        sslclientkey: Option<Text> | "client_key",
        /// Whether to check the permissions of the client certificate.
        ssl_check_cert_permissions: Option<Flag>,
        /// The user name.
        username: Option<Text>,
        /// The password.
        password: Option<Secret>,
        /// The proxy; `_none_` for none.
        proxy: Option<Text>,
        /// The user name for the proxy.
        proxy_username: Option<Text>,
        /// The password for the proxy.
        proxy_password: Option<Secret>,
        /// The priority; lower numbers take precedence.
        priority: Option<Text>,
        /// The relative cost; lower numbers are preferred.
        cost: Option<Text>,
        /// Continue without the repository if it is unreachable.
        skip_if_unavailable: Option<Flag>,
        /// Whether to ignore module filtering.
        module_hotfixes: Option<Flag>,
        /// Maximum age of the index.
        metadata_expire: Option<Text>,
        /// The commands for which an expired index is rejected.
        metadata_expire_filter: Option<Text>,
        /// Maximum age of the mirror list.
        mirrorlist_expire: Option<Text>,
        /// The order in which URLs are tried.
        failovermethod: Option<Text>,
        /// Which addresses of servers are used.
        ip_resolve: Option<IpResolve>,
        /// Whether to keep packages after installation.
        keepcache: Option<Text>,
        /// What proxies may cache.
        http_caching: Option<Text>,
        /// Whether to use keep-alive connections.
        keepalive: Option<Flag>,
        /// Whether to use package groups.
        enablegroups: Option<Flag>,
        /// Whether to protect its packages from updates by other repositories.
        protect: Option<Flag>,
        /// Download in the background.
        r#async: Option<Flag>,
        /// The bandwidth in bytes per second.
        bandwidth: Option<Text>,
        /// A limit on the bandwidth.
        throttle: Option<Text>,
        /// Connection timeout in seconds.
        timeout: Option<Text>,
        /// Number of attempts for a download.
        retries: Option<Text>,
        /// Whether to count this host.
        countme: Option<Flag>,
        /// Maximum relative size of index deltas.
        deltarpm_metadata_percentage: Option<Text>,
        /// Maximum relative size of package deltas.
        deltarpm_percentage: Option<Text>,
        /// Whether the URLs are S3 URLs.
        s3_enabled: Option<Flag>,
        /// Variables in the ID.
        ui_repoid_vars: Option<Text>,
    }
}

impl Module for YumRepository {
    fn check(&self) -> Result<(), ArgError> {
        self.attributes.check()?;
        let bad = |text: &str| text.is_empty() || text.contains(['[', ']', '\n', '/']);
        if bad(&self.name) {
            return Err(ArgError::new("name", format!("`{}` is not a valid repository ID", self.name)));
        }
        if self.file.as_deref().is_some_and(bad) {
            return Err(ArgError::new("file", "must be a file name without a directory"));
        }
        if self.state == State::Present {
            if self.baseurl.is_none() && self.mirrorlist.is_none() && self.metalink.is_none() {
                let msg = "state is present but any of the following are missing: baseurl, mirrorlist, metalink";
                return Err(ArgError::new("baseurl", msg));
            }
            if self.description.is_none() {
                let msg = "state is present but all of the following are missing: description";
                return Err(ArgError::new("description", msg));
            }
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let directory = self.reposdir.on(host);
        let name = self.file.as_ref().unwrap_or(&self.name);
        let path = directory.join(format!("{}.repo", name.strip_suffix(".repo").unwrap_or(name)));
        let mut plan = Plan::unchanged().set("repo", self.name.as_str()).set("state", self.state.word());
        let present = text::read(&path)?.unwrap_or_default();
        let sections = Section::split(&present);
        let at = sections.iter().position(|section| section.name == self.name);
        let texts = sections.iter().map(|section| section.text.as_str());
        let is_secret = self.password.is_some() || self.proxy_password.is_some();
        let header = paths::text(&path);
        let diff = |after: &str| {
            data! {
                "before" => unindented(&present, is_secret), "after" => unindented(after, is_secret),
                "before_header" => header.as_str(), "after_header" => header.as_str(),
            }
        };
        let text = match (self.state, at) {
            (State::Absent, None) => return Ok(plan.set("diff", diff(&present))),
            (State::Absent, Some(at)) => {
                let left = texts.enumerate().filter(|(i, _)| *i != at).map(|(_, text)| text).collect::<String>();
                if left.trim().is_empty() {
                    return Ok(plan.set("diff", diff("")).change(removal(path, host)));
                }
                left
            }
            (State::Present, Some(at)) => {
                let same = sections.get(at).is_some_and(|section| section.settings() == self.settings());
                if same {
                    present.clone()
                } else {
                    texts.enumerate().map(|(i, text)| if i == at { self.text() } else { text.to_owned() }).collect()
                }
            }
            (State::Present, None) => {
                let gap = if present.is_empty() || present.ends_with("\n\n") {
                    ""
                } else if present.ends_with('\n') {
                    "\n"
                } else {
                    "\n\n"
                };
                format!("{present}{gap}{}", self.text())
            }
        };
        plan = plan.set("diff", diff(&text));
        if !directory.is_dir() {
            plan = plan.assumes(host, format!("the directory {}", directory.display()), || {
                Failure::new(format!("Repo directory '{}' does not exist.", directory.display())).arg("reposdir")
            })?;
        }
        let placement = Placement::new(&path, Content::Bytes(lossless::encode(&text)), &self.attributes);
        let mut plan = placement.plan(host, plan)?;
        for diff in plan.changes.iter_mut().filter_map(|change| change.diff.as_mut()) {
            (diff.before, diff.after) = (unindented(&diff.before, is_secret), unindented(&diff.after, is_secret));
        }
        Ok(plan)
    }
}

/// The text as ansible-core shows it in differences: without the indentation of further lines of a value. Passwords are
/// hidden where the task has some, an earlier one as well.
fn unindented(text: &str, is_secret: bool) -> String {
    let text = text.replace("\n\t", "\n");
    if !is_secret {
        return text;
    }
    let hidden = |line: &str| match line.split_once(" = ") {
        Some((name @ ("password" | "proxy_password"), _)) => format!("{name} = ********\n"),
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(hidden).collect()
}

impl YumRepository {
    fn text(&self) -> String {
        let mut text = format!("[{}]\n", self.name);
        for (key, value) in self.settings() {
            text.push_str(&format!("{key} = {}\n", value.replace('\n', "\n\t")));
        }
        text + "\n"
    }

    /// All settings that were given, by name.
    fn settings(&self) -> Vec<(String, String)> {
        let text = |value: &Option<Text>| value.clone();
        let secret = |value: &Option<Secret>| value.as_ref().map(|secret| secret.0.clone());
        let flag = |value: &Option<Flag>| value.map(|flag| u8::from(flag.0).to_string());
        let lines = |value: &Option<Vec<Text>>| value.as_ref().map(|items| items.join("\n"));
        let words = |value: &Option<Vec<Text>>| value.as_ref().map(|items| items.join(" "));
        let all = [
            ("async", flag(&self.r#async)),
            ("bandwidth", text(&self.bandwidth)),
            ("baseurl", lines(&self.baseurl)),
            ("cost", text(&self.cost)),
            ("countme", flag(&self.countme)),
            ("deltarpm_metadata_percentage", text(&self.deltarpm_metadata_percentage)),
            ("deltarpm_percentage", text(&self.deltarpm_percentage)),
            ("enabled", flag(&self.enabled)),
            ("enablegroups", flag(&self.enablegroups)),
            ("exclude", words(&self.exclude)),
            ("failovermethod", text(&self.failovermethod)),
            ("gpgcakey", text(&self.gpgcakey)),
            ("gpgcheck", flag(&self.gpgcheck)),
            ("gpgkey", lines(&self.gpgkey)),
            ("http_caching", text(&self.http_caching)),
            ("include", text(&self.include)),
            ("includepkgs", words(&self.includepkgs)),
            ("ip_resolve", self.ip_resolve.map(|kind| kind.word().to_owned())),
            ("keepalive", flag(&self.keepalive)),
            ("keepcache", text(&self.keepcache)),
            ("metadata_expire", text(&self.metadata_expire)),
            ("metadata_expire_filter", text(&self.metadata_expire_filter)),
            ("metalink", text(&self.metalink)),
            ("mirrorlist", text(&self.mirrorlist)),
            ("mirrorlist_expire", text(&self.mirrorlist_expire)),
            ("module_hotfixes", flag(&self.module_hotfixes)),
            ("name", text(&self.description)),
            ("password", secret(&self.password)),
            ("priority", text(&self.priority)),
            ("protect", flag(&self.protect)),
            ("proxy", text(&self.proxy)),
            ("proxy_password", secret(&self.proxy_password)),
            ("proxy_username", text(&self.proxy_username)),
            ("repo_gpgcheck", flag(&self.repo_gpgcheck)),
            ("retries", text(&self.retries)),
            ("s3_enabled", flag(&self.s3_enabled)),
            ("skip_if_unavailable", flag(&self.skip_if_unavailable)),
            ("ssl_check_cert_permissions", flag(&self.ssl_check_cert_permissions)),
            ("sslcacert", text(&self.sslcacert)),
            ("sslclientcert", text(&self.sslclientcert)),
            ("sslclientkey", text(&self.sslclientkey)),
            ("sslverify", flag(&self.sslverify)),
            ("throttle", text(&self.throttle)),
            ("timeout", text(&self.timeout)),
            ("ui_repoid_vars", text(&self.ui_repoid_vars)),
            ("username", text(&self.username)),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.trim().to_owned()))).collect()
    }
}

/// A section of a file with all its lines; the first may have no name.
struct Section {
    name: String,
    text: String,
}

impl Section {
    fn split(text: &str) -> Vec<Section> {
        let mut sections: Vec<Section> = Vec::new();
        for line in text.split_inclusive('\n') {
            let header = line.trim_end().strip_prefix('[').and_then(|rest| rest.split_once(']'));
            match (header, sections.last_mut()) {
                (Some((name, _)), _) => sections.push(Section { name: name.to_owned(), text: line.to_owned() }),
                (None, Some(section)) => section.text.push_str(line),
                (None, None) => sections.push(Section { name: String::new(), text: line.to_owned() }),
            }
        }
        sections
    }

    /// The settings by name; an indented line continues the previous value.
    fn settings(&self) -> Vec<(String, String)> {
        let mut settings: Vec<(String, String)> = Vec::new();
        for line in self.text.lines().skip(1) {
            let bare = line.trim();
            if bare.is_empty() || bare.starts_with(['#', ';']) {
                continue;
            }
            match (line.starts_with([' ', '\t']), settings.last_mut(), bare.split_once(['=', ':'])) {
                (true, Some((_, value)), _) => {
                    value.push('\n');
                    value.push_str(bare);
                }
                (_, _, Some((key, value))) => settings.push((key.trim().to_ascii_lowercase(), value.trim().to_owned())),
                _ => {}
            }
        }
        crate::system::order::sort(&mut settings);
        settings
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use std::path::Path;

    use rplay_wire::{Map, data};

    use crate::{runner::tests::call, system::paths};

    fn args(directory: &Path, more: Map) -> Map {
        let mut args =
            data! { "name" => "docker-ce", "description" => "Docker CE", "reposdir" => paths::text(directory) };
        args.extend(more);
        args
    }

    #[test]
    fn a_section_is_written_as_ansible_writes_it_and_only_once() {
        let directory = tempfile::tempdir().unwrap();
        let wanted = || {
            args(
                directory.path(),
                data! {
                    "baseurl" => vec!["https://a/$releasever", "https://b"], "gpgcheck" => true, "enabled" => false,
                    "exclude" => vec!["a*", "b"], "gpgkey" => vec!["https://k1", "https://k2"], "metadata_expire" => 5, "sslverify" => false,
                },
            )
        };
        assert!(call("yum_repository", wanted()).changed);
        let file = directory.path().join("docker-ce.repo");
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "[docker-ce]\nbaseurl = https://a/$releasever\n\thttps://b\nenabled = 0\nexclude = a* b\ngpgcheck = 1\n\
             gpgkey = https://k1\n\thttps://k2\nmetadata_expire = 5\nname = Docker CE\nsslverify = 0\n\n"
        );
        assert!(!call("yum_repository", wanted()).changed);
    }

    #[test]
    fn other_sections_stay_as_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("docker-ce.repo");
        let other = "# by hand\n[other]\nname=Other\nbaseurl=http://o\n";
        fs::write(&file, format!("{other}[docker-ce]\nname=Docker CE\nbaseurl=https://download\n")).unwrap();
        let wanted = |url: &str| args(directory.path(), data! { "baseurl" => url });
        assert!(!call("yum_repository", wanted("https://download")).changed, "the same in another notation");
        assert!(call("yum_repository", wanted("https://mirror")).changed);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(other) && text.contains("baseurl = https://mirror\n") && !text.contains("download"));
        assert!(call("yum_repository", args(directory.path(), data! { "state" => "absent" })).changed);
        assert_eq!(fs::read_to_string(&file).unwrap(), other);
        assert!(!call("yum_repository", args(directory.path(), data! { "state" => "absent" })).changed);
    }

    #[test]
    fn passwords_are_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let done =
            call("yum_repository", args(directory.path(), data! { "baseurl" => "https://x", "password" => "hush" }));
        assert!(done.changed && !format!("{done:?}").contains("hush"));
    }
}
