//! A rule as arguments of the program.

use super::{Iptables, Syn};

/// The arguments of a rule.
#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    fn put(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(|word| word.to_string()));
    }

    /// `flag value`, negated if the value begins with `!`.
    fn option(&mut self, flag: &str, value: Option<&String>) {
        let Some(value) = value else { return };
        match value.strip_prefix('!') {
            Some(value) => self.put(&["!", flag, value.trim_start()]),
            None => self.put(&[flag, value]),
        }
    }

    fn plain(&mut self, flag: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.put(&[flag, value]);
        }
    }

    /// Loads an extension, once.
    fn load(&mut self, extension: &str) {
        if !self.0.windows(2).any(|pair| pair[0] == "-m" && pair[1] == extension) {
            self.put(&["-m", extension]);
        }
    }
}

impl Iptables {
    /// The matches of the rule, then its target. Empty if no rule is given.
    pub(super) fn rule(&self, program: &str) -> Vec<String> {
        let mut words = Words::default();
        words.option("-p", self.protocol.as_ref());
        words.option("-s", self.source.as_ref());
        words.option("-d", self.destination.as_ref());
        words.option("-i", self.in_interface.as_ref());
        words.option("-o", self.out_interface.as_ref());
        words.option("-f", self.fragment.as_ref());
        for extension in &self.r#match {
            words.load(extension);
        }
        if let Ok(Some([looked_at, set])) = self.flags_of_tcp() {
            words.put(&["--tcp-flags", &looked_at, &set]);
        }
        words.option("--source-port", self.source_port.as_ref());
        words.option("--destination-port", self.destination_port.as_ref());
        if !self.destination_ports.is_empty() {
            words.load("multiport");
            words.put(&["--dports", &self.destination_ports.join(",")]);
        }
        match self.syn {
            Syn::Ignore => {}
            Syn::Match => words.put(&["--syn"]),
            Syn::Negate => words.put(&["!", "--syn"]),
        }
        if !self.ctstate.is_empty() {
            let states = self.ctstate.join(",");
            match self.r#match.iter().any(|extension| extension == "state") {
                true => words.put(&["--state", &states]),
                false => {
                    words.load("conntrack");
                    words.put(&["--ctstate", &states]);
                }
            }
        }
        if self.src_range.is_some() || self.dst_range.is_some() {
            words.load("iprange");
            words.option("--src-range", self.src_range.as_ref());
            words.option("--dst-range", self.dst_range.as_ref());
        }
        if let (Some(set), Some(flags)) = (&self.match_set, &self.match_set_flags) {
            words.load("set");
            match set.strip_prefix('!') {
                Some(set) => words.put(&["!", "--match-set", set.trim_start(), flags]),
                None => words.put(&["--match-set", set, flags]),
            }
        }
        if self.limit.is_some() || self.limit_burst.is_some() {
            words.load("limit");
            words.plain("--limit", self.limit.as_ref());
            words.plain("--limit-burst", self.limit_burst.as_ref());
        }
        if self.uid_owner.is_some() || self.gid_owner.is_some() {
            words.load("owner");
            words.option("--uid-owner", self.uid_owner.as_ref());
            words.option("--gid-owner", self.gid_owner.as_ref());
        }
        let icmp = if program == "ip6tables" { "--icmpv6-type" } else { "--icmp-type" };
        words.option(icmp, self.icmp_type.as_ref());
        if let Some(comment) = &self.comment {
            words.load("comment");
            words.put(&["--comment", comment]);
        }
        words.plain("-c", self.set_counters.as_ref());
        self.fate(&mut words);
        words.0
    }

    /// The target and its options, in this order.
    fn fate(&self, words: &mut Words) {
        let implied = if self.reject_with.is_some() {
            Some("REJECT")
        } else if self.log_prefix.is_some() || self.log_level.is_some() {
            Some("LOG")
        } else {
            None
        };
        match (self.jump.as_deref().or(implied), &self.goto) {
            (_, Some(chain)) => words.put(&["-g", chain]),
            (Some(target), None) => words.put(&["-j", target]),
            (None, None) => {}
        }
        for (flag, value) in [
            ("--gateway", &self.gateway),
            ("--log-prefix", &self.log_prefix),
            ("--log-level", &self.log_level),
            ("--to-destination", &self.to_destination),
            ("--to-source", &self.to_source),
            ("--to-ports", &self.to_ports),
            ("--set-dscp", &self.set_dscp_mark),
            ("--set-dscp-class", &self.set_dscp_mark_class),
            ("--reject-with", &self.reject_with),
        ] {
            words.plain(flag, value.as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use rplay_wire::{Map, data};

    use super::*;
    use crate::{Args, runner::tests::call};

    fn rule(args: Map) -> String {
        Iptables::from_map(&args).unwrap().rule("iptables").join(" ")
    }

    #[test]
    fn rules_in_the_words_of_the_program() {
        assert_eq!(
            rule(data! { "chain" => "INPUT", "protocol" => "tcp", "destination_port" => 80, "jump" => "ACCEPT",
            "comment" => "the web", "source" => "!10.0.0.0/8", "ctstate" => "NEW,ESTABLISHED" }),
            "-p tcp ! -s 10.0.0.0/8 --destination-port 80 -m conntrack --ctstate NEW,ESTABLISHED -m comment --comment \
             the web -j ACCEPT"
        );
        assert_eq!(
            rule(data! { "chain" => "INPUT", "match" => "state", "ctstate" => "NEW", "reject_with" => "tcp-reset",
            "protocol" => "tcp", "syn" => "negate", "limit" => "2/second" }),
            "-p tcp -m state ! --syn --state NEW -m limit --limit 2/second -j REJECT --reject-with tcp-reset"
        );
        let flags: Map = data! { "flags" => "ALL", "flags_set" => "ACK,RST" };
        assert_eq!(rule(data! { "chain" => "x", "tcp_flags" => flags, "goto" => "y" }), "--tcp-flags ALL ACK,RST -g y");
        assert_eq!(rule(data! { "chain" => "FOOBAR" }), "");
    }

    #[test]
    fn arguments_that_do_not_fit() {
        for (args, part) in [
            (data! { "policy" => "DROP" }, "except with `flush`"),
            (data! { "chain" => "INPUT", "policy" => "MAYBE" }, "one of ACCEPT"),
            (data! { "chain" => "INPUT", "jump" => "ACCEPT", "goto" => "x" }, "`jump`"),
            (data! { "chain" => "INPUT", "jump" => "DROP", "log_prefix" => "x" }, "LOG"),
            (data! { "chain" => "INPUT", "match_set" => "x" }, "requires `match_set`"),
            (data! { "chain" => "-F" }, "an option"),
        ] {
            let msg = call("iptables", args).failure.unwrap().msg;
            assert!(msg.contains(part), "{msg}");
        }
    }
}
