//! `ufw`: Ubuntu's firewall, through ufw(8).

mod numbering;
mod status;

use std::net::IpAddr;

use rplay_wire::{Failure, Map, Value};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, Text},
    choice,
    system::regular,
};
use numbering::Place;
use status::{Status, tuples};

choice! {
    /// What should become of the firewall.
    pub enum State {
        Disabled = "disabled",
        Enabled = "enabled",
        Reloaded = "reloaded",
        Reset = "reset",
    }
}

choice! {
    /// What happens to what no rule fits.
    pub enum Policy {
        Allow = "allow",
        Deny = "deny",
        Reject = "reject",
    }
}

choice! {
    /// Which way it goes.
    pub enum Direction {
        In = "in",
        Incoming = "incoming",
        Out = "out",
        Outgoing = "outgoing",
        Routed = "routed",
    }
}

choice! {
    /// What is logged.
    pub enum Logging {
        On = "on",
        Off = "off",
        Low = "low",
        Medium = "medium",
        High = "high",
        Full = "full",
    }
}

choice! {
    /// What happens to what the rule fits.
    pub enum Rule {
        Allow = "allow",
        Deny = "deny",
        Limit = "limit",
        Reject = "reject",
    }
}

choice! {
    /// The protocol.
    pub enum Protocol {
        Any = "any",
        Tcp = "tcp",
        Udp = "udp",
        Ipv6 = "ipv6",
        Esp = "esp",
        Ah = "ah",
        Gre = "gre",
        Igmp = "igmp",
        Vrrp = "vrrp",
    }
}

args! {
    /// Turns ufw on and off, sets its policies, and adds and removes rules.
    pub struct Ufw {
        /// What should become of the firewall: on now and at boot, off, its rules read again, or as it was installed.
        state: Option<State>,
        /// What happens to what no rule fits.
        default: Option<Policy> | "policy",
        /// Which way rule or policy are for.
        direction: Option<Direction>,
        /// What is logged.
        logging: Option<Logging>,
        /// The place of a new rule, 1 for the first.
        insert: Option<i64>,
        /// What the place is counted from.
        insert_relative_to: Place = Place::Zero,
        /// What happens to what the rule fits.
        rule: Option<Rule>,
        /// Whether the rule logs new connections.
        log: Flag = Flag(false),
        /// The address that it comes from.
        from_ip: Text | "from" | "src" = "any".to_owned(),
        /// The port that it comes from.
        from_port: Option<Text>,
        /// The address that it goes to.
        to_ip: Text | "dest" | "to" = "any".to_owned(),
        /// The port that it goes to.
        to_port: Option<Text> | "port",
        /// The protocol.
        proto: Option<Protocol> | "protocol",
        /// An application of `/etc/ufw/applications.d`.
        name: Option<Text> | "app",
        /// Remove the rule.
        delete: Flag = Flag(false),
        /// The interface, for `direction`.
        interface: Option<Text> | "if",
        /// The interface that it comes in by.
        interface_in: Option<Text> | "if_in",
        /// The interface that it goes out by.
        interface_out: Option<Text> | "if_out",
        /// Whether the rule is for what is passed on.
        route: Flag = Flag(false),
        /// A comment for the rule.
        comment: Option<Text>,
    }
}

