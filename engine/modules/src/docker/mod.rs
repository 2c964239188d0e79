//! Docker: containers, images, networks, volumes and registry credentials, over the Engine's socket.
//!
//! Hosts need neither the docker command nor Python.

use rplay_wire as wire;

mod comparisons;
mod container;
mod container_args;
mod container_exec;
mod container_info;
mod container_spec;
mod container_steps;
mod credentials;
mod difference;
mod endpoint;
mod engine;
mod env_file;
mod fields;
mod host_info;
mod image;
mod image_info;
mod image_name;
mod image_pull;
mod keeping;
mod lifecycle;
mod login;
mod mounts;
mod nested;
mod network;
mod network_info;
mod network_steps;
mod output;
mod prune;
mod pull;
mod socket;
mod spec;
mod units;
mod volume;

pub(crate) use container::DockerContainer;
pub(crate) use container_exec::DockerContainerExec;
pub(crate) use container_info::DockerContainerInfo;
pub(crate) use host_info::DockerHostInfo;
pub(crate) use image::DockerImage;
pub(crate) use image_info::DockerImageInfo;
pub(crate) use image_pull::DockerImagePull;
pub(crate) use login::DockerLogin;
pub(crate) use network::DockerNetwork;
pub(crate) use network_info::DockerNetworkInfo;
pub(crate) use prune::DockerPrune;
pub(crate) use volume::{DockerVolume, DockerVolumeInfo};

/// The plan for check mode on a host without a running Engine: an earlier task would have installed it.
fn without_engine(what: impl Into<String>) -> crate::Plan {
    // Never executed: outside of check mode, an Engine that does not respond is a failure.
    let change = crate::Change::new(what, |_, _| Err(wire::Failure::new("no Docker Engine answers")));
    nothing_yet(crate::Plan::unchanged().change(change))
}

/// The warning for check mode on such a host.
fn nothing_yet(plan: crate::Plan) -> crate::Plan {
    plan.assumption("a running Docker Engine")
}

/// Adds the planned changes to the result as `actions`, so that a playbook can show why something changed.
fn with_actions(plan: crate::Plan) -> crate::Plan {
    let actions: Vec<_> = plan.changes.iter().map(|change| change.what.clone()).collect();
    plan.set("actions", actions)
}
