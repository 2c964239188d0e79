//! A property of a zone, and the corresponding options of firewall-cmd.

use rplay_wire::Failure;

use super::{Firewall, Firewalld, Scope, State, Target, step, text};
use crate::{ArgError, Change, Host, system::program::Output};

/// A property of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// The argument of the task.
    pub argument: &'static str,
    /// A description for people: `service http`.
    pub shown: String,
    /// Whether `enabled` means that the zone has it; not so for `masquerade: false`.
    pub positive: bool,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// `--query-X=Y`, `--add-X=Y`, `--remove-X=Y`
    Item {
        name: &'static str,
        value: String,
    },
    /// `--query-X`, `--add-X`, `--remove-X`
    Switch(&'static str),
    Target(Target),
}

impl Rule {
    /// All properties that a task names.
    pub(super) fn all_of(task: &Firewalld) -> Result<Vec<Rule>, ArgError> {
        let mut rules = Vec::new();
        let items = [
            ("service", "service", &task.service),
            ("port", "port", &task.port),
            ("protocol", "protocol", &task.protocol),
            ("rich_rule", "rich-rule", &task.rich_rule),
            ("source", "source", &task.source),
            ("interface", "interface", &task.interface),
            ("icmp_block", "icmp-block", &task.icmp_block),
        ];
        for (argument, name, value) in items {
            let Some(value) = value else { continue };
            if argument == "port" && !value.contains('/') {
                return Err(
                    ArgError::new("port", format!("`{value}` has no protocol")).help(format!("write `{value}/tcp`"))
                );
            }
            rules.push(Rule {
                argument,
                shown: format!("{argument} {value}"),
                positive: true,
                kind: Kind::Item { name, value: value.clone() },
            });
        }
        for forward in task.port_forward.iter().flatten() {
            let refused = |msg: String| ArgError::new("port_forward", msg);
            let part = |key: &str| text(forward, key).map_err(refused);
            let (Some(port), Some(proto)) = (part("port")?, part("proto")?) else {
                return Err(refused("needs `port` and `proto`".to_owned()));
            };
            let mut value = format!("port={port}:proto={proto}");
            for key in ["toport", "toaddr"] {
                if let Some(part) = part(key)?.filter(|part| !part.is_empty()) {
                    value.push_str(&format!(":{key}={part}"));
                }
            }
            rules.push(Rule {
                argument: "port_forward",
                shown: format!("port_forward {value}"),
                positive: true,
                kind: Kind::Item { name: "forward-port", value },
            });
        }
        let switches = [
            ("masquerade", "masquerade", task.masquerade),
            ("forward", "forward", task.forward),
            ("icmp_block_inversion", "icmp-block-inversion", task.icmp_block_inversion),
        ];
        for (argument, name, flag) in switches {
            let Some(flag) = flag else { continue };
            rules.push(Rule { argument, shown: argument.to_owned(), positive: flag.0, kind: Kind::Switch(name) });
        }
        if let Some(target) = task.target {
            let target = if matches!(task.state, State::Absent | State::Disabled) { Target::Default } else { target };
            rules.push(Rule {
                argument: "target",
                shown: format!("target {}", target.word()),
                // Removing a target sets the default one.
                positive: !matches!(task.state, State::Absent | State::Disabled),
                kind: Kind::Target(target),
            });
        }
        Ok(rules)
    }

    /// Whether the zone has it; or the output of firewall-cmd if it does not know the property.
    pub(super) fn is_set(
        &self,
        firewall: &Firewall,
        scope: &Scope,
        host: &Host,
    ) -> Result<Result<bool, Output>, Failure> {
        let mut args = scope.args();
        match &self.kind {
            Kind::Item { name, value } => args.push(format!("--query-{name}={value}")),
            Kind::Switch(name) => args.push(format!("--query-{name}")),
            Kind::Target(_) => args.push("--get-target".to_owned()),
        }
        let done = firewall.ask(host, &args)?;
        Ok(match (&self.kind, done.rc) {
            (Kind::Target(target), 0) => Ok(done.stdout.trim() == target.word()),
            // The name of the reject target in some versions.
            (_, 0) => Ok(true),
            (Kind::Item { .. } | Kind::Switch(_), 1) => Ok(false),
            _ => Err(done),
        })
    }

