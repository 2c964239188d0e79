//! Sizes of logical volumes, as lvcreate(8) and lvextend(8) take them.

/// What a size in percent is a part of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Whole {
    Vg,
    Pvs,
    Free,
    Origin,
}

/// A size, or a change of one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Size {
    /// As the task writes it.
    pub(crate) written: String,
    /// `+` or `-`, if it is a change.
    pub(crate) sign: Option<char>,
    pub(crate) number: f64,
    /// `None` for an absolute size.
    pub(crate) whole: Option<Whole>,
    pub(crate) unit: char,
}

impl Size {
    /// Reads `512`, `1.5g`, `+10m` or `80%VG`.
    ///
    /// # Errors
    /// What is wrong, in the words of community.general.
    pub(crate) fn read(text: &str) -> Result<Size, String> {
        let bad = || format!("Bad size specification of '{text}'");
        let sign = text.chars().next().filter(|sign| matches!(sign, '+' | '-'));
        let rest = text.trim_start_matches(['+', '-']);
        if let Some((percent, whole)) = rest.split_once('%') {
            let number: u32 = percent.parse().map_err(|_| bad())?;
            if number > 100 {
                return Err("Size percentage cannot be larger than 100%".to_owned());
            }
            let whole = match whole {
                "VG" => Whole::Vg,
                "PVS" => Whole::Pvs,
                "FREE" => Whole::Free,
                "ORIGIN" => Whole::Origin,
                _ => return Err("Specify extents as a percentage of VG|PVS|FREE|ORIGIN".to_owned()),
            };
            return Ok(Size { written: text.to_owned(), sign, number: number.into(), whole: Some(whole), unit: 'm' });
        }
        let unit = rest.chars().last().filter(|unit| "bBsSkKmMgGtTpPeE".contains(*unit));
        let digits = rest.trim_end_matches(|c| Some(c) == unit);
        if !digits.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(bad());
        }
        let number = digits.parse().map_err(|_| bad())?;
        Ok(Size { written: text.to_owned(), sign, number, whole: None, unit: unit.unwrap_or('m') })
    }

    /// The letter of the option: for extents, or for a size.
    pub(crate) fn option(&self) -> char {
        if self.whole.is_some() { 'l' } else { 'L' }
    }

    /// The size without its sign, with its unit.
    pub(crate) fn amount(&self) -> String {
        let rest = self.written.trim_start_matches(['+', '-']);
        match self.whole.is_none() && rest.ends_with(|c: char| c.is_ascii_digit()) {
            true => format!("{rest}{}", self.unit),
            false => rest.to_owned(),
        }
    }

    pub(crate) fn amount_with_sign(&self) -> String {
        self.sign.map_or_else(|| self.amount(), |sign| format!("{sign}{}", self.amount()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        let read = |text: &str| Size::read(text).map(|size| (size.option(), size.amount_with_sign()));
        assert_eq!(read("512"), Ok(('L', "512m".to_owned())));
        assert_eq!(read("+1.5g"), Ok(('L', "+1.5g".to_owned())));
        assert_eq!(read("80%VG"), Ok(('l', "80%VG".to_owned())));
        assert_eq!(Size::read("-10").unwrap().sign, Some('-'));
        assert_eq!(read("120%VG").unwrap_err(), "Size percentage cannot be larger than 100%");
        for bad in ["abc", "", "m", ".5g", "x%VG", "1x"] {
            assert_eq!(read(bad).unwrap_err(), format!("Bad size specification of '{bad}'"), "{bad}");
        }
    }
}
