//! docker_container: looks at the container and the image, and plans what must happen.

use rplay_wire::{Diff, Failure, Map};
use serde_json::Value as Json;

pub use super::container_args::DockerContainer;
use super::{
    container_args::{PullPolicy, State},
    container_spec::read_env,
    credentials::home,
    difference::{covers, reasons},
    engine::Engine,
    image_name::ImageName,
    lifecycle::{Creation, Lifecycle, Start},
    pull::{LocalImage, pull},
    spec::{Attachment, Comparison, Spec},
};
use crate::{ArgFault, Change, Host, Module, Plan};

impl Module for DockerContainer {
    fn check(&self) -> Result<(), ArgFault> {
        if self.image.as_deref() == Some("") {
            return Err(ArgFault::new("image", "`image` is empty"));
        }
        if !self.detach.0 && self.auto_remove.is_some_and(|on| on.0) {
            return Err(ArgFault::new("auto_remove", "would take the output away that `detach: no` waits for")
                .help("write `cleanup: true` instead"));
        }
        if !self.detach.0 && self.state == State::Healthy {
            return Err(ArgFault::new("detach", "cannot be `no` for `state: healthy`, which waits for something else"));
        }
        if self.restart_retries.is_some() && self.restart_policy.is_none() {
            return Err(ArgFault::new("restart_retries", "needs `restart_policy: on-failure`"));
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
            // A run that broke off in the middle of a replacement leaves the former container aside.
            None => lifecycle.inspect(&Lifecycle::former(name))?,
        };
        match self.state {
            State::Absent => Ok(self.plan_absent(lifecycle, found)),
            _ => self.plan_present(host, lifecycle, found),
        }
        .map(super::with_actions)
    }
}

/// The image that a container is to be made from.
struct Image {
    name: String,
    /// `None` if it is still to be pulled.
    id: Option<String>,
}

impl DockerContainer {
    fn lifecycle(&self, engine: Engine) -> Lifecycle {
        Lifecycle {
            engine,
            name: self.name.clone(),
            stop_timeout: self.stop_timeout,
            kill: self.force_kill.0.then(|| self.kill_signal.clone().unwrap_or_default()),
            keep_volumes: self.keep_volumes.0,
            start: Start { wait: !self.detach.0, output: self.output_logs.0, cleanup: self.cleanup.0 },
        }
    }

    fn plan_absent(self, lifecycle: Lifecycle, found: Option<Json>) -> Plan {
        let Some(found) = found else { return Plan::unchanged() };
        let id = text(&found, "/Id");
        Plan::unchanged().change(Change::new(format!("remove container {}", self.name), move |_, _| {
            if is(&found, "/State/Running") {
                lifecycle.stop(&id)?;
            }
            Ok(lifecycle.remove(&id)?)
        }))
    }

