//! Where a host's variables come from, for `rplay why`: every definition in order of precedence, beside the value that
//! a task would see. The order is that of `scope/precedence`.

use std::{path::PathBuf, sync::Arc};

use crate::{
    inventory::{Pattern, definition_in},
    plan::{Action, Play, Role, Settings, Step, Task, host_patterns, vars_file},
    run::{
        magic_names,
        state::{host::HostState, play::PlayRun, run::Run},
    },
    source::{Problems, Span},
    syntax::{Node, yaml},
    template,
    vars::{Definition, Layer, Lazy, Scope, Value, extra_definitions},
};

/// What a host sees in a play before its first task, from outside of roles or from within one.
pub struct Viewpoint {
    run: Arc<Run>,
    play: Arc<PlayRun>,
    host: Arc<HostState>,
    role: Option<Arc<Role>>,
    /// The files of `vars_files`, strongest first.
    files: Vec<PathBuf>,
    scope: Arc<Scope>,
}

/// A step of the play that sets a variable while it runs.
#[derive(Clone, Debug)]
pub struct Setter {
    /// `register`, `set_fact`, or `vars` of a task or its block.
    pub kind: &'static str,
    pub place: Span,
}

impl Viewpoint {
    /// The view of a host, which must be in the inventory, in a play. `role` is the name of one of the play's roles.
    ///
    /// # Errors
    /// The host's variables or a file of `vars_files` cannot be read.
    pub fn new(run: &Arc<Run>, play: &Arc<Play>, host: &str, role: Option<&str>) -> Result<Option<Self>, Problems> {
        let names: Vec<Arc<str>> = run.inventory().hosts().map(|host| host.name.clone()).collect();
        let play = Arc::new(PlayRun { all: names.clone(), batch: names, ..PlayRun::of(play) });
        let layers = run.inventory_layers(host, &play.play.directory)?;
        let Some(host) = run.host(host, &play) else { return Ok(None) };
        host.set_inventory(layers);
        let role = match role {
            None => None,
            Some(name) => match role_of(&play.play.roles, name) {
                Some(role) => Some(role),
                None => return Ok(None),
            },
        };
        let mut files: Vec<PathBuf> = Vec::new();
        let mut layers: Vec<Arc<Layer>> = Vec::new();
        for candidates in &play.play.vars_files {
            let scope = run.scope(&play, &host, None, None);
            let named = candidates.iter().find_map(|candidate| {
                let name = template::render(&candidate.value, &scope).ok()?;
                Some((vars_file(&play.play.directory, name.as_str()?)?, candidate))
            });
            if let Some((path, candidate)) = named {
                layers.insert(0, run.resolver.project.play_vars(&path, Some(&candidate.span))?);
                files.insert(0, path);
                play.files.write().insert(host.name.clone(), layers.clone());
            }
        }
        let task = role.as_ref().and_then(|role| {
            let settings = Settings::default();
            let nowhere = play.play.span.clone();
            let implied = Task::implied(Action::find("debug")?, "debug", "why", nowhere, settings, Arc::default());
            Some(Arc::new(Task { role: Some(role.clone()), ..implied }))
        });
        let scope = run.scope(&play, &host, task.as_ref(), None);
        Ok(Some(Viewpoint { run: run.clone(), play, host, role, files, scope }))
    }

    /// The names of all variables that the host sees.
    pub fn names(&self) -> Vec<Arc<str>> {
        self.scope.names().into_iter().collect()
    }

    /// The rendered value; `None` if no place defines it.
    ///
    /// # Errors
    /// Why it cannot be rendered.
    pub fn value(&self, name: &str) -> Option<Result<Value, String>> {
        let lazy = self.scope.get(name)?;
        Some(template::render(&lazy, &self.scope).map_err(|error| error.to_string()))
    }

