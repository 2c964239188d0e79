//! docker_image: images in the Engine's store.

use std::path::Path;

use rplay_wire::{Failure, Value};
use serde_json::Value as Json;

use super::{
    engine::{Engine, EngineArgs, encode},
    image_name::{ImageName, is_id},
    nested::Nested,
    pull::{LocalImage, pull, push},
};
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, PresentAbsent as State, Text},
    choice,
};

choice! {
    pub enum Source {
        Pull = "pull",
        Load = "load",
        Local = "local",
        Build = "build",
    }
}

args! {
    /// How to pull.
    pub struct PullArgs {
        /// The platform to ask the registry for: `linux/amd64`.
        platform: Option<Text>,
    }
}

args! {
    /// Pulls, loads, tags, pushes or removes an image.
    pub struct DockerImage {
        ..engine: EngineArgs,
        /// The name of the image, with or without a tag, or its ID.
        name: Text,
        /// The tag, if the name has none.
        tag: Text = "latest".to_owned(),
        /// The source of the image: a registry (`pull`), a file (`load`), or already present (`local`). `build` is not
        /// supported.
        source: Option<Source>,
        /// The file to load, in the format of `docker save`.
        load_path: Option<PathArg>,
        /// Get it from its source even if an image of that name is present. For `pull`, the registry is queried whether
        /// it has a newer one.
        force_source: Flag = Flag(false),
        /// How to pull.
        pull: Option<Nested<PullArgs>>,
        /// An additional name for the image, with or without a tag.
        repository: Option<Text>,
        /// Assign that name to this image even if another image has it.
        force_tag: Flag = Flag(false),
        /// Push the image, under `repository` if given, unless the registry already has it.
        push: Flag = Flag(false),
        /// Remove the image even if it has several names or is used by stopped containers.
        force_absent: Flag = Flag(false),
        /// `present` or `absent`.
        state: State = State::Present,
    }
}

impl Module for DockerImage {
    fn check(&self) -> Result<(), ArgError> {
        if self.state == State::Absent {
            return Ok(());
        }
        match self.source {
            None => Err(ArgError::new("source", "`source` is required with `state: present`")
                .help("use `source: pull`, `source: load` or `source: local`")),
            Some(Source::Build) => Err(ArgError::new("source", "building images is not supported")
                .help("use `command: docker build -t NAME PATH`, or build elsewhere, push, and pull here")),
            Some(Source::Load) if self.load_path.is_none() => {
                Err(ArgError::new("load_path", "`load_path` is required with `source: load`"))
            }
            Some(Source::Pull) if is_id(&self.name) => {
                Err(ArgError::new("name", "an image cannot be pulled by its id").help("use its name"))
            }
            Some(_) if self.push.0 && self.target().is_none() => {
                Err(ArgError::new("push", "an image without a name cannot be pushed")
                    .help("set a name with `repository`"))
            }
            Some(_) => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let full = ImageName::parse(&self.name, Some(&self.tag));
        let name = full.as_ref().map_or_else(|| self.name.clone(), ImageName::to_string);
        let Some(engine) = Engine::reach_softly(host, &self.engine)? else {
            return Ok(super::without_engine(match (self.state, self.source) {
                (State::Absent, _) => format!("remove image {name}"),
                (_, Some(Source::Load)) => format!("load image {name}"),
                _ => format!("pull image {name}"),
            }));
        };
        let found = LocalImage::find(&engine, &name)?;
        if self.state == State::Absent {
            let Some(found) = found else { return Ok(Plan::unchanged().set("image", rplay_wire::Map::new())) };
            let force = self.force_absent.0.to_string();
            let plan = Plan::unchanged().set("image", Value::from(found.inspect));
            let what = format!("remove image {name}");
            return Ok(super::with_actions(plan.change(Change::new(what, move |_, _| {
                let request = engine.request("DELETE", format!("/images/{}", encode(&name))).query("force", force);
                request.json()?;
                Ok(())
            }))));
        }
        let mut plan = Plan::unchanged();
        let gets = match (self.source, &found) {
            (Some(Source::Local), None) => {
                plan = plan.assumes(host, format!("the image {name}"), || {
                    Failure::new(format!("image {name} is not on this host")).arg("name")
                })?;
                None
            }
            (Some(Source::Load), found) if found.is_none() || self.force_source.0 => self.load(&engine, &name, host),
            (Some(Source::Pull), found) => match &full {
                Some(full) => self.pull(&engine, full, found.as_ref(), host, &mut plan)?,
                None => None,
            },
            _ => None,
        };
        let anew = gets.is_some();
        plan.changes.extend(gets);
        if let Some(target) = self.repository.as_ref().and_then(|_| self.target()) {
            let there = LocalImage::find(&engine, &target.to_string())?;
            let same = there.as_ref().map(|image| &image.id) == found.as_ref().map(|image| &image.id) && !anew;
            if there.is_none() || (self.force_tag.0 && !same) {
                let (engine, name) = (engine.clone(), name.clone());
                plan = plan.change(Change::new(format!("tag image {name} as {target}"), move |_, _| {
                    let request = engine.request("POST", format!("/images/{}/tag", encode(&name)));
                    request.query("repo", &target.repository).query("tag", &target.tag).json()?;
                    Ok(())
                }));
            }
        }
        if let Some(target) = self.target().filter(|_| self.push.0) {
            let there = if plan.changes.is_empty() { found.as_ref() } else { None };
            // A registry that does not know it, or does not respond until an earlier task has run.
            let known = there.is_some_and(|image| image.is_current(&engine, host, &target).unwrap_or(false));
            if !known {
                let engine = engine.clone();
                plan = plan
                    .change(Change::new(format!("push image {target}"), move |host, _| push(&engine, host, &target)));
            }
        }
        Ok(super::with_actions(plan).finish(move |_, data| {
            if let Some(image) = LocalImage::find(&engine, &name)? {
                data.insert("image".to_owned(), image.inspect.into());
            }
            Ok(())
        }))
    }
}

impl DockerImage {
    /// The name for tagging and pushing.
    fn target(&self) -> Option<ImageName> {
        ImageName::parse(self.repository.as_ref().unwrap_or(&self.name), Some(&self.tag))
    }

