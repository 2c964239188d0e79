//! Which packages apt may remove when nothing needs them any more.

use crate::{Change, system::regular};

/// Where apt keeps the marks.
const STATES: &str = "/var/lib/apt/extended_states";

/// Those of the installed packages that are marked as installed automatically.
pub(super) fn automatic(names: impl Iterator<Item = String>) -> Vec<String> {
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        return names;
    }
    // The file is missing where nothing was ever marked.
    let states = regular::read_to_string(STATES).unwrap_or_default();
    names.into_iter().filter(|name| is_automatic(&states, name)).collect()
}

/// `name` may be followed by a colon and an architecture.
fn is_automatic(states: &str, name: &str) -> bool {
    let (name, architecture) = name.split_once(':').unwrap_or((name, ""));
    states.split("\n\n").any(|stanza| {
        let field = |key: &str| {
            stanza.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap_or_default().trim()
        };
        field("Package") == name
            && field("Auto-Installed") == "1"
            && (matches!(architecture, "" | "any") || field("Architecture") == architecture)
    })
}

/// Marks packages as installed by name. As in Ansible, this is no change of the host.
pub(super) fn manual(names: Vec<String>) -> Change {
    Change::new(format!("mark {} as installed manually", names.join(", ")), move |host, _| {
        let done = host.program("apt-mark").args(["manual", "--"]).args(&names).untranslated().run()?;
        if done.rc != 0 {
            host.warn(format!("cannot mark {} as installed manually: {}", names.join(", "), done.stderr.trim()));
        }
        Ok(())
    })
    .auxiliary()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read() {
        let states = "Package: sed\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: grep\nArchitecture: amd64\n\
                      Auto-Installed: 0\n\nPackage: libc6\nArchitecture: i386\nAuto-Installed: 1\n";
        for (name, expected) in [
            ("sed", true),
            ("sed:amd64", true),
            ("sed:any", true),
            ("grep", false),
            ("gre", false),
            ("libc6:amd64", false),
        ] {
            assert_eq!(is_automatic(states, name), expected, "{name}");
        }
        assert!(!is_automatic("", "sed"));
    }
}