    fn plan_present(self, host: &Host, lifecycle: Lifecycle, found: Option<Json>) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged();
        let image = self.plan_image(host, &lifecycle.engine, found.as_ref(), &mut plan)?;
        let spec = self.resolve_spec(host, &lifecycle, &image.name)?;
        let comparison = match &found {
            Some(found) => {
                let mut comparison = spec.compare(found, image.id.as_deref(), &self.rules().map_err(fault)?);
                if self.image.is_none() {
                    comparison.replace.retain(|difference| difference.field != "image");
                }
                Some(comparison)
            }
            None => None,
        };
        let runs = matches!(self.state, State::Started | State::Healthy);
        match (&found, comparison) {
            (Some(found), Some(comparison)) if !comparison.replace.is_empty() || self.recreate.0 => {
                plan.changes.push(self.replacement(&lifecycle, found, &spec, &image, &comparison, runs));
                self.plan_pause(&lifecycle, runs, false, &mut plan);
            }
            (Some(found), Some(comparison)) => self.plan_kept(&lifecycle, found, &spec, comparison, runs, &mut plan),
            _ => {
                plan.changes.push(self.creation(&lifecycle, &spec, &image, runs));
                self.plan_pause(&lifecycle, runs, false, &mut plan);
            }
        }
        let (limit, healthy) = (self.healthy_wait_timeout, self.state == State::Healthy);
        Ok(plan.finish(move |host, data| {
            if healthy && !host.check {
                lifecycle.await_health(limit)?;
            }
            // With `detach: no` it is there already, with the output.
            if !data.contains_key("container") {
                if let Some(container) = lifecycle.inspect(&lifecycle.name)? {
                    data.insert("container".to_owned(), container.into());
                }
            }
            Ok(())
        }))
    }

    /// Which image, and whether it must be pulled first.
    fn plan_image(
        &self,
        host: &Host,
        engine: &Engine,
        found: Option<&Json>,
        plan: &mut Plan,
    ) -> Result<Image, Failure> {
        let Some(name) = &self.image else {
            return match found {
                Some(found) => Ok(Image { name: text(found, "/Config/Image"), id: Some(text(found, "/Image")) }),
                None => Err(Failure::new(format!("there is no container {}, and no image to make it from", self.name))
                    .arg("image")
                    .help("write `image: NAME:TAG`")),
            };
        };
        let full = ImageName::parse(name, None);
        let local = LocalImage::find(engine, name)?;
        let missing = || format!("image {name} is not on this host");
        let wants = match (&local, self.pull, &full) {
            (Some(_), PullPolicy::Missing | PullPolicy::Never, _) | (Some(_), _, None) => None,
            (None, PullPolicy::Never, _) | (None, _, None) if host.check => {
                plan.warnings.push(format!("{}; in check mode an earlier task is taken to bring it", missing()));
                None
            }
            (None, PullPolicy::Never, _) => {
                return Err(Failure::new(missing()).arg("image").help("load it first, or write `pull: missing`"));
            }
            (None, _, None) => {
                return Err(Failure::new(missing()).arg("image").help("write its name, to have it pulled"));
            }
            (None, _, Some(full)) => Some(full),
            (Some(local), PullPolicy::Always, Some(full)) => match local.is_current(engine, host, full) {
                Ok(true) => None,
                Ok(false) => Some(full),
                Err(failure) => {
                    plan.warnings.push(format!("cannot see whether {full} is up to date: {failure}"));
                    Some(full)
                }
            },
        };
        let id = local.filter(|_| wants.is_none()).map(|local| local.id);
        if let Some(full) = wants {
            let (engine, full, platform) = (engine.clone(), full.clone(), self.platform.clone());
            plan.changes.push(Change::new(format!("pull image {full}"), move |host, _| {
                pull(&engine, host, &full, platform.as_deref()).map(drop)
            }));
        }
        Ok(Image { name: name.clone(), id })
    }

    /// What is wanted, with what only the host knows: files, homes, the ids of other containers.
    fn resolve_spec(&self, host: &Host, lifecycle: &Lifecycle, image: &str) -> Result<Spec, Failure> {
        let mut variables = Vec::new();
        if let Some(path) = &self.env_file {
            let path = expand(host, &path.0);
            match std::fs::read_to_string(&path) {
                Ok(content) => {
                    variables = read_env(&content).map_err(|line| {
                        Failure::new(format!("line {line} of {path} is not NAME=value")).arg("env_file")
                    })?;
                }
                // An earlier task would have written it.
                Err(_) if host.check => {}
                Err(error) => return Err(Failure::new(format!("cannot read {path}: {error}")).arg("env_file")),
            }
        }
        let mut spec = self.spec(image, &variables, &|path| expand(host, path)).map_err(fault)?;
        for key in ["NetworkMode", "IpcMode", "PidMode"] {
            let mode = spec.get(key).and_then(Json::as_str).and_then(|mode| mode.strip_prefix("container:"));
            let Some(other) = mode.map(str::to_owned) else { continue };
            // The Engine keeps the id: when that container is made anew, this one must be, too.
            match (lifecycle.inspect(&other)?, spec.get_mut(key)) {
                (Some(other), Some(value)) => *value = Json::from(format!("container:{}", text(&other, "/Id"))),
                (None, _) if !host.check => return Err(Failure::new(format!("there is no container {other}"))),
                _ => {}
            }
        }
        Ok(spec)
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
            true => "as asked for".to_owned(),
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

    /// Completes the create request, with the id of an image that was only just pulled.
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

    /// A container that stays: limits, networks, whether it runs.
    fn plan_kept(
        &self,
        lifecycle: &Lifecycle,
        found: &Json,
        spec: &Spec,
        comparison: Comparison,
        runs: bool,
        plan: &mut Plan,
    ) {
        let (name, id) = (&self.name, text(found, "/Id"));
        let mut push = |what: String, make: Box<dyn FnOnce(&Lifecycle, &mut Map) -> Result<(), Failure>>| {
            let lifecycle = lifecycle.clone();
            plan.changes.push(Change::new(what, move |_, data| make(&lifecycle, data)));
        };
        if text(found, "/Name").trim_start_matches('/') != name {
            let id = id.clone();
            push(
                format!("put container {name} back in its place"),
                Box::new(move |lifecycle, _| Ok(lifecycle.take_back(&id)?)),
            );
        }
        if !comparison.updates.is_empty() {
            let args: Vec<_> = comparison.updates.iter().map(|(_, arg, _)| *arg).collect();
            let mut body: serde_json::Map<_, _> =
                comparison.updates.iter().map(|(key, _, value)| ((*key).to_owned(), value.clone())).collect();
            // Swap was set to twice the memory when the container was made, and may not be less than it.
            if let Some(memory) = body.get("Memory").and_then(Json::as_i64) {
                body.entry("MemorySwap")
                    .or_insert_with(|| Json::from(spec.get("MemorySwap").and_then(Json::as_i64).unwrap_or(memory * 2)));
            }
            let (what, id) = (format!("update container {name}: {} changed", args.join(", ")), id.clone());
            push(
                what,
                Box::new(move |lifecycle, _| {
                    lifecycle.engine.post(format!("/containers/{id}/update"), &Json::Object(body))?;
                    Ok(())
                }),
            );
        }
        for (what, step) in self.network_steps(found, spec) {
            let id = id.clone();
            push(
                what,
                Box::new(move |lifecycle, _| {
                    if let Some(network) = &step.leave {
                        lifecycle.disconnect(&id, network)?;
                    }
                    if let Some(network) = &step.join {
                        lifecycle.connect(&id, network)?;
                    }
                    Ok(())
                }),
            );
        }
        let running = is(found, "/State/Running");
        match self.state {
            State::Stopped if running => {
                push(format!("stop container {name}"), Box::new(move |lifecycle, _| Ok(lifecycle.stop(&id)?)));
            }
            _ if runs && !running => {
                let id = id.clone();
                push(format!("start container {name}"), Box::new(move |lifecycle, data| lifecycle.start(&id, data)));
                self.plan_pause(lifecycle, true, false, plan);
            }
            _ if runs && self.restart.0 => {
                let id = id.clone();
                push(format!("restart container {name}"), Box::new(move |lifecycle, _| Ok(lifecycle.restart(&id)?)));
                self.plan_pause(lifecycle, true, false, plan);
            }
            _ => self.plan_pause(lifecycle, running, is(found, "/State/Paused"), plan),
        }
    }

    fn plan_pause(&self, lifecycle: &Lifecycle, running: bool, paused: bool, plan: &mut Plan) {
        let Some(wanted) = self.paused.map(|flag| flag.0).filter(|wanted| running && *wanted != paused) else { return };
        let what = format!("{} container {}", if wanted { "pause" } else { "unpause" }, self.name);
        let lifecycle = lifecycle.clone();
        plan.changes.push(Change::new(what, move |_, _| Ok(lifecycle.pause(&lifecycle.name, wanted)?)));
    }

    /// Networks can be left and joined while a container runs.
    fn network_steps(&self, found: &Json, spec: &Spec) -> Vec<(String, NetworkStep)> {
        let there = found.pointer("/NetworkSettings/Networks").and_then(Json::as_object).cloned().unwrap_or_default();
        let mut steps = Vec::new();
        for wanted in &spec.networks {
            let is_it = |(name, settings): &(&String, &Json)| {
                **name == wanted.network || settings.get("NetworkID").and_then(Json::as_str) == Some(&wanted.network)
            };
            match there.iter().find(is_it) {
                None => steps.push((
                    format!("connect container {} to network {}", self.name, wanted.network),
                    NetworkStep { leave: None, join: Some(wanted.clone()) },
                )),
                Some((name, settings)) if !endpoint_covers(settings, &wanted.endpoint) => steps.push((
                    format!("reconnect container {} to network {name}", self.name),
                    NetworkStep { leave: Some(name.clone()), join: Some(wanted.clone()) },
                )),
                Some(_) => {}
            }
        }
        if self.purge_networks.0 && self.networks.is_some() {
            let wanted = |name: &String| spec.networks.iter().any(|attachment| attachment.network == *name);
            for name in there.keys().filter(|name| !wanted(name)) {
                steps.push((
                    format!("disconnect container {} from network {name}", self.name),
                    NetworkStep { leave: Some(name.clone()), join: None },
                ));
            }
        }
        steps
    }
}

