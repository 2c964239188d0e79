//! Published ports and mounts.

use rplay_wire::Value;
use serde_json::{Value as Json, json};

use super::units::{Options, Size};
use crate::{
    args,
    args::ArgType,
    argtypes::{Flag, Text},
    choice,
};

/// Published ports: `80`, `8080:80`, `127.0.0.1:8080:80/udp`, `9000-9010:9000-9010`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Published {
    /// All exposed ports, at ports chosen by the Engine.
    All,
    Ports {
        /// `None`: on all addresses.
        address: Option<String>,
        /// First and last; `None`: chosen by the Engine.
        outside: Option<(u16, u16)>,
        inside: (u16, u16),
        protocol: String,
    },
}

fn port_range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = (first.parse().ok()?, last.parse().ok()?);
    (range.0 > 0 && range.0 <= range.1).then_some(range)
}

fn port_and_protocol(text: &str) -> Option<((u16, u16), String)> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    let known = ["tcp", "udp", "sctp"].contains(&protocol.as_str());
    known.then_some((port_range(ports)?, protocol))
}

impl ArgType for Published {
    const KIND: &'static str = "str";

    fn parse(value: &Value) -> Result<Self, String> {
        let text = String::parse(value)?;
        let wrong = || format!("must be a port such as 80, 8080:80 or 127.0.0.1:8080:80/udp, not `{text}`");
        if text == "all" {
            return Ok(Published::All);
        }
        let (before, inside) =
            text.rsplit_once(':').map_or((None, text.as_str()), |(before, last)| (Some(before), last));
        let (inside, protocol) = port_and_protocol(inside).ok_or_else(wrong)?;
        let (address, outside) = match before.map(|before| before.rsplit_once(':').unwrap_or(("", before))) {
            None => (None, None),
            Some((address, port)) => {
                let outside = if port.is_empty() { None } else { Some(port_range(port).ok_or_else(wrong)?) };
                let address = address.trim_start_matches('[').trim_end_matches(']');
                let is_address = address.is_empty() || address.parse::<std::net::IpAddr>().is_ok();
                if !is_address {
                    return Err(format!("must bind to an IP address, not to `{address}`"));
                }
                ((!address.is_empty()).then(|| address.to_owned()), outside)
            }
        };
        let many = |range: (u16, u16)| range.1 - range.0;
        if outside.is_some_and(|outside| many(inside) > 0 && many(outside) != many(inside)) {
            return Err(format!("must have as many ports outside as inside, unlike `{text}`"));
        }
        Ok(Published::Ports { address, outside, inside, protocol })
    }
}

impl Published {
    /// Each container port, as `80/tcp`, with its bindings.
    pub(crate) fn bindings(&self, default_address: &str) -> Vec<(String, Json)> {
        let Published::Ports { address, outside, inside, protocol } = self else { return Vec::new() };
        let address = address.as_deref().unwrap_or(default_address);
        let ports = inside.0..=inside.1;
        let bindings = ports.map(|port| {
            let outside = match outside {
                None => String::new(),
                // One container port and a range of host ports: the Engine chooses a free one.
                Some((first, last)) if inside.0 == inside.1 && first != last => format!("{first}-{last}"),
                Some((first, _)) => (first + (port - inside.0)).to_string(),
            };
            (format!("{port}/{protocol}"), json!({"HostIp": address, "HostPort": outside}))
        });
        bindings.collect()
    }
}

/// Exposed ports: `80`, `53/udp`, `9000-9010`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exposed(pub Vec<String>);

impl ArgType for Exposed {
    const KIND: &'static str = "str";

    fn parse(value: &Value) -> Result<Self, String> {
        let text = String::parse(value)?;
        let ((first, last), protocol) =
            port_and_protocol(&text).ok_or_else(|| format!("must be a port such as 80 or 53/udp, not `{text}`"))?;
        Ok(Exposed((first..=last).map(|port| format!("{port}/{protocol}")).collect()))
    }
}

/// A volume in short syntax: `/host:/inside:ro`, `name:/inside`, `/inside`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    /// A path on the host or a volume name; `None` for an anonymous volume.
    pub source: Option<String>,
    pub target: String,
    pub mode: Option<String>,
}

