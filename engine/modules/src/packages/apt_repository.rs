//! `apt_repository`: an apt package source in one-line format.

use std::path::{Path, PathBuf};

use rplay_wire::{Failure, Map, Value, data};

use crate::system::fs;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Flag, Text},
    packages::{
        apt::Refresh,
        ppa::{self, Archive},
    },
    system::{
        lossless,
        mode::Mode,
        paths,
        place::{Content, Placement, removal},
        text,
    },
};

const APT: &str = "/etc/apt";

args! {
    /// Adds and removes lines in apt's package sources.
    pub struct AptRepository {
        /// The line: `deb [signed-by=/etc/apt/keyrings/x.asc] https://example.org/debian bookworm main`; or an archive of
        /// Launchpad, `ppa:owner/name`, whose key apt then trusts.
        repo: Text,
        /// Whether it should exist.
        state: State = State::Present,
        /// The file in `/etc/apt/sources.list.d`, without `.list`; by default derived from the URL.
        filename: Option<Text>,
        /// The permissions of the file.
        mode: Option<Mode>,
        /// Update the package index after changes.
        update_cache: Flag | "update-cache" = Flag(true),
        /// Number of retries if updating the index fails.
        update_cache_retries: u64 = 5,
        /// Maximum pause between two attempts in seconds.
        update_cache_retry_max_delay: u64 = 12,
        /// The release whose packages of a `ppa:` to use; by default the host's own.
        codename: Option<Text>,
        /// Accepted for compatibility: the module has no dependencies.
        install_python_apt: Flag = Flag(true),
        /// Whether to verify the TLS certificates of Launchpad and its key server, for `ppa:`.
        validate_certs: Flag = Flag(true),
    }
}

impl Module for AptRepository {
    fn check(&self) -> Result<(), ArgError> {
        if self.repo.is_empty() {
            return Err(ArgError::new("repo", "Please set argument 'repo' to a non-empty value"));
        }
        if self.filename.as_ref().is_some_and(|name| !name.starts_with('/') && !paths::is_file_name(name)) {
            return Err(ArgError::new("filename", "must be a file name in sources.list.d or an absolute path"));
        }
        let names_archive = self.repo.starts_with(ppa::PREFIX);
        if !names_archive && Line::parse(&self.repo).is_none_or(|line| !line.enabled) {
            let shown = self.repo.trim_start().trim_start_matches('#');
            return Err(ArgError::new("repo", format!("Invalid repository string: {shown}"))
                .help("write it as `deb https://example.org/debian bookworm main`"));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        // No effect: it is for python-apt.
        let _ = self.install_python_apt;
        let archive = Archive::parse(&self.repo, self.codename.as_deref(), Path::new("/etc/os-release"))?;
        let refresh = self
            .update_cache
            .0
            .then(|| Refresh::wanted(true, 0, self.update_cache_retries, self.update_cache_retry_max_delay, 60));
        let (mut plan, before) = self.plan_below(Path::new(APT), archive.as_ref(), host)?;
        // Of an archive whose line is there already, the key is not asked for.
        if let (Some(archive), State::Present, false) = (&archive, self.state, plan.changes.is_empty())
            && let Some(trust) = archive.trust_key(self.validate_certs.0, host)?
        {
            plan.changes.insert(0, trust);
        }
        if let (false, Some(refresh)) = (plan.changes.is_empty(), refresh.flatten()) {
            // A source that apt cannot read is removed again, so that the next run retries it and everything else that
            // uses apt keeps working.
            let refreshing = Change::new("update the package index", move |host, _| {
                refresh.run_for_source(host).inspect_err(|_| restore(before, host))
            });
            plan = plan.change(refreshing.auxiliary());
        }
        Ok(plan)
    }
}

/// Previous files: path, and content if there was a file.
type Before = Vec<(PathBuf, Option<Vec<u8>>)>;

fn restore(before: Before, host: &Host) {
    for (path, content) in before {
        // The failure of the update is reported; a failure here adds nothing.
        let _ = match content {
            Some(content) => Placement::plain(path, Content::Bytes(content)).put(host, &mut Map::new()),
            None => fs::remove_file(&path).map_err(Failure::from),
        };
    }
}

impl AptRepository {
    fn plan_below(&self, apt: &Path, archive: Option<&Archive>, host: &Host) -> Result<(Plan, Before), Failure> {
        let written_out = archive.map_or_else(|| self.repo.clone(), Archive::line);
        let wanted =
            Line::parse(&written_out).ok_or_else(|| Failure::new("not a line of apt's sources").arg("repo"))?;
        let mut plan = Plan::unchanged();
        let (mut added, mut removed, mut before) = (Vec::new(), Vec::new(), Vec::new());
        let mut frames: Vec<Value> = Vec::new();
        let mut found = false;
        for path in files(apt) {
            let Ok(Some(text)) = text::read(&path) else { continue };
            let mut lines = Vec::new();
            let mut changed = false;
            for line in text.lines() {
                match Line::parse(line).filter(|line| line.source == wanted.source) {
                    Some(_) if self.state == State::Absent => changed = true,
                    Some(present) if !present.enabled => {
                        found = true;
                        changed = true;
                        lines.push(line.trim_start().trim_start_matches('#').trim_start().to_owned());
                    }
                    Some(_) => {
                        found = true;
                        lines.push(line.to_owned());
                    }
                    None => lines.push(line.to_owned()),
                }
            }
            if !changed {
                continue;
            }
            before.push((path.clone(), Some(lossless::encode(&text))));
            let is_empty = lines.iter().all(|line| line.trim().is_empty());
            if is_empty && path != apt.join("sources.list") {
                let shown = paths::text(&path);
                frames.push(frame((&shown, &text), (NOWHERE, "")));
                removed.push(shown);
                plan = plan.change(removal(path, host));
            } else {
                plan = self.place(&path, &lines, false, plan, host)?;
            }
        }
        if self.state == State::Present && !found {
            let path = apt.join("sources.list.d").join(format!("{}.list", self.file_name(archive)));
            let present = text::read(&path)?;
            let mut lines = present.iter().flat_map(|text| text.lines()).map(str::to_owned).collect::<Vec<_>>();
            // As in Ansible, without a comment.
            let line = written_out.split('#').next().unwrap_or_default();
            lines.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
            if present.is_none() {
                let shown = paths::text(&path);
                frames.push(frame((NOWHERE, ""), (&shown, &written(&lines))));
                added.push(shown);
            }
            before.push((path.clone(), present.as_deref().map(lossless::encode)));
            plan = self.place(&path, &lines, present.is_none(), plan, host)?;
        }
        // A line may contain credentials.
        if !host.diff || self.holds_login() {
            frames.clear();
        }
        plan.data = data! {
            "repo" => self.repo.as_str(), "sources_added" => added, "sources_removed" => removed,
            "state" => self.state.word(), "diff" => frames
        };
        Ok((plan, before))
    }

