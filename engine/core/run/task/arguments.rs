//! The arguments of a task on one host, rendered.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::value::ValueKind;
use rplay_contract::{Choice, Entry};

use crate::{
    actions::{self, Rendered, text_of},
    plan::{Action, Field, Task},
    run::state::run::Run,
    source::Spanned,
    template::{self, TemplateError},
    vars::{Lazy, Scope, Value, is_omit},
};

/// The entries of one `module_defaults`; only those of the task's module are to be rendered.
fn defaults_in(field: &Field, scope: &Arc<Scope>) -> Result<Vec<(Arc<str>, Lazy)>, TemplateError> {
    Ok(match &field.value {
        Lazy::Map(entries) => entries.iter().map(|(name, values)| (name.clone(), values.clone())).collect(),
        whole => {
            let entries = actions::entries(&template::render(whole, scope)?);
            entries.into_iter().map(|(name, values)| (name, Lazy::Data(values))).collect()
        }
    })
}

/// Actions that look at such text themselves.
const LENIENT: [&str; 3] = ["add_host", "group_by", "set_fact"];

/// Whether the arguments may have text that is not `name=value`.
fn takes_text(task: &Task) -> bool {
    task.action.traits().free_form.is_some() || LENIENT.contains(&task.action.name())
}

/// The name of the task's action with that of its collection.
fn full_name(task: &Task) -> String {
    let name = task.action.name();
    let collection = if name.contains('.') { "" } else { "ansible.builtin." };
    format!("{collection}{name}")
}

impl Run {
    /// The arguments, weakest first: module_defaults, a template for all arguments, the task's own.
    ///
    /// # Errors
    /// One of them cannot be rendered, the template for all is no mapping, or there is text that is not `name=value`. The
    /// error names the module.
    pub(crate) fn arguments(&self, task: &Task, scope: &Arc<Scope>) -> Result<Rendered, TemplateError> {
        if task.args.free.is_some() && !takes_text(task) {
            return Err(TemplateError::Failed {
                message: format!("Action '{}' does not support raw params.", full_name(task)),
                at: task.span.clone(),
                help: None,
                via: vec![],
            });
        }
        self.render_arguments(task, scope)
            .map_err(|error| error.within(format!("Finalization of task args for '{}' failed", full_name(task))))
    }

    fn render_arguments(&self, task: &Task, scope: &Arc<Scope>) -> Result<Rendered, TemplateError> {
        let value_of = |name: &str, value: &Lazy| {
            let of_argument = |error: TemplateError| error.within(format!("Error while resolving value for '{name}'"));
            template::render(value, scope).map_err(of_argument)
        };
        let mut args = Rendered::new();
        // As in ansible-core, inner defaults replace outer ones of the same key, and those of groups are weaker.
        let mut defaults: IndexMap<Arc<str>, Lazy> = IndexMap::new();
        for field in &task.settings.module_defaults {
            let applies =
                |name: &str| self.resolver.project.has_defaults(name, &task.action, &task.settings.collections);
            defaults.extend(defaults_in(field, scope)?.into_iter().filter(|(name, _)| applies(name)));
        }
        let (of_groups, own): (Vec<_>, Vec<_>) = defaults.iter().partition(|(name, _)| name.starts_with("group/"));
        for (_, values) in of_groups.into_iter().chain(own) {
            match values {
                // What the task itself names need not be renderable.
                Lazy::Map(values) => {
                    for (name, value) in values.iter().filter(|(name, _)| !task.args.named.contains_key(*name)) {
                        args.insert(name.clone(), value_of(name, value)?);
                    }
                }
                whole => args.extend(actions::entries(&template::render(whole, scope)?)),
            }
        }
        if let Some(whole) = &task.args.whole {
            let value = template::render(&whole.value, scope)?;
            if value.kind() != ValueKind::Map && !is_omit(&value) {
                let kind = template::type_name(&value);
                return Err(TemplateError::Failed {
                    message: format!("Task args must resolve to a 'dict' not '{kind}'."),
                    at: whole.span.clone(),
                    help: None,
                    via: vec![],
                });
            }
            args.extend(actions::entries(&value));
        }
        let controller = task.action.controller();
        let made_up = controller.is_some_and(|entry| entry.sets_arguments);
        // They stay expressions where they hold templates.
        let expressions = controller.and_then(|entry| entry.expressions);
        for (name, argument) in &task.args.named {
            if expressions == Some(&**name) {
                args.insert(name.clone(), argument.span.text().into());
                continue;
            }
            let name = match made_up && name.contains("{{") {
                true => {
                    let written = Lazy::from_text(&Spanned { value: name.clone(), span: argument.name_span.clone() });
                    let rendered = template::render(&written, scope)?;
                    if rendered.as_str().is_none() {
                        let (name, kind) = (text_of(&rendered), template::type_name(&rendered));
                        return Err(TemplateError::Failed {
                            message: format!("Invalid variable name '{name}' of type '{kind}'."),
                            at: argument.name_span.clone(),
                            help: Some("the name of a variable is a text".to_owned()),
                            via: vec![],
                        });
                    }
                    text_of(&rendered).into()
                }
                false => name.clone(),
            };
            let value = value_of(&name, &argument.value)?;
            args.insert(name, value);
        }
        if let Some(free) = &task.args.free {
            let name = task.action.traits().free_form.unwrap_or("_raw_params");
            args.insert(name.into(), value_of("_raw_params", &free.value)?);
        }
        args.retain(|_, value| !is_omit(value));
        if let Some(chosen) = self.named_by_variable(task, &args, scope)? {
            args.insert("use".into(), chosen);
        }
        for (name, value) in self.defaults_of_chosen(task, &args, scope)? {
            args.entry(name).or_insert(value);
        }
        if task.action.name() == "raw" && self.options.shell != "/bin/sh" {
            args.entry("executable".into()).or_insert_with(|| self.options.shell.as_str().into());
        }
        for secret in task.secrets.iter().filter_map(|name| args.get(*name)) {
            actions::conceal(secret, scope);
        }
        Ok(args)
    }

