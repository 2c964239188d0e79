//! What `ufw status verbose` says.

/// The text of `ufw status verbose`.
pub(super) struct Status(pub(super) String);

/// What is logged: `on (low)`.
#[derive(Debug, PartialEq)]
pub(super) struct Level<'a> {
    word: &'a str,
    level: &'a str,
}

impl Level<'_> {
    /// Whether that is the value of the argument `logging`.
    pub(super) fn is(&self, wanted: &str) -> bool {
        match wanted {
            "on" | "off" => self.word == wanted,
            level => self.word == "on" && self.level == level,
        }
    }
}

impl Status {
    pub(super) fn is_active(&self) -> bool {
        self.0.lines().any(|line| line.trim() == "Status: active")
    }

    fn after(&self, label: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(label)).map(str::trim)
    }

    /// `None` while the firewall is off.
    pub(super) fn logging(&self) -> Option<Level<'_>> {
        let said = self.after("Logging:")?;
        let (word, level) = said.split_once(' ').unwrap_or((said, ""));
        Some(Level { word, level: level.trim_matches(['(', ')']) })
    }

    /// The policy of that direction; `None` while the firewall is off.
    pub(super) fn policy(&self, direction: &str) -> Option<&str> {
        let said = self.after("Default:")?;
        said.split(", ").find_map(|part| part.strip_suffix(&format!(" ({direction})")))
    }
}

/// The lines of rules in a file of ufw's or in what a dry run says.
pub(super) fn tuples(text: &str) -> Vec<String> {
    text.lines().filter(|line| line.starts_with("### tuple")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read() {
        let text = "Status: active\nLogging: on (low)\nDefault: deny (incoming), allow (outgoing), disabled (routed)\n";
        let status = Status(text.to_owned());
        assert!(status.is_active());
        let logging = status.logging().unwrap();
        assert!(logging.is("on") && logging.is("low") && !logging.is("off") && !logging.is("full"));
        assert_eq!((status.policy("incoming"), status.policy("routed")), (Some("deny"), Some("disabled")));
        let off = Status("Status: inactive\n".to_owned());
        assert!(!off.is_active() && off.logging().is_none() && off.policy("incoming").is_none());
    }
}
