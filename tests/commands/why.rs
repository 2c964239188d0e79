//! `rplay why` over the project in `tests/why`: every kind of place that defines a variable, in order of precedence.

use std::path::Path;

use crate::seen;

/// Each case is the command line after `rplay why`; its answer is in the snapshot.
const CASES: [(&str, &str); 16] = [
    ("every-host", "http_port -i hosts.yml"),
    ("one-of-ini", "http_port -i hosts.ini -l web1"),
    ("extra", "http_port -i hosts.yml -l web1 -e http_port=9 -e @more.yml"),
    ("play-vars", "greeting -i hosts.yml -l web2"),
    ("vars-files-and-magic", "page -i hosts.yml -l web1"),
    ("role-defaults", "title -i hosts.yml -l web1"),
    ("role-parameters", "title -i hosts.yml -l web1 --role web"),
    ("role-vars", "owner -i hosts.yml -l web1"),
    ("a-loop", "loopy -i hosts.yml -l web1"),
    ("set-during-the-run", "counted -i hosts.yml -l web1"),
    ("another-play", "http_port site.yml -i hosts.yml -l db1"),
    ("no-play", "base_port -i lonely, -l lonely"),
    ("vaulted", "token -i hosts.yml -l web3 --vault-password-file vault-password"),
    ("of-a-vaulted-one", "header -i hosts.yml -l web3 --vault-password-file vault-password"),
    ("json", "http_port -i hosts.yml -l web2,web3 --json"),
    ("misspelt", "http_prt -i hosts.yml"),
];

#[test]
fn every_place_is_told_in_order() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/why");
    let settings = seen::snapshots(&directory);
    for (name, args) in CASES {
        let text = seen::seen(&directory, &format!("why {args}"));
        assert!(!text.contains("tell-nobody"), "{name} shows a secret: {text}");
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}

/// The passwords of connections are masked even where they are written in the clear.
#[test]
fn passwords_are_masked() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/why");
    for args in ["why ansible_password -i hosts.ini", "why ansible_password -i hosts.ini --json"] {
        let text = seen::seen(&directory, args);
        assert!(text.contains("ansible_password") && text.contains("****") && !text.contains("hunter22"), "{text}");
    }
}
