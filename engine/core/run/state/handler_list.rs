//! The handlers of a play with an index of their names, so that a notification need not search all of them.

use std::{collections::HashMap, sync::Arc};

use crate::{
    actions::text_of,
    plan::{Block, Step, Task},
    vars::Lazy,
};

/// Handlers in order of definition, included ones last.
#[derive(Clone, Default)]
pub(crate) struct HandlerList {
    tasks: Vec<Arc<Task>>,
    /// For each handler, the number of its file, in loading order.
    files: Vec<usize>,
    /// Handlers by their names without templates, both with and without the role's name.
    names: HashMap<Arc<str>, usize>,
    /// Handlers by unrendered topic: Ansible does not render `listen`.
    topics: HashMap<Arc<str>, Vec<usize>>,
    /// Handlers with a template in their name, which may differ per host.
    late: Vec<usize>,
}

impl HandlerList {
    pub fn of(steps: &[Step]) -> Self {
        let mut list = HandlerList::default();
        list.extend(steps);
        list
    }

    pub fn extend(&mut self, steps: &[Step]) {
        for task in tasks(steps) {
            let at = self.tasks.len();
            let same = self.tasks.last().is_some_and(|last| Arc::ptr_eq(&last.span.source, &task.span.source));
            let file = self.files.last().map_or(0, |last| if same { *last } else { last + 1 });
            self.tasks.push(task.clone());
            self.files.push(file);
            let mut late = false;
            let own = match &task.name {
                Some(name) => name.value.data().map(|name| text_of(&name)),
                None => Some(task.written.to_string()),
            };
            match own {
                Some(own) => {
                    for name in spellings(task, &own) {
                        let known = self.names.get(&*name).copied();
                        self.names.insert(name.into(), self.chosen(known, at));
                    }
                }
                None => late = true,
            }
            let topics = task.listen.iter().flat_map(|topic| words(&topic.value));
            for word in topics.flat_map(|topic| spellings(task, &topic)) {
                let places = self.topics.entry(word.into()).or_default();
                if places.last() != Some(&at) {
                    places.push(at);
                }
            }
            if late {
                self.late.push(at);
            }
        }
    }

    pub fn tasks(&self) -> &[Arc<Task>] {
        &self.tasks
    }

    /// Which of two handlers with the same name counts: as in Ansible, the one whose file was loaded last; within a
    /// file, the
    /// first.
    fn chosen(&self, known: Option<usize>, other: usize) -> usize {
        let file = |at: usize| self.files.get(at).copied().unwrap_or_default();
        match known {
            Some(known) if file(known) > file(other) || file(known) == file(other) && known < other => known,
            _ => other,
        }
    }

    /// The indexes of the handlers with this name or topic. Of several with the same name, only one counts.
    ///
    /// `name_of` renders the full name of a handler.
    pub fn find(&self, name: &str, name_of: impl Fn(&Arc<Task>) -> String) -> Vec<usize> {
        let mut named = self.names.get(name).copied();
        let mut found = self.topics.get(name).cloned().unwrap_or_default();
        for at in &self.late {
            let Some(task) = self.tasks.get(*at) else { continue };
            let full = name_of(task);
            if spellings(task, short_name(&full)).iter().any(|spelling| spelling == name) {
                named = Some(self.chosen(named, *at));
            }
        }
        if found.len() > 1 {
            let mut of_name: HashMap<String, usize> = HashMap::new();
            let mut nameless = Vec::new();
            for at in found {
                let Some(task) = self.tasks.get(at) else { continue };
                // Handlers without a name cannot be the same.
                if task.name.is_none() {
                    nameless.push(at);
                    continue;
                }
                let own = short_name(&name_of(task)).to_owned();
                let known = of_name.get(&own).copied();
                of_name.insert(own, self.chosen(known, at));
            }
            found = of_name.into_values().chain(nameless).collect();
        }
        found.sort_unstable();
        found.extend(named.filter(|named| !found.contains(named)));
        found
    }

    /// Names and topics without templates, for suggestions.
    pub fn known(&self) -> impl Iterator<Item = &str> {
        self.names.keys().chain(self.topics.keys()).map(|name| &**name)
    }
}

/// What a handler's name, or a topic of it, can be called by: alone, with its role, and with the role's collection.
fn spellings(task: &Task, own: &str) -> Vec<String> {
    let Some(role) = &task.role else { return vec![own.to_owned()] };
    let mut spellings = vec![own.to_owned(), format!("{} : {own}", role.name)];
    if role.short_name() != &*role.name {
        spellings.push(format!("{} : {own}", role.short_name()));
    }
    spellings
}

fn short_name(full: &str) -> &str {
    full.rsplit(" : ").next().unwrap_or(full)
}

/// The topics in `listen`: one, or a list.
fn words(topic: &Lazy) -> Vec<String> {
    match topic {
        Lazy::Template(template) => vec![template.text.to_string()],
        Lazy::List(items) => items.iter().flat_map(words).collect(),
        other => match other.data() {
            Some(value) if value.as_str().is_none() => {
                value.try_iter().into_iter().flatten().map(|word| text_of(&word)).collect()
            }
            value => value.iter().map(text_of).collect(),
        },
    }
}

/// The handlers in a list of steps, including nested blocks.
fn tasks(steps: &[Step]) -> Vec<&Arc<Task>> {
    fn of_block(block: &Block) -> Vec<&Arc<Task>> {
        [&block.body, &block.rescue, &block.always].into_iter().flat_map(|steps| tasks(steps)).collect()
    }
    steps
        .iter()
        .flat_map(|step| match step {
            Step::Task(task) => vec![task],
            Step::Block(block) => of_block(block),
            Step::Role(role) => tasks(&role.steps),
            Step::Flush => Vec::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::{Action, Field, Settings},
        source::{Source, Span, Spanned},
        template,
        vars::Lazy,
    };

    fn field(text: &str) -> Field {
        let span = Span::new(&Source::inline("a test", text), 0..text.len());
        Field { value: Lazy::from_text(&Spanned { value: text.into(), span: span.clone() }), span }
    }

    fn handler(name: &str, listen: &[&str]) -> Step {
        let span = field(name).span;
        let task =
            Task::implied(Action::find("ping").unwrap(), "ping", name, span, Settings::default(), Arc::default());
        let listen = listen.iter().map(|topic| field(topic)).collect();
        Step::Task(Arc::new(Task { name: Some(field(name)), listen, ..task }))
    }

    fn found(list: &HandlerList, name: &str) -> Vec<usize> {
        let scope = crate::vars::sample::scope(&[("x", "seen")]);
        let render = |field: &Field| template::render(&field.value, &scope).ok();
        list.find(name, |task| task.name.as_ref().and_then(render).map_or_else(String::new, |v| text_of(&v)))
    }

    #[test]
    fn names_and_topics_are_found_with_and_without_templates() {
        let steps = [
            handler("restart", &["all", "all"]),
            handler("{{ x }}", &[]),
            handler("other", &["{{ x }}", "all"]),
            handler("restart", &[]),
        ];
        let mut list = HandlerList::of(&steps[..2]);
        list.extend(&steps[2..]);
        assert_eq!(found(&list, "restart"), [3]);
        assert_eq!(found(&list, "all"), [0, 2]);
        assert_eq!(found(&list, "seen"), [1]);
        // As in ansible-core 2.19, topics are not rendered.
        assert_eq!(found(&list, "{{ x }}"), [2]);
        assert_eq!(found(&list, "none"), [0; 0]);
        assert_eq!(list.tasks().len(), 4);
    }
}
