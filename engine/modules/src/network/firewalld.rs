//! `firewalld`: firewall rules, now and after the next boot.

mod rule;

use rplay_wire::{Diff, Failure, Map};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    args::ArgType,
    argtypes::{Flag, Text},
    choice,
    system::program::Output,
};
use rule::Rule;

choice! {
    /// Whether something is allowed; `present` and `absent` are for zones and their targets.
    pub enum State {
        Enabled = "enabled",
        Disabled = "disabled",
        Present = "present",
        Absent = "absent",
    }
}

choice! {
    /// What happens to packets that no rule matches.
    pub enum Target {
        Default = "default",
        Accept = "ACCEPT",
        Drop = "DROP",
        Reject = "%%REJECT%%",
    }
}

args! {
    /// Configures the firewall with firewall-cmd.
    pub struct Firewalld {
        /// Whether to allow it.
        state: State,
        /// A firewalld service: `http`.
        service: Option<Text>,
        /// A port or a range: `8080/tcp`, `6000-6100/udp`.
        port: Option<Text>,
        /// A protocol: `icmp`, `vrrp`.
        protocol: Option<Text>,
        /// Forwarded ports: `port`, `proto`, `toport`, `toaddr`.
        port_forward: Option<Vec<Map>>,
        /// A rule in firewalld's rich language.
        rich_rule: Option<Text>,
        /// A source network of the zone.
        source: Option<Text>,
        /// A network interface of the zone.
        interface: Option<Text>,
        /// A type of ICMP message to block.
        icmp_block: Option<Text>,
        /// Whether to invert `icmp_block`, so that it lists allowed types.
        icmp_block_inversion: Option<Flag>,
        /// Whether the zone uses masquerading.
        masquerade: Option<Flag>,
        /// Whether the zone forwards packets between its interfaces.
        forward: Option<Flag>,
        /// What happens to packets that no rule matches.
        target: Option<Target>,
        /// The zone; by default firewalld's default zone.
        zone: Option<Text>,
        /// Change the permanent configuration.
        permanent: Flag = Flag(false),
        /// Change the running configuration; the default unless `permanent` is set.
        immediate: Flag = Flag(false),
        /// Seconds after which a non-permanent change expires.
        timeout: u64 = 0,
        /// Change the configuration even if firewalld is not running.
        offline: Flag = Flag(false),
    }
}

