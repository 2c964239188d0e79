//! Names of the host in storage networks, and logical volumes.

use rplay_wire::{Map, Value, data};

use super::{Source, names};
use crate::system::machine::geteuid;

/// The ports of Fibre Channel adapters: their worldwide names, without `0x`.
pub(super) fn fibre_channel(source: &Source) -> Map {
    let adapters = names(&source.path("/sys/class/fc_host"));
    let ports = adapters.iter().filter_map(|adapter| source.line(&format!("/sys/class/fc_host/{adapter}/port_name")));
    let ports: Vec<String> = ports.map(|port| port.trim_start_matches("0x").to_owned()).collect();
    data! { "fibre_channel_wwn" => ports }
}

/// The name of the host as an iSCSI initiator.
pub(super) fn iscsi(source: &Source) -> Map {
    let text = source.text("/etc/iscsi/initiatorname.iscsi");
    let is_comment = |line: &&str| line.starts_with(['#', ';']) || line.is_empty();
    let mut lines = text.lines().map(str::trim).filter(|line| !is_comment(line));
    let name = lines.find_map(|line| line.strip_prefix("InitiatorName="));
    data! { "iscsi_iqn" => name.unwrap_or_default() }
}

/// The name of the host for NVMe over fabrics.
pub(super) fn nvme(source: &Source) -> Map {
    let text = source.text("/etc/nvme/hostnqn");
    let name = text.lines().map(str::trim).rfind(|line| line.starts_with("nqn."));
    data! { "hostnqn" => name.unwrap_or_default() }
}

/// Volume groups, logical and physical volumes. Only root can list them.
pub(super) fn volumes(source: &Source) -> Map {
    let none = || data! { "lvm" => "N/A" };
    if !geteuid().is_root() || source.program("vgs").is_none() {
        return none();
    }
    let rows = |program: &str, fields: &str| -> Vec<Vec<String>> {
        let options = ["--noheadings", "--nosuffix", "--units", "g", "--separator", ",", "-o", fields];
        let done = source.host.program(program).args(options).untranslated().run();
        let text = done.ok().filter(|done| done.rc == 0).map(|done| done.stdout).unwrap_or_default();
        text.lines().map(|line| line.trim().split(',').map(str::to_owned).collect()).collect()
    };
    data! {
        "lvm" => data! {
            "vgs" => groups(&rows("vgs", "vg_name,vg_size,vg_free,lv_count,pv_count")),
            "lvs" => logical(&rows("lvs", "lv_name,lv_size,vg_name")),
            "pvs" => physical(&rows("pvs", "pv_name,pv_size,pv_free,vg_name")),
        },
    }
}

fn groups(rows: &[Vec<String>]) -> Map {
    table(rows, &["size_g", "free_g", "num_lvs", "num_pvs"])
}

fn logical(rows: &[Vec<String>]) -> Map {
    table(rows, &["size_g", "vg"])
}

fn physical(rows: &[Vec<String>]) -> Map {
    table(rows, &["size_g", "free_g", "vg"])
}

/// The rows by their first column, with names for the others.
fn table(rows: &[Vec<String>], columns: &[&str]) -> Map {
    let row = |row: &Vec<String>| {
        let (name, values) = row.split_first()?;
        let values = columns.iter().zip(values).map(|(column, value)| ((*column).to_owned(), value.as_str().into()));
        (values.len() == columns.len()).then(|| (name.clone(), Value::Map(values.collect())))
    };
    rows.iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, time::Duration};

    use super::*;
    use crate::{argtypes::PathArg, stand_in::host, system::fs};

    #[test]
    fn names_are_read_from_their_files() {
        let root = tempfile::tempdir().unwrap();
        let host = host();
        let source = Source {
            host: &host,
            root: root.path().to_owned(),
            fact_path: PathArg("/nowhere".to_owned()),
            timeout: Duration::from_secs(1),
        };
        assert_eq!(fibre_channel(&source), data! { "fibre_channel_wwn" => Vec::<String>::new() });
        assert_eq!((iscsi(&source), nvme(&source)), (data! { "iscsi_iqn" => "" }, data! { "hostnqn" => "" }));
        for (path, text) in [
            ("etc/iscsi/initiatorname.iscsi", "# InitiatorName=no\nInitiatorName=iqn.1993-08.org.debian:01:a\n"),
            ("etc/nvme/hostnqn", "nqn.2014-08.org.nvmexpress:uuid:b\n"),
            ("sys/class/fc_host/host1/port_name", "0x10000090fa1658de\n"),
        ] {
            let path: PathBuf = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        assert_eq!(iscsi(&source)["iscsi_iqn"], "iqn.1993-08.org.debian:01:a".into());
        assert_eq!(nvme(&source)["hostnqn"], "nqn.2014-08.org.nvmexpress:uuid:b".into());
        assert_eq!(fibre_channel(&source)["fibre_channel_wwn"], vec!["10000090fa1658de"].into());
    }

    #[test]
    fn volumes_are_listed_by_name() {
        let row = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let groups = groups(&[row("vg0,10.00,4.00,2,1"), row("broken")]);
        let vg0 = data! { "size_g" => "10.00", "free_g" => "4.00", "num_lvs" => "2", "num_pvs" => "1" };
        assert_eq!(groups, data! { "vg0" => vg0 });
        assert_eq!(logical(&[row("root,5.00,vg0")])["root"], data! { "size_g" => "5.00", "vg" => "vg0" }.into());
    }
}
