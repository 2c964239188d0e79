//! An action of the controller consists of a file and a line in the registry. This file is such an action, written
//! outside of the crate: it uses the library's public interface, and the line below registers it.

use std::{path::Path, sync::Arc, time::Duration};

use parking_lot::Mutex;
use rplay::{
    actions::{Context, Function, Prompt, Rendered, TaskResult, entry, registry, wire_args},
    event::{Event, Recap, Sink},
    inventory::{Inventory, SourceRules},
    link::{LinkOptions, Links},
    plan::{Action, Project, Resolver, TagSelection},
    run::{Options, Run},
    source::{Problems, Source},
    vault::Vault,
};
use rplay_contract::{Args, args, argtypes::Text, wire::data};

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

/// The line.
static LINES: [rplay::actions::ActionEntry; 1] =
    [entry::<Greet>("greet", Function::Answers(greet)).keeps_to_host().foreseeable()];

/// Results by host, as a report gets them.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Sink for Told {
    fn send(&self, event: Event) {
        if let Event::HostDone { result, .. } = event {
            let said =
                ["greeting", "msg"].iter().find_map(|key| result.data.get_attr(key).ok()?.as_str().map(str::to_owned));
            self.0.lock().push(said.unwrap_or_default());
        }
    }
}

struct Nobody;

impl Prompt for Nobody {
    fn ask(&self, _: &str, _: bool) -> Option<String> {
        None
    }

    fn wait(&self, _: &str, _: Duration) -> Result<(), String> {
        Ok(())
    }
}

fn resolver() -> Resolver {
    rplay_modules::registry::install();
    registry::add(&LINES);
    let project = Project::new(Vec::new(), Box::new(|source| Ok(source.clone())), Box::new(|_, _| ()));
    Resolver { project: Arc::new(project), tags: TagSelection::default(), extra: Arc::default(), base: Arc::default() }
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

#[test]
fn the_line_brings_documentation_and_checks() {
    let (told, _) = run("    - greet: {}\n").unwrap();
    assert_eq!(told, ["missing required arguments: name"; 2]);
    let action = Action::find("greet").unwrap();
    assert_eq!(action.doc().trim(), "Greets somebody.");
    assert_eq!(action.args().iter().map(|arg| arg.name).collect::<Vec<_>>(), ["name"]);
    let faults = action.check(&data! { "nam" => "x" }, &[]);
    assert!(faults.iter().any(|fault| fault.msg.contains("unknown argument `nam`")), "{faults:?}");
    assert!(action.keeps_to_host() && !action.brings_facts());
    assert_eq!(Action::nearest("gret"), Some("greet"));
    assert!(Action::all().iter().any(|action| action.name() == "greet"));
}
