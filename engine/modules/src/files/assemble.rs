//! assemble: concatenates the files of a directory.

use std::{
    io::{self, BufWriter, Read, Write},
    path::Path,
};

use rplay_wire::{Failure, Value, data};

use crate::system::machine;
use crate::system::{fs::File, scratch, scratch::TempPath};
use crate::{
    ArgError, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    io_failure::io_failure,
    system::{
        attributes::{Attributes, describe},
        digest::Algorithm,
        glob, paths,
        pattern::{Flags, Pattern},
        place::{Content, Placement},
        regular,
        text::without_output,
    },
};

args! {
    /// Concatenates the files of a directory, in order of their names.
    pub struct Assemble {
        ..attributes: Attributes,
        /// The directory of the fragments.
        src: Text,
        /// The file to create.
        dest: PathArg,
        /// The delimiter between fragments.
        delimiter: Option<Text>,
        /// Only fragments whose names match this regular expression.
        regexp: Option<Text>,
        /// Skip fragments whose names begin with a dot.
        ignore_hidden: Flag = Flag(false),
        /// Keep a copy of the previous file.
        backup: Flag = Flag(false),
        /// A command that must accept the new file before it is put in place; `%s` is its path.
        validate: Option<Text>,
        /// Whether the directory is on the host rather than on the controller.
        remote_src: Flag = Flag(true),
        /// Whether the controller decrypts vaulted fragments.
        decrypt: Flag = Flag(true),
        _content: Option<Value>,
    }
}

impl Module for Assemble {
    fn check(&self) -> Result<(), ArgError> {
        self.attributes.check()
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let src = paths::expand(&self.src, host);
        let content = match &self._content {
            Some(Value::Bytes(bytes)) => temporary(|new| new.write_all(bytes))?,
            Some(Value::Str(text)) => temporary(|new| new.write_all(text.as_bytes()))?,
            Some(_) => return Err(Failure::new("the assembled content must be sent at once")),
            None if self.remote_src.0 => self.pieces(Path::new(&src))?,
            None => return Err(Failure::new(format!("the controller did not send the fragments in {src}")).arg("src")),
        };
        let dest = self.dest.on(host);
        let directory = paths::directory(&dest);
        if !directory.is_dir() {
            let msg = format!("Destination directory {} does not exist", directory.display());
            return Err(Failure::new(msg).arg("dest"));
        }
        let checksum = Algorithm::Sha1.of_file(&content)?;
        let md5sum = Algorithm::Md5.of_file(&content)?;
        let placement = Placement::new(paths::real(&dest), Content::File(content.to_path_buf()), &self.attributes);
        let mut plan = placement.backup(self.backup.0).validate(self.validate).plan(host, Plan::unchanged())?;
        plan.changes = plan.changes.into_iter().map(without_output).collect();
        if self.remote_src.0 {
            // ansible-core shows a difference only of content that it assembles itself.
            plan.changes.iter_mut().for_each(|change| change.diff = None);
        }
        plan.data = data! {
            "src" => src, "dest" => paths::text(&dest), "checksum" => checksum, "md5sum" => md5sum, "msg" => "OK",
        };
        Ok(plan.finish(move |_, data| {
            // Needed up to here.
            drop(content);
            data.extend(describe(&dest));
            Ok(())
        }))
    }
}

