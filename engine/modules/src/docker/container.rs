//! docker_container: inspects the container and the image, and plans the changes.

use rplay_wire::{Diff, Failure};
use serde_json::Value as Json;

pub(crate) use super::container_args::DockerContainer;
use super::{
    container_args::{PullPolicy, State},
    container_steps::Step,
    difference::reasons,
    engine::Engine,
    env_file,
    image_name::ImageName,
    lifecycle::{Creation, Lifecycle, Start},
    pull::{LocalImage, pull},
    spec::{Spec, comparison::Comparison},
};
use crate::{
    ArgError, Change, Host, Module, Plan,
    system::{expand, paths},
};

impl Module for DockerContainer {
    fn check(&self) -> Result<(), ArgError> {
        if self.image.as_deref() == Some("") {
            return Err(ArgError::new("image", "`image` is empty"));
        }
        if !self.detach.0 && self.auto_remove.is_some_and(|on| on.0) {
            return Err(ArgError::new("auto_remove", "would remove the output that `detach: no` waits for")
                .help("write `cleanup: true` instead"));
        }
        if !self.detach.0 && self.state == State::Healthy {
            return Err(ArgError::new("detach", "cannot be `no` with `state: healthy`"));
        }
        if self.restart_retries.is_some() && self.restart_policy.is_none() {
            return Err(ArgError::new("restart_retries", "requires `restart_policy: on-failure`"));
        }
        self.rules()?;
        self.spec("", &[], &str::to_owned).map(drop)
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let name = &self.name;
        let Some(engine) = Engine::reach_softly(host, &self.engine)? else {
            let verb = if self.state == State::Absent { "remove" } else { "create" };
            return Ok(super::without_engine(format!("{verb} container {name}")));
        };
        let lifecycle = self.lifecycle(engine);
        let found = match lifecycle.inspect(name)? {
            Some(found) => Some(found),
            // A run that was interrupted during a replacement leaves the former container under another name.
            None => lifecycle.inspect(&Lifecycle::former(name))?,
        };
        match self.state {
            State::Absent => Ok(self.plan_absent(lifecycle, found)),
            _ => self.plan_present(host, lifecycle, found),
        }
        .map(super::with_actions)
    }
}

/// The image for creating a container.
struct Image {
    name: String,
    /// `None` if it is still to be pulled.
    id: Option<String>,
    /// Its own settings, null if they are not known.
    config: Json,
}

impl Image {
    /// The settings of the image that `found` was created from, if it is this image.
    fn config_of(&self, found: &Json) -> &Json {
        match self.id.as_deref() == found.get("Image").and_then(Json::as_str) {
            true => &self.config,
            false => &Json::Null,
        }
    }
}

impl DockerContainer {
    fn lifecycle(&self, engine: Engine) -> Lifecycle {
        Lifecycle {
            engine,
            name: self.name.clone(),
            stop_timeout: self.stop_timeout,
            kill: self.force_kill.0.then(|| self.kill_signal.clone().unwrap_or_default()),
            keep_volumes: self.keep_volumes.0,
            removal_timeout: self.removal_wait_timeout,
            start: Start {
                healthy: (self.state == State::Healthy).then_some(self.healthy_wait_timeout),
                wait: !self.detach.0,
                output: self.output_logs.0,
                cleanup: self.cleanup.0,
            },
        }
    }

    fn plan_absent(self, lifecycle: Lifecycle, found: Option<Json>) -> Plan {
        let Some(found) = found else { return Plan::unchanged() };
        Plan::unchanged().change(Change::new(format!("remove container {}", self.name), move |_, _| {
            Ok(lifecycle.remove_for_good(&found)?)
        }))
    }

