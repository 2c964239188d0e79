//! getent: entries of the host's databases, as facts.

use rplay_wire::{Failure, Map, Value};

use crate::{
    Host, Module, Plan, args,
    argtypes::{Flag, Text},
};

args! {
    /// Reads entries of passwd, group, services and other databases into facts.
    pub struct Getent {
        /// The database: passwd, group, hosts, services ...
        database: Text,
        /// The key of the entry; by default all entries.
        key: Option<Text>,
        /// The name service to query instead of the configured ones.
        service: Option<Text>,
        /// The field separator; by default that of the database.
        split: Option<Text>,
        /// Whether a missing entry is a failure.
        fail_key: Flag = Flag(true),
    }
}

impl Module for Getent {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let mut tool = host.required_program("getent")?;
        tool = tool.arg(&self.database);
        if let Some(key) = self.key.as_deref() {
            tool = tool.arg(key);
        }
        tool = tool.option("-s", self.service.as_deref());
        let finished = tool.run()?;
        let name = format!("getent_{}", self.database);
        let msg = match finished.rc {
            0 => {
                let split = self.split.as_deref().or(match self.database.as_str() {
                    "passwd" | "shadow" | "group" | "gshadow" => Some(":"),
                    _ => None,
                });
                let mut plan = Plan::unchanged();
                plan.facts.insert(name, entries(&finished.stdout, split).into());
                return Ok(plan);
            }
            1 => "Missing arguments, or database unknown.",
            2 if !self.fail_key.0 => {
                let mut plan =
                    Plan::unchanged().set("msg", "One or more supplied key could not be found in the database.");
                let missing: Map = self.key.into_iter().map(|key| (key, Value::Null)).collect();
                plan.facts.insert(name, missing.into());
                return Ok(plan);
            }
            2 => "One or more supplied key could not be found in the database.",
            3 => "Enumeration not supported on this database.",
            _ => "Unexpected failure!",
        };
        let arg = if finished.rc == 2 { "key" } else { "database" };
        Err(Failure::new(msg).arg(arg))
    }
}

/// The entries by their first field. Duplicate keys become a list of lists.
fn entries(text: &str, split: Option<&str>) -> Map {
    let mut all = Map::new();
    for line in text.lines() {
        let fields: Vec<&str> = match split {
            Some(split) => line.split(split).collect(),
            None => line.split_whitespace().collect(),
        };
        let Some((key, rest)) = fields.split_first() else { continue };
        let fields = Value::from(rest.to_vec());
        match all.get_mut(*key) {
            None => {
                all.insert((*key).to_owned(), fields);
            }
            Some(Value::List(present))
                if present.iter().all(|one| matches!(one, Value::List(_))) && !present.is_empty() =>
            {
                present.push(fields);
            }
            Some(present) => *present = Value::List(vec![present.clone(), fields]),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use rplay_wire::data;

    use super::*;
    use crate::runner::tests::call;

    #[test]
    fn entries_become_facts() {
        let outcome = call("getent", data! { "database" => "passwd", "key" => "root" });
        let root = outcome.facts["getent_passwd"].as_map().unwrap()["root"].as_list().unwrap().to_vec();
        assert_eq!(root[1], "0".into());
        assert!(!outcome.changed);
        let gone = call("getent", data! { "database" => "passwd", "key" => "no-such-user" });
        assert_eq!(gone.failure.unwrap().msg, "One or more supplied key could not be found in the database.");
        let gone = call("getent", data! { "database" => "passwd", "key" => "no-such-user", "fail_key" => false });
        assert_eq!(gone.facts["getent_passwd"], data! { "no-such-user" => Value::Null }.into());
    }

    #[test]
    fn an_entry_may_stand_there_more_than_once() {
        let all = entries("http 80/tcp www\nhttp 80/udp\nssh 22/tcp\n", None);
        assert_eq!(all["ssh"], vec!["22/tcp"].into());
        assert_eq!(all["http"].as_list().unwrap().len(), 2);
        assert_eq!(all["http"].as_list().unwrap()[0], vec!["80/tcp", "www"].into());
    }
}
