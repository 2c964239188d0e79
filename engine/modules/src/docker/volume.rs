//! docker_volume, docker_volume_info: named volumes.

use rplay_wire::{Failure, Value};
use serde_json::{Value as Json, json};

use super::{
    difference::{Difference, map_differences, reasons},
    engine::{Engine, EngineArgs, encode},
    network::keep,
    units::{Options, Texts},
};
use crate::{
    Change, Host, Module, Plan, args,
    argtypes::{PresentAbsent as State, Text},
    choice,
};

choice! {
    pub enum Recreate {
        Always = "always",
        Never = "never",
        OptionsChanged = "options-changed",
    }
}

args! {
    /// Creates or removes a volume.
    pub struct DockerVolume {
        ..engine: EngineArgs,
        /// The name of the volume.
        volume_name: Text | "name",
        /// The driver; `local` for a new volume.
        driver: Option<Text>,
        /// Options of the driver.
        driver_options: Option<Options>,
        /// Labels.
        labels: Option<Texts>,
        /// What to do about an existing volume with other options. Recreating it loses its data.
        recreate: Recreate = Recreate::Never,
        /// `present` or `absent`.
        state: State = State::Present,
    }
}

impl Module for DockerVolume {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let name = self.volume_name.clone();
        let Some(engine) = Engine::reach_softly(host, &self.engine)? else {
            let what = format!("{} volume {name}", if self.state == State::Present { "create" } else { "remove" });
            return Ok(super::without_engine(what));
        };
        let path = format!("/volumes/{}", encode(&name));
        let found = engine.find(&path)?;
        let mut plan = Plan::unchanged();
        let remove = {
            let (engine, path) = (engine.clone(), path.clone());
            move || engine.request("DELETE", path).json().map(drop)
        };
        if self.state == State::Absent {
            if found.is_some() {
                plan = plan.change(Change::new(format!("remove volume {name}"), move |_, _| Ok(remove()?)));
            }
            return Ok(plan);
        }
        let differences = found.as_ref().map(|found| self.differences(found)).unwrap_or_default();
        let anew = match self.recreate {
            Recreate::Always => found.is_some(),
            Recreate::OptionsChanged => !differences.is_empty(),
            Recreate::Never => false,
        };
        if !anew && !differences.is_empty() {
            plan = plan.warn(format!(
                "volume {name} differs ({}) and is not changed; set `recreate: options-changed` to recreate it without its data",
                reasons(&differences)
            ));
        }
        if found.is_none() || anew {
            let what = match anew {
                true if differences.is_empty() => format!("recreate volume {name}"),
                true => format!("recreate volume {name}: {}", reasons(&differences)),
                false => format!("create volume {name}"),
            };
            let body = found.as_ref().map_or_else(|| self.body(), |found| self.successor(found));
            let engine = engine.clone();
            plan = plan.change(Change::new(what, move |_, _| {
                if anew {
                    remove()?;
                }
                engine.post("/volumes/create", &body)?;
                Ok(())
            }));
        }
        Ok(super::with_actions(plan).finish(move |_, data| {
            if let Some(volume) = engine.find(path)? {
                data.insert("volume".to_owned(), volume.into());
            }
            Ok(())
        }))
    }
}

impl DockerVolume {
    fn body(&self) -> Json {
        let mut body = json!({"Name": self.volume_name});
        if let Some(driver) = &self.driver {
            body["Driver"] = json!(driver);
        }
        if let Some(options) = &self.driver_options {
            body["DriverOpts"] = options.json();
        }
        if let Some(labels) = &self.labels {
            body["Labels"] = Options(labels.0.clone()).json();
        }
        body
    }

    /// The body for a volume that replaces `found`: what is not given is kept.
    fn successor(&self, found: &Json) -> Json {
        let mut body = self.body();
        keep(&mut body, found, &["Driver", "Labels"]);
        if body.get("Driver") == found.get("Driver") {
            keep(&mut body, &json!({"DriverOpts": found.get("Options")}), &["DriverOpts"]);
        }
        body
    }

    fn differences(&self, found: &Json) -> Vec<Difference> {
        let wanted = self.body();
        let mut differences = Vec::new();
        if wanted.get("Driver").is_some_and(|driver| found.get("Driver") != Some(driver)) {
            differences.push(Difference::new("driver"));
        }
        for (key, there, arg) in [("DriverOpts", "Options", "driver_options"), ("Labels", "Labels", "labels")] {
            let wanted = wanted.get(key).unwrap_or(&Json::Null);
            differences.extend(map_differences(arg, wanted, found.get(there)));
        }
        differences
    }
}

args! {
    /// Returns information about a volume.
    pub struct DockerVolumeInfo {
        ..engine: EngineArgs,
        /// The name of the volume.
        name: Text | "volume_name",
    }
}

impl Module for DockerVolumeInfo {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let Some(engine) = Engine::reach_softly(host, &self.engine)? else {
            return Ok(super::nothing_yet(Plan::unchanged().set("exists", false).set("volume", Value::Null)));
        };
        let found = engine.find(format!("/volumes/{}", encode(&self.name)))?;
        let plan = Plan::unchanged().set("exists", found.is_some());
        Ok(plan.set("volume", found.map_or(Value::Null, Value::from)))
    }
}

#[cfg(test)]
mod tests {
    use rplay_wire::data;

    use super::*;
    use crate::Args;

    #[test]
    fn what_is_not_named_is_neither_compared_nor_lost() {
        let found = json!({"Driver": "nfs", "Options": {"share": "x"}, "Labels": {"a": "1"}});
        let volume = |map| DockerVolume::from_map(&map).unwrap();
        assert_eq!(volume(data! { "name" => "v" }).differences(&found), []);
        let labelled = volume(data! { "name" => "v", "labels" => data! { "b" => "2" } });
        assert_eq!(labelled.differences(&found), [Difference::new("labels.b")]);
        assert_eq!(
            labelled.successor(&found),
            json!({"Name": "v", "Driver": "nfs", "DriverOpts": {"share": "x"}, "Labels": {"b": "2"}})
        );
        let other = volume(data! { "name" => "v", "driver" => "local" }).successor(&found);
        assert_eq!(other, json!({"Name": "v", "Driver": "local", "Labels": {"a": "1"}}));
    }
}
