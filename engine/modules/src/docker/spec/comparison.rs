//! Compares a container with the desired one.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{
    Setting, Spec,
    entry::{Entry, config_hash, short_hash},
    full_name,
};
use crate::docker::{
    comparisons::Comparisons,
    difference::{Difference, covers, is_empty},
    fields::{CONFIG_LABEL, FIELDS, HIDDEN, Place, SPEC_LABEL, split},
};

/// The differences between a container and the specification.
pub(crate) struct Comparison {
    /// Differences that require a replacement.
    pub replace: Vec<Difference>,
    /// What can be changed while it runs: the Engine's name, the argument's name, the value.
    pub updates: Vec<(&'static str, &'static str, Json)>,
}

impl Spec {
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
        crate::system::order::sort_by(&mut replace, |a, b| {
            (a.field != "image", &a.field).cmp(&(b.field != "image", &b.field))
        });
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::{difference::reasons, spec::tests::spec};

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
        assert_eq!(reasons(&comparison.replace), "image, env.B, env.JWT_SECRET changed");
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
}
