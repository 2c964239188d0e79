//! Interfaces, addresses, default routes, and name servers.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, Ipv6Addr},
    path::Path,
};

use ipnet::Ipv4Net;
use rplay_wire::{Map, Value, data};

use super::{Source, names, text};
use crate::system::machine::getifaddrs;

/// One IPv4 address of an interface.
#[derive(Clone, Debug, PartialEq)]
struct V4 {
    net: Ipv4Net,
    broadcast: Option<Ipv4Addr>,
    /// The interface's name, or its alias `eth0:1`.
    label: String,
}

impl V4 {
    fn facts(&self) -> Map {
        data! {
            "address" => self.net.addr().to_string(),
            "broadcast" => self.broadcast.map(|address| address.to_string()).unwrap_or_default(),
            "netmask" => self.net.netmask().to_string(),
            "network" => self.net.network().to_string(),
            "prefix" => self.net.prefix_len().to_string(),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Addresses {
    v4: Vec<V4>,
    /// Address, prefix length, scope.
    v6: Vec<(Ipv6Addr, u32, &'static str)>,
}

pub(super) fn gather(source: &Source) -> Map {
    let addresses = addresses(&source.text("/proc/net/if_inet6"));
    let class = source.path("/sys/class/net");
    let interfaces: Vec<String> =
        names(&class).into_iter().filter(|name| class.join(name).join("flags").exists()).collect();
    let none = Addresses::default();
    let of = |name: &str| addresses.get(name).unwrap_or(&none);
    let (mut all_v4, mut all_v6) = (Vec::new(), Vec::new());
    let (mut here_v4, mut here_v6) = (vec!["127.0.0.0/8".to_owned()], Vec::new());
    let mut facts = Map::new();
    for name in &interfaces {
        let own = of(name);
        here_v4.extend(own.v4.iter().map(|v4| v4.net.addr().to_string()));
        here_v6.extend(own.v6.iter().map(|(address, ..)| address.to_string()));
        all_v4.extend(own.v4.iter().filter(|v4| !v4.net.addr().is_loopback()).map(|v4| v4.net.addr().to_string()));
        all_v6.extend(own.v6.iter().filter(|(address, ..)| !address.is_loopback()).map(|(a, ..)| a.to_string()));
        // Like Ansible, replaces characters that are invalid in variable names.
        let key: String = name.chars().map(|c| if matches!(c, '-' | ':' | '.') { '_' } else { c }).collect();
        facts.insert(key, interface(&class.join(name), name, own).into());
    }
    crate::system::order::sort(&mut here_v4);
    crate::system::order::sort(&mut here_v6);
    let by_kind = |name: &str| interface(&class.join(name), name, of(name));
    let v4 = default_v4(&source.text("/proc/net/route"));
    let v6 = default_v6(&source.text("/proc/net/ipv6_route"));
    facts.extend(data! {
        "interfaces" => interfaces,
        "all_ipv4_addresses" => all_v4,
        "all_ipv6_addresses" => all_v6,
        "locally_reachable_ips" => data! { "ipv4" => here_v4, "ipv6" => here_v6 },
        "default_ipv4" => v4.map(|(name, gateway)| default(&by_kind(&name), &name, gateway, "ipv4")).unwrap_or_default(),
        "default_ipv6" => v6.map(|(name, gateway)| default(&by_kind(&name), &name, gateway, "ipv6")).unwrap_or_default(),
    });
    facts
}

/// The facts of the default interface: `default_ipv4` and `default_ipv6`.
fn default(interface: &Map, name: &str, gateway: String, kind: &str) -> Map {
    let first = match interface.get(kind) {
        Some(Value::List(all)) => {
            // A global address is preferred over a link-local one.
            let scope = |value: &&Value| {
                value.as_map().and_then(|map| map.get("scope")).and_then(Value::as_str) == Some("global")
            };
            all.iter().find(scope).or(all.first()).and_then(Value::as_map)
        }
        Some(Value::Map(map)) => Some(map),
        _ => None,
    };
    let mut facts = data! { "gateway" => gateway, "interface" => name };
    facts.extend(first.cloned().unwrap_or_default());
    if kind == "ipv4" && facts.contains_key("address") {
        facts.insert("alias".to_owned(), name.into());
    }
    for key in ["macaddress", "mtu", "type"] {
        if let Some(value) = interface.get(key) {
            facts.insert(key.to_owned(), value.clone());
        }
    }
    facts
}

fn addresses(if_inet6: &str) -> HashMap<String, Addresses> {
    let mut all: HashMap<String, Addresses> = HashMap::new();
    for found in getifaddrs().into_iter().flatten() {
        let v4 = |address: &Option<nix::sys::socket::SockaddrStorage>| {
            address.as_ref().and_then(|address| address.as_sockaddr_in()).map(|address| address.ip())
        };
        let (Some(address), Some(netmask)) = (v4(&found.address), v4(&found.netmask)) else { continue };
        let Ok(net) = Ipv4Net::with_netmask(address, netmask) else { continue };
        let label = found.interface_name;
        let name = label.split(':').next().unwrap_or_default().to_owned();
        // On loopback and point-to-point links the field has another meaning.
        let is_broadcast = found.flags.contains(nix::net::if_::InterfaceFlags::IFF_BROADCAST);
        let broadcast = v4(&found.broadcast).filter(|b| is_broadcast && *b != address);
        all.entry(name).or_default().v4.push(V4 { net, broadcast, label });
    }
    // The kernel's table, which includes scopes.
    for line in if_inet6.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [address, _, prefix, scope, _, name] = words.as_slice() else { continue };
        let hex = |text: &str, radix| u32::from_str_radix(text, radix).unwrap_or_default();
        let Ok(address) = u128::from_str_radix(address, 16) else { continue };
        let scope = match hex(scope, 16) {
            0x00 => "global",
            0x10 => "host",
            0x20 => "link",
            0x40 => "site",
            _ => "unknown",
        };
        all.entry((*name).to_owned()).or_default().v6.push((address.into(), hex(prefix, 16), scope));
    }
    // As ip(8) lists them.
    let rank = |scope: &str| ["global", "site", "link", "host"].iter().position(|known| *known == scope);
    let by_rank = |a: &(_, _, &str), b: &(_, _, &str)| rank(a.2).cmp(&rank(b.2));
    all.values_mut().for_each(|own| crate::system::order::sort_by(&mut own.v6, by_rank));
    all
}

fn interface(directory: &Path, name: &str, addresses: &Addresses) -> Map {
    let read = |file: &str| {
        let line = text(&directory.join(file)).trim().to_owned();
        (!line.is_empty()).then_some(line)
    };
    let link_name = |link: &str| {
        let target = directory.join(link).canonicalize().ok()?;
        target.file_name().map(|name| name.to_string_lossy().into_owned())
    };
    let flags = read("flags").and_then(|hex| u32::from_str_radix(hex.trim_start_matches("0x"), 16).ok());
    let mut facts = data! { "device" => name };
    if let Some(address) = read("address").filter(|address| address != "00:00:00:00:00:00") {
        facts.insert("macaddress".to_owned(), address.into());
    }
    if let Some(mtu) = read("mtu").and_then(|mtu| mtu.parse::<i64>().ok()) {
        facts.insert("mtu".to_owned(), mtu.into());
    }
    if let Some(state) = read("operstate") {
        facts.insert("active".to_owned(), (state != "down").into());
    }
    for (fact, link) in [("module", "device/driver/module"), ("pciid", "device")] {
        if let Some(target) = link_name(link) {
            facts.insert(fact.to_owned(), target.into());
        }
    }
    let kind = match read("type").as_deref() {
        _ if directory.join("bridge").exists() => Some("bridge"),
        _ if directory.join("bonding").exists() => Some("bonding"),
        Some("1") => Some("ether"),
        Some("32") => Some("infiniband"),
        Some("512") => Some("ppp"),
        Some("772") => Some("loopback"),
        Some("65534") => Some("tunnel"),
        _ => None,
    };
    if let Some(kind) = kind {
        facts.insert("type".to_owned(), kind.into());
    }
    if kind == Some("bridge") {
        facts.insert("interfaces".to_owned(), names(&directory.join("brif")).into());
        facts.insert("id".to_owned(), read("bridge/bridge_id").unwrap_or_default().into());
        facts.insert("stp".to_owned(), (read("bridge/stp_state").as_deref() == Some("1")).into());
    }
    if kind == Some("bonding") {
        let slaves = read("bonding/slaves").unwrap_or_default();
        facts.insert("slaves".to_owned(), slaves.split_whitespace().collect::<Vec<_>>().into());
        let words =
            |file: &str| read(file).unwrap_or_default().split_whitespace().next().unwrap_or_default().to_owned();
        facts.insert("mode".to_owned(), words("bonding/mode").into());
        facts.insert("miimon".to_owned(), words("bonding/miimon").into());
        facts.insert("lacp_rate".to_owned(), words("bonding/lacp_rate").into());
        facts.insert("primary".to_owned(), words("bonding/primary").into());
    }
    facts.insert("promisc".to_owned(), flags.is_some_and(|flags| flags & 0x100 != 0).into());
    if let Some(speed) = read("speed").and_then(|speed| speed.parse::<i64>().ok()) {
        facts.insert("speed".to_owned(), speed.into());
    }
    if let Some((first, more)) = addresses.v4.split_first() {
        facts.insert("ipv4".to_owned(), first.facts().into());
        if !more.is_empty() {
            let more: Vec<Map> = more.iter().map(V4::facts).collect();
            facts.insert("ipv4_secondaries".to_owned(), more.into());
        }
    }
    if !addresses.v6.is_empty() {
        let all = addresses.v6.iter().map(|(address, prefix, scope)| {
            data! { "address" => address.to_string(), "prefix" => prefix.to_string(), "scope" => *scope }
        });
        facts.insert("ipv6".to_owned(), all.collect::<Vec<Map>>().into());
    }
    facts
}

/// Interface and gateway of the default route with the lowest metric, from /proc/net/route.
fn default_v4(routes: &str) -> Option<(String, String)> {
    let rows = routes.lines().skip(1).filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, destination, gateway, flags, _, _, metric, mask, ..] = words.as_slice() else { return None };
        let hex = |text: &str| u32::from_str_radix(text, 16).ok();
        let is_default = hex(destination)? == 0 && hex(mask)? == 0 && hex(flags)? & 1 == 1;
        // In the machine's byte order.
        let gateway = Ipv4Addr::from(hex(gateway)?.to_ne_bytes());
        is_default.then(|| (metric.parse::<u32>().unwrap_or_default(), (*name).to_owned(), gateway.to_string()))
    });
    rows.min_by_key(|(metric, ..)| *metric).map(|(_, name, gateway)| (name, gateway))
}

