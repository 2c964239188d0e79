//! `--list-hosts`, `--list-tasks`, `--list-tags`: what would be run, as Ansible lists it.

use std::{collections::BTreeSet, fmt::Write, path::PathBuf, sync::Arc};

use rplay::{
    inventory::{Inventory, Matched, Pattern},
    plan::{Play, PlayHead, Resolver, Settings, Step, words_written, written},
    source::Problems,
    vars::{Value, mapping},
    visible::visible,
};

use crate::args::run::RunArgs;

/// The names and hosts of all plays, in order: what is wrong with one comes before the lists.
pub(crate) fn heads(
    playbooks: &[(PathBuf, Vec<Arc<Play>>)],
    inventory: &Inventory,
    resolver: &Resolver,
) -> Result<Vec<PlayHead>, Problems> {
    let members = |group: &str| inventory.hosts_of(group).into_iter().map(Value::from).collect::<Value>();
    let groups: Value = mapping(inventory.groups().map(|group| (group.name.clone(), members(&group.name))));
    playbooks.iter().flat_map(|(_, plays)| plays).map(|play| resolver.head(play, groups.clone())).collect()
}

/// Prints the requested lists; for `--syntax-check` only the names of the playbooks.
pub(crate) fn show(
    args: &RunArgs,
    is_text: bool,
    playbooks: &[(PathBuf, Vec<Arc<Play>>)],
    inventory: &Inventory,
    allowed: Option<&Matched>,
    heads: Vec<PlayHead>,
) -> Result<(), Problems> {
    let mut out = String::new();
    // For a module without a playbook, only the hosts.
    if is_text {
        for play in playbooks.iter().flat_map(|(_, plays)| plays) {
            // A subscript beyond the last host matches none.
            let pattern = Pattern::parse(&written(&play.hosts))?;
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
    let mut heads = heads.into_iter();
    let mut warned = BTreeSet::new();
    for (path, plays) in playbooks {
        let _ = writeln!(out, "\nplaybook: {}", path.display());
        if args.syntax_check {
            continue;
        }
        for (number, (play, PlayHead { name, hosts })) in plays.iter().zip(heads.by_ref()).enumerate() {
            let pattern = hosts.join(",");
            let tags = tag_list(&play.settings);
            let matched = inventory.matching(&Pattern::of(&hosts)?, allowed)?;
            for warning in matched.warnings.iter().filter(|warning| warned.insert((*warning).clone())) {
                crate::output::aside(&format!("[WARNING]: {}\n", visible(warning)));
            }
            let _ = writeln!(out, "\n  play #{} ({pattern}): {name}\tTAGS: [{}]", number + 1, tags.join(","));
            if args.list_hosts {
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
                    let name = match (&task.name, task.role_shown()) {
                        (Some(name), Some(role)) => format!("{} : {}", role.name, written(name)),
                        (Some(name), None) => written(name),
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

fn tag_list(settings: &Settings) -> Vec<String> {
    let tags: BTreeSet<String> = settings.tags.iter().flat_map(words_written).collect();
    tags.into_iter().collect()
}