    fn place(&self, path: &Path, lines: &[String], is_new: bool, plan: Plan, host: &Host) -> Result<Plan, Failure> {
        let text = written(lines);
        let mut placement = Placement::plain(path, Content::Bytes(lossless::encode(&text)));
        placement.wanted.mode = self.mode.clone().or(is_new.then_some(Mode::Bits(0o644)));
        // A line may contain credentials.
        placement.shown = !self.holds_login();
        let mut plan = placement.plan(host, plan)?;
        // As in Ansible, only files that appear or disappear are shown.
        if !is_new && let Some(change) = plan.changes.last_mut() {
            change.diff = None;
        }
        Ok(plan)
    }

    /// Whether the address may contain a user and a password.
    fn holds_login(&self) -> bool {
        self.repo.contains('@')
    }

    /// The file name: server and path, with `_` for other characters than letters and digits.
    fn file_name(&self, archive: Option<&Archive>) -> String {
        if let Some(name) = &self.filename {
            return name.strip_suffix(".list").unwrap_or(name).to_owned();
        }
        if let Some(archive) = archive {
            return archive.file_name(&self.repo);
        }
        let address = Line::parse(&self.repo).map(|line| line.address).unwrap_or_default();
        let address = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest);
        let address = address.split_once('@').map_or(address, |(_, rest)| rest);
        let words = address.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("_")
    }
}

/// Where differences say that a file was not there, or is no more.
const NOWHERE: &str = "/dev/null";

