//! The arguments that lineinfile, blockinfile and replace share, and the replacement of the edited file.

use rplay_wire::{Failure, Value};

use crate::{
    ArgError, Host, Plan, args,
    args::ArgType,
    argtypes::{Flag, PathArg, Text},
    system::{attributes::Attributes, encoding, text::TextFile},
};

args! {
    /// A text file to edit.
    pub struct Edited {
        ..attributes: Attributes,
        /// The file.
        path: PathArg | "dest" | "destfile" | "name",
        /// Keep a copy of the previous file.
        backup: Flag = Flag(false),
        /// A command that must accept the new file before it is put in place; `%s` is its path.
        validate: Option<Text>,
    }
}

impl Edited {
    pub(crate) fn check(&self) -> Result<(), ArgError> {
        self.attributes.check()
    }

    /// Reads the file, which may not exist.
    pub(crate) fn read(&self, host: &Host, encoding: &Encoding) -> Result<TextFile, Failure> {
        TextFile::read(self.path.on(host), encoding.known, &encoding.name)
    }

    /// Plans to replace the text of the file by `after`.
    pub(crate) fn plan(self, file: TextFile, host: &Host, after: &str, msg: String) -> Result<Plan, Failure> {
        file.plan(host, after, msg, &self.attributes, self.backup.0, self.validate)
    }
}

/// The encoding of a file by Python's name; UTF-8 keeps bytes that are no text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Encoding {
    name: String,
    known: encoding::Encoding,
}

impl Encoding {
    pub(crate) fn utf_8() -> Self {
        Encoding { name: "utf-8".to_owned(), known: encoding::Encoding::Utf8 }
    }
}

impl ArgType for Encoding {
    const KIND: &'static str = "str";

    fn parse(value: &Value) -> Result<Self, String> {
        let name = Text::parse(value)?;
        match encoding::Encoding::named(&name) {
            Some(known) => Ok(Encoding { name, known }),
            None => Err(format!("Task failed: Module failed: unknown encoding: {name}")),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rplay_wire::{Map, data};

    use crate::runner::tests::{call, checked};

    /// The resulting text and message. Check mode must predict it, and a second run must find nothing to do, unless the
    /// module may keep changing the file (`settles`).
    pub(crate) fn edited(module: &str, before: &str, mut args: Map, settles: bool) -> (String, String) {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("f");
        std::fs::write(&file, before).unwrap();
        args.insert("path".into(), file.to_str().unwrap().into());
        let foretold = checked(module, args.clone());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), before, "check mode changes nothing");
        let outcome = call(module, args.clone());
        assert!(outcome.failure.is_none(), "{outcome:?}");
        let after = std::fs::read_to_string(&file).unwrap();
        assert!(outcome.changed == foretold.changed && outcome.changed == (after != before));
        if settles {
            assert!(!call(module, args).changed, "a second run changes nothing");
        }
        (after, outcome.data["msg"].as_str().unwrap().to_owned())
    }

    #[test]
    fn what_editors_share_is_read_by_each_of_them() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("f");
        for (module, args) in [
            ("lineinfile", data! { "line" => "new" }),
            ("blockinfile", data! { "block" => "new" }),
            ("replace", data! { "regexp" => "old", "replace" => "new" }),
        ] {
            for (name, refused) in [("path", false), ("dest", false), ("destfile", false), ("name", true)] {
                std::fs::write(&file, "old\n").unwrap();
                let mut args = args.clone();
                let validate = if refused { "false %s" } else { "grep -q new %s" };
                args.extend(data! { name => file.to_str().unwrap(), "validate" => validate, "backup" => true });
                let outcome = call(module, args);
                assert_eq!(outcome.failure.is_some(), refused, "{module}: {outcome:?}");
                assert_eq!(std::fs::read_to_string(&file).unwrap().contains("new"), !refused, "{module}");
            }
        }
    }

    #[test]
    fn files_are_edited_in_their_encoding() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("f");
        let args = |more: Map| {
            let mut args = data! { "path" => file.to_str().unwrap(), "encoding" => "latin-1" };
            args.extend(more);
            args
        };
        std::fs::write(&file, b"\xe9\n").unwrap();
        let outcome = call("replace", args(data! { "regexp" => "é", "replace" => "è€" }));
        assert!(outcome.changed, "{outcome:?}");
        assert_eq!(std::fs::read(&file).unwrap(), b"\xe8?\n");
        assert!(call("blockinfile", args(data! { "block" => "é", "marker" => "#{mark}" })).changed);
        assert_eq!(std::fs::read(&file).unwrap(), b"\xe8?\n#BEGIN\n\xe9\n#END\n");
        let unknown = call("replace", args(data! { "regexp" => "a", "encoding" => "nonono" })).failure.unwrap();
        assert_eq!(unknown.msg, "Task failed: Module failed: unknown encoding: nonono");
        let other = call("replace", args(data! { "regexp" => "a", "encoding" => "utf-16-le" })).failure.unwrap();
        assert!(other.msg.ends_with("is not text in the encoding `utf-16-le`"), "{}", other.msg);
    }
}
