//! An action of the controller consists of a file and a line in the registry. This file is such an action, written
//! outside of the crate: it uses the library's public interface, and the line below registers it.

use std::{path::Path, sync::Arc, time::Duration};

use parking_lot::Mutex;
use rplay::{
    actions::{Context, Effect, Function, Prompt, Rendered, TaskResult, entry, registry, wire_args},
    event::{Event, Recap, Sink},
    inventory::{Inventory, SourceRules},
    link::{LinkOptions, Links},
    plan::{Action, Project, Resolver},
    run::{Options, Run},
    source::{Problems, Source},
    vault::Vault,
};
use rplay_contract::{Args, Traits, Wording, args, argtypes::Text, wire::data};

args! {
    /// Greets somebody.
    pub struct Greet {
        /// Whom to greet.
        name: Text | "who",
    }
}

fn greet(args: Rendered, context: &Context<'_>) -> Result<TaskResult, Box<TaskResult>> {
    let args = Greet::from_map(&wire_args(args)).map_err(|_| Box::new(TaskResult::failed("whom?")))?;
    if args.name == "nobody" {
        return Err(Box::new(TaskResult::failed("there is nobody to greet")));
    }
    Ok(TaskResult::default().with("greeting", format!("hello {} of {}", args.name, context.host)))
}

/// Counts people: facts of the host. It does nothing where it is asked for nobody.
fn census(args: Rendered, _: &Context<'_>) -> Result<TaskResult, Box<TaskResult>> {
    if args.get("name").is_some_and(|name| name.as_str() == Some("nobody")) {
        return Ok(TaskResult::skipped("nobody is not counted"));
    }
    let mut result = TaskResult::default();
    result.effects.push(Effect::Facts([("people".into(), 3.into())].into_iter().collect()));
    Ok(result)
}

/// The lines.
static LINES: [rplay::actions::ActionEntry; 3] = [
    entry::<Greet>("greet", Function::Answers(greet)).keeps_to_host().foreseeable(),
    entry::<Greet>("census", Function::Answers(census)).gathers().skip_has_failed(|why| why.starts_with("nobody")),
    entry::<Greet>("count", Function::Answers(census)).with_facts().wording(Wording {
        module: Some("my.counter"),
        internal: &["_whom"],
        like_module: true,
        missing: Some("count what? {} is missing"),
        ..Wording::USUAL
    }),
];

/// What a result says: a text, a number, or the items of a list.
fn text(said: &rplay::vars::Value) -> Option<String> {
    match said.try_iter() {
        _ if said.is_undefined() => None,
        Ok(items) if said.as_str().is_none() => Some(items.map(|item| item.to_string()).collect::<Vec<_>>().join(" ")),
        _ => Some(said.to_string()),
    }
}

/// Results by host, as a report gets them.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Sink for Told {
    fn send(&self, event: Event) {
        if let Event::HostDone { result, .. } = event {
            let said = ["greeting", "msg"].iter().find_map(|key| text(&result.data.get_attr(key).ok()?));
            self.0.lock().push(said.unwrap_or_default());
        }
    }
}

struct Nobody;

impl Prompt for Nobody {
    fn ask(&self, _: &str, _: bool) -> Option<String> {
        None
    }

    fn wait(&self, _: &str, _: Option<&str>, _: Duration) -> Result<(), String> {
        Ok(())
    }
}

fn resolver() -> Resolver {
    rplay_modules::registry::install();
    registry::add(&LINES);
    let project = Project::new(Vec::new(), Box::new(|source| Ok(source.clone())), Box::new(|_, _| ()));
    Resolver { project: Arc::new(project), extra: Arc::default(), magic: Arc::default(), base: Arc::default() }
}

