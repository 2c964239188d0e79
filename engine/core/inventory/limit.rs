//! The hosts that `--limit` allows.

use std::{io, path::Path};

use super::{
    Inventory, InventoryError,
    pattern::{Matched, Pattern, cut},
};
use crate::{files, source::nearest};

/// The hosts that `--limit` allows.
#[derive(Clone, Debug)]
pub struct Limit {
    pattern: Pattern,
    /// The terms as written.
    words: Vec<String>,
}

impl Limit {
    /// Parses `--limit`; a term `@file` stands for the lines of that file.
    ///
    /// # Errors
    /// If it is not a pattern, or a file cannot be read.
    pub fn parse(text: &str) -> Result<Self, InventoryError> {
        let mut terms = Vec::new();
        for part in cut(text) {
            let Some(path) = part.strip_prefix('@') else {
                terms.push(part);
                continue;
            };
            let file = Path::new(path);
            let lines = files::read_text(file).map_err(|error| match (error.kind(), path.to_owned()) {
                (io::ErrorKind::NotFound, path) => InventoryError::NoLimitFile { path },
                (_, path) if file.is_dir() => InventoryError::LimitDirectory { path },
                (_, path) => InventoryError::LimitFile { path, message: error.to_string() },
            })?;
            // A line is one term, whatever it contains.
            terms.extend(lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
        }
        Ok(Limit { pattern: Pattern::of_terms(&terms)?, words: terms })
    }

    /// The hosts that `--limit` allows.
    ///
    /// # Errors
    /// If it allows no host, though the inventory has some.
    pub fn allowed(&self, inventory: &Inventory) -> Result<Matched, InventoryError> {
        let matched = self.pattern.matches(inventory)?;
        if matched.hosts.is_empty() && inventory.hosts().len() > 0 {
            return Err(InventoryError::NothingLeft { help: self.meant(inventory) });
        }
        Ok(matched)
    }

    /// The hosts that match, even if there are none.
    ///
    /// # Errors
    /// If a regular expression in it is invalid.
    pub fn matched(&self, inventory: &Inventory) -> Result<Matched, InventoryError> {
        self.pattern.matches(inventory)
    }

    /// A help text: the name that was probably meant, or where the names are.
    fn meant(&self, inventory: &Inventory) -> String {
        let known: Vec<&str> =
            inventory.hosts().map(|host| &*host.name).chain(inventory.groups().map(|group| &*group.name)).collect();
        let wrong =
            self.words.iter().map(|word| word.trim_start_matches(['!', '&'])).filter(|word| !known.contains(word));
        match wrong.filter_map(|word| nearest(word, known.iter().copied())).next() {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`rplay inventory --graph` shows the hosts and groups".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::pattern::tests::{inventory, names};

    #[test]
    fn a_limit_cuts_down_and_never_to_nothing() {
        let inventory = inventory();
        let all = Pattern::parse("all").unwrap();
        let allowed = |limit: &str| Limit::parse(limit)?.allowed(&inventory);
        let limited = |limit: &str| names(&inventory.matching(&all, Some(&allowed(limit).unwrap())).unwrap());
        assert_eq!(limited("s1:db1"), "s1 db1");
        assert_eq!(limited("!north,!2001:db8::1"), "web1 s1");
        assert_eq!(limited(""), names(&all.matches(&inventory).unwrap()));
        assert!(
            matches!(allowed("nosuch"), Err(InventoryError::NothingLeft { help }) if help.contains("rplay inventory --graph"))
        );
        assert!(matches!(allowed("wbe1"), Err(InventoryError::NothingLeft { help }) if help == "did you mean `web1`?"));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "db2\n\nweb2\n").unwrap();
        assert_eq!(limited(&format!("@{}", file.path().display())), "web2 db2");
        // A line is one term, with all its spaces and colons.
        std::fs::write(file.path(), "web1 web2\nweb1:db2\n db2 \n").unwrap();
        assert_eq!(limited(&format!("@{}", file.path().display())), "db2");
        assert!(matches!(allowed("@/nosuch"), Err(InventoryError::NoLimitFile { .. })));
        assert!(matches!(allowed("@/"), Err(InventoryError::LimitDirectory { .. })));
    }
}
