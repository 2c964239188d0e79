//! `firewalld`: what the firewall lets in, now and after the next boot.

mod rule;

use rplay_wire::{Diff, Failure, Map};

use crate::{
    ArgFault, Change, Host, Module, Plan, args,
    args::ArgType,
    argtypes::{Flag, Text},
    choice,
    system::program::Output,
};
use rule::Rule;

choice! {
    /// Whether something is let in; `present` and `absent` are for zones and their targets.
    pub enum State {
        Enabled = "enabled",
        Disabled = "disabled",
        Present = "present",
        Absent = "absent",
    }
}

choice! {
    /// What happens to what no rule is about.
    pub enum Target {
        Default = "default",
        Accept = "ACCEPT",
        Drop = "DROP",
        Reject = "%%REJECT%%",
    }
}

args! {
    /// Opens and closes the firewall, by firewall-cmd.
    pub struct Firewalld {
        /// Whether it is let in.
        state: State,
        /// A service that firewalld knows: `http`.
        service: Option<Text>,
        /// A port or a range: `8080/tcp`, `6000-6100/udp`.
        port: Option<Text>,
        /// A protocol: `icmp`, `vrrp`.
        protocol: Option<Text>,
        /// Ports that are passed on: `port`, `proto`, `toport`, `toaddr`.
        port_forward: Option<Vec<Map>>,
        /// A rule in firewalld's own language.
        rich_rule: Option<Text>,
        /// A network that belongs to the zone.
        source: Option<Text>,
        /// A network interface that belongs to the zone.
        interface: Option<Text>,
        /// A kind of ICMP message that is refused.
        icmp_block: Option<Text>,
        /// Whether `icmp_block` names what is let in instead.
        icmp_block_inversion: Option<Flag>,
        /// Whether the zone hides what is behind it.
        masquerade: Option<Flag>,
        /// Whether the zone passes packets between its interfaces.
        forward: Option<Flag>,
        /// What happens to what no rule is about.
        target: Option<Target>,
        /// The zone; firewalld's default zone if not given.
        zone: Option<Text>,
        /// After the next boot.
        permanent: Flag = Flag(false),
        /// Now; so too if `permanent` is not set.
        immediate: Flag = Flag(false),
        /// Seconds for which it holds, if it is only for now.
        timeout: u64 = 0,
        /// Change the configuration although firewalld does not run.
        offline: Flag = Flag(false),
    }
}

impl Module for Firewalld {
    fn check(&self) -> Result<(), ArgFault> {
        let rules = Rule::all_of(self)?;
        let about_zone = rules.is_empty() && self.zone.is_some();
        match rules.as_slice() {
            [] if !about_zone => {
                return Err(ArgFault::new("state", "says what to do, but not with what")
                    .help("name a service, port, protocol, port_forward, rich_rule, source, interface, icmp_block, masquerade, forward, target or zone"));
            }
            [first, second, ..] if first.argument != second.argument => {
                return Err(ArgFault::new(second.argument, format!("cannot be combined with `{}`", first.argument))
                    .help("write one task for each, or a loop"));
            }
            _ => {}
        }
        let of_zone = about_zone || self.target.is_some();
        match self.state {
            State::Present | State::Absent if !of_zone => {
                Err(ArgFault::new("state", format!("must be enabled or disabled, not {}", self.state.word()))
                    .help("`present` and `absent` are for zones and their targets"))
            }
            State::Enabled | State::Disabled if about_zone => {
                Err(ArgFault::new("state", "must be present or absent for a zone"))
            }
            _ if of_zone && !self.permanent.0 => Err(ArgFault::new(
                "permanent",
                "must be true for a zone or its target: they cannot be changed for now only",
            )),
            _ if self.timeout > 0 && self.permanent.0 => {
                Err(ArgFault::new("timeout", "is for changes that are not permanent"))
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
            return Err(Failure::new("firewalld does not run: only permanent changes can be made").arg("permanent"));
        }
        let mut plan = Plan::unchanged();
        let mut said = Vec::new();
        if self.permanent.0 {
            said.push("Permanent operation".to_owned());
        }
        if immediate {
            said.push("Non-permanent operation".to_owned());
        }
        let rules = Rule::all_of(&self).map_err(|fault| Failure::new(fault.msg))?;
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
                    // What an earlier task would have made known is not known yet.
                    Err(done) if host.check => plan = plan.warn(format!("check mode: {}", done.stderr.trim())),
                    Err(done) => {
                        return Err(done
                            .failure(&format!("cannot ask the firewall about {}", rule.shown))
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

/// Where a rule holds.
#[derive(Clone)]
struct Scope {
    permanent: bool,
    zone: Option<String>,
    /// Seconds; 0 for ever.
    timeout: u64,
}

/// firewall-cmd, or firewall-offline-cmd where firewalld does not run.
#[derive(Clone)]
struct Firewall {
    runs: bool,
}

impl Firewall {
    /// `None` if firewalld does not run, or is not there, and nothing can be done without it.
    fn find(host: &Host, offline: bool) -> Result<Option<Self>, Failure> {
        if host.has_program("firewall-cmd") && host.program("firewall-cmd").arg("--state").run()?.rc == 0 {
            return Ok(Some(Firewall { runs: true }));
        }
        Ok((offline && host.has_program("firewall-offline-cmd")).then_some(Firewall { runs: false }))
    }

    fn ask<S: AsRef<str>>(&self, host: &Host, args: &[S]) -> Result<Output, Failure> {
        let args = args.iter().map(AsRef::as_ref);
        let program = host.program(if self.runs { "firewall-cmd" } else { "firewall-offline-cmd" }).untranslated();
        // Offline everything is permanent, and saying so is an error.
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

/// A text of a forwarded port's description.
fn text(map: &Map, key: &str) -> Result<Option<String>, String> {
    map.get(key).filter(|value| **value != rplay_wire::Value::Null).map(Text::parse).transpose()
}
