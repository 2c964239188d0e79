//! Resolves a module name to an action, in Ansible's order.

use super::{Action, Meant, Project};
use crate::{
    collections::BUILTIN,
    external::{Around, Missing, OfCore, Reason},
};

/// Maximum number of consecutive redirections.
const MOST_REDIRECTS: usize = 10;

impl Project {
    /// The action that a task names. Candidates in order: a module of the collections to search, of a `library/`, one
    /// of
    /// rplay's own, one of a collection or of ansible-core. Controller actions are never replaced.
    ///
    /// # Errors
    /// If there is none, or none that can be used.
    pub fn action(&self, written: &str, around: Around<'_>) -> Result<Action, Missing> {
        let finder = self.finder();
        let mut name = written.to_owned();
        for _ in 0..MOST_REDIRECTS {
            let named = self.named(&name, around.collections).map_err(Missing::refused)?;
            let is_builtin = named.collection.as_deref().is_none_or(|collection| BUILTIN.contains(&collection));
            let legacy = name.strip_prefix("ansible.legacy.").unwrap_or(&name);
            let own = Some(legacy).filter(|name| is_builtin && !name.contains('.'));
            let is_controllers = matches!(named.meant, Meant::Action(Action::Controller(_) | Action::Statement(_)));
            if let Some(module) = own.filter(|_| !is_controllers).and_then(|own| finder.in_library(own, around)) {
                return Ok(Action::External(module));
            }
            match named.meant {
                Meant::Action(action) => return Ok(action),
                Meant::Removed(msg) => return Err(Missing::refused(msg)),
                Meant::Content { name: full, file } => {
                    let refused = [&full, &name].into_iter().find_map(|name| finder.acts(name));
                    return match refused {
                        Some(refused) => Err(refused),
                        None => finder.of_collection(&full, file, around).map(Action::External),
                    };
                }
                Meant::Nothing => {}
            }
            if let Some(module) = own.and_then(|own| finder.in_other_roles(own, around)) {
                return Ok(Action::External(module));
            }
            let core = legacy.strip_prefix("ansible.builtin.").unwrap_or(legacy);
            if core.contains('.') {
                return Err(finder.acts(&name).unwrap_or_else(|| finder.lacks(&name)));
            }
            match finder.of_core(core, around)? {
                OfCore::Module(module) => return Ok(Action::External(module)),
                OfCore::Moved { to, deprecated } => {
                    deprecated.iter().for_each(|message| self.deprecated(message));
                    name = to;
                }
            }
        }
        let msg = format!("too many redirections of `{written}`");
        Err(Missing { msg, help: None, reason: Reason::Refused })
    }
}
