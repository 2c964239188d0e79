//! Selects the versions to install: the newest compatible ones, found by resolvo.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashSet},
};

use resolvo::{Problem, Solver, UnsolvableOrCancelled, utils::Pool};

use super::{
    Galaxy, GalaxyError, Result,
    api::Api,
    provider::Provider,
    question::{Chosen, Question},
};

/// Selects the versions, dependencies first.
///
/// # Errors
/// If no versions are compatible, with the conflict; or if no server could be queried.
pub(super) fn resolve(galaxy: &Galaxy, apis: &[Api<'_>], question: &Question<'_>) -> Result<Vec<Chosen>> {
    let provider = Provider {
        galaxy,
        apis,
        question,
        pool: Pool::new(),
        details: RefCell::default(),
        edges: RefCell::default(),
        known: RefCell::default(),
        failed: RefCell::default(),
    };
    let mut wanted = Vec::new();
    for (name, range, _) in &question.roots {
        let id = provider.pool.intern_package_name(name.clone());
        wanted.push(provider.pool.intern_version_set(id, range.clone()).into());
        provider.edges.borrow_mut().push((name.clone(), range.clone(), None));
    }
    let mut solver = Solver::new(provider);
    let solved = solver.solve(Problem::new().requirements(wanted));
    if let Some(error) = solver.provider().failed.borrow_mut().take() {
        return Err(error);
    }
    let found = match solved {
        Ok(found) => found,
        Err(UnsolvableOrCancelled::Unsolvable(conflict)) => {
            let why = conflict.display_user_friendly(&solver).to_string();
            return Err(unsolvable(solver.provider(), &why));
        }
        Err(UnsolvableOrCancelled::Cancelled(_)) => {
            return Err(GalaxyError::new("the version search was aborted"));
        }
    };
    let provider = solver.provider();
    let mut by_name = BTreeMap::new();
    for id in found {
        by_name.insert(provider.name(id).clone(), id);
    }
    let mut ordered = Vec::new();
    let mut seen = HashSet::new();
    for (name, ..) in &question.roots {
        provider.after_dependencies(name, &by_name, &mut seen, &mut ordered);
    }
    Ok(ordered)
}

fn unsolvable(provider: &Provider<'_>, why: &str) -> GalaxyError {
    let edges = provider.edges.borrow();
    let known = provider.known.borrow();
    let mut lines = Vec::new();
    let mut names: Vec<&String> = edges.iter().map(|(name, ..)| name).collect();
    names.dedup();
    for name in names {
        let wishes: Vec<_> = edges.iter().filter(|(wanted, ..)| wanted == name).collect();
        let versions = known.get(name).map(Vec::as_slice).unwrap_or_default();
        if versions.iter().any(|version| wishes.iter().all(|(_, range, _)| range.takes(version))) {
            continue;
        }
        for (name, range, from) in wishes {
            let from =
                from.as_ref().map_or_else(|| "direct request".to_owned(), |from| format!("dependency of {from}"));
            let line = format!("* {name}:{range} ({from})");
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    if lines.is_empty() {
        // Only pre-releases would do.
        let direct = edges.iter().filter(|(.., from)| from.is_none());
        lines.extend(direct.map(|(name, range, _)| format!("* {name}:{range} (direct request)")));
    }
    GalaxyError::new(format!(
        "Failed to resolve the requested dependencies map. Could not satisfy the following requirements:\n{}\n\
         Hint: Pre-releases hosted on Galaxy or Automation Hub are not installed by default unless a specific version is \
         requested. To enable pre-releases globally, use --pre.\n{}",
        lines.join("\n"),
        why.trim_end()
    ))
}
