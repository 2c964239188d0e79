//! Installs roles from Galaxy, archives, URLs and repositories.

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
};

use super::{
    Galaxy, GalaxyError, Result, WantedRole,
    api::Api,
    archive,
    force::Force,
    git,
    install::scalar,
    roles::{InstalledRole, meta_file},
    stage::Stage,
};

/// `galaxy role install`.
#[derive(Debug, Default)]
pub struct RoleOptions {
    pub wanted: Vec<WantedRole>,
    pub force: Force,
    pub no_deps: bool,
    pub ignore_errors: bool,
    /// Also keep the repository's metadata (`.git`).
    pub keep_scm_meta: bool,
}

impl Galaxy {
    /// Installs roles and their dependencies.
    ///
    /// # Errors
    /// If one cannot be installed and `ignore_errors` is not set.
    pub fn install_roles(&self, options: &RoleOptions) -> Result<()> {
        let place = self.roles_path.first().ok_or_else(|| GalaxyError::new("no roles path is configured"))?;
        self.say("Starting galaxy role install process");
        let mut open: VecDeque<(WantedRole, bool)> = options.wanted.iter().map(|role| (role.clone(), false)).collect();
        let mut done: Vec<String> = Vec::new();
        while let Some((role, is_dependency)) = open.pop_front() {
            if done.contains(&role.name) {
                continue;
            }
            done.push(role.name.clone());
            let forced = if is_dependency { options.force.dependencies } else { options.force.of_named() };
            let before = self.installed_role(&role.name);
            if let Some(before) = &before {
                let version = before.version();
                let wanted = role.version.as_deref();
                if !forced {
                    let shown = if version.is_empty() { String::new() } else { format!(" ({version})") };
                    // As in Ansible, a role whose version is known differs from one without a wish.
                    let other = if version.is_empty() { wanted } else { Some(wanted.unwrap_or("unspecified")) };
                    match other.filter(|wanted| *wanted != version) {
                        Some(wanted) => self.warn(format!(
                            "- {} ({version}) is already installed - use --force to change version to {wanted}",
                            role.name
                        )),
                        None => self.say(format!("- {}{shown} is already installed, skipping.", role.name)),
                    }
                    self.add_dependencies(before, options, &done, &mut open)?;
                    continue;
                }
                self.say(format!(
                    "- changing role {} from {version} to {}",
                    role.name,
                    wanted.unwrap_or("unspecified")
                ));
            }
            match self.install_role(&role, place, options) {
                Ok(installed) => self.add_dependencies(&installed, options, &done, &mut open)?,
                Err(error) => {
                    let message = format!("- {} was NOT installed successfully: {error}", role.name);
                    self.warn(message);
                    if !options.ignore_errors {
                        return Err(GalaxyError::new(
                            "- you can use --ignore-errors to skip failed roles and finish processing the list.",
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn add_dependencies(
        &self,
        role: &InstalledRole,
        options: &RoleOptions,
        done: &[String],
        open: &mut VecDeque<(WantedRole, bool)>,
    ) -> Result<()> {
        if options.no_deps {
            return Ok(());
        }
        for dependency in role.dependencies()? {
            let name = &dependency.name;
            if done.contains(name) {
                continue;
            }
            if open.iter().any(|(role, _)| role.name == *name) {
                self.say(format!("- dependency {name} already pending installation."));
                continue;
            }
            let there = self.installed_role(name);
            match there.filter(|_| !options.force.dependencies) {
                Some(there) => {
                    let version = there.version();
                    match dependency.version.as_deref().filter(|wanted| *wanted != version) {
                        Some(wanted) => self.warn(format!(
                            "- dependency {name} ({wanted}) from role {} differs from already installed version ({version}), skipping",
                            role.name
                        )),
                        None => self.say(format!("- dependency {name} is already installed, skipping.")),
                    }
                }
                None => {
                    self.say(format!("- adding dependency: {name}"));
                    open.push_back((dependency, true));
                }
            }
        }
        Ok(())
    }

    fn install_role(&self, role: &WantedRole, place: &Path, options: &RoleOptions) -> Result<InstalledRole> {
        let target = place.join(&role.name);
        let scratch = tempfile::tempdir().map_err(|error| GalaxyError::new(error.to_string()))?;
        let mut version = role.version.clone().unwrap_or_default();
        let local = PathBuf::from(role.src.strip_prefix("file://").unwrap_or(&role.src));
        let is_git = role.scm.as_deref() == Some("git")
            || role.scm.is_none() && (role.src.starts_with("git@") || role.src.ends_with(".git"));
        let stage = Stage::beside(&target)?;
        let raw = stage.raw()?;
        let archive = scratch.path().join("role.tar");
        if is_git {
            let clone = scratch.path().join("clone");
            git::clone(&role.src, role.version.as_deref().filter(|version| *version != "HEAD"), &clone)?;
            match options.keep_scm_meta {
                true => copy_tree(&clone, &raw)?,
                false => {
                    git::archive(&clone, &archive)?;
                    archive::unpack(&archive, &raw, 0)?;
                }
            }
        } else if let Some(scm) = &role.scm {
            return Err(GalaxyError::new(format!("rplay supports git for roles, but not {scm}")));
        } else if local.is_file() {
            if role.src.starts_with("file://") {
                self.say(format!("- downloading role from {}", role.src));
            }
            archive::unpack(&local, &raw, 0)?;
        } else if role.src.contains("://") {
            self.say(format!("- downloading role from {}", role.src));
            self.take(&role.src, None, None, &archive)?;
            archive::unpack(&archive, &raw, 0)?;
        } else {
            let (url, found) = self.role_address(role)?;
            version = found;
            self.say(format!("- downloading role from {url}"));
            self.take(&url, None, None, &archive)?;
            archive::unpack(&archive, &raw, 0)?;
        }
        let Some(root) = root_of(&raw) else {
            return Err(GalaxyError::new("this role does not appear to have a meta/main.yml file."));
        };
        archive::all_inside(&root).map_err(|error| GalaxyError::new(error.to_string()))?;
        self.say(format!("- extracting {} to {}", role.name, target.display()));
        stage.adopt(&root)?;
        let info = stage.path().join("meta/.galaxy_install_info");
        // The archive may contain a file or link with that name.
        let _ = fs::remove_file(&info);
        let date = jiff::Timestamp::now().strftime("%a %b %e %H:%M:%S %Y");
        let shown = scalar(&version);
        fs::write(&info, format!("install_date: {date}\nversion: {shown}\n"))
            .map_err(|error| GalaxyError::file(&info, error))?;
        stage.put(&target)?;
        let shown = if version.is_empty() { String::new() } else { format!(" ({version})") };
        self.say(format!("- {}{shown} was installed successfully", role.name));
        Ok(InstalledRole { name: role.name.clone(), path: target })
    }

    /// The URL of a role on Galaxy, and its version.
    fn role_address(&self, role: &WantedRole) -> Result<(String, String)> {
        let mut last = None;
        let mut asked = Vec::new();
        let (user, short) = role.src.rsplit_once('.').unwrap_or(("", &role.src));
        self.say(format!("- downloading role '{short}', owned by {user}"));
        for server in &self.servers {
            let api = Api::new(self, server);
            // Without a user, there is nothing to ask for.
            let found = if user.is_empty() { api.root_url().map(|_| None) } else { api.role(&role.src) };
            asked.push(api.root_url().unwrap_or(&server.url).to_owned());
            match found {
                Ok(Some(entry)) => {
                    let names: Vec<&str> = entry.versions.iter().map(|(name, _)| name.as_str()).collect();
                    let branch = entry.branch.clone().unwrap_or_else(|| "main".to_owned());
                    let version = match &role.version {
                        Some(wanted) if names.is_empty() || names.contains(&wanted.as_str()) || *wanted == branch => {
                            wanted.clone()
                        }
                        Some(wanted) => {
                            return Err(GalaxyError::new(format!(
                                "- the specified version ({wanted}) of {} was not found in the list of available versions ({}).",
                                role.src,
                                names.join(", ")
                            )));
                        }
                        None => names.iter().max_by_key(|name| loose(name)).map_or(branch, |name| (*name).to_owned()),
                    };
                    let said =
                        entry.versions.iter().find(|(name, _)| *name == version).and_then(|(_, url)| url.clone());
                    let url = said.unwrap_or_else(|| {
                        format!(
                            "https://github.com/{}/{}/archive/{version}.tar.gz",
                            entry.github_user, entry.github_repo
                        )
                    });
                    return Ok((url, version));
                }
                Ok(None) => {}
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| {
            GalaxyError::new(format!("- sorry, {} was not found on {}.", role.src, asked.join(", ")))
        }))
    }
}

/// A version as numbers and words, so that 1.10 sorts after 1.9.
fn loose(version: &str) -> Vec<(u64, String)> {
    let mut parts = Vec::new();
    let mut rest = version.trim_start_matches('v');
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            parts.push((rest[..digits].parse().unwrap_or(u64::MAX), String::new()));
            rest = &rest[digits..];
            continue;
        }
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let word = rest[..end].trim_matches('.');
        if !word.is_empty() {
            parts.push((0, word.to_owned()));
        }
        rest = &rest[end..];
    }
    parts
}

/// The directory of the role in the unpacked content: the topmost one with a `meta/main.yml`.
fn root_of(raw: &Path) -> Option<PathBuf> {
    let mut level = vec![raw.to_owned()];
    while !level.is_empty() {
        if let Some(found) = level.iter().find(|directory| meta_file(directory).is_some()) {
            return Some(found.clone());
        }
        let mut next: Vec<PathBuf> = level
            .iter()
            .flat_map(|directory| fs::read_dir(directory).into_iter().flatten().flatten())
            .map(|entry| entry.path())
            .filter(|path| path.is_dir() && !path.is_symlink())
            .collect();
        next.sort();
        level = next;
    }
    None
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    let failed = |error: std::io::Error| GalaxyError::file(from, error);
    for entry in fs::read_dir(from).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_symlink() {
            let link = fs::read_link(&path).map_err(failed)?;
            std::os::unix::fs::symlink(link, &target).map_err(failed)?;
        } else if path.is_dir() {
            fs::create_dir(&target).map_err(failed)?;
            copy_tree(&path, &target)?;
        } else {
            fs::copy(&path, &target).map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_version_is_found_by_its_numbers() {
        for (older, newer) in [("1.9", "1.10"), ("v1.0.0", "1.0.1"), ("1.2", "1.2.1")] {
            assert!(loose(older) < loose(newer), "{older} {newer}");
        }
    }
}
