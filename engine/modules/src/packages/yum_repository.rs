//! `yum_repository`: a package source of yum and dnf.

use rplay_wire::{Failure, data};

use crate::{
    ArgFault, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Secret, Text},
    packages::deb822_repository::State,
    system::{
        attributes::Attributes,
        paths,
        place::{Content, Placement, removal},
        text,
    },
};

args! {
    /// Adds and removes a section of a `.repo` file.
    pub struct YumRepository {
        ..attributes: Attributes,
        /// The section: the repository's id.
        name: Text,
        /// Whether it should exist.
        state: State = State::Present,
        /// The file, without `.repo`; called as the repository if not given.
        file: Option<Text>,
        /// The folder of the file.
        reposdir: PathArg = PathArg("/etc/yum.repos.d".to_owned()),
        /// The repository's name for people.
        description: Option<Text>,
        /// Where the packages are.
        baseurl: Option<Vec<Text>>,
        /// Where a list of addresses is.
        mirrorlist: Option<Text>,
        /// Where a metalink is.
        metalink: Option<Text>,
        /// Whether the repository is used.
        enabled: Option<Flag>,
        /// Whether packages must be signed.
        gpgcheck: Option<Flag>,
        /// Whether the index must be signed.
        repo_gpgcheck: Option<Flag>,
        /// Where the keys are.
        gpgkey: Option<Vec<Text>>,
        /// The key of the authority that signed the keys.
        gpgcakey: Option<Text>,
        /// Packages never to take from here.
        exclude: Option<Vec<Text>> | "excludepkgs",
        /// The only packages to take from here.
        includepkgs: Option<Vec<Text>>,
        /// Another file to read.
        include: Option<Text>,
        /// Whether the server's certificate must be valid.
        sslverify: Option<Flag> | "validate_certs",
        /// The authorities to believe.
        sslcacert: Option<Text> | "ca_cert",
        /// The client's certificate.
        sslclientcert: Option<Text> | "client_cert",
        /// The client's key.
        sslclientkey: Option<Text> | "client_key",
        /// Whether the permissions of the client's certificate are looked at.
        ssl_check_cert_permissions: Option<Flag>,
        /// The name to log in with.
        username: Option<Text>,
        /// The password to log in with.
        password: Option<Secret>,
        /// The proxy; `_none_` for none.
        proxy: Option<Text>,
        /// The name to log in to the proxy with.
        proxy_username: Option<Text>,
        /// The password to log in to the proxy with.
        proxy_password: Option<Secret>,
        /// A smaller number goes first.
        priority: Option<Text>,
        /// A smaller number is cheaper.
        cost: Option<Text>,
        /// Go on without the repository when it cannot be reached.
        skip_if_unavailable: Option<Flag>,
        /// Whether packages hidden by modules are shown.
        module_hotfixes: Option<Flag>,
        /// How long the index counts as fresh.
        metadata_expire: Option<Text>,
        /// For which commands an old index is refused.
        metadata_expire_filter: Option<Text>,
        /// How long the list of mirrors counts as fresh.
        mirrorlist_expire: Option<Text>,
        /// The order in which addresses are tried.
        failovermethod: Option<Text>,
        /// `4` or `6`.
        ip_resolve: Option<Text>,
        /// Whether packages are kept after they were installed.
        keepcache: Option<Text>,
        /// What proxies may keep.
        http_caching: Option<Text>,
        /// Whether connections are kept.
        keepalive: Option<Flag>,
        /// Whether package groups are used.
        enablegroups: Option<Flag>,
        /// Whether updates from other repositories are kept out.
        protect: Option<Flag>,
        /// Download in the background.
        r#async: Option<Flag>,
        /// The bandwidth, in bytes a second.
        bandwidth: Option<Text>,
        /// A limit below the bandwidth.
        throttle: Option<Text>,
        /// Seconds until a connection is given up.
        timeout: Option<Text>,
        /// How often a download is tried.
        retries: Option<Text>,
        /// Whether this host is counted.
        countme: Option<Flag>,
        /// How large differences of the index may be.
        deltarpm_metadata_percentage: Option<Text>,
        /// How large differences of packages may be.
        deltarpm_percentage: Option<Text>,
        /// Whether the addresses are of S3.
        s3_enabled: Option<Flag>,
        /// Variables in the id.
        ui_repoid_vars: Option<Text>,
    }
}