    /// The module that `ansible_package_use` or `ansible_service_use` names for a task that does not say `use` itself.
    fn named_by_variable(
        &self,
        task: &Task,
        args: &Rendered,
        scope: &Arc<Scope>,
    ) -> Result<Option<Value>, TemplateError> {
        let Action::Module(Entry { chooses: Some(_), .. }) = task.action else { return Ok(None) };
        if args.get("use").map(text_of).is_some_and(|asked| asked != "auto") {
            return Ok(None);
        }
        let variable = format!("{{{{ ansible_{}_use | default('auto') }}}}", task.action.name());
        let written = Lazy::from_text(&Spanned { value: variable.as_str().into(), span: task.span.clone() });
        Ok(Some(template::render(&written, scope)?).filter(|chosen| text_of(chosen) != "auto"))
    }

    /// What `module_defaults` says of the module that a front of others (`service`, `package`) calls on this host.
    fn defaults_of_chosen(&self, task: &Task, args: &Rendered, scope: &Arc<Scope>) -> Result<Rendered, TemplateError> {
        let Action::Module(Entry { chooses: Some(choice), .. }) = task.action else { return Ok(Rendered::new()) };
        let Choice { fact, candidates } = choice;
        let known = |entry: &str| crate::plan::module(entry).map(Action::Module);
        let mut found: Vec<(&str, Rendered)> = Vec::new();
        for field in &task.settings.module_defaults {
            for (name, values) in defaults_in(field, scope)? {
                let meant = candidates.iter().find(|candidate| {
                    known(candidate).is_some_and(|action| {
                        self.resolver.project.has_defaults(&name, &action, &task.settings.collections)
                    })
                });
                if let Some(meant) = meant {
                    let values = template::render(&values, scope)?;
                    found.push((meant, actions::entries(&values).into_iter().collect()));
                }
            }
        }
        let mut defaults = Rendered::new();
        if found.is_empty() {
            return Ok(defaults);
        }
        // The fact is read only where something depends on it, since it may have to be gathered.
        let asked = args.get("use").map(text_of).filter(|asked| asked != "auto");
        let chosen = match asked {
            Some(asked) => asked,
            None => {
                let fact = format!("{{{{ ansible_facts.{fact} }}}}");
                let written = Lazy::from_text(&Spanned { value: fact.as_str().into(), span: task.span.clone() });
                text_of(&template::render(&written, scope)?)
            }
        };
        let chosen = match chosen.as_str() {
            "dnf5" | "dnf4" | "yum" => "dnf",
            other => other,
        };
        let accepted = task.action.args();
        for (_, values) in found.into_iter().filter(|(module, _)| *module == chosen) {
            defaults.extend(
                values
                    .into_iter()
                    .filter(|(name, value)| !is_omit(value) && accepted.iter().any(|arg| arg.is_called(name))),
            );
        }
        Ok(defaults)
    }
}
