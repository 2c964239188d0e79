//! The settings that a replacement container takes over: everything that the task does not name.
//!
//! The Engine returns a container's settings merged with those of its image. Only settings that differ from the image
//! were requested, so only those are kept; others come from the new image.

use serde_json::{Map as JsonMap, Value as Json, json};

use super::{
    difference::is_empty,
    endpoint::endpoint,
    fields::{CONFIG_LABEL, FIELDS, Field, Kind, Place, SPEC_LABEL, split},
    spec::{Attachment, Spec},
};

/// Settings that the Engine rejects in combination: naming one group drops the other.
const EXCLUSIVE: &[(&[&str], &[&str])] =
    &[(&["NanoCpus"], &["CpuPeriod", "CpuQuota"]), (&["AutoRemove"], &["RestartPolicy"])];

/// Settings with parts that are named by separate arguments.
const PARTLY_NAMED: &[&str] = &["LogConfig", "RestartPolicy", "Healthcheck"];

/// Fields of `HostConfig` without an argument that were never requested.
const DERIVED: &[&str] = &["MaskedPaths", "ReadonlyPaths", "ContainerIDFile", "ConsoleSize"];

impl Spec {
    /// Completes the desired settings with those of `found` that the task does not name. `image` is the `Config` of the
    /// image that `found` was created from; null if unknown. `leaves_networks`: networks that are not named are
    /// disconnected.
    pub(crate) fn keep(&mut self, found: &Json, image: &Json, leaves_networks: bool) {
        let null = Json::Null;
        let of = |pointer: &str| found.pointer(pointer).unwrap_or(&null);
        for field in FIELDS {
            let (place, default) = match field.place {
                Place::Config => ("Config", image.get(field.key).unwrap_or(&null)),
                Place::HostConfig => ("HostConfig", &null),
            };
            let there = of(&format!("/{place}/{}", field.key));
            if self.names(field) {
                self.complete(field, there);
            } else if !is_empty(there) && !self.gives_up(field.key, there, found) {
                self.keep_field(field, there, default);
            }
        }
        let unknown = of("/HostConfig").as_object().into_iter().flatten().filter(|(key, value)| {
            !is_empty(value) && !DERIVED.contains(&key.as_str()) && FIELDS.iter().all(|field| field.key != *key)
        });
        self.unknown = unknown.map(|(key, value)| (key.clone(), value.clone())).collect();
        self.keep_networks(found, leaves_networks);
        let labels = of("/Config/Labels");
        let recorded = labels.get(SPEC_LABEL).and_then(Json::as_str).and_then(|text| serde_json::from_str(text).ok());
        let recorded: JsonMap<String, Json> = recorded.unwrap_or_default();
        let unnamed = |name: &str| {
            let arg = name.split('.').next().unwrap_or(name);
            arg != "image" && FIELDS.iter().any(|field| field.arg == arg && !self.names(field))
        };
        self.recorded = recorded.into_iter().filter(|(name, _)| unnamed(name)).collect();
    }

    /// Adds the parts of a partly named field that the task does not name.
    fn complete(&mut self, field: &Field, there: &Json) {
        if !PARTLY_NAMED.contains(&field.key) {
            return;
        }
        let Some(wanted) = self.get_mut(field.key).and_then(Json::as_object_mut) else { return };
        // The parts belong to one driver or policy; another one has its own.
        for kind in ["Type", "Name"] {
            if wanted.get(kind).is_some_and(|wanted| there.get(kind) != Some(wanted)) {
                return;
            }
        }
        for (part, value) in there.as_object().into_iter().flatten() {
            if !wanted.contains_key(part) {
                wanted.insert(part.clone(), value.clone());
            }
        }
    }

    /// Whether a field cannot be kept because of what is named, or was never requested.
    fn gives_up(&self, key: &str, there: &Json, found: &Json) -> bool {
        let named = |keys: &[&str]| keys.iter().any(|key| self.wanted(key).is_some_and(|value| !is_empty(value)));
        let excluded = EXCLUSIVE
            .iter()
            .any(|(one, other)| (other.contains(&key) && named(one)) || (one.contains(&key) && named(other)));
        let number = |key: &str| found.pointer(&format!("/HostConfig/{key}")).and_then(Json::as_i64).unwrap_or(0);
        excluded
            || match key {
                // The default host name is the container's ID.
                "Hostname" => {
                    let id = found.get("Id").and_then(Json::as_str).unwrap_or_default();
                    there.as_str().is_some_and(|name| id.starts_with(name)) || self.shares_network(found)
                }
                // The Engine's default, twice the memory.
                "MemorySwap" => self.wanted("Memory").is_some() && number("MemorySwap") == 2 * number("Memory"),
                "Domainname" | "MacAddress" => self.shares_network(found),
                // Without `network_mode`, the first of `networks` decides.
                "NetworkMode" => self.get("NetworkMode").is_some(),
                _ => false,
            }
    }

