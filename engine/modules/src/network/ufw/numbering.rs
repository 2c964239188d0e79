//! The place of a new rule, counted from another one.

use crate::choice;

choice! {
    /// What the place of a rule is counted from.
    pub enum Place {
        /// From the beginning: 1 is the first.
        Zero = "zero",
        FirstIpv4 = "first-ipv4",
        LastIpv4 = "last-ipv4",
        FirstIpv6 = "first-ipv6",
        LastIpv6 = "last-ipv6",
    }
}

impl Place {
    /// The number for ufw; `None` for the end, which ufw does not take as a number. `status` is what
    /// `ufw status numbered` says.
    pub(super) fn resolve(self, insert: i64, status: &str) -> Option<i64> {
        let rules: Vec<(i64, bool)> = status
            .lines()
            .filter_map(|line| {
                let number = line.strip_prefix('[')?.split(']').next()?.trim().parse().ok()?;
                Some((number, line.contains("(v6)")))
            })
            .collect();
        let last = rules.iter().map(|(number, _)| *number).max().unwrap_or(0);
        let last_ipv4 = rules.iter().filter(|(_, is_ipv6)| !is_ipv6).map(|(number, _)| *number).max();
        let has_ipv6 = rules.iter().any(|(_, is_ipv6)| *is_ipv6);
        let from = match self {
            Place::Zero => 0,
            Place::FirstIpv4 => 1,
            Place::LastIpv4 => last_ipv4.unwrap_or(1),
            Place::FirstIpv6 => last_ipv4.map_or(1, |last| last + 1),
            Place::LastIpv6 => {
                if has_ipv6 {
                    last
                } else {
                    last + 1
                }
            }
        };
        Some(insert + from).filter(|place| *place <= last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_from_rules_of_a_family() {
        let status = "Status: active\n\n     To       Action\n[ 1] 22/tcp   ALLOW IN\n[ 2] 80       ALLOW IN\n\
                      [ 3] 22/tcp (v6)  ALLOW IN\n";
        let at = |place: Place, insert| place.resolve(insert, status);
        assert_eq!((at(Place::FirstIpv4, 0), at(Place::FirstIpv4, 1)), (Some(1), Some(2)));
        assert_eq!((at(Place::LastIpv4, 0), at(Place::LastIpv4, -1)), (Some(2), Some(1)));
        assert_eq!((at(Place::FirstIpv6, 0), at(Place::LastIpv6, 1)), (Some(3), None));
        assert_eq!(Place::FirstIpv6.resolve(0, ""), None);
    }
}