impl Module for Firewalld {
    fn check(&self) -> Result<(), ArgError> {
        let rules = Rule::all_of(self)?;
        let about_zone = rules.is_empty() && self.zone.is_some();
        match rules.as_slice() {
            [] if !about_zone => {
                return Err(ArgError::new("state", "needs something to change")
                    .help("name a service, port, protocol, port_forward, rich_rule, source, interface, icmp_block, masquerade, forward, target or zone"));
            }
            [first, second, ..] if first.argument != second.argument => {
                return Err(ArgError::new(second.argument, format!("cannot be combined with `{}`", first.argument))
                    .help("write one task for each, or a loop"));
            }
            _ => {}
        }
        let of_zone = about_zone || self.target.is_some();
        match self.state {
            State::Present | State::Absent if !of_zone => {
                Err(ArgError::new("state", format!("must be enabled or disabled, not {}", self.state.word()))
                    .help("`present` and `absent` are for zones and their targets"))
            }
            State::Enabled | State::Disabled if about_zone => {
                Err(ArgError::new("state", "must be present or absent for a zone"))
            }
            _ if of_zone && !self.permanent.0 => Err(ArgError::new(
                "permanent",
                "must be true for a zone or its target: they cannot be changed for now only",
            )),
            _ if self.timeout > 0 && self.permanent.0 => {
                Err(ArgError::new("timeout", "applies only to non-permanent changes"))
            }
            _ => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let Some(firewall) = Firewall::find(host, self.offline.0)? else {
            let plan = Plan::unchanged().change(Change::new("change the firewall", |_, _| Ok(())));
            return plan.assumes(host, "a running firewalld", || {
                Failure::new("firewall is not currently running, unable to perform immediate actions without a running firewall daemon")
                    .help("start firewalld first, or set `offline: true` with `permanent: true`")
            });
        };
        let immediate = (self.immediate.0 || !self.permanent.0) && firewall.runs;
        if !firewall.runs && !self.permanent.0 {
            return Err(
                Failure::new("firewalld is not running, so only permanent changes are possible").arg("permanent")
            );
        }
        let mut plan = Plan::unchanged();
        let mut said = Vec::new();
        if self.permanent.0 {
            said.push("Permanent operation".to_owned());
        }
        if immediate {
            said.push("Non-permanent operation".to_owned());
        }
        let rules = Rule::all_of(&self).map_err(|error| Failure::new(error.msg))?;
        let wanted = matches!(self.state, State::Enabled | State::Present);
        if rules.is_empty() {
            return self.plan_zone(&firewall, wanted, said, host);
        }
        for rule in rules {
            let wanted = wanted == rule.positive;
            let mut changed = false;
            for (permanent, applies) in [(true, self.permanent.0), (false, immediate)] {
                if !applies {
                    continue;
                }
                let scope = Scope { permanent, zone: self.zone.clone(), timeout: self.timeout };
                match rule.is_set(&firewall, &scope, host)? {
                    Ok(is_set) if is_set == wanted => continue,
                    Ok(_) => {}
                    // Something that an earlier task would have defined is not known yet.
                    Err(done) if host.rehearses() => plan = plan.warn(format!("check mode: {}", done.stderr.trim())),
                    Err(done) => {
                        return Err(done
                            .failure(&format!("cannot query the firewall about {}", rule.shown))
                            .arg(rule.argument));
                    }
                }
                changed = true;
                plan = plan.change(rule.change(&firewall, scope, wanted));
            }
            if changed {
                said.push(format!("Changed {} to {}", rule.shown, self.state.word()));
            }
        }
        Ok(plan.set("msg", said.join(", ")))
    }
}

impl Firewalld {
    fn plan_zone(
        &self,
        firewall: &Firewall,
        wanted: bool,
        mut said: Vec<String>,
        host: &Host,
    ) -> Result<Plan, Failure> {
        let zone = self.zone.clone().unwrap_or_default();
        let zones = firewall.ask(host, &["--permanent", "--get-zones"])?.success("cannot list the firewall's zones")?;
        let there = zones.stdout.split_whitespace().any(|found| found == zone);
        let mut plan = Plan::unchanged();
        if there != wanted {
            said.push(format!("{} zone {zone}", if wanted { "Added" } else { "Removed" }));
            let verb = if wanted { "--new-zone" } else { "--delete-zone" };
            let (firewall, args) = (firewall.clone(), vec!["--permanent".to_owned(), format!("{verb}={zone}")]);
            plan = plan.change(Change::new(format!("change the zone {zone}"), move |host, _| {
                firewall.ask(host, &args)?.success("cannot change the firewall's zones").map(|_| ())
            }));
        }
        Ok(plan.set("msg", said.join(", ")))
    }
}

/// The scope of a rule.
#[derive(Clone)]
struct Scope {
    permanent: bool,
    zone: Option<String>,
    /// Seconds; 0 for no limit.
    timeout: u64,
}

/// firewall-cmd, or firewall-offline-cmd if firewalld is not running.
#[derive(Clone)]
struct Firewall {
    runs: bool,
}

impl Firewall {
    /// `None` if firewalld is not running or not installed, and nothing can be done without it.
    fn find(host: &Host, offline: bool) -> Result<Option<Self>, Failure> {
        if host.has_program("firewall-cmd") && host.program("firewall-cmd").arg("--state").run()?.rc == 0 {
            return Ok(Some(Firewall { runs: true }));
        }
        Ok((offline && host.has_program("firewall-offline-cmd")).then_some(Firewall { runs: false }))
    }

    fn ask<S: AsRef<str>>(&self, host: &Host, args: &[S]) -> Result<Output, Failure> {
        let args = args.iter().map(AsRef::as_ref);
        let program = host.program(if self.runs { "firewall-cmd" } else { "firewall-offline-cmd" }).untranslated();
        // Offline, everything is permanent, and the option is an error.
        program.args(args.filter(|arg| self.runs || *arg != "--permanent")).run()
    }
}

fn step(shown: &str, before: bool, after: bool) -> Diff {
    let word = |on| if on { "enabled" } else { "disabled" };
    Diff {
        before: format!("{shown}: {}\n", word(before)),
        after: format!("{shown}: {}\n", word(after)),
        ..Diff::default()
    }
}

/// A text field of a forwarded port.
fn text(map: &Map, key: &str) -> Result<Option<String>, String> {
    map.get(key).filter(|value| **value != rplay_wire::Value::Null).map(Text::parse).transpose()
}
