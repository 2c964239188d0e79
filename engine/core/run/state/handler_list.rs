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
    /// For each handler, its own name if that has no template.
    plain: Vec<Option<Arc<str>>>,
    /// Handlers by their names without templates, both with and without the role's name.
    names: HashMap<Arc<str>, usize>,
    /// Handlers by unrendered topic: Ansible does not render `listen`.
    topics: HashMap<Arc<str>, Vec<usize>>,
    /// Handlers with a template in their name, which may differ per host; ascending.
    late: Vec<usize>,
}

/// The names of handlers that contain templates, as one host sees them. Each is rendered once: as in Ansible, a handler
/// keeps the first name that its template yields.
#[derive(Default)]
pub(crate) struct RenderedNames {
    /// How many of the list's templated names were tried.
    tried: usize,
    /// Handlers by rendered name, both with and without the role's name.
    names: HashMap<Arc<str>, usize>,
    /// The own names of handlers.
    own: HashMap<usize, Arc<str>>,
    /// Handlers whose names have no value yet.
    open: Vec<usize>,
}

impl HandlerList {
    pub(crate) fn of(steps: &[Step]) -> Self {
        let mut list = HandlerList::default();
        list.extend(steps);
        list
    }

    pub(crate) fn extend(&mut self, steps: &[Step]) {
        for task in tasks(steps) {
            let at = self.tasks.len();
            let same = self.tasks.last().is_some_and(|last| Arc::ptr_eq(&last.span.source, &task.span.source));
            let file = self.files.last().map_or(0, |last| if same { *last } else { last + 1 });
            self.tasks.push(task.clone());
            self.files.push(file);
            let own: Option<Arc<str>> = match &task.name {
                Some(name) => name.value.data().map(|name| text_of(&name).into()),
                None => Some(task.written.clone()),
            };
            match &own {
                Some(own) => {
                    for name in spellings(task, own) {
                        let known = self.names.get(&*name).copied();
                        self.names.insert(name.into(), self.chosen(known, at));
                    }
                }
                None => self.late.push(at),
            }
            self.plain.push(own);
            let topics = task.listen.iter().flat_map(|topic| words(&topic.value));
            for word in topics.flat_map(|topic| spellings(task, &topic)) {
                let places = self.topics.entry(word.into()).or_default();
                if places.last() != Some(&at) {
                    places.push(at);
                }
            }
        }
    }

    pub(crate) fn tasks(&self) -> &[Arc<Task>] {
        &self.tasks
    }

    fn file(&self, at: usize) -> usize {
        self.files.get(at).copied().unwrap_or_default()
    }

    /// Which of two handlers with the same name counts: as in Ansible, the one whose file was loaded last; within a
    /// file, the first.
    fn chosen(&self, known: Option<usize>, other: usize) -> usize {
        match known {
            Some(known)
                if self.file(known) > self.file(other) || self.file(known) == self.file(other) && known < other =>
            {
                known
            }
            _ => other,
        }
    }

    /// Whether a handler with a templated name would count instead of this one, if its name were the same.
    fn has_rival(&self, at: usize) -> bool {
        let before = self.late.partition_point(|late| *late < at);
        let earlier = before.checked_sub(1).and_then(|last| self.late.get(last));
        earlier.into_iter().chain(self.late.last()).any(|late| self.chosen(Some(at), *late) == *late)
    }

    /// Whether a name or topic without templates is this one. If so, no name need be rendered to know that it exists.
    pub(crate) fn has_plain(&self, name: &str) -> bool {
        self.names.contains_key(name) || self.topics.contains_key(name)
    }

    /// The indexes of the handlers with this name or topic. Of several with the same name, only one counts.
    ///
    /// `render` renders the own name of a handler; if it has no value yet, the error is the name as it is written.
    pub(crate) fn find(
        &self,
        name: &str,
        rendered: &mut RenderedNames,
        render: impl Fn(&Arc<Task>) -> Result<String, String>,
    ) -> Vec<usize> {
        let mut named = self.names.get(name).copied();
        let listening = self.topics.get(name).map_or(&[] as &[usize], Vec::as_slice);
        let templated = |at: &usize| self.late.binary_search(at).is_ok();
        if !self.late.is_empty() && (named.is_none_or(|at| self.has_rival(at)) || listening.iter().any(templated)) {
            rendered.add_new(self, &render);
            if let Some(at) = rendered.names.get(name) {
                named = Some(self.chosen(named, *at));
            }
            if named.is_none() && listening.is_empty() {
                named = rendered.retry(self, name, &render);
            }
        }
        let mut found = match listening {
            [] | [_] => listening.to_vec(),
            _ => {
                let mut of_name: HashMap<&str, usize> = HashMap::new();
                let mut nameless = Vec::new();
                for at in listening {
                    match self.own_name(*at, rendered) {
                        Some(own) => {
                            let known = of_name.get(own).copied();
                            of_name.insert(own, self.chosen(known, *at));
                        }
                        None => nameless.push(*at),
                    }
                }
                of_name.into_values().chain(nameless).collect()
            }
        };
        found.sort_unstable();
        found.extend(named.filter(|named| !found.contains(named)));
        found
    }

    /// What the handler is called; handlers without a name cannot be the same as others.
    fn own_name<'n>(&'n self, at: usize, rendered: &'n RenderedNames) -> Option<&'n str> {
        self.tasks.get(at)?.name.as_ref()?;
        self.plain.get(at)?.as_ref().or_else(|| rendered.own.get(&at)).map(|name| &**name)
    }