impl Module for YumRepository {
    fn check(&self) -> Result<(), ArgFault> {
        self.attributes.check()?;
        let bad = |text: &str| text.is_empty() || text.contains(['[', ']', '\n', '/']);
        if bad(&self.name) {
            return Err(ArgFault::new("name", format!("`{}` is not a repository id", self.name)));
        }
        if self.file.as_deref().is_some_and(bad) {
            return Err(ArgFault::new("file", "must be the name of a file, without its folder"));
        }
        if self.state == State::Present {
            if self.baseurl.is_none() && self.mirrorlist.is_none() && self.metalink.is_none() {
                let msg = "state is present but any of the following are missing: baseurl, mirrorlist, metalink";
                return Err(ArgFault::new("baseurl", msg));
            }
            if self.description.is_none() {
                let msg = "state is present but all of the following are missing: description";
                return Err(ArgFault::new("description", msg));
            }
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let folder = self.reposdir.on(host);
        let name = self.file.as_ref().unwrap_or(&self.name);
        let path = folder.join(format!("{}.repo", name.strip_suffix(".repo").unwrap_or(name)));
        let mut plan = Plan::unchanged().set("repo", self.name.as_str()).set("state", self.state.word());
        let present = text::read(&path)?.unwrap_or_default();
        let sections = Section::split(&present);
        let at = sections.iter().position(|section| section.name == self.name);
        let texts = sections.iter().map(|section| section.text.as_str());
        let shown = self.password.is_none() && self.proxy_password.is_none();
        let header = paths::text(&path);
        let diff = |after: &str| {
            let (before, after) = if shown { (present.as_str(), after) } else { ("", "") };
            data! {
                "before" => before, "after" => after,
                "before_header" => header.as_str(), "after_header" => header.as_str(),
            }
        };
        let text = match (self.state, at) {
            (State::Absent, None) => return Ok(plan.set("diff", diff(&present))),
            (State::Absent, Some(at)) => {
                let left = texts.enumerate().filter(|(i, _)| *i != at).map(|(_, text)| text).collect::<String>();
                if left.trim().is_empty() {
                    return Ok(plan.set("diff", diff("")).change(removal(path)));
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
        if !folder.is_dir() {
            plan = plan.assumes(host, format!("the folder {}", folder.display()), || {
                Failure::new(format!("Repo directory '{}' does not exist.", folder.display())).arg("reposdir")
            })?;
        }
        let mut placement = Placement::new(&path, Content::Bytes(text::encode(&text)), &self.attributes)?;
        // The file holds them in clear; a diff must not.
        placement.shown = shown;
        placement.plan(host, plan)
    }
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
            ("ip_resolve", text(&self.ip_resolve)),
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

/// A section of a file with everything that stands in it; the first may have no name.
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

    /// The settings by name; a line that is indented goes on with the value before it.
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
        settings.sort();
        settings
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use std::path::Path;

    use rplay_wire::{Map, data};

    use crate::{runner::tests::call, system::paths};

    fn args(folder: &Path, more: Map) -> Map {
        let mut args = data! { "name" => "docker-ce", "description" => "Docker CE", "reposdir" => paths::text(folder) };
        args.extend(more);
        args
    }

    #[test]
    fn a_section_is_written_as_ansible_writes_it_and_only_once() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = || {
            args(
                folder.path(),
                data! {
                    "baseurl" => vec!["https://a/$releasever", "https://b"], "gpgcheck" => true, "enabled" => false,
                    "exclude" => vec!["a*", "b"], "gpgkey" => vec!["https://k1", "https://k2"], "metadata_expire" => 5, "sslverify" => false,
                },
            )
        };
        assert!(call("yum_repository", wanted()).changed);
        let file = folder.path().join("docker-ce.repo");
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "[docker-ce]\nbaseurl = https://a/$releasever\n\thttps://b\nenabled = 0\nexclude = a* b\ngpgcheck = 1\n\
             gpgkey = https://k1\n\thttps://k2\nmetadata_expire = 5\nname = Docker CE\nsslverify = 0\n\n"
        );
        assert!(!call("yum_repository", wanted()).changed);
    }

    #[test]
    fn other_sections_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("docker-ce.repo");
        let other = "# by hand\n[other]\nname=Other\nbaseurl=http://o\n";
        fs::write(&file, format!("{other}[docker-ce]\nname=Docker CE\nbaseurl=https://download\n")).unwrap();
        let wanted = |url: &str| args(folder.path(), data! { "baseurl" => url });
        assert!(!call("yum_repository", wanted("https://download")).changed, "the same in another notation");
        assert!(call("yum_repository", wanted("https://mirror")).changed);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(other) && text.contains("baseurl = https://mirror\n") && !text.contains("download"));
        assert!(call("yum_repository", args(folder.path(), data! { "state" => "absent" })).changed);
        assert_eq!(fs::read_to_string(&file).unwrap(), other);
        assert!(!call("yum_repository", args(folder.path(), data! { "state" => "absent" })).changed);
    }

    #[test]
    fn passwords_are_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let done =
            call("yum_repository", args(folder.path(), data! { "baseurl" => "https://x", "password" => "hush" }));
        assert!(done.changed && !format!("{done:?}").contains("hush"));
    }
}
