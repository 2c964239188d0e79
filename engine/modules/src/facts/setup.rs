//! setup: gathers facts about the host.

use std::{path::PathBuf, time::Duration};

use rplay_wire::Failure;

use crate::{
    Host, Module, Plan, args,
    argtypes::{PathArg, Text},
    facts::collect::{self, Source},
    system::glob::Pattern,
};

args! {
    /// Gathers facts about the host: its distribution, addresses, memory, disks ...
    pub struct Setup {
        /// Facts to gather: `all`, `min`, `hardware`, `network`, `virtual`, or the name of a fact; `!` excludes one.
        gather_subset: Vec<Text> = vec!["all".to_owned()],
        /// Time limit in seconds for facts that may hang, such as the size of a network mount.
        gather_timeout: u64 = 10,
        /// Only return facts whose names match one of these shell patterns.
        filter: Vec<Text> = Vec::new(),
        /// The directory of local facts.
        fact_path: PathArg = PathArg("/etc/ansible/facts.d".to_owned()),
    }
}

impl Module for Setup {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let source = Source {
            host,
            root: PathBuf::from("/"),
            fact_path: self.fact_path,
            timeout: Duration::from_secs(self.gather_timeout),
        };
        let mut found = collect::gather(&source, &self.gather_subset).map_err(|unknown| {
            let allowed = collect::SUBSETS.join(", ");
            let msg = format!("Bad subset '{unknown}' given to Ansible. gather_subset options allowed: {allowed}");
            Failure::new(msg).arg("gather_subset")
        })?;
        found.insert("gather_subset".to_owned(), self.gather_subset.into());
        found.insert("module_setup".to_owned(), true.into());
        let patterns: Vec<Pattern> = self.filter.iter().map(|pattern| Pattern::new(pattern)).collect();
        if !patterns.is_empty() && !self.filter.iter().any(String::is_empty) {
            let fits = |name: &str| patterns.iter().any(|pattern| pattern.fits(name));
            found.retain(|name, _| fits(name) || fits(&format!("ansible_{name}")));
        }
        found.sort_keys();
        Ok(Plan { facts: found, ..Plan::default() })
    }
}

#[cfg(test)]
mod tests {
    use rplay_wire::{Map, data};

    use crate::runner::tests::checked;

    fn facts(args: Map) -> Map {
        let outcome = checked("setup", args);
        assert!(outcome.failure.is_none() && !outcome.changed, "{outcome:?}");
        outcome.facts
    }

    #[test]
    fn the_facts_of_this_host_are_gathered() {
        let all = facts(data! {});
        for name in ["distribution", "os_family", "kernel", "hostname", "memtotal_mb", "mounts", "interfaces", "env"] {
            assert!(all.contains_key(name), "{name}");
        }
        assert_eq!(all["lo"].as_map().unwrap()["type"], "loopback".into());
    }

    #[test]
    fn subsets_and_filters_choose() {
        let least = facts(data! { "gather_subset" => "!all" });
        assert!(least.contains_key("os_family") && !least.contains_key("mounts"));
        let named: Vec<String> = facts(data! { "filter" => "ansible_*_mb,os_family" }).into_keys().collect();
        assert_eq!(named, ["memfree_mb", "memory_mb", "memtotal_mb", "os_family", "swapfree_mb", "swaptotal_mb"]);
        let failure = checked("setup", data! { "gather_subset" => "nope" }).failure.unwrap();
        let begun = "Bad subset 'nope' given to Ansible. gather_subset options allowed: all, all_ipv4_addresses, ";
        assert!(failure.msg.starts_with(begun), "{}", failure.msg);
        let network = facts(data! { "gather_subset" => "!all,!min,network,!nope" });
        assert!(network.contains_key("kernel") && network.contains_key("distribution"));
        assert!(!network.contains_key("env") && network["module_setup"] == true.into());
    }
}
