//! The templates of `tests/compat/jinja_cases.csv` and the conditions of `conditions.csv`, with results recorded from
//! ansible-core 2.19 (`record_conditions.py`).

use std::{path::PathBuf, sync::Arc};

use minijinja::{Value, value::ValueKind};

use super::{
    FileOptions, TemplateError, condition,
    eval::template_file::file_value,
    library::built_in,
    render,
    value::{containers, items, number, show},
};
use crate::{
    source::{Source, Span, Spanned},
    syntax::{Kind, Style, yaml},
    vars::{Layer, Lazy, Lenience, Magic, Scope, Template},
};

/// Cases with a different result in rplay, and why.
const KNOWN: &[(u32, &str)] = &[
    (397, "integers end at 127 bits"),
    (398, "integers end at 127 bits"),
    (1034, "infinity has no literal in Python, so Ansible fails on it"),
    (1047, "the collection with `flattened` was not installed where the answer was made"),
    (1199, "what a loop changes in an item of a variable is not seen in the variable"),
    (1209, "a mapping combined with nothing is a new one here"),
    (1143, "Python's order of a set of texts changes from run to run; here it is that of the input"),
];

/// passlib was missing when the results were recorded; here the password is hashed, which takes time.
const HASHED: u32 = 212;

/// Provides no magic variables; allows these deprecated behaviours.
struct Nothing(&'static [Lenience]);

impl Magic for Nothing {
    fn allows(&self, lenience: Lenience) -> bool {
        self.0.contains(&lenience)
    }

    fn get(&self, _: &str) -> Option<Lazy> {
        None
    }

    fn names(&self) -> Vec<Arc<str>> {
        vec![]
    }
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/compat")
}

fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(b) => Value::from(*b),
        serde_json::Value::Number(number) => match number.to_string().parse::<i128>() {
            Ok(i) => number::int(i),
            // serde_json reads numbers beyond 64 bits as floats; the fixture has one.
            Err(_) if number.as_f64() == Some(1.234_567_890_123_456_7e22) => Value::from(12345678901234567890123_i128),
            Err(_) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => Value::from(items.iter().map(value).collect::<Vec<_>>()),
        serde_json::Value::Object(map) => {
            containers::map(map.iter().map(|(key, item)| (Value::from(key.as_str()), value(item))))
        }
    }
}

fn scope() -> Arc<Scope> {
    let text = std::fs::read_to_string(directory().join("jinja_vars.json")).expect("the variables are there");
    let serde_json::Value::Object(vars) = serde_json::from_str(&text).expect("the variables are JSON") else {
        panic!("the variables are a mapping");
    };
    let mut layer: Layer =
        vars.iter().map(|(name, json)| (Arc::from(name.as_str()), Lazy::Data(value(json)))).collect();
    layer.insert("ansible_managed".into(), Lazy::Data("Ansible managed".into()));
    layer.insert("template_path".into(), Lazy::Data("x.j2".into()));
    let directories = [directory().join("jinja_templates")];
    Arc::new(Scope {
        layers: vec![Arc::new(layer)],
        magic: Arc::new(Nothing(&[Lenience::EmbeddedTemplates])),
        directories: directories.into(),
    })
}

/// Rows of a CSV file: fields may be quoted and contain commas, newlines and doubled quotes.
fn rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field, mut quoted) = (vec![], vec![], String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            c => field.push(c),
        }
    }
    rows
}

fn run(mode: &str, text: &str, scope: &Arc<Scope>) -> Result<Value, TemplateError> {
    let source = Source::inline("case", text);
    match mode {
        "e" => {
            let span = Span::new(&source, 0..text.len());
            let template = Template { text: text.into(), span, style: Style::Plain };
            render(&Lazy::Template(Arc::new(template)), scope).and_then(|value| match crate::vars::is_omit(&value) {
                true => Err(TemplateError::Omitted { at: Span::new(&source, 0..0), via: vec![] }),
                false => Ok(value),
            })
        }
        _ => file_value(&source, scope, &FileOptions::default(), built_in()),
    }
}

fn json(value: &Value) -> serde_json::Value {
    match value.kind() {
        ValueKind::None => serde_json::Value::Null,
        ValueKind::Bool => value.is_true().into(),
        ValueKind::Number => {
            show::repr(value).parse::<serde_json::Number>().map_or_else(|_| show::repr(value).into(), Into::into)
        }
        ValueKind::String => value.as_str().into(),
        ValueKind::Map => {
            containers::pairs(value).iter().map(|(key, item)| (show::plain_text(key), json(item))).collect()
        }
        ValueKind::Seq => items::items(value).unwrap_or_default().iter().map(json).collect::<Vec<_>>().into(),
        _ => serde_json::json!({"__datetime__": value.to_string()}),
    }
}

