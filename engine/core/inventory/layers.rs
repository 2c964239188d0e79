//! The variables of hosts and groups in Ansible's order, computed once and shared.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use indexmap::IndexSet;
use parking_lot::Mutex;

use super::{
    directory::{VarsDirectory, Warnings},
    host::{Host, LOCALHOST},
    rules::{GroupVars, SourceRules, VarsFiles},
    vars_state::VarsPlugins,
};
use crate::{
    source::{Problems, Source, Span, Spanned},
    vars::{Layer, Lazy, Value},
    vault::Vault,
};

/// Layers, strongest first.
pub(super) type Stack = Arc<[Arc<Layer>]>;

/// What was computed so far.
#[derive(Debug)]
pub(super) struct Layers {
    pub vault: Arc<Vault>,
    implicit: [Host; LOCALHOST.len()],
    pub depths: OnceLock<Vec<usize>>,
    /// The hosts of each group.
    pub members: OnceLock<Vec<Arc<IndexSet<usize>>>>,
    directories: Mutex<HashMap<PathBuf, Arc<VarsDirectory>>>,
    pub vars_plugins: VarsPlugins,
    /// Whether `group_vars` and `host_vars` are read, and when.
    pub files: VarsFiles,
    /// The order of the variables of groups, weakest first.
    pub precedence: Vec<GroupVars>,
    /// Extensions of files with variables.
    pub yaml_extensions: Vec<String>,
    /// Warnings about ignored files, found when directories were opened.
    pub warnings: Warnings,
    /// Warnings about reserved names of variables in these files.
    pub reserved: Warnings,
    /// By the groups that contain a host directly: hosts of the same groups share one stack.
    pub groups: Mutex<HashMap<(Vec<usize>, Option<PathBuf>), Stack>>,
    pub hosts: Mutex<HashMap<Option<PathBuf>, HashMap<Arc<str>, Stack>>>,
}

impl Default for Layers {
    fn default() -> Self {
        let implicit = LOCALHOST.map(|name| Host {
            name: name.into(),
            vars: Arc::new(Layer::from_iter([
                ("ansible_connection".into(), Lazy::Data(Value::from_safe_string("local".to_owned()))),
                (
                    "ansible_python_interpreter".into(),
                    Lazy::from_text(&Spanned {
                        value: "{{ ansible_playbook_python }}".into(),
                        span: Span::new(
                            &Source::inline("the implicit localhost", "{{ ansible_playbook_python }}"),
                            0..29,
                        ),
                    }),
                ),
            ])),
            groups: Default::default(),
            implicit: true,
            source: None,
        });
        Layers {
            vault: Arc::default(),
            implicit,
            depths: OnceLock::new(),
            members: OnceLock::new(),
            directories: Mutex::default(),
            vars_plugins: VarsPlugins::default(),
            files: VarsFiles::default(),
            precedence: GroupVars::ALL.to_vec(),
            yaml_extensions: SourceRules::default().yaml_extensions,
            reserved: Mutex::default(),
            warnings: Mutex::default(),
            groups: Mutex::default(),
            hosts: Mutex::default(),
        }
    }
}

impl Layers {
    /// Must be called when hosts, groups or their variables change. Files that were read stay cached.
    pub(super) fn forget(&mut self) {
        self.depths = OnceLock::new();
        self.members = OnceLock::new();
        self.vars_plugins.forget();
        self.forget_variables();
    }

    /// Must be called when vars plugins may return other variables.
    pub(super) fn forget_variables(&mut self) {
        self.groups = Mutex::default();
        self.hosts = Mutex::default();
    }

    /// The host for a name of this machine that no source mentions.
    pub(super) fn implicit_localhost(&self, name: &str) -> &Host {
        // One of the three names always exists; the first one is the fallback.
        self.implicit.iter().find(|host| &*host.name == name).unwrap_or(&self.implicit[0])
    }

    pub(super) fn directory(&self, path: &Path) -> Result<Arc<VarsDirectory>, Problems> {
        if let Some(directory) = self.directories.lock().get(path) {
            return Ok(directory.clone());
        }
        let directory = Arc::new(VarsDirectory::open(path, &self.yaml_extensions)?);
        self.warnings.lock().extend(directory.passed_over());
        self.directories.lock().insert(path.to_owned(), directory.clone());
        Ok(directory)
    }
}
