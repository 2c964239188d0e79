//! The desired container: the body of the Engine's create request, and its fields by their names in playbooks, for
//! hashing and comparison.

use std::collections::BTreeMap;

use rplay_wire::hex;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::{
    difference::{Difference, covers, is_empty},
    fields::{CONFIG_LABEL, FIELDS, Field, HIDDEN, Kind, Place, SPEC_LABEL, split},
    image_name::ImageName,
};

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

    /// Compares a container with what the task names: what requires a replacement, and what can be changed while it
    /// runs. `image_id` is `None` if the image must be pulled first; `image` is the `Config` of the image that the
    /// container was created from, if known.
    pub(crate) fn compare(
        &self,
        inspect: &Json,
        image_id: Option<&str>,
        image: &Json,
        rules: &Comparisons,
    ) -> Comparison {
        let wanted = self.entries(image_id);
        let label = |name: &str| inspect.pointer("/Config/Labels").and_then(|labels| labels.get(name)?.as_str());
        let mut replace = match label(CONFIG_LABEL) {
            Some(hash) if *hash == config_hash(&wanted) => Vec::new(),
            _ => self.differences(&wanted, inspect, image, label(SPEC_LABEL), rules),
        };
        let mut updates = Vec::new();
        for Setting { field, value, .. } in self.values.iter().filter(|setting| setting.named && setting.field.live) {
            let there = inspect.pointer(&format!("/HostConfig/{}", field.key)).unwrap_or(&Json::Null);
            if !covers(there, value) && !rules.ignores(field.arg) {
                updates.push((field.key, field.arg, value.clone()));
            }
        }
        if image_id.is_none() {
            replace.push(Difference::new("image"));
        }
        replace.retain(|difference| !rules.lets_be(difference));
        replace.sort_by(|a, b| (a.field != "image", &a.field).cmp(&(b.field != "image", &b.field)));
        replace.dedup();
        Comparison { replace, updates }
    }

    /// Compares each desired entry with what was requested when the container was created (`label`) and with the
    /// Engine's actual value, which may be formatted differently.
    fn differences(
        &self,
        wanted: &BTreeMap<String, Entry>,
        inspect: &Json,
        image: &Json,
        label: Option<&str>,
        rules: &Comparisons,
    ) -> Vec<Difference> {
        let there = self.observed(inspect);
        let recorded: Option<BTreeMap<String, String>> = label.and_then(|text| serde_json::from_str(text).ok());
        let arg_of = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        let changed = wanted.iter().filter(|(name, entry)| {
            let as_recorded = || recorded.as_ref().and_then(|all| all.get(*name)) == Some(&short_hash(&entry.value));
            let as_shown = || entry.is_covered(there.get(*name).unwrap_or(&Json::Null), rules.is_strict(&arg_of(name)));
            !entry.live && !as_recorded() && !as_shown()
        });
        let mut differences: Vec<_> = changed.map(|(name, _)| Difference::new(name.as_str())).collect();
        // As in Ansible, additional values are no difference by default.
        let is_strict = |name: &str| self.named.contains(&arg_of(name).as_str()) && rules.is_strict(&arg_of(name));
        let of_image = |name: &str| {
            FIELDS.iter().any(|field| {
                field.place == Place::Config
                    && image.get(field.key).is_some_and(|value| split(field, value).iter().any(|(own, _)| own == name))
            })
        };
        let names: Vec<&String> = recorded.as_ref().map_or_else(|| there.keys().collect(), |all| all.keys().collect());
        let more = names.into_iter().filter(|name| !wanted.contains_key(*name) && is_strict(name) && !of_image(name));
        differences.extend(more.map(|name| Difference::removed(name.as_str())));
        differences
    }

    /// The Engine's actual values, by the same names.
    fn observed(&self, inspect: &Json) -> BTreeMap<String, Json> {
        let mut there = BTreeMap::new();
        for field in FIELDS {
            let place = if field.place == Place::Config { "Config" } else { "HostConfig" };
            if let Some(value) = inspect.pointer(&format!("/{place}/{}", field.key)) {
                there.extend(split(field, value));
            }
        }
        let of = |pointer: &str| inspect.pointer(pointer).cloned().unwrap_or(Json::Null);
        there.insert("image".to_owned(), of("/Image"));
        let name = inspect.pointer("/Config/Image").and_then(Json::as_str).unwrap_or_default();
        there.insert("image.name".to_owned(), json!(full_name(name)));
        there
    }

    /// The actual and desired values of the differing fields, one per line; `***` for potential secrets.
    pub(crate) fn texts(&self, inspect: &Json, image_id: Option<&str>, fields: &[String]) -> (String, String) {
        let (wanted, there) = (self.entries(image_id), self.observed(inspect));
        let (mut before, mut after) = (String::new(), String::new());
        for field in fields {
            let arg = field.split('.').next().unwrap_or(field);
            let hidden = HIDDEN.contains(&arg);
            let show = |value: &Json| match value {
                _ if hidden => "***".to_owned(),
                Json::String(text) => text.clone(),
                value => value.to_string(),
            };
            if let Some(value) = there.get(field).filter(|value| !is_empty(value)) {
                before.push_str(&format!("{field}: {}\n", show(value)));
            }
            if let Some(entry) = wanted.get(field) {
                let other = if hidden && there.contains_key(field) { " (another value)" } else { "" };
                after.push_str(&format!("{field}: {}{other}\n", show(&entry.value)));
            }
        }
        (before, after)
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

/// A desired entry.
struct Entry {
    value: Json,
    live: bool,
    /// Whether it is an unordered list.
    is_set: bool,
}

impl Entry {
    fn whole(value: Json) -> Self {
        Entry { value, live: false, is_set: false }
    }

    /// Whether the actual value satisfies it. A set may contain more unless the comparison is strict.
    fn is_covered(&self, there: &Json, strict: bool) -> bool {
        match (&self.value, there) {
            (Json::Array(wanted), Json::Array(there)) if self.is_set && !strict => {
                wanted.iter().all(|wanted| there.iter().any(|there| covers(there, wanted)))
            }
            (wanted, there) => covers(there, wanted),
        }
    }
}

/// The differences between a container and the specification.
pub(crate) struct Comparison {
    /// Differences that require a replacement.
    pub replace: Vec<Difference>,
    /// What can be changed while it runs: the Engine's name, the argument's name, the value.
    pub updates: Vec<(&'static str, &'static str, Json)>,
}

/// `comparisons`: how to compare, by argument.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comparisons {
    pub ignored: Vec<String>,
    pub more_allowed: Vec<String>,
    /// Whether `*` is `ignore`.
    pub ignore_rest: bool,
    pub strict_rest: bool,
    pub strict: Vec<String>,
}