    /// Every place that defines the variable, strongest first: the first one wins.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn definitions(&self, name: &str, extra: &[String]) -> Result<Vec<Definition>, Problems> {
        let mut found = Vec::new();
        if magic_names::is_one(name)
            && let Some(value) = self.scope.magic.get(name)
        {
            found.push(Definition { origin: "magic variable, which nothing overrides".to_owned(), value, place: None });
        }
        found.extend(extra_definitions(extra, &self.run.vault, name)?);
        for role in self.role_and_parents() {
            let origin = format!("parameters of role {}", role.name);
            let play = &self.play.play.span;
            self.of_layer(&role.params, name, &origin, &mut found, |_| place_in_roles(play, &role, name));
        }
        let roles = self.roles();
        for role in &roles {
            self.of_role(role, "vars", &role.vars, name, &mut found);
        }
        for path in &self.files {
            if let Some((value, place)) = definition_in(&self.run.resolver.project.source(path, None)?, name)? {
                found.push(Definition { origin: "vars_files of the play".to_owned(), value, place: Some(place) });
            }
        }
        for entry in self.play.play.vars_prompt.iter().filter(|entry| &*entry.name == name) {
            let value = entry.default.as_ref().map_or(Lazy::Data(().into()), |default| default.value.clone());
            let origin = "vars_prompt of the play, asked when it starts".to_owned();
            found.push(Definition { origin, value, place: Some(entry.span.clone()) });
        }
        let play = &self.play.play;
        self.of_layer(&play.vars, name, "vars of the play", &mut found, |_| place_in_play(&play.span, name));
        found.extend(self.run.inventory().definitions(&self.host.name, name, Some(&play.directory))?);
        for role in &roles {
            self.of_role(role, "defaults", &role.defaults, name, &mut found);
        }
        self.of_layer(&self.host.itself, name, "what a host has by itself", &mut found, |_| None);
        Ok(found)
    }

    /// The tasks of the play that set the variable.
    pub fn setters(&self, name: &str) -> Vec<Setter> {
        let mut found = Vec::new();
        let mut seen: Vec<*const Layer> = Vec::new();
        let mut look = |task: &Arc<Task>| {
            if task.register.as_ref().is_some_and(|own| *own.value == *name) {
                found.push(Setter { kind: "register", place: task.span.clone() });
            }
            if task.action.controller().is_some_and(|entry| entry.sets_arguments)
                && let Some(argument) = task.args.named.get(name)
            {
                found.push(Setter { kind: task.action.name(), place: argument.name_span.clone() });
            }
            for layer in task.settings.vars.iter().filter(|layer| layer.contains_key(name)) {
                if !seen.contains(&Arc::as_ptr(layer)) {
                    seen.push(Arc::as_ptr(layer));
                    let place = layer.get(name).and_then(own_place).unwrap_or_else(|| task.span.clone());
                    found.push(Setter { kind: "vars of a task or its block", place });
                }
            }
        };
        each_task(&self.play.play.steps, &mut look);
        each_task(&self.play.play.handlers, &mut look);
        found
    }

    /// The role, if one is looked from, and those that use it, innermost first.
    fn role_and_parents(&self) -> Vec<Arc<Role>> {
        self.role.iter().flat_map(|role| std::iter::once(role).chain(&role.parents)).cloned().collect()
    }

    /// The roles whose variables are seen, strongest first.
    fn roles(&self) -> Vec<Arc<Role>> {
        let mut roles: Vec<Arc<Role>> = Vec::new();
        for role in self.role_and_parents() {
            roles.push(role.clone());
            roles.extend(role.dependencies.iter().rev().cloned());
        }
        roles.extend(self.play.roles().iter().rev().cloned());
        let mut seen = std::collections::HashSet::new();
        roles.retain(|role| seen.insert((role.path.clone(), Arc::as_ptr(&role.vars), Arc::as_ptr(&role.defaults))));
        roles
    }

    fn of_role(&self, role: &Role, kind: &str, layer: &Layer, name: &str, found: &mut Vec<Definition>) {
        let origin = format!("{kind} of role {}", role.name);
        self.of_layer(layer, name, &origin, found, |value| self.place_in_role(role, kind, name, value));
    }

    /// The file of a role's `vars` or `defaults` that gives this value: `vars_from` may have named another than main.
    fn place_in_role(&self, role: &Role, kind: &str, name: &str, value: &Lazy) -> Option<Span> {
        let directory = role.path.join(kind);
        let mut files: Vec<PathBuf> = Vec::new();
        let mut directories = vec![directory];
        while let Some(directory) = directories.pop() {
            for path in std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()) {
                if path.is_dir() { directories.push(path) } else { files.push(path) }
            }
        }
        files.sort_by_key(|path| (path.file_stem().is_none_or(|stem| stem != "main"), path.clone()));
        files.iter().find_map(|path| {
            let source = self.run.resolver.project.source(path, None).ok()?;
            let (other, place) = definition_in(&source, name).ok()??;
            (other.data().is_some() && other.data() == value.data()).then_some(place)
        })
    }

    fn of_layer(
        &self,
        layer: &Layer,
        name: &str,
        origin: &str,
        found: &mut Vec<Definition>,
        place_of: impl Fn(&Lazy) -> Option<Span>,
    ) {
        if let Some(value) = layer.get(name) {
            let place = own_place(value).or_else(|| place_of(value));
            found.push(Definition { origin: origin.to_owned(), value: value.clone(), place });
        }
    }
}

