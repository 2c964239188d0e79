//! IP addresses and networks: the filters of `ansible.utils` that playbooks use most.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use minijinja::{Value, value::ValueKind};

use super::{Pure, Table};

use crate::template::{
    args::Args,
    value::{
        containers,
        error::{EvalError, EvalResult},
        items,
        number::{self, Number},
        show,
    },
};

pub(super) const FILTERS: Table = &[
    ("ansible.utils.ipaddr", Pure(ipaddr)),
    ("ipaddr", Pure(ipaddr)),
    ("ansible.utils.ipv4", Pure(ipv4)),
    ("ipv4", Pure(ipv4)),
    ("ansible.utils.ipv6", Pure(ipv6)),
    ("ipv6", Pure(ipv6)),
    ("ansible.utils.ipwrap", Pure(ipwrap)),
    ("ipwrap", Pure(ipwrap)),
    ("ansible.utils.ipsubnet", Pure(ipsubnet)),
    ("ipsubnet", Pure(ipsubnet)),
    ("ansible.utils.ipmath", Pure(ipmath)),
    ("ipmath", Pure(ipmath)),
    ("ansible.utils.nthhost", Pure(nthhost)),
    ("nthhost", Pure(nthhost)),
    ("ansible.utils.network_in_network", Pure(network_in_network)),
    ("network_in_network", Pure(network_in_network)),
];

/// An address and its network. A bare address is a network of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Net {
    address: u128,
    prefix: u32,
    v6: bool,
    /// Whether a prefix was given.
    whole: bool,
}

impl Net {
    fn of(value: &Value) -> Option<Self> {
        if let (None, Some(Number::Int(i))) = (value.as_str(), Number::of(value)) {
            if value.kind() == ValueKind::Bool {
                return None;
            }
            let address = u128::try_from(i).ok()?;
            let v6 = address > u128::from(u32::MAX);
            return Some(Net { address, prefix: if v6 { 128 } else { 32 }, v6, whole: false });
        }
        Net::parse(value.as_str()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (address, suffix) = match text.split_once('/') {
            Some((address, suffix)) => (address, Some(suffix)),
            None => (text, None),
        };
        let address = address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(address);
        let (address, v6) = match address.parse().ok()? {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), false),
            IpAddr::V6(v6) => (u128::from(v6), true),
        };
        let bits = if v6 { 128 } else { 32 };
        let prefix = match suffix {
            None => bits,
            Some(suffix) => match suffix.parse::<u32>() {
                Ok(prefix) if prefix <= bits => prefix,
                Ok(_) => return None,
                Err(_) => mask_prefix(suffix.parse().ok()?)?,
            },
        };
        Some(Net { address, prefix, v6, whole: suffix.is_some() })
    }

    fn bits(self) -> u32 {
        if self.v6 { 128 } else { 32 }
    }

    fn host_mask(self) -> u128 {
        match self.bits() - self.prefix {
            128 => u128::MAX,
            host => (1 << host) - 1,
        }
    }

    fn network(self) -> u128 {
        self.address & !self.host_mask()
    }

    fn last(self) -> u128 {
        self.network() | self.host_mask()
    }

    fn mask(self) -> u128 {
        let all = if self.v6 { u128::MAX } else { u128::from(u32::MAX) };
        all & !self.host_mask()
    }

    /// The number of addresses, saturating.
    fn size(self) -> u128 {
        self.host_mask().saturating_add(1)
    }

    fn show(self, address: u128) -> String {
        match self.v6 {
            true => Ipv6Addr::from(address).to_string(),
            false => Ipv4Addr::from(u32::try_from(address).unwrap_or(u32::MAX)).to_string(),
        }
    }

    fn contains(self, other: Net) -> bool {
        self.v6 == other.v6 && self.network() <= other.network() && other.last() <= self.last()
    }

    fn first_usable(self) -> u128 {
        if self.prefix >= self.bits() - 1 { self.network() } else { self.network() + 1 }
    }

    fn last_usable(self) -> u128 {
        match self.v6 || self.prefix >= 31 {
            true => self.last(),
            false => self.last() - 1,
        }
    }

    /// The address at an index of the network; negative indexes count from the end.
    fn nth(self, at: i128) -> Option<u128> {
        let offset = at.unsigned_abs();
        match at < 0 {
            true => self.last().checked_sub(offset - 1).filter(|address| *address >= self.network()),
            false => self.network().checked_add(offset).filter(|address| *address <= self.last()),
        }
    }

    fn ip(self) -> IpAddr {
        match self.v6 {
            true => IpAddr::V6(Ipv6Addr::from(self.address)),
            false => IpAddr::V4(Ipv4Addr::from(u32::try_from(self.address).unwrap_or(u32::MAX))),
        }
    }

    fn private(self) -> bool {
        match self.ip() {
            IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local(),
        }
    }

    fn link_local(self) -> bool {
        match self.ip() {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        }
    }

    fn reverse(self) -> String {
        match self.ip() {
            IpAddr::V4(ip) => {
                let [a, b, c, d] = ip.octets();
                format!("{d}.{c}.{b}.{a}.in-addr.arpa.")
            }
            IpAddr::V6(ip) => {
                let nibbles = ip.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
                nibbles.map(|nibble| format!("{nibble:x}.")).collect::<String>() + "ip6.arpa."
            }
        }
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.whole {
            true => write!(f, "{}/{}", self.show(self.address), self.prefix),
            false => f.write_str(&self.show(self.address)),
        }
    }
}

