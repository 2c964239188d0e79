//! Sources that only a plugin written in Python understands. The plugin's result is data and is added to the hosts and
//! groups known so far.

use std::{path::Path, sync::Arc};

use minijinja::value::ValueKind;
use serde_json::{Map, Value as Json, json};

use super::{Inventory, InventoryError, Plugins, PluginsError};
use crate::{
    source::{self, Problems, Source, Span},
    syntax::Style,
    vars::{Layer, Lazy, Template, Value, Vaulted, from_wire, holds_template, is_trusted, mapping},
};

impl Inventory {
    /// Reads a source with plugins. `place` is where the source names its plugin.
    pub(super) fn read_with_plugins(
        &mut self,
        plugins: &dyn Plugins,
        source: &str,
        place: Option<&Span>,
    ) -> Result<(), Problems> {
        self.is_plugins = true;
        let written = match Path::new(source).exists() {
            true => source::absolute(Path::new(source)),
            false => source.to_owned(),
        };
        let response = match plugins.parse(&written, self.known(), &self.layers.vault.clone()) {
            Ok(response) => response,
            Err(PluginsError::Failed(message)) => return Err(InventoryError::Plugin { message }.into()),
            Err(PluginsError::Unavailable { why, help }) => {
                // Nothing is wrong with the source itself.
                self.refused = true;
                let message = format!("the inventory {source} needs a plugin written in Python: {why}");
                return Err(match place {
                    Some(place) => InventoryError::syntax(place.clone(), message).help(help).into(),
                    None => InventoryError::Unavailable { message, help }.into(),
                });
            }
        };
        let texts = |name: &str| response[name].as_array().into_iter().flatten().filter_map(Json::as_str);
        self.notes.extend(texts("notes").map(str::to_owned));
        // ansible-core adds this warning to every source that it cannot parse.
        let told = texts("warnings").filter(|text| !text.ends_with(" as an inventory source")).map(str::to_owned);
        if response["parsed"] != true {
            let mut problems = Problems::default();
            told.for_each(|message| problems.push(InventoryError::Plugin { message }));
            return problems.unless_any(()).and_then(|()| {
                let message = format!("no enabled inventory plugin reads {source}");
                Err(InventoryError::Plugin { message }.into())
            });
        }
        self.warnings.extend(told);
        self.add_all(&response, &Source::inline(source, ""))
    }

    pub(super) fn known(&self) -> Json {
        let groups = self.groups().map(|group| {
            let children = self.children(group).map(|child| &*child.name).collect::<Vec<_>>();
            let hosts = self.own_hosts(group).map(|host| &*host.name).collect::<Vec<_>>();
            json!({ "name": &*group.name, "vars": given(&group.vars), "children": children, "hosts": hosts,
                "priority": group.priority })
        });
        let hosts = self.hosts().map(|host| json!({ "name": &*host.name, "vars": given(&host.vars) }));
        json!({ "groups": groups.collect::<Vec<_>>(), "hosts": hosts.collect::<Vec<_>>(), "processed": self.processed })
    }

    fn add_all(&mut self, response: &Json, source: &Arc<Source>) -> Result<(), Problems> {
        let entries = |name: &str| response[name].as_array().map(Vec::as_slice).unwrap_or_default();
        let name_of = |entry: &Json| entry["name"].as_str().unwrap_or_default().to_owned();
        let place = Span::new(source, 0..0);
        for entry in entries("hosts") {
            let host = self.host_index(&name_of(entry));
            self.set_host_vars(host, layer(&entry["vars"], source));
        }
        for entry in entries("groups") {
            let group = self.group_index(&name_of(entry));
            if let Some(priority) = entry["priority"].as_i64() {
                self.set_group_var(group, "ansible_group_priority", Lazy::Data(priority.into()), &place)?;
            }
            for (name, value) in layer(&entry["vars"], source) {
                self.set_group_var(group, &name, value, &place)?;
            }
        }
        for entry in entries("groups") {
            let group = self.group_index(&name_of(entry));
            let members = |kind: &str| entry[kind].as_array().into_iter().flatten().filter_map(Json::as_str);
            for host in members("hosts") {
                let host = self.host_index(host);
                self.put(group, host);
            }
            for child in members("children") {
                let child = self.group_index(child);
                self.add_child(group, child).map_err(|message| InventoryError::Loop { message })?;
            }
        }
        Ok(())
    }
}