impl Module for Ufw {
    fn check(&self) -> Result<(), ArgError> {
        let given = |name: &str| match name {
            "name" => self.name.is_some(),
            "proto" => self.proto.is_some(),
            "logging" => self.logging.is_some(),
            "direction" => self.direction.is_some(),
            "interface" => self.interface.is_some(),
            "interface_in" => self.interface_in.is_some(),
            _ => self.interface_out.is_some(),
        };
        let exclusive: [&[&str]; 5] = [
            &["name", "proto", "logging"],
            &["interface", "interface_in"],
            &["interface", "interface_out"],
            &["direction", "interface_in"],
            &["direction", "interface_out"],
        ];
        for group in exclusive {
            if group.iter().filter(|name| given(name)).count() > 1 {
                let arg = group.iter().rev().find(|name| given(name)).copied().unwrap_or_default();
                return Err(ArgError::exclusive(arg, group));
            }
        }
        if self.state.is_none() && self.default.is_none() && self.rule.is_none() && self.logging.is_none() {
            return Err(ArgError::new("rule", "one of the following is required: state, default, rule, logging"));
        }
        if self.interface.is_some() && self.direction.is_none() {
            return Err(ArgError::new("interface", "missing parameter(s) required by 'interface': direction"));
        }
        if self.rule.is_some() {
            if !matches!(self.direction, None | Some(Direction::In | Direction::Out)) {
                let msg = "For rules, direction must be one of \"in\" and \"out\", or direction must not be specified.";
                return Err(ArgError::new("direction", msg));
            }
            if !self.route.0 && self.interface_in.is_some() && self.interface_out.is_some() {
                return Err(ArgError::new("route", "Only route rules can combine interface_in and interface_out"));
            }
        }
        if self.default.is_some() && matches!(self.direction, Some(Direction::In | Direction::Out)) {
            let msg = "For default, direction must be one of \"outgoing\", \"incoming\" and \"routed\", or direction must \
                       not be specified.";
            return Err(ArgError::new("direction", msg));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        if !host.has_program("ufw") {
            let plan = Plan::unchanged().assumes(host, "the program ufw", || host.missing_program("ufw"))?;
            return Ok(plan.change(Change::new("set up the firewall", |_, _| Ok(()))));
        }
        let mut calls = Calls::default();
        let before = Status(calls.run(host, &["status", "verbose"])?);
        let rules = calls.rules(host)?;
        if host.check {
            let differs = self.would_change(host, &before, &rules, &mut calls)?;
            let plan = Plan::unchanged().set("commands", calls.told);
            return Ok(if differs { plan.change(Change::new(self.what(), |_, _| Ok(()))) } else { plan });
        }
        let what = self.what();
        Ok(Plan::unchanged().change(Change::maybe(what, move |host, data| {
            let changed = self.carry_out(host, &before, &rules, &mut calls, data);
            changed.map_err(|failure| failure.data(Map::from_iter([("commands".to_owned(), calls.told.into())])))
        })))
    }
}

/// Runs of ufw, as the result lists them.
#[derive(Default)]
struct Calls {
    told: Vec<String>,
}

/// Where ufw keeps its rules, in the order in which old and new versions do.
const RULES: [&str; 6] = [
    "/lib/ufw/user.rules",
    "/lib/ufw/user6.rules",
    "/etc/ufw/user.rules",
    "/etc/ufw/user6.rules",
    "/var/lib/ufw/user.rules",
    "/var/lib/ufw/user6.rules",
];

impl Calls {
    /// Runs ufw and returns its output. A failure has the message that ufw printed.
    fn run(&mut self, host: &Host, words: &[&str]) -> Result<String, Failure> {
        let program = host.required_program("ufw")?;
        // As community.general shows them: names of applications and comments in quotes.
        let quoted = |at: usize| at > 0 && words.get(at - 1).is_some_and(|before| ["app", "comment"].contains(before));
        let shown = words.iter().enumerate().map(|(at, word)| match quoted(at) {
            true => format!("'{word}'"),
            false => (*word).to_owned(),
        });
        self.told.push(format!("{program} {}", shown.collect::<Vec<_>>().join(" ")));
        let done = program.args(words).run()?;
        match done.rc {
            0 => Ok(done.stdout),
            _ => {
                let said = if done.stderr.is_empty() { done.stdout } else { done.stderr };
                Err(Failure::new(said).data(Map::from_iter([("commands".to_owned(), self.told.clone().into())])))
            }
        }
    }

