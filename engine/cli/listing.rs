//! `--list-hosts`, `--list-tasks`, `--list-tags`: what would be run, as Ansible lists it.

use std::{collections::BTreeSet, fmt::Write, path::PathBuf, sync::Arc};

use rplay::{
    inventory::{Inventory, Matched, Pattern},
    plan::{Play, Settings, Statement, Step},
    source::Problems,
    visible::visible,
};

use crate::args::run::RunArgs;

/// Prints the requested lists; for `--syntax-check` only the names of the playbooks.
pub(crate) fn show(
    args: &RunArgs,
    is_text: bool,
    playbooks: &[(PathBuf, Vec<Arc<Play>>)],
    inventory: &Inventory,
    allowed: Option<&Matched>,
) -> Result<(), Problems> {
    let mut out = String::new();
    // For a module without a playbook, only the hosts.
    if is_text {
        for play in playbooks.iter().flat_map(|(_, plays)| plays) {
            // A subscript beyond the last host matches none.
            let pattern = Pattern::parse(&words(&play.hosts).join(","))?;
            let matched = inventory.matching(&pattern, allowed).unwrap_or_default();
            for warning in &matched.warnings {
                crate::output::aside(&format!("[WARNING]: {}\n", visible(warning)));
            }
            if matched.hosts.is_empty() {
                crate::output::aside("[WARNING]: No hosts matched, nothing to do\n");
            }
            list_hosts(&mut out, "  ", &matched);
        }
        return crate::output::show(visible(&out).as_bytes());
    }
    let mut warned = BTreeSet::new();
    for (path, plays) in playbooks {
        let _ = writeln!(out, "\nplaybook: {}", path.display());
        if args.syntax_check {
            continue;
        }
        for (number, play) in plays.iter().enumerate() {
            let hosts = words(&play.hosts);
            let pattern = hosts.join(",");
            let name = play.name.as_ref().map(|name| words(name).join(",")).unwrap_or_else(|| pattern.clone());
            let tags = tag_list(&play.settings);
            let is_template = pattern.contains("{{");
            let matched = match !is_template || args.list_hosts {
                true => Some(inventory.matching(&Pattern::parse(&pattern)?, allowed)?),
                false => None,
            };
            if let Some(matched) = matched.as_ref().filter(|_| !is_template) {
                for warning in matched.warnings.iter().filter(|warning| warned.insert((*warning).clone())) {
                    crate::output::aside(&format!("[WARNING]: {}\n", visible(warning)));
                }
            }
            let _ = writeln!(out, "\n  play #{} ({pattern}): {name}\tTAGS: [{}]", number + 1, tags.join(", "));
            if let Some(matched) = matched.filter(|_| args.list_hosts) {
                let quoted: Vec<String> = hosts.iter().map(|host| format!("'{host}'")).collect();
                let _ = writeln!(out, "    pattern: [{}]", quoted.join(", "));
                list_hosts(&mut out, "    ", &matched);
            }
            let mut all_tags = BTreeSet::new();
            if args.list_tasks {
                let _ = writeln!(out, "    tasks:");
            }
            each_task(&play.steps, &mut |task| {
                let tags: BTreeSet<String> = task.tags.iter().cloned().collect();
                let tags: Vec<String> = tags.into_iter().collect();
                all_tags.extend(tags.iter().cloned());
                if args.list_tasks {
                    // Like Ansible, the role precedes the task's name, unless that includes another role.
                    let includes = task.action.statement() == Some(Statement::IncludeRole);
                    let name = match (&task.name, task.role.as_ref().filter(|_| !includes)) {
                        (Some(name), Some(role)) => format!("{} : {}", role.name, words(name).join(",")),
                        (Some(name), None) => words(name).join(","),
                        (None, _) => task.written.to_string(),
                    };
                    let _ = writeln!(out, "      {name}\tTAGS: [{}]", tags.join(", "));
                }
            });
            if args.list_tags {
                let all: Vec<String> = all_tags.into_iter().collect();
                let _ = writeln!(out, "      TASK TAGS: [{}]", all.join(", "));
            }
        }
    }
    crate::output::show(visible(&out).as_bytes())
}

fn list_hosts(out: &mut String, margin: &str, matched: &Matched) {
    let _ = writeln!(out, "{margin}hosts ({}):", matched.hosts.len());
    for host in &matched.hosts {
        let _ = writeln!(out, "{margin}  {host}");
    }
}

/// Calls `found` with the tasks that Ansible lists: none of `rescue` and `always`.
fn each_task(steps: &[Step], found: &mut dyn FnMut(&rplay::plan::Task)) {
    for step in steps {
        match step {
            Step::Task(task) => found(task),
            Step::Block(block) => each_task(&block.body, found),
            Step::Role(role) => each_task(&role.steps, found),
            Step::Flush => {}
        }
    }
}

/// The value of a keyword: constants as they are, templates unrendered.
fn words(field: &rplay::plan::Field) -> Vec<String> {
    match field.value.data() {
        Some(value) if value.as_str().is_none() => match value.try_iter() {
            Ok(items) => items.map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect(),
            Err(_) => vec![value.to_string()],
        },
        Some(value) => vec![value.as_str().unwrap_or_default().to_owned()],
        None => vec![field.span.text().trim_matches(['"', '\'']).to_owned()],
    }
}

fn tag_list(settings: &Settings) -> Vec<String> {
    let tags: BTreeSet<String> = settings.tags.iter().flat_map(words).collect();
    tags.into_iter().collect()
}
