//! Filters of IP addresses and networks: those of `ansible.utils` that playbooks use most.

use std::net::IpAddr;

use ipnet::IpNet;
use minijinja::Value;

use super::{
    Pure, Table,
    net::{Net, wrapped},
};

use crate::template::{
    args::Args,
    value::{
        containers,
        error::{EvalError, EvalResult},
        items, number, show,
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

/// Applies a query to one value; `None` stands for Ansible's False.
fn query(value: &Value, query: &str, version: Option<bool>) -> EvalResult<Option<Value>> {
    let Some(net) = Net::of(value) else { return Ok(None) };
    if version.is_some_and(|v6| v6 != net.is_v6()) {
        return Ok(None);
    }
    let text = |text: String| Some(Value::from(text));
    let address = |address: IpAddr| text(address.to_string());
    let with_prefix = |address: IpAddr| text(format!("{address}/{}", net.cidr.prefix_len()));
    let itself = |holds: bool| holds.then(|| value.as_str().map_or_else(|| Value::from(net.to_string()), Value::from));
    let is_network = net.host_bits() > 0 && net.cidr.addr() == net.cidr.network();
    if let Ok(at) = query.parse::<i128>() {
        return Ok(match net.host_bits() > 0 {
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
        "address" | "ip" if is_network && net.host_bits() > 1 => None,
        "address" | "ip" => address(net.cidr.addr()),
        "address/prefix" | "gateway" | "gw" | "host" | "host/prefix" | "hostnet" | "ip/prefix" | "router" => {
            match is_network && net.host_bits() > 1 {
                true => None,
                false => with_prefix(net.cidr.addr()),
            }
        }
        "broadcast" => (net.host_bits() > 1).then(|| address(net.cidr.broadcast())).flatten(),
        "cidr" => text(net.to_string()),
        "first_usable" => net.whole.then(|| address(net.at(net.first_usable()))).flatten(),
        "last_usable" => net.whole.then(|| address(net.at(net.last_usable()))).flatten(),
        "next_usable" => match net.address().checked_add(1) {
            Some(next) if net.whole && (net.first_usable()..=net.last_usable()).contains(&next) => {
                address(net.at(next))
            }
            _ => None,
        },
        "previous_usable" => match net.address().checked_sub(1) {
            Some(previous) if net.whole && (net.first_usable()..=net.last_usable()).contains(&previous) => {
                address(net.at(previous))
            }
            _ => None,
        },
        "range_usable" => {
            let (first, last) = (net.at(net.first_usable()), net.at(net.last_usable()));
            net.whole.then(|| text(format!("{first}-{last}"))).flatten()
        }
        "int" if net.whole => text(format!("{}/{}", net.address(), net.cidr.prefix_len())),
        "int" => match i128::try_from(net.address()) {
            Ok(i) => Some(number::int(i)),
            Err(_) => text(net.address().to_string()),
        },
        "ip_netmask" => text(format!("{} {}", net.cidr.addr(), net.cidr.netmask())),
        "ip_wildcard" => text(format!("{} {}", net.cidr.addr(), net.cidr.hostmask())),
        "network_netmask" => text(format!("{} {}", net.cidr.network(), net.cidr.netmask())),
        "network_wildcard" => text(format!("{} {}", net.cidr.network(), net.cidr.hostmask())),
        "ipv4" | "v4" | "4" => itself(!net.is_v6()),
        "ipv6" | "v6" | "6" => itself(net.is_v6()),
        "link-local" => itself(net.link_local()),
        "loopback" | "lo" => itself(net.cidr.addr().is_loopback()),
        "multicast" => itself(net.cidr.addr().is_multicast()),
        "unicast" => itself(!net.cidr.addr().is_multicast()),
        "private" => itself(net.private()),
        "public" => itself(
            !net.private() && !net.cidr.addr().is_multicast() && !net.cidr.addr().is_unspecified() && !net.link_local(),
        ),
        "net" => is_network.then(|| with_prefix(net.cidr.network())).flatten(),
        "netmask" => address(net.cidr.netmask()),
        "wildcard" | "hostmask" => address(net.cidr.hostmask()),
        "network" | "network_id" => address(net.cidr.network()),
        "network/prefix" | "subnet" => with_prefix(net.cidr.network()),
        "peer" => match net.host_bits() {
            1 => address(net.at(net.address() ^ 1)),
            2 if ![net.network(), net.last()].contains(&net.address()) => address(net.at(net.address() ^ 3)),
            _ => None,
        },
        "prefix" => Some(Value::from(net.cidr.prefix_len())),
        "revdns" => text(net.reverse()),
        "size" => i128::try_from(net.size()).ok().map(number::int),
        "size_usable" => {
            let usable = net.last_usable() - net.first_usable();
            i128::try_from(usable.saturating_add(1)).ok().map(number::int)
        }
        "type" => Some(Value::from(if is_network { "network" } else { "address" })),
        "version" => Some(Value::from(if net.is_v6() { 6 } else { 4 })),
        "wrap" => text(wrapped(net)),
        other => return Err(EvalError::new(format!("unknown filter type: {other}"))),
    })
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
        Some(net) if net.is_v6() => Value::from(wrapped(net)),
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
    if wanted.is_empty() {
        return Ok(Value::from(net.cidr.trunc().to_string()));
    }
    if let Some(outer) = Net::parse(&wanted).filter(|outer| outer.whole) {
        // The number of this subnet among all of its size in the outer network, starting at 1.
        if !outer.contains(net) {
            return Err(EvalError::new(format!("{net} is not in the subnet {outer}")));
        }
        let at = (net.network() - outer.network()) >> net.host_bits().min(127);
        return Ok(Value::from((at + 1).to_string()));
    }
    let prefix: u32 = wanted.parse().map_err(|_| EvalError::new(format!("'{wanted}' is not a prefix length")))?;
    let inner = u8::try_from(prefix).ok().and_then(|prefix| IpNet::new(net.cidr.addr(), prefix).ok());
    let Some(inner) = inner.map(|cidr| Net { cidr, whole: true }) else { return Ok(Value::from(false)) };
    // How many bits count the subnets of this size; `None` if they are not smaller than the network.
    let bits = inner.cidr.prefix_len().checked_sub(net.cidr.prefix_len()).filter(|_| net.whole).map(u32::from);
    Ok(match (index, bits) {
        (None, Some(bits)) => Value::from(1u128.checked_shl(bits).unwrap_or(u128::MAX).to_string()),
        (None, None) => Value::from(inner.cidr.trunc().to_string()),
        (Some(at), Some(bits)) => {
            let count = 1i128.checked_shl(bits).unwrap_or(i128::MAX);
            let at = if at < 0 { at + count } else { at };
            match u128::try_from(at).ok().filter(|_| at < count) {
                Some(at) => {
                    let network = net.at(net.network() + at * inner.size());
                    Value::from(format!("{network}/{}", inner.cidr.prefix_len()))
                }
                None => Value::from(false),
            }
        }
        (Some(_), None) => Value::from(false),
    })
}

fn ipmath(value: Value, mut args: Args) -> EvalResult {
    let amount = args.int("amount")?.ok_or_else(|| EvalError::new("missing 1 required argument: 'amount'"))?;
    args.finish()?;
    let refuse = || EvalError::new(format!("{} is not an IP address", show::repr(&value)));
    let net = Net::of(&value).ok_or_else(refuse)?;
    let moved = match amount < 0 {
        true => net.address().checked_sub(amount.unsigned_abs()),
        false => net.address().checked_add(amount.unsigned_abs()),
    };
    let top = if net.is_v6() { u128::MAX } else { u128::from(u32::MAX) };
    let moved = moved.filter(|address| *address <= top);
    moved
        .map(|address| Value::from(net.at(address).to_string()))
        .ok_or_else(|| EvalError::new("the address is beyond the last one"))
}

fn nthhost(value: Value, mut args: Args) -> EvalResult {
    let at = args.int_or("query", 0)?;
    args.finish()?;
    let found = Net::of(&value).and_then(|net| net.nth(at).map(|address| address.to_string()));
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