#[test]
fn answers_as_ansible_does() {
    let scope = scope();
    let read = |name: &str| std::fs::read_to_string(directory().join(name)).expect("the cases are there");
    let mut all = rows(&read("jinja_cases.csv"));
    all.extend(rows(&read("jinja_more.csv")).into_iter().skip(1));
    let rows = all;
    let (mut equal, mut different, mut mended) = (0, vec![], vec![]);
    for row in rows.iter().skip(1) {
        let [id, mode, template, kind, want, ..] = row.as_slice() else { panic!("a row of {} fields", row.len()) };
        let id: u32 = id.parse().expect("a number");
        if id == HASHED {
            continue;
        }
        let got = run(mode, template, &scope);
        let (same, shown) = match &got {
            // Users search for these words.
            Err(error) => match want.strip_prefix("AnsibleUndefinedVariable: ") {
                Some(message) => {
                    (error.undefined().is_some() && error.to_string() == message, format!("error: {error}"))
                }
                None => (kind == "error", format!("error: {error}")),
            },
            Ok(_) if kind == "error" => (false, format!("{got:?}")),
            Ok(value) => {
                let got = json(value);
                let want: serde_json::Value = serde_json::from_str(want).expect("the answer is JSON");
                let type_name = show::type_name(value).to_lowercase();
                // Compared as text, because the order of mappings matters.
                let (shown, wanted) = (got.to_string(), want.to_string());
                (shown == wanted && type_name == *kind, format!("{type_name} {got}"))
            }
        };
        match (same, KNOWN.iter().any(|(known, _)| *known == id)) {
            (true, false) => equal += 1,
            (true, true) => mended.push(id),
            (false, true) => {}
            (false, false) => {
                different.push(format!("{id} {mode} {template:?}\n    want {kind} {want}\n    got  {shown}"))
            }
        }
    }
    println!("{equal} of {} equal", rows.len() - 1);
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
    assert!(mended.is_empty(), "no longer different: {mended:?}");
}

