//! Resolves a module name to an action, in Ansible's order.

use std::sync::Arc;

use super::{Action, Meant, Project, arguments, catalogue::Named};
use crate::{
    collections::BUILTIN,
    external::{Around, Missing, OfCore, Reason},
    syntax::builtin_name,
};

/// Maximum number of consecutive redirections.
const MOST_REDIRECTS: usize = 10;

impl Project {
    /// The action that a task names. Candidates in order: a plugin in an `action_plugins/`; a module in the collections
    /// to search; a module in a `library/`; one of rplay's own; one of a collection or of ansible-core, where an action
    /// plugin takes precedence over the module of its name. No module replaces an action of the controller.
    ///
    /// # Errors
    /// If there is none, or none that can be used.
    pub fn action(&self, written: &str, around: Around<'_>) -> Result<Action, Missing> {
        self.resolved(written, around, true)
    }

    /// The same without warnings: the name is only compared with others.
    pub(super) fn action_quietly(&self, written: &str, around: Around<'_>) -> Result<Action, Missing> {
        self.resolved(written, around, false)
    }

    /// The action for a task with arguments of these names. Where a built-in module of a collection lacks one, the
    /// collection's own module runs if it is installed: it may have it.
    pub fn action_with<'n>(
        &self,
        action: Action,
        names: impl Iterator<Item = &'n Arc<str>>,
        around: Around<'_>,
    ) -> Action {
        let entry = match action {
            Action::Module(entry) if !BUILTIN.contains(&entry.collection) => entry,
            _ => return action,
        };
        if arguments::unknown(&action, names).is_empty() {
            return action;
        }
        let name = format!("{}.{}", entry.collection, entry.name);
        let module = self.collections.module_file(&name).map(|file| self.finder().of_collection(&name, file, around));
        module.and_then(Result::ok).map_or(action, Action::External)
    }

    fn resolved(&self, written: &str, around: Around<'_>, warns: bool) -> Result<Action, Missing> {
        let finder = self.finder();
        if let Some(why) = finder.settings.rejected.refuses(written) {
            return Err(Missing::refused(why));
        }
        let mut name = written.to_owned();
        for _ in 0..MOST_REDIRECTS {
            let named = match warns {
                true => self.named(&name, around.collections).map_err(Missing::refused)?,
                false => Named::find(&name, &self.collections, around.collections),
            };
            let is_builtin = named.collection.as_deref().is_none_or(|collection| BUILTIN.contains(&collection));
            let legacy = name.strip_prefix("ansible.legacy.").unwrap_or(&name);
            let own = Some(legacy).filter(|name| is_builtin && !name.contains('.'));
            let is_controllers = matches!(named.meant, Meant::Action(Action::Controller(_) | Action::Statement(_)));
            let plugin = own.filter(|_| !around.modules_only && !named.meant.controls_the_run());
            if let Some(plugin) = plugin.and_then(|own| finder.own_action(own, around)) {
                return Ok(Action::Plugin(plugin));
            }
            if let Some(module) =
                own.filter(|_| around.modules_only || !is_controllers).and_then(|own| finder.in_library(own, around))
            {
                return Ok(Action::External(module));
            }
            match named.meant {
                Meant::Action(action) if !around.modules_only || !is_controllers => return Ok(action),
                // The module that an action of the controller calls under Ansible.
                Meant::Action(_) => {}
                Meant::Removed(msg) => return Err(Missing::refused(msg)),
                Meant::Content { name: full, file } => {
                    let mut names = [&full, &name].into_iter().filter(|_| !around.modules_only);
                    return match names.find_map(|name| finder.action_of_collection(name)) {
                        Some(plugin) => Ok(Action::Plugin(plugin)),
                        None => finder.of_collection(&full, file, around).map(Action::External),
                    };
                }
                Meant::Nothing => {}
            }
            if let Some(plugin) = plugin.and_then(|own| finder.action_of_other_roles(own, around)) {
                return Ok(Action::Plugin(plugin));
            }
            if let Some(module) = own.and_then(|own| finder.in_other_roles(own, around)) {
                return Ok(Action::External(module));
            }
            let core = builtin_name(&name);
            if core.contains('.') {
                let plugin = finder.action_of_collection(&name).filter(|_| !around.modules_only);
                return plugin.map(Action::Plugin).ok_or_else(|| finder.lacks(&name));
            }
            match finder.of_core(core, around)? {
                OfCore::Module(module) => return Ok(Action::External(module)),
                OfCore::Action(plugin) => return Ok(Action::Plugin(plugin)),
                OfCore::Moved { to, deprecated } => {
                    deprecated.iter().filter(|_| warns).for_each(|message| self.deprecated(message));
                    name = to;
                }
            }
        }
        let msg = format!("too many redirections of `{written}`");
        Err(Missing { msg, help: None, reason: Reason::Refused })
    }
}