/// One network to leave, or to join, or to join anew.
struct NetworkStep {
    leave: Option<String>,
    join: Option<Attachment>,
}

/// Whether an endpoint has what is wanted; the Engine adds aliases of its own.
fn endpoint_covers(there: &Json, wanted: &Json) -> bool {
    let Some(wanted) = wanted.as_object() else { return true };
    wanted.iter().all(|(key, value)| {
        let there = there.get(key).unwrap_or(&Json::Null);
        match (key.as_str(), value.as_array()) {
            ("Aliases" | "Links", Some(wanted)) => {
                let there = there.as_array().cloned().unwrap_or_default();
                wanted.iter().all(|alias| there.contains(alias))
            }
            _ => covers(there, value),
        }
    })
}

fn text(json: &Json, pointer: &str) -> String {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn is(json: &Json, pointer: &str) -> bool {
    json.pointer(pointer).and_then(Json::as_bool) == Some(true)
}

/// A path of the host: `~` is the user's home, a relative one begins where the agent runs; a volume's
/// name is none.
fn expand(host: &Host, path: &str) -> String {
    if let Some(rest) = path.strip_prefix("~/") {
        return home(host).map_or_else(|_| path.to_owned(), |home| home.join(rest).to_string_lossy().into_owned());
    }
    if path.starts_with("./") || path.starts_with("../") {
        return std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.to_string_lossy().into_owned());
    }
    path.to_owned()
}

