//! `package`: packages with the host's package manager, using that manager's module.

use rplay_wire::{Failure, Map};

use crate::{
    Arg, ArgError, Args, Host, Module, Plan, args,
    args::ArgType,
    choice,
    packages::{
        apk::{self, Apk},
        apt::Apt,
        dnf::Dnf,
        pacman::Pacman,
        zypper::Zypper,
    },
};

choice! {
    /// The package manager.
    pub enum Use {
        Auto = "auto",
        Apk = "apk" | "community.general.apk",
        Apt = "apt" | "ansible.builtin.apt",
        Dnf = "dnf" | "dnf5" | "yum" | "ansible.builtin.dnf" | "ansible.builtin.dnf5" | "ansible.builtin.yum",
        Pacman = "pacman" | "community.general.pacman",
        Zypper = "zypper" | "community.general.zypper",
    }
}

/// Installs, upgrades and removes packages with the host's own package manager.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    manager: Use,
    /// All other arguments, for the manager's module.
    rest: Map,
}

args! {
    /// What this module itself takes.
    struct Chosen {
        /// The package manager; detected by default.
        r#use: Use = Use::Auto,
    }
}

impl Args for Package {
    const DOC: &'static str = "Installs, upgrades and removes packages with the host's own package manager. Takes the arguments of its module.\n";

    /// The arguments of all managers; which are valid is only known on the host.
    fn args() -> Vec<Arg> {
        let mut all = Chosen::args();
        for arg in own_args().into_iter().flatten() {
            if !all.iter().any(|known| known.is_called(arg.name)) {
                all.push(arg);
            }
        }
        all
    }

    fn from_map(map: &Map) -> Result<Self, Vec<ArgError>> {
        let mut rest = map.clone();
        let manager = match rest.shift_remove("use") {
            Some(word) => Use::parse(&word).map_err(|_| {
                let word = String::parse(&word).unwrap_or_default();
                let msg = format!("Could not find a matching action for the \"{word}\" package manager.");
                vec![ArgError::new("use", msg).help("those that are built in are apk, apt, dnf, pacman and zypper")]
            })?,
            None => Use::Auto,
        };
        // Arguments that no manager accepts are invalid on every host.
        let is_taken = Dnf::from_map(&rest).is_ok()
            || Apk::from_map(&rest).is_ok()
            || Pacman::from_map(&rest).is_ok()
            || Zypper::from_map(&rest).is_ok();
        match Apt::from_map(&rest) {
            Err(errors) if !is_taken => Err(errors),
            _ => Ok(Package { manager, rest }),
        }
    }
}

/// The arguments of each manager's module.
fn own_args() -> [Vec<Arg>; 5] {
    [Apt::args(), Dnf::args(), Apk::args(), Pacman::args(), Zypper::args()]
}

impl Module for Package {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let has = |program| host.has_program(program);
        let manager = match self.manager {
            Use::Auto if has("apt-get") && std::path::Path::new("/var/lib/dpkg").is_dir() => Use::Apt,
            Use::Auto if apk::manages(host) => Use::Apk,
            Use::Auto if has("dnf") || has("dnf5") || has("yum") => Use::Dnf,
            // As for the fact pkg_mgr, of two the later one counts.
            Use::Auto if has("pacman") => Use::Pacman,
            Use::Auto if has("zypper") => Use::Zypper,
            Use::Auto => {
                return Err(Failure::new(
                    "this host has none of the package managers apk, apt, dnf, yum, pacman and zypper",
                )
                .help("others are not supported; use `command`"));
            }
            chosen => chosen,
        };
        match manager {
            Use::Apk => plan_with::<Apk>("apk", &self.rest, host),
            Use::Apt => plan_with::<Apt>("apt", &self.rest, host),
            Use::Pacman => plan_with::<Pacman>("pacman", &self.rest, host),
            Use::Zypper => plan_with::<Zypper>("zypper", &self.rest, host),
            _ => plan_with::<Dnf>("dnf", &self.rest, host),
        }
    }
}

fn plan_with<M: Module>(name: &str, map: &Map, host: &Host) -> Result<Plan, Failure> {
    let failure = |error: ArgError| Failure {
        msg: format!("{} ({name})", error.msg),
        arg: error.arg,
        help: error.help,
        ..Failure::default()
    };
    // All are checked, as for a task that names the manager's module itself.
    let errors = args::check(&M::args(), M::from_map(map).err().unwrap_or_default(), map, &[]);
    if let Some(error) = errors.into_iter().next() {
        return Err(failure(error));
    }
    let module = M::from_map(map).map_err(|errors| {
        errors.into_iter().next().map_or_else(|| Failure::new(format!("invalid arguments ({name})")), failure)
    })?;
    module.check().map_err(failure)?;
    module.plan(host)
}

#[cfg(test)]
mod tests {
    use rplay_wire::data;

    use super::*;

    #[test]
    fn arguments_of_any_manager_are_taken_and_others_are_not() {
        for good in [
            data! { "name" => "nginx" },
            data! { "name" => "x", "enablerepo" => "epel" },
            data! { "name" => "x", "cache_valid_time" => 5 },
            data! { "name" => "x", "disable_recommends" => false, "use" => "zypper" },
            data! { "name" => "x", "use" => "community.general.pacman" },
        ] {
            assert!(Package::from_map(&good).is_ok(), "{good:?}");
        }
        assert!(Package::from_map(&data! { "name" => "x", "state" => "somewhere" }).is_err());
        let errors = Package::from_map(&data! { "name" => "x", "use" => "nope" }).unwrap_err();
        assert_eq!(errors[0].msg, "Could not find a matching action for the \"nope\" package manager.");
        let host = crate::stand_in::host();
        let failure = plan_with::<Dnf>("dnf", &data! { "name" => "x", "cache_valid_time" => 5 }, &host).err().unwrap();
        assert_eq!(failure.msg, "unknown argument `cache_valid_time` (dnf)");
    }
}
