//! Finds the module of a call and runs it.

use std::time::Instant;

use rplay_wire::{Call, Failure, Map, Outcome, Value};

use crate::{
    Host,
    args::given_twice,
    argtypes::PathArg,
    external, registry,
    system::{
        accounts::{NO_GROUP, NO_OWNER},
        attributes::describe,
        mode::NO_MODE,
        paths,
    },
};

/// Carries out a call on this host. Where panics unwind, a module's panic is a failed outcome.
pub fn run(call: &Call, host: &Host) -> Outcome {
    let begun = Instant::now();
    let host = &host.in_mode(call.mode);
    let entry = registry::find(&call.module);
    let run: Option<fn(&Call, &Host) -> Outcome> = match call.module.as_str() {
        external::MODULE => Some(external::run),
        _ => entry.map(|entry| entry.run),
    };
    let mut outcome = match run {
        Some(run) => {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(call, host))).unwrap_or_else(|panic| {
                let what = panic.downcast_ref::<String>().map(String::as_str);
                let what = what.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
                broke_down(call, what)
            })
        }
        None => Outcome::failed(Failure::new(format!("this agent has no module `{}`", call.module))),
    };
    if let Some(entry) = entry {
        outcome.warnings.splice(..0, given_twice(&(entry.args)(), &call.args));
    }
    if let Some(failure) = outcome.failure.take_if(|failure| failure.msg == NO_MODE) {
        outcome.fail(with_file(with_details(failure, &call.args), &call.args, host));
    } else if !outcome.data.contains_key("path")
        && let Some(failure) = outcome.failure.take_if(|failure| is_about_owner(failure))
    {
        outcome.fail(with_file(failure, &call.args, host));
    }
    // Who plans ahead relies on it.
    debug_assert!(
        outcome.facts.is_empty() || outcome.holds_up || entry.is_some_and(|entry| entry.traits.brings_facts),
        "the registry does not say that {} brings facts",
        call.module
    );
    outcome.micros = begun.elapsed().as_micros() as u64;
    outcome
}

/// The outcome of a call whose module panicked with this message.
pub fn broke_down(call: &Call, message: &str) -> Outcome {
    Outcome::failed(Failure::new(format!("the module {} broke down: {message}; this is a bug in rplay", call.module)))
}

fn is_about_owner(failure: &Failure) -> bool {
    [NO_OWNER, NO_GROUP].iter().any(|begun| failure.msg.starts_with(begun))
}

/// The failure to set a file's mode, with the reason that ansible-core tells.
fn with_details(mut failure: Failure, args: &Map) -> Failure {
    match args.get("mode") {
        Some(Value::Str(mode)) => {
            failure.data.insert("details".to_owned(), format!("bad symbolic permission for mode: {mode}").into());
        }
        mode => {
            let kind = mode.unwrap_or(&Value::Null).type_name();
            failure.data.insert("details".to_owned(), format!("'{kind}' object has no attribute 'split'").into());
        }
    }
    failure.help("quote octal numbers: \"0644\"; or write u=rw,g=r,o=r")
}

/// The failure to set the owner or mode of a file, with the state of the file.
fn with_file(mut failure: Failure, args: &Map, host: &Host) -> Failure {
    let path = ["path", "dest"].into_iter().find_map(|name| args.get(name).and_then(Value::as_str));
    if let Some(path) = path {
        let path = PathArg(path.to_owned()).on(host);
        failure.data.extend(describe(&path));
        failure.data.insert("path".to_owned(), paths::text(&path).into());
    }
    failure
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use rplay_wire::{Map, Mode};

    use super::*;
    use crate::NoBlobs;

    /// Runs a module with these arguments here.
    pub(crate) fn call(module: &str, args: Map) -> Outcome {
        call_in(module, args, Mode { check: false, diff: true, ..Mode::default() })
    }

    /// As `call`, in check mode.
    pub(crate) fn checked(module: &str, args: Map) -> Outcome {
        call_in(module, args, Mode { check: true, diff: true, ..Mode::default() })
    }

    #[test]
    fn a_failure_about_the_owner_has_the_state_of_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        for (name, value) in [("owner", "no-such-user"), ("group", "no-such-group"), ("mode", "zz")] {
            let outcome = call("lineinfile", rplay_wire::data! { "path" => path, "line" => "a", name => value });
            assert!(outcome.failure.is_some() && !outcome.changed, "{outcome:?}");
            assert_eq!((&outcome.data["path"], &outcome.data["size"]), (&path.into(), &2.into()), "{name}");
        }
    }

    #[test]
    fn an_argument_with_two_names_is_the_last_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let args = rplay_wire::data! { "name" => "/no/such", "dest" => "/nor", "destfile" => path, "line" => "a" };
        let mut other = args.clone();
        other.shift_remove("name");
        let outcome = call("lineinfile", other);
        assert!(outcome.changed, "{outcome:?}");
        assert_eq!(outcome.warnings, ["Both option path and its alias destfile are set."]);
        let outcome = call("lineinfile", args);
        assert_eq!(outcome.failure.unwrap().msg, "Destination /no/such does not exist !");
        assert_eq!(outcome.warnings.len(), 2);
    }

    fn call_in(module: &str, args: Map, mode: Mode) -> Outcome {
        let host = Host::new(Vec::new(), Arc::new(NoBlobs));
        run(&Call { module: module.to_owned(), args, mode, environment: Vec::new(), background: None }, &host)
    }
}
