//! Output formats, by the names of Ansible's callbacks (`stdout_callback`).

mod dense;
mod json;
mod output;
mod quiet;

pub use dense::Dense;
pub use json::{JsonDocument, JsonLines, JsonOptions};
pub use output::Output;
pub use quiet::Quiet;

/// An output format for standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Default,
    /// `ansible.posix.debug`: the default, but with the output of programs as text.
    Debug,
    /// `community.general.yaml`: the default, but with results as YAML.
    Yaml,
    Minimal,
    OneLine,
    Json,
    JsonLines,
    Dense,
    Quiet,
}

/// The collection that each format comes from, and its name there.
const FORMATS: [(&str, &str, Format); 9] = [
    ("ansible.builtin", "default", Format::Default),
    ("ansible.builtin", "minimal", Format::Minimal),
    ("ansible.builtin", "oneline", Format::OneLine),
    ("ansible.posix", "debug", Format::Debug),
    ("ansible.posix", "json", Format::Json),
    ("ansible.posix", "jsonl", Format::JsonLines),
    ("community.general", "dense", Format::Dense),
    ("community.general", "null", Format::Quiet),
    ("community.general", "yaml", Format::Yaml),
];

impl Format {
    /// The format of this name, with or without its collection.
    pub fn of(name: &str) -> Option<Format> {
        let is_named = |(collection, short, _): &&(&str, &str, Format)| is_named(name, collection, short);
        FORMATS.iter().find(is_named).map(|(_, _, format)| *format)
    }

    /// Whether people read this output while a playbook runs: it has banners, messages and a recap.
    pub fn is_for_people(self) -> bool {
        matches!(self, Format::Default | Format::Debug | Format::Yaml)
    }
}

/// Whether a name as users write it means this plugin of this collection.
pub(super) fn is_named(name: &str, collection: &str, short: &str) -> bool {
    match name.rsplit_once('.') {
        None => name == short,
        Some(("ansible.legacy", own)) => own == short,
        Some((before, own)) => before == collection && own == short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_have_ansibles_names() {
        for (name, format) in [
            ("default", Some(Format::Default)),
            ("ansible.builtin.minimal", Some(Format::Minimal)),
            ("ansible.legacy.json", Some(Format::Json)),
            ("community.general.yaml", Some(Format::Yaml)),
            ("ansible.posix.yaml", None),
            ("my.own.json", None),
            ("unixy", None),
        ] {
            assert_eq!(Format::of(name), format, "{name}");
        }
    }
}
