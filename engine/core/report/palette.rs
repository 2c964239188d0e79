//! The colours of the output, by the names that Ansible's settings give them.

/// What has a colour of its own.
#[derive(Clone, Copy, Debug)]
pub enum Colour {
    Ok,
    Changed,
    Skipped,
    Failed,
    Unreachable,
    Warning,
    Verbose,
    Added,
    Removed,
    /// The heads of the parts of a difference.
    Lines,
}

impl Colour {
    /// The colour of a line of a difference.
    pub(super) fn of_difference(line: &str) -> Option<Self> {
        match line.as_bytes().first()? {
            b'+' => Some(Colour::Added),
            b'-' => Some(Colour::Removed),
            b'@' => Some(Colour::Lines),
            _ => None,
        }
    }
}

/// The colour of each kind of text; without colours, it leaves texts as they are.
#[derive(Clone, Debug, Default)]
pub struct Palette {
    on: bool,
    /// The terminal's parameters (SGR) of those that differ from the default, by `Colour`.
    own: Vec<(u8, String)>,
}

impl Palette {
    /// The default colours, or none.
    pub fn new(on: bool) -> Self {
        Palette { on, own: Vec::new() }
    }

    /// Chooses another colour by its name: `bright red`, `color31`, `rgb123` or `gray5`. Returns whether there is one.
    pub fn set(&mut self, colour: Colour, name: &str) -> bool {
        let code = code(name);
        let known = code.is_some();
        self.own.extend(code.map(|code| (colour as u8, code)));
        known
    }

    /// The text in a colour, each line by itself, as in Ansible.
    pub(super) fn coloured(&self, text: &str, colour: Colour) -> String {
        if !self.on {
            return text.to_owned();
        }
        let own = self.own.iter().rev().find(|(of, _)| *of == colour as u8).map(|(_, code)| code.as_str());
        let code = own.unwrap_or_else(|| default(colour));
        let lines: Vec<String> = text.split('\n').map(|line| format!("\x1b[{code}m{line}\x1b[0m")).collect();
        lines.join("\n")
    }
}

fn default(colour: Colour) -> &'static str {
    match colour {
        Colour::Ok | Colour::Added => "0;32",
        Colour::Changed => "0;33",
        Colour::Skipped | Colour::Lines => "0;36",
        Colour::Failed | Colour::Removed => "0;31",
        Colour::Unreachable => "1;31",
        Colour::Warning => "1;35",
        Colour::Verbose => "0;34",
    }
}

const NAMED: [(&str, &str); 20] = [
    ("black", "0;30"),
    ("bright gray", "0;37"),
    ("blue", "0;34"),
    ("white", "1;37"),
    ("green", "0;32"),
    ("bright blue", "1;34"),
    ("cyan", "0;36"),
    ("bright green", "1;32"),
    ("red", "0;31"),
    ("bright cyan", "1;36"),
    ("purple", "0;35"),
    ("bright red", "1;31"),
    ("yellow", "0;33"),
    ("bright purple", "1;35"),
    ("dark gray", "1;30"),
    ("bright yellow", "1;33"),
    ("magenta", "0;35"),
    ("bright magenta", "1;35"),
    ("normal", "0"),
    ("default", "0"),
];

/// The parameters of a colour's name.
fn code(name: &str) -> Option<String> {
    if let Some((_, code)) = NAMED.iter().find(|(of, _)| *of == name) {
        return Some((*code).to_owned());
    }
    let number = |prefix: &str| {
        let digits = name.strip_prefix(prefix)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u16>().ok())?
    };
    // Of a cube of six steps each, after the 16 colours that have names; the shades of gray follow it.
    let cube = |digits: &str| {
        let steps: Vec<u32> = digits.chars().map(|digit| digit.to_digit(6)).collect::<Option<_>>()?;
        let [red, green, blue] = steps[..] else { return None };
        Some(16 + 36 * red + 6 * green + blue)
    };
    let of_256 = name.strip_prefix("rgb").and_then(cube).or_else(|| number("color").map(u32::from));
    let of_256 = of_256.or_else(|| number("gray").map(|shade| 232 + u32::from(shade)));
    of_256.map(|colour| format!("38;5;{colour}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_have_ansibles_names() {
        for (name, expected) in [
            ("bright purple", "1;35"),
            ("color31", "38;5;31"),
            ("rgb123", "38;5;67"),
            ("gray5", "38;5;237"),
            ("rgb666", ""),
            ("nosuch", ""),
            ("color", ""),
        ] {
            assert_eq!(code(name).unwrap_or_default(), expected, "{name}");
        }
    }

    #[test]
    fn each_line_is_coloured_by_itself() {
        let mut palette = Palette::new(true);
        assert_eq!(palette.coloured("a\nb", Colour::Ok), "\x1b[0;32ma\x1b[0m\n\x1b[0;32mb\x1b[0m");
        assert!(palette.set(Colour::Ok, "blue") && !palette.set(Colour::Ok, "nosuch"));
        assert_eq!(palette.coloured("a", Colour::Ok), "\x1b[0;34ma\x1b[0m");
        assert_eq!(Palette::new(false).coloured("a", Colour::Ok), "a");
    }
}
