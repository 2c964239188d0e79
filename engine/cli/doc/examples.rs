//! Examples and results of the built-in modules, written by hand in `modules/*.md`. Only the command contains them, so
//! that they are not sent to hosts. `tests/doc.rs` runs the examples in check mode and compares the results.
//!
//! In these files, `# NAME` begins a module. Its fenced blocks are the examples; `needs=PROGRAM` after the fence names
//! a program that the host must have, `play` marks plays instead of tasks. Lines `` - `NAME` (TYPE): TEXT `` are the
//! results; `- *NAME*` inserts those below the heading `# *NAME*`. Anything else is shown as it is.

use serde_json::{Map, Value as Json, json};

/// All files.
const FILES: [&str; 11] = [
    include_str!("modules/accounts.md"),
    include_str!("modules/commands.md"),
    include_str!("modules/common.md"),
    include_str!("modules/controller.md"),
    include_str!("modules/docker.md"),
    include_str!("modules/facts.md"),
    include_str!("modules/files.md"),
    include_str!("modules/kernel.md"),
    include_str!("modules/network.md"),
    include_str!("modules/packages.md"),
    include_str!("modules/services.md"),
];

/// Other names of modules, and the documented one.
const OTHER_NAMES: [(&str, &str); 3] = [("dnf5", "dnf"), ("yum", "dnf"), ("systemd", "systemd_service")];

/// The content of a module's section.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Examples {
    /// YAML; several examples are separated by empty lines.
    pub examples: String,
    /// Name, type and description of each result.
    pub results: Vec<(&'static str, &'static str, &'static str)>,
    /// Sentences about the results.
    pub remarks: String,
}

impl Examples {
    /// Those of a module, by its short name; `None` if there are none.
    pub(super) fn of(module: &str) -> Option<Self> {
        let documented = OTHER_NAMES.iter().find(|(other, _)| *other == module).map_or(module, |(_, name)| name);
        let read = Examples::read(section(documented)?);
        Some(match documented == module {
            true => read,
            false => Examples { examples: renamed(&read.examples, documented, module), ..read },
        })
    }

    fn read(section: &'static str) -> Self {
        let mut found = Examples::default();
        let mut in_block = false;
        for line in section.lines() {
            if line.starts_with("```") {
                in_block = !in_block;
                if in_block && !found.examples.is_empty() {
                    found.examples.push('\n');
                }
            } else if in_block {
                found.examples.push_str(line);
                found.examples.push('\n');
            } else if let Some(result) = line.strip_prefix("- ") {
                match one_result(result) {
                    Some(result) => found.results.push(result),
                    None => found.results.extend(section_results(result)),
                }
            } else if !line.is_empty() {
                found.remarks.push_str(line);
                found.remarks.push('\n');
            }
        }
        found
    }

    /// In the format of documentation in files.
    pub(super) fn returns(&self) -> Json {
        let one = |(name, kind, text): &(&str, &str, &str)| {
            ((*name).to_owned(), json!({ "description": [text], "type": kind, "returned": "when it applies" }))
        };
        self.results.iter().map(one).collect::<Map<_, _>>().into()
    }
}

/// The results that `*NAME*` inserts.
fn section_results(name: &str) -> Vec<(&'static str, &'static str, &'static str)> {
    section(name)
        .map(|text| text.lines().filter_map(|line| one_result(line.strip_prefix("- ")?)).collect())
        .unwrap_or_default()
}

/// `` `NAME` (TYPE): TEXT ``
fn one_result(line: &'static str) -> Option<(&'static str, &'static str, &'static str)> {
    let (name, rest) = line.strip_prefix('`')?.split_once("` (")?;
    let (kind, text) = rest.split_once("): ")?;
    Some((name, kind, text))
}

/// The text below a heading.
fn section(name: &str) -> Option<&'static str> {
    FILES.iter().find_map(|file| {
        file.split("\n# ").find_map(|section| {
            let (heading, text) = section.split_once('\n')?;
            (heading.trim_start_matches("# ") == name).then_some(text)
        })
    })
}

/// Examples of `old` with the module's name `new`.
fn renamed(examples: &str, old: &str, new: &str) -> String {
    let line = |line: &str| match line.trim() == format!("{old}:") {
        true => line.replace(old, new),
        false => line.to_owned(),
    };
    examples.lines().map(|text| line(text) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use rplay::plan::Action;

    use super::*;

    #[test]
    fn every_module_has_examples_and_results() {
        rplay_modules::registry::install();
        for action in Action::all() {
            let name = action.name();
            let found = Examples::of(name).unwrap_or_else(|| panic!("nothing is written of {name}"));
            assert!(found.examples.contains(&format!("{name}:")), "{name}");
            assert!(!found.results.is_empty() || !found.remarks.is_empty(), "{name}");
            assert!(found.results.iter().all(|(_, _, text)| text.ends_with('.')), "{name}: {:?}", found.results);
        }
    }

    #[test]
    fn every_section_is_of_a_module() {
        rplay_modules::registry::install();
        for file in FILES {
            let headings = file.lines().filter_map(|line| line.strip_prefix("# "));
            let headings: Vec<&str> = headings.filter(|name| !name.starts_with('*') && !name.contains(' ')).collect();
            assert!(headings.is_sorted(), "{headings:?}");
            for name in headings {
                assert!(Action::find(name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn a_section_is_read() {
        let read = Examples::of("tempfile").unwrap();
        assert!(read.examples.starts_with("- name: A directory to work in\n  tempfile:\n"), "{}", read.examples);
        assert!(read.results.contains(&("path", "str", "The file.")), "{:?}", read.results);
        assert!(Examples::of("yum").unwrap().examples.contains("\n  yum:\n"));
        assert_eq!(read.returns()["path"]["type"], "str");
    }
}
