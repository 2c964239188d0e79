//! The desired container: the body of the Engine's create request, and its fields by their names in playbooks, for
//! hashing and comparison.

pub(super) mod comparison;
mod entry;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{
    fields::{CONFIG_LABEL, FIELDS, Field, Kind, Place, SPEC_LABEL, split},
    image_name::ImageName,
};
use entry::{Entry, config_hash, short_hash};

/// A network of a container, with the settings of its endpoint.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attachment {
    pub network: String,
    pub endpoint: Json,
}

/// The desired container.
#[derive(Clone, Default)]
pub(crate) struct Spec {
    values: Vec<Setting>,
    /// Arguments that the task gives, even if empty (`env: {}`).
    pub(super) named: Vec<&'static str>,
    /// Kept settings of `HostConfig` without an argument.
    pub(super) unknown: Vec<(String, Json)>,
    /// Short hashes of kept entries, from the label of the former container.
    pub(super) recorded: BTreeMap<String, Json>,
    pub networks: Vec<Attachment>,
    /// The name of the image; compared only if requested.
    image_name: String,
    compare_image_name: bool,
}

/// A field of the request with its value.
#[derive(Clone)]
struct Setting {
    field: &'static Field,
    value: Json,
    /// Whether the task names it. Otherwise it is part of the request, but never compared.
    named: bool,
}

impl Spec {
    /// An empty specification with an image.
    pub(crate) fn new(image_name: &str, compare_image_name: bool) -> Self {
        Spec { image_name: image_name.to_owned(), compare_image_name, ..Spec::default() }
    }

    /// Sets a field by the Engine's name.
    pub(crate) fn set(&mut self, key: &str, value: Json) {
        match FIELDS.iter().find(|field| field.key == key) {
            Some(field) => self.values.push(Setting { field, value, named: true }),
            None => debug_assert!(false, "{key} has no line in FIELDS"),
        }
    }

    /// Sets a field that is derived from others and not compared.
    pub(crate) fn derive(&mut self, key: &str, value: Json) {
        if let Some(field) = FIELDS.iter().find(|field| field.key == key) {
            self.keep_value(field, value);
        }
    }

    /// Sets a field that the task does not name.
    pub(super) fn keep_value(&mut self, field: &'static Field, value: Json) {
        match (field.kind, self.get_mut(field.key)) {
            (Kind::Map, Some(Json::Object(there))) => {
                value.as_object().into_iter().flatten().for_each(|(key, value)| {
                    there.entry(key.clone()).or_insert_with(|| value.clone());
                });
            }
            (_, Some(_)) => {}
            (_, None) => self.values.push(Setting { field, value, named: false }),
        }
    }

    /// Whether the task names this field.
    pub(super) fn names(&self, field: &Field) -> bool {
        self.named.contains(&field.arg) || self.values.iter().any(|s| s.named && s.field.key == field.key)
    }

