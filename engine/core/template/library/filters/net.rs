//! An IP address with its network.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use minijinja::{Value, value::ValueKind};

use crate::template::value::number::Number;

/// An address and its network. A bare address is a network of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Net {
    pub cidr: IpNet,
    /// Whether a prefix was given.
    pub whole: bool,
}

impl Net {
    pub(super) fn of(value: &Value) -> Option<Self> {
        if let (None, Some(Number::Int(i))) = (value.as_str(), Number::of(value)) {
            if value.kind() == ValueKind::Bool {
                return None;
            }
            let number = u128::try_from(i).ok()?;
            let address =
                u32::try_from(number).map_or_else(|_| IpAddr::from(number.to_be_bytes()), |v4| v4.to_be_bytes().into());
            return Some(Net { cidr: address.into(), whole: false });
        }
        Net::parse(value.as_str()?)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (address, suffix) = match text.split_once('/') {
            Some((address, suffix)) => (address, Some(suffix)),
            None => (text, None),
        };
        let address = address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(address);
        let address: IpAddr = address.parse().ok()?;
        let cidr = match suffix.map(|suffix| (suffix, suffix.parse::<u32>())) {
            None => address.into(),
            Some((_, Ok(prefix))) => IpNet::new(address, u8::try_from(prefix).ok()?).ok()?,
            Some((mask, Err(_))) => masked(address, mask.parse().ok()?)?,
        };
        Some(Net { cidr, whole: suffix.is_some() })
    }

    pub(super) fn is_v6(self) -> bool {
        self.cidr.addr().is_ipv6()
    }

    /// The address of a number, in the same family.
    pub(super) fn at(self, number: u128) -> IpAddr {
        match self.is_v6() {
            true => Ipv6Addr::from(number).into(),
            false => Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        }
    }

    pub(super) fn address(self) -> u128 {
        number_of(self.cidr.addr())
    }

    pub(super) fn network(self) -> u128 {
        number_of(self.cidr.network())
    }

    pub(super) fn last(self) -> u128 {
        number_of(self.cidr.broadcast())
    }

    /// The number of bits that count the hosts.
    pub(super) fn host_bits(self) -> u8 {
        self.cidr.max_prefix_len() - self.cidr.prefix_len()
    }

    /// The number of addresses, saturating.
    pub(super) fn size(self) -> u128 {
        number_of(self.cidr.hostmask()).saturating_add(1)
    }

    pub(super) fn contains(self, other: Net) -> bool {
        self.cidr.contains(&other.cidr)
    }

    pub(super) fn first_usable(self) -> u128 {
        if self.host_bits() <= 1 { self.network() } else { self.network() + 1 }
    }

    pub(super) fn last_usable(self) -> u128 {
        match self.is_v6() || self.host_bits() <= 1 {
            true => self.last(),
            false => self.last() - 1,
        }
    }

    /// The address at an index of the network; negative indexes count from the end.
    pub(super) fn nth(self, at: i128) -> Option<IpAddr> {
        let offset = at.unsigned_abs();
        let number = match at < 0 {
            true => self.last().checked_sub(offset - 1).filter(|address| *address >= self.network()),
            false => self.network().checked_add(offset).filter(|address| *address <= self.last()),
        };
        number.map(|number| self.at(number))
    }

    pub(super) fn private(self) -> bool {
        match self.cidr.addr() {
            IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local(),
        }
    }

    pub(super) fn link_local(self) -> bool {
        match self.cidr.addr() {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        }
    }

    pub(super) fn reverse(self) -> String {
        match self.cidr.addr() {
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
            true => self.cidr.fmt(f),
            false => self.cidr.addr().fmt(f),
        }
    }
}

fn number_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

/// The network of an address with a netmask such as 255.255.255.0, or a wildcard mask such as 0.0.0.255.
fn masked(address: IpAddr, mask: Ipv4Addr) -> Option<IpNet> {
    IpNet::with_netmask(address, mask.into()).or_else(|_| IpNet::with_netmask(address, (!mask).into())).ok()
}

pub(super) fn wrapped(net: Net) -> String {
    let suffix = if net.whole { format!("/{}", net.cidr.prefix_len()) } else { String::new() };
    match net.is_v6() {
        true => format!("[{}]{suffix}", net.cidr.addr()),
        false => format!("{}{suffix}", net.cidr.addr()),
    }
}
