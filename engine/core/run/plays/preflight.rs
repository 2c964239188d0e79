//! Checks before any host is touched: whether the variables of all hosts can be read, and whether the plays are valid.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use indexmap::IndexMap;
use miette::Diagnostic;

use crate::{
    inventory::{Inventory, Pattern, SourceRules},
    plan::{self, Block, Field, Play, Step, Task, host_patterns},
    run::{
        connection::variables::NOT_FOLLOWED,
        play_keywords::PlayError,
        state::{host::HostState, play::PlayRun, run::Run},
    },
    source::{Problems, Span},
    syntax::spec,
    template,
    vars::{Layer, Lazy, Scope},
};

/// Why a run ends before its first play or between plays, with Ansible's exit code for it.
#[derive(Debug)]
pub struct RunError {
    pub problems: Problems,
    pub exit_code: u8,
}

impl From<Problems> for RunError {
    fn from(problems: Problems) -> Self {
        let exit_code = match problems.first_as::<PlayError>() {
            Some(error) => error.exit_code(),
            None => plan::exit_code(&problems),
        };
        RunError { problems, exit_code }
    }
}

impl Run {
    /// Checks all plays before the first one starts: nothing runs on a partial inventory. A play with templates that
    /// cannot be rendered yet is checked when it starts.
    ///
    /// # Errors
    /// If the variables of one of its hosts cannot be read.
    pub(crate) fn preflight(self: &Arc<Self>, plays: &[&Arc<Play>]) -> Result<(), RunError> {
        let mut found = Found::default();
        found.look_at(&self.resolver.extra, "-e");
        for play in plays {
            self.check_hosts(play, &mut found);
        }
        self.check_blanks(&mut found);
        found.problems.unless_any(()).map_err(|problems| RunError { problems, exit_code: 4 })?;
        let mut problems = Problems::default();
        for play in plays {
            self.check_extra(play, &mut problems);
        }
        // Ansible finds these when the role runs, as failures of hosts.
        problems.unless_any(()).map_err(|problems| RunError { problems, exit_code: 2 })?;
        for (name, host) in found.not_followed {
            self.warn(format!("the variable `{name}` ({host}) has no effect: it is not supported"), None);
        }
        Ok(())
    }

    fn check_hosts(self: &Arc<Self>, play: &Arc<Play>, found: &mut Found) {
        found.look_at(&play.vars, "in a play");
        each_layer(&play.steps, &mut |layer| found.look_at(layer, "in a task"));
        let Some(pattern) = self.pattern(play, &play.hosts) else { return };
        let inventory = self.inventory();
        let matched = inventory.matching(&pattern, self.options.allowed.as_ref()).ok();
        for host in matched.into_iter().flat_map(|matched| matched.hosts) {
            match inventory.layers(&host, Some(&play.directory)) {
                Ok(layers) => layers.iter().for_each(|layer| found.look_at_host(layer, &host, &play.directory)),
                Err(problems) => found.add(problems),
            }
        }
    }

    /// Reports variables of the inventory that are not filled in, each at its place.
    fn check_blanks(&self, found: &mut Found) {
        if found.blanks.is_empty() {
            return;
        }
        // Places are kept only when they are needed, which costs another look at the sources.
        let rules = SourceRules { records_places: true, ..self.options.source_rules.clone() };
        let Ok(inventory) = Inventory::load(&self.options.inventory_sources, self.vault.clone(), &rules) else {
            return;
        };
        let mut doubtful = Vec::new();
        for (name, host, directory) in std::mem::take(&mut found.blanks) {
            let definitions = inventory.definitions(&host, &name, Some(&directory)).unwrap_or_default();
            let blank = definitions.into_iter().find_map(|definition| {
                let text = definition.value.data()?.as_str().filter(|text| is_blank(text))?.to_owned();
                Some((text, definition.place?))
            });
            // What another place fills in is no blank; that of a program has no place.
            match blank {
                Some((text, at)) if is_certain(&name, &text) => found.add(BlankError { name, text, at }.into()),
                Some((text, at)) => doubtful.push(BlankError { name, text, at }),
                None => {}
            }
        }
        for error in doubtful {
            // Beside others, a single word is one of them.
            match found.problems.is_empty() {
                true => self.warn_once(&format!("`{}` may not be filled in: {}", error.name, error.text), &error.at),
                false => found.add(error.into()),
            }
        }
    }

    /// Checks extra variables against the argument specifications of the play's roles, as far as they decide the value
    /// of an argument. A task that may fail or be skipped checks its arguments when it runs.
    fn check_extra(self: &Arc<Self>, play: &Arc<Play>, problems: &mut Problems) {
        if self.resolver.extra.is_empty() {
            return;
        }
        let mut tasks = Vec::new();
        specified(&play.steps, &mut tasks);
        let Some(pattern) = self.pattern(play, &play.hosts).filter(|_| !tasks.is_empty()) else { return };
        let matched = self.inventory().matching(&pattern, self.options.allowed.as_ref()).ok();
        let Some(name) = matched.and_then(|matched| matched.hosts.into_iter().next()) else { return };
        let Ok(layers) = self.inventory_layers(&name, &play.directory) else { return };
        let run = Arc::new(PlayRun { all: vec![name.clone()], batch: vec![name.clone()], ..PlayRun::of(play) });
        let host = Arc::new(HostState::new(name, layers));
        let mut told = HashSet::new();
        for task in tasks {
            let scope = self.scope(&run, &host, Some(&task), None);
            let mut options = IndexMap::new();
            let mut values = IndexMap::new();
            let mut sources: Vec<String> = Vec::new();
            for (name, option) in task.spec.iter().flat_map(|spec| &spec.options) {
                let Some(lazy) = scope.find(name) else { continue };
                let Some(source) = self.extra_behind(name, &lazy, &scope, 0) else { continue };
                if let Ok(value) = template::render(&lazy, &scope) {
                    options.insert(name.clone(), option.clone());
                    values.insert(name.clone(), value);
                    sources.push(source);
                }
            }
            for error in spec::validate(&options, &values) {
                if let Some(at) = error.option.filter(|_| told.insert(error.msg.clone())) {
                    let help = format!("-e sets {}", sources.join(", "));
                    problems.push(ExtraError { msg: error.msg, at, help });
                }
            }
        }
    }