impl Comparisons {
    /// Whether the argument is not compared.
    pub(crate) fn ignores(&self, arg: &str) -> bool {
        let said = |list: &[String]| list.iter().any(|name| name == arg);
        // Matters only when a container is stopped, and is then sent with the request.
        let by_itself = arg == "stop_timeout" && !said(&self.strict);
        by_itself || said(&self.ignored) || (self.ignore_rest && !said(&self.strict) && !said(&self.more_allowed))
    }

    /// Whether additional values are a difference, for an argument where they are not by default.
    pub(crate) fn is_strict(&self, arg: &str) -> bool {
        let said = |list: &[String]| list.iter().any(|name| name == arg);
        said(&self.strict) || (self.strict_rest && !said(&self.ignored) && !said(&self.more_allowed))
    }

    fn lets_be(&self, difference: &Difference) -> bool {
        let arg = difference.field.split('.').next().unwrap_or(&difference.field);
        self.ignores(arg) || (difference.removed && self.more_allowed.iter().any(|name| name == arg))
    }
}

/// `nginx` and `nginx:latest` are the same name.
fn full_name(image: &str) -> String {
    ImageName::parse(image, None).map_or_else(|| image.to_owned(), |name| name.to_string())
}

fn short_hash(value: &Json) -> String {
    hex::encode(Sha256::digest(value.to_string().as_bytes())).chars().take(8).collect()
}

