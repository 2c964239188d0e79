//! What the firmware reports about the machine.

use rplay_wire::{Map, Value};

use super::Source;

/// Fact and file below /sys/devices/virtual/dmi/id.
const FILES: &[(&str, &str)] = &[
    ("bios_date", "bios_date"),
    ("bios_vendor", "bios_vendor"),
    ("bios_version", "bios_version"),
    ("board_asset_tag", "board_asset_tag"),
    ("board_name", "board_name"),
    ("board_serial", "board_serial"),
    ("board_vendor", "board_vendor"),
    ("board_version", "board_version"),
    ("chassis_asset_tag", "chassis_asset_tag"),
    ("chassis_serial", "chassis_serial"),
    ("chassis_vendor", "chassis_vendor"),
    ("chassis_version", "chassis_version"),
    ("form_factor", "chassis_type"),
    ("product_name", "product_name"),
    ("product_serial", "product_serial"),
    ("product_uuid", "product_uuid"),
    ("product_version", "product_version"),
    ("system_vendor", "sys_vendor"),
];

/// The chassis types of the SMBIOS specification, 7.4.1, by number.
const FORMS: &[&str] = &[
    "Unknown",
    "Other",
    "Unknown",
    "Desktop",
    "Low Profile Desktop",
    "Pizza Box",
    "Mini Tower",
    "Tower",
    "Portable",
    "Laptop",
    "Notebook",
    "Hand Held",
    "Docking Station",
    "All In One",
    "Sub Notebook",
    "Space-saving",
    "Lunch Box",
    "Main Server Chassis",
    "Expansion Chassis",
    "Sub Chassis",
    "Bus Expansion Chassis",
    "Peripheral Chassis",
    "RAID Chassis",
    "Rack Mount Chassis",
    "Sealed-case PC",
    "Multi-system",
    "CompactPCI",
    "AdvancedTCA",
    "Blade",
    "Blade Enclosure",
    "Tablet",
    "Convertible",
    "Detachable",
    "IoT Gateway",
    "Embedded PC",
    "Mini PC",
    "Stick PC",
];

pub(super) fn gather(source: &Source) -> Map {
    let fact = |(fact, file): &(&str, &str)| {
        let said = source.line(&format!("/sys/devices/virtual/dmi/id/{file}"));
        let value = match (said, *fact) {
            (Some(number), "form_factor") => {
                let form = number.parse::<usize>().ok().and_then(|number| FORMS.get(number));
                form.map_or(number, |form| (*form).to_owned())
            }
            (Some(said), _) => said,
            (None, _) => "NA".to_owned(),
        };
        ((*fact).to_owned(), Value::from(value))
    };
    FILES.iter().map(fact).collect()
}
