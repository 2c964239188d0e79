//! rpm's information about installed packages.

use std::collections::HashSet;

use rplay_wire::Failure;

use crate::{
    Host,
    system::glob::{self, Pattern},
};

/// Partitions `names` into installed and missing ones. A name may also be `name-version`, a file, or a capability; a
/// pattern matches all installed packages. Groups, and package files on servers, count as missing, because only dnf
/// knows.
pub(super) fn partition(host: &Host, root: &str, names: Vec<String>) -> Result<(Vec<String>, Vec<String>), Failure> {
    let rpm = |args: &[&str]| {
        let program = host.program("rpm").untranslated();
        let program = if root == "/" { program } else { program.args(["--root", root]) };
        program.args(args)
    };
    let (mut there, mut absent, mut plain) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        if name.starts_with('@') || name.contains("://") {
            absent.push(name);
        } else if name.ends_with(".rpm") && name.contains('/') {
            let path = std::path::Path::new(&name);
            crate::system::regular::refuse_special_target(path)
                .map_err(|error| crate::io_failure::io_failure("read", path, &error).arg("name"))?;
            let done = rpm(&["-qp", "--nosignature", "--qf", "%{NAME}-%{EVR}.%{ARCH}", "--", &name]).run()?;
            let installed = done.rc == 0 && rpm(&["-q", "--", done.stdout.trim()]).run()?.rc == 0;
            if installed { there.push(name) } else { absent.push(name) }
        } else if glob::is_pattern(&name) {
            let all = rpm(&["-qa", "--qf", "%{NAME}\\n"]).run()?.success("cannot list the installed packages")?;
            let pattern = Pattern::new(&name);
            let before = there.len();
            there.extend(all.stdout.lines().filter(|found| pattern.fits(found)).map(str::to_owned));
            if there.len() == before {
                absent.push(name);
            }
        } else {
            plain.push(name);
        }
    }
    if !plain.is_empty() {
        let said = rpm(&["-q", "--"]).args(&plain).run()?.stdout;
        let missing = not_installed(&said);
        let (maybe, installed): (Vec<_>, Vec<_>) = plain.into_iter().partition(|name| missing.contains(name.as_str()));
        there.extend(installed);
        for name in maybe {
            // A file or a capability. Queried one at a time, since the output does not always name the query.
            let provided = rpm(&["-q", "--whatprovides", "--", &name]).run()?.rc == 0;
            if provided { there.push(name) } else { absent.push(name) }
        }
    }
    Ok((there, absent))
}

/// The names in `package NAME is not installed`.
fn not_installed(said: &str) -> HashSet<&str> {
    said.lines().filter_map(|line| line.strip_prefix("package ")?.strip_suffix(" is not installed")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rpm_misses() {
        let said =
            "alpha-2.0-1.noarch\npackage nosuch is not installed\nbeta-1.0-1.noarch\npackage beta-2 is not installed\n";
        assert_eq!(not_installed(said), HashSet::from(["nosuch", "beta-2"]));
    }
}