impl ArgType for Bind {
    const KIND: &'static str = "str";

    fn parse(value: &Value) -> Result<Self, String> {
        let text = String::parse(value)?;
        let wrong = || format!("must be a volume such as /host:/inside, name:/inside:ro or /inside, not `{text}`");
        let parts: Vec<_> = text.split(':').collect();
        let (source, target, mode) = match parts.as_slice() {
            [target] => (None, *target, None),
            [source, target] if !source.is_empty() => (Some(*source), *target, None),
            [source, target, mode] if !source.is_empty() && !mode.is_empty() => (Some(*source), *target, Some(*mode)),
            _ => return Err(wrong()),
        };
        if !target.starts_with('/') {
            return Err(wrong());
        }
        let target = if target.len() > 1 { target.trim_end_matches('/') } else { target };
        Ok(Bind { source: source.map(str::to_owned), target: target.to_owned(), mode: mode.map(str::to_owned) })
    }
}

impl Bind {
    /// The Engine's format; `None` for an anonymous volume.
    pub(crate) fn notation(&self, expand: &dyn Fn(&str) -> String) -> Option<String> {
        let source = expand(self.source.as_ref()?);
        // The mode is explicit, so that `a:b` and `a:b:rw` are equal.
        let mode = self.mode.as_deref().unwrap_or("rw");
        Some(format!("{source}:{}:{mode}", self.target))
    }
}

choice! {
    pub enum MountType {
        Volume = "volume",
        Bind = "bind",
        Tmpfs = "tmpfs",
    }
}

args! {
    /// A mount in long syntax.
    pub struct MountArgs {
        /// The path in the container.
        target: Text,
        /// A path on the host or a volume name.
        source: Option<Text>,
        /// `volume`, `bind` or `tmpfs`.
        r#type: MountType = MountType::Volume,
        /// Read-only.
        read_only: Option<Flag>,
        /// `default`, `consistent`, `cached` or `delegated`.
        consistency: Option<Text>,
        /// For `bind`: `private`, `rprivate`, `shared`, `rshared`, `slave` or `rslave`.
        propagation: Option<Text>,
        /// For `bind`: create the directory on the host if it is missing.
        create_mountpoint: Option<Flag>,
        /// For `volume`: do not copy the image's content.
        no_copy: Option<Flag>,
        /// For `volume`: labels of a new volume.
        labels: Option<Options>,
        /// For `volume`: the driver.
        volume_driver: Option<Text>,
        /// For `volume`: options of the driver.
        volume_options: Option<Options>,
        /// For `tmpfs`: the size.
        tmpfs_size: Option<Size>,
        /// For `tmpfs`: the mode, in octal.
        tmpfs_mode: Option<Text>,
    }
}

