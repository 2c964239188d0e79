//! Tests of argument specifications.

use super::*;
use crate::{
    source::Source,
    syntax::{read_argument_specs, yaml},
};

fn errors(options: &str, given: &str) -> Vec<String> {
    let text = format!("argument_specs: {{main: {{options: {options}}}}}");
    let (specs, _) = read_argument_specs(&Source::inline("argument_specs.yml", text)).expect("a spec");
    let given = yaml::load(&Source::inline("given", given)).expect("values").node;
    let given = entries(&value_of(&given));
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
                "argument 'n' is of type str and we were unable to convert to float: <class 'ansible.module_utils._internal._datatag._AnsibleTaggedStr'> cannot be converted to a float",
            ],
        ),
        (
            "{n: {type: list}}",
            "{n: {a: 1}}",
            &[
                "argument 'n' is of type dict and we were unable to convert to list: <class 'ansible.module_utils._internal._datatag._AnsibleTaggedDict'> cannot be converted to a list",
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
                "argument 'n' is of type str and we were unable to convert to bytes: <class 'ansible.module_utils._internal._datatag._AnsibleTaggedStr'> cannot be converted to a Byte value",
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
        // What the keys of a dict demand of each other
        (
            "{x: {type: dict, options: {a: {}, b: {}, d: {type: int}, e: {required: true}, f: {choices: [q]}}, \
             mutually_exclusive: [[a, b]], required_together: [[a, z]], required_one_of: [[y, w]], \
             required_if: [[a, '1', [y, w]]], required_by: {a: [y, w]}}}",
            "{x: {a: '1', b: 2, d: x, f: r, un: 1}}",
            &[
                "parameters are mutually exclusive: a|b found in x",
                "missing required arguments: e found in x",
                "argument 'd' is of type str found in 'x'. and we were unable to convert to int: \"'x'\" cannot be converted to an int",
                "value of f must be one of: q, got: r found in x",
                "parameters are required together: a, z found in x",
                "one of the following is required: y, w found in x",
                "a is 1 but all of the following are missing: y, w found in x",
                "missing parameter(s) required by 'a': y, w found in x",
                "x.un. Supported parameters include: a, b, d, e, f.",
            ],
        ),
        (
            "{x: {type: dict, options: {a: {}, b: {default: 1}}, mutually_exclusive: [[a, b]], required_together: [[a, b]]}}",
            "{x: {a: 1}}",
            &[],
        ),
        (
            "{x: {type: dict, options: {a: {type: int}}, required_if: [[a, 1, [b, c], true]]}}",
            "{x: {a: '1'}}",
            &["a is 1 but any of the following are missing: b, c found in x"],
        ),
        (
            "{x: {type: dict, options: {a: {}, b: {}}, required_by: {a: b}}}",
            "{x: {a: 1, b: null}}",
            &["missing parameter(s) required by 'a': b found in x"],
        ),
        // Defaults are validated
        ("{x: {default: q, choices: [z]}}", "{}", &["value of x must be one of: z, got: q"]),
        (
            "{x: {type: dict, apply_defaults: true, options: {a: {required: true}}}}",
            "{}",
            &["missing required arguments: a found in x"],
        ),
        // Unknown types matter only where there is a value
        ("{x: {type: nope}, y: {type: list, elements: nope}}", "{}", &[]),
        (
            "{x: {type: nope}}",
            "{x: 1}",
            &["argument 'x' is of type int and we were unable to convert to nope: 'NoneType' object is not callable"],
        ),
        // Keys only count where the type is a dict or a list of dicts
        ("{x: {type: list, options: {a: {type: int}}}}", "{x: [{a: q}]}", &[]),
        ("{x: {type: dict, options: {}}}", "{x: {a: 1}}", &["x.a. Supported parameters include: ."]),
        (
            "{x: {type: dict, options: {a: {}}}}",
            "{x: zz}",
            &[
                "dictionary requested, could not parse JSON or key=value",
                "argument 'x' is of type str and we were unable to convert to dict: dictionary requested, could not parse JSON or key=value",
                "value of 'x' must be of type dict or list of dicts",
            ],
        ),
        ("{x: {aliases: [q, p]}, y: {}}", "{z: 1, w: 2}", &["w, z. Supported parameters include: x, y (p, q)."]),
        (
            "{x: {aliases: [y, z], type: int}}",
            "{y: 1, z: q, x: 2}",
            &[
                "argument 'x' is of type str and we were unable to convert to int: \"'q'\" cannot be converted to an int",
            ],
        ),
        ("{x: {type: dict, options: {a: {}}}}", "{x: {b: 1}, q: 1}", &["q, x.b. Supported parameters include: x."]),
        ("{b: {required: true}, a: {required: 'no'}}", "{}", &["missing required arguments: a, b"]),
        ("{n: {type: int}, f: {type: float}}", "{n: '1e3', f: '1_0.5'}", &[]),
        ("{n: {type: dict}}", "{n: \"{'a': 1, 'b': [True]}\"}", &[]),
        (
            "{n: {type: dict}}",
            "{n: '{a: 1}'}",
            &[
                "argument 'n' is of type str and we were unable to convert to dict: unable to evaluate string as dictionary",
            ],
        ),
        ("{n: {type: dict}}", "{n: 'a=1, b=\"x y\"'}", &[]),
        (
            "{n: {type: dict}}",
            "{n: 'a=1 b'}",
            &[
                "argument 'n' is of type str and we were unable to convert to dict: unable to evaluate string in the \"key=value\" format as dictionary",
            ],
        ),
        ("{n: {type: bytes}, m: {type: bytes}}", "{n: 1 kilobyte, m: 1b}", &[]),
        (
            "{n: {type: bytes}}",
            "{n: 10 megabytes}",
            &[
                "argument 'n' is of type str and we were unable to convert to bytes: <class 'ansible.module_utils._internal._datatag._AnsibleTaggedStr'> cannot be converted to a Byte value",
            ],
        ),
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
