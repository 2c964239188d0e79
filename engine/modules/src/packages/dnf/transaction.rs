//! The planned transaction of dnf or yum, from the table it prints before asking.

use rplay_wire::Diff;

use crate::system::program::Output;

/// What happens to a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Install,
    Upgrade,
    Downgrade,
    Reinstall,
    Remove,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub verb: Verb,
    /// `name-version.arch`
    pub package: String,
}

/// All rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Transaction(Vec<Step>);

impl Transaction {
    /// Parses the table. The section titles are the same in yum 3, dnf 4 and dnf 5; yum wraps long rows.
    pub(super) fn parse(stdout: &str) -> Self {
        let mut steps = Vec::new();
        let mut verb = None;
        let mut broken: Option<&str> = None;
        for line in stdout.lines() {
            if line.starts_with("Transaction Summary") {
                break;
            }
            if !line.starts_with(' ') {
                broken = None;
                if let Some(title) = line.trim_end().strip_suffix(':') {
                    verb = section(title);
                } else if line.trim().is_empty() {
                    verb = None;
                }
                continue;
            }
            let Some(verb) = verb else { continue };
            let words = line.split_whitespace().collect::<Vec<_>>();
            let (name, rest) = match (broken.take(), words.as_slice()) {
                // The rest of a row that was already complete, or `replacing old.arch version` below one.
                (None, _) if line.starts_with("  ") => continue,
                (None, [name]) => {
                    broken = Some(name);
                    continue;
                }
                (None, [name, rest @ ..]) => (*name, rest),
                (Some(name), rest) => (name, rest),
                (None, []) => continue,
            };
            if let [arch, version, ..] = rest {
                steps.push(Step { verb, package: format!("{name}-{version}.{arch}") });
            }
        }
        Transaction(steps)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn downgrades(&self) -> bool {
        self.0.iter().any(|step| step.verb == Verb::Downgrade)
    }

    /// `Installed: name-version.arch` and the like, the format of Ansible's results.
    pub(super) fn results(&self) -> Vec<String> {
        let removed = |verb| if verb == Verb::Remove { "Removed" } else { "Installed" };
        self.0.iter().map(|step| format!("{}: {}", removed(step.verb), step.package)).collect()
    }

    /// The packages before and after.
    pub(super) fn diff(&self) -> Diff {
        let of = |wanted: bool| {
            let steps = self.0.iter().filter(|step| (step.verb == Verb::Remove) == wanted);
            steps.map(|step| format!("{}\n", step.package)).collect::<String>()
        };
        Diff { before_header: "packages".into(), after_header: "packages".into(), before: of(true), after: of(false) }
    }
}

fn section(title: &str) -> Option<Verb> {
    let verb = title.split(' ').next()?;
    Some(match verb {
        "Installing" => Verb::Install,
        "Upgrading" | "Updating" => Verb::Upgrade,
        "Downgrading" => Verb::Downgrade,
        "Reinstalling" => Verb::Reinstall,
        "Removing" | "Erasing" => Verb::Remove,
        _ => return None,
    })
}

/// Those of `names` that are in no repository.
pub(super) fn missing(done: &Output, names: &[String]) -> Vec<String> {
    let lines = done.stdout.lines().chain(done.stderr.lines()).map(str::trim);
    let found = lines.filter_map(|line| {
        let line = line.strip_prefix("Error: ").unwrap_or(line);
        line.strip_prefix("No match for argument: ")
            .or_else(|| line.strip_prefix("Unable to find a match: "))
            .or_else(|| line.strip_prefix("No package ")?.strip_suffix(" available."))
    });
    let mut missing: Vec<String> = Vec::new();
    for name in found.flat_map(str::split_whitespace) {
        if names.iter().any(|wanted| wanted == name) && !missing.iter().any(|known| known == name) {
            missing.push(name.to_owned());
        }
    }
    missing
}

/// Whether the program failed only because there is nothing to do, as yum 3 does.
pub(super) fn says_nothing_to_do(done: &Output) -> bool {
    [&done.stdout, &done.stderr]
        .iter()
        .any(|text| text.lines().any(|line| line.trim_start_matches("Error: ").starts_with("Nothing to do")))
}

/// Whether the program failed because a repository is missing or unreachable (yet).
pub(super) fn lacks_repositories(done: &Output) -> bool {
    let signs = [
        "There are no enabled repositories",
        "There are no enabled repos",
        "Failed to download metadata for repo",
        "Cannot find a valid baseurl",
        "Error getting repository data for",
        "Unknown repo",
        "No matching repositories",
    ];
    done.rc != 0 && signs.iter().any(|sign| done.stderr.contains(sign) || done.stdout.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(stdout: &str) -> Vec<(Verb, String)> {
        Transaction::parse(stdout).0.into_iter().map(|step| (step.verb, step.package)).collect()
    }

    /// From dnf 4.14.
    #[test]
    fn dnf4() {
        let install = "\
Dependencies resolved.
================================================================================
 Package           Architecture       Version           Repository         Size
================================================================================
Installing:
 beta              noarch             1.0-1             local             5.4 k
Installing dependencies:
 alpha             noarch             2.0-1             local             5.4 k
     replacing  gamma.noarch 1.0-1

Transaction Summary
================================================================================
Install  2 Packages

Total size: 11 k
";
        assert_eq!(
            packages(install),
            [(Verb::Install, "beta-1.0-1.noarch".into()), (Verb::Install, "alpha-2.0-1.noarch".into())]
        );
        let remove = "\
Dependencies resolved.
================================================================================
 Package          Architecture      Version             Repository         Size
================================================================================
Removing:
 alpha            noarch            2.0-1               @local              0  
Removing dependent packages:
 beta             noarch            1.0-1               @local              0  

Transaction Summary
";
        let removed = Transaction::parse(remove);
        assert_eq!(removed.results(), ["Removed: alpha-2.0-1.noarch", "Removed: beta-1.0-1.noarch"]);
        assert!(removed.diff().after.is_empty() && removed.diff().before.contains("beta"));
        assert!(
            Transaction::parse(
                "Package beta-1.0-1.noarch is already installed.\nDependencies resolved.\nNothing to do.\nComplete!\n"
            )
            .is_empty()
        );
    }

    /// yum 3 wraps rows with long names and calls an upgrade an update.
    #[test]
    fn yum3() {
        let said = "\
Dependencies Resolved

================================================================================
 Package             Arch   Version                Repository    Size
================================================================================
Updating:
 container-selinux   noarch 2:2.119.2-1.911c772.el7_8
                                                   extras        40 k
 a-package-with-a-very-long-name
                     x86_64 1.0-1.el7              base          1 k
Installing for dependencies:
 libcgroup           x86_64 0.41-21.el7            base          66 k

Transaction Summary
";
        assert_eq!(
            packages(said),
            [
                (Verb::Upgrade, "container-selinux-2:2.119.2-1.911c772.el7_8.noarch".into()),
                (Verb::Upgrade, "a-package-with-a-very-long-name-1.0-1.el7.x86_64".into()),
                (Verb::Install, "libcgroup-0.41-21.el7.x86_64".into()),
            ]
        );
    }

    #[test]
    fn what_is_missing() {
        let names = ["nosuch".to_owned(), "beta".to_owned()];
        let done = |stdout: &str, stderr: &str| Output {
            rc: 1,
            stdout: stdout.into(),
            stderr: stderr.into(),
            ..Output::default()
        };
        assert_eq!(
            missing(&done("No match for argument: nosuch\n", "Error: Unable to find a match: nosuch\n"), &names),
            ["nosuch"]
        );
        assert_eq!(missing(&done("No package nosuch available.\n", "Error: Nothing to do\n"), &names), ["nosuch"]);
        assert!(says_nothing_to_do(&done("", "Error: Nothing to do\n")));
        assert!(missing(&done("", "Operation aborted.\n"), &names).is_empty());
    }
}