/// Conditions with a different result in rplay, and why.
const KNOWN_CONDITIONS: &[(&str, &str)] = &[
    (
        r#""'\\\u00e9' | length == 2""#,
        "Jinja spells a character outside ASCII as an escape before it reads the backslash",
    ),
    (r##""cond_text == 'foo' # comment""##, "comments are read here, Ansible refuses them"),
];

#[test]
fn conditions_are_decided_as_by_ansible() {
    let read = |name: &str| std::fs::read_to_string(directory().join(name)).expect("it is there");
    let serde_json::Value::Object(vars) = serde_json::from_str(&read("conditions_vars.json")).expect("JSON") else {
        panic!("the variables are a mapping");
    };
    let mut layer: Layer =
        vars.iter().map(|(name, json)| (Arc::from(name.as_str()), Lazy::Data(value(json)))).collect();
    let lazy = |text: &str| {
        let source = Source::inline("case", text);
        Lazy::from_text(&Spanned { value: text.into(), span: Span::new(&source, 0..text.len()) })
    };
    layer.insert("cond_x".into(), lazy("{{ cond_text }}"));
    layer.insert("cond_true".into(), lazy("{{ cond_number == 1 }}"));
    let layer = Arc::new(layer);
    let (mut equal, mut different, mut mended) = (0, vec![], vec![]);
    for row in rows(&read("conditions.csv")).iter().skip(1) {
        let [id, mode, written, kind, want] = row.as_slice() else { panic!("a row of {} fields", row.len()) };
        let lenience: &[Lenience] = match mode.as_str() {
            "c-broken" => &[Lenience::EmbeddedTemplates, Lenience::BrokenConditionals],
            "c-plain" => &[],
            _ => &[Lenience::EmbeddedTemplates],
        };
        let magic = Arc::new(Nothing(lenience));
        let scope = Arc::new(Scope { layers: vec![layer.clone()], magic, directories: Arc::from([]) });
        let given: serde_json::Value = serde_json::from_str(written).expect("the condition is JSON");
        let expression = given.as_str().map_or_else(|| Lazy::Data(value(&given)), lazy);
        let source = Source::inline("case", written.as_str());
        let got = condition(&expression, &Span::new(&source, 0..written.len()), &scope);
        let same = match &got {
            Ok(held) => kind == "bool" && *want == held.to_string(),
            Err(_) => kind == "error",
        };
        match (same, KNOWN_CONDITIONS.iter().any(|(known, _)| known == &written.as_str())) {
            (true, false) => equal += 1,
            (true, true) => mended.push(written.clone()),
            (false, true) => {}
            (false, false) => {
                let got = got.map_err(|error| error.to_string());
                different.push(format!("{id} {mode} {written}\n    want {kind} {want}\n    got  {got:?}"));
            }
        }
    }
    println!("{equal} conditions equal");
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
    assert!(mended.is_empty(), "no longer different: {mended:?}");
}

/// Expressions of `values.csv` with a different answer in rplay, and why.
const KNOWN_VALUES: &[(&str, &str)] = &[
    (
        r##"T "{% block b %}x{{ self.b is defined }}{% endblock %}{{ self.b() }}""##,
        "a block is called by its name, but is no value",
    ),
    (r##"T "{{ 0777 }}""##, "leading zeros are read over"),
    (
        r##"T "{{ ('<a>' | escape) ~ '<b>' }} {{ ('<a>' | e) + '<b>' }} {{ '<b>' + ('<a>' | e) }} {{ ['<a>', '<b>' | e] | join('<') }} {{ ('%s' | e) % '<' }}""##,
        "escaped text is a plain text here",
    ),
    (
        r##"T "{{ '<' | e | e }} {{ '<' | safe | e }} {{ '<' | e | forceescape }} {{ ('<' | e).upper() }} {{ ('<' | e) | replace('&', '<') }} {{ ('<' | e) | length }}""##,
        "escaped text is a plain text here",
    ),
];

/// The prefix that Ansible adds to a template's own message.
const RENDERING: &str = "Error rendering template: ";

#[test]
fn values_and_messages_are_those_of_ansible() {
    let read = |name: &str| std::fs::read_to_string(directory().join(name)).expect("it is there");
    let source = Source::inline("values", read("values_vars.json"));
    let loaded = yaml::load(&source).expect("the variables are YAML, too");
    let Kind::Map(entries) = &loaded.node.kind else { panic!("the variables are a mapping") };
    let layer: Layer = entries
        .iter()
        .map(|(name, node)| match &name.kind {
            Kind::Str(name) => (Arc::from(&*name.value), Lazy::from_node(node)),
            _ => panic!("a name is a text"),
        })
        .collect();
    let magic = Arc::new(Nothing(&[Lenience::EmbeddedTemplates]));
    let scope = Arc::new(Scope { layers: vec![Arc::new(layer)], magic, directories: Arc::from([]) });
    let (mut equal, mut different, mut mended) = (0, vec![], vec![]);
    // A template yields a list where `type_debug` of the expression names a tuple.
    for row in rows(&read("values.csv")).iter().skip(1) {
        let [case, kind, want] = row.as_slice() else { panic!("a row of {} fields: {row:?}", row.len()) };
        let got = match case.strip_prefix("T ") {
            Some(template) => run("f", &serde_json::from_str::<String>(template).expect("JSON"), &scope),
            None => run("e", &format!("{{{{ {case} }}}}"), &scope),
        };
        let (same, shown) = match &got {
            Err(error) => {
                let message = error.to_string();
                let same =
                    kind == "error" && message.trim_start_matches(RENDERING) == want.trim_start_matches(RENDERING);
                (same, format!("error {message}"))
            }
            Ok(value) => {
                let (got, got_kind) = (json(value).to_string(), show::type_name(value));
                let wanted = serde_json::from_str::<serde_json::Value>(want).map(|want| want.to_string());
                let same = wanted.is_ok_and(|wanted| wanted == got)
                    && (kind.is_empty() || *kind == got_kind || (kind == "tuple" && got_kind == "list"));
                (same, format!("{got_kind} {got}"))
            }
        };
        match (same, KNOWN_VALUES.iter().any(|(known, _)| known == case)) {
            (true, false) => equal += 1,
            (true, true) => mended.push(case.clone()),
            (false, true) => {}
            (false, false) => different.push(format!("{case}\n    want {kind} {want}\n    got  {shown}")),
        }
    }
    println!("{equal} values equal");
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
    assert!(mended.is_empty(), "no longer different: {mended:?}");
}
