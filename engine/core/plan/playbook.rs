//! Resolves playbooks: follows imports, and turns their text into plays.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    PlanError,
    place::{Place, directory_of, real},
    resolve::{Found, Resolver},
    settings::layer,
    statics,
    step::*,
    yaml_file::vars_file,
};
use crate::{
    collections::Collection,
    files, limits,
    source::{Problems, Source, Span},
    syntax::{self, Node, PlaybookEntry, reserved_names},
    template,
    vars::{Layer, lay_over, overlaid},
};

/// The context of a playbook.
struct PlaybookContext<'p> {
    /// The collection that contains it.
    home: Option<&'p Arc<Collection>>,
    settings: &'p Arc<Settings>,
    /// The variables of its imports, which become those of its plays.
    vars: Arc<Layer>,
    /// Where it is imported.
    at: Option<&'p Span>,
}

impl Resolver {
    /// All plays of a playbook, including those of imported playbooks.
    ///
    /// # Errors
    /// All errors of all files.
    pub fn playbook(&self, path: &Path) -> Result<Vec<Arc<Play>>, Problems> {
        let why = match path.metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some("could not be found"),
            Ok(about) if about.is_dir() => Some("does not appear to be a file"),
            _ => None,
        };
        if let Some(why) = why {
            return Err(PlanError::NoPlaybook { path: path.display().to_string(), why }.into());
        }
        let mut plays = Vec::new();
        let mut problems = Problems::default();
        self.project.collections.add_playbooks(&directory_of(path));
        let home = self.project.collections.of_path(path);
        let at = PlaybookContext { home: home.as_ref(), settings: &self.base, vars: Arc::default(), at: None };
        self.playbook_into(path, &at, &mut Vec::new(), &mut plays, &mut problems);
        problems.unless_any(plays)
    }

    /// The plays of a text that is not a file; `directory` is where it looks for files and roles.
    ///
    /// # Errors
    /// All errors of the text, and of the files that it imports.
    pub fn playbook_text(&self, source: &Arc<Source>, directory: &Path) -> Result<Vec<Arc<Play>>, Problems> {
        let mut problems = Problems::default();
        let mut plays = Vec::new();
        for entry in &self.project.playbook_of(source)?.entries {
            if let PlaybookEntry::Play(play) = entry {
                plays.push(Arc::new(self.play(play, directory, &self.base, &Arc::default(), &mut problems)));
            }
        }
        problems.unless_any(plays)
    }

    fn playbook_into(
        &self,
        path: &Path,
        context: &PlaybookContext<'_>,
        trail: &mut Vec<PathBuf>,
        plays: &mut Vec<Arc<Play>>,
        problems: &mut Problems,
    ) {
        let home = context.home.map(|collection| collection.name.clone());
        if let Some(Err(msg)) = context.home.map(|collection| self.project.begin_to_use(collection)) {
            let source = Source::inline(path.display().to_string(), "");
            let at = context.at.cloned().unwrap_or_else(|| Span::new(&source, 0..0));
            return problems.push(PlanError::unusable(msg, &at));
        }
        let settings = &context.settings.at_home(home.clone());
        self.project.finder().add_plugins(&directory_of(path), true);
        let playbook = match self.project.playbook(path, home.as_ref(), context.at) {
            Ok(playbook) => playbook,
            Err(more) => return problems.0.extend(more.0),
        };
        let directory = directory_of(path);
        trail.push(real(path));
        for entry in &playbook.entries {
            match entry {
                PlaybookEntry::Play(play) => {
                    plays.push(Arc::new(self.play(play, &directory, settings, &context.vars, problems)));
                }
                PlaybookEntry::Import(import) => {
                    self.project.warn_of_reserved(import.keywords.vars.iter().flat_map(reserved_names));
                    let own = import.keywords.vars.as_ref().and_then(layer).unwrap_or_default();
                    // As in Ansible, the importing playbook's win.
                    let vars = overlaid(&own, &context.vars);
                    let keywords = syntax::Keywords { vars: None, ..import.keywords.clone() };
                    let settings = settings.with(&keywords, None);
                    let scope = self.static_scope(&settings, None, &vars, &directory);
                    match statics::text(&field(&import.file), &scope, "import_playbook") {
                        Ok(file) => {
                            let (next, home) = match self.project.collections.playbook(&file) {
                                Some((path, collection)) => (path, Some(collection)),
                                None => {
                                    let next = directory.join(files::filled_in(&file));
                                    let home = self.project.collections.of_path(&next);
                                    (next, home)
                                }
                            };
                            if trail.contains(&real(&next)) || trail.len() >= limits::depth() {
                                problems.push(PlanError::Endless {
                                    file: next.display().to_string(),
                                    at: import.file.span.clone(),
                                });
                            } else {
                                let at = Some(&import.file.span);
                                let inner = PlaybookContext { home: home.as_ref(), settings: &settings, vars, at };
                                self.playbook_into(&next, &inner, trail, plays, problems);
                            }
                        }
                        Err(problem) => problems.push(problem),
                    }
                }
            }
        }
        trail.pop();
    }

    /// The variables of a play's `vars_files`, as far as the names of the files are known before the run. A file that
    /// cannot be read is reported elsewhere.
    fn known_of_files(
        &self,
        settings: &Settings,
        vars: &Arc<Layer>,
        files: &[Vec<Field>],
        directory: &Path,
    ) -> Arc<Layer> {
        let mut found = Layer::default();
        for candidates in files {
            let scope = self.static_scope(settings, None, &overlaid(vars, &found), directory);
            let names = candidates.iter().map_while(|candidate| template::render(&candidate.value, &scope).ok());
            let path = names.filter_map(|name| vars_file(directory, name.as_str()?)).next();
            if let Some(layer) = path.and_then(|path| self.project.play_vars(&path, None).ok()) {
                lay_over(&mut found, &layer);
            }
        }
        Arc::new(found)
    }

    /// `around` are the variables of the imports that lead to it.
    fn play(
        &self,
        play: &syntax::Play,
        directory: &Path,
        outer: &Arc<Settings>,
        around: &Arc<Layer>,
        problems: &mut Problems,
    ) -> Play {
        self.project.warn_of_reserved(play.keywords.vars.iter().flat_map(reserved_names));
        let own = play.keywords.vars.as_ref().and_then(layer).unwrap_or_default();
        let vars = overlaid(&own, around);
        // The variables of a play have their own precedence, so they are not inherited.
        let keywords = syntax::Keywords { vars: None, ..play.keywords.clone() };
        let settings = outer.with(&keywords, None);
        let vars_files = play.vars_files.as_ref().map(vars_files).unwrap_or_default();
        let static_files = self.known_of_files(&settings, &vars, &vars_files, directory);
        let place = Place {
            settings: settings.clone(),
            role: None,
            playbook: directory.to_owned(),
            directory: directory.to_owned(),
            handler: false,
            in_block: false,
            may_fail: false,
            play_vars: overlaid(&vars, &static_files),
            trail: Vec::new(),
        };
        let mut tags = self.tags_of(&settings, &place).unwrap_or_default();
        if tags.is_empty() {
            tags.push("always".to_owned());
        }
        let passed_over = !self.magic.tags.takes(&tags);
        // All tasks of the play may use the modules of its roles.
        let mut of_roles = Found::default();
        let roles = self.roles(&play.roles, &place, &mut of_roles);
        let mut found = Found::default();
        self.project.check_defaults(keywords.module_defaults.as_ref(), &settings.collections, &mut found.problems);
        let mut steps = self.steps(&play.pre_tasks, &place, &mut found);
        found.take(of_roles);
        steps.push(Step::Flush);
        steps.extend(roles);
        steps.extend(self.steps(&play.tasks, &place, &mut found));
        steps.push(Step::Flush);
        steps.extend(self.steps(&play.post_tasks, &place, &mut found));
        steps.push(Step::Flush);
        let own = self.steps(&play.handlers, &Place { handler: true, ..place }, &mut found);
        found.handlers.extend(own);
        problems.0.append(&mut found.problems.0);
        for problem in found.foreseen.0 {
            self.project.warn_of(&*problem);
        }
        Play {
            span: play.span.clone(),
            name: play.keywords.name.as_ref().map(field),
            hosts: field(&play.hosts),
            gather: Gather {
                wanted: play.gather_facts.as_ref().map(field),
                subset: play.gather_subset.as_ref().map(field),
                timeout: play.gather_timeout.as_ref().map(field),
                fact_path: play.fact_path.as_ref().map(field),
                passed_over,
            },
            serial: play.serial.as_ref().map(fields).unwrap_or_default(),
            strategy: play.strategy.as_ref().map(field),
            order: play.order.as_ref().map(field),
            max_fail_percentage: play.max_fail_percentage.as_ref().map(field),
            force_handlers: play.force_handlers.as_ref().map(field),
            vars,
            static_files,
            vars_files,
            vars_prompt: play.vars_prompt.as_ref().map(vars_prompt).unwrap_or_default(),
            settings,
            steps,
            handlers: found.handlers,
            roles: found.roles,
            directory: directory.to_owned(),
        }
    }
}

