//! `sysctl`: a kernel parameter, now and after the next boot.

use std::{
    io,
    path::{Path, PathBuf},
};

use rplay_wire::Failure;

use crate::system::fs;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, PresentAbsent as State, Text},
    io_failure::reason,
    system::{
        lossless, paths,
        place::{Content, Placement},
        text,
    },
};

args! {
    /// Sets a kernel parameter in a file that is read at boot, and immediately.
    pub struct Sysctl {
        /// The parameter: `net.ipv4.ip_forward`.
        name: Text | "key",
        /// Its value; `yes` and `no` stand for 1 and 0.
        value: Option<Text> | "val",
        /// Whether the setting should be in the file.
        state: State = State::Present,
        /// The file.
        sysctl_file: PathArg = PathArg("/etc/sysctl.conf".to_owned()),
        /// Reload the file after changes.
        reload: Flag = Flag(true),
        /// Also set it immediately, if the kernel has another value.
        sysctl_set: Flag = Flag(false),
        /// Ignore unknown parameters in the file.
        ignoreerrors: Flag = Flag(false),
    }
}

impl Module for Sysctl {
    fn check(&self) -> Result<(), ArgError> {
        if self.name.is_empty() {
            return Err(ArgError::new("name", "name cannot be blank"));
        }
        if self.name.trim().is_empty() || self.name.contains(['\n', '=']) || self.name.contains("..") {
            return Err(ArgError::new("name", format!("`{}` is not a valid kernel parameter name", self.name)));
        }
        match (self.state, self.value.as_deref()) {
            (State::Present, None) => {
                Err(ArgError::new("value", "state is present but all of the following are missing: value"))
            }
            (State::Present, Some(value)) if value.trim().is_empty() => {
                Err(ArgError::new("value", "value cannot be blank"))
            }
            _ => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let name = self.name.trim().to_owned();
        let value = plain(self.value.as_deref().unwrap_or_default());
        // A link (Debian has one in /etc/sysctl.d) is kept.
        let path = paths::real(&self.sysctl_file.on(host));
        let present = text::read(&path)?.unwrap_or_default();
        let text = edited(&present, &name, (self.state == State::Present).then_some(&value));
        let mut plan = Plan::unchanged();
        if !path.parent().is_some_and(|directory| directory.is_dir()) && host.rehearses() {
            plan = plan.assumption(format!("the directory of {}", path.display()));
        }
        if text != present {
            plan = Placement::plain(&path, Content::Bytes(lossless::encode(&text))).plan(host, plan)?;
            // As in Ansible, the file's differences are not part of the result.
            plan.changes.iter_mut().for_each(|change| change.diff = None);
        }
        if self.state == State::Present && self.sysctl_set.0 {
            let file = kernel_file(&name);
            let now = crate::system::regular::read_to_string(&file).ok();
            if now.as_deref().is_none_or(|now| !same(now, &value)) {
                let (ignore, what) = (self.ignoreerrors.0, format!("set {name} to {value}"));
                plan = plan.change(Change::new(what, move |_, _| match fs::write(&file, &value) {
                    Err(error) if !ignore => {
                        let said = refusal(&name, &file, &error);
                        Err(Failure::new(format!("setting {name} failed: {said}\n")).arg("name"))
                    }
                    _ => Ok(()),
                }));
            }
        }
        if self.reload.0 && !plan.changes.is_empty() {
            let ignore = self.ignoreerrors.0;
            let reload = Change::new(format!("reload {}", path.display()), move |host, _| {
                let program = host.program("sysctl").untranslated();
                let program = if ignore { program.arg("-e") } else { program };
                let done = program.arg("-p").arg(&path).run()?;
                // Old versions exit with 0 even if a parameter was rejected. `-e` is silent about those it does not know.
                let is_refused = done.rc != 0 || refused(&done.stderr);
                let told = || Failure::new(format!("Failed to reload sysctl: {}{}", done.stdout, done.stderr));
                if is_refused { Err(told().arg("reload")) } else { Ok(()) }
            });
            plan = plan.change(reload.auxiliary());
        }
        Ok(plan)
    }
}

/// The kernel uses 1 and 0 for true and false.
fn plain(value: &str) -> String {
    match value.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" | "on" | "true" | "t" => "1".to_owned(),
        "n" | "no" | "off" | "false" | "f" => "0".to_owned(),
        _ => value.trim().to_owned(),
    }
}

fn same(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}

/// The file of `net.ipv4.ip_forward`; with slashes as separators, dots belong to interface names.
fn kernel_file(name: &str) -> PathBuf {
    let first = name.find(['.', '/']).and_then(|at| name.get(at..=at));
    let below = match first {
        Some("/") => name.to_owned(),
        _ => name
            .chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                c => c,
            })
            .collect(),
    };
    PathBuf::from("/proc/sys").join(below.trim_start_matches('/'))
}