    fn plan_present(self, host: &Host, lifecycle: Lifecycle, found: Option<Json>) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged();
        let image = self.plan_image(host, &lifecycle.engine, found.as_ref(), &mut plan)?;
        let spec = self.resolve_spec(host, &lifecycle, &image.name)?;
        let rules = self.rules().map_err(failure_of)?;
        let comparison = match &found {
            Some(found) => {
                let mut comparison = spec.compare(found, image.id.as_deref(), image.config_of(found), &rules);
                if self.image.is_none() {
                    comparison.replace.retain(|difference| difference.field != "image");
                }
                Some(comparison)
            }
            None => None,
        };
        // `present` neither starts nor stops a container, but the replacement of a running one runs.
        let ran = found.as_ref().is_some_and(|found| found.pointer("/State/Running") == Some(&Json::Bool(true)));
        let runs = self.runs() || (self.state == State::Present && ran);
        match (&found, comparison) {
            (Some(found), Some(comparison)) if !comparison.replace.is_empty() || self.recreate.0 => {
                // Settings that the task does not name are kept.
                let mut complete = spec.clone();
                let former = match image.config_of(found) {
                    Json::Null => image_config(&lifecycle.engine, found)?,
                    known => known.clone(),
                };
                let leaves_networks = self.networks.is_some() && (self.purge_networks.0 || rules.is_strict("networks"));
                complete.keep(found, &former, leaves_networks);
                plan.changes.push(self.replacement(&lifecycle, found, &complete, &image, &comparison, runs));
                let pause = self.pause_step(runs, false);
                plan.changes.extend(pause.map(|step| self.change(&lifecycle, &self.name, step, &spec)));
            }
            (Some(found), Some(comparison)) => {
                let steps = self.steps(found, &spec, &comparison, &rules).into_iter();
                plan.changes.extend(steps.map(|step| self.change(&lifecycle, &text(found, "/Id"), step, &spec)));
            }
            _ => {
                plan.changes.push(self.creation(&lifecycle, &spec, &image, runs));
                let pause = self.pause_step(runs, false);
                plan.changes.extend(pause.map(|step| self.change(&lifecycle, &self.name, step, &spec)));
            }
        }
        Ok(plan.finish(move |host, data| {
            if !host.check {
                lifecycle.await_health()?;
            }
            // With `detach: no`, it is already included, with the output.
            if !data.contains_key("container")
                && let Some(container) = lifecycle.inspect(&lifecycle.name)?
            {
                data.insert("container".to_owned(), container.into());
            }
            Ok(())
        }))
    }

    /// Determines the image, and whether it must be pulled first.
    fn plan_image(
        &self,
        host: &Host,
        engine: &Engine,
        found: Option<&Json>,
        plan: &mut Plan,
    ) -> Result<Image, Failure> {
        let Some(name) = &self.image else {
            return match found {
                Some(found) => Ok(Image {
                    name: text(found, "/Config/Image"),
                    id: Some(text(found, "/Image")),
                    config: image_config(engine, found)?,
                }),
                None => Err(Failure::new(format!(
                    "container {} does not exist, and no image is given to create it",
                    self.name
                ))
                .arg("image")
                .help("add `image: NAME:TAG`")),
            };
        };
        let full = ImageName::parse(name, None);
        let local = LocalImage::find(engine, name)?;
        let missing = || format!("image {name} is not on this host");
        let wants = match (&local, self.pull, &full) {
            (Some(_), PullPolicy::Missing | PullPolicy::Never, _) | (Some(_), _, None) => None,
            (None, policy, None) | (None, policy @ PullPolicy::Never, _) => {
                let help = match policy {
                    PullPolicy::Never => "load it first, or set `pull: missing`",
                    _ => "use its name, so that it can be pulled",
                };
                plan.assume(host, format!("the image {name}"), || Failure::new(missing()).arg("image").help(help))?;
                None
            }
            (None, _, Some(full)) => Some(full),
            (Some(local), PullPolicy::Always, Some(full)) => match local.is_current(engine, host, full) {
                Ok(true) => None,
                Ok(false) => Some(full),
                Err(failure) => {
                    plan.warnings.push(format!("cannot check whether {full} is up to date: {failure}"));
                    Some(full)
                }
            },
        };
        let local = local.filter(|_| wants.is_none());
        let config = local.as_ref().and_then(|local| local.inspect.get("Config")).cloned().unwrap_or_default();
        let id = local.map(|local| local.id);
        if let Some(full) = wants {
            let (engine, full, platform) = (engine.clone(), full.clone(), self.platform.clone());
            plan.changes.push(Change::new(format!("pull image {full}"), move |host, _| {
                pull(&engine, host, &full, platform.as_deref()).map(drop).map_err(|failure| failure.arg("image"))
            }));
        }
        Ok(Image { name: name.clone(), id, config })
    }

    /// The desired settings, completed on the host: files, home directories, IDs of other containers.
    fn resolve_spec(&self, host: &Host, lifecycle: &Lifecycle, image: &str) -> Result<Spec, Failure> {
        let mut variables = Vec::new();
        if let Some(path) = &self.env_file {
            let path = paths::text(path.on(host));
            match crate::system::regular::read_to_string(&path) {
                Ok(content) => {
                    variables = env_file::read(&content).map_err(|line| {
                        Failure::new(format!("line {line} of {path} is not NAME=value")).arg("env_file")
                    })?;
                }
                // An earlier task would have written it.
                Err(_) if host.rehearses() => {}
                Err(error) => return Err(Failure::new(format!("cannot read {path}: {error}")).arg("env_file")),
            }
        }
        let mut spec = self.spec(image, &variables, &|path| bind_source(host, path)).map_err(failure_of)?;
        for key in ["NetworkMode", "IpcMode", "PidMode"] {
            let mode = spec.get(key).and_then(Json::as_str).and_then(|mode| mode.strip_prefix("container:"));
            let Some(other) = mode.map(str::to_owned) else { continue };
            // The Engine stores the ID: if that container is recreated, this one must be too.
            match (lifecycle.inspect(&other)?, spec.get_mut(key)) {
                (Some(other), Some(value)) => *value = Json::from(format!("container:{}", text(&other, "/Id"))),
                (None, _) if !host.rehearses() => {
                    return Err(Failure::new(format!("container {other} does not exist")));
                }
                _ => {}
            }
        }
        Ok(spec)
    }

    /// One change towards the desired state, for a container that is kept.
    fn change(&self, lifecycle: &Lifecycle, id: &str, (what, step): (String, Step), spec: &Spec) -> Change {
        let (lifecycle, id, secrets) = (lifecycle.clone(), id.to_owned(), spec.secrets());
        Change::new(what, move |_, data| step.take(&lifecycle, &id, data).map_err(|failure| hide(failure, &secrets)))
    }

    fn creation(&self, lifecycle: &Lifecycle, spec: &Spec, image: &Image, runs: bool) -> Change {
        let (lifecycle, make) = (lifecycle.clone(), self.maker(lifecycle, spec, image));
        let secrets = spec.secrets();
        Change::new(format!("create container {}", self.name), move |_, data| {
            let made = make().and_then(|creation| Ok(lifecycle.create(&lifecycle.name, &creation, data)?));
            let started = made.and_then(|id| if runs { lifecycle.start(&id, data) } else { Ok(()) });
            started.map_err(|failure| hide(failure, &secrets))
        })
    }

    fn replacement(
        &self,
        lifecycle: &Lifecycle,
        found: &Json,
        spec: &Spec,
        image: &Image,
        comparison: &Comparison,
        runs: bool,
    ) -> Change {
        let fields: Vec<_> = comparison.replace.iter().map(|difference| difference.field.clone()).collect();
        let (before, after) = spec.texts(found, image.id.as_deref(), &fields);
        let why = match fields.is_empty() {
            true => "as requested".to_owned(),
            false => reasons(&comparison.replace),
        };
        let (lifecycle, make) = (lifecycle.clone(), self.maker(lifecycle, spec, image));
        let (found, secrets) = (found.clone(), spec.secrets());
        let what = format!("recreate container {}: {why}", self.name);
        let change = Change::new(what, move |_, data| {
            let replaced = make().and_then(|creation| lifecycle.replace(&found, &creation, runs, data));
            replaced.map_err(|failure| hide(failure, &secrets))
        });
        change.diff(Diff::text(&format!("container {}", self.name), before, after))
    }

    /// Completes the create request with the ID of an image that was just pulled.
    fn maker(
        &self,
        lifecycle: &Lifecycle,
        spec: &Spec,
        image: &Image,
    ) -> impl FnOnce() -> Result<Creation, Failure> + 'static {
        let (engine, spec, platform) = (lifecycle.engine.clone(), spec.clone(), self.platform.clone());
        let (name, id) = (image.name.clone(), image.id.clone());
        move || {
            let id = match id {
                Some(id) => id,
                None => match LocalImage::find(&engine, &name)? {
                    Some(local) => local.id,
                    None => return Err(Failure::new(format!("image {name} is not on this host")).arg("image")),
                },
            };
            Ok(Creation { body: spec.body(&id), platform, later_networks: spec.later_networks() })
        }
    }
}

