//! Memory and swap, in MiB.

use rplay_wire::{Map, data};

use super::Source;

pub(super) fn gather(source: &Source) -> Map {
    facts(&source.text("/proc/meminfo"))
}

fn facts(meminfo: &str) -> Map {
    let amount = |name: &str| -> i64 {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<i64>().ok());
        kib.unwrap_or_default() / 1024
    };
    let (total, free) = (amount("MemTotal"), amount("MemFree"));
    let idle = free + amount("Cached") + amount("Buffers");
    let (swap, swap_free) = (amount("SwapTotal"), amount("SwapFree"));
    data! {
        "memtotal_mb" => total,
        "memfree_mb" => free,
        "swaptotal_mb" => swap,
        "swapfree_mb" => swap_free,
        "memory_mb" => data! {
            "real" => data! { "total" => total, "used" => total - free, "free" => free },
            "nocache" => data! { "free" => idle, "used" => total - idle },
            "swap" => data! {
                "total" => swap,
                "free" => swap_free,
                "used" => swap - swap_free,
                "cached" => amount("SwapCached"),
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_in_mebibytes() {
        let facts = facts("MemTotal: 4096 kB\nMemFree: 1024 kB\nBuffers: 0 kB\nCached: 1024 kB\nSwapTotal: 2048 kB\n");
        assert_eq!((&facts["memtotal_mb"], &facts["swaptotal_mb"]), (&4.into(), &2.into()));
        assert_eq!(facts["memory_mb"].as_map().unwrap()["nocache"], data! { "free" => 2, "used" => 2 }.into());
    }
}
