//! docker_volume, docker_volume_info: volumes that outlive their containers.

use rplay_wire::{Failure, Value};
use serde_json::{Value as Json, json};

use super::{
    difference::{Difference, map_differences, reasons},
    engine::{Engine, EngineArgs, encode},
    units::{Options, Texts},
};
use crate::{Change, Host, Module, Plan, args, argtypes::Text, choice};

choice! {
    pub enum State { Present = "present", Absent = "absent" }
}

choice! {
    pub enum Recreate {
        Always = "always",
        Never = "never",
        OptionsChanged = "options-changed",
    }
}

args! {
    /// Makes or removes a volume.
    pub struct DockerVolume {
        ..engine: EngineArgs,
        /// The volume's name.
        volume_name: Text | "name",
        /// What keeps its data.
        driver: Text = "local".to_owned(),
        /// Options of the driver.
        driver_options: Option<Options>,
        /// Labels.
        labels: Option<Texts>,
        /// What to do about a volume of that name with other options. Making it anew loses its data.
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
            move || engine.ask("DELETE", path).json().map(drop)
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
                "volume {name} differs ({}) and is kept as it is; `recreate: options-changed` makes it anew, without its data",
                reasons(&differences)
            ));
        }
        if found.is_none() || anew {
            let what = match anew {
                true if differences.is_empty() => format!("recreate volume {name}"),
                true => format!("recreate volume {name}: {}", reasons(&differences)),
                false => format!("create volume {name}"),
            };
            let body = self.body();
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
    fn options(&self) -> Json {
        self.driver_options.as_ref().map_or_else(|| json!({}), Options::json)
    }

    fn labels(&self) -> Json {
        self.labels.as_ref().map_or_else(|| json!({}), |labels| Options(labels.0.clone()).json())
    }

    fn body(&self) -> Json {
        json!({"Name": self.volume_name, "Driver": self.driver, "DriverOpts": self.options(), "Labels": self.labels()})
    }

    fn differences(&self, found: &Json) -> Vec<Difference> {
        let mut differences = Vec::new();
        if found.get("Driver").and_then(Json::as_str) != Some(&self.driver) {
            differences.push(Difference::new("driver"));
        }
        differences.extend(map_differences("driver_options", &self.options(), found.get("Options")));
        differences.extend(map_differences("labels", &self.labels(), found.get("Labels")));
        differences
    }
}

args! {
    /// Looks a volume up.
    pub struct DockerVolumeInfo {
        ..engine: EngineArgs,
        /// The volume's name.
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
