//! `iptables`: rules, chains and policies of the packet filter.

mod rule;

use rplay_wire::{Failure, Value, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    args::ArgType,
    argtypes::{AbsentPresent as State, Flag, Text, choice_at},
    choice,
    system::program::Program,
};

choice! {
    /// A table of the packet filter.
    pub enum Table {
        Filter = "filter",
        Nat = "nat",
        Mangle = "mangle",
        Raw = "raw",
        Security = "security",
    }
}

choice! {
    /// What happens to packets that no rule of a chain decides.
    pub enum Policy {
        Accept = "ACCEPT",
        Drop = "DROP",
        Queue = "QUEUE",
        Return = "RETURN",
    }
}

choice! {
    /// The IP version.
    pub enum IpVersion {
        V4 = "ipv4",
        V6 = "ipv6",
        Both = "both",
    }
}

choice! {
    /// Where a new rule is inserted in the chain.
    pub enum Where {
        Append = "append",
        Insert = "insert",
    }
}

/// A level of log lines, by number or name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogLevel(pub String);

impl ArgType for LogLevel {
    const KIND: &'static str = "str";
    const CHOICES: &'static [&'static str] = &[
        "0", "1", "2", "3", "4", "5", "6", "7", "emerg", "alert", "crit", "error", "warning", "notice", "info", "debug",
    ];

    fn parse(value: &Value) -> Result<Self, String> {
        choice_at(value, Self::CHOICES, Self::CHOICES).map(|at| LogLevel(Self::CHOICES[at].to_owned()))
    }
}

choice! {
    /// Whether packets open a connection.
    pub enum Syn {
        Ignore = "ignore",
        Match = "match",
        Negate = "negate",
    }
}

args! {
    /// Adds and removes packet filter rules. They are lost when the host restarts.
    pub struct Iptables {
        /// The table.
        table: Table = Table::Filter,
        /// The chain.
        chain: Option<Text>,
        /// Whether the rule should exist, or the chain if no rule is given.
        state: State = State::Present,
        /// Where to insert a new rule in the chain.
        action: Where = Where::Append,
        /// The position of an inserted rule, from 1.
        rule_num: Option<Text>,
        /// IPv4, IPv6 or both.
        ip_version: IpVersion = IpVersion::V4,
        /// Create the chain if it is missing, and remove it with `state: absent`.
        chain_management: Flag = Flag(false),
        /// Remove all rules of the chain, or of the table.
        flush: Flag = Flag(false),
        /// The default target of the chain.
        policy: Option<Policy>,
        /// The protocol; a leading `!` negates it, as in most of the following options.
        protocol: Option<Text>,
        /// The source address of packets.
        source: Option<Text>,
        /// The destination address of packets.
        destination: Option<Text>,
        /// Extensions to load.
        r#match: Vec<Text> = Vec::new(),
        /// `flags` to examine, and `flags_set`, those of them that must be set.
        tcp_flags: Option<rplay_wire::Map>,
        /// The target: what happens to a packet.
        jump: Option<Text>,
        /// The chain to continue in, without returning.
        goto: Option<Text>,
        /// With `jump: LOG`, the prefix of log lines.
        log_prefix: Option<Text>,
        /// With `jump: LOG`, the log level.
        log_level: Option<LogLevel>,
        /// With `jump: TEE`, the destination of copies.
        gateway: Option<Text>,
        /// With `jump: DNAT`, the new destination.
        to_destination: Option<Text>,
        /// With `jump: SNAT`, the new source.
        to_source: Option<Text>,
        /// With `jump: REDIRECT` and the like, the new ports.
        to_ports: Option<Text>,
        /// With `jump: DSCP`, the mark.
        set_dscp_mark: Option<Text>,
        /// With `jump: DSCP`, the class.
        set_dscp_mark_class: Option<Text>,
        /// With `jump: REJECT`, the answer.
        reject_with: Option<Text>,
        /// The incoming interface.
        in_interface: Option<Text>,
        /// The outgoing interface.
        out_interface: Option<Text>,
        /// Whether the rule applies only to second and later fragments.
        fragment: Option<Text>,
        /// The initial counters.
        set_counters: Option<Text>,
        /// The source port.
        source_port: Option<Text>,
        /// The destination port.
        destination_port: Option<Text>,
        /// Several destination ports.
        destination_ports: Vec<Text> = Vec::new(),
        /// Whether packets open a connection.
        syn: Syn = Syn::Ignore,
        /// Connection states.
        ctstate: Vec<Text> = Vec::new(),
        /// A range of source addresses.
        src_range: Option<Text>,
        /// A range of destination addresses.
        dst_range: Option<Text>,
        /// An address set.
        match_set: Option<Text>,
        /// Which part of a packet is looked up in the set.
        match_set_flags: Option<Text>,
        /// The maximum rate of packets.
        limit: Option<Text>,
        /// The number of packets before the limit applies.
        limit_burst: Option<Text>,
        /// The user that owns the packet's process.
        uid_owner: Option<Text>,
        /// The group that owns the packet's process.
        gid_owner: Option<Text>,
        /// The ICMP type.
        icmp_type: Option<Text>,
        /// A comment stored with the rule.
        comment: Option<Text>,
        /// Seconds to wait for the lock of the packet filter.
        wait: Option<Text>,
        /// Do not resolve names when listing.
        numeric: Flag = Flag(false),
    }
}

