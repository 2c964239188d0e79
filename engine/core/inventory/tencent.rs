//! Inventories from Tencent Cloud: the running hosts that have a stack's tag.

use std::{env, sync::Arc, time::Duration};

use rplay_contract::{Host as Machine, NoBlobs, argtypes::Secret};
use rplay_tencent::{Account, Client, Endpoint, Request, version_of};
use serde_json::{Value as Json, json};

use super::{Inventory, InventoryError, host::ALL, key::key};
use crate::{
    source::{Problems, Span, nearest},
    syntax::Node,
    vars::{Layer, Lazy},
};

/// The value of `plugin:` in such a file.
pub(super) const PLUGIN: &str = "rplay.builtin.tencentcloud";

const KEYS: [&str; 7] = ["plugin", "region", "stack", "group", "address", "endpoint", "vars"];
const KEY_ID: &str = "TENCENTCLOUD_SECRET_ID";
const KEY: &str = "TENCENTCLOUD_SECRET_KEY";
const TOKEN: &str = "TENCENTCLOUD_SECURITY_TOKEN";
/// Maximum number of results per request.
const PAGE: usize = 100;

/// The settings of a file.
struct Settings {
    region: String,
    stack: String,
    group: String,
    /// Whether hosts are reached by their private addresses.
    is_private: bool,
    endpoint: Endpoint,
}

/// Queries the cloud and reads the result into the inventory.
pub(super) fn read(inventory: &mut Inventory, file: &Node) -> Result<(), Problems> {
    let settings = Settings::read(file)?;
    let all = inventory.group_index(ALL);
    let given = file.get("vars").and_then(Node::as_map).unwrap_or_default();
    for (name, value) in given {
        inventory.set_group_var(all, &key(name), Lazy::from_node(value), &name.span)?;
    }
    // The playbooks that create the stack must use the same one.
    let place = &file.span;
    let url = settings.endpoint.0.clone().unwrap_or_default();
    for (name, value) in
        [("tencent_region", &settings.region), ("tencent_stack", &settings.stack), ("tencent_endpoint", &url)]
    {
        inventory.set_group_var(all, name, Lazy::Data(value.as_str().into()), place)?;
    }
    let group = inventory.group_index(&settings.group);
    let place = file.get("plugin").map_or(&file.span, |plugin| &plugin.span);
    let found = settings.instances(place)?;
    if found.is_empty() {
        let message = format!("the stack `{}` has no running host in {}", settings.stack, settings.region);
        inventory.warnings.push(message);
    }
    for (at, (name, vars)) in found.iter().cloned().enumerate() {
        if found[..at].iter().any(|(other, _)| *other == name) {
            let message = format!("the stack `{}` has more than one running host `{name}`", settings.stack);
            inventory.warnings.push(message);
        }
        let host = inventory.host_index(&name);
        inventory.put(group, host);
        inventory.set_host_vars(host, vars);
    }
    Ok(())
}

