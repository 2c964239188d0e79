use std::os::unix::fs::{PermissionsExt, symlink};

use rplay_wire::{Map, Outcome, Value};

use super::*;
use crate::{
    runner::tests::{call, checked},
    system::fs,
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Check mode predicts the change without making it, the first run makes it, and the second finds nothing to do.
fn thrice(args: Map, untouched: impl Fn() -> bool) -> Outcome {
    let foretold = checked("file", args.clone());
    assert!(foretold.changed && untouched(), "{foretold:?}");
    let made = call("file", args.clone());
    assert!(made.changed && made.failure.is_none(), "{made:?}");
    assert_eq!(made.diff.len(), foretold.diff.len());
    let again = call("file", args);
    assert!(!again.changed && again.failure.is_none(), "{again:?}");
    made
}

fn text(path: &Path) -> Value {
    path.to_str().unwrap().into()
}

#[test]
fn directories_are_made_with_those_they_stand_in() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("a/b");
    let args = data! { "path" => text(&path), "state" => "directory", "mode" => "u=rwx,g=rx,o=" };
    let made = thrice(args, || !path.exists());
    assert_eq!((mode(&path), mode(&base.path().join("a"))), (0o750, 0o750));
    assert_eq!((&made.data["state"], &made.data["mode"]), (&"directory".into(), &"0750".into()));
    assert!(made.diff[0].before.contains("absent"));
}

#[test]
fn recurse_sets_all_that_differs() {
    let base = tempfile::tempdir().unwrap();
    let file = base.path().join("d/f");
    fs::create_dir(base.path().join("d")).unwrap();
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let args = data! { "path" => text(base.path()), "recurse" => true, "mode" => "u=rwX,g=rX,o=rX" };
    thrice(args, || mode(&file) == 0o600);
    assert_eq!((mode(&file), mode(&base.path().join("d"))), (0o644, 0o755));
}

#[test]
fn what_does_not_go_with_the_state_is_refused() {
    let base = tempfile::tempdir().unwrap();
    let (file, link) = (base.path().join("f"), base.path().join("l"));
    fs::write(&file, "").unwrap();
    symlink("f", &link).unwrap();
    let said = |args: Map| {
        let outcome = call("file", args);
        (outcome.failure.unwrap().msg, outcome.data.get("path").cloned(), outcome.data.get("state").cloned())
    };
    let src = "src option requires state to be 'link' or 'hard'".to_owned();
    let recurse = "recurse option requires state to be 'directory'".to_owned();
    let new = base.path().join("new");
    assert_eq!(said(data! { "path" => text(&new), "src" => "x" }), (src.clone(), Some(text(&new)), None));
    let found = Some("file".into());
    assert_eq!(said(data! { "path" => text(&file), "src" => "x" }), (src, Some(text(&file)), found.clone()));
    for args in [data! {}, data! { "state" => "file" }, data! { "state" => "touch" }] {
        let mut args = args;
        args.extend(data! { "path" => text(&file), "recurse" => true });
        assert_eq!(said(args), (recurse.clone(), Some(text(&file)), found.clone()));
    }
    // A link that is there stays one, and owner and mode are those of what it leads to.
    let (msg, path, _) = said(data! { "path" => text(&link), "owner" => "no-such-user" });
    assert_eq!((msg.as_str(), path), ("chown failed: failed to look up user no-such-user", Some(text(&file))));
    let peek = call("file", data! { "path" => text(&file), "_diff_peek" => true });
    assert_eq!(peek.data, data! { "path" => text(&file), "appears_binary" => false });
}

#[test]
fn accounts_may_come_into_being_before_a_file_does() {
    let base = tempfile::tempdir().unwrap();
    let new = base.path().join("new");
    for (name, value, said) in [
        ("owner", "no-such", "failed to look up user no-such. Create user up to this point in real play"),
        ("owner", "987654", "failed to look up user with uid 987654. Create user up to this point in real play"),
        ("group", "no-such", "failed to look up group no-such. Create group up to this point in real play"),
    ] {
        let args = |path: &Path| data! { "path" => text(path), "state" => "directory", name => value };
        let outcome = checked("file", args(&new));
        assert_eq!((outcome.changed, outcome.warnings.as_slice()), (true, [said.to_owned()].as_slice()));
        let outcome = checked("file", args(base.path()));
        assert_eq!(
            (outcome.failure.is_some(), outcome.warnings.as_slice()),
            (value != "987654", [said.to_owned()].as_slice())
        );
    }
}

#[test]
fn a_difference_always_names_the_path() {
    let base = tempfile::tempdir().unwrap();
    let file = base.path().join("f");
    fs::write(&file, "").unwrap();
    for (path, state) in [(file.as_path(), "file"), (base.path(), "directory")] {
        let side = data! { "path" => text(path) };
        let outcome = call("file", data! { "path" => text(path), "state" => state });
        assert_eq!(outcome.data["diff"], data! { "before" => side.clone(), "after" => side }.into());
    }
    let times = data! { "access_time" => "preserve", "modification_time" => "preserve" };
    let mut args = data! { "path" => text(&file), "state" => "touch" };
    args.extend(times);
    let side = |word: &str| data! { "path" => text(&file), "state" => word };
    let diff = data! { "before" => side("file"), "after" => side("touch") };
    assert_eq!(call("file", args).data["diff"], diff.into());
    let changed = call("file", data! { "path" => text(&file), "mode" => "0604" });
    assert!(!changed.data.contains_key("diff") && changed.diff.len() == 1);
}

