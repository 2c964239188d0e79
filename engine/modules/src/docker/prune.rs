//! docker_prune: removes unused objects.

use std::time::UNIX_EPOCH;

use rplay_wire::{Failure, Map, Value};
use serde_json::{Value as Json, json};

use super::{
    engine::{Engine, EngineArgs, Version},
    units::Span,
};
use crate::system::machine;
use crate::{ArgError, Change, Host, Module, Plan, args, args::ArgType, argtypes::Flag};

/// From this version on, only anonymous volumes are pruned, unless `all` is among the filters.
const NAMELESS_VOLUMES: Version = Version(1, 42);

/// Filters by name with their values: `{"label": ["a=b"], "until": "24h"}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filters(Vec<(String, Vec<String>)>);

impl ArgType for Filters {
    const KIND: &'static str = "dict";

    fn parse(value: &Value) -> Result<Self, String> {
        let filters = Map::parse(value)?.into_iter().map(|(name, value)| match value {
            Value::Bool(on) => Ok((name, vec![on.to_string()])),
            Value::List(values) => Ok((name, values.iter().map(String::parse).collect::<Result<_, _>>()?)),
            value => Ok((name, vec![String::parse(&value)?])),
        });
        filters.collect::<Result<_, String>>().map(Filters)
    }
}

impl Filters {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).and_then(|(_, values)| values.first()).map(String::as_str)
    }

    /// The Engine's format.
    fn json(&self) -> Json {
        Json::Object(self.0.iter().map(|(name, values)| (name.clone(), json!(values))).collect())
    }

    /// The label filters, which lists support too, together with others.
    fn for_list(&self, more: &[(&str, Json)]) -> String {
        let mut all = json!({});
        for (name, values) in self.0.iter().filter(|(name, _)| name.starts_with("label")) {
            all[name.as_str()] = json!(values);
        }
        for (name, values) in more {
            all[*name] = values.clone();
        }
        all.to_string()
    }

    /// The maximum creation time, in seconds since 1970.
    fn until(&self) -> Result<Option<i64>, String> {
        let Some(text) = self.get("until") else { return Ok(None) };
        let now = machine::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64);
        match (Span::parse(&text.into()), text.parse()) {
            (Ok(Span(nanos)), _) => Ok(Some(now - nanos / 1_000_000_000)),
            (_, Ok(seconds)) => Ok(Some(seconds)),
            _ => Err(format!("has an `until` that is neither a duration such as 24h nor seconds since 1970: `{text}`")),
        }
    }
}

args! {
    /// Removes unused objects: stopped containers, images, networks, volumes, the build cache.
    pub struct DockerPrune {
        ..engine: EngineArgs,
        /// Remove stopped containers.
        containers: Flag = Flag(false),
        /// Filters: `until`, `label`, `label!`.
        containers_filters: Filters = Filters::default(),
        /// Remove untagged images, or with `dangling: false` all unused ones.
        images: Flag = Flag(false),
        /// Filters: `dangling`, `until`, `label`, `label!`.
        images_filters: Filters = Filters::default(),
        /// Remove networks without containers.
        networks: Flag = Flag(false),
        /// Filters: `label`, `label!`.
        networks_filters: Filters = Filters::default(),
        /// Remove unused volumes.
        volumes: Flag = Flag(false),
        /// Filters: `label`, `label!`, `all`.
        volumes_filters: Filters = Filters::default(),
        /// Remove the build cache.
        builder_cache: Flag = Flag(false),
    }
}

impl Module for DockerPrune {
    fn check(&self) -> Result<(), ArgError> {
        let all = [
            ("containers_filters", &self.containers_filters, &["until", "label", "label!"][..]),
            ("images_filters", &self.images_filters, &["dangling", "until", "label", "label!"]),
            ("networks_filters", &self.networks_filters, &["label", "label!"]),
            ("volumes_filters", &self.volumes_filters, &["label", "label!", "all"]),
        ];
        for (arg, filters, known) in all {
            if let Some((name, _)) = filters.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
                return Err(ArgError::new(arg, format!("does not support the filter `{name}`"))
                    .help(format!("use {}", known.join(", "))));
            }
            filters.until().map_err(|why| ArgError::new(arg, why))?;
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let Some(engine) = Engine::reach_softly(host, &self.engine)? else {
            return Ok(super::without_engine("prune"));
        };
        let mut plan = Plan::unchanged();
        let mut prune =
            |what: &'static str, path: &'static str, filters: Json, found: Vec<String>, list: &'static str| {
                if found.is_empty() {
                    plan.data.insert(what.to_owned(), Value::List(Vec::new()));
                    return;
                }
                let engine = engine.clone();
                plan.changes.push(Change::new(format!("prune {what}: {}", found.join(", ")), move |_, data| {
                    let request = engine.request("POST", format!("{path}/prune")).query("filters", filters.to_string());
                    let response = request.patiently().json()?;
                    data.insert(what.to_owned(), response.get(list).cloned().unwrap_or(json!([])).into());
                    if let Some(bytes) = response.get("SpaceReclaimed") {
                        data.insert(format!("{what}_space_reclaimed"), bytes.clone().into());
                    }
                    Ok(())
                }));
            };
        if self.containers.0 {
            let filters = &self.containers_filters;
            prune("containers", "/containers", filters.json(), stopped(&engine, filters)?, "ContainersDeleted");
        }
        if self.images.0 {
            let filters = &self.images_filters;
            prune("images", "/images", filters.json(), unused_images(&engine, filters)?, "ImagesDeleted");
        }
        if self.networks.0 {
            let filters = &self.networks_filters;
            let only = filters.for_list(&[("dangling", json!(["true"]))]);
            let list = engine.request("GET", "/networks").query("filters", only).json()?;
            prune("networks", "/networks", filters.json(), names(&list, "Name"), "NetworksDeleted");
        }
        if self.volumes.0 {
            let filters = &self.volumes_filters;
            prune("volumes", "/volumes", filters.json(), unused_volumes(&engine, filters)?, "VolumesDeleted");
        }
        if self.builder_cache.0 {
            let usage = engine.request("GET", "/system/df").patiently().json()?;
            let cached = usage.get("BuildCache").and_then(Json::as_array).cloned().unwrap_or_default();
            let idle: Vec<_> = cached.into_iter().filter(|entry| entry.get("InUse") == Some(&json!(false))).collect();
            prune("builder_cache", "/build", json!({}), names(&Json::Array(idle), "ID"), "CachesDeleted");
        }
        Ok(super::with_actions(plan))
    }
}

