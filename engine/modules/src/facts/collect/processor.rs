//! Processors, from /proc/cpuinfo.

use std::collections::BTreeMap;

use rplay_wire::{Map, Value, data};

use super::Source;

pub(super) fn gather(source: &Source) -> Map {
    let usable = std::thread::available_parallelism().map_or(1, usize::from);
    facts(&source.text("/proc/cpuinfo"), usable)
}

fn facts(cpuinfo: &str, usable: usize) -> Map {
    let mut list: Vec<&str> = Vec::new();
    let mut flags: Vec<&str> = Vec::new();
    // Per socket: cores and hardware threads.
    let mut sockets: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    let (mut logical, mut socket) = (0i64, "0");
    for (key, value) in cpuinfo.lines().filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match key.trim() {
            "processor" => {
                logical += 1;
                socket = "0";
                list.push(value);
            }
            "vendor_id" | "model name" | "Processor" | "cpu" | "Vendor" => list.push(value),
            "flags" | "Features" if flags.is_empty() => flags = value.split_whitespace().collect(),
            "physical id" => {
                socket = value;
                sockets.entry(socket).or_default();
            }
            "cpu cores" => sockets.entry(socket).or_default().0 = value.parse().unwrap_or(1),
            "siblings" => sockets.entry(socket).or_default().1 = value.parse().unwrap_or(1),
            _ => {}
        }
    }
    let (count, cores, threads) = match sockets.values().next() {
        Some((cores, siblings)) => {
            let cores = (*cores).max(1);
            (sockets.len() as i64, cores, (siblings / cores).max(1))
        }
        // Without information about sockets, each processor is one.
        None => (logical, 1, 1),
    };
    let mut facts = data! {
        "processor" => list,
        "processor_count" => count,
        "processor_cores" => cores,
        "processor_threads_per_core" => threads,
        "processor_vcpus" => if sockets.is_empty() { logical } else { count * cores * threads },
        "processor_nproc" => usable,
    };
    if !flags.is_empty() {
        facts.insert("flags".to_owned(), Value::from(flags));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_cores_and_threads_are_counted() {
        let one = |number: u32, socket: u32| {
            format!(
                "processor\t: {number}\nvendor_id\t: X\nmodel name\t: Y\nphysical id\t: {socket}\n\
                 siblings\t: 4\ncpu cores\t: 2\nflags\t: fpu vme\n\n"
            )
        };
        let text: String = (0..8).map(|number| one(number, number / 4)).collect();
        let facts = facts(&text, 3);
        let counts = ["processor_count", "processor_cores", "processor_threads_per_core", "processor_vcpus"];
        assert_eq!(counts.map(|key| facts[key].clone()), [2.into(), 2.into(), 2.into(), 8.into()]);
        assert_eq!((&facts["processor_nproc"], &facts["flags"]), (&3.into(), &vec!["fpu", "vme"].into()));
        let arm = super::facts("processor\t: 0\nFeatures\t: fp\n\nprocessor\t: 1\nFeatures\t: fp\n", 2);
        assert_eq!((&arm["processor_vcpus"], &arm["processor_cores"]), (&2.into(), &1.into()));
    }
}
