//! All actions of the controller, one line each.

use std::sync::OnceLock;

use rplay_contract::Wording;

use super::{
    entry::{
        ActionEntry,
        Function::{Answers, Calls},
        entry, relayed,
    },
    *,
};

/// An action that words unknown arguments as modules do.
const LIKE_A_MODULE: Wording = Wording { like_module: true, ..Wording::USUAL };

/// Sorted by name.
pub static ACTIONS: &[ActionEntry] = &[
    entry::<add_host::AddHost>("add_host", Answers(add_host::add_host)).open().once_for_all(),
    relayed("assemble", Calls(assemble::assemble)).wording(assemble::WORDING).keeps_to_host(),
    entry::<assert::Assert>("assert", Answers(assert::assert))
        .wording(LIKE_A_MODULE)
        .keeps_to_host()
        .foreseeable()
        .fails_in_words()
        .expressions("that"),
    relayed("copy", Calls(copy::copy))
        .wording(copy::WORDING)
        .gives_up(copy::gives_up)
        .fails_in_words()
        .keeps_to_host()
        .foreseeable()
        .independent_items()
        .reads_our_files(copy::reads_our_files),
    entry::<debug::Debug>("debug", Answers(debug::debug))
        .wording(LIKE_A_MODULE)
        .keeps_to_host()
        .foreseeable()
        .shows_data_alone()
        .skip_has_failed(|_| true),
    entry::<fail::Fail>("fail", Answers(fail::fail)).fails_in_words(),
    // As in Ansible, what it does not know is passed over.
    relayed("fetch", Calls(fetch::fetch)).open().keeps_to_host().foreseeable().independent_items(),
    entry::<gather_facts::GatherFacts>("gather_facts", Calls(gather_facts::gather_facts)).open().gathers(),
    entry::<group_by::GroupBy>("group_by", Answers(group_by::group_by))
        .wording(group_by::WORDING)
        .gives_up(|_| false)
        .fails_in_words(),
    entry::<include_vars::IncludeVars>("include_vars", Answers(include_vars::include_vars))
        .wording(include_vars::WORDING)
        // What is wrong with a file is its answer.
        .gives_up(|msg| msg.starts_with("Task failed: ") && !msg.starts_with("Task failed: Action failed"))
        .free_form("file"),
    relayed("patch", Calls(patch::patch)).keeps_to_host().foreseeable().independent_items().reads_our_files(|_| true),
    entry::<pause::Pause>("pause", Answers(pause::pause)).wording(LIKE_A_MODULE).once_for_all(),
    relayed("reboot", Calls(reboot::reboot)).gives_up(|_| false),
    relayed("script", Calls(script::script))
        .wording(script::WORDING)
        .free_form("_raw_params")
        .keeps_to_host()
        .foreseeable()
        .independent_items()
        .reads_our_files(|_| true),
    entry::<set_fact::SetFact>("set_fact", Answers(set_fact::set_fact))
        .open()
        .keeps_to_host()
        .foreseeable()
        .sets_arguments(),
    entry::<set_stats::SetStats>("set_stats", Answers(set_stats::set_stats)).gives_up(|_| false),
    relayed("synchronize", Calls(synchronize::synchronize))
        .wording(synchronize::WORDING)
        .connected_by(synchronize::connect),
    entry::<template::Template>("template", Calls(template::template))
        .wording(template::WORDING)
        .keeps_to_host()
        .foreseeable()
        .independent_items()
        .reads_our_files(|_| true),
    relayed("unarchive", Calls(unarchive::unarchive))
        .wording(unarchive::WORDING)
        .keeps_to_host()
        .foreseeable()
        .independent_items()
        .reads_our_files(|_| true),
    relayed("uri", Calls(uri::uri))
        .wording(uri::WORDING)
        .foreseeable()
        .independent_items()
        .reads_our_files(copy::reads_our_files)
        .differs_in_async()
        // In Ansible, it skips before its module is called.
        .skip_has_failed(|_| false),
    entry::<validate_argument_spec::ValidateArgumentSpec>(
        "validate_argument_spec",
        Answers(validate_argument_spec::validate),
    )
    .gives_up(|_| false),
    entry::<wait_for_connection::WaitForConnection>(
        "wait_for_connection",
        Calls(wait_for_connection::wait_for_connection),
    )
    .concluded_by(wait_for_connection::conclude)
    .skip_has_failed(|_| true),
];

static ADDED: OnceLock<&'static [ActionEntry]> = OnceLock::new();

/// Adds the actions of a program that embeds the engine, which calls this once, before anything is read; later calls
/// have no effect. Names in [`ACTIONS`] come first.
pub fn add(actions: &'static [ActionEntry]) {
    let _ = ADDED.set(actions);
}

/// All actions of the controller.
pub fn actions() -> impl Iterator<Item = &'static ActionEntry> {
    ACTIONS.iter().chain(ADDED.get().copied().unwrap_or_default())
}

/// The action of that short name.
pub fn find(name: &str) -> Option<&'static ActionEntry> {
    match ACTIONS.binary_search_by(|entry| entry.name.cmp(name)) {
        Ok(at) => Some(&ACTIONS[at]),
        Err(_) => ADDED.get()?.iter().find(|entry| entry.name == name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_sorted_so_that_each_is_found() {
        assert!(ACTIONS.is_sorted_by_key(|entry| entry.name));
        for entry in ACTIONS {
            assert!(find(entry.name).is_some_and(|found| std::ptr::eq(found, entry)), "{}", entry.name);
        }
    }

    #[test]
    fn every_argument_is_documented() {
        for definition in ACTIONS.iter().filter_map(|entry| entry.definition) {
            assert!(!definition.doc.trim().is_empty());
            for arg in (definition.args)() {
                assert!(!arg.doc.trim().is_empty(), "{} has no documentation", arg.name);
            }
        }
    }
}
