//! Calls of modules that are not rplay's own: what the controller orders, in which style and with which arguments.

use rplay_wire::{Failure, Map, Value, data};

/// The module name of such calls. No module in the registry has it.
pub const MODULE: &str = "rplay.external";

/// The beginning of warnings about deprecated features.
pub const DEPRECATED: &str = "[DEPRECATED] ";

/// Whether a warning is about a deprecation.
pub fn is_deprecation(message: &str) -> bool {
    message.starts_with(DEPRECATED) || message.contains("This feature will be removed from ")
}

/// Arguments of the call that hold content.
pub const CONTENT: &[&str] = &["content", "base"];

/// How a module is run and gets its arguments, by Ansible's conventions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Python that uses `ansible.module_utils`.
    Python,
    /// A program, script or binary, that gets a JSON file (`WANT_JSON`).
    Json,
    /// A script in which `<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>` is replaced by the arguments.
    JsonArgs,
    /// A program that gets a file of `key=value` words.
    Pairs,
}

const STYLES: [(Style, &str); 4] =
    [(Style::Python, "python"), (Style::Json, "json"), (Style::JsonArgs, "jsonargs"), (Style::Pairs, "pairs")];

/// A call of a module that rplay does not implement.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Its name in messages and in the module's log: `community.general.archive`, or the short name of one in
    /// `library/`.
    pub name: String,
    pub style: Style,
    /// The module file; for Python, a bundle with the module_utils that only it uses.
    pub content: Value,
    /// The shared part of all Python modules: a bundle with `ansible.module_utils.basic`.
    pub base: Option<Value>,
    /// The name of the module in its bundle.
    pub package: String,
    /// The interpreter with its arguments; `None` means that of the shebang line, or for Python a discovered one.
    pub interpreter: Option<String>,
    /// Names and paths of Python interpreters to try.
    pub candidates: Vec<String>,
    pub args: Map,
    /// Settings for modules besides their arguments, without the prefix `_ansible_`.
    pub settings: Map,
    /// Whether something shows the arguments that the module returns.
    pub shows_invocation: bool,
    /// The parent of modules' temporary directories; `None` for the default.
    pub remote_tmp: Option<String>,
}

impl Order {
    /// The arguments of a call.
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
            "shows_invocation" => self.shows_invocation,
            "remote_tmp" => self.remote_tmp,
        }
    }

    /// Parses the arguments of a call.
    ///
    /// # Errors
    /// If they were not created by [`Order::into_args`].
    pub fn read(args: &Map) -> Result<Order, Failure> {
        let wrong = |name: &str| Failure::new(format!("the controller did not send `{name}` for the module"));
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
            shows_invocation: args.get("shows_invocation") == Some(&Value::Bool(true)),
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
            shows_invocation: true,
            remote_tmp: None,
        };
        assert_eq!(Order::read(&order.clone().into_args()), Ok(order));
        let failure = Order::read(&data! { "name" => "x" }).unwrap_err();
        assert_eq!(failure.msg, "the controller did not send `style` for the module");
    }
}