impl Module for Iptables {
    fn check(&self) -> Result<(), ArgError> {
        if self.flush.0 && self.policy.is_some() {
            return Err(ArgError::exclusive("policy", &["flush", "policy"]));
        }
        if self.chain.is_none() && !self.flush.0 {
            return Err(ArgError::new("chain", "flush is False but all of the following are missing: chain"));
        }
        if self.jump.as_deref().is_some_and(|jump| jump.eq_ignore_ascii_case("tee")) && self.gateway.is_none() {
            let msg =
                format!("jump is {} but all of the following are missing: gateway", self.jump.as_deref().unwrap_or(""));
            return Err(ArgError::new("gateway", msg));
        }
        let logs = self.log_prefix.is_some() || self.log_level.is_some();
        if logs && self.jump.as_deref().is_some_and(|jump| jump != "LOG") {
            return Err(ArgError::new("jump", "must be LOG for `log_prefix` and `log_level`"));
        }
        if self.match_set.is_some() != self.match_set_flags.is_some() {
            return Err(ArgError::new("match_set_flags", "requires `match_set`, and vice versa"));
        }
        if self.set_dscp_mark.is_some() && self.set_dscp_mark_class.is_some() {
            return Err(ArgError::exclusive("set_dscp_mark_class", &["set_dscp_mark", "set_dscp_mark_class"]));
        }
        let marks = [("set_dscp_mark", &self.set_dscp_mark), ("set_dscp_mark_class", &self.set_dscp_mark_class)];
        if let Some((name, _)) = marks.iter().find(|(_, mark)| mark.is_some() && self.jump.is_none()) {
            return Err(ArgError::new(name, format!("missing parameter(s) required by '{name}': jump")));
        }
        for (name, value) in [("chain", self.chain.as_ref()), ("jump", self.jump.as_ref())] {
            if value.is_some_and(|value| value.is_empty() || value.starts_with('-')) {
                return Err(ArgError::new(name, "is empty or would be taken for an option"));
            }
        }
        self.flags_of_tcp().map(drop)
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let programs: &[&'static str] = match self.ip_version {
            IpVersion::V4 => &["iptables"],
            IpVersion::V6 => &["ip6tables"],
            IpVersion::Both => &["iptables", "ip6tables"],
        };
        let mut plan = Plan {
            data: data! {
                "ip_version" => self.ip_version.word(),
                "table" => self.table.word(),
                "chain" => self.chain.clone(),
                "flush" => self.flush.0,
                "rule" => self.rule(programs[0]).join(" "),
                "state" => self.state.word(),
                "chain_management" => self.chain_management.0,
                "wait" => self.wait.clone(),
            },
            ..Plan::default()
        };
        for program in programs {
            if !host.has_program(program) {
                return Err(host.missing_program(program));
            }
            plan = Filter { task: &self, program, host }.plan(plan)?;
        }
        Ok(plan)
    }
}

/// One of the two filters, with the task's rule.
struct Filter<'a> {
    task: &'a Iptables,
    program: &'static str,
    host: &'a Host,
}