    /// The value that the task gives for a field.
    pub(super) fn wanted(&self, key: &str) -> Option<&Json> {
        self.values.iter().find(|setting| setting.named && setting.field.key == key).map(|setting| &setting.value)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Json> {
        self.values.iter().find(|setting| setting.field.key == key).map(|setting| &setting.value)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Json> {
        self.values.iter_mut().find(|setting| setting.field.key == key).map(|setting| &mut setting.value)
    }

    /// All entries of all fields that the task names, by their names in playbooks.
    fn entries(&self, image_id: Option<&str>) -> BTreeMap<String, Entry> {
        let mut entries = BTreeMap::new();
        for Setting { field, value, .. } in self.values.iter().filter(|setting| setting.named) {
            for (name, value) in split(field, value) {
                entries.insert(name, Entry { value, live: field.live, is_set: field.kind == Kind::Set });
            }
        }
        // A published port is also exposed; it is reported only once.
        let published: Vec<_> = entries.keys().filter_map(|name| name.strip_prefix("published_ports.")).collect();
        let exposed: Vec<_> = published.into_iter().map(|port| format!("exposed_ports.{port}")).collect();
        entries.retain(|name, _| !exposed.contains(name));
        if let Some(id) = image_id {
            entries.insert("image".to_owned(), Entry::whole(json!(id)));
        }
        if self.compare_image_name {
            entries.insert("image.name".to_owned(), Entry::whole(json!(full_name(&self.image_name))));
        }
        entries
    }

    /// rplay's labels for a container created from this.
    fn own_labels(&self, image_id: &str) -> [(&'static str, String); 2] {
        let entries = self.entries(Some(image_id));
        let mut short: BTreeMap<_, _> = self.recorded.clone();
        short.extend(entries.iter().map(|(name, entry)| (name.clone(), json!(short_hash(&entry.value)))));
        [(CONFIG_LABEL, config_hash(&entries)), (SPEC_LABEL, json!(short).to_string())]
    }

    /// The create request. It contains the first network; the others are [`Attachment`]s to be connected later (before
    /// API 1.44 only one is allowed).
    pub(crate) fn body(&self, image_id: &str) -> Json {
        let mut body = json!({"Image": self.image_name, "HostConfig": {}});
        for (key, value) in &self.unknown {
            body["HostConfig"][key] = value.clone();
        }
        for Setting { field, value, .. } in &self.values {
            match field.place {
                Place::Config => body[field.key] = value.clone(),
                Place::HostConfig => body["HostConfig"][field.key] = value.clone(),
            }
        }
        for (name, value) in self.own_labels(image_id) {
            body["Labels"][name] = json!(value);
        }
        if let Some(first) = self.first_network() {
            body["NetworkingConfig"] = json!({"EndpointsConfig": {first.network.as_str(): first.endpoint}});
        }
        body
    }

    /// The network in which a container is created.
    fn first_network(&self) -> Option<&Attachment> {
        let mode = self.get("NetworkMode")?.as_str()?;
        self.networks.iter().find(|attachment| attachment.network == mode)
    }

    /// The networks to connect once the container is created.
    pub(crate) fn later_networks(&self) -> Vec<Attachment> {
        let first = self.first_network();
        self.networks.iter().filter(|attachment| Some(*attachment) != first).cloned().collect()
    }

    /// Values that must not appear in errors: those of env, and the arguments of commands.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let strings = |key: &str| self.get(key).and_then(Json::as_array).cloned().unwrap_or_default();
        let env = strings("Env").into_iter().filter_map(|pair| Some(pair.as_str()?.split_once('=')?.1.to_owned()));
        let words = strings("Cmd").into_iter().skip(1).filter_map(|word| Some(word.as_str()?.to_owned()));
        // Short values (a port, `yes`) would hide half of a message.
        env.chain(words).filter(|value| value.len() >= 8).collect()
    }
}

/// `nginx` and `nginx:latest` are the same name.
fn full_name(image: &str) -> String {
    ImageName::parse(image, None).map_or_else(|| image.to_owned(), |name| name.to_string())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(super) fn spec() -> Spec {
        let mut spec = Spec::new("todo:v2", false);
        spec.set("Env", json!(["A=1", "JWT_SECRET=hunter2hunter2"]));
        spec.set("PortBindings", json!({"3000/tcp": [{"HostIp": "", "HostPort": "3001"}]}));
        spec.set("Memory", json!(1 << 20));
        spec.set("NetworkMode", json!("todo"));
        spec.networks = vec![
            Attachment { network: "todo".into(), endpoint: json!({"Aliases": ["a"]}) },
            Attachment { network: "other".into(), endpoint: json!({}) },
        ];
        spec
    }

    #[test]
    fn the_first_network_goes_with_the_request() {
        let body = spec().body("sha256:1");
        assert_eq!(body["NetworkingConfig"]["EndpointsConfig"], json!({"todo": {"Aliases": ["a"]}}));
        assert_eq!(spec().later_networks().len(), 1);
    }
}
