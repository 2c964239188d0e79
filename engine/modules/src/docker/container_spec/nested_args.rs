//! Nested arguments of docker_container in the format of the Engine.

use rplay_wire::Value;
use serde_json::{Value as Json, json};

use super::{list, text, words};
use crate::docker::{
    container_args::{DeviceRequestArgs, HealthArgs, NetworkArgs, RateArgs},
    nested::Nested,
};

impl NetworkArgs {
    /// The endpoint settings in the Engine's format.
    pub(super) fn json(&self) -> Json {
        let mut endpoint = json!({});
        let addresses = [("IPv4Address", &self.ipv4_address), ("IPv6Address", &self.ipv6_address)];
        for (key, address) in addresses {
            if let Some(address) = address {
                endpoint["IPAMConfig"][key] = json!(address);
            }
        }
        let others = [
            ("Aliases", list(&self.aliases)),
            ("Links", list(&self.links)),
            ("MacAddress", text(&self.mac_address)),
            ("DriverOpts", self.driver_opts.as_ref().map(|options| options.json())),
        ];
        for (key, value) in others {
            if let Some(value) = value {
                endpoint[key] = value;
            }
        }
        endpoint
    }
}

impl HealthArgs {
    pub(super) fn json(&self) -> Result<Json, String> {
        let mut health = json!({});
        match &self.test {
            None => {}
            Some(Value::Str(text)) if text == "NONE" => health["Test"] = json!(["NONE"]),
            Some(Value::Str(text)) => health["Test"] = json!(["CMD-SHELL", text]),
            Some(test @ Value::List(_)) => {
                let words = words(test)?;
                if !matches!(words.first().map(String::as_str), Some("NONE" | "CMD" | "CMD-SHELL")) {
                    return Err("needs a `test` that begins with CMD, CMD-SHELL or NONE when it is a list".to_owned());
                }
                health["Test"] = json!(words);
            }
            Some(other) => return Err(format!("needs a `test` that is text or a list, not {}", other.type_name())),
        }
        let spans = [
            ("Interval", self.interval),
            ("Timeout", self.timeout),
            ("StartPeriod", self.start_period),
            ("StartInterval", self.start_interval),
        ];
        for (key, span) in spans {
            if let Some(span) = span {
                health[key] = json!(span.0);
            }
        }
        if let Some(retries) = self.retries {
            health["Retries"] = json!(retries);
        }
        Ok(health)
    }
}

impl DeviceRequestArgs {
    /// The Engine's format, including the fields that it would set itself.
    pub(super) fn json(&self) -> Json {
        let abilities = self.capabilities.iter().flatten().map(|any| match any {
            // Accepts `[gpu]` for `[[gpu]]`.
            Value::Str(one) => json!([one]),
            many => Json::from(many),
        });
        json!({
            "Driver": self.driver.as_deref().unwrap_or_default(),
            "Count": self.count.unwrap_or(if self.device_ids.is_some() { 0 } else { -1 }),
            "DeviceIDs": self.device_ids,
            "Capabilities": abilities.collect::<Vec<_>>(),
            "Options": self.options.as_ref().map_or_else(|| json!({}), |options| options.json()),
        })
    }
}

pub(super) fn rates(rates: &Option<Vec<Nested<RateArgs>>>) -> Option<Json> {
    let rates = rates.as_ref()?.iter().map(|rate| json!({"Path": rate.path, "Rate": rate.rate.0}));
    Some(rates.collect())
}
