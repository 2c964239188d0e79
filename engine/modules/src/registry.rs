//! All modules, one line each. Their names, documentation and argument checks come from here.

use rplay_wire::{Call, Map, Outcome};

use crate::{Arg, ArgFault, Host, Module, args, runner};

/// A module as the controller and the agent find it.
pub struct Entry {
    /// The short name.
    pub name: &'static str,
    /// The collection it is known under, `ansible.builtin` for most.
    pub collection: &'static str,
    /// The argument that takes free text (`command: echo hi`), if there is one.
    pub free_form: Option<&'static str>,
    /// Facts of the host may come with its result.
    pub brings_facts: bool,
    /// What it does, from the doc comment.
    pub doc: &'static str,
    pub args: fn() -> Vec<Arg>,
    /// Faults that can be seen before a run; the second argument names those whose value is not known yet.
    pub check: fn(&Map, &[String]) -> Vec<ArgFault>,
    pub run: fn(&Call, &Host) -> Outcome,
}

const fn entry<M: Module>(name: &'static str, collection: &'static str) -> Entry {
    Entry {
        name,
        collection,
        free_form: None,
        brings_facts: false,
        doc: M::DOC,
        args: M::args,
        check: check::<M>,
        run: runner::run_module::<M>,
    }
}

impl Entry {
    /// Answers with an outcome that no plan could give.
    const fn answered_by(mut self, run: fn(&Call, &Host) -> Outcome) -> Self {
        self.run = run;
        self
    }

    const fn free_form(mut self, arg: &'static str) -> Self {
        self.free_form = Some(arg);
        self
    }

    const fn with_facts(mut self) -> Self {
        self.brings_facts = true;
        self
    }
}

fn check<M: Module>(map: &Map, later: &[String]) -> Vec<ArgFault> {
    let parse = |map: &Map| match M::from_map(map) {
        Ok(module) if later.is_empty() => module.check().err().into_iter().collect(),
        Ok(_) => Vec::new(),
        Err(faults) => faults,
    };
    args::check(&M::args(), parse, map, later)
}

const BUILTIN: &str = "ansible.builtin";
const DOCKER: &str = "community.docker";
const GENERAL: &str = "community.general";
const POSIX: &str = "ansible.posix";
/// What no collection of Ansible has.
const OWN: &str = "rplay.builtin";

