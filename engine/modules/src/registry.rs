//! All modules, one line each. Their names, documentation and argument checks come from here.

use rplay_contract::{Entry, Module, entry};

const BUILTIN: &str = "ansible.builtin";
const CRYPTO: &str = "community.crypto";
const DOCKER: &str = "community.docker";
const GENERAL: &str = "community.general";
const POSIX: &str = "ansible.posix";
/// What no collection of Ansible has.
const OWN: &str = "rplay.builtin";

/// All that is asked of the Docker Engine is asked by HTTP.
const fn docker<M: Module>(name: &'static str) -> Entry {
    entry::<M>(name, DOCKER).needs_full()
}

/// Sorted by name.
pub static MODULES: &[Entry] = &[
    entry::<crate::files::acl::Acl>("acl", POSIX).keeps_to_host(),
    entry::<crate::packages::alternatives::Alternatives>("alternatives", GENERAL).keeps_to_host(),
    entry::<crate::services::apache2_module::Apache2Module>("apache2_module", GENERAL).keeps_to_host(),
    entry::<crate::packages::apk::Apk>("apk", GENERAL),
    entry::<crate::packages::apt::Apt>("apt", BUILTIN).fetches_from("deb"),
    entry::<crate::packages::apt_key::AptKey>("apt_key", BUILTIN).fetches_from("url"),
    entry::<crate::packages::apt_repository::AptRepository>("apt_repository", BUILTIN).fetches_marked("repo", "ppa:"),
    entry::<crate::files::archive::Archive>("archive", GENERAL).keeps_to_host(),
    entry::<crate::files::assemble::Assemble>("assemble", BUILTIN).keeps_to_host(),
    entry::<crate::commands::async_status::AsyncStatus>("async_status", BUILTIN)
        .answered_by(crate::commands::async_status::run)
        .asks_about_jobs()
        // Those of the job.
        .with_facts(),
    entry::<crate::services::at::At>("at", POSIX).keeps_to_host().runs_commands(),
    entry::<crate::accounts::authorized_key::AuthorizedKey>("authorized_key", POSIX)
        .keeps_to_host()
        .fetches_from("key"),
    entry::<crate::files::blockinfile::BlockInFile>("blockinfile", BUILTIN).keeps_to_host(),
    entry::<crate::files::capabilities::Capabilities>("capabilities", GENERAL).keeps_to_host(),
    entry::<crate::commands::command::Command>("command", BUILTIN)
        .wording(crate::commands::command::WORDING)
        .keeps_to_host()
        .runs_commands()
        .free_form("_raw_params"),
    entry::<crate::files::copy::Copy>("copy", BUILTIN).keeps_to_host(),
    entry::<crate::services::cron::Cron>("cron", BUILTIN).keeps_to_host(),
    entry::<crate::packages::deb822_repository::Deb822Repository>("deb822_repository", BUILTIN)
        .fetches_from("signed_by"),
    entry::<crate::packages::debconf::Debconf>("debconf", BUILTIN).keeps_to_host(),
    entry::<crate::packages::dnf::Dnf>("dnf", BUILTIN),
    entry::<crate::packages::dnf::Dnf>("dnf5", BUILTIN),
    docker::<crate::docker::DockerContainer>("docker_container"),
    docker::<crate::docker::DockerContainerExec>("docker_container_exec"),
    docker::<crate::docker::DockerContainerInfo>("docker_container_info"),
    docker::<crate::docker::DockerHostInfo>("docker_host_info"),
    docker::<crate::docker::DockerImage>("docker_image"),
    docker::<crate::docker::DockerImageInfo>("docker_image_info"),
    docker::<crate::docker::DockerImagePull>("docker_image_pull"),
    docker::<crate::docker::DockerLogin>("docker_login"),
    docker::<crate::docker::DockerNetwork>("docker_network"),
    docker::<crate::docker::DockerNetworkInfo>("docker_network_info"),
    docker::<crate::docker::DockerPrune>("docker_prune"),
    docker::<crate::docker::DockerVolume>("docker_volume"),
    docker::<crate::docker::DockerVolumeInfo>("docker_volume_info"),
    entry::<crate::packages::dpkg_divert::DpkgDivert>("dpkg_divert", GENERAL).keeps_to_host(),
    entry::<crate::packages::dpkg_selections::DpkgSelections>("dpkg_selections", BUILTIN).keeps_to_host(),
    entry::<crate::commands::expect::Expect>("expect", BUILTIN).keeps_to_host().runs_commands(),
    entry::<crate::files::fetch::Fetch>("fetch", BUILTIN).keeps_to_host(),
    entry::<crate::files::file::File>("file", BUILTIN).wording(crate::files::file::WORDING).keeps_to_host(),
    entry::<crate::kernel::filesystem::Filesystem>("filesystem", GENERAL).keeps_to_host(),
    entry::<crate::files::find::Find>("find", BUILTIN).keeps_to_host(),
    entry::<crate::network::firewalld::Firewalld>("firewalld", POSIX).keeps_to_host(),
    entry::<crate::network::get_url::GetUrl>("get_url", BUILTIN).needs_full(),
    entry::<crate::facts::getent::Getent>("getent", BUILTIN).keeps_to_host().with_facts(),
    entry::<crate::files::git::Git>("git", BUILTIN),
    entry::<crate::files::git_config::GitConfig>("git_config", GENERAL).keeps_to_host(),
    entry::<crate::accounts::group::Group>("group", BUILTIN).keeps_to_host(),
    entry::<crate::kernel::hostname::Hostname>("hostname", BUILTIN).keeps_to_host().with_facts(),
    entry::<crate::accounts::htpasswd::Htpasswd>("htpasswd", GENERAL).keeps_to_host(),
    entry::<crate::files::ini_file::IniFile>("ini_file", GENERAL).keeps_to_host(),
    entry::<crate::network::iptables::Iptables>("iptables", BUILTIN),
    entry::<crate::kernel::kernel_blacklist::KernelBlacklist>("kernel_blacklist", GENERAL).keeps_to_host(),
    entry::<crate::accounts::known_hosts::KnownHosts>("known_hosts", BUILTIN).keeps_to_host(),
    entry::<crate::files::lineinfile::LineInFile>("lineinfile", BUILTIN).keeps_to_host(),
    entry::<crate::packages::locale_gen::LocaleGen>("locale_gen", GENERAL).keeps_to_host(),
    entry::<crate::kernel::lvg::Lvg>("lvg", GENERAL).keeps_to_host(),
    entry::<crate::kernel::lvol::Lvol>("lvol", GENERAL).keeps_to_host(),
    entry::<crate::commands::make::Make>("make", GENERAL).keeps_to_host().runs_commands(),
    entry::<crate::kernel::modprobe::Modprobe>("modprobe", GENERAL).keeps_to_host(),
    entry::<crate::kernel::mount::Mount>("mount", POSIX),
    entry::<crate::facts::mount_facts::MountFacts>("mount_facts", BUILTIN).keeps_to_host().with_facts(),
    entry::<crate::packages::npm::Npm>("npm", GENERAL),
    entry::<crate::accounts::openssh_keypair::OpensshKeypair>("openssh_keypair", CRYPTO).keeps_to_host(),
    entry::<crate::packages::package::Package>("package", BUILTIN)
        .chooses("pkg_mgr", &["apk", "apt", "dnf", "pacman", "zypper"]),
    entry::<crate::facts::package_facts::PackageFacts>("package_facts", BUILTIN).keeps_to_host().with_facts(),
    entry::<crate::packages::pacman::Pacman>("pacman", GENERAL),
    entry::<crate::accounts::pam_limits::PamLimits>("pam_limits", GENERAL).keeps_to_host(),
    entry::<crate::files::patch::Patch>("patch", POSIX).keeps_to_host(),
    entry::<crate::commands::ping::Ping>("ping", BUILTIN).keeps_to_host(),
    entry::<crate::packages::pip::Pip>("pip", BUILTIN),
    entry::<crate::commands::raw::Raw>("raw", BUILTIN)
        .keeps_to_host()
        .runs_commands()
        .free_form("_raw_params")
        // Ansible has an action for it.
        .differs_in_async(),
    entry::<crate::kernel::reboot::Reboot>("reboot", BUILTIN),
    entry::<crate::files::replace::Replace>("replace", BUILTIN).keeps_to_host(),
    entry::<crate::facts::rhel_facts::RhelFacts>("rhel_facts", POSIX).keeps_to_host().with_facts(),
    entry::<crate::packages::rhel_rpm_ostree::RhelRpmOstree>("rhel_rpm_ostree", POSIX).keeps_to_host(),
    entry::<crate::packages::rpm_key::RpmKey>("rpm_key", BUILTIN).fetches_from("key"),
    entry::<crate::packages::rpm_ostree_upgrade::RpmOstreeUpgrade>("rpm_ostree_upgrade", POSIX),
    entry::<crate::commands::run_lock::RunLock>("run_lock", OWN),
    entry::<crate::commands::script::Script>("script", BUILTIN)
        .keeps_to_host()
        .runs_commands()
        .free_form("_raw_params"),
    entry::<crate::kernel::seboolean::SeBoolean>("seboolean", POSIX).keeps_to_host(),
    entry::<crate::kernel::selinux_state::Selinux>("selinux", POSIX).keeps_to_host(),
    entry::<crate::services::service::Service>("service", BUILTIN).chooses("service_mgr", &["systemd", "sysvinit"]),
    entry::<crate::facts::service_facts::ServiceFacts>("service_facts", BUILTIN).keeps_to_host().with_facts(),
    entry::<crate::facts::setup::Setup>("setup", BUILTIN).keeps_to_host().gathers(),
    entry::<crate::commands::shell::Shell>("shell", BUILTIN)
        .wording(crate::commands::shell::WORDING)
        .keeps_to_host()
        .runs_commands()
        .free_form("_raw_params"),
    entry::<crate::files::slurp::Slurp>("slurp", BUILTIN).keeps_to_host(),
    entry::<crate::files::stat::Stat>("stat", BUILTIN).keeps_to_host(),
    entry::<crate::files::subversion::Subversion>("subversion", BUILTIN),
    entry::<crate::accounts::sudoers::Sudoers>("sudoers", GENERAL).keeps_to_host(),
    entry::<crate::files::synchronize::Synchronize>("synchronize", POSIX),
    entry::<crate::kernel::sysctl::Sysctl>("sysctl", POSIX).keeps_to_host(),
    entry::<crate::services::systemd::Systemd>("systemd", BUILTIN),
    entry::<crate::services::systemd::Systemd>("systemd_service", BUILTIN),
    entry::<crate::services::sysvinit::Sysvinit>("sysvinit", BUILTIN),
    entry::<crate::files::tempfile::Tempfile>("tempfile", BUILTIN).keeps_to_host(),
    entry::<crate::tencent::TencentcloudApi>("tencentcloud_api", OWN).needs_full(),
    entry::<crate::kernel::timezone::Timezone>("timezone", GENERAL).keeps_to_host(),
    entry::<crate::network::ufw::Ufw>("ufw", GENERAL).keeps_to_host(),
    entry::<crate::files::unarchive::Unarchive>("unarchive", BUILTIN).keeps_to_host().fetches_from("src"),
    entry::<crate::network::uri::Uri>("uri", BUILTIN).needs_full().hides_keys(),
    entry::<crate::accounts::user::User>("user", BUILTIN).keeps_to_host(),
    entry::<crate::network::wait_for::WaitFor>("wait_for", BUILTIN),
    entry::<crate::packages::dnf::Dnf>("yum", BUILTIN),
    entry::<crate::packages::yum_repository::YumRepository>("yum_repository", BUILTIN).keeps_to_host(),
    entry::<crate::packages::zypper::Zypper>("zypper", GENERAL),
];

/// Registers the modules with the engine: [`rplay_contract::registry::install`].
pub fn install() {
    rplay_contract::registry::install(MODULES);
}

/// The module of that short name.
pub fn find(name: &str) -> Option<&'static Entry> {
    rplay_contract::registry::among(MODULES, name)
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