    fn pull(
        &self,
        engine: &Engine,
        name: &ImageName,
        found: Option<&LocalImage>,
        host: &Host,
        plan: &mut Plan,
    ) -> Result<Option<Change>, Failure> {
        if let Some(found) = found {
            if !self.force_source.0 {
                return Ok(None);
            }
            match found.is_current(engine, host, name) {
                Ok(true) => return Ok(None),
                Ok(false) => {}
                // A mirror may have it even if the registry does not answer, so the pull decides.
                Err(failure) => plan.warnings.push(format!("cannot check whether {name} is up to date: {failure}")),
            }
        }
        let platform = self.pull.as_ref().and_then(|pull| pull.platform.clone());
        let (engine, name) = (engine.clone(), name.clone());
        Ok(Some(Change::new(format!("pull image {name}"), move |host, data| {
            let said = pull(&engine, host, &name, platform.as_deref()).map_err(|failure| failure.arg("name"))?;
            data.insert("stdout".to_owned(), said.join("\n").into());
            Ok(())
        })))
    }

    fn load(&self, engine: &Engine, name: &str, host: &Host) -> Option<Change> {
        let path = self.load_path.as_ref()?.on(host);
        let (engine, name) = (engine.clone(), name.to_owned());
        Some(Change::new(format!("load image {name} from {}", path.display()), move |_, data| {
            load(&engine, &path, &name, data)
        }))
    }
}

fn load(engine: &Engine, path: &Path, name: &str, data: &mut rplay_wire::Map) -> Result<(), Failure> {
    let file = crate::system::regular::open(path)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())).arg("load_path"))?;
    let mut said = Vec::new();
    engine.request("POST", "/images/load").query("quiet", "true").patiently().send_file(file)?.progress(|message| {
        if let Some(line) = message.get("stream").and_then(Json::as_str) {
            said.push(line.trim().to_owned());
        }
    })?;
    if LocalImage::find(engine, name)?.is_none() {
        let msg = format!("{} does not contain the image {name}: {}", path.display(), said.join("; "));
        return Err(Failure::new(msg).arg("name"));
    }
    data.insert("stdout".to_owned(), said.join("\n").into());
    Ok(())
}
