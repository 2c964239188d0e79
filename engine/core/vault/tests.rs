//! Tests of encrypted files and values.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// Written by ansible-vault 2.19 with the password `secret`; the content is `hunter2`.
const BY_ANSIBLE: &str = include_str!("../../../tests/fixtures/vault/by-ansible.txt");
/// The same with the ID `dev` and the password `other`.
const BY_ANSIBLE_ID: &str = include_str!("../../../tests/fixtures/vault/by-ansible-dev.txt");

fn vault(passwords: &[(&str, &str)]) -> Vault {
    let mut vault = Vault::default();
    passwords.iter().for_each(|(id, password)| vault.add(id, password.as_bytes()));
    vault
}

fn open(vault: &Vault, text: &str) -> Result<String, VaultError> {
    let source = Source::inline("test", text);
    vault.decrypt_value(text, &Span::new(&source, 0..text.len())).map(|text| text.to_string())
}

#[test]
fn what_ansible_wrote_is_read() {
    let both = vault(&[("default", "secret"), ("dev", "other")]);
    assert_eq!(open(&both, BY_ANSIBLE).unwrap(), "hunter2");
    assert_eq!(open(&both, BY_ANSIBLE_ID).unwrap(), "hunter2");
    assert_eq!(both.secrets().mask("it is hunter2"), "it is ********");
    // An ID is only a hint, unless IDs must match.
    let mut misnamed = vault(&[("prod", "other")]);
    assert_eq!(open(&misnamed, BY_ANSIBLE_ID).unwrap(), "hunter2");
    misnamed = vault(&[("prod", "other")]);
    misnamed.strict_ids = true;
    assert!(matches!(open(&misnamed, BY_ANSIBLE_ID), Err(VaultError::WrongPassword { .. })));
}

#[test]
fn what_was_encrypted_is_known_by_its_copies_alone() {
    let both = vault(&[("default", "secret"), ("dev", "other")]);
    let value = |envelope: &str| {
        let source = Source::inline("test", "");
        both.decrypt_value(envelope, &Span::new(&source, 0..0)).unwrap()
    };
    let (first, second) = (value(BY_ANSIBLE), value(BY_ANSIBLE_ID));
    assert_eq!(both.envelope_of(&first).as_deref(), Some(BY_ANSIBLE));
    assert_eq!(both.envelope_of(&value(BY_ANSIBLE)).as_deref(), Some(BY_ANSIBLE));
    assert_eq!(both.envelope_of(&second).as_deref(), Some(BY_ANSIBLE_ID));
    assert!(both.envelope_of("hunter2").is_none() && both.envelope_of(&first[..3]).is_none());
}

#[test]
fn what_was_encrypted_comes_back() {
    for content in [&b""[..], b"0123456789abcdef", "ä\n".as_bytes()] {
        for id in [None, Some("default"), Some("dev")] {
            let text = encrypt(content, b"pw", id).unwrap();
            assert_eq!(text.contains(";1.2;AES256;dev"), id == Some("dev"));
            let source = Source::inline("test", text.clone());
            let opened = vault(&[("x", "pw")]).decrypt(&text, &first_line(&source)).unwrap();
            assert_eq!(&*opened, content);
        }
    }
}

#[test]
fn what_is_wrong_is_told() {
    let one = vault(&[("default", "wrong")]);
    let wrong = open(&one, BY_ANSIBLE).unwrap_err().to_string();
    assert_eq!(wrong, "Decryption failed (no vault secrets were found that could decrypt).");
    assert!(matches!(open(&Vault::default(), BY_ANSIBLE), Err(VaultError::NoPassword { .. })));
    let right = vault(&[("default", "secret")]);
    let tampered = BY_ANSIBLE.trim_end().to_owned();
    let last = if tampered.ends_with('0') { "1" } else { "0" };
    let tampered = format!("{}{last}", &tampered[..tampered.len() - 1]);
    assert!(matches!(open(&right, &tampered), Err(VaultError::WrongPassword { .. } | VaultError::Malformed { .. })));
    for (text, message) in [
        ("$ANSIBLE_VAULT;1.1;AES256\nxyz1", "unhexlify error: Non-hexadecimal digit found"),
        ("$ANSIBLE_VAULT;1.1;AES256\n616", "unhexlify error: Odd-length string"),
        (
            "$ANSIBLE_VAULT;1.1;AES256\n6161",
            "Vault vaulttext format error: not enough values to unpack (expected 3, got 1)",
        ),
        ("$ANSIBLE_VAULT;9.9;AES256\n61610a6161\n", "not enough values to unpack (expected 3, got 2)"),
        ("$ANSIBLE_VAULT;1.1;ROT13\n", "Cipher 'ROT13' could not be found."),
        ("$ANSIBLE_VAULT;1.1\n6161\n", "Vault envelope format error: list index out of range"),
        ("$ANSIBLE_VAULT\n6161\n", "Vault envelope format error: list index out of range"),
    ] {
        assert!(open(&right, text).unwrap_err().to_string().contains(message), "{text}");
    }
}