fn config_hash(entries: &BTreeMap<String, Entry>) -> String {
    let mut sum = Sha256::new();
    for (name, entry) in entries {
        // For a field that can be changed while the container runs, only its presence counts.
        let value = if entry.live { String::new() } else { entry.value.to_string() };
        sum.update(format!("{name}\0{value}\n"));
    }
    hex::encode(sum.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Spec {
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

    /// A container created from this, as returned by the Engine.
    fn made(spec: &Spec, id: &str) -> Json {
        let mut config = spec.body(id);
        let host = config.as_object_mut().unwrap().remove("HostConfig").unwrap();
        json!({"Config": config, "HostConfig": host, "Image": id})
    }

    #[test]
    fn a_container_made_from_it_does_not_differ() {
        let found = made(&spec(), "sha256:1");
        let comparison = spec().compare(&found, Some("sha256:1"), &Json::Null, &Comparisons::default());
        assert!(comparison.replace.is_empty() && comparison.updates.is_empty());
    }

    #[test]
    fn what_differs_is_named_and_secrets_stay_out_of_sight() {
        let found = made(&spec(), "sha256:1");
        assert!(!found["Config"]["Labels"].to_string().contains("hunter2"));
        let mut other = spec();
        *other.get_mut("Env").unwrap() = json!(["JWT_SECRET=other", "B=2"]);
        let comparison = other.compare(&found, Some("sha256:2"), &Json::Null, &Comparisons::default());
        assert_eq!(super::super::difference::reasons(&comparison.replace), "image, env.B, env.JWT_SECRET changed");
        let fields: Vec<_> = comparison.replace.into_iter().map(|d| d.field).collect();
        let (before, after) = other.texts(&found, Some("sha256:2"), &fields);
        assert_eq!(before, "image: sha256:1\nenv.JWT_SECRET: ***\n");
        assert_eq!(after, "image: sha256:2\nenv.B: ***\nenv.JWT_SECRET: *** (another value)\n");
        assert_eq!(spec().secrets(), ["hunter2hunter2"]);
    }

    #[test]
    fn more_than_is_wanted_is_a_difference_only_where_that_is_said() {
        let found = made(&spec(), "sha256:1");
        let mut other = spec();
        other.named = vec!["env", "cap_drop"];
        *other.get_mut("Env").unwrap() = json!(["JWT_SECRET=hunter2hunter2"]);
        let compare = |spec: &Spec, found: &Json, rules: Comparisons| {
            spec.compare(found, Some("sha256:1"), &json!({"Env": ["PATH=/bin"]}), &rules).replace
        };
        assert_eq!(compare(&other, &found, Comparisons::default()), []);
        let strict = |args: &[&str]| Comparisons {
            strict: args.iter().map(|arg| (*arg).to_owned()).collect(),
            ..Comparisons::default()
        };
        assert_eq!(compare(&other, &found, strict(&["env"])), [Difference::removed("env.A")]);
        let rest = Comparisons { strict_rest: true, ..Comparisons::default() };
        assert_eq!(compare(&other, &found, rest.clone()), [Difference::removed("env.A")]);
        let loosened = Comparisons { more_allowed: vec!["env".to_owned()], ..rest };
        assert_eq!(compare(&other, &found, loosened), []);
        // A container not created by rplay: settings from its image are not additional values.
        let mut foreign = found.clone();
        foreign["Config"]["Labels"] = Json::Null;
        foreign["Config"]["Env"] = json!(["PATH=/bin", "JWT_SECRET=hunter2hunter2"]);
        assert_eq!(compare(&other, &foreign, strict(&["env"])), []);
        foreign["HostConfig"]["CapAdd"] = json!(["CAP_SYS_TIME", "NET_ADMIN"]);
        other.set("CapAdd", json!(["NET_ADMIN"]));
        assert_eq!(compare(&other, &foreign, Comparisons::default()), []);
        assert_eq!(compare(&other, &foreign, strict(&["capabilities"])), [Difference::new("capabilities")]);
    }

    #[test]
    fn comparisons_loosen() {
        let found = made(&spec(), "sha256:1");
        let differ =
            |rules: Comparisons| !spec().compare(&found, Some("sha256:2"), &Json::Null, &rules).replace.is_empty();
        let image = || vec!["image".to_owned()];
        assert!(differ(Comparisons::default()));
        assert!(!differ(Comparisons { ignored: image(), ..Comparisons::default() }));
        assert!(!differ(Comparisons { ignore_rest: true, ..Comparisons::default() }));
        assert!(differ(Comparisons { ignore_rest: true, strict: image(), ..Comparisons::default() }));
    }

    #[test]
    fn limits_are_changed_while_it_runs_and_do_not_count_in_the_hash() {
        let found = made(&spec(), "sha256:1");
        let mut other = spec();
        *other.get_mut("Memory").unwrap() = json!(2 << 20);
        let comparison = other.compare(&found, Some("sha256:1"), &Json::Null, &Comparisons::default());
        assert!(comparison.replace.is_empty());
        assert_eq!(comparison.updates, [("Memory", "memory", json!(2 << 20))]);
    }

    #[test]
    fn a_foreign_container_is_adopted_if_it_has_all_that_is_wanted() {
        let mut found = made(&spec(), "sha256:1");
        found["Config"]["Labels"] = json!({"theirs": "x"});
        found["Config"]["Env"] = json!(["JWT_SECRET=hunter2hunter2", "PATH=/bin", "A=1"]);
        found["HostConfig"]["PortBindings"]["3000/tcp"][0]["HostIp"] = json!("0.0.0.0");
        found["HostConfig"]["CapAdd"] = Json::Null;
        let differ =
            |found: &Json| spec().compare(found, Some("sha256:1"), &Json::Null, &Comparisons::default()).replace;
        assert_eq!(differ(&found), []);
        found["Config"]["Env"] = json!(["A=1"]);
        assert_eq!(differ(&found), [Difference::new("env.JWT_SECRET")]);
    }

    #[test]
    fn the_first_network_goes_with_the_request() {
        let body = spec().body("sha256:1");
        assert_eq!(body["NetworkingConfig"]["EndpointsConfig"], json!({"todo": {"Aliases": ["a"]}}));
        assert_eq!(spec().later_networks().len(), 1);
    }
}
