//! What a person sees when a playbook has errors: each file of `tests/syntax`, compared with a snapshot of the whole
//! rendered text. A new case is a new file.

use std::path::Path;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use rplay::{
    source::Source,
    syntax::{self, Known, Modules},
};

/// A dozen modules, some of which take free text.
struct Dozen;

const MODULES: [&str; 12] = [
    "apt",
    "command",
    "copy",
    "debug",
    "file",
    "import_tasks",
    "include_tasks",
    "lineinfile",
    "ping",
    "service",
    "shell",
    "template",
];

impl Modules for Dozen {
    fn find(&self, name: &str) -> Known {
        let name = name.strip_prefix("ansible.builtin.").unwrap_or(name);
        match MODULES.contains(&name) {
            true => Known::Module { free_form: matches!(name, "command" | "shell" | "import_tasks" | "include_tasks") },
            false => Known::No,
        }
    }

    fn names(&self) -> Vec<&str> {
        MODULES.to_vec()
    }

    fn lookups(&self) -> Vec<&str> {
        vec!["dict", "file", "fileglob", "first_found", "flattened", "items", "nested", "sequence", "subelements"]
    }
}

#[test]
fn errors_as_a_person_sees_them() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("syntax");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::glob!("syntax/*.yml", |path| insta::assert_snapshot!(rendered(path))));
}

/// The prefix of a fixture's name says what kind of file it is; without a prefix it is a playbook.
fn rendered(path: &Path) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    let source = Source::inline(name, std::fs::read_to_string(path).unwrap());
    let outcome = match name.split_once('-').map(|(kind, _)| kind) {
        Some("handlers") => syntax::read_tasks(&source, &Dozen, true).map(|(_, warnings)| warnings),
        Some("meta") => syntax::read_role_meta(&source).map(|(_, warnings)| warnings),
        Some("vars") => syntax::read_vars(&source).map(|(_, warnings)| warnings),
        Some("specs") => syntax::read_argument_specs(&source).map(|(_, warnings)| warnings),
        Some("tasks") => syntax::read_tasks(&source, &Dozen, false).map(|(_, warnings)| warnings),
        _ => syntax::read_playbook(&source, &Dozen).map(|(_, warnings)| warnings),
    };
    match outcome {
        Ok(warnings) if warnings.is_empty() => "no errors\n".to_owned(),
        Ok(warnings) => warnings.iter().map(|warning| render(warning)).collect(),
        Err(problems) => problems.0.iter().map(|problem| render(&**problem)).collect(),
    }
}

fn render(problem: &dyn Diagnostic) -> String {
    let handler =
        GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100).with_links(false);
    let mut text = String::new();
    handler.render_report(&mut text, problem).unwrap();
    text
}

/// No truncated text makes the reader panic.
#[test]
fn every_beginning_of_every_fixture_is_read_or_refused() {
    for entry in std::fs::read_dir("tests/syntax").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
            let source = Source::inline("start.yml", &text[..at]);
            if let Err(problems) = syntax::read_playbook(&source, &Dozen) {
                assert!(!problems.is_empty());
                problems.0.iter().for_each(|problem| drop(render(&**problem)));
            }
        }
    }
}