/// The settings of the image that a container was created from; null if it is gone.
fn image_config(engine: &Engine, found: &Json) -> Result<Json, Failure> {
    let image = LocalImage::find(engine, &text(found, "/Image"))?;
    Ok(image.and_then(|image| image.inspect.get("Config").cloned()).unwrap_or_default())
}

fn text(json: &Json, pointer: &str) -> String {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned()
}

/// The source of a bind mount, as community.docker reads it: a source that begins with `.` or `~` is a path, relative
/// to the agent's working directory. Anything else may be a volume name and is kept.
fn bind_source(host: &Host, written: &str) -> String {
    if !written.starts_with(['.', '~']) {
        return written.to_owned();
    }
    let path = expand::home(written, &|name| host.variable(name));
    std::path::absolute(&path).map_or(path, paths::text)
}

fn failure_of(error: ArgError) -> Failure {
    let mut failure = Failure::new(error.msg);
    (failure.arg, failure.help) = (error.arg, error.help);
    failure
}

/// The Engine may repeat parts of the request in its error.
fn hide(mut failure: Failure, secrets: &[String]) -> Failure {
    for secret in secrets {
        failure.msg = failure.msg.replace(secret, "***");
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_blotted_out_of_the_engines_messages() {
        let failure = hide(Failure::new("bad: A=hunter2hunter2"), &["hunter2hunter2".into()]);
        assert_eq!(failure.msg, "bad: A=***");
    }
}
