//! docker_image_info: the Engine's information about images.

use rplay_wire::{Failure, Value};
use serde_json::Value as Json;

use super::{
    engine::{Engine, EngineArgs},
    image_name::ImageName,
    pull::LocalImage,
};
use crate::{Host, Module, Plan, args, argtypes::Text};

args! {
    /// Returns information about images: the named ones, or all.
    pub struct DockerImageInfo {
        ..engine: EngineArgs,
        /// Names or IDs. Missing images are omitted from the result.
        name: Option<Vec<Text>>,
    }
}

impl Module for DockerImageInfo {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let Some(engine) = Engine::reach_softly(host, &self.engine)? else {
            return Ok(super::nothing_yet(Plan::unchanged().set("images", Value::List(Vec::new()))));
        };
        let names = match self.name {
            Some(names) => names,
            None => {
                let all = engine.get("/images/json")?;
                let ids = all.as_array().into_iter().flatten().filter_map(|image| image.get("Id")?.as_str());
                ids.map(str::to_owned).collect()
            }
        };
        let mut images = Vec::new();
        for name in names {
            let name = ImageName::parse(&name, None).map_or(name, |name| name.to_string());
            images.extend(LocalImage::find(&engine, &name)?.map(|image: LocalImage| -> Json { image.inspect }));
        }
        Ok(Plan::unchanged().set("images", images.into_iter().map(Value::from).collect::<Vec<_>>()))
    }
}