    /// Whether the container has no host name, domain or address of its own.
    fn shares_network(&self, found: &Json) -> bool {
        let mode = self.get("NetworkMode").or_else(|| found.pointer("/HostConfig/NetworkMode"));
        mode.and_then(Json::as_str).is_some_and(|mode| mode == "host" || mode.starts_with("container:"))
    }

    fn keep_field(&mut self, field: &'static Field, there: &Json, default: &Json) {
        let kept = match field.kind {
            Kind::Pairs => {
                let from_image = |pair: &Json| default.as_array().is_some_and(|all| all.contains(pair));
                let pairs = there.as_array().into_iter().flatten().filter(|pair| !from_image(pair));
                Json::Array(pairs.cloned().collect())
            }
            Kind::Map => {
                let entries = there.as_object().into_iter().flatten().filter(|(name, value)| {
                    let own = *name == CONFIG_LABEL || *name == SPEC_LABEL;
                    !own && default.get(name.as_str()) != Some(value)
                });
                Json::Object(entries.map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            Kind::Binds | Kind::Mounts => {
                // A path can be mounted only once.
                let taken = self.mounted_directories();
                let items = there.as_array().into_iter().flatten().filter(|item| {
                    let one = json!([item]);
                    split(field, &one).iter().all(|(name, _)| !taken.contains(&directory_of(name)))
                });
                Json::Array(items.cloned().collect())
            }
            Kind::Whole | Kind::Set if there == default => return,
            Kind::Whole | Kind::Set => there.clone(),
        };
        if !is_empty(&kept) {
            self.keep_value(field, kept);
        }
    }

    /// Paths in the container that are used by a volume, mount or tmpfs of the task.
    fn mounted_directories(&self) -> Vec<String> {
        let fields = ["Binds", "Mounts", "Tmpfs", "Volumes"];
        let named = fields.iter().filter_map(|key| {
            let field = FIELDS.iter().find(|field| field.key == *key)?;
            Some(split(field, self.get(key)?))
        });
        named.flatten().map(|(name, _)| directory_of(&name)).collect()
    }

    /// The networks of the container that the task does not name.
    fn keep_networks(&mut self, found: &Json, leaves_networks: bool) {
        if leaves_networks || self.named.contains(&"network_mode") || self.shares_network(found) {
            return;
        }
        let id = found.get("Id").and_then(Json::as_str).unwrap_or_default();
        let there = found.pointer("/NetworkSettings/Networks").and_then(Json::as_object);
        for (network, settings) in there.into_iter().flatten() {
            let known = |other: &Attachment| {
                let id = settings.get("NetworkID").and_then(Json::as_str);
                other.network == *network || id == Some(other.network.as_str())
            };
            if ["bridge", "host", "none"].contains(&network.as_str()) || self.networks.iter().any(known) {
                continue;
            }
            self.networks.push(Attachment { network: network.clone(), endpoint: endpoint(settings, id) });
        }
    }
}

/// The part after the argument's name: `volumes./data` is `/data`.
fn directory_of(name: &str) -> String {
    name.split_once('.').map_or(name, |(_, directory)| directory).trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use rplay_wire::{Map, Value, data};

    use super::*;
    use crate::{
        Args,
        docker::{comparisons::Comparisons, container_args::DockerContainer},
    };

    /// A container as returned by the Engine, with everything that could be lost.
    fn found() -> Json {
        json!({
            "Id": "0123456789abcdef", "Image": "sha256:1", "Name": "/a",
            "Config": {
                "Image": "todo:v2", "Hostname": "0123456789ab", "Cmd": ["serve"], "Entrypoint": ["/app"], "User": "app",
                "Env": ["PATH=/bin", "A=1"], "Labels": {"note": "of the image", "role": "cache"},
                "ExposedPorts": {"3000/tcp": {}}, "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5},
            },
            "HostConfig": {
                "Memory": 64, "MemorySwap": 128, "NanoCpus": 5, "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
                "Binds": ["/srv:/data:ro", "v:/log"], "CapAdd": ["NET_ADMIN", "SYS_TIME"], "CpuRealtimePeriod": 7,
                "PortBindings": {"3000/tcp": [{"HostIp": "", "HostPort": "3001"}]}, "NetworkMode": "todo",
                "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}, "MaskedPaths": ["/proc/kcore"],
            },
            "NetworkSettings": {"Networks": {
                "todo": {"Aliases": ["t3", "0123456789ab"], "IPAMConfig": {"IPv4Address": "10.5.0.3"}, "Gateway": "10.5.0.1"},
            }},
        })
    }

    fn image() -> Json {
        json!({"Cmd": ["serve"], "Entrypoint": ["/app"], "Env": ["PATH=/bin"], "Labels": {"note": "of the image"}})
    }

    fn spec(more: Map) -> Spec {
        let mut map = data! { "name" => "a", "image" => "todo:v2" };
        map.extend(more);
        DockerContainer::from_map(&map).unwrap().spec("todo:v2", &[], &str::to_owned).unwrap()
    }

    fn replaced(more: Map) -> Json {
        let mut spec = spec(more);
        spec.keep(&found(), &image(), false);
        let mut body = spec.body("sha256:2");
        for own in [CONFIG_LABEL, SPEC_LABEL] {
            body["Labels"].as_object_mut().unwrap().remove(own);
        }
        body
    }

    #[test]
    fn what_is_not_named_is_not_a_difference() {
        let comparison = spec(data! {}).compare(&found(), Some("sha256:1"), &Json::Null, &Comparisons::default());
        assert!(comparison.replace.is_empty() && comparison.updates.is_empty());
    }

    #[test]
    fn a_successor_has_all_that_was_asked_for_before_and_nothing_of_the_former_image() {
        let body = replaced(data! { "user" => "other" });
        assert_eq!(
            body,
            json!({
                "Image": "todo:v2", "User": "other", "Env": ["A=1"], "Labels": {"role": "cache"},
                "ExposedPorts": {"3000/tcp": {}}, "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5},
                "HostConfig": {
                    "Memory": 64, "MemorySwap": 128, "NanoCpus": 5,
                    "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
                    "Binds": ["/srv:/data:ro", "v:/log"], "CapAdd": ["NET_ADMIN", "SYS_TIME"], "CpuRealtimePeriod": 7,
                    "PortBindings": {"3000/tcp": [{"HostIp": "", "HostPort": "3001"}]}, "NetworkMode": "todo",
                    "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
                },
                "NetworkingConfig": {"EndpointsConfig": {
                    "todo": {"Aliases": ["t3"], "IPAMConfig": {"IPv4Address": "10.5.0.3"}},
                }},
            })
        );
    }

    #[test]
    fn what_is_named_is_as_named_and_the_rest_of_it_is_gone() {
        let body = replaced(
            data! { "env" => data! { "B" => "2" }, "volumes" => vec!["/other:/data"], "cap_drop" => vec!["ALL"] },
        );
        assert_eq!(body["Env"], json!(["B=2"]));
        assert_eq!(body["HostConfig"]["Binds"], json!(["/other:/data:rw"]));
        assert_eq!(body["HostConfig"]["CapAdd"], json!(["NET_ADMIN", "SYS_TIME"]));
        let mounts = vec![Value::from(data! { "target" => "/data", "source" => "/x", "type" => "bind" })];
        assert_eq!(replaced(data! { "mounts" => mounts })["HostConfig"]["Binds"], json!(["v:/log"]));
    }

    #[test]
    fn parts_that_are_not_named_stay_unless_they_belong_to_something_else() {
        let log = |more: Map| replaced(more)["HostConfig"]["LogConfig"].clone();
        let options = log(data! { "log_options" => data! { "max-file" => 2 } });
        assert_eq!(options, json!({"Type": "json-file", "Config": {"max-file": "2"}}));
        assert_eq!(log(data! { "log_driver" => "journald" }), json!({"Type": "journald"}));
        let policy = |name: &str| replaced(data! { "restart_policy" => name })["HostConfig"]["RestartPolicy"].clone();
        assert_eq!(policy("on-failure"), json!({"Name": "on-failure", "MaximumRetryCount": 3}));
        assert_eq!(policy("always"), json!({"Name": "always"}));
        assert_eq!(replaced(data! { "healthcheck" => data! { "interval" => "2s" } })["Healthcheck"]["Test"][0], "CMD");
    }

    #[test]
    fn what_the_engine_refuses_side_by_side_is_given_up() {
        assert_eq!(replaced(data! { "cpu_quota" => 50000 })["HostConfig"].get("NanoCpus"), None);
        assert_eq!(replaced(data! { "auto_remove" => true })["HostConfig"].get("RestartPolicy"), None);
        let larger = replaced(data! { "memory" => "1m" });
        assert_eq!((&larger["HostConfig"]["Memory"], larger["HostConfig"].get("MemorySwap")), (&json!(1 << 20), None));
        let host = replaced(data! { "network_mode" => "host" });
        assert_eq!((host.get("NetworkingConfig"), &host["HostConfig"]["NetworkMode"]), (None, &json!("host")));
    }
}
