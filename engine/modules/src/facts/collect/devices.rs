//! Disks and their partitions, from /sys/block.

use std::{collections::HashMap, path::Path};

use rplay_wire::{Map, Value, data};

use super::{Source, mounts::by_id, names, text};
use crate::system::fs;

/// The names of a device, from the links that udev creates.
struct Links {
    ids: HashMap<String, Vec<String>>,
    labels: HashMap<String, Vec<String>>,
    uuids: HashMap<String, Vec<String>>,
    masters: HashMap<String, Vec<String>>,
}

pub(super) fn gather(source: &Source) -> Map {
    let block = source.path("/sys/block");
    let all = |kind: &str| all_by(&source.path(&format!("/dev/disk/by-{kind}")));
    let mut masters: HashMap<String, Vec<String>> = HashMap::new();
    for master in names(&block) {
        for slave in names(&block.join(&master).join("slaves")) {
            masters.entry(slave).or_default().push(master.clone());
        }
    }
    let links = Links { ids: all("id"), labels: all("label"), uuids: all("uuid"), masters };
    let uuids = by_id(&source.path("/dev/disk/by-uuid"));
    let devices = names(&block).into_iter().map(|name| {
        let facts = disk(&block.join(&name), &name, &links, &uuids);
        (name, Value::Map(facts))
    });
    let devices: Map = devices.collect();
    let table = |links: &HashMap<String, Vec<String>>| -> Map {
        let mut map: Map = links.iter().map(|(name, all)| (name.clone(), all.clone().into())).collect();
        map.sort_keys();
        map
    };
    data! {
        "devices" => devices,
        "device_links" => data! {
            "ids" => table(&links.ids),
            "labels" => table(&links.labels),
            "uuids" => table(&links.uuids),
            "masters" => table(&links.masters),
        },
    }
}

fn all_by(directory: &Path) -> HashMap<String, Vec<String>> {
    let mut all: HashMap<String, Vec<String>> = HashMap::new();
    for name in names(directory) {
        if let Ok(target) = fs::canonicalize(directory.join(&name)) {
            let device = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
            all.entry(device).or_default().push(name);
        }
    }
    all
}

impl Links {
    fn of(&self, name: &str) -> Map {
        let get = |links: &HashMap<String, Vec<String>>| Value::from(links.get(name).cloned().unwrap_or_default());
        data! {
            "ids" => get(&self.ids),
            "labels" => get(&self.labels),
            "uuids" => get(&self.uuids),
            "masters" => get(&self.masters),
        }
    }
}

fn disk(directory: &Path, name: &str, links: &Links, uuids: &HashMap<String, String>) -> Map {
    let read = |file: &str| {
        let line = text(&directory.join(file)).trim().to_owned();
        (!line.is_empty()).then_some(line)
    };
    let sector = read("queue/logical_block_size").unwrap_or_else(|| "512".to_owned());
    let sectors: u64 = read("size").and_then(|size| size.parse().ok()).unwrap_or_default();
    let partitions = names(directory).into_iter().filter(|part| part.starts_with(name));
    let partitions: Map = partitions
        .filter(|part| directory.join(part).join("partition").exists() || directory.join(part).join("start").exists())
        .map(|part| {
            let facts = partition(&directory.join(&part), &part, &sector, links, uuids);
            (part, Value::Map(facts))
        })
        .collect();
    let scheduler = read("queue/scheduler").unwrap_or_default();
    let mode = scheduler.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(mode, _)| mode.to_owned());
    let is_virtual =
        directory.join("device").canonicalize().is_ok_and(|path| path.to_string_lossy().contains("/virtio"));
    let serial = read("device/serial");
    let mut facts = data! {
        "virtual" => i32::from(is_virtual || !directory.join("device").exists()),
        "links" => links.of(name),
        "vendor" => read("device/vendor"),
        "model" => read("device/model"),
        "sas_address" => read("device/sas_address"),
        "sas_device_handle" => read("device/sas_device_handle"),
        "removable" => read("removable").unwrap_or_else(|| "0".to_owned()),
        "support_discard" => read("queue/discard_granularity").unwrap_or_else(|| "0".to_owned()),
        "rotational" => read("queue/rotational"),
        "scheduler_mode" => mode.unwrap_or_default(),
        "sectors" => sectors,
        "sectorsize" => sector,
        // The kernel counts sectors of 512 bytes, whatever the disk uses.
        "size" => human(sectors * 512),
        "host" => "",
        "holders" => names(&directory.join("holders")),
        "partitions" => partitions,
    };
    if let Some(serial) = serial {
        facts.insert("serial".to_owned(), serial.into());
    }
    if let Some(wwn) = read("wwid").or_else(|| read("device/wwid")) {
        facts.insert("wwn".to_owned(), wwn.into());
    }
    facts
}

fn partition(directory: &Path, name: &str, sector: &str, links: &Links, uuids: &HashMap<String, String>) -> Map {
    let line = |file: &str| text(&directory.join(file)).trim().to_owned();
    let sectors: u64 = line("size").parse().unwrap_or_default();
    data! {
        "links" => links.of(name),
        "start" => line("start"),
        "sectors" => sectors,
        "sectorsize" => sector,
        "size" => human(sectors * 512),
        "uuid" => uuids.get(&format!("/dev/{name}")).cloned(),
        "holders" => names(&directory.join("holders")),
    }
}

/// Bytes with a unit: `20.00 GB`.
fn human(bytes: u64) -> String {
    let units = [(1u64 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.2} {name}", bytes as f64 / *unit as f64),
        None => format!("{:.2} Bytes", bytes as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(human(536_870_912 * 512), "256.00 GB");
        assert_eq!((human(0), human(1536)), ("0.00 Bytes".into(), "1.50 KB".into()));
    }

    #[test]
    fn a_disk_and_its_partition_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let disk_directory = directory.path().join("sda");
        for (file, content) in [
            ("size", "4096\n"),
            ("queue/logical_block_size", "512\n"),
            ("queue/scheduler", "none [mq-deadline]\n"),
            ("removable", "0\n"),
            ("sda1/partition", "1\n"),
            ("sda1/start", "2048\n"),
            ("sda1/size", "2048\n"),
        ] {
            let path = disk_directory.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let none = HashMap::new;
        let links = Links { ids: none(), labels: none(), uuids: none(), masters: none() };
        let facts = disk(&disk_directory, "sda", &links, &HashMap::new());
        assert_eq!((&facts["size"], &facts["scheduler_mode"]), (&"2.00 MB".into(), &"mq-deadline".into()));
        let part = facts["partitions"].as_map().unwrap()["sda1"].as_map().unwrap();
        assert_eq!((&part["start"], &part["size"]), (&"2048".into(), &"1.00 MB".into()));
    }
}