    /// The change that adds it to the zone or removes it.
    pub(super) fn change(&self, firewall: &Firewall, scope: Scope, wanted: bool) -> Change {
        let args = self.line(&scope, wanted);
        let what = format!(
            "{} {} {}",
            if wanted { "enable" } else { "disable" },
            self.shown,
            if scope.permanent { "permanently" } else { "now" }
        );
        let diff = step(&self.shown, !wanted, wanted);
        let firewall = firewall.clone();
        Change::new(what.clone(), move |host, _| {
            firewall.ask(host, &args)?.success(&format!("cannot {what}")).map(|_| ())
        })
        .diff(diff)
    }

    fn line(&self, scope: &Scope, wanted: bool) -> Vec<String> {
        let mut args = scope.args();
        match (&self.kind, wanted) {
            // The interface may be in another zone, in which case adding it fails.
            (Kind::Item { name: "interface", value }, true) => args.push(format!("--change-interface={value}")),
            (Kind::Item { name: "source", value }, true) => args.push(format!("--change-source={value}")),
            (Kind::Item { name, value }, true) => args.push(format!("--add-{name}={value}")),
            (Kind::Item { name, value }, false) => args.push(format!("--remove-{name}={value}")),
            (Kind::Switch(name), true) => args.push(format!("--add-{name}")),
            (Kind::Switch(name), false) => args.push(format!("--remove-{name}")),
            (Kind::Target(target), _) => args.push(format!("--set-target={}", target.word())),
        }
        let lasts = matches!(&self.kind, Kind::Item { name: "source" | "interface", .. });
        if wanted && scope.timeout > 0 && !scope.permanent && !lasts {
            args.push(format!("--timeout={}", scope.timeout));
        }
        args
    }
}

impl Scope {
    fn args(&self) -> Vec<String> {
        let mut args = Vec::new();
        if self.permanent {
            args.push("--permanent".to_owned());
        }
        if let Some(zone) = &self.zone {
            args.push(format!("--zone={zone}"));
        }
        args
    }
}

#[cfg(test)]
mod tests {
    use rplay_wire::{Map, Value, data};

    use super::*;
    use crate::{Args, Module};

    fn line(args: Map, permanent: bool) -> String {
        let task = Firewalld::from_map(&args).unwrap();
        task.check().unwrap();
        let rules = Rule::all_of(&task).unwrap();
        let scope = Scope { permanent, zone: task.zone.clone(), timeout: task.timeout };
        let wanted = (task.state == State::Enabled || task.state == State::Present) == rules[0].positive;
        rules[0].line(&scope, wanted).join(" ")
    }

    #[test]
    fn what_firewall_cmd_is_told() {
        let on = |key: &str, value: Value| data! { "state" => "enabled", key => value, "permanent" => true };
        assert_eq!(line(on("service", "http".into()), true), "--permanent --add-service=http");
        assert_eq!(
            line(data! { "state" => "disabled", "port" => "80/tcp", "zone" => "dmz" }, false),
            "--zone=dmz --remove-port=80/tcp"
        );
        assert_eq!(
            line(data! { "state" => "enabled", "port" => "80/tcp", "timeout" => 5 }, false),
            "--add-port=80/tcp --timeout=5"
        );
        assert_eq!(line(on("masquerade", true.into()), true), "--permanent --add-masquerade");
        assert_eq!(line(on("masquerade", false.into()), true), "--permanent --remove-masquerade");
        assert_eq!(line(on("interface", "eth1".into()), true), "--permanent --change-interface=eth1");
        assert_eq!(
            line(on("rich_rule", "rule service name=\"ftp\" accept".into()), true),
            "--permanent --add-rich-rule=rule service name=\"ftp\" accept"
        );
        let forward = data! { "port" => 443, "proto" => "tcp", "toport" => 8443 };
        assert_eq!(
            line(on("port_forward", vec![Value::from(forward)].into()), true),
            "--permanent --add-forward-port=port=443:proto=tcp:toport=8443"
        );
        assert_eq!(
            line(data! { "state" => "present", "target" => "DROP", "zone" => "dmz", "permanent" => true }, true),
            "--permanent --zone=dmz --set-target=DROP"
        );
    }

    #[test]
    fn what_is_refused() {
        for (args, expected) in [
            (data! { "state" => "enabled" }, "needs something to change"),
            (data! { "state" => "enabled", "port" => "80" }, "has no protocol"),
            (data! { "state" => "enabled", "port" => "80/tcp", "service" => "http" }, "cannot be combined"),
            (data! { "state" => "present", "port" => "80/tcp" }, "enabled or disabled"),
            (data! { "state" => "present", "zone" => "dmz" }, "must be true"),
        ] {
            let error = Firewalld::from_map(&args).unwrap().check().unwrap_err();
            assert!(error.msg.contains(expected), "{}", error.msg);
        }
    }
}