    /// The extra variable that decides a value, if one does.
    fn extra_behind(&self, name: &str, value: &Lazy, scope: &Scope, depth: usize) -> Option<String> {
        if self.resolver.extra.contains_key(name) {
            return Some(name.to_owned());
        }
        if depth > 12 {
            return None;
        }
        template::names_in(value).iter().find_map(|inner| {
            let value = scope.find(inner)?;
            self.extra_behind(inner, &value, scope, depth + 1)
        })
    }

    /// The hosts pattern of a play; `None` if it cannot be rendered yet, or is wrong, which is reported when the play starts.
    fn pattern(self: &Arc<Self>, play: &Arc<Play>, hosts: &Field) -> Option<Pattern> {
        let scope = self.scope_of_play(&Arc::new(PlayRun::of(play)));
        let patterns = host_patterns(&template::render(&hosts.value, &scope).ok()?, &hosts.span).ok()?;
        Pattern::of(&patterns).ok()
    }
}

/// The problems so far. Hosts share layers, so each layer is read once, and each problem reported once.
#[derive(Default)]
struct Found {
    problems: Problems,
    told: HashSet<String>,
    seen: HashSet<*const Layer>,
    not_followed: Vec<(&'static str, String)>,
    /// Variables of the inventory that are not filled in: a host that has it, and its play's directory.
    blanks: Vec<(Arc<str>, Arc<str>, PathBuf)>,
}

/// A variable with a text like `<public address>`, as a template of an inventory has it.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("`{name}` is not filled in: {text}")]
struct BlankError {
    name: Arc<str>,
    text: String,
    #[source_code]
    #[label("write the value here")]
    at: Span,
}

/// Whether a text stands for a value that is still to be written: words in angle brackets.
fn is_blank(text: &str) -> bool {
    let words = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or_default();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '.' | '/' | '\'' | '-' | '_' | ',' | '(' | ')');
    words.starts_with(char::is_alphabetic) && words.chars().all(plain)
}

/// Whether that is certain: `<br>` and `<none>` are values, but no variable of a connection is in such brackets.
fn is_certain(name: &str, text: &str) -> bool {
    name.starts_with("ansible_") || text.contains(' ')
}

impl Found {
    fn add(&mut self, problems: Problems) {
        for problem in problems.0 {
            if self.told.insert(crate::source::one_line(&*problem)) {
                self.problems.0.push(problem);
            }
        }
    }

    /// The same for a host's variables in the inventory, some of which may not be filled in.
    fn look_at_host(&mut self, layer: &Arc<Layer>, host: &Arc<str>, directory: &Path) {
        if !self.seen.contains(&Arc::as_ptr(layer)) {
            for (name, value) in &**layer {
                if let Lazy::Data(value) = value
                    && value.as_str().is_some_and(is_blank)
                {
                    self.blanks.push((name.clone(), host.clone(), directory.to_owned()));
                }
            }
        }
        self.look_at(layer, host);
    }

    fn look_at(&mut self, layer: &Arc<Layer>, whose: &str) {
        if !self.seen.insert(Arc::as_ptr(layer)) {
            return;
        }
        for name in NOT_FOLLOWED {
            if layer.contains_key(*name) && !self.not_followed.iter().any(|(known, _)| known == name) {
                self.not_followed.push((name, whose.to_owned()));
            }
        }
    }
}

/// An extra variable that a role's argument specification does not allow.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{msg}")]
struct ExtraError {
    msg: String,
    #[source_code]
    #[label("specified here")]
    at: Span,
    #[help]
    help: String,
}

/// The tasks that validate a role's arguments whatever happens: under no condition, and with no rescue around them.
fn specified(steps: &[Step], found: &mut Vec<Arc<Task>>) {
    for step in steps {
        match step {
            Step::Task(task) if task.spec.is_some() && task.settings.when.is_empty() && !task.may_fail() => {
                found.push(task.clone());
            }
            Step::Block(block) if block.rescue.is_empty() => {
                specified(&block.body, found);
                specified(&block.always, found);
            }
            Step::Role(role) => specified(&role.steps, found),
            Step::Task(_) | Step::Block(_) | Step::Flush => {}
        }
    }
}

fn each_layer(steps: &[Step], look: &mut dyn FnMut(&Arc<Layer>)) {
    for step in steps {
        match step {
            Step::Task(task) => task.settings.vars.iter().for_each(&mut *look),
            Step::Block(block) => {
                let Block { body, rescue, always, .. } = &**block;
                [body, rescue, always].into_iter().for_each(|steps| each_layer(steps, look));
            }
            Step::Role(role) => {
                look(&role.role.vars);
                look(&role.role.defaults);
                each_layer(&role.steps, look);
            }
            Step::Flush => {}
        }
    }
}
