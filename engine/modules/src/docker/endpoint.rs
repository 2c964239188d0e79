//! The endpoint of a container in a network.

use serde_json::{Value as Json, json};

use super::difference::is_empty;

/// The current endpoint settings of a container: aliases, fixed addresses, links and driver options. `settings` is the
/// network's entry in `NetworkSettings/Networks` of the container with the ID `id`; settings that the Engine assigns
/// itself are omitted.
pub(super) fn endpoint(settings: &Json, id: &str) -> Json {
    let of = |key: &str| settings.get(key).filter(|value| !is_empty(value));
    let mut endpoint = json!({});
    for key in ["IPAMConfig", "Links", "DriverOpts"] {
        if let Some(value) = of(key) {
            endpoint[key] = value.clone();
        }
    }
    // The Engine adds the container's short ID itself.
    let short = id.get(..12).unwrap_or(id);
    let aliases = of("Aliases").and_then(Json::as_array).into_iter().flatten();
    let aliases: Vec<_> = aliases.filter(|alias| alias.as_str().is_some_and(|alias| alias != short)).cloned().collect();
    if !aliases.is_empty() {
        endpoint["Aliases"] = Json::Array(aliases);
    }
    endpoint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_keeps_what_was_asked_for_and_an_alias_that_begins_the_id() {
        let settings = json!({
            "Aliases": ["db", "db0123456789"], "IPAMConfig": {"IPv4Address": "10.5.0.3"}, "Links": null,
            "DriverOpts": {"com.docker.network.endpoint.ifname": "in0"}, "Gateway": "10.5.0.1", "MacAddress": "02:42",
        });
        let kept = json!({
            "Aliases": ["db"], "IPAMConfig": {"IPv4Address": "10.5.0.3"},
            "DriverOpts": {"com.docker.network.endpoint.ifname": "in0"},
        });
        assert_eq!(endpoint(&settings, "db0123456789abcdef"), kept);
        assert_eq!(endpoint(&Json::Null, ""), json!({}));
    }
}
