//! How the data of a result is shown after a line of the default output.

use minijinja::Value;

use super::{layout::Layout, words};
use crate::secrets::Secrets;

/// By the names of Ansible's settings and callbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultFormat {
    /// `callback_result_format = json`
    Json,
    /// `callback_result_format = yaml`
    Yaml,
    /// The callback `community.general.yaml`.
    ChangedAndYaml,
    /// The callback `ansible.posix.debug`: output and messages as text below the other data.
    Debug,
}

/// What [`ResultFormat::Debug`] shows as text.
const AS_TEXT: [&str; 5] = ["module_stdout", "module_stderr", "stdout", "stderr", "msg"];

impl ResultFormat {
    /// The data without secrets, as it stands after `=> `; `indent` is for JSON.
    pub(super) fn show(self, data: &Value, indent: bool, secrets: &Secrets) -> String {
        match self {
            ResultFormat::Json => words::json(data, indent, secrets),
            ResultFormat::Yaml => words::yaml(data, 4, secrets),
            ResultFormat::ChangedAndYaml => changed_and_yaml(data, secrets),
            ResultFormat::Debug => debug(data, secrets),
        }
    }
}

fn changed_and_yaml(data: &Value, secrets: &Secrets) -> String {
    let is_censored = data.get_attr("censored").is_ok_and(|note| !note.is_undefined());
    if is_censored {
        return words::json(data, false, secrets);
    }
    let mut rest = words::shown(data, secrets);
    let changed = rest.as_object_mut().and_then(|data| data.shift_remove("changed"));
    let changed = changed.map(|changed| format!("changed={changed}")).unwrap_or_default();
    if rest.as_object().is_some_and(serde_json::Map::is_empty) {
        return changed;
    }
    let space = if changed.is_empty() { "" } else { " " };
    format!("{changed}{space}{}", words::block(&rest, 2))
}

fn debug(data: &Value, secrets: &Secrets) -> String {
    let mut rest = words::shown(data, secrets);
    let mut text = String::new();
    if let Some(data) = rest.as_object_mut() {
        for name in AS_TEXT {
            let Some(value) = data.shift_remove(name) else { continue };
            data.shift_remove(&format!("{name}_lines"));
            let shown = match value {
                serde_json::Value::String(shown) => shown,
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
        format.show(&crate::vars::from_wire(data.into()), false, &secrets)
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