    /// The rules that there are.
    fn rules(&mut self, host: &Host) -> Result<Vec<String>, Failure> {
        let grep = host.find_program("grep").map_or_else(|| "grep".to_owned(), |grep| grep.display().to_string());
        self.told.push(format!("{grep} -h '^### tuple' {}", RULES.join(" ")));
        let read = RULES.iter().filter_map(|path| regular::read_to_string(path).ok());
        Ok(read.flat_map(|text| tuples(&text)).collect())
    }
}

impl Ufw {
    fn what(&self) -> String {
        let parts = [
            self.state.map(|state| format!("state {}", state.word())),
            self.default.map(|policy| format!("policy {}", policy.word())),
            self.logging.map(|logging| format!("logging {}", logging.word())),
            self.rule.map(|rule| format!("rule {}", self.rule_words(rule, None).join(" "))),
        ];
        format!("ufw: {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }

    /// Whether the task would change something, without doing it.
    fn would_change(&self, host: &Host, before: &Status, rules: &[String], calls: &mut Calls) -> Result<bool, Failure> {
        let mut changed = match self.state {
            Some(State::Enabled) => !before.is_active(),
            Some(State::Disabled) => before.is_active(),
            Some(State::Reloaded | State::Reset) => true,
            None => false,
        };
        changed |= self.logging.is_some_and(|logging| before.logging().is_none_or(|now| !now.is(logging.word())));
        changed |= self.default.is_some_and(|policy| {
            let direction = self.direction.map_or("incoming", Direction::word);
            before.policy(direction).is_none_or(|now| now != policy.word())
        });
        if let Some(rule) = self.rule {
            calls.run(host, &["--version"])?;
            let words = self.rule_words(rule, self.place(host)?);
            let words: Vec<&str> = std::iter::once("--dry-run").chain(words.iter().map(String::as_str)).collect();
            let said = calls.run(host, &words)?;
            let skips = said.lines().filter(|line| line.contains("Skipping")).count();
            if skips == 0 || skips != said.lines().count() {
                changed |= self.differs(rules, &tuples(&said));
            }
        }
        Ok(changed)
    }

    /// Whether a dry run prints other rules. It prints only those of the addresses' family.
    fn differs(&self, before: &[String], after: &[String]) -> bool {
        let address = |text: &str| text.split('/').next().and_then(|address| address.parse::<IpAddr>().ok());
        let family = address(&self.from_ip).or_else(|| address(&self.to_ip));
        let Some(family) = family else { return before != after };
        let is_own = |rule: &&String| rule.contains("::") != family.is_ipv4();
        !before.iter().filter(is_own).eq(after.iter().filter(is_own))
    }

    /// Carries out the task; returns whether something changed.
    fn carry_out(
        &self,
        host: &Host,
        before: &Status,
        rules: &[String],
        calls: &mut Calls,
        data: &mut Map,
    ) -> Result<bool, Failure> {
        let mut changed = matches!(self.state, Some(State::Reloaded | State::Reset));
        if let Some(state) = self.state {
            let word = match state {
                State::Disabled => "disable",
                State::Enabled => "enable",
                State::Reloaded => "reload",
                State::Reset => "reset",
            };
            calls.run(host, &["-f", word])?;
        }
        if let Some(logging) = self.logging {
            changed |= before.logging().is_none_or(|now| !now.is(logging.word()));
            calls.run(host, &["logging", logging.word()])?;
        }
        if let Some(policy) = self.default {
            let direction = self.direction.map(Direction::word);
            calls.run(host, &["default", policy.word()].into_iter().chain(direction).collect::<Vec<_>>())?;
        }
        if let Some(rule) = self.rule {
            calls.run(host, &["--version"])?;
            let words = self.rule_words(rule, self.place(host)?);
            calls.run(host, &words.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        let after = Status(calls.run(host, &["status", "verbose"])?);
        if !changed {
            // They are read in any case: the result lists the calls.
            let rules_after = calls.rules(host)?;
            changed = before.0 != after.0 || rules_after != rules;
        }
        data.insert("commands".to_owned(), Value::from(calls.told.clone()));
        data.insert("msg".to_owned(), after.0.trim_end().into());
        Ok(changed)
    }

    /// The place of a new rule; `None` for the end.
    fn place(&self, host: &Host) -> Result<Option<i64>, Failure> {
        let Some(insert) = self.insert.filter(|_| !self.delete.0) else { return Ok(None) };
        if self.insert_relative_to == Place::Zero {
            return Ok(Some(insert));
        }
        let said = host.required_program("ufw")?.args(["status", "numbered"]).run()?.stdout;
        Ok(self.insert_relative_to.resolve(insert, &said))
    }

    /// The rule as ufw takes it.
    fn rule_words(&self, rule: Rule, place: Option<i64>) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut add = |parts: &[&str]| words.extend(parts.iter().map(|part| (*part).to_owned()));
        if self.route.0 {
            add(&["route"]);
        }
        if self.delete.0 {
            add(&["delete"]);
        }
        if let Some(place) = place {
            add(&["insert", &place.to_string()]);
        }
        add(&[rule.word()]);
        if let Some(direction) = self.direction {
            add(&[direction.word()]);
        }
        for (before, interface) in [
            (&["on"][..], &self.interface),
            (&["in", "on"][..], &self.interface_in),
            (&["out", "on"][..], &self.interface_out),
        ] {
            if let Some(interface) = interface {
                add(before);
                add(&[interface]);
            }
        }
        if self.log.0 {
            add(&["log"]);
        }
        for (word, address, port) in [("from", &self.from_ip, &self.from_port), ("to", &self.to_ip, &self.to_port)] {
            add(&[word, address]);
            if let Some(port) = port {
                add(&["port", port]);
            }
        }
        if let Some(proto) = self.proto {
            add(&["proto", proto.word()]);
        }
        if let Some(name) = &self.name {
            add(&["app", name]);
        }
        if let Some(comment) = self.comment.as_ref().filter(|comment| !comment.is_empty()) {
            add(&["comment", comment]);
        }
        words
    }
}
