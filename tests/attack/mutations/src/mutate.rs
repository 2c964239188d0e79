//! What is done to an input: bytes flipped, parts cut, repeated and joined, words put in, nesting without measure.

use crate::random::Random;

/// No input becomes longer than that.
const LONGEST: usize = 64 << 10;

/// Words that readers give a meaning to, and values at the edges of what numbers, names and texts may be.
const WORDS: &[&str] = &[
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "{{ x }}",
    "{% if x %}",
    "{% endif %}",
    "{% for i in x %}",
    "{% endfor %}",
    "{% raw %}",
    "{% endraw %}",
    "{% macro m() %}",
    "{{ m() }}",
    "{% set y = x %}",
    "{% include 'a' %}",
    "{%- -%}",
    " | ",
    "|default(",
    "|map('",
    "|to_json",
    "|from_json",
    "|regex_replace('",
    "|join(",
    "|int",
    "|format(",
    "lookup('",
    " is ",
    " not ",
    " and ",
    " or ",
    " in ",
    " if ",
    " else ",
    "**",
    "//",
    "~",
    "==",
    "!=",
    "<=",
    "omit",
    "vars",
    "hostvars",
    "groups",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    ",",
    ":",
    ": ",
    "- ",
    "? ",
    "-\n",
    "|\n",
    ">-\n",
    "|+9\n",
    "&a ",
    "*a",
    "<<: *a",
    "!",
    "!!",
    "!vault |",
    "!unsafe ",
    "!!binary ",
    "!!set ",
    "!<tag:",
    "%YAML 1.1\n",
    "---\n",
    "...\n",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\n  ",
    "\n\n",
    " ",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\u{0}",
    "\u{7f}",
    "ü",
    "日本",
    "\u{1f600}",
    "'",
    "\"",
    "\\",
    "\\n",
    "\\x",
    "\\u12",
    "\\'",
    "#",
    " #",
    "=",
    "==",
    "@",
    "`",
    "$",
    "${",
    "$ANSIBLE_VAULT;1.1;AES256\n",
    "~",
    "null",
    "yes",
    "No",
    "on",
    "0",
    "00",
    "0x",
    "0o7",
    "-1",
    "1e999",
    "-0.0",
    ".inf",
    ".nan",
    "1_000",
    "190:20:30",
    "9223372036854775807",
    "9223372036854775808",
    "170141183460469231731687303715884105728",
    "18446744073709551616",
    "2001-12-14 21:59:43",
    "2024-02-30",
    "[all]",
    "[a:children]",
    "[a:vars]",
    "[b:hosts]",
    "a[01:99]",
    "a[z:a]",
    "[::1]",
    "host[0:9999999]",
    "!a",
    "&b",
    "~(",
    "all:",
    "*",
    "?",
    "[!",
    "a[1:",
    "name:",
    "hosts:",
    "tasks:",
    "roles:",
    "vars:",
    "when:",
    "loop:",
    "with_items:",
    "block:",
    "rescue:",
    "include_tasks:",
    "import_playbook:",
    "notify:",
    "listen:",
    "become:",
    "tags:",
    "register:",
    "changed_when:",
    "until:",
    "args:",
    "meta:",
    "dependencies:",
    "argument_specs:",
    "plugin:",
    "_meta",
    "hostvars\":",
    "\"children\":",
    "\"hosts\":",
    "%s",
    "%d",
    "%(a)s",
    "%*d",
    "%.999f",
    "{0}",
    "{:>9}",
    "(?P<a>",
    "(?=",
    "\\1",
    "[^",
    "a{999}",
    "(a+)+$",
    "\\Z",
    "0.0.0.0/0",
    "::/0",
    "fe80::%1",
    "1.2.3.4/33",
    "999.1.1.1",
];

/// Openings that nest when they are repeated, and what closes each.
const NESTS: &[(&str, &str)] = &[
    ("[", "]"),
    ("{", "}"),
    ("(", ")"),
    ("{a: ", "}"),
    ("{\"a\":", "}"),
    ("- ", ""),
    ("? ", ""),
    ("{{ (", ") }}"),
    ("{% if 1 %}", "{% endif %}"),
    ("{% for i in [1] %}", "{% endfor %}"),
    ("{% elif 1 %}", ""),
    ("not ", ""),
    ("-", ""),
    ("x if x else ", ""),
    ("!", ""),
    ("&", ""),
    ("x.", ""),
    ("x[", "]"),
    ("x(", ")"),
    ("|d", ""),
    ("{{ x ~ ", ""),
    ("((", "))"),
    ("(?:", ")"),
    ("[[:", ":]]"),
    ("1+", ""),
    (" ", ""),
    ("\n", ""),
    ("#", ""),
    ("*a,", ""),
    ("- block:\n", ""),
    (">", ""),
];

/// An input made of the seeds of its reader.
pub(crate) fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = random.pick(seeds).cloned().unwrap_or_default();
    for _ in 0..1 + random.below(4) {
        change(&mut input, seeds, random);
        input.truncate(LONGEST);
    }
    input
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let part = |input: &[u8], random: &mut Random, most: usize| -> std::ops::Range<usize> {
        let start = random.below(input.len());
        start..(start + 1 + random.below(most)).min(input.len())
    };
    match random.below(12) {
        0 => {
            for _ in 0..1 + random.below(8) {
                let at = random.below(input.len());
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
        1 => {
            let byte = random.next() as u8;
            if let Some(slot) = input.get_mut(at) {
                *slot = byte;
            }
        }
        2 => input.truncate(at),
        3 => drop(input.drain(part(input, random, 64))),
        4 => {
            let piece = input.get(part(input, random, 200)).unwrap_or_default().to_vec();
            insert(input, at, &piece.repeat(1 + random.below(20)));
        }
        5 | 6 => {
            if let Some(other) = random.pick(seeds) {
                let piece = other.get(part(other, random, 400)).unwrap_or_default().to_vec();
                insert(input, at, &piece);
            }
        }
        7 => {
            let times = [3, 30, 200, 3000][random.below(4)];
            if let Some((open, close)) = random.pick(NESTS) {
                let mut nest = open.repeat(times);
                if random.below(4) > 0 {
                    nest.push('x');
                    nest.push_str(&close.repeat(times));
                }
                insert(input, at, nest.as_bytes());
            }
        }
        8 => {
            // Another number in place of one.
            let digits: Vec<usize> =
                input.iter().enumerate().filter(|(_, b)| b.is_ascii_digit()).map(|(at, _)| at).collect();
            let number =
                ["-1", "99999999999", "0", "1e308", "170141183460469231731687303715884105727"][random.below(5)];
            if let Some(at) = random.pick(&digits) {
                input.splice(*at..at + 1, number.bytes());
            }
        }
        _ => {
            if let Some(word) = random.pick(WORDS) {
                insert(input, at, word.as_bytes());
            }
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    let at = at.min(input.len());
    input.splice(at..at, piece.iter().copied());
}
