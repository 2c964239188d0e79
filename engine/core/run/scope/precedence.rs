//! The order of precedence, as a list of layers.
//!
//! The rule is Ansible's ("Understanding variable precedence"), from the strongest: loop items, extra vars, include
//! params, role params, set_fact and register, include_vars, task and block vars, role vars, vars_files, vars_prompt,
//! play vars, facts, inventory variables, role defaults.

use std::sync::Arc;

use crate::{
    plan::{Role, Task},
    run::{
        reads::ReadTracker,
        scope::magic::{HostMagic, Otherwise},
        state::{host::HostState, play::PlayRun, run::Run},
    },
    vars::{Layer, Scope},
};

/// How variables are seen.
pub(crate) struct Sight<'a> {
    /// Records what is read.
    pub reads: Option<&'a Arc<ReadTracker>>,
    /// What a task that has begun sees besides.
    pub otherwise: Option<Arc<dyn Otherwise>>,
}

impl Run {
    /// The variables of a host in a task. `top` holds temporary ones: the loop item, or the result that a condition is
    /// about.
    pub(crate) fn scope(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        host: &Arc<HostState>,
        task: Option<&Arc<Task>>,
        top: Option<Arc<Layer>>,
    ) -> Arc<Scope> {
        self.tracked_scope(play, host, task, top, None)
    }

    /// Like [`scope`]; `reads` records what is read through it.
    pub(crate) fn tracked_scope(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        host: &Arc<HostState>,
        task: Option<&Arc<Task>>,
        top: Option<Arc<Layer>>,
        reads: Option<&Arc<ReadTracker>>,
    ) -> Arc<Scope> {
        self.seen(play, host, task, top, Sight { reads, otherwise: None })
    }

    /// Like [`scope`], with all that determines how variables are seen.
    pub(crate) fn seen(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        host: &Arc<HostState>,
        task: Option<&Arc<Task>>,
        top: Option<Arc<Layer>>,
        Sight { reads, otherwise }: Sight<'_>,
    ) -> Arc<Scope> {
        let state = host.layers();
        let mut layers: Vec<Arc<Layer>> = Vec::with_capacity(24);
        layers.extend(top.iter().cloned());
        layers.push(self.resolver.extra.clone());
        let role = task.and_then(|task| task.role.as_ref());
        let roles = play.roles();
        let public = |role: &&Arc<Role>| role.public.unwrap_or(self.options.private_role_vars != Some(true));
        if let Some(task) = task {
            layers.extend(task.settings.params.iter().cloned());
        }
        for role in with_parents(role) {
            layers.push(role.params.clone());
        }
        layers.push(state.set);
        layers.push(state.included);
        if let Some(task) = task {
            layers.extend(task.settings.vars.iter().cloned());
        }
        for role in with_parents(role) {
            layers.push(role.vars.clone());
            layers.extend(role.dependencies.iter().rev().map(|role| role.vars.clone()));
        }
        for role in roles.iter().rev().filter(public) {
            layers.push(role.vars.clone());
        }
        layers.extend(play.files_of(&host.name));
        layers.push(play.prompted.clone());
        layers.push(play.play.vars.clone());
        layers.push(state.facts);
        layers.extend(state.inventory.iter().cloned());
        for role in with_parents(role) {
            layers.push(role.defaults.clone());
            layers.extend(role.dependencies.iter().rev().map(|role| role.defaults.clone()));
        }
        for role in roles.iter().rev().filter(public) {
            layers.push(role.defaults.clone());
        }
        // The weakest layer: what a host has by default. A task that has begun knows its address and password anyway.
        if otherwise.is_none() {
            layers.push(host.itself.clone());
        }
        layers.retain(|layer| !layer.is_empty());
        let directories = match task {
            Some(task) => task.directories.clone(),
            None => Arc::from([play.play.directory.clone()]),
        };
        let magic = HostMagic {
            run: self.clone(),
            play: play.clone(),
            host: host.clone(),
            task: task.cloned(),
            reads: reads.cloned(),
            entry: false,
            otherwise,
            iteration: top,
        };
        Arc::new(Scope::new(layers, Arc::new(magic), directories))
    }
}

fn with_parents(role: Option<&Arc<Role>>) -> impl Iterator<Item = &Arc<Role>> {
    role.into_iter().flat_map(|role| std::iter::once(role).chain(role.parents.iter()))
}
