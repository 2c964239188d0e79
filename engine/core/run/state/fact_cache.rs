//! Facts that are kept between runs (`fact_caching`): what hosts reported, and what `set_fact` made `cacheable`.
//!
//! `jsonfile` is native; every other cache plugin is called in Python. What comes from a cache has the bounds of facts
//! from a host.

use std::{collections::HashMap, sync::Arc};

use indexmap::IndexMap;
use parking_lot::Mutex;
use serde_json::{Map, Value as Json, json};

use crate::{
    plan::Project,
    run::{options::FactCaching, state::json_facts::JsonFacts},
    template::Exchange,
    vars::Value,
};

/// The cache of a run.
pub(crate) struct FactCache {
    store: Store,
    /// All cached facts of the hosts seen so far, as [`Exchange`] has them.
    known: Mutex<HashMap<Arc<str>, Map<String, Json>>>,
}

enum Store {
    Json(JsonFacts),
    Plugin { name: String, project: Arc<Project> },
}

impl FactCache {
    /// Opens the cache.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) fn open(settings: &FactCaching, project: &Arc<Project>) -> Result<Self, String> {
        let store = match settings.plugin.as_str() {
            "jsonfile" => Store::Json(JsonFacts::open(settings)?),
            name => {
                project.finder().ask("facts.load", json!({ "name": name }))?;
                Store::Plugin { name: name.to_owned(), project: project.clone() }
            }
        };
        Ok(FactCache { store, known: Mutex::default() })
    }

    /// The cached facts of a host, with the names of their variables.
    ///
    /// # Errors
    /// They cannot be read.
    pub(crate) fn recall(&self, host: &Arc<str>) -> Result<IndexMap<Arc<str>, Value>, String> {
        let mut known = self.known.lock();
        let facts = self.of(host, &mut known)?;
        let exchange = Exchange::default();
        facts.iter().map(|(name, value)| Ok((name.as_str().into(), exchange.decode(value.clone())?))).collect()
    }

    /// Adds facts of a host, by the names of their variables.
    ///
    /// # Errors
    /// They cannot be cached.
    pub(crate) fn add(
        &self,
        host: &Arc<str>,
        facts: impl IntoIterator<Item = (Arc<str>, Value)>,
    ) -> Result<(), String> {
        let mut known = self.known.lock();
        // What cannot be read is replaced.
        let _ = self.of(host, &mut known);
        let all = known.entry(host.clone()).or_default();
        let mut exchange = Exchange::default();
        for (name, value) in facts {
            let value =
                exchange.encode(&value).map_err(|why| format!("the fact {name} of {host} is not cached: {why}"))?;
            all.insert(name.to_string(), value);
        }
        match &self.store {
            Store::Json(files) => files.set(host, all),
            Store::Plugin { name, project } => {
                let with = json!({ "name": name, "of": &**host, "facts": all });
                project.finder().ask("facts.set", with).map(|_| ())
            }
        }
    }

    /// Removes the facts of a host.
    ///
    /// # Errors
    /// They cannot be removed.
    pub(crate) fn forget(&self, host: &Arc<str>) -> Result<(), String> {
        let mut known = self.known.lock();
        known.insert(host.clone(), Map::new());
        match &self.store {
            Store::Json(files) => files.remove(host),
            Store::Plugin { name, project } => {
                project.finder().ask("facts.delete", json!({ "name": name, "of": &**host })).map(|_| ())
            }
        }
    }

    fn of<'k>(
        &self,
        host: &Arc<str>,
        known: &'k mut HashMap<Arc<str>, Map<String, Json>>,
    ) -> Result<&'k Map<String, Json>, String> {
        if !known.contains_key(host) {
            let facts = match &self.store {
                Store::Json(files) => files.get(host)?,
                Store::Plugin { name, project } => {
                    match project.finder().ask("facts.get", json!({ "name": name, "of": &**host }))? {
                        Json::Object(facts) => facts,
                        _ => Map::new(),
                    }
                }
            };
            known.insert(host.clone(), facts);
        }
        Ok(known.entry(host.clone()).or_default())
    }
}
