//! To which actions `module_defaults` apply.

use std::sync::Arc;

use super::{
    Action, Project,
    catalogue::{Meant, Named},
};
use crate::{collections::Qualified, external::Around};

impl Project {
    /// Whether a key of `module_defaults` applies to an action: its name, or a group (`group/NAME`) that contains it.
    /// Short names are those of `collections`, too.
    pub fn has_defaults(&self, key: &str, action: &Action, collections: &[Arc<str>]) -> bool {
        let around = Around { collections, ..Around::default() };
        let same = |name: &str| {
            let meant = match Qualified::parse(name) {
                // A short name must be the action's own.
                None => return name == action.name(),
                Some(_) => Named::find(name, &self.collections, &[]).meant,
            };
            matches!(meant, Meant::Action(found) if found.name() == action.name())
        };
        let same = |name: &str| match action {
            Action::External(module) => {
                let leads_here = |found| matches!(found, Ok(Action::External(found)) if std::ptr::eq(found, *module));
                name == module.full_name
                    || module.collection().is_none() && name == module.name
                    || leads_here(self.action(name, around))
            }
            Action::Plugin(plugin) => {
                let leads_here = |found| matches!(found, Ok(Action::Plugin(found)) if std::ptr::eq(found, *plugin));
                name == plugin.full_name
                    || plugin.collection().is_none() && name == plugin.name
                    || leads_here(self.action(name, around))
            }
            _ => same(name),
        };
        let Some(group) = key.strip_prefix("group/") else { return same(key) };
        let short = group.rsplit('.').next().unwrap_or(group);
        // The groups of rplay's own modules are named after their collections.
        let is_short = !group.contains('.');
        let of_collections = collections.iter().filter(|_| is_short).map(|collection| format!("{collection}.{group}"));
        let mut groups = of_collections.chain([group.to_owned()]);
        action.group() == short || groups.any(|group| self.collections.group(&group).iter().any(|member| same(member)))
    }
}