/// The place that a value carries.
fn own_place(value: &Lazy) -> Option<Span> {
    match value {
        Lazy::Template(template) => Some(template.span.clone()),
        Lazy::Vaulted(vaulted) => Some(vaulted.span.clone()),
        // The first part with a place; it is at or below the variable's name.
        Lazy::List(items) => items.iter().find_map(own_place),
        Lazy::Map(entries) => entries.values().find_map(own_place),
        Lazy::Data(_) => None,
    }
}

/// The play at this place, as it is written.
fn play_at(place: &Span) -> Option<Node> {
    let root = yaml::load(&place.source).ok()?.node;
    root.as_seq()?.iter().rev().find(|node| node.span.start <= place.start).cloned()
}

/// The place of a key in a mapping.
fn key_of(mapping: &Node, name: &str) -> Option<Span> {
    let entries = mapping.as_map()?.iter().rev();
    entries.clone().find(|(key, _)| key.as_str() == Some(name)).map(|(key, _)| key.span.clone())
}

/// The name of a variable under `vars` of the play at this place.
fn place_in_play(play: &Span, name: &str) -> Option<Span> {
    key_of(play_at(play)?.get("vars")?, name)
}

/// The name of a parameter where the play at this place uses the role.
fn place_in_roles(play: &Span, role: &Role, name: &str) -> Option<Span> {
    let play = play_at(play)?;
    let is_this = |used: &&Node| {
        let named = used.get("role").or_else(|| used.get("name")).and_then(Node::as_str);
        named.is_some_and(|named| named == &*role.name || named == role.short_name())
    };
    let mut uses = play.get("roles")?.as_seq()?.iter().filter(is_this);
    uses.find_map(|used| key_of(used, name).or_else(|| key_of(used.get("vars")?, name)))
}

/// A role of this name, among the roles of a play and what they depend on.
fn role_of(roles: &[Arc<Role>], name: &str) -> Option<Arc<Role>> {
    roles.iter().find_map(|role| match *role.name == *name || role.short_name() == name {
        true => Some(role.clone()),
        false => role_of(&role.dependencies, name),
    })
}

fn each_task(steps: &[Step], look: &mut dyn FnMut(&Arc<Task>)) {
    for step in steps {
        match step {
            Step::Task(task) => look(task),
            Step::Block(block) => {
                [&block.body, &block.rescue, &block.always].into_iter().for_each(|steps| each_task(steps, look));
            }
            Step::Role(role) => each_task(&role.steps, look),
            Step::Flush => {}
        }
    }
}

impl Run {
    /// The hosts of a play that `--limit` allows. A pattern that needs facts matches nothing yet.
    ///
    /// # Errors
    /// The pattern is wrong.
    pub fn hosts_of_play(self: &Arc<Self>, play: &Arc<Play>) -> Result<Vec<Arc<str>>, Problems> {
        let scope = self.scope_of_play(&Arc::new(PlayRun::of(play)));
        let Ok(value) = template::render(&play.hosts.value, &scope) else { return Ok(Vec::new()) };
        let patterns = host_patterns(&value, &play.hosts.span)?;
        Ok(self.inventory().matching(&Pattern::of(&patterns)?, self.options.allowed.as_ref())?.hosts)
    }
}
