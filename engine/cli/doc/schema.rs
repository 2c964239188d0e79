//! JSON schemas for editors: of modules' arguments, and of playbooks and files of tasks.

use rplay::plan::Action;
use serde_json::{Map, Value as Json, json};

use super::{
    keywords::Keyword,
    native::{first_sentence, full_name, one_line, plain_default},
};

/// The schemas of the arguments of these modules, by their full names.
///
/// # Errors
/// If there is no module with one of the names.
pub(super) fn of_modules(names: &[String]) -> Result<Json, String> {
    let schemas: Map<String, Json> = named(names)?.iter().map(|entry| (full_name(entry), schema(entry))).collect();
    Ok(schemas.into())
}

/// The modules and actions of these names, short or fully qualified.
fn named(names: &[String]) -> Result<Vec<Action>, String> {
    let unknown = |name: &String| match Action::nearest(name) {
        Some(meant) => format!("there is no module `{name}`; did you mean `{meant}`?"),
        None => format!("there is no module `{name}`; `rplay doc` lists all modules"),
    };
    names.iter().map(|name| Action::find(name).ok_or_else(|| unknown(name))).collect()
}

/// The forms of a boolean: itself, a word for one, or a template. A number may stand for one, too.
fn boolean() -> Json {
    // JSON schemas have no patterns that ignore case.
    let either_case = |word: &str| -> String {
        word.chars().map(|letter| format!("[{}{letter}]", letter.to_ascii_uppercase())).collect()
    };
    let words = ["true", "yes", "on", "y", "t", "false", "no", "off", "n", "f"].map(either_case).join("|");
    let text = format!(r"\{{[\{{%]|^\s*({words}|[01](\.0)?)\s*$");
    json!([{ "type": ["boolean", "number", "null"] }, { "type": "string", "pattern": text }])
}

/// The forms of a number: itself, its digits as text, or a template. `max_fail_percentage` may end in a percent sign.
fn number() -> Json {
    let text = r"\{[\{%]|^\s*[-+]?[0-9_]*\.?[0-9]*([eE][-+]?[0-9]+)?\s*%?\s*$";
    json!([{ "type": ["number", "boolean", "null"] }, { "type": "string", "pattern": text }])
}

/// The JSON schema of a module's arguments. Because modules read arguments leniently, numbers and booleans may also be
/// strings, and most values may be templates.
fn schema(entry: &Action) -> Json {
    let args = entry.args();
    let mut properties = Map::new();
    for arg in args.iter().filter(|arg| !arg.name.starts_with('_')) {
        let mut property = Map::new();
        property.insert("description".to_owned(), Json::from(one_line(arg.doc)));
        match arg.kind {
            "bool" => drop(property.insert("anyOf".to_owned(), boolean())),
            "int" | "float" => drop(property.insert("anyOf".to_owned(), number())),
            "list" => drop(property.insert("type".to_owned(), json!(["array", "string", "number", "boolean", "null"]))),
            "dict" => drop(property.insert("type".to_owned(), json!(["object", "string", "null"]))),
            "raw" => {}
            _ => drop(property.insert("type".to_owned(), json!(["string", "number", "boolean", "null"]))),
        }
        if !arg.choices.is_empty() {
            property.insert("examples".to_owned(), Json::from(arg.choices));
        }
        if let Some(default) = arg.default {
            property.insert("default".to_owned(), Json::from(plain_default(default)));
        }
        if arg.secret {
            property.insert("writeOnly".to_owned(), Json::from(true));
        }
        for name in std::iter::once(&arg.name).chain(arg.aliases) {
            properties.insert((*name).to_owned(), Json::Object(property.clone()));
        }
    }
    let required: Vec<Json> = args
        .iter()
        .filter(|arg| arg.required && !arg.name.starts_with('_'))
        .map(|arg| match arg.aliases {
            [] => json!({ "required": [arg.name] }),
            aliases => {
                let any: Vec<Json> =
                    std::iter::once(&arg.name).chain(aliases).map(|name| json!({ "required": [name] })).collect();
                json!({ "anyOf": any })
            }
        })
        .collect();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": full_name(entry),
        "description": one_line(entry.doc()),
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["allOf"] = Json::from(required);
    }
    schema
}

