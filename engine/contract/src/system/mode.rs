//! File modes as in playbooks: `0644`, `"0644"`, `u=rwX,g=rX,o=`, `preserve`.

use rplay_wire::Value;

use crate::args::ArgType;

/// The desired permission bits of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Exactly these bits.
    Bits(u32),
    /// Changes to the current bits.
    Symbolic(Vec<Clause>),
    /// The bits of the copied file.
    Preserve,
}

/// One `ug+rw` of a symbolic mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// The letters u, g, o; if empty, all, restricted by the umask.
    who: Vec<u8>,
    /// `+`, `-` or `=`.
    operator: u8,
    /// The letters r, w, x, X, s, t, or one of u, g, o to copy from.
    permissions: Vec<u8>,
}

/// ansible-core's message about an invalid mode.
pub const NO_MODE: &str = "mode must be in octal or symbolic form";

impl ArgType for Mode {
    const KIND: &'static str = "mode";

    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            // A number is used as it is: YAML has already parsed 0644 as octal.
            // As in Ansible, what stands above the bits of a mode does not count.
            Value::Int(bits) => match u32::try_from(*bits) {
                Ok(bits) => Ok(Mode::Bits(bits & 0o7777)),
                Err(_) => Err(NO_MODE.to_owned()),
            },
            Value::Str(text) => Mode::read(text.trim()),
            _ => Err(NO_MODE.to_owned()),
        }
    }
}

/// The mode of a file to be put in place; `None` if it is none: as in ansible-core, the file is put in place before that
/// is found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMode(pub Option<Mode>);

impl ArgType for FileMode {
    const KIND: &'static str = Mode::KIND;

    fn parse(value: &Value) -> Result<Self, String> {
        Ok(FileMode(Mode::parse(value).ok()))
    }
}

impl Mode {
    fn read(text: &str) -> Result<Self, String> {
        if text == "preserve" {
            return Ok(Mode::Preserve);
        }
        let digits = text.strip_prefix("0o").unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            return match u32::from_str_radix(digits, 8) {
                Ok(bits) if bits <= 0o7777 => Ok(Mode::Bits(bits)),
                _ => Err(NO_MODE.to_owned()),
            };
        }
        let clauses: Option<Vec<Vec<Clause>>> = text.split(',').map(clauses).collect();
        clauses.map(|clauses| Mode::Symbolic(clauses.concat())).ok_or_else(|| NO_MODE.to_owned())
    }

    /// The resulting bits for a file with the bits `present`. `Preserve` keeps them.
    pub fn applied(&self, present: u32, is_directory: bool, umask: u32) -> u32 {
        match self {
            Mode::Bits(bits) => *bits,
            Mode::Preserve => present,
            Mode::Symbolic(clauses) => {
                clauses.iter().fold(present & 0o7777, |bits, clause| clause.applied(bits, is_directory, umask))
            }
        }
    }
}

/// Parses `ug+r-w`; `None` if it is invalid. As in Ansible, no operator means no change: so an empty mode keeps what is.
fn clauses(text: &str) -> Option<Vec<Clause>> {
    let start = text.find(['+', '-', '=']).unwrap_or(text.len());
    let (who, mut rest) = text.split_at(start);
    let who = match who {
        "" => Vec::new(),
        who if who.bytes().all(|b| b"ugoa".contains(&b)) => {
            if who.contains('a') {
                b"ugo".to_vec()
            } else {
                who.bytes().collect()
            }
        }
        _ => return None,
    };
    let mut all = Vec::new();
    while !rest.is_empty() {
        let operator = rest.as_bytes()[0];
        let tail = &rest[1..];
        let (permissions, next) = tail.split_at(tail.find(['+', '-', '=']).unwrap_or(tail.len()));
        let permissions = permissions.as_bytes().to_vec();
        let copies = matches!(permissions.as_slice(), [b'u' | b'g' | b'o']);
        if !copies && !permissions.iter().all(|b| b"rwxXst".contains(b)) {
            return None;
        }
        all.push(Clause { who: who.clone(), operator, permissions });
        rest = next;
    }
    Some(all)
}

impl Clause {
    fn applied(&self, present: u32, is_directory: bool, umask: u32) -> u32 {
        let everyone: &[u8] = b"ugo";
        let (who, umask) = if self.who.is_empty() { (everyone, umask) } else { (self.who.as_slice(), 0) };
        who.iter().fold(present, |bits, who| {
            let (shift, special) = match who {
                b'u' => (6, 0o4000),
                b'g' => (3, 0o2000),
                _ => (0, 0o1000),
            };
            let mut given = 0;
            for permission in &self.permissions {
                given |= match permission {
                    b'r' => 4 << shift,
                    b'w' => 2 << shift,
                    b'x' => 1 << shift,
                    // Executable for directories, and for files with any execute bit.
                    b'X' if is_directory || present & 0o111 != 0 => 1 << shift,
                    b's' if *who != b'o' => special,
                    b't' if *who == b'o' => special,
                    b'u' => (present >> 6 & 7) << shift,
                    b'g' => (present >> 3 & 7) << shift,
                    b'o' => (present & 7) << shift,
                    _ => 0,
                };
            }
            given &= !(umask & 0o777);
            match self.operator {
                b'+' => bits | given,
                b'-' => bits & !given,
                _ => bits & !(7 << shift | special) | given,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(mode: &str, present: u32, is_directory: bool) -> u32 {
        Mode::read(mode).unwrap().applied(present, is_directory, 0o022)
    }

    #[test]
    fn symbolic_modes_mean_what_chmod_means() {
        for (mode, present, is_directory, bits) in [
            ("u=rwX,g=rX,o=", 0o600, false, 0o640),
            ("u=rwX,g=rX,o=", 0o600, true, 0o750),
            ("u=rwX,g=rX,o=", 0o701, false, 0o750),
            ("a+x", 0o644, false, 0o755),
            ("+x", 0o644, false, 0o755),
            ("+w", 0o444, false, 0o644),
            ("g-w", 0o664, false, 0o644),
            ("ug+rw,o-rwx", 0o604, false, 0o660),
            ("u+r-w", 0o200, false, 0o400),
            ("g=u", 0o640, false, 0o660),
            ("u+s,g+s,+t", 0o755, true, 0o7755),
            ("u=rw", 0o4755, false, 0o655),
            ("o=", 0o1777, true, 0o770),
            ("", 0o640, false, 0o640),
            ("u,g+w", 0o640, false, 0o660),
        ] {
            assert_eq!(applied(mode, present, is_directory), bits, "{mode} on {present:o}");
        }
    }

    #[test]
    fn octal_modes_are_octal_whether_quoted_or_not() {
        assert_eq!(Mode::parse(&Value::Int(0o644)), Ok(Mode::Bits(0o644)));
        assert_eq!(Mode::parse(&"0644".into()), Ok(Mode::Bits(0o644)));
        assert_eq!(Mode::parse(&"644".into()), Ok(Mode::Bits(0o644)));
        assert_eq!(Mode::parse(&"0o1777".into()), Ok(Mode::Bits(0o1777)));
        assert!(Mode::parse(&"0944".into()).is_err());
        assert!(Mode::parse(&"u~r".into()).is_err());
        assert!(Mode::parse(&"rwx".into()).is_err());
        assert_eq!(Mode::parse(&Value::Int(0o17_644)), Ok(Mode::Bits(0o7644)));
    }
}