    /// Names and topics without templates, for suggestions.
    pub(crate) fn known(&self) -> impl Iterator<Item = &str> {
        self.names.keys().chain(self.topics.keys()).map(|name| &**name)
    }
}

impl RenderedNames {
    /// Renders the names of those handlers that were added to the list since the last call.
    fn add_new(&mut self, list: &HandlerList, render: impl Fn(&Arc<Task>) -> Result<String, String>) {
        for at in list.late.get(self.tried..).unwrap_or_default() {
            let Some(task) = list.tasks.get(*at) else { continue };
            match render(task) {
                Ok(own) => self.insert(list, *at, task, &own),
                Err(_) => self.open.push(*at),
            }
        }
        self.tried = list.late.len();
    }

    /// Tries again the names that had no value: something may have set their variables meanwhile.
    fn retry(
        &mut self,
        list: &HandlerList,
        name: &str,
        render: impl Fn(&Arc<Task>) -> Result<String, String>,
    ) -> Option<usize> {
        let mut written = None;
        for at in std::mem::take(&mut self.open) {
            let Some(task) = list.tasks.get(at) else { continue };
            match render(task) {
                Ok(own) => self.insert(list, at, task, &own),
                Err(text) => {
                    self.open.push(at);
                    if spellings(task, &text).iter().any(|spelling| spelling == name) {
                        written = Some(list.chosen(written, at));
                    }
                }
            }
        }
        match self.names.get(name) {
            Some(at) => Some(list.chosen(written, *at)),
            None => written,
        }
    }

    fn insert(&mut self, list: &HandlerList, at: usize, task: &Task, own: &str) {
        for name in spellings(task, own) {
            let known = self.names.get(&*name).copied();
            self.names.insert(name.into(), list.chosen(known, at));
        }
        self.own.insert(at, own.into());
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
    use std::cell::Cell;

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

    fn in_one_file(steps: impl IntoIterator<Item = Step>) -> HandlerList {
        let source = Source::inline("a test", "");
        let moved = steps.into_iter().map(|step| match step {
            Step::Task(task) => Step::Task(Arc::new(Task { span: Span::new(&source, 0..0), ..(*task).clone() })),
            other => other,
        });
        HandlerList::of(&moved.collect::<Vec<_>>())
    }

    /// Finds handlers as a host would that knows `x`, and counts how many names are rendered.
    #[derive(Default)]
    struct Finder {
        rendered: RenderedNames,
        renders: Cell<usize>,
    }

    impl Finder {
        fn find(&mut self, list: &HandlerList, name: &str) -> Vec<usize> {
            let scope = crate::vars::sample::scope(&[("x", "seen")]);
            list.find(name, &mut self.rendered, |task| {
                self.renders.set(self.renders.get() + 1);
                let field = task.name.as_ref().unwrap();
                template::render(&field.value, &scope).map(|v| text_of(&v)).map_err(|_| field.span.text().to_owned())
            })
        }
    }

    fn found(list: &HandlerList, name: &str) -> Vec<usize> {
        Finder::default().find(list, name)
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

    #[test]
    fn plain_names_need_no_rendering_and_templates_are_rendered_once() {
        const MANY: usize = 2_000;
        let plain = (0..MANY).map(|n| handler(&format!("plain {n}"), &["topic"]));
        let late = (0..MANY).map(|n| handler(&format!("{{{{ x }}}} {n}"), &[]));
        let list = in_one_file(plain.chain(late));
        let mut finder = Finder::default();
        for n in 0..MANY {
            assert!(list.has_plain(&format!("plain {n}")));
            assert_eq!(finder.find(&list, &format!("plain {n}")), [n]);
        }
        assert_eq!(finder.renders.get(), 0);
        for n in 0..MANY {
            assert_eq!(finder.find(&list, &format!("seen {n}")), [MANY + n]);
        }
        assert_eq!(finder.find(&list, "topic").len(), MANY);
        assert_eq!(finder.renders.get(), MANY);
    }

    #[test]
    fn a_templated_name_counts_where_a_plain_one_of_the_same_place_would() {
        // Within a file, the first handler of a name counts; of several files, the one of the last.
        assert_eq!(found(&HandlerList::of(&[handler("{{ x }}", &[])]), "seen"), [0]);
        let same_file = |names: [&str; 2]| in_one_file(names.map(|name| handler(name, &[])));
        assert_eq!(found(&same_file(["{{ x }}", "seen"]), "seen"), [0]);
        assert_eq!(found(&same_file(["seen", "{{ x }}"]), "seen"), [0]);
        let mut list = HandlerList::of(&[handler("seen", &[])]);
        list.extend(&[handler("{{ x }}", &[])]);
        assert_eq!(found(&list, "seen"), [1]);
    }

    #[test]
    fn handlers_that_are_added_later_are_found_by_their_rendered_name() {
        let mut list = HandlerList::of(&[handler("{{ x }} 1", &[]), handler("{{ unknown }}", &[])]);
        let mut finder = Finder::default();
        assert_eq!(finder.find(&list, "seen 2"), [0; 0]);
        list.extend(&[handler("{{ x }} 2", &[])]);
        assert_eq!(finder.find(&list, "seen 2"), [2]);
        assert_eq!(finder.find(&list, "seen 1"), [0]);
        // A name without a value was tried again where nothing else matched.
        assert_eq!(finder.renders.get(), 2 + 1 + 1);
        assert_eq!(finder.find(&list, "{{ unknown }}"), [1]);
    }
}