impl Assemble {
    /// The fragments in one temporary file, which is removed on drop.
    fn pieces(&self, directory: &Path) -> Result<TempPath, Failure> {
        if !directory.is_dir() {
            let what = if directory.exists() { "is not a directory" } else { "does not exist" };
            return Err(Failure::new(format!("Source ({}) {what}", directory.display())).arg("src"));
        }
        let pattern = self.regexp.as_deref().map(|regexp| {
            Pattern::new(regexp, Flags::default(), "regexp").map_err(|mut failure| {
                let why = failure.msg.strip_prefix("Task failed: Module failed: ").unwrap_or(&failure.msg);
                failure.msg = format!("Invalid Regexp ({why}) in \"{regexp}\"");
                failure
            })
        });
        let pattern = pattern.transpose()?;
        let delimiter = self.delimiter.as_deref().filter(|text| !text.is_empty());
        let delimiter = delimiter.map(crate::system::text::unescaped);
        let mut files = glob::matching(&directory.join("*"));
        if !self.ignore_hidden.0 {
            files.extend(glob::matching(&directory.join(".*")));
        }
        crate::system::order::sort_by(&mut files, |a, b| a.file_name().cmp(&b.file_name()));
        files.retain(|file| {
            let name = paths::text(file.file_name().unwrap_or_default());
            file.is_file() && pattern.as_ref().is_none_or(|pattern| pattern.is_in(&name))
        });
        let mut unreadable = None;
        let joined = temporary(|new| {
            let mut pieces = files.iter().map(|file| {
                regular::open(file).inspect_err(|error| unreadable = Some(io_failure("read", file, error).arg("src")))
            });
            join(&mut pieces, delimiter.as_deref(), new)
        });
        match unreadable {
            Some(failure) => Err(failure),
            None => joined,
        }
    }
}

/// A temporary file with the content written by `fill`.
fn temporary(fill: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>) -> Result<TempPath, Failure> {
    let mut new = scratch::Builder::new().prefix(".rplay-").tempfile()?;
    let mut writer = BufWriter::with_capacity(1 << 16, new.as_file_mut());
    fill(&mut writer).and_then(|()| writer.flush()).map_err(|error| {
        Failure::new(format!("cannot assemble the fragments in {}: {error}", machine::temp_dir().display()))
    })?;
    drop(writer);
    Ok(new.into_temp_path())
}

/// Writes the fragments; the delimiter starts and ends on its own line.
fn join<R: Read>(
    pieces: &mut dyn Iterator<Item = io::Result<R>>,
    delimiter: Option<&str>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    let mut is_open = false;
    for (number, piece) in pieces.enumerate() {
        let mut piece = piece?;
        if is_open {
            out.write_all(b"\n")?;
        }
        if let Some(delimiter) = delimiter.filter(|_| number > 0) {
            out.write_all(delimiter.as_bytes())?;
            if !delimiter.ends_with('\n') {
                out.write_all(b"\n")?;
            }
        }
        is_open = true;
        loop {
            let read = match piece.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => buffer.get(..length).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            out.write_all(read)?;
            is_open = !read.ends_with(b"\n");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rplay_wire::{Map, data};

    use crate::runner::tests::call;

    #[test]
    fn pieces_are_joined_in_the_order_of_their_names() {
        let base = tempfile::tempdir().unwrap();
        let (src, dest) = (base.path().join("d"), base.path().join("f"));
        fs::create_dir(&src).unwrap();
        for (name, text) in [("b", "2\n"), ("a", "1"), (".h", "0\n"), ("c", "3\n")] {
            fs::write(src.join(name), text).unwrap();
        }
        let assembled = |more: Map| {
            let mut args = data! { "src" => src.to_str().unwrap(), "dest" => dest.to_str().unwrap() };
            args.extend(more);
            let outcome = call("assemble", args.clone());
            assert!(outcome.failure.is_none() && !call("assemble", args).changed, "{outcome:?}");
            fs::read_to_string(&dest).unwrap()
        };
        assert_eq!(assembled(data! {}), "0\n1\n2\n3\n");
        assert_eq!(assembled(data! { "ignore_hidden" => true, "delimiter" => "--" }), "1\n--\n2\n--\n3\n");
        assert_eq!(assembled(data! { "regexp" => "^[ac]$", "delimiter" => r"-\n" }), "1\n-\n3\n");
        let failure = call("assemble", data! { "src" => "/no/such", "dest" => "/tmp/x" }).failure.unwrap();
        assert_eq!(failure.msg, "Source (/no/such) does not exist");
    }
}