/// The prefix length of a netmask such as 255.255.255.0, or of a wildcard such as 0.0.0.255.
fn mask_prefix(mask: Ipv4Addr) -> Option<u32> {
    let bits = u32::from(mask);
    if bits.leading_ones() + bits.trailing_zeros() == 32 {
        return Some(bits.leading_ones());
    }
    (bits.leading_zeros() + bits.trailing_ones() == 32).then(|| bits.leading_zeros())
}

/// Applies a query to one value; `None` stands for Ansible's False.
fn query(value: &Value, query: &str, version: Option<bool>) -> EvalResult<Option<Value>> {
    let Some(net) = Net::of(value) else { return Ok(None) };
    if version.is_some_and(|v6| v6 != net.v6) {
        return Ok(None);
    }
    let text = |text: String| Some(Value::from(text));
    let address = |address: u128| text(net.show(address));
    let with_prefix = |address: u128| text(format!("{}/{}", net.show(address), net.prefix));
    let itself = |holds: bool| holds.then(|| value.as_str().map_or_else(|| Value::from(net.to_string()), Value::from));
    let is_network = net.size() > 1 && net.address == net.network();
    if let Ok(at) = query.parse::<i128>() {
        return Ok(match net.size() > 1 {
            true => net.nth(at).and_then(with_prefix),
            false => None,
        });
    }
    if query.contains(['/', ':']) || query.split('.').count() == 4 {
        let Some(outer) = Net::parse(query) else {
            return Err(EvalError::new(format!("unknown filter type: {query}")));
        };
        return Ok(itself(outer.contains(net)));
    }
    Ok(match query {
        "" => text(net.to_string()),
        "bool" => Some(Value::from(true)),
        "address" | "ip" if is_network && net.prefix < net.bits() - 1 => None,
        "address" | "ip" => address(net.address),
        "address/prefix" | "gateway" | "gw" | "host" | "host/prefix" | "hostnet" | "ip/prefix" | "router" => {
            match is_network && net.prefix < net.bits() - 1 {
                true => None,
                false => with_prefix(net.address),
            }
        }
        "broadcast" => (net.size() > 2).then(|| address(net.last())).flatten(),
        "cidr" => text(net.to_string()),
        "first_usable" => net.whole.then(|| address(net.first_usable())).flatten(),
        "last_usable" => net.whole.then(|| address(net.last_usable())).flatten(),
        "next_usable" => match net.address.checked_add(1) {
            Some(next) if net.whole && (net.first_usable()..=net.last_usable()).contains(&next) => address(next),
            _ => None,
        },
        "previous_usable" => match net.address.checked_sub(1) {
            Some(previous) if net.whole && (net.first_usable()..=net.last_usable()).contains(&previous) => {
                address(previous)
            }
            _ => None,
        },
        "range_usable" => {
            let (first, last) = (net.show(net.first_usable()), net.show(net.last_usable()));
            net.whole.then(|| text(format!("{first}-{last}"))).flatten()
        }
        "int" if net.whole => text(format!("{}/{}", net.address, net.prefix)),
        "int" => match i128::try_from(net.address) {
            Ok(i) => Some(number::int(i)),
            Err(_) => text(net.address.to_string()),
        },
        "ip_netmask" => text(format!("{} {}", net.show(net.address), net.show(net.mask()))),
        "ip_wildcard" => text(format!("{} {}", net.show(net.address), net.show(net.host_mask()))),
        "network_netmask" => text(format!("{} {}", net.show(net.network()), net.show(net.mask()))),
        "network_wildcard" => text(format!("{} {}", net.show(net.network()), net.show(net.host_mask()))),
        "ipv4" | "v4" | "4" => itself(!net.v6),
        "ipv6" | "v6" | "6" => itself(net.v6),
        "link-local" => itself(net.link_local()),
        "loopback" | "lo" => itself(net.ip().is_loopback()),
        "multicast" => itself(net.ip().is_multicast()),
        "unicast" => itself(!net.ip().is_multicast()),
        "private" => itself(net.private()),
        "public" => {
            itself(!net.private() && !net.ip().is_multicast() && !net.ip().is_unspecified() && !net.link_local())
        }
        "net" => is_network.then(|| with_prefix(net.network())).flatten(),
        "netmask" => address(net.mask()),
        "wildcard" | "hostmask" => address(net.host_mask()),
        "network" | "network_id" => address(net.network()),
        "network/prefix" | "subnet" => with_prefix(net.network()),
        "peer" => match net.bits() - net.prefix {
            1 => address(net.address ^ 1),
            2 if net.address != net.network() && net.address != net.last() => address(net.address ^ 3),
            _ => None,
        },
        "prefix" => Some(Value::from(net.prefix)),
        "revdns" => text(net.reverse()),
        "size" => i128::try_from(net.size()).ok().map(number::int),
        "size_usable" => {
            let usable = net.last_usable() - net.first_usable();
            i128::try_from(usable.saturating_add(1)).ok().map(number::int)
        }
        "type" => Some(Value::from(if net.size() > 1 && is_network { "network" } else { "address" })),
        "version" => Some(Value::from(if net.v6 { 6 } else { 4 })),
        "wrap" => text(wrapped(net)),
        other => return Err(EvalError::new(format!("unknown filter type: {other}"))),
    })
}