fn vars_files(node: &Node) -> Vec<Vec<Field>> {
    match node.as_seq() {
        Some(items) => items
            .iter()
            .map(|item| match item.kind {
                // An empty item is of the wrong type.
                syntax::Kind::Null => vec![field(item)],
                _ => fields(item),
            })
            .collect(),
        None => vec![fields(node)],
    }
}

fn vars_prompt(node: &Node) -> Vec<VarsPrompt> {
    let flag = |entry: &Node, key: &str, otherwise: bool| match entry.get(key).map(|node| &node.kind) {
        Some(syntax::Kind::Bool(value)) => *value,
        Some(syntax::Kind::Int(value)) => value.to_string() == "1",
        Some(syntax::Kind::Str(text)) => {
            matches!(text.value.to_lowercase().as_str(), "y" | "yes" | "on" | "1" | "true" | "t")
        }
        _ => otherwise,
    };
    node.as_seq()
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| {
            Some(VarsPrompt {
                name: entry.get("name")?.as_str()?.into(),
                prompt: entry.get("prompt").map(field),
                default: entry.get("default").map(field),
                private: flag(entry, "private", true),
                confirm: flag(entry, "confirm", false),
                encrypt: entry.get("encrypt").and_then(Node::as_str).map(Arc::from),
                salt: entry.get("salt").filter(|node| !node.is_null()).map(field),
                salt_size: entry.get("salt_size").filter(|node| !node.is_null()).map(field),
                unsafe_: flag(entry, "unsafe", false),
                span: entry.span.clone(),
            })
        })
        .collect()
}
