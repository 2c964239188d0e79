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
    /// The rule in the order of ansible-core, whose result tells it. Empty if no rule is given.
    pub(super) fn rule(&self, program: &str) -> Vec<String> {
        let mut words = Words::default();
        words.option("-p", self.protocol.as_ref());
        words.option("-s", self.source.as_ref());
        words.option("-d", self.destination.as_ref());
        for extension in &self.r#match {
            words.load(extension);
        }
        if let Ok(Some([looked_at, set])) = self.flags_of_tcp() {
            words.put(&["--tcp-flags", &looked_at, &set]);
        }
        self.target(&mut words);
        words.option("-i", self.in_interface.as_ref());
        words.option("-o", self.out_interface.as_ref());
        words.option("-f", self.fragment.as_ref());
        words.plain("-c", self.set_counters.as_ref());
        words.option("--source-port", self.source_port.as_ref());
        words.option("--destination-port", self.destination_port.as_ref());
        words.plain("--to-ports", self.to_ports.as_ref());
        if self.jump.as_deref().is_none_or(|jump| !jump.eq_ignore_ascii_case("dscp")) && self.marks() {
            words.put(&["-j", "DSCP"]);
        }
        words.plain("--set-dscp", self.set_dscp_mark.as_ref());
        words.plain("--set-dscp-class", self.set_dscp_mark_class.as_ref());
        self.matches(&mut words);
        if self.jump.is_none() && self.reject_with.is_some() {
            words.put(&["-j", "REJECT"]);
        }
        words.plain("--reject-with", self.reject_with.as_ref());
        let icmp = if program == "ip6tables" { "--icmpv6-type" } else { "--icmp-type" };
        words.option(icmp, self.icmp_type.as_ref());
        if let Some(comment) = &self.comment {
            words.load("comment");
            words.put(&["--comment", comment]);
        }
        words.0
    }

    fn marks(&self) -> bool {
        self.set_dscp_mark.is_some() || self.set_dscp_mark_class.is_some()
    }

    /// The target and its options, and the ports that stand among them.
    fn target(&self, words: &mut Words) {
        let logs = self.log_prefix.is_some() || self.log_level.is_some();
        words.plain("-j", self.jump.as_ref());
        if self.jump.is_none() && logs {
            words.put(&["-j", "LOG"]);
        }
        words.plain("--gateway", self.gateway.as_ref());
        words.plain("--log-prefix", self.log_prefix.as_ref());
        words.plain("--log-level", self.log_level.as_ref().map(|level| &level.0));
        words.plain("--to-destination", self.to_destination.as_ref());
        if !self.destination_ports.is_empty() {
            words.load("multiport");
            words.put(&["--dports", &self.destination_ports.join(",")]);
        }
        words.plain("--to-source", self.to_source.as_ref());
        words.plain("-g", self.goto.as_ref());
    }

    /// What extensions look at.
    fn matches(&self, words: &mut Words) {
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
        // As in ansible-core, each loads the extension for itself.
        for (flag, owner) in [("--uid-owner", &self.uid_owner), ("--gid-owner", &self.gid_owner)] {
            if owner.is_some() {
                words.put(&["-m", "owner"]);
                words.option(flag, owner.as_ref());
            }
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
            "-p tcp ! -s 10.0.0.0/8 -j ACCEPT --destination-port 80 -m conntrack --ctstate NEW,ESTABLISHED -m comment \
             --comment the web"
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
            (data! { "policy" => "DROP" }, "flush is False but all of the following are missing: chain"),
            (data! { "chain" => "INPUT", "flush" => true, "policy" => "DROP" }, "mutually exclusive: flush|policy"),
            (
                data! { "chain" => "INPUT", "jump" => "TEE" },
                "jump is TEE but all of the following are missing: gateway",
            ),
            (data! { "chain" => "INPUT", "set_dscp_mark" => 5 }, "required by 'set_dscp_mark': jump"),
            (data! { "chain" => "INPUT", "log_level" => "nope" }, "value of log_level must be one of: 0, 1, "),
            (data! { "chain" => "INPUT", "policy" => "MAYBE" }, "must be one of: ACCEPT"),
            (data! { "chain" => "INPUT", "jump" => "DROP", "log_prefix" => "x" }, "LOG"),
            (data! { "chain" => "INPUT", "match_set" => "x" }, "requires `match_set`"),
            (data! { "chain" => "-F" }, "an option"),
        ] {
            let msg = call("iptables", args).failure.unwrap().msg;
            assert!(msg.contains(part), "{msg}");
        }
    }
}