/// Variables to be sent to Python: mappings, templates and encrypted values are marked as such.
fn given(vars: &Layer) -> Json {
    fn of(value: &Lazy) -> Json {
        match value {
            Lazy::Data(data) => of_data(data),
            Lazy::Template(template) => json!({ "template": &*template.text }),
            Lazy::Vaulted(vaulted) => json!({ "vault": &*vaulted.envelope }),
            Lazy::List(items) => items.iter().map(of).collect(),
            Lazy::Map(entries) => marked(entries.iter().map(|(key, value)| (key.to_string(), of(value))).collect()),
        }
    }
    fn of_data(value: &Value) -> Json {
        match value.kind() {
            ValueKind::String if is_trusted(value) => json!({ "template": value.as_str() }),
            ValueKind::Seq => value.try_iter().into_iter().flatten().map(|item| of_data(&item)).collect(),
            ValueKind::Map => {
                let keys = value.try_iter().into_iter().flatten();
                let entry = |key: Value| {
                    let value = value.get_item(&key).unwrap_or_default();
                    (key.as_str().map_or_else(|| key.to_string(), str::to_owned), of_data(&value))
                };
                marked(keys.map(entry).collect())
            }
            _ => super::json::of_data(value),
        }
    }
    marked(vars.iter().map(|(name, value)| (name.to_string(), of(value))).collect())
}

fn marked(entries: Map<String, Json>) -> Json {
    json!({ "map": entries })
}

pub(super) fn layer(vars: &Json, source: &Arc<Source>) -> Layer {
    let entries = vars.as_object().into_iter().flatten();
    entries.map(|(name, value)| (name.as_str().into(), taken(value, &source.name))).collect()
}

/// A value from Python. Only text that is marked as a template can be one.
fn taken(value: &Json, name: &str) -> Lazy {
    let span = |text: &str| {
        let source = Source::inline(name, text);
        Span::new(&source, 0..text.len())
    };
    match value {
        Json::Array(items) => {
            let items: Vec<Lazy> = items.iter().map(|item| taken(item, name)).collect();
            match items.iter().map(Lazy::data).collect::<Option<Vec<Value>>>() {
                Some(data) => Lazy::Data(Value::from(data)),
                None => Lazy::List(items.into()),
            }
        }
        Json::Object(marked) => match (marked.get("template"), marked.get("vault"), marked.get("map")) {
            (Some(Json::String(text)), ..) if holds_template(text) => {
                Lazy::Template(Arc::new(Template { text: text.as_str().into(), span: span(text), style: Style::Plain }))
            }
            (Some(Json::String(text)), ..) => Lazy::Data(Value::from_safe_string(text.clone())),
            (_, Some(Json::String(envelope)), _) => {
                Lazy::Vaulted(Arc::new(Vaulted { envelope: envelope.as_str().into(), span: span("") }))
            }
            (.., Some(Json::Object(entries))) => {
                let entries: indexmap::IndexMap<Arc<str>, Lazy> =
                    entries.iter().map(|(key, value)| (key.as_str().into(), taken(value, name))).collect();
                match entries.values().map(Lazy::data).collect::<Option<Vec<Value>>>() {
                    Some(data) => Lazy::Data(mapping(entries.keys().cloned().map(Value::from).zip(data))),
                    None => Lazy::Map(Arc::new(entries)),
                }
            }
            _ => Lazy::Data(Value::from(())),
        },
        Json::String(text) => Lazy::Data(Value::from(text.as_str())),
        other => Lazy::Data(from_wire(other.clone().into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_marked_is_a_template() {
        let plain = json!({ "map": { "template": "{{ 1 }}", "list": ["{{ 2 }}", { "map": { "vault": "x" } }] } });
        assert!(taken(&plain, "x").data().is_some());
        assert!(matches!(taken(&json!({ "template": "{{ 1 }}" }), "x"), Lazy::Template(_)));
        assert!(matches!(taken(&json!({ "template": "one" }), "x"), Lazy::Data(_)));
        assert!(matches!(taken(&json!([{ "vault": "$ANSIBLE_VAULT;" }]), "x"), Lazy::List(_)));
    }

    /// Values survive the round trip to Python.
    #[test]
    fn variables_keep_what_they_are_both_ways() {
        let text = "a: 1\nb: [x, {c: '{{ d }}', vault: no}]\ne: {template: 2, map: {f: '{{ g }}'}}\nh: null\n";
        let source = Source::inline("x", text);
        let node = crate::syntax::yaml::load(&source).unwrap().node;
        let entries = node.as_map().unwrap().iter();
        let vars: Layer = entries.map(|(name, value)| (super::super::key::key(name), Lazy::from_node(value))).collect();
        let there = given(&vars);
        let Json::Object(marked) = &there else { panic!("{there}") };
        let back = layer(&marked["map"], &source);
        assert_eq!(given(&back), there);
        assert!(there.to_string().contains(r#"{"template":"{{ g }}"}"#), "{there}");
    }
}
