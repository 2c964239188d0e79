//! Calls that fail because a test wants them to.

use serde_json::Value;

/// Which calls fail, how often, and how.
#[derive(Clone, Debug)]
pub struct Fault {
    pub action: String,
    pub times: usize,
    /// The error's code; empty: there is no answer at all.
    pub code: String,
    /// The call is carried out all the same, and then there is no answer.
    pub is_after: bool,
}

impl Fault {
    pub fn new(action: &str, code: &str) -> Fault {
        Fault { action: action.to_owned(), times: 1, code: code.to_owned(), is_after: false }
    }

    /// The call is carried out, and its answer lost.
    pub fn lost_answer(action: &str) -> Fault {
        Fault { is_after: true, ..Fault::new(action, "") }
    }

    /// As it comes to `/_stub/fail`: `{"action": ..., "times": 1, "code": ..., "after": false}`.
    pub fn read(json: &Value) -> Option<Fault> {
        Some(Fault {
            action: json["action"].as_str()?.to_owned(),
            times: json["times"].as_u64().unwrap_or(1) as usize,
            code: json["code"].as_str().unwrap_or_default().to_owned(),
            is_after: json["after"].as_bool().unwrap_or_default(),
        })
    }
}

/// The fault of this call, if it has one.
pub(crate) fn take(faults: &mut Vec<Fault>, action: &str) -> Option<Fault> {
    let found = faults.iter_mut().find(|fault| fault.action == action)?;
    found.times = found.times.saturating_sub(1);
    let fault = found.clone();
    faults.retain(|fault| fault.times > 0);
    Some(fault)
}