impl Filter<'_> {
    fn plan(&self, plan: Plan) -> Result<Plan, Failure> {
        let task = self.task;
        let chain = task.chain.clone().unwrap_or_default();
        let rule = task.rule(self.program);
        if task.flush.0 {
            let chain = task.chain.iter().cloned();
            return Ok(plan.change(self.change("-F", chain.collect())));
        }
        if let Some(policy) = task.policy.map(Policy::word) {
            let present = self.policy(&chain)?;
            return Ok(match present.as_deref() == Some(policy) {
                true => plan,
                false => plan.change(self.change("-P", vec![chain, policy.to_owned()])),
            });
        }
        let has_chain = !task.chain_management.0 || self.has_chain(&chain)?;
        let with = |operation: &str, number: Option<&String>| {
            let mut words = vec![chain.clone()];
            words.extend(number.cloned());
            words.extend(rule.iter().cloned());
            self.change(operation, words)
        };
        if rule.is_empty() && task.chain_management.0 {
            return Ok(match (task.state, has_chain) {
                (State::Present, false) => plan.change(self.change("-N", vec![chain])),
                (State::Absent, true) => plan.change(self.change("-X", vec![chain])),
                _ => plan,
            });
        }
        let mut check = vec!["-C".to_owned(), chain.clone()];
        check.extend(rule.iter().cloned());
        let has_rule = has_chain && self.says(&check)?;
        Ok(match (task.state, has_rule) {
            (State::Present, false) => {
                let plan = match has_chain {
                    true => plan,
                    false => plan.change(self.change("-N", vec![chain.clone()])),
                };
                match task.action {
                    Where::Append => plan.change(with("-A", None)),
                    Where::Insert => plan.change(with("-I", task.rule_num.as_ref())),
                }
            }
            (State::Absent, true) => plan.change(with("-D", None)),
            _ => plan,
        })
    }

    fn has_chain(&self, chain: &str) -> Result<bool, Failure> {
        let numeric = self.task.numeric.0.then_some("-n");
        self.says(&["-L", chain].into_iter().chain(numeric).collect::<Vec<_>>())
    }

    fn begin(&self) -> Program {
        begin(self.program, self.task.table.word(), self.task.wait.as_deref(), self.host)
    }

    /// Whether the program succeeds.
    fn says<T: AsRef<std::ffi::OsStr>>(&self, words: &[T]) -> Result<bool, Failure> {
        Ok(self.begin().args(words).run()?.rc == 0)
    }

    fn policy(&self, chain: &str) -> Result<Option<String>, Failure> {
        let listed = self.begin().args(["-S", chain]).run()?.success(&format!("cannot list the chain {chain}"))?;
        let found = listed.stdout.lines().find_map(|line| line.strip_prefix("-P ")?.split_whitespace().nth(1));
        Ok(found.map(str::to_owned))
    }

    fn change(&self, operation: &str, words: Vec<String>) -> Change {
        let (program, table, wait) = (self.program, self.task.table.word(), self.task.wait.clone());
        let words: Vec<String> = std::iter::once(operation.to_owned()).chain(words).collect();
        let what = format!("{program} -t {table} {}", words.join(" "));
        Change::new(what, move |host, _| begin(program, table, wait.as_deref(), host).args(&words).succeed().map(drop))
    }
}

fn begin(program: &str, table: &str, wait: Option<&str>, host: &Host) -> Program {
    let begun = host.program(program).untranslated().args(["-t", table]);
    match wait {
        Some(seconds) => begun.args(["-w", seconds]),
        None => begun,
    }
}

impl Iptables {
    /// `flags` and `flags_set` of `tcp_flags`.
    fn flags_of_tcp(&self) -> Result<Option<[String; 2]>, ArgError> {
        let Some(map) = &self.tcp_flags else { return Ok(None) };
        if let Some(other) = map.keys().find(|key| !["flags", "flags_set"].contains(&key.as_str())) {
            return Err(ArgError::new("tcp_flags", format!("has no `{other}`, only `flags` and `flags_set`")));
        }
        let list = |name: &str| {
            let value = map.get(name).filter(|value| **value != Value::Null);
            let value = value.ok_or_else(|| ArgError::new("tcp_flags", "requires both `flags` and `flags_set`"))?;
            let words = <Vec<String> as crate::args::ArgType>::parse(value);
            words.map(|words| words.join(",")).map_err(|wrong| ArgError::new("tcp_flags", wrong))
        };
        Ok(Some([list("flags")?, list("flags_set")?]))
    }
}
