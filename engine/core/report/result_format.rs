//! How the data of a result is shown after a line of the default output.

use minijinja::Value;
use serde_json::Value as Json;

use super::{layout::Layout, values};
use crate::secrets::Secrets;

/// The formats, named after Ansible's settings and callbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultFormat {
    /// `callback_result_format = json`; with `pretty` always indented, otherwise only where details are requested.
    Json { pretty: bool },
    /// `callback_result_format = yaml`; `pretty` is easier to read, but not always exact.
    Yaml { pretty: bool },
    /// The callback `community.general.yaml`.
    ChangedAndYaml,
    /// The callback `ansible.posix.debug`: output and messages as text below the other data.
    Debug,
}

/// The keys that [`ResultFormat::Debug`] shows as text.
const AS_TEXT: [&str; 5] = ["module_stdout", "module_stderr", "stdout", "stderr", "msg"];

impl ResultFormat {
    /// The data without secrets, as shown after `=> `. `of_debug`: it is a result of the action `debug`. `indent`
    /// applies to JSON.
    pub(super) fn show(self, data: &Value, of_debug: bool, indent: bool, secrets: &Secrets) -> String {
        let shown = values::shown_of(data, of_debug, secrets);
        match self {
            ResultFormat::Json { pretty } if pretty || indent => Layout::indented(4).write(&shown),
            ResultFormat::Json { .. } => Layout::LINE.write(&shown),
            ResultFormat::Yaml { pretty: true } => values::pretty_block(shown, 4, Some(4), None),
            ResultFormat::Yaml { pretty: false } => values::block(shown, 4, None, None),
            ResultFormat::ChangedAndYaml => changed_and_yaml(shown),
            ResultFormat::Debug => debug(shown),
        }
    }
}

/// Where the callback community.general.yaml folds lines.
const WIDTH: i32 = 1000;

fn changed_and_yaml(mut rest: Json) -> String {
    if rest.get("censored").is_some() {
        return Layout::LINE.write(&rest);
    }
    let changed = rest.as_object_mut().and_then(|data| data.shift_remove("changed"));
    let changed = changed.map(|changed| format!("changed={changed}")).unwrap_or_default();
    if rest.as_object().is_some_and(serde_json::Map::is_empty) {
        return changed;
    }
    let space = if changed.is_empty() { "" } else { " " };
    format!("{changed}{space}{}", values::pretty_block(rest, 2, None, Some(WIDTH)))
}

fn debug(mut rest: Json) -> String {
    let mut text = String::new();
    if let Some(data) = rest.as_object_mut() {
        for name in AS_TEXT {
            let Some(value) = data.shift_remove(name) else { continue };
            data.shift_remove(&format!("{name}_lines"));
            let shown = match value {
                Json::String(shown) => shown,
                other => crate::template::text(&crate::vars::from_wire(other.into())),
            };
            if !shown.is_empty() {
                text += &format!("\n\n{}:\n\n{shown}\n", name.to_uppercase());
            }
        }
    }
    text.insert_str(0, &Layout::indented(4).write(&rest));
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(format: ResultFormat, data: serde_json::Value) -> String {
        let secrets = Secrets::default();
        secrets.add("tell-nobody");
        format.show(&crate::vars::from_wire(data.into()), false, false, &secrets)
    }

    #[test]
    fn results_are_shown_by_each_format_without_secrets() {
        let data =
            serde_json::json!({"changed": true, "msg": ["tell-nobody"], "stdout": "a\nb", "stdout_lines": ["a", "b"]});
        let yaml = "changed=true \n  msg:\n  - '********'\n  stdout: |-\n    a\n    b\n  stdout_lines: <omitted>";
        assert_eq!(shown(ResultFormat::ChangedAndYaml, data.clone()), yaml);
        let debug = "{\n    \"changed\": true\n}\n\nSTDOUT:\n\na\nb\n\n\nMSG:\n\n['********']";
        assert_eq!(shown(ResultFormat::Debug, data), debug);
        assert_eq!(shown(ResultFormat::ChangedAndYaml, serde_json::json!({"changed": false})), "changed=false");
        assert_eq!(shown(ResultFormat::ChangedAndYaml, serde_json::json!({"msg": 1})), "\n  msg: 1");
        assert_eq!(shown(ResultFormat::Debug, serde_json::json!({})), "{}");
    }
}