/// The schema of a playbook or a task file. Misspelt keywords and arguments of built-in modules are errors; modules of
/// collections may have any arguments.
pub(super) fn of_playbooks() -> Json {
    let mut arguments = Map::new();
    let mut modules = Map::new();
    for action in Action::all() {
        let mut of_module = schema(&action);
        if let Some(fields) = of_module.as_object_mut() {
            fields.remove("$schema");
            // Arguments of a task may also be in `args`, so none is required here.
            fields.remove("allOf");
        }
        let full = full_name(&action);
        // `key=value` text is accepted for every module.
        let written = match action.is_open() {
            true => json!({ "type": ["object", "string", "null"] }),
            false => json!({ "anyOf": [{ "type": ["string", "null"] }, { "$ref": format!("#/$defs/args/{full}") }] }),
        };
        let property = json!({ "description": first_sentence(action.doc()), "allOf": [written] });
        modules.insert(action.name().to_owned(), property.clone());
        modules.insert(full.clone(), property);
        arguments.insert(full, of_module);
    }
    let place = |initial: char| -> Map<String, Json> {
        Keyword::all()
            .filter(|keyword| keyword.is_of(initial))
            .map(|keyword| (keyword.name.to_owned(), value_of(&keyword)))
            .collect()
    };
    let of_collections = json!({ "^(with_[a-z_]+|[a-z0-9_]+\\.[a-z0-9_]+\\.[a-z0-9_.]+)$": {} });
    let task = |initial: char| {
        let mut properties = place(initial);
        properties.extend(modules.clone());
        json!({ "type": "object", "properties": properties, "patternProperties": of_collections, "additionalProperties": false })
    };
    let block =
        json!({ "type": "object", "properties": place('B'), "required": ["block"], "additionalProperties": false });
    let entries = |task: &str| {
        json!({ "type": ["array", "null"], "items": { "if": { "required": ["block"] }, "then": { "$ref": "#/$defs/block" },
            "else": { "$ref": format!("#/$defs/{task}") } } })
    };
    let mut role = place('R');
    role.insert("role".to_owned(), json!({ "type": "string" }));
    role.insert("name".to_owned(), json!({ "type": "string" }));
    let mut play = place('P');
    play.insert("user".to_owned(), json!({ "type": "string" }));
    let import = json!({ "type": "object", "anyOf": [{ "required": ["import_playbook"] }, { "required": ["ansible.builtin.import_playbook"] }] });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A playbook, or a file of tasks or handlers",
        "type": ["array", "null"],
        "items": {
            "if": { "anyOf": [{ "required": ["hosts"] }, { "required": ["import_playbook"] }, { "required": ["ansible.builtin.import_playbook"] }] },
            "then": { "if": { "required": ["hosts"] }, "then": { "$ref": "#/$defs/play" }, "else": import },
            "else": { "if": { "required": ["block"] }, "then": { "$ref": "#/$defs/block" }, "else": { "$ref": "#/$defs/handler" } },
        },
        "$defs": {
            "args": arguments,
            "tasks": entries("task"),
            "handlers": entries("handler"),
            "task": task('T'),
            "handler": task('H'),
            "block": block,
            // Further keys are the role's parameters.
            "role": { "anyOf": [{ "type": "string" }, { "type": "object", "properties": role }] },
            "play": { "type": "object", "properties": play, "required": ["hosts"], "additionalProperties": false },
        },
    })
}

/// The schema of a keyword's value. Templates are strings, so nearly every value may be a string.
fn value_of(keyword: &Keyword) -> Json {
    let tasks = |list: &str| json!({ "$ref": format!("#/$defs/{list}") });
    let mut value = match (keyword.name, keyword.kind) {
        ("tasks" | "pre_tasks" | "post_tasks" | "block" | "rescue" | "always", _) => tasks("tasks"),
        ("handlers", _) => tasks("handlers"),
        ("roles", _) => json!({ "type": ["array", "null"], "items": { "$ref": "#/$defs/role" } }),
        (
            "hosts" | "serial" | "loop" | "when" | "until" | "changed_when" | "failed_when" | "action" | "local_action",
            _,
        ) => json!({}),
        ("order", _) => json!({ "enum": ["inventory", "reverse_inventory", "sorted", "reverse_sorted", "shuffle"] }),
        ("vars", _) => json!({ "type": ["object", "array", "null"] }),
        ("loop_control", _) => json!({ "type": ["object", "string"], "properties": {
            "break_when": {}, "extended": {}, "extended_allitems": {}, "index_var": { "type": "string" }, "label": {},
            "loop_var": { "type": "string" }, "parallel": {}, "pause": {} }, "additionalProperties": false }),
        (_, "bool") => json!({ "anyOf": boolean() }),
        (_, "int" | "float" | "percent") => json!({ "anyOf": number() }),
        (_, "string") => json!({ "type": ["string", "number", "boolean", "null"] }),
        (_, "dict") => json!({ "type": ["object", "string", "null"] }),
        _ => json!({ "type": ["array", "string", "object", "number", "boolean", "null"] }),
    };
    if let Some(fields) = value.as_object_mut() {
        fields.insert("description".to_owned(), keyword.doc.into());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_has_a_schema_of_its_arguments() {
        rplay_modules::registry::install();
        let all: Vec<String> = Action::all().iter().map(|action| action.name().to_owned()).collect();
        let schemas = of_modules(&all).unwrap();
        assert_eq!(schemas.as_object().unwrap().len(), all.len());
        let ping = &schemas["ansible.builtin.ping"];
        assert_eq!(ping["properties"]["data"]["default"], "pong");
        assert_eq!(ping["additionalProperties"], false);
    }

    #[test]
    fn words_for_booleans_and_numbers_and_templates_match_their_patterns_and_nothing_else_does() {
        let pattern = |forms: Json| regex::Regex::new(forms[1]["pattern"].as_str().unwrap()).unwrap();
        let (boolean, number) = (pattern(boolean()), pattern(number()));
        for text in ["yes", "No", "TRUE", "off", "1", "{{ wanted }}", "{% if a %}yes{% endif %}", "y"] {
            assert!(boolean.is_match(text), "{text}");
        }
        for text in ["perhaps", "2", "yes please", "truee", ""] {
            assert!(!boolean.is_match(text), "{text}");
        }
        for text in ["5", " 10 ", "0.5", "1e3", "-1", "30%", "{{ count }}", ""] {
            assert!(number.is_match(text), "{text}");
        }
        for text in ["ten", "5 s", "0x10", "1,5"] {
            assert!(!number.is_match(text), "{text}");
        }
    }

    #[test]
    fn names_that_do_not_exist_are_refused_with_the_nearest() {
        rplay_modules::registry::install();
        let refused = |name: &str| of_modules(&[name.to_owned()]).unwrap_err();
        assert_eq!(refused("pinh"), "there is no module `pinh`; did you mean `ping`?");
        assert_eq!(refused("my.own.ping"), "there is no module `my.own.ping`; `rplay doc` lists all modules");
    }
}
