//! Tests of argument specifications.

use super::*;
use crate::{
    source::Source,
    syntax::{Kind, Node, read_argument_specs, yaml},
};

fn value(node: &Node) -> Value {
    match &node.kind {
        Kind::Seq(items) => items.iter().map(value).collect(),
        Kind::Map(entries) => Value::from_pairs(entries.iter().map(|(key, item)| (constant(key), value(item)))),
        _ => constant(node),
    }
}

fn errors(options: &str, given: &str) -> Vec<String> {
    let text = format!("argument_specs: {{main: {{options: {options}}}}}");
    let (specs, _) = read_argument_specs(&Source::inline("argument_specs.yml", text)).expect("a spec");
    let given = yaml::load(&Source::inline("given", given)).expect("values").node;
    let given = entries(&value(&given));
    validate(&specs.entry_points["main"].options, &given).into_iter().map(|error| error.msg).collect()
}

/// Right-hand sides were recorded from ansible-core 2.19.
#[test]
fn words_are_those_of_ansible() {
    for (options, given, expected) in [
        ("{a: {type: str, required: true}, b: {required: true}}", "{}", &["missing required arguments: a, b"][..]),
        ("{a: {required: true}}", "{a: null}", &[]),
        (
            "{state: {choices: [present, absent]}}",
            "{state: foo}",
            &["value of state must be one of: present, absent, got: foo"],
        ),
        (
            "{state: {type: list, elements: str, choices: [a, b]}}",
            "{state: [a, c, d]}",
            &["value of state must be one or more of: a, b. Got no match for: c, d"],
        ),
        ("{n: {type: int, choices: [1, 2]}}", "{n: '3'}", &["value of n must be one of: 1, 2, got: 3"]),
        (
            "{n: {type: int}}",
            "{n: abc}",
            &[
                "argument 'n' is of type str and we were unable to convert to int: \"'abc'\" cannot be converted to an int",
            ],
        ),
        (
            "{n: {type: int}}",
            "{n: 1.5}",
            &[
                "argument 'n' is of type float and we were unable to convert to int: \"1.5\" cannot be converted to an int",
            ],
        ),
        (
            "{n: {type: float}}",
            "{n: x}",
            &[
                "argument 'n' is of type str and we were unable to convert to float: <class 'str'> cannot be converted to a float",
            ],
        ),
        (
            "{n: {type: list}}",
            "{n: {a: 1}}",
            &[
                "argument 'n' is of type dict and we were unable to convert to list: <class 'dict'> cannot be converted to a list",
            ],
        ),
        ("{n: {type: list, elements: str}}", "{n: 'a,b'}", &[]),
        ("{n: {type: list}}", "{n: 5}", &[]),
        (
            "{n: {type: list, elements: int}}",
            "{n: ['1', x]}",
            &[
                "Elements value for option 'n' is of type str and we were unable to convert to int: \"'x'\" cannot be converted to an int",
            ],
        ),
        (
            "{n: {type: dict}}",
            "{n: abc}",
            &[
                "argument 'n' is of type str and we were unable to convert to dict: dictionary requested, could not parse JSON or key=value",
            ],
        ),
        ("{n: {type: dict}}", "{n: a=1 b=2}", &[]),
        ("{n: {type: str}}", "{n: [1]}", &[]),
        (
            "{n: {type: bytes}}",
            "{n: 1x}",
            &[
                "argument 'n' is of type str and we were unable to convert to bytes: <class 'str'> cannot be converted to a Byte value",
            ],
        ),
        ("{n: {type: bytes}, m: {type: bytes}}", "{n: 10, m: 2 GB}", &[]),
        (
            "{n: {type: dict, options: {x: {required: true}, y: {type: int}}}}",
            "{n: {y: q, z: 1}}",
            &[
                "missing required arguments: x found in n",
                "argument 'y' is of type str found in 'n'. and we were unable to convert to int: \"'q'\" cannot be converted to an int",
                "n.z. Supported parameters include: x, y.",
            ],
        ),
        (
            "{n: {type: list, elements: dict, options: {x: {required: true}, c: {choices: [a]}}}}",
            "{n: [{x: 1, c: b}, {}]}",
            &["value of c must be one of: a, got: b found in n", "missing required arguments: x found in n"],
        ),
        (
            "{n: {type: list, elements: dict, options: {x: {type: dict, options: {q: {required: true}}}}}}",
            "{n: [{x: {}}]}",
            &["missing required arguments: q found in n -> x"],
        ),
        ("{a: {}}", "{b: 1}", &["b. Supported parameters include: a."]),
        ("{a: {type: bool, choices: [true]}}", "{a: 'no'}", &["value of a must be one of: True, got: False"]),
        ("{a: {choices: ['1']}}", "{a: 1}", &[]),
        ("{a: {choices: ['yes', 'no']}}", "{a: yes}", &[]),
        ("{a: {aliases: [z], required: true}}", "{z: 1}", &[]),
        ("{n: {type: dict, options: {x: {required: true}}}}", "{n: null}", &[]),
    ] {
        assert_eq!(errors(options, given), expected, "{options} {given}");
    }
}

#[test]
fn secrets_are_not_repeated() {
    for options in ["choices: [a]", "type: int", "type: list, elements: int"] {
        let errors = errors(&format!("{{p: {{no_log: true, {options}}}}}"), "{p: hunter2}");
        assert!(errors.len() == 1 && !errors[0].contains("hunter2"), "{errors:?}");
    }
}
