//! What a list shows of a play: its name and its hosts, rendered without a run.

use std::sync::Arc;

use super::{
    PlanError, Resolver, statics,
    step::{Field, Play},
};
use crate::{
    source::Problems,
    template,
    vars::{Layer, Lazy, Value},
};

/// A play's name and the patterns of its hosts.
pub struct PlayHead {
    pub name: String,
    pub hosts: Vec<String>,
}

impl Resolver {
    /// The name and hosts of a play by what is known before a run: `-e`, the play's `vars`, the defaults of its
    /// `vars_prompt`, and `groups`, a mapping of the inventory's groups to their hosts.
    ///
    /// # Errors
    /// The hosts cannot be rendered.
    pub fn head(&self, play: &Play, groups: Value) -> Result<PlayHead, Problems> {
        let mut vars = Layer::clone(&play.vars);
        for entry in &play.vars_prompt {
            let default = entry.default.as_ref().map_or(Lazy::Data(().into()), |field| field.value.clone());
            vars.insert(entry.name.clone(), default);
        }
        vars.insert("groups".into(), Lazy::Data(groups));
        let scope = statics::scope(&self.extra, &play.settings, None, &Arc::new(vars), &play.directory);
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
        let mut patterns = Vec::new();
        statics::words(&hosts, &mut patterns);
        let name = match &play.name {
            Some(name) => template::render(&name.value, &scope)
                .map_or_else(|_| written(name), |name| name.as_str().map_or_else(|| name.to_string(), str::to_owned)),
            None if matches!(play.hosts.value, Lazy::Template(_)) && hosts.as_str().is_none() => hosts.to_string(),
            None if hosts.as_str().is_none() => written(&play.hosts),
            None => patterns.join(","),
        };
        Ok(PlayHead { name, hosts: patterns })
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