fn wrapped(net: Net) -> String {
    let suffix = if net.whole { format!("/{}", net.prefix) } else { String::new() };
    match net.v6 {
        true => format!("[{}]{suffix}", net.show(net.address)),
        false => format!("{}{suffix}", net.show(net.address)),
    }
}

/// For a list, the list of matching values; for one value, its result or False.
fn filtered(value: Value, mut args: Args, version: Option<bool>) -> EvalResult {
    let wanted = args.text_or("query", "")?;
    args.finish()?;
    if containers::is_list(&value) {
        let mut found = Vec::new();
        for item in items::items(&value)? {
            found.extend(query(&item, &wanted, version)?);
        }
        return Ok(Value::from(found));
    }
    Ok(query(&value, &wanted, version)?.unwrap_or_else(|| Value::from(false)))
}

fn ipaddr(value: Value, args: Args) -> EvalResult {
    filtered(value, args, None)
}

fn ipv4(value: Value, args: Args) -> EvalResult {
    filtered(value, args, Some(false))
}

fn ipv6(value: Value, args: Args) -> EvalResult {
    filtered(value, args, Some(true))
}

/// Encloses IPv6 addresses in brackets for URLs; other values are unchanged.
fn ipwrap(value: Value, mut args: Args) -> EvalResult {
    args.text("query")?;
    args.finish()?;
    let wrap = |value: &Value| match Net::of(value) {
        Some(net) if net.v6 => Value::from(wrapped(net)),
        _ => value.clone(),
    };
    match containers::is_list(&value) {
        true => Ok(Value::from(items::items(&value)?.iter().map(wrap).collect::<Vec<_>>())),
        false => Ok(wrap(&value)),
    }
}