#[test]
fn what_cannot_be_made_is_told_as_ansible_does() {
    let base = tempfile::tempdir().unwrap();
    let file = base.path().join("f");
    fs::write(&file, "").unwrap();
    let under = file.join("x");
    let shown = under.display();
    for (state, msg) in [
        ("touch", "Error, could not touch target.".to_owned()),
        (
            "directory",
            format!("There was an issue creating {shown} as requested: [Errno 20] Not a directory: b'{shown}'"),
        ),
    ] {
        let outcome = call("file", data! { "path" => text(&under), "state" => state });
        assert_eq!((outcome.failure.unwrap().msg, &outcome.data["path"]), (msg, &text(&under)));
    }
    let link = base.path().join("l");
    let args = data! { "path" => text(&link), "src" => "nowhere", "state" => "link", "force" => true };
    for _ in 0..2 {
        assert!(matches!(call("file", args.clone()).warnings.as_slice(), [one] if one.contains("non-existent")));
    }
    let mut args = args;
    args.insert("follow".to_owned(), false.into());
    assert!(call("file", args).warnings.is_empty());
}

#[test]
fn a_file_must_be_there_already_and_touch_makes_it() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("f");
    let failure = call("file", data! { "path" => text(&path), "mode" => "0600" }).failure.unwrap();
    assert_eq!(failure.msg, format!("file ({}) is absent, cannot continue", path.display()));
    let touched = call("file", data! { "path" => text(&path), "state" => "touch", "mode" => "0600" });
    assert!(touched.changed && mode(&path) == 0o600);
    assert_eq!(touched.data["dest"], text(&path));
    assert!(call("file", data! { "path" => text(&path), "state" => "touch" }).changed);
    let args = data! {
        "path" => text(&path), "state" => "touch",
        "modification_time" => "202601020304.05", "access_time" => "preserve",
    };
    thrice(args, || true);
}

#[test]
fn links_are_made_turned_and_refused() {
    let base = tempfile::tempdir().unwrap();
    let (one, two, link) = (base.path().join("one"), base.path().join("two"), base.path().join("link"));
    fs::write(&one, "1").unwrap();
    fs::write(&two, "2").unwrap();
    let to = |target: &str, force: bool| data! { "path" => text(&link), "src" => target, "state" => "link", "force" => force };
    thrice(to("one", false), || !link.exists());
    thrice(to("two", false), || fs::read_link(&link).unwrap() == Path::new("one"));
    assert!(call("file", to("gone", false)).failure.unwrap().msg.contains("src file does not exist"));
    thrice(to("gone", true), || fs::read_link(&link).unwrap() == Path::new("two"));
    let onto_file =
        |force: bool| data! { "path" => text(&one), "src" => text(&two), "state" => "link", "force" => force };
    assert!(call("file", onto_file(false)).failure.unwrap().msg.contains("refusing to convert"));
    thrice(onto_file(true), || !one.is_symlink());
}

#[test]
fn hard_links_share_what_they_are() {
    let base = tempfile::tempdir().unwrap();
    let (one, two) = (base.path().join("one"), base.path().join("two"));
    fs::write(&one, "1").unwrap();
    let made = thrice(data! { "path" => text(&two), "src" => text(&one), "state" => "hard" }, || !two.exists());
    assert_eq!(made.data["state"], "hard".into());
    let failure = call("file", data! { "path" => text(&two), "src" => "/no/such", "state" => "hard" }).failure;
    assert_eq!(failure.unwrap().msg, "src does not exist");
}

#[test]
fn absent_takes_away_directories_and_links_but_not_what_links_lead_to() {
    let base = tempfile::tempdir().unwrap();
    let (directory, link) = (base.path().join("d"), base.path().join("l"));
    fs::create_dir_all(directory.join("e")).unwrap();
    symlink(&directory, &link).unwrap();
    thrice(data! { "path" => text(&link), "state" => "absent" }, || link.is_symlink());
    assert!(directory.is_dir());
    let made = thrice(data! { "path" => text(&directory), "state" => "absent" }, || directory.is_dir());
    assert_eq!(made.data["state"], "absent".into());
}

#[test]
fn arguments_that_do_not_go_together_are_refused() {
    let failure = call("file", data! { "path" => "/x", "state" => "touch", "recurse" => true }).failure.unwrap();
    assert_eq!(failure.arg.as_deref(), Some("recurse"));
    let failure = call("file", data! { "path" => "/x", "state" => "absent", "src" => "/y" }).failure.unwrap();
    assert!(failure.msg.contains("src option requires state to be"));
    assert!(call("file", data! { "path" => "/missing/x", "setype" => "etc_t" }).failure.is_some());
}
