//! Become plugins in Python: the user's, and those of collections and ansible-core.

use std::path::Path;

use rplay_contract::wire::{Become, BecomePlugin};
use serde_json::{Value as Json, json};

use super::{Finder, plugins::answer_of_scope};
use crate::{python::Repeat, source::Source, template::Exchange, vars::BecomeCall};

impl Finder {
    /// Whether a method names a become plugin of the user's, which overrides a built-in one.
    pub(super) fn has_own_become(&self, method: &str) -> bool {
        let name = method.strip_prefix("ansible.legacy.").unwrap_or(method);
        if name.contains('.') {
            return false;
        }
        let is_python = |path: std::path::PathBuf| path.extension().is_some_and(|end| end == "py");
        let near = |directory: &Path| self.library.find(&directory.join("become_plugins"), name).is_some_and(is_python);
        self.plugin_places.directories.read().iter().any(|directory| near(directory))
            || self.settings.become_plugins.iter().any(|dir| self.library.find_below(dir, name).is_some_and(is_python))
    }

    /// How a become plugin starts an agent as another user; `None` if there is no such plugin.
    pub(super) fn becoming(&self, call: &BecomeCall<'_>) -> Result<Option<Become>, String> {
        if let Err(error) = self.pythons.core() {
            // A short name without a plugin is wrong even with ansible-core.
            if !call.method.contains('.') && !self.has_own_become(call.method) {
                return Ok(None);
            }
            return Err(format!("it needs ansible-core on the controller: {error}"));
        }
        let keywords = call.keywords.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
        let keywords: serde_json::Map<String, Json> = keywords.collect();
        let with = json!({ "method": call.method, "keywords": keywords, "password": call.password });
        let nowhere = Source::inline("become", "");
        let at = crate::source::Span::new(&nowhere, 0..0);
        let mut exchange = Exchange::with_trust(&call.scope.magic);
        let told = self.pythons.converse("becoming.command", &with, Repeat::Yes, |op, with| {
            answer_of_scope(call.scope, &at, &mut exchange, op, &with)
                .unwrap_or_else(|| Err(format!("no handler for `{op}`")))
        });
        let told = told.map_err(|error| error.to_string())?;
        let text = |name: &str| told.get(name).and_then(Json::as_str).map(str::to_owned);
        let texts = |name: &str| {
            let all = told.get(name).and_then(Json::as_array).into_iter().flatten();
            all.filter_map(Json::as_str).map(str::to_owned).collect()
        };
        let Some(command) = text("command") else { return Ok(None) };
        let plugin =
            BecomePlugin { command, prompt: text("prompt"), failed: texts("failed"), missing: texts("missing") };
        let password = text("password").inspect(|password| call.scope.magic.conceal(password));
        Ok(Some(Become {
            password,
            plugin: Some(plugin),
            ..Become::new(call.method.to_owned(), text("user").unwrap_or_else(|| "root".to_owned()))
        }))
    }
}
