//! What a list shows of a play: its name and its hosts, rendered without a run.

use std::sync::Arc;

use super::{
    PlanError, Resolver, statics,
    step::{Field, Play},
};
use crate::{
    source::{Problems, Span},
    template,
    vars::{Layer, Lazy, Value, is_omit, lay_over},
};

/// A play's name and the patterns of its hosts.
pub struct PlayHead {
    pub name: String,
    pub hosts: Vec<String>,
}

impl Resolver {
    /// The name and hosts of a play by what is known before a run: `-e`, the play's `vars` and `vars_files`, the defaults of its
    /// `vars_prompt`, and `groups`, a mapping of the inventory's groups to their hosts.
    ///
    /// # Errors
    /// The hosts cannot be rendered.
    pub fn head(&self, play: &Play, groups: Value) -> Result<PlayHead, Problems> {
        let mut vars = Layer::default();
        // As in Ansible, also those of roles, which the play's tasks see.
        let fields = [Some(&play.hosts), play.name.as_ref()];
        let templated = fields.into_iter().flatten().any(|field| field.value.data().is_none());
        let roles = || play.roles.iter().filter(|role| templated && role.public != Some(false));
        roles().for_each(|role| lay_over(&mut vars, &role.defaults));
        lay_over(&mut vars, &play.static_vars());
        for entry in &play.vars_prompt {
            let default = entry.default.as_ref().map_or(Lazy::Data(().into()), |field| field.value.clone());
            vars.insert(entry.name.clone(), default);
        }
        roles().for_each(|role| lay_over(&mut vars, &role.vars));
        vars.insert("groups".into(), Lazy::Data(groups));
        let scope = self.static_scope(&play.settings, None, &Arc::new(vars), &play.directory);
        let hosts = match template::render(&play.hosts.value, &scope) {
            Ok(value) => value,
            // Only a run knows it.
            Err(_) if template::names_in(&play.hosts.value).iter().any(|name| name == "hostvars") => {
                Value::from(written(&play.hosts))
            }
            Err(error) => {
                // As in ansible-core, a play without a name has that of its hosts, which comes first.
                let name = if play.name.is_some() { "hosts" } else { "name" };
                let reason = error.to_string();
                return Err(PlanError::Keyword { name, reason, at: play.hosts.span.clone() }.into());
            }
        };
        let patterns = host_patterns(&hosts, &play.hosts.span)?;
        let name = match &play.name {
            Some(name) => template::render(&name.value, &scope)
                .map_or_else(|_| written(name), |name| name.as_str().map_or_else(|| name.to_string(), str::to_owned)),
            None => name_of_hosts(&play.hosts, &hosts),
        };
        Ok(PlayHead { name, hosts: patterns })
    }
}

/// The patterns of a play's hosts. None are no hosts, whereas an empty text would be a pattern of all.
///
/// # Errors
/// If one is blank, as in ansible-core.
pub fn host_patterns(hosts: &Value, at: &Span) -> Result<Vec<String>, PlanError> {
    let mut patterns = Vec::new();
    if !is_omit(hosts) {
        statics::words(hosts, &mut patterns);
    }
    if patterns.iter().any(|pattern| pattern.trim().is_empty()) {
        let reason = "Keyword 'hosts' is required, and cannot have empty values.".to_owned();
        return Err(PlanError::Keyword { name: "hosts", reason, at: at.clone() });
    }
    Ok(patterns)
}

/// The name of a play that has none of its own: its hosts as they are written, or rendered, if they are one template.
pub fn name_of_hosts(field: &Field, hosts: &Value) -> String {
    match hosts.as_str() {
        _ if is_omit(hosts) => String::new(),
        Some(text) => text.to_owned(),
        None if matches!(field.value, Lazy::Template(_)) => hosts.to_string(),
        None => written(field),
    }
}

/// A value as it is written, templates unrendered; words of a list are joined by commas.
pub fn written(field: &Field) -> String {
    words_written(field).join(",")
}

/// The words of a value as it is written, templates unrendered.
pub fn words_written(field: &Field) -> Vec<String> {
    let mut words = Vec::new();
    match field.value.written() {
        Some(value) => statics::words(&value, &mut words),
        // An encrypted one.
        None => words.push(field.span.text().to_owned()),
    }
    words
}
