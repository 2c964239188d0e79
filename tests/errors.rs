//! What a person sees when something is wrong: each folder of `tests/errors` is run with its `args` by the
//! real executable, and the whole output and the exit code stand beside it. A new case is a new folder.
//! What needs real hosts is in `tests/lab.rs`.

use std::{fs, path::Path};

mod seen;

#[test]
fn errors_as_a_person_sees_them() {
    let settings = seen::snapshots(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors"));
    insta::glob!("errors/*/args", |args| {
        let case = args.parent().unwrap();
        let name = case.file_name().unwrap().to_str().unwrap();
        let text = seen::seen(case, fs::read_to_string(args).unwrap().trim());
        settings.bind(|| insta::assert_snapshot!(name, text));
    });
}