impl Settings {
    fn read(file: &Node) -> Result<Settings, Problems> {
        let mut problems = Problems::default();
        for (name, _) in file.as_map().unwrap_or_default() {
            let word = key(name);
            if !KEYS.contains(&&*word) {
                let error = InventoryError::syntax(name.span.clone(), format!("`{word}` is not a setting of {PLUGIN}"));
                problems.push(match nearest(&word, KEYS) {
                    Some(meant) => error.help(format!("did you mean `{meant}`?")),
                    None => error.help(format!("supported settings: {}", KEYS.join(", "))),
                });
            }
        }
        let mut text = |name: &str, default: Option<&str>| match (file.get(name), default) {
            (Some(node), _) => match node.as_str().filter(|text| !text.is_empty()) {
                Some(text) => text.to_owned(),
                None => {
                    problems.push(InventoryError::syntax(node.span.clone(), format!("`{name}` must be text")));
                    String::new()
                }
            },
            (None, Some(default)) => default.to_owned(),
            (None, None) => {
                let error = InventoryError::syntax(file.span.clone(), format!("`{name}` is missing"));
                problems.push(error.help("set the region and the stack that playbooks/provision.yml created"));
                String::new()
            }
        };
        let (region, stack) = (text("region", None), text("stack", None));
        let (group, address) = (text("group", Some("todo")), text("address", Some("public")));
        let endpoint = Endpoint(Some(text("endpoint", Some(""))).filter(|url| !url.is_empty()));
        let place = |name: &str| file.get(name).map_or_else(|| file.span.clone(), |node| node.span.clone());
        if !["public", "private"].contains(&address.as_str()) {
            problems.push(InventoryError::syntax(place("address"), "`address` must be public or private"));
        }
        if let Err(message) = endpoint.check() {
            problems.push(InventoryError::syntax(place("endpoint"), format!("`endpoint` {message}")));
        }
        if file.get("vars").is_some_and(|vars| vars.as_map().is_none()) {
            problems.push(InventoryError::syntax(place("vars"), "`vars` must be a mapping"));
        }
        problems.unless_any(Settings { region, stack, group, is_private: address == "private", endpoint })
    }

    /// The running hosts, sorted by name, with their variables.
    fn instances(&self, place: &Span) -> Result<Vec<(Arc<str>, Layer)>, InventoryError> {
        let given = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let (Some(id), Some(secret)) = (given(KEY_ID), given(KEY)) else {
            let message = format!("no API key for the cloud: set both {KEY_ID} and {KEY}");
            return Err(InventoryError::syntax(place.clone(), message).help("export them, or use another inventory"));
        };
        let client = Client {
            account: Account { secret_id: Secret(id), secret_key: Secret(secret), token: given(TOKEN).map(Secret) },
            endpoint: self.endpoint.clone(),
            timeout: Duration::from_secs(15),
            retries: 4,
            pause: Duration::from_millis(500),
        };
        let machine = Machine::new(Vec::new(), Arc::new(NoBlobs));
        let mut found: Vec<Json> = Vec::new();
        loop {
            let request = Request {
                service: "cvm".to_owned(),
                version: version_of("cvm").unwrap_or_default().to_owned(),
                action: "DescribeInstances".to_owned(),
                region: Some(self.region.clone()),
                payload: json!({
                    "Filters": [{ "Name": "tag:rplay:stack", "Values": [self.stack] }],
                    "Offset": found.len(), "Limit": PAGE,
                }),
            };
            let response = client.call(&machine, &request).map_err(|error| {
                let refused = InventoryError::syntax(place.clone(), error.to_string());
                match error.help() {
                    Some(help) => refused.help(help),
                    None => refused,
                }
            })?;
            let page = response["InstanceSet"].as_array().cloned().unwrap_or_default();
            let is_last = page.len() < PAGE;
            found.extend(page);
            if is_last {
                break;
            }
        }
        found.retain(|instance| instance["InstanceState"] == "RUNNING");
        found.sort_by(|one, other| one["InstanceName"].as_str().cmp(&other["InstanceName"].as_str()));
        Ok(found.iter().map(|instance| self.host(instance)).collect())
    }

    fn host(&self, instance: &Json) -> (Arc<str>, Layer) {
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let (public, private) = (text(&instance["PublicIpAddresses"][0]), text(&instance["PrivateIpAddresses"][0]));
        let vars = [
            ("ansible_host", if self.is_private { private.clone() } else { public }),
            ("todo_private_address", private),
            ("tencent_instance_id", text(&instance["InstanceId"])),
            ("tencent_instance_type", text(&instance["InstanceType"])),
            ("tencent_zone", text(&instance["Placement"]["Zone"])),
        ];
        let vars = vars.into_iter().filter(|(_, value)| !value.is_empty());
        let vars = vars.map(|(name, value)| (name.into(), Lazy::Data(value.into()))).collect();
        (text(&instance["InstanceName"]).into(), vars)
    }
}