fn names(list: &Json, key: &str) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| Some(item.get(key)?.as_str()?.to_owned())).collect()
}

/// Whether something was created early enough; both in seconds since 1970.
fn early_enough(item: &Json, until: Option<i64>) -> bool {
    until.is_none_or(|until| item.get("Created").and_then(Json::as_i64).is_some_and(|made| made < until))
}

fn stopped(engine: &Engine, filters: &Filters) -> Result<Vec<String>, Failure> {
    let only = filters.for_list(&[("status", json!(["created", "exited", "dead"]))]);
    let list = engine.request("GET", "/containers/json").query("all", "true").query("filters", only).json()?;
    let until = filters.until().map_err(Failure::new)?;
    let found = list.as_array().into_iter().flatten().filter(|item| early_enough(item, until));
    let name = |item: &Json| Some(item.pointer("/Names/0")?.as_str()?.trim_start_matches('/').to_owned());
    Ok(found.filter_map(name).collect())
}

fn unused_images(engine: &Engine, filters: &Filters) -> Result<Vec<String>, Failure> {
    let nameless = filters.get("dangling").is_none_or(|text| matches!(text, "true" | "1"));
    let only = if nameless { vec![("dangling", json!(["true"]))] } else { Vec::new() };
    let list = engine.request("GET", "/images/json").query("filters", filters.for_list(&only)).json()?;
    let containers = engine.request("GET", "/containers/json").query("all", "true").json()?;
    let used = names(&containers, "ImageID");
    let until = filters.until().map_err(Failure::new)?;
    let free = list.as_array().into_iter().flatten().filter(|item| early_enough(item, until));
    let free = free.filter_map(|item| Some((item, item.get("Id")?.as_str()?)));
    let free = free.filter(|(_, id)| !used.iter().any(|used| used == id));
    let name = |(item, id): (&Json, &str)| match item.pointer("/RepoTags/0").and_then(Json::as_str) {
        Some(tag) if tag != "<none>:<none>" => tag.to_owned(),
        _ => id.chars().skip("sha256:".len()).take(12).collect(),
    };
    Ok(free.map(name).collect())
}

fn unused_volumes(engine: &Engine, filters: &Filters) -> Result<Vec<String>, Failure> {
    let only = filters.for_list(&[("dangling", json!(["true"]))]);
    let list = engine.request("GET", "/volumes").query("filters", only).json()?;
    let named_stay = engine.version() >= NAMELESS_VOLUMES && !matches!(filters.get("all"), Some("true" | "1"));
    let found = list.get("Volumes").and_then(Json::as_array).into_iter().flatten();
    let found = found.filter(|volume| !named_stay || volume.pointer("/Labels/com.docker.volume.anonymous").is_some());
    Ok(found.filter_map(|volume| Some(volume.get("Name")?.as_str()?.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use rplay_wire::data;

    use super::*;
    use crate::Args;

    #[test]
    fn filters_are_lists_of_texts() {
        let map = data! { "dangling" => false, "label" => vec!["a=b", "c"], "until" => "24h" };
        let filters = Filters::parse(&Value::Map(map)).unwrap();
        assert_eq!(filters.json(), json!({"dangling": ["false"], "label": ["a=b", "c"], "until": ["24h"]}));
        assert_eq!(filters.for_list(&[("status", json!(["exited"]))]), r#"{"label":["a=b","c"],"status":["exited"]}"#);
        let until = filters.until().unwrap().unwrap();
        assert!(early_enough(&json!({"Created": until - 1}), Some(until)));
        assert!(!early_enough(&json!({"Created": until + 1}), Some(until)));
    }

    #[test]
    fn filters_that_cannot_be_followed_are_refused() {
        let error = |map| DockerPrune::from_map(&map).unwrap().check().err().map(|error| error.msg).unwrap_or_default();
        let until = |text: &str| data! { "containers_filters" => data! { "until" => text } };
        assert!(error(until("yesterday")).contains("neither a duration"));
        assert_eq!(error(until("10m")), "");
        assert!(
            error(data! { "networks_filters" => data! { "until" => "1h" } })
                .contains("does not support the filter `until`")
        );
    }
}
