//! Calls of modules that are not rplay's own: what the controller orders, in which style and with which arguments.

use rplay_wire::{Failure, Map, Value, data};

/// The name that such calls go by. No module of the registry can have it.
pub const MODULE: &str = "rplay.external";

/// How warnings begin that tell of what will not be there for ever.
pub const DEPRECATED: &str = "[DEPRECATED] ";

/// Arguments of the call that hold content.
pub const CONTENT: &[&str] = &["content", "base"];

/// How a module is run and takes its arguments, by the conventions of Ansible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Python that uses `ansible.module_utils`.
    Python,
    /// A program, text or binary, that is given a file with JSON (`WANT_JSON`).
    Json,
    /// A text in which `<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>` stands for the arguments.
    JsonArgs,
    /// A program that is given a file with `key=value` words.
    Pairs,
}

const STYLES: [(Style, &str); 4] =
    [(Style::Python, "python"), (Style::Json, "json"), (Style::JsonArgs, "jsonargs"), (Style::Pairs, "pairs")];

/// One call of a module that is not rplay's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// As messages and the module's log call it: `community.general.archive`, or the short name of one in `library/`.
    pub name: String,
    pub style: Style,
    /// The module's file; of one in Python a bundle of it and the module_utils that only it uses.
    pub content: Value,
    /// What all modules in Python share: a bundle with `ansible.module_utils.basic`.
    pub base: Option<Value>,
    /// The module's name within its bundle.
    pub package: String,
    /// The program that runs it, with its arguments; `None`: that of its first line, for Python one that is looked for.
    pub interpreter: Option<String>,
    /// Names and paths under which Python is looked for.
    pub candidates: Vec<String>,
    pub args: Map,
    /// What modules are told beside their arguments, without the prefix `_ansible_`.
    pub settings: Map,
    /// The folder in which modules may make temporary ones; `None`: the usual one.
    pub remote_tmp: Option<String>,
}

impl Order {
    /// As arguments of a call.
    pub fn into_args(self) -> Map {
        let style = STYLES.iter().find(|(style, _)| *style == self.style).map_or("", |(_, word)| word);
        data! {
            "name" => self.name,
            "style" => style,
            "content" => self.content,
            "base" => self.base,
            "package" => self.package,
            "interpreter" => self.interpreter,
            "candidates" => self.candidates,
            "args" => self.args,
            "settings" => self.settings,
            "remote_tmp" => self.remote_tmp,
        }
    }

    /// From the arguments of a call.
    ///
    /// # Errors
    /// They are none that [`Order::into_args`] makes.
    pub fn read(args: &Map) -> Result<Order, Failure> {
        let wrong = |name: &str| Failure::new(format!("the controller sent no `{name}` for a module to run"));
        let text = |name: &str| args.get(name).and_then(Value::as_str).map(str::to_owned);
        let map = |name: &str| args.get(name).and_then(Value::as_map).cloned().ok_or_else(|| wrong(name));
        let style = text("style").and_then(|word| STYLES.iter().find(|(_, known)| *known == word));
        let present = |name: &str| args.get(name).filter(|value| **value != Value::Null).cloned();
        Ok(Order {
            name: text("name").ok_or_else(|| wrong("name"))?,
            style: style.ok_or_else(|| wrong("style"))?.0,
            content: present("content").ok_or_else(|| wrong("content"))?,
            base: present("base"),
            package: text("package").ok_or_else(|| wrong("package"))?,
            interpreter: text("interpreter"),
            candidates: args
                .get("candidates")
                .and_then(Value::as_list)
                .unwrap_or_default()
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            args: map("args")?,
            settings: map("settings")?,
            remote_tmp: text("remote_tmp"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_comes_back_as_it_was_given() {
        let order = Order {
            name: "x.y.z".into(),
            style: Style::JsonArgs,
            content: Value::Bytes(vec![1]),
            base: None,
            package: String::new(),
            interpreter: Some("/usr/bin/python3 -S".into()),
            candidates: vec!["python3".into()],
            args: data! { "a" => 1 },
            settings: data! { "diff" => true },
            remote_tmp: None,
        };
        assert_eq!(Order::read(&order.clone().into_args()), Ok(order));
        let failure = Order::read(&data! { "name" => "x" }).unwrap_err();
        assert_eq!(failure.msg, "the controller sent no `style` for a module to run");
    }
}