impl MountArgs {
    /// The Engine's format; the error is a message.
    pub(crate) fn json(&self, expand: &dyn Fn(&str) -> String) -> Result<Json, String> {
        if self.source.is_none() && self.r#type == MountType::Bind {
            return Err(format!("the bind mount at {} requires a `source`", self.target));
        }
        let mut mount = json!({"Type": self.r#type.word(), "Target": self.target});
        if let Some(source) = &self.source {
            mount["Source"] = json!(if self.r#type == MountType::Bind { expand(source) } else { source.clone() });
        }
        if let Some(Flag(on)) = self.read_only {
            mount["ReadOnly"] = json!(on);
        }
        if let Some(consistency) = &self.consistency {
            mount["Consistency"] = json!(consistency);
        }
        let mut options = json!({});
        match self.r#type {
            MountType::Bind => {
                if let Some(propagation) = &self.propagation {
                    options["Propagation"] = json!(propagation);
                }
                if let Some(Flag(on)) = self.create_mountpoint {
                    options["CreateMountpoint"] = json!(on);
                }
            }
            MountType::Volume => {
                if let Some(Flag(on)) = self.no_copy {
                    options["NoCopy"] = json!(on);
                }
                if let Some(labels) = &self.labels {
                    options["Labels"] = labels.json();
                }
                let driver = [("Name", self.volume_driver.as_ref().map(|name| json!(name)))];
                let driver_options = [("Options", self.volume_options.as_ref().map(Options::json))];
                for (key, value) in driver.into_iter().chain(driver_options) {
                    if let Some(value) = value {
                        options["DriverConfig"][key] = value;
                    }
                }
            }
            MountType::Tmpfs => {
                if let Some(Size(bytes)) = self.tmpfs_size {
                    options["SizeBytes"] = json!(bytes);
                }
                if let Some(mode) = &self.tmpfs_mode {
                    let wrong = || format!("`tmpfs_mode` must be octal, such as \"1770\", not `{mode}`");
                    options["Mode"] = json!(u32::from_str_radix(mode, 8).map_err(|_| wrong())?);
                }
            }
        }
        let others = [
            (MountType::Bind, self.propagation.is_some() || self.create_mountpoint.is_some()),
            (MountType::Volume, self.no_copy.is_some() || self.labels.is_some() || self.volume_driver.is_some()),
            (MountType::Tmpfs, self.tmpfs_size.is_some() || self.tmpfs_mode.is_some()),
        ];
        if let Some((of, _)) = others.iter().find(|(of, given)| *given && *of != self.r#type) {
            let is = self.r#type.word();
            return Err(format!("the mount at {} is a {is} and has options of a {}", self.target, of.word()));
        }
        if options.as_object().is_some_and(|options| !options.is_empty()) {
            let key = match self.r#type {
                MountType::Bind => "BindOptions",
                MountType::Volume => "VolumeOptions",
                MountType::Tmpfs => "TmpfsOptions",
            };
            mount[key] = options;
        }
        Ok(mount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Args;

    #[test]
    fn published_ports_become_bindings() {
        let of = |text: &str| Published::parse(&text.into()).map(|p| p.bindings("")).ok();
        let one = |port: &str, ip: &str, host: &str| (port.to_owned(), json!({"HostIp": ip, "HostPort": host}));
        assert_eq!(of("3000"), Some(vec![one("3000/tcp", "", "")]));
        assert_eq!(of("3001:3000"), Some(vec![one("3000/tcp", "", "3001")]));
        assert_eq!(of("127.0.0.1:53:53/udp"), Some(vec![one("53/udp", "127.0.0.1", "53")]));
        assert_eq!(of("[::1]:8080:80"), Some(vec![one("80/tcp", "::1", "8080")]));
        assert_eq!(of("127.0.0.1::80"), Some(vec![one("80/tcp", "127.0.0.1", "")]));
        assert_eq!(of("7000-7001:80-81"), Some(vec![one("80/tcp", "", "7000"), one("81/tcp", "", "7001")]));
        assert_eq!(of("7000-7010:80"), Some(vec![one("80/tcp", "", "7000-7010")]));
        for wrong in ["", "0", "x:80", "80:70000", "host:80:80", "1-3:80-81", "80/icmp"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        assert_eq!(Published::parse(&"all".into()), Ok(Published::All));
    }

    #[test]
    fn volumes_are_read_from_their_notation() {
        let of = |text: &str| Bind::parse(&text.into()).ok().map(|bind| bind.notation(&|s| s.to_owned()));
        assert_eq!(of("data:/var/lib/mysql"), Some(Some("data:/var/lib/mysql:rw".into())));
        assert_eq!(of("/etc/x:/x/:ro,z"), Some(Some("/etc/x:/x:ro,z".into())));
        assert_eq!(of("/cache"), Some(None));
        for wrong in ["", ":/x", "a:b", "a:/b:", "a:/b:ro:x"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn mounts_refuse_options_of_another_type() {
        let mount = |map| MountArgs::from_map(&map).unwrap().json(&|s| s.to_owned());
        let tmpfs =
            rplay_wire::data! { "target" => "/t", "type" => "tmpfs", "tmpfs_size" => "1m", "tmpfs_mode" => "1770" };
        let options = json!({"SizeBytes": 1 << 20, "Mode": 0o1770});
        assert_eq!(mount(tmpfs), Ok(json!({"Type": "tmpfs", "Target": "/t", "TmpfsOptions": options})));
        let mixed = rplay_wire::data! { "target" => "/t", "source" => "v", "propagation" => "shared" };
        assert!(mount(mixed).unwrap_err().contains("options of a bind"));
        assert!(mount(rplay_wire::data! { "target" => "/t", "type" => "bind" }).is_err());
    }
}
