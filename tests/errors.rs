//! What a person sees when something is wrong: the real executable runs in each directory of `tests/errors` with its
//! `args`, and the snapshot next to it has the whole output and the exit code. A new case is a new directory. Cases
//! that need real hosts are in `tests/lab.rs`.

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