/// Like `default_v4`, from /proc/net/ipv6_route.
fn default_v6(routes: &str) -> Option<(String, String)> {
    let rows = routes.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [destination, prefix, _, _, gateway, metric, _, _, flags, name] = words.as_slice() else { return None };
        let hex = |text: &str| u32::from_str_radix(text, 16).ok();
        // RTF_UP without RTF_REJECT: the kernel keeps an unreachable default route on `lo`.
        let is_usable = hex(flags)? & 1 == 1 && hex(flags)? & 0x200 == 0 && *name != "lo";
        let is_default = destination.bytes().all(|b| b == b'0') && *prefix == "00";
        let gateway = Ipv6Addr::from(u128::from_str_radix(gateway, 16).ok()?);
        (is_default && is_usable).then(|| (hex(metric).unwrap_or(u32::MAX), (*name).to_owned(), gateway.to_string()))
    });
    rows.min_by_key(|(metric, ..)| *metric).map(|(_, name, gateway)| (name, gateway))
}

/// Name servers and search domains, from /etc/resolv.conf.
pub(super) fn dns(source: &Source) -> Map {
    data! { "dns" => resolver(&source.text("/etc/resolv.conf")) }
}

fn resolver(text: &str) -> Map {
    let mut facts = Map::new();
    for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
        let mut words = line.split_whitespace();
        let Some(keyword) = words.next() else { continue };
        let words: Vec<&str> = words.take_while(|word| !word.starts_with(['#', ';'])).collect();
        match keyword {
            "nameserver" => {
                let all = facts.entry("nameservers".to_owned()).or_insert_with(|| Value::List(Vec::new()));
                if let Value::List(all) = all {
                    all.extend(words.into_iter().map(Value::from));
                }
            }
            "domain" => {
                facts.insert("domain".to_owned(), words.first().copied().into());
            }
            "search" | "sortlist" => {
                facts.insert(keyword.to_owned(), words.into());
            }
            "options" => {
                let option = |word: &str| match word.split_once(':') {
                    Some((name, value)) => (name.to_owned(), Value::from(value)),
                    None => (word.to_owned(), Value::Bool(true)),
                };
                facts.insert("options".to_owned(), Value::Map(words.into_iter().map(option).collect()));
            }
            _ => {}
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_route_with_the_lowest_metric_counts() {
        let routes = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
            wlan0 00000000 0101A8C0 0003 0 0 600 00000000 0 0 0\n\
            eth0 00000000 010200C0 0003 0 0 100 00000000 0 0 0\n\
            eth0 000200C0 00000000 0001 0 0 100 00FFFFFF 0 0 0\n";
        assert_eq!(default_v4(routes), Some(("eth0".to_owned(), "192.0.2.1".to_owned())));
        assert_eq!(default_v4("head\n"), None);
        let zero = "0".repeat(32);
        let routes = format!(
            "{zero} 00 {zero} 00 fd000000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n\
             {zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n"
        );
        assert_eq!(default_v6(&routes), Some(("eth0".to_owned(), "fd00::1".to_owned())));
    }

    #[test]
    fn resolv_conf_is_read() {
        let facts = resolver("# x\nnameserver 1.1.1.1\nnameserver ::1\nsearch a b\noptions ndots:2 rotate\n");
        assert_eq!(facts["nameservers"], vec!["1.1.1.1", "::1"].into());
        assert_eq!(facts["search"], vec!["a", "b"].into());
        assert_eq!(facts["options"], data! { "ndots" => "2", "rotate" => true }.into());
    }

    #[test]
    fn the_loopback_is_always_there() {
        let all = addresses("");
        let lo = &all["lo"].v4[0];
        assert_eq!(lo.facts()["network"], "127.0.0.0".into());
        assert_eq!(lo.facts()["prefix"], "8".into());
    }
}