/// The text of a file with these lines.
fn written(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The difference of a file that appears or disappears: headers and contents.
fn frame(before: (&str, &str), after: (&str, &str)) -> Value {
    Value::Map(data! {
        "before_header" => before.0, "before" => before.1, "after_header" => after.0, "after" => after.1
    })
}

/// `sources.list`, and the files in `sources.list.d` in order.
fn files(apt: &Path) -> Vec<PathBuf> {
    let mut files = vec![apt.join("sources.list")];
    let entries = fs::read_dir(apt.join("sources.list.d")).into_iter().flatten().flatten();
    let mut more = entries.map(|entry| entry.path()).collect::<Vec<_>>();
    more.retain(|path| path.extension().is_some_and(|suffix| suffix == "list"));
    crate::system::order::sort(&mut more);
    files.extend(more);
    files
}

/// A line of apt's sources.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    /// Whether it is not commented out.
    enabled: bool,
    /// Type, options, URL, suite and components, separated by one space.
    source: String,
    address: String,
}

impl Line {
    /// Parses a line; `None` for comments and other lines that do not begin as a source does. As in Ansible, apt alone
    /// judges the rest.
    fn parse(line: &str) -> Option<Self> {
        let bare = line.trim_start();
        let enabled = !bare.starts_with('#');
        let bare = bare.trim_start_matches('#').split('#').next()?;
        let mut words = bare.split_whitespace();
        let kind = words.next().filter(|word| matches!(*word, "deb" | "deb-src"))?;
        let rest = bare.trim_start().strip_prefix(kind)?.trim();
        let (options, rest) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => ("", rest),
        };
        let words = rest.split_whitespace().collect::<Vec<_>>();
        let address = words.first()?;
        let options = options.split_whitespace().collect::<Vec<_>>().join(" ");
        let options = if options.is_empty() { String::new() } else { format!("[{options}] ") };
        Some(Line { enabled, source: format!("{kind} {options}{}", words.join(" ")), address: (*address).to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use rplay_wire::data;

    use super::*;
    use crate::{Args, stand_in::host};

    #[test]
    fn lines() {
        let line = Line::parse("deb  [ arch=amd64  signed-by=/k ] https://a.org/debian  bookworm main # mine").unwrap();
        assert_eq!(line.source, "deb [arch=amd64 signed-by=/k] https://a.org/debian bookworm main");
        assert!(Line::parse("# deb http://a.org/debian bookworm main").is_some_and(|line| !line.enabled));
        assert!(Line::parse("deb http://a.org/ ./").is_some());
        for other in ["", "# note", "deb", "deb [arch=amd64] # x", "rpm http://a b c"] {
            assert_eq!(Line::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_line_is_added_once_enabled_and_removed() {
        let apt = tempfile::tempdir().unwrap();
        fs::create_dir(apt.path().join("sources.list.d")).unwrap();
        fs::write(apt.path().join("sources.list"), "deb http://deb.debian.org/debian bookworm main\n").unwrap();
        let repository = |state: &str| {
            let repo = "deb [arch=amd64]  https://download.docker.com/linux/debian bookworm stable";
            AptRepository::from_map(&data! { "repo" => repo, "state" => state }).unwrap()
        };
        let apply = |state: &str| {
            let (plan, _) = repository(state).plan_below(apt.path(), None, &host()).unwrap();
            let count = plan.changes.len();
            for change in plan.changes {
                change.make(&host(), &mut Map::new()).unwrap();
            }
            count
        };
        let file = apt.path().join("sources.list.d/download_docker_com_linux_debian.list");
        assert_eq!((apply("present"), apply("present")), (1, 0));
        let line = "deb [arch=amd64] https://download.docker.com/linux/debian bookworm stable\n";
        assert_eq!(fs::read_to_string(&file).unwrap(), line);
        fs::write(&file, format!("# note\n# {line}")).unwrap();
        assert_eq!((apply("present"), apply("present")), (1, 0));
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("# note\n{line}"));
        fs::write(&file, line).unwrap();
        assert_eq!((apply("absent"), apply("absent"), file.exists()), (1, 0, false));
    }

    #[test]
    fn what_is_refused() {
        for (repo, expected) in [("http://x bookworm main", "Invalid repository string: http://x"), ("", "non-empty")] {
            let error = AptRepository::from_map(&data! { "repo" => repo }).unwrap().check().unwrap_err();
            assert!(error.msg.contains(expected), "{}", error.msg);
        }
        for (name, good) in [("../x", false), ("a/b", false), ("..", false), ("x", true), ("/etc/apt/x", true)] {
            let args = data! { "repo" => "deb http://x bookworm main", "filename" => name };
            assert_eq!(AptRepository::from_map(&args).unwrap().check().is_ok(), good, "{name}");
        }
    }
}
