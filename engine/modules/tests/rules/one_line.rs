//! A module consists of a file and a line in the registry. This file is such a module, written outside of the crate: it
//! uses the contract's public interface, and the line below registers it.

use std::sync::Arc;

use rplay_modules::{
    ArgError, Change, Entry, Host, Module, NoBlobs, Plan, Traits, args,
    argtypes::{PathArg, Text},
    entry, registry,
    system::fs,
    wire::{Call, Failure, Map, Mode, Outcome, data},
};

args! {
    /// Writes a greeting.
    pub struct Greeting {
        /// Whom to greet.
        name: Text | "who",
        /// The directory of the greeting.
        path: PathArg,
    }
}

impl Module for Greeting {
    fn check(&self) -> Result<(), ArgError> {
        if self.name.is_empty() { Err(ArgError::new("name", "must not be empty")) } else { Ok(()) }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = self.path.on(host).join("greeting");
        if fs::metadata(&path).is_ok() {
            return Ok(Plan::unchanged());
        }
        let who = self.name;
        let what = format!("greet {who}");
        Ok(Plan::unchanged().change(Change::new(what, move |_, _| Ok(fs::write(&path, format!("hello {who}"))?))))
    }
}

/// The line.
static LINE: Entry = entry::<Greeting>("greeting", "my.own").keeps_to_host();

fn run(args: Map, check: bool) -> Outcome {
    let mode = Mode { check, ..Mode::default() };
    let call = Call { module: LINE.name.to_owned(), args, mode, environment: Vec::new(), background: None };
    let mut host = Host::new(Vec::new(), Arc::new(NoBlobs));
    host.check = check;
    (LINE.run)(&call, &host)
}

#[test]
fn a_module_is_one_file_and_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let args = data! { "who" => "you", "path" => directory.path().to_str().unwrap() };
    let planned = run(args.clone(), true);
    assert!(planned.changed && planned.changes == ["greet you"] && !directory.path().join("greeting").exists());
    assert!(run(args.clone(), false).changed);
    assert_eq!(std::fs::read_to_string(directory.path().join("greeting")).unwrap(), "hello you");
    assert!(!run(args, false).changed);
}

#[test]
fn the_line_brings_documentation_and_checks() {
    assert_eq!(LINE.doc.trim(), "Writes a greeting.");
    let args: Vec<_> = (LINE.args)().iter().map(|arg| (arg.name, arg.required)).collect();
    assert_eq!(args, [("name", true), ("path", true)]);
    let errors = |map: Map| (LINE.check)(&map, &[]).into_iter().map(|error| error.msg).collect::<Vec<_>>();
    assert_eq!(errors(data! { "name" => "", "path" => "/x" }), ["must not be empty"]);
    assert!(errors(data! { "name" => "x", "path" => "/x", "nam" => 1 })[0].contains("unknown argument `nam`"));
    let wanted = Traits { keeps_to_host: true, ..Traits::NONE };
    assert!(LINE.traits == wanted && !LINE.runs_commands);
}

/// Short names lead to the entries, so a search needs only the line.
#[test]
fn every_line_is_found_by_its_name() {
    assert!(registry::MODULES.iter().all(|entry| registry::find(entry.name).is_some()));
    assert!(registry::find("greeting").is_none());
}
