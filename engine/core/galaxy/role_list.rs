//! Shows roles: installed ones, and those on a server.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value as Json;

use super::{Galaxy, GalaxyError, Result, api::Api, roles::InstalledRole};

impl Galaxy {
    /// Lists all roles, or one.
    ///
    /// # Errors
    /// If no role directory exists.
    pub fn list_roles(&self, only: Option<&str>) -> Result<()> {
        let mut missing = Vec::new();
        let mut there = false;
        let mut found = false;
        for place in &self.roles_path {
            if !place.is_dir() {
                let problem = if place.exists() { ", exists, but it is not a directory" } else { " does not exist" };
                missing.push(format!("- the configured path {}{problem}.", place.display()));
                continue;
            }
            there = true;
            let mut names: Vec<String> = match only {
                Some(name) => vec![name.to_owned()],
                None => std::fs::read_dir(place)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .filter_map(|entry| entry.file_name().into_string().ok())
                    .collect(),
            };
            names.sort();
            let roles: Vec<InstalledRole> = names.iter().filter_map(|name| InstalledRole::at(place, name)).collect();
            if roles.is_empty() && only.is_some() {
                continue;
            }
            found |= !roles.is_empty();
            self.say(format!("# {}", place.display()));
            for role in roles {
                let version = Some(role.version()).filter(|version| !version.is_empty());
                self.say(format!("- {}, {}", role.name, version.as_deref().unwrap_or("(unknown version)")));
            }
        }
        missing.into_iter().for_each(|problem| self.warn(problem));
        if !there {
            return Err(GalaxyError::new(
                "- None of the provided paths were usable. Please specify a valid path with --roles-path",
            ));
        }
        if let Some(name) = only.filter(|_| !found) {
            self.warn(format!("- the role {name} was not found"));
        }
        Ok(())
    }

    /// Shows information about roles: installed and, unless `offline`, on the first server.
    ///
    /// # Errors
    /// If the server cannot be queried.
    pub fn role_info(&self, names: &[String], offline: bool) -> Result<()> {
        if names.is_empty() {
            return Err(GalaxyError::new("- you must specify a user/role name"));
        }
        let mut text = String::new();
        for name in names {
            let mut known: BTreeMap<String, Json> = BTreeMap::new();
            let role = self.installed_role(name);
            if let Some(role) = &role {
                known.insert("path".to_owned(), role.path.display().to_string().into());
                let version = role.version();
                known.insert(
                    "installed_version".to_owned(),
                    if version.is_empty() { Json::Null } else { version.into() },
                );
                if let Some(date) = role.install_date() {
                    known.insert("install_date".to_owned(), date.into());
                }
                known.extend(role.meta().as_ref().and_then(Json::as_object).cloned().into_iter().flatten());
            }
            if !offline
                && name.contains('.')
                && let Some(server) = self.servers.first()
            {
                match Api::new(self, server).role(name) {
                    Ok(Some(entry)) => known.extend(entry.json.as_object().cloned().into_iter().flatten()),
                    Ok(None) => {}
                    // The installed role is shown anyway.
                    Err(error) if role.is_some() => self.warn(error.0),
                    Err(error) => return Err(error),
                }
            }
            if known.is_empty() {
                let _ = writeln!(text, "\n- the role {name} was not found");
                continue;
            }
            let description = known.get("description").or_else(|| known.get("galaxy_info")?.get("description"));
            let description = description.and_then(Json::as_str).unwrap_or_default();
            let _ = writeln!(text, "\nRole: {name}\n\tdescription: {description}");
            for (key, value) in known.iter().filter(|(key, _)| *key != "description") {
                match value.as_object() {
                    Some(inner) => {
                        let _ = writeln!(text, "\t{key}:");
                        for (key, value) in inner {
                            let _ = writeln!(text, "\t\t{key}: {}", shown(value));
                        }
                    }
                    None => drop(writeln!(text, "\t{key}: {}", shown(value))),
                }
            }
        }
        text.truncate(text.trim_end().len());
        self.say(text);
        Ok(())
    }

    /// Lists the roles on a server that match all these words; returns whether there are any.
    ///
    /// # Errors
    /// If the server cannot be queried.
    pub fn search_roles(&self, words: &[String], filters: &[(&str, String)]) -> Result<()> {
        if words.is_empty() && filters.is_empty() {
            return Err(GalaxyError::new(
                "Invalid query. At least one search term, platform, galaxy tag or author must be provided.",
            ));
        }
        let server = self.servers.first().ok_or_else(|| GalaxyError::new("no Galaxy server is configured"))?;
        let json = Api::new(self, server).search_roles(words, filters)?;
        let results = json.get("results").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        if results.is_empty() {
            self.warn("No roles match your search.");
            return Ok(());
        }
        let text_of = |entry: &Json, key: &str| entry.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let rows: Vec<(String, String)> = results
            .iter()
            .map(|entry| {
                (format!("{}.{}", text_of(entry, "username"), text_of(entry, "name")), text_of(entry, "description"))
            })
            .collect();
        let count = json.get("count").and_then(Json::as_u64).unwrap_or(rows.len() as u64);
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = format!("\nFound {count} roles matching your search:\n\n");
        let _ = writeln!(text, " {:width$} Description\n {:width$} -----------", "Name", "----");
        for (name, description) in rows {
            let _ = writeln!(text, " {name:width$} {}", description.lines().next().unwrap_or_default());
        }
        text.truncate(text.trim_end().len());
        self.say(text);
        Ok(())
    }
}

/// As Python shows it: text without quotes.
fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => rplay_wire::python_text(&other.clone().into()),
    }
}