fn ipsubnet(value: Value, mut args: Args) -> EvalResult {
    let wanted = args.text_or("query", "")?;
    let index = args.int("index")?;
    args.finish()?;
    let Some(net) = Net::of(&value) else { return Ok(Value::from(false)) };
    let subnet = |network: u128, prefix: u32| format!("{}/{prefix}", net.show(network));
    if wanted.is_empty() {
        return Ok(Value::from(subnet(net.network(), net.prefix)));
    }
    if let Some(outer) = Net::parse(&wanted).filter(|outer| outer.whole) {
        // The number of this subnet among all of its size in the outer network, starting at 1.
        if !outer.contains(net) {
            return Err(EvalError::new(format!("{net} is not in the subnet {outer}")));
        }
        let at = (net.network() - outer.network()) >> (net.bits() - net.prefix).min(127);
        return Ok(Value::from((at + 1).to_string()));
    }
    let prefix: u32 = wanted.parse().map_err(|_| EvalError::new(format!("'{wanted}' is not a prefix length")))?;
    if prefix > net.bits() {
        return Ok(Value::from(false));
    }
    let inner = Net { prefix, whole: true, ..net };
    match index {
        None if prefix >= net.prefix && net.whole => {
            Ok(Value::from((1u128.checked_shl(prefix - net.prefix).unwrap_or(u128::MAX)).to_string()))
        }
        None => Ok(Value::from(subnet(inner.network(), prefix))),
        Some(at) if net.whole && prefix >= net.prefix => {
            let count = 1i128.checked_shl(prefix - net.prefix).unwrap_or(i128::MAX);
            let at = if at < 0 { at + count } else { at };
            match u128::try_from(at).ok().filter(|_| at < count) {
                Some(at) => Ok(Value::from(subnet(net.network() + at * inner.size(), prefix))),
                None => Ok(Value::from(false)),
            }
        }
        Some(_) => Ok(Value::from(false)),
    }
}

fn ipmath(value: Value, mut args: Args) -> EvalResult {
    let amount = args.int("amount")?.ok_or_else(|| EvalError::new("missing 1 required argument: 'amount'"))?;
    args.finish()?;
    let refuse = || EvalError::new(format!("{} is not an IP address", show::repr(&value)));
    let net = Net::of(&value).ok_or_else(refuse)?;
    let moved = match amount < 0 {
        true => net.address.checked_sub(amount.unsigned_abs()),
        false => net.address.checked_add(amount.unsigned_abs()),
    };
    let top = if net.v6 { u128::MAX } else { u128::from(u32::MAX) };
    let moved = moved.filter(|address| *address <= top);
    moved
        .map(|address| Value::from(net.show(address)))
        .ok_or_else(|| EvalError::new("the address is beyond the last one"))
}

fn nthhost(value: Value, mut args: Args) -> EvalResult {
    let at = args.int_or("query", 0)?;
    args.finish()?;
    let found = Net::of(&value).and_then(|net| net.nth(at).map(|address| net.show(address)));
    Ok(found.map_or_else(|| Value::from(false), Value::from))
}

fn network_in_network(value: Value, mut args: Args) -> EvalResult {
    let other = args.required("test")?;
    args.finish()?;
    let (outer, inner) = (Net::of(&value), Net::of(&other));
    Ok(Value::from(outer.zip(inner).is_some_and(|(outer, inner)| outer.contains(inner))))
}

#[cfg(test)]
mod tests {
    use minijinja::Value;

    use super::query;

    #[test]
    fn answers_as_the_documentation_says() {
        for (value, wanted, want) in [
            ("192.168.32.0/24", "", "192.168.32.0/24"),
            ("192.0.2.1/24", "address", "192.0.2.1"),
            ("192.0.2.1/24", "network", "192.0.2.0"),
            ("192.0.2.1/24", "netmask", "255.255.255.0"),
            ("192.0.2.1/255.255.255.0", "prefix", "24"),
            ("192.0.2.1/24", "subnet", "192.0.2.0/24"),
            ("192.0.2.1/24", "broadcast", "192.0.2.255"),
            ("192.0.2.0/24", "1", "192.0.2.1/24"),
            ("192.0.2.0/24", "-1", "192.0.2.255/24"),
            ("2001:db8:32c:faad::/64", "2", "2001:db8:32c:faad::2/64"),
            ("192.0.2.7", "192.0.2.0/24", "192.0.2.7"),
            ("192.0.2.7", "revdns", "7.2.0.192.in-addr.arpa."),
            ("192.0.2.0/24", "range_usable", "192.0.2.1-192.0.2.254"),
            ("10.0.0.1", "private", "10.0.0.1"),
            ("::1", "wrap", "[::1]"),
        ] {
            let answer = query(&Value::from(value), wanted, None).expect(value).map(|answer| answer.to_string());
            assert_eq!(answer.as_deref(), Some(want), "{value} {wanted}");
        }
        for (value, wanted) in
            [("nope", ""), ("10.0.0.1", "public"), ("10.0.0.1", "192.0.2.0/24"), ("10.0.0.1", "ipv6")]
        {
            assert!(query(&Value::from(value), wanted, None).expect(value).is_none(), "{value} {wanted}");
        }
        assert!(query(&Value::from("10.0.0.1"), "nonsense", None).is_err());
    }
}