#[test]
fn passwords_come_from_files_programs_and_prompts() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    std::fs::write(&file, "secret\n").unwrap();
    let program = directory.path().join("my-client");
    std::fs::write(&program, "#!/bin/sh\necho \"$1 $2\"\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let sources = [
        PasswordSource::parse(file.to_str().unwrap()),
        PasswordSource::parse(&format!("dev@{}", program.display())),
        PasswordSource::parse("ops@prompt"),
    ];
    let gather = |sources: &[PasswordSource]| {
        let mut warnings = Vec::new();
        let warn = |warning: &str| warnings.push(warning.to_owned());
        let vault =
            Vault::gather(sources, false, Arc::default(), |source| Ok(format!("typed for {}", source.id)), warn);
        (vault, warnings)
    };
    let gathered = gather(&sources).0.unwrap();
    assert_eq!(gathered.password(None).unwrap().1, b"secret");
    assert_eq!(gathered.password(Some("dev")).unwrap().1, b"--vault-id dev");
    assert_eq!(gathered.password(Some("ops")).unwrap().1, b"typed for ops");
    std::fs::write(&file, "\n").unwrap();
    let empty = gather(&sources[..1]).0.unwrap_err();
    assert!(empty.to_string().starts_with("Invalid vault password was provided from file ("), "{empty}");
    // As long as one source has a password, the others only cause warnings.
    let (some, warnings) = gather(&sources);
    assert_eq!(some.unwrap().ids().collect::<Vec<_>>(), ["dev", "ops"]);
    assert!(warnings[0].starts_with("Error in vault password file loading (default): "), "{warnings:?}");
    let missing = [PasswordSource::parse("id1@/nowhere/at/all"), sources[1].clone()];
    assert!(gather(&missing).1[0].starts_with("Error getting vault password file (id1): "));
    // A password file may be encrypted with a password named before it.
    std::fs::write(&file, encrypt(b"inner", b"--vault-id dev", None).unwrap()).unwrap();
    let inner = [sources[1].clone(), sources[0].clone()];
    assert_eq!(gather(&inner).0.unwrap().password(Some(DEFAULT_ID)).unwrap().1, b"inner");
}

#[test]
fn a_prompt_without_an_answer_ends_the_search() {
    let sources = [PasswordSource::parse("dev@prompt")];
    let gather = |answer: fn() -> std::io::Result<String>| {
        let mut warnings = Vec::new();
        let gathered =
            Vault::gather(&sources, false, Arc::default(), |_| answer(), |text| warnings.push(text.to_owned()));
        (gathered.unwrap_err().to_string(), warnings.join("\n"))
    };
    for (answer, message) in [
        ((|| Err(std::io::ErrorKind::UnexpectedEof.into())) as fn() -> _, "EOFError (ctrl-d) on prompt for (dev)"),
        (|| Err(std::io::Error::other("Passwords do not match")), "Passwords do not match"),
        (|| Ok(" ".to_owned()), "Invalid vault password was provided"),
    ] {
        assert_eq!(gather(answer), (message.to_owned(), format!("Error in vault password prompt (dev): {message}")));
    }
}

#[test]
fn whole_files_are_opened_and_their_values_masked() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("vars.yml");
    std::fs::write(&file, encrypt(b"user: root\ndb_password: 'abc1'\n", b"pw", None).unwrap()).unwrap();
    let vault = vault(&[("default", "pw")]);
    assert_eq!(vault.read(&file).unwrap().text, "user: root\ndb_password: 'abc1'\n");
    assert_eq!(vault.secrets().mask("root has abc1"), "root has ********");
}