fn fault(fault: ArgFault) -> Failure {
    let mut failure = Failure::new(fault.msg);
    (failure.arg, failure.help) = (fault.arg, fault.help);
    failure
}

/// The Engine may repeat a part of what it was sent.
fn hide(mut failure: Failure, secrets: &[String]) -> Failure {
    for secret in secrets {
        failure.msg = failure.msg.replace(secret, "***");
    }
    failure
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_endpoint_may_have_more_aliases_and_no_other_address() {
        let there = json!({"Aliases": ["a", "0123456789ab"], "IPAMConfig": {"IPv4Address": "10.5.0.3"}, "Links": null});
        assert!(endpoint_covers(&there, &json!({})));
        assert!(endpoint_covers(&there, &json!({"Aliases": ["a"], "IPAMConfig": {"IPv4Address": "10.5.0.3"}})));
        assert!(!endpoint_covers(&there, &json!({"Aliases": ["b"]})));
        assert!(!endpoint_covers(&there, &json!({"IPAMConfig": {"IPv4Address": "10.5.0.4"}})));
        assert!(endpoint_covers(&json!({"IPAMConfig": null}), &json!({})));
    }

    #[test]
    fn secrets_are_blotted_out_of_the_engines_messages() {
        let failure = hide(Failure::new("bad: A=hunter2hunter2"), &["hunter2hunter2".into()]);
        assert_eq!(failure.msg, "bad: A=***");
    }
}
