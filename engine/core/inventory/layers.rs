//! The variables of hosts and groups in Ansible's order, computed once and shared.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use indexmap::IndexSet;
use parking_lot::{Mutex, MutexGuard};

use super::{
    Inventory,
    folder::VarsFolder,
    graph::{ALL, Group, Host, LOCALHOST},
};
use crate::{
    source::Problems,
    vars::{Layer, Lazy},
    vault::Vault,
};

/// Layers, strongest first.
type Stack = Arc<[Arc<Layer>]>;

/// What was computed so far.
#[derive(Debug)]
pub struct Layers {
    pub vault: Arc<Vault>,
    implicit: [Host; LOCALHOST.len()],
    depths: OnceLock<Vec<usize>>,
    /// The hosts of each group.
    pub members: OnceLock<Vec<Arc<IndexSet<usize>>>>,
    folders: Mutex<HashMap<PathBuf, Arc<VarsFolder>>>,
    /// Warnings about ignored files, found when directories were opened.
    warnings: Mutex<Vec<String>>,
    /// By the groups that contain a host directly: hosts of the same groups share one stack.
    groups: Mutex<HashMap<(Vec<usize>, Option<PathBuf>), Stack>>,
    hosts: Mutex<HashMap<Option<PathBuf>, HashMap<Arc<str>, Stack>>>,
}

impl Default for Layers {
    fn default() -> Self {
        let implicit = LOCALHOST.map(|name| Host {
            name: name.into(),
            vars: Arc::new(Layer::from_iter([("ansible_connection".into(), Lazy::Data("local".into()))])),
            groups: Default::default(),
            implicit: true,
        });
        Layers {
            vault: Arc::default(),
            implicit,
            depths: OnceLock::new(),
            members: OnceLock::new(),
            folders: Mutex::default(),
            warnings: Mutex::default(),
            groups: Mutex::default(),
            hosts: Mutex::default(),
        }
    }
}

impl Layers {
    /// Must be called when hosts, groups or their variables change. Files that were read stay cached.
    pub fn forget(&mut self) {
        self.depths = OnceLock::new();
        self.members = OnceLock::new();
        self.groups = Mutex::default();
        self.hosts = Mutex::default();
    }

    /// The host for a name of this machine that no source mentions.
    pub fn implicit_localhost(&self, name: &str) -> &Host {
        // One of the three names always exists; the first one is the fallback.
        self.implicit.iter().find(|host| &*host.name == name).unwrap_or(&self.implicit[0])
    }

    fn folder(&self, path: &Path) -> Result<Arc<VarsFolder>, Problems> {
        if let Some(folder) = locked(&self.folders).get(path) {
            return Ok(folder.clone());
        }
        let folder = Arc::new(VarsFolder::open(path)?);
        locked(&self.warnings).extend(folder.passed_over());
        locked(&self.folders).insert(path.to_owned(), folder.clone());
        Ok(folder)
    }
}

/// The locked data is consistent at every moment, so a panic elsewhere does not invalidate it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

impl Inventory {
    /// The inventory variables of a host, including `group_vars` and `host_vars` next to the inventory and in
    /// `playbook_dir`,
    /// strongest first: places 3 to 10 of Ansible's order of precedence.
    pub fn layers(&self, host: &str, playbook_dir: Option<&Path>) -> Result<Stack, Problems> {
        let dir = playbook_dir.map(Path::to_owned);
        if let Some(stack) = locked(&self.layers.hosts).get(&dir).and_then(|hosts| hosts.get(host)) {
            return Ok(stack.clone());
        }
        let Some(found) = self.host(host) else { return Ok(Stack::from([])) };
        let mut stack = Vec::new();
        for folder in self.var_folders(playbook_dir) {
            stack.push(self.layers.folder(folder)?.host(&found.name, &self.layers.vault)?);
        }
        stack.push(found.vars.clone());
        stack.extend(self.group_layers(found, playbook_dir)?.iter().cloned());
        stack.retain(|layer| !layer.is_empty());
        let stack: Stack = stack.into();
        locked(&self.layers.hosts).entry(dir).or_default().insert(host.into(), stack.clone());
        Ok(stack)
    }

    /// The warnings about `group_vars` and `host_vars` since the last call.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *locked(&self.layers.warnings))
    }

    /// The variables of a single group, strongest first.
    pub(super) fn layers_of_group(&self, group: &Group, playbook_dir: Option<&Path>) -> Result<Stack, Problems> {
        let mut stack = Vec::new();
        for folder in self.var_folders(playbook_dir) {
            stack.push(self.layers.folder(folder)?.group(&group.name, &self.layers.vault)?);
        }
        stack.push(group.vars.clone());
        Ok(stack.into())
    }

    /// The variables of one host alone, without those of its groups, the strongest first.
    pub(super) fn layers_of_host(&self, host: &Host, playbook_dir: Option<&Path>) -> Result<Stack, Problems> {
        let mut stack = Vec::new();
        for folder in self.var_folders(playbook_dir) {
            stack.push(self.layers.folder(folder)?.host(&host.name, &self.layers.vault)?);
        }
        stack.push(host.vars.clone());
        Ok(stack.into())
    }

    /// The playbook's folder, then those of the inventory, the strongest first.
    fn var_folders<'p>(&'p self, playbook_dir: Option<&'p Path>) -> impl Iterator<Item = &'p Path> {
        playbook_dir.into_iter().chain(self.folders.iter().rev().map(PathBuf::as_path))
    }

    fn group_layers(&self, host: &Host, playbook_dir: Option<&Path>) -> Result<Stack, Problems> {
        let key = (host.groups.iter().copied().collect::<Vec<_>>(), playbook_dir.map(Path::to_owned));
        if let Some(stack) = locked(&self.layers.groups).get(&key) {
            return Ok(stack.clone());
        }
        let depths = self.layers.depths.get_or_init(|| self.depths());
        let above = self.with_ancestors(&host.groups);
        let mut groups: Vec<(usize, &Group)> = above
            .iter()
            .filter_map(|at| Some((depths.get(*at).copied().unwrap_or(0), self.group_at(*at)?)))
            .filter(|(_, group)| &*group.name != ALL)
            .collect();
        groups.sort_by(|(depth, a), (other, b)| (other, b.priority, &b.name).cmp(&(depth, a.priority, &a.name)));
        let vault = &self.layers.vault;
        let mut stack = Vec::new();
        for folder in self.var_folders(playbook_dir) {
            let folder = self.layers.folder(folder)?;
            for (_, group) in &groups {
                stack.push(folder.group(&group.name, vault)?);
            }
        }
        for folder in self.var_folders(playbook_dir) {
            stack.push(self.layers.folder(folder)?.group(ALL, vault)?);
        }
        stack.extend(groups.iter().map(|(_, group)| group.vars.clone()));
        stack.extend(self.group(ALL).map(|all| all.vars.clone()));
        stack.retain(|layer| !layer.is_empty());
        let stack: Stack = stack.into();
        locked(&self.layers.groups).insert(key, stack.clone());
        Ok(stack)
    }
}
