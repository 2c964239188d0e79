//! The documentation of roles: their entry points and arguments.

use std::{
    collections::BTreeMap,
    fmt::Write,
    path::{Path, PathBuf},
};

use rplay::docs::{Library, RoleDocumentation, plain, roles_in};
use serde_json::{Map, Value as Json, json};

use super::{
    doc_output::{DocOutput, pretty},
    page,
};
use crate::{args::doc::DocArgs, output};

/// The roles that can be found.
pub(super) struct Roles<'a> {
    library: &'a Library,
    directories: &'a [PathBuf],
}

impl<'a> Roles<'a> {
    pub(super) fn new(library: &'a Library, directories: &'a [PathBuf]) -> Self {
        Roles { library, directories }
    }

    /// All roles, or those of some collections, by name; those found first win.
    fn all(&self, only: &[String]) -> BTreeMap<String, Result<RoleDocumentation, String>> {
        let mut found = BTreeMap::new();
        if only.is_empty() {
            for directory in self.directories {
                for (name, path) in roles_in(directory) {
                    found
                        .entry(name.clone())
                        .or_insert_with(|| RoleDocumentation::read(&path, &name, "", absolute(&path)));
                }
            }
        }
        for collection in self.library.installed().into_iter().filter(|name| only.is_empty() || only.contains(name)) {
            let Some(at) = self.library.collections.find(&collection) else { continue };
            for (name, path) in roles_in(&at.path.join("roles")) {
                let name = format!("{collection}.{name}");
                let read = RoleDocumentation::read(&path, &name, &collection, absolute(&at.path));
                found.entry(name).or_insert(read);
            }
        }
        found
    }

    /// A list of roles with their entry points.
    pub(super) fn list(&self, only: &[String], as_json: bool, columns: usize) -> DocOutput {
        let all = self.all(only);
        let mut listed = Map::new();
        let mut text = String::new();
        let read = all.values().filter_map(|role| role.as_ref().ok());
        let width = read.flat_map(|role| role.entry_points.keys()).map(String::len).max().unwrap_or_default();
        for (name, role) in all {
            let role = role.map_err(|why| (why, 1))?;
            let points = role.entry_points.iter().map(|(point, spec)| {
                let short = spec.get("short_description").and_then(Json::as_str).unwrap_or("UNDOCUMENTED");
                (point.clone(), Json::from(short))
            });
            let points: Map<String, Json> = points.collect();
            let _ = if points.is_empty() { writeln!(text, "{name}") } else { writeln!(text, "{name}:\n  specs:") };
            for (point, short) in &points {
                let room = columns.saturating_sub(width + 6);
                let _ = writeln!(
                    text,
                    "    {point:width$}: {}",
                    output::shortened(&plain(short.as_str().unwrap_or_default()), room)
                );
            }
            let mut entry = json!({ "description": role.summary, "entry_points": points });
            if let (Json::Object(fields), false) = (&mut entry, role.collection.is_empty()) {
                fields.insert("collection".to_owned(), role.collection.into());
            }
            listed.insert(name, entry);
        }
        Ok(if as_json { pretty(&listed.into()) } else { text })
    }

    /// The named roles, or one of their entry points.
    pub(super) fn shown(&self, args: &DocArgs, columns: usize) -> DocOutput {
        let all = self.all(&[]);
        let mut found = Map::new();
        let mut text = String::new();
        for name in &args.names {
            let Some(role) = all.get(name) else {
                output::aside(&format!("[WARNING]: {name} was not found\n"));
                continue;
            };
            let role = match role {
                Ok(role) => role,
                Err(why) if args.no_fail_on_errors => {
                    output::aside(&format!("[WARNING]: {name}: {why}\n"));
                    continue;
                }
                Err(why) => return Err((why.clone(), 1)),
            };
            let mut points: Vec<(&String, &Json)> = role.entry_points.iter().collect();
            points.retain(|(point, _)| args.entry_point.as_ref().is_none_or(|wanted| wanted == *point));
            if points.is_empty() {
                continue;
            }
            let _ = writeln!(text, "> ROLE: *{name}* ({})\n", role.path.display());
            let pages: Vec<String> = points
                .iter()
                .filter_map(|(point, spec)| Some(page::entry_point(point, spec.as_object()?, columns)))
                .collect();
            text.push_str(&pages.join("\n"));
            let points: Map<String, Json> =
                points.into_iter().map(|(point, spec)| (point.clone(), spec.clone())).collect();
            found.insert(name.clone(), entry(role, points));
        }
        Ok(if args.json { pretty(&found.into()) } else { text })
    }

    /// All roles, for tools.
    pub(super) fn dump(&self, only: &[String], with_errors: bool) -> Result<Json, (String, u8)> {
        let mut found = Map::new();
        for (name, role) in self.all(only) {
            match role {
                Ok(role) if role.entry_points.is_empty() => {}
                Ok(role) => drop(found.insert(name, entry(&role, role.entry_points.clone()))),
                Err(why) if with_errors => drop(found.insert(name, json!({ "error": why }))),
                Err(why) => return Err((why, 1)),
            }
        }
        Ok(found.into())
    }
}

fn entry(role: &RoleDocumentation, points: Map<String, Json>) -> Json {
    let collection = Some(&role.collection).filter(|name| !name.is_empty());
    json!({ "collection": collection, "entry_points": points, "path": role.path.display().to_string() })
}

/// The absolute path.
pub(super) fn absolute(path: &Path) -> PathBuf {
    PathBuf::from(rplay::source::absolute(path))
}
