//! add_host: adds a host to the inventory of this run.

use rplay_contract::{args, argtypes::Text};

use super::{Context, Effect, Rendered, Result, TaskResult, list_arg, text_of};
use crate::vars::{Layer, Lazy, Value, mapping};

args! {
    /// Adds a host to the inventory of this run. Further arguments become variables of the host.
    pub struct AddHost {
        /// The name of the host; `name:port` also sets `ansible_ssh_port`.
        name: Text | "hostname" | "host",
        /// Groups to add the host to.
        groups: Option<Vec<Text>> | "group" | "groupname",
    }
}

pub(super) fn add_host(args: Rendered, _: &Context<'_>) -> Result<TaskResult> {
    let name = ["name", "hostname", "host"].iter().find_map(|key| super::given(&args, key));
    let Some(name) = name.map(text_of) else {
        return Err(Box::new(TaskResult::failed("name, host or hostname needs to be provided")));
    };
    let mut vars = Layer::new();
    // `name:port` sets the port, unless the colon belongs to an IPv6 address.
    let name = match name.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.parse::<u16>().is_ok() => {
            vars.insert("ansible_ssh_port".into(), Lazy::Data(port.parse::<u16>().unwrap_or_default().into()));
            host.to_owned()
        }
        _ => name,
    };
    let groups = ["groups", "groupname", "group"].iter().find_map(|key| list_arg(&args, key)).unwrap_or_default();
    for (key, value) in args {
        if !["name", "hostname", "host", "groups", "groupname", "group"].contains(&&*key) {
            vars.insert(key, Lazy::Data(value));
        }
    }
    let shown = mapping([
        ("host_name", Value::from(name.clone())),
        ("groups", groups.clone().into()),
        ("host_vars", mapping(vars.iter().filter_map(|(k, v)| Some((k.clone(), v.data()?))))),
    ]);
    let mut result = TaskResult { changed: true, ..TaskResult::default() }.with("add_host", shown);
    result.effects.push(Effect::AddHost { name, groups, vars });
    Ok(result)
}
