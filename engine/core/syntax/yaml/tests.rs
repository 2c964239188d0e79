//! Tests of reading YAML.

use super::*;

fn read(text: &str) -> Node {
    load(&Source::inline("t.yml", text)).map_err(|problems| format!("{:?}", problems.0)).expect("loads").node
}

fn errors(text: &str) -> Vec<String> {
    let problems = load(&Source::inline("t.yml", text)).expect_err("refused");
    let meant = |problem: &crate::source::Problem| {
        let error: &(dyn std::error::Error + 'static) = &**problem;
        match error.downcast_ref::<YamlError>() {
            Some(YamlError::Parsing { meant, .. }) => meant.to_string(),
            _ => problem.to_string(),
        }
    };
    problems.0.iter().map(meant).collect()
}

/// A node as JSON, for comparison.
fn json(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "null".to_owned(),
        Kind::Bool(b) => b.to_string(),
        Kind::Int(i) => i.to_string(),
        Kind::Float(f) => format!("{f:?}"),
        Kind::Digits(digits) => digits.to_string(),
        Kind::Time(time) => format!("time({time})"),
        Kind::Str(text) => format!("{:?}", text.value),
        Kind::Bytes(bytes) => format!("bytes({})", String::from_utf8_lossy(bytes)),
        Kind::Seq(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(",")),
        Kind::Map(entries) => {
            let entries: Vec<_> = entries.iter().map(|(k, v)| format!("{}:{}", json(k), json(v))).collect();
            format!("{{{}}}", entries.join(","))
        }
    }
}

#[test]
fn sets_and_pairs_are_lists() {
    for (text, expected) in [
        ("!!set {a, b}", r#"["a","b"]"#),
        ("!!omap [a: 1, b: 2]", r#"[["a",1],["b",2]]"#),
        ("!!pairs [a: 1, a: 2]", r#"[["a",1],["a",2]]"#),
        ("!!binary aGVs bG8=", "bytes(hello)"),
    ] {
        assert_eq!(json(&read(text)), expected, "{text}");
    }
}

#[test]
fn spans_are_bytes_of_the_source() {
    let node = read("ä: [ö, 'ü']  # ß\nß:\n  - é: !unsafe \"x\"\n    y: |\n      text\n\n# end\nz: 1\n");
    let texts: Vec<_> =
        node.as_map().unwrap().iter().map(|(k, v)| (k.span.text().to_owned(), v.span.text().to_owned())).collect();
    assert_eq!(texts[0], ("ä".to_owned(), "[ö, 'ü']".to_owned()));
    assert_eq!(texts[1].1, "- é: !unsafe \"x\"\n    y: |\n      text");
    assert_eq!(texts[2], ("z".to_owned(), "1".to_owned()));
    let item = &node.get("ß").unwrap().as_seq().unwrap()[0];
    assert_eq!(item.get("é").unwrap().span.text(), "\"x\"");
    assert_eq!(read("\u{1f600}: \u{1f600}\nk: v\n").get("k").unwrap().span.range(), 14..15);
    assert_eq!(read("a: b\r\nk: v\r\n").get("k").unwrap().span.range(), 9..10);
}

#[test]
fn merge_keys_as_in_pyyaml() {
    let text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\n";
    assert_eq!(json(read(&format!("{text}c: {{z: 3, <<: *a}}")).get("c").unwrap()), r#"{"x":1,"y":1,"z":3}"#);
    assert_eq!(
        json(read(&format!("{text}c: {{<<: [*a, *b], w: 0}}")).get("c").unwrap()),
        r#"{"y":1,"z":2,"x":1,"w":0}"#
    );
    assert_eq!(json(&read("{'<<': 1}")), r#"{"<<":1}"#);
    assert_eq!(errors("<<: 1"), ["only mappings can be merged with `<<`"]);
}

#[test]
fn the_last_of_two_equal_keys_counts_and_there_is_a_warning() {
    let loaded = load(&Source::inline("t.yml", "a: 1\nb: 2\na: 3\n")).expect("loads");
    assert_eq!(json(&loaded.node), r#"{"a":3,"b":2}"#);
    let [YamlWarning::DuplicateKey { key, again, first }] = &loaded.warnings[..] else { panic!("no warning") };
    assert_eq!((key.as_str(), again.range(), first.range()), ("a", 10..11, 0..1));
}

#[test]
fn anchors_are_bounded() {
    assert_eq!(json(&read("- &a x\n- *a\n")), r#"["x","x"]"#);
    assert_eq!(errors("- &a [*a]"), ["`*a` is inside the value that it refers to"]);
    assert_eq!(errors("- &abcd 1\n- *abce"), ["YAML parsing failed: Found undefined alias."]);
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert_eq!(errors(&laughs), ["aliases add more than 500000 values"]);
}

/// Right-hand sides were recorded from PyYAML.
#[test]
fn block_scalars_may_end_without_a_line_break() {
    for (text, value) in [
        ("a: |\n  x", "x"),
        ("a: |\n  x\n", "x\n"),
        ("a: |\n  x\n  ", "x\n"),
        ("a: |+\n  x\n\n", "x\n\n"),
        ("a: |+\n  x", "x"),
        ("a: >-\n  x\n  y", "x y"),
        ("a: >\n  x\n  y", "x y"),
        ("a: |+\n  x\n  ", "x\n"),
        ("a: |", ""),
    ] {
        assert_eq!(read(text).get("a").and_then(Node::as_str), Some(value), "{text:?}");
    }
}

#[test]
fn depth_is_bounded() {
    assert_eq!(errors(&"[".repeat(100_000)), ["collections nested more than 128 deep"]);
    assert_eq!(errors(&"- ".repeat(5_000)), ["collections nested more than 128 deep"]);
}

#[test]
fn tags() {
    let node = read("a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  61\nb: !unsafe '{{ x }}'\nc: ! 1\n");
    let Kind::Str(text) = &node.get("a").unwrap().kind else { panic!() };
    assert!(text.vault && text.value.starts_with("$ANSIBLE_VAULT"));
    let Kind::Str(text) = &node.get("b").unwrap().kind else { panic!() };
    assert!(text.no_template);
    assert_eq!(node.get("c").unwrap().as_str(), Some("1"));
    assert_eq!(
        errors("a: !velt x\nb: !!python/tuple [x]"),
        ["!velt", "!!python/tuple"]
            .map(|tag| format!("YAML parsing failed: Could not determine a constructor for the tag '{tag}'."))
    );
}

#[test]
fn a_panic_of_the_parser_is_an_error_like_others() {
    assert_eq!(errors("[!x, b]"), ["this is not valid YAML"]);
}

#[test]
fn json_is_read_by_its_own_rules() {
    let json_text = "{\n\t\"a\": 1e3,\t\"b\": [\"yes\", \"\\/\", null, -0.5],\n\t\"c\": 123\n}";
    assert_eq!(json(&read(json_text)), r#"{"a":1000.0,"b":["yes","/",null,-0.5],"c":123}"#);
    assert_eq!(read(json_text).get("c").unwrap().span.text(), "123");
    assert_eq!(json(&read(r#"["\ud83d\ude00"]"#)), "[\"\u{1f600}\"]");
}

#[test]
fn nothing_is_null_and_two_documents_are_one_too_many() {
    assert!(read("").is_null() && read("---\n# only this\n...\n").is_null());
    assert_eq!(
        errors("---\na: 1\n---\nb: 1\n"),
        ["YAML parsing failed: Expected a single document in the stream but found another document."]
    );
}