/// Sorted by name.
pub static MODULES: &[Entry] = &[
    entry::<crate::apt::Apt>("apt", BUILTIN),
    entry::<crate::apt_key::AptKey>("apt_key", BUILTIN),
    entry::<crate::apt_repository::AptRepository>("apt_repository", BUILTIN),
    entry::<crate::assemble::Assemble>("assemble", BUILTIN),
    entry::<crate::async_status::AsyncStatus>("async_status", BUILTIN)
        .answered_by(crate::async_status::run)
        // Those of the job.
        .with_facts(),
    entry::<crate::authorized_key::AuthorizedKey>("authorized_key", POSIX),
    entry::<crate::blockinfile::BlockInFile>("blockinfile", BUILTIN),
    entry::<crate::command::Command>("command", BUILTIN).free_form("_raw_params"),
    entry::<crate::copy::Copy>("copy", BUILTIN),
    entry::<crate::cron::Cron>("cron", BUILTIN),
    entry::<crate::deb822_repository::Deb822Repository>("deb822_repository", BUILTIN),
    entry::<crate::debconf::Debconf>("debconf", BUILTIN),
    entry::<crate::dnf::Dnf>("dnf", BUILTIN),
    entry::<crate::dnf::Dnf>("dnf5", BUILTIN),
    entry::<crate::docker::DockerContainer>("docker_container", DOCKER),
    entry::<crate::docker::DockerContainerExec>("docker_container_exec", DOCKER),
    entry::<crate::docker::DockerContainerInfo>("docker_container_info", DOCKER),
    entry::<crate::docker::DockerHostInfo>("docker_host_info", DOCKER),
    entry::<crate::docker::DockerImage>("docker_image", DOCKER),
    entry::<crate::docker::DockerImageInfo>("docker_image_info", DOCKER),
    entry::<crate::docker::DockerImagePull>("docker_image_pull", DOCKER),
    entry::<crate::docker::DockerLogin>("docker_login", DOCKER),
    entry::<crate::docker::DockerNetwork>("docker_network", DOCKER),
    entry::<crate::docker::DockerNetworkInfo>("docker_network_info", DOCKER),
    entry::<crate::docker::DockerPrune>("docker_prune", DOCKER),
    entry::<crate::docker::DockerVolume>("docker_volume", DOCKER),
    entry::<crate::docker::DockerVolumeInfo>("docker_volume_info", DOCKER),
    entry::<crate::dpkg_selections::DpkgSelections>("dpkg_selections", BUILTIN),
    entry::<crate::fetch::Fetch>("fetch", BUILTIN),
    entry::<crate::file::File>("file", BUILTIN),
    entry::<crate::find::Find>("find", BUILTIN),
    entry::<crate::firewalld::Firewalld>("firewalld", POSIX),
    entry::<crate::get_url::GetUrl>("get_url", BUILTIN),
    entry::<crate::getent::Getent>("getent", BUILTIN).with_facts(),
    entry::<crate::git::Git>("git", BUILTIN),
    entry::<crate::group::Group>("group", BUILTIN),
    entry::<crate::hostname::Hostname>("hostname", BUILTIN).with_facts(),
    entry::<crate::ini_file::IniFile>("ini_file", GENERAL),
    entry::<crate::iptables::Iptables>("iptables", BUILTIN),
    entry::<crate::lineinfile::LineInFile>("lineinfile", BUILTIN),
    entry::<crate::modprobe::Modprobe>("modprobe", GENERAL),
    entry::<crate::mount::Mount>("mount", POSIX),
    entry::<crate::package::Package>("package", BUILTIN),
    entry::<crate::package_facts::PackageFacts>("package_facts", BUILTIN).with_facts(),
    entry::<crate::ping::Ping>("ping", BUILTIN),
    entry::<crate::pip::Pip>("pip", BUILTIN),
    entry::<crate::raw::Raw>("raw", BUILTIN).free_form("_raw_params"),
    entry::<crate::replace::Replace>("replace", BUILTIN),
    entry::<crate::run_lock::RunLock>("run_lock", OWN),
    entry::<crate::script::Script>("script", BUILTIN).free_form("_raw_params"),
    entry::<crate::seboolean::SeBoolean>("seboolean", POSIX),
    entry::<crate::selinux_state::Selinux>("selinux", POSIX),
    entry::<crate::service::Service>("service", BUILTIN),
    entry::<crate::service_facts::ServiceFacts>("service_facts", BUILTIN).with_facts(),
    entry::<crate::setup::Setup>("setup", BUILTIN).with_facts(),
    entry::<crate::shell::Shell>("shell", BUILTIN).free_form("_raw_params"),
    entry::<crate::slurp::Slurp>("slurp", BUILTIN),
    entry::<crate::stat::Stat>("stat", BUILTIN),
    entry::<crate::sysctl::Sysctl>("sysctl", POSIX),
    entry::<crate::systemd::Systemd>("systemd", BUILTIN),
    entry::<crate::systemd::Systemd>("systemd_service", BUILTIN),
    entry::<crate::tempfile::Tempfile>("tempfile", BUILTIN),
    entry::<crate::tencent::TencentcloudApi>("tencentcloud_api", OWN),
    entry::<crate::unarchive::Unarchive>("unarchive", BUILTIN),
    entry::<crate::uri::Uri>("uri", BUILTIN),
    entry::<crate::user::User>("user", BUILTIN),
    entry::<crate::wait_for::WaitFor>("wait_for", BUILTIN),
    entry::<crate::dnf::Dnf>("yum", BUILTIN),
    entry::<crate::yum_repository::YumRepository>("yum_repository", BUILTIN),
];

/// The module of that short name.
pub fn find(name: &str) -> Option<&'static Entry> {
    MODULES.binary_search_by(|entry| entry.name.cmp(name)).ok().map(|at| &MODULES[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_sorted_so_that_each_is_found() {
        assert!(MODULES.is_sorted_by_key(|entry| entry.name));
        for entry in MODULES {
            assert!(find(entry.name).is_some_and(|found| found.name == entry.name));
        }
    }

    #[test]
    fn every_argument_is_documented_and_named_once() {
        for entry in MODULES {
            assert!(!entry.doc.trim().is_empty(), "{} has no documentation", entry.name);
            let mut seen = std::collections::HashSet::new();
            for arg in (entry.args)() {
                assert!(
                    arg.name.starts_with('_') || !arg.doc.trim().is_empty(),
                    "{}.{} has no documentation",
                    entry.name,
                    arg.name
                );
                for name in std::iter::once(&arg.name).chain(arg.aliases) {
                    assert!(seen.insert(*name), "{} has two arguments called {name}", entry.name);
                }
            }
        }
    }
}
