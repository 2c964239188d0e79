//! docker_image_pull: pulls an image from a registry.

use rplay_wire::Failure;

use super::{
    engine::EngineArgs,
    image::{DockerImage, PullArgs, Source},
    nested::Nested,
};
use crate::{
    ArgError, Host, Module, Plan, args,
    argtypes::{Flag, PresentAbsent as State, Text},
    choice,
};

choice! {
    pub enum When {
        Always = "always",
        NotPresent = "not_present",
    }
}

args! {
    /// Pulls an image if the registry has a different one than the host.
    pub struct DockerImagePull {
        ..engine: EngineArgs,
        /// The name of the image, with or without a tag.
        name: Text,
        /// The tag, if the name has none.
        tag: Text = "latest".to_owned(),
        /// The platform to request from the registry.
        platform: Option<Text>,
        /// Whether to query the registry if an image of that name is present.
        pull: When = When::Always,
    }
}

impl DockerImagePull {
    fn image(self) -> DockerImage {
        DockerImage {
            engine: self.engine,
            name: self.name,
            tag: self.tag,
            source: Some(Source::Pull),
            load_path: None,
            force_source: Flag(self.pull == When::Always),
            pull: self.platform.map(|platform| Nested(PullArgs { platform: Some(platform) })),
            repository: None,
            force_tag: Flag(false),
            push: Flag(false),
            force_absent: Flag(false),
            state: State::Present,
        }
    }
}

impl Module for DockerImagePull {
    fn check(&self) -> Result<(), ArgError> {
        self.clone().image().check()
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        self.image().plan(host)
    }
}