/// Why the kernel does not take a value, in the words of the program sysctl.
fn refusal(name: &str, file: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("sysctl: cannot stat {}: {}", file.display(), reason(error)),
        io::ErrorKind::PermissionDenied => format!("sysctl: permission denied on key \"{name}\""),
        _ => format!("sysctl: setting key \"{name}\": {}", reason(error)),
    }
}

fn refused(stderr: &str) -> bool {
    ["cannot stat", "setting key", "unknown key", "Invalid argument", "permission denied"]
        .iter()
        .any(|sign| stderr.to_ascii_lowercase().contains(&sign.to_ascii_lowercase()))
}

/// The text with `name=value` once, at its first position or at the end; `None` removes it.
fn edited(text: &str, name: &str, value: Option<&String>) -> String {
    let is_it = |line: &str| {
        let bare = line.trim_start();
        let (key, _) = bare.split_once('=').unwrap_or_default();
        !bare.starts_with(['#', ';']) && key.trim().trim_start_matches('-') == name
    };
    let mut wanted = value;
    let mut lines = Vec::new();
    for line in text.lines() {
        if !is_it(line) {
            lines.push(line.to_owned());
        } else if let Some(value) = wanted.take() {
            let (_, present) = line.split_once('=').unwrap_or_default();
            lines.push(if present.trim() == value { line.to_owned() } else { format!("{name}={value}") });
        }
    }
    lines.extend(wanted.map(|value| format!("{name}={value}")));
    let mut edited = lines.join("\n");
    if !edited.is_empty() {
        edited.push('\n');
    }
    // A file without a final newline, and without changes, is kept as it is.
    if edited.trim_end_matches('\n') == text.trim_end_matches('\n') { text.to_owned() } else { edited }
}

#[cfg(test)]
mod tests {
    use rplay_wire::data;

    use super::*;
    use crate::runner::tests::{call, checked};

    #[test]
    fn lines_are_set_once_and_taken_out() {
        let one = &"1".to_owned();
        let text = "# net.ipv4.ip_forward=0\nvm.swappiness = 10\nnet.ipv4.ip_forward = 0\nnet.ipv4.ip_forward=0\n";
        let set = edited(text, "net.ipv4.ip_forward", Some(one));
        assert_eq!(set, "# net.ipv4.ip_forward=0\nvm.swappiness = 10\nnet.ipv4.ip_forward=1\n");
        assert_eq!(edited(&set, "net.ipv4.ip_forward", Some(one)), set);
        assert_eq!(edited("a = 1", "a", Some(one)), "a = 1");
        assert_eq!(edited("", "a", Some(one)), "a=1\n");
        assert_eq!(edited("a=1\n", "a", None), "");
        assert_eq!(edited("r = 4096  87380\n", "r", Some(&"4096\t87380".to_owned())), "r=4096\t87380\n");
    }

    #[test]
    fn names_and_values() {
        assert_eq!(kernel_file("net.ipv4.ip_forward"), PathBuf::from("/proc/sys/net/ipv4/ip_forward"));
        assert_eq!(
            kernel_file("net/ipv4/conf/eth0.1/rp_filter"),
            PathBuf::from("/proc/sys/net/ipv4/conf/eth0.1/rp_filter")
        );
        assert_eq!((plain("True").as_str(), plain("off").as_str(), plain(" 5 ").as_str()), ("1", "0", "5"));
    }

    #[test]
    fn the_file_is_changed_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("90-test.conf");
        let args = || data! { "name" => "net.ipv4.ip_forward", "value" => 1, "sysctl_file" => paths::text(&file), "reload" => false };
        assert!(checked("sysctl", args()).changed && !file.exists());
        assert!(call("sysctl", args()).changed && !call("sysctl", args()).changed);
        assert_eq!(fs::read_to_string(&file).unwrap(), "net.ipv4.ip_forward=1\n");
        let mut gone = args();
        gone.insert("state".into(), "absent".into());
        assert!(call("sysctl", gone.clone()).changed && !call("sysctl", gone).changed);
        let none = call("sysctl", data! { "name" => "a.b" });
        assert!(none.failure.is_some_and(|failure| failure.arg.as_deref() == Some("value")));
        for (args, msg) in [
            (data! { "name" => "", "value" => 1 }, "name cannot be blank"),
            (data! { "name" => "a.b", "value" => "" }, "value cannot be blank"),
            (
                data! { "name" => "no.such", "value" => 1, "sysctl_set" => true, "reload" => false,
                "sysctl_file" => paths::text(&file) },
                "setting no.such failed: sysctl: cannot stat /proc/sys/no/such: No such file or directory\n",
            ),
        ] {
            assert_eq!(call("sysctl", args).failure.unwrap().msg, msg);
        }
    }
}