/// Runs tasks over the hosts `a` and `b`.
fn run(tasks: &str) -> Result<(Vec<String>, Recap), Problems> {
    let resolver = resolver();
    let text = format!("- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}");
    let plays = resolver.playbook_text(&Source::inline("a play", text), Path::new("."))?;
    let vault = Arc::new(Vault::default());
    let rules = SourceRules::default();
    let inventory = Inventory::load(&["a,b,".to_owned()], vault.clone(), &rules)?;
    let options = Options { gather: false, ..Options::default() };
    let links = Links::new(LinkOptions::default()).unwrap();
    let told = Arc::new(Told::default());
    let run = Run::new(options, resolver, inventory, links, vault, told.clone(), Box::new(Nobody));
    let recap = run.playbooks(&[("play.yml".into(), plays)]).map_err(|error| error.problems)?;
    let mut told = std::mem::take(&mut *told.0.lock());
    told.sort();
    Ok((told, recap))
}

#[test]
fn an_action_is_one_file_and_one_line() {
    let (told, recap) = run("    - greet: {name: '{{ inventory_hostname }}'}\n").unwrap();
    assert_eq!(told, ["hello a of a", "hello b of b"]);
    assert!(!recap.failed && recap.hosts.values().all(|counts| counts.ok == 1), "{recap:?}");
}

/// Its answer is treated like any other result: by register, conditions, loops and the count of failures.
#[test]
fn the_engine_treats_it_as_its_own() {
    let tasks = "    - ansible.builtin.greet: {who: '{{ item }}'}\n      loop: [x, nobody]\n      register: all\n      \
                 ignore_errors: true\n    - debug: {msg: '{{ all.results[0].greeting }}, {{ all.results[1].msg }}'}\n";
    let (told, recap) = run(tasks).unwrap();
    for host in ["a", "b"] {
        let wanted = format!("hello x of {host}, there is nobody to greet");
        assert!(told.contains(&wanted), "{told:?}");
    }
    assert!(recap.hosts.values().all(|counts| counts.ok == 2 && counts.ignored == 1), "{recap:?}");
    let (told, recap) = run("    - greet: {name: nobody}\n").unwrap();
    assert_eq!(told, ["there is nobody to greet"; 2]);
    assert!(recap.failed);
}

/// No name of an action decides what its facts are called as variables, and what a skipped result has.
#[test]
fn the_line_says_what_facts_and_skipped_results_are() {
    let (told, _) = run("    - census: {name: all}\n      register: census\n    - count: {name: all}\n      register: count\n    \
                         - debug: {msg: \"{{ census.ansible_facts | list + count.ansible_facts | list }}\"}\n    - debug: \
                         {msg: \"{{ ansible_facts.people }}\"}\n    - census: {name: nobody}\n      register: census\n    - \
                         count: {name: nobody}\n      register: count\n    - debug: {msg: \"{{ [census.failed is defined, \
                         count.failed is defined] }}\"}\n")
    .unwrap();
    for wanted in ["ansible_people people", "3", "True False"] {
        assert_eq!(told.iter().filter(|said| *said == wanted).count(), 2, "{wanted}: {told:?}");
    }
}

/// No name of an action decides how messages about its arguments are worded.
#[test]
fn the_line_says_how_wrong_arguments_are_reported() {
    let (told, _) = run("    - count: {name: '{{ omit }}'}\n").unwrap();
    assert_eq!(told, ["count what? name is missing"; 2]);
    let (told, _) = run("    - vars: {all: {name: x, whon: y}}\n      count: '{{ all }}'\n").unwrap();
    let listed =
        "Unsupported parameters for (my.counter) module: whon. Supported parameters include: _whom, name (who).";
    assert_eq!(told, [listed; 2]);
}

#[test]
fn the_line_brings_documentation_and_checks() {
    let (told, _) = run("    - greet: {}\n").unwrap();
    assert_eq!(told, ["missing required arguments: name"; 2]);
    let action = Action::find("greet").unwrap();
    assert_eq!(action.doc().trim(), "Greets somebody.");
    assert_eq!(action.args().iter().map(|arg| arg.name).collect::<Vec<_>>(), ["name"]);
    let errors = action.check(&data! { "nam" => "x" }, &[]);
    assert!(errors.iter().any(|error| error.msg.contains("unknown argument `nam`")), "{errors:?}");
    assert_eq!(action.traits(), Traits { keeps_to_host: true, ..Traits::NONE });
    assert_eq!(Action::nearest("gret"), Some("greet"));
    assert!(Action::all().iter().any(|action| action.name() == "greet"));
}
