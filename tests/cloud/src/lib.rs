//! Stands in for Tencent Cloud's API in tests. It checks every signature by computing it anew, refuses
//! parameters that the real one does not know, keeps state, takes its time with whatever the real one is
//! asynchronous about, and has faults on request: any call can be made to fail, zones be sold out, answers be
//! lost on their way.

mod clb;
mod cvm;
mod fault;
mod filter;
mod http;
mod signature;
mod state;
mod vpc;

pub use fault::Fault;
pub use state::{Settings, State};

use std::{
    collections::BTreeMap,
    io,
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};

/// What a call asks for.
pub(crate) struct Call<'r> {
    pub action: &'r str,
    pub payload: &'r Value,
}

/// An answer, or the code and message of an error.
pub(crate) type Answer = Result<Value, (String, String)>;

/// An error as an [`Answer`] has it.
pub(crate) fn error<T>(code: &str, message: impl Into<String>) -> Result<T, (String, String)> {
    Err((code.to_owned(), message.into()))
}

/// A running stand-in. It serves until the process ends.
#[derive(Clone)]
pub struct Cloud {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Cloud {
    /// Listens on that address; port 0 takes any.
    ///
    /// # Errors
    /// If the address is taken.
    pub fn start(address: &str, settings: Settings) -> io::Result<Cloud> {
        let listener = TcpListener::bind(address)?;
        let url = format!("http://{}/", listener.local_addr()?);
        let cloud = Cloud { url, state: Arc::new(Mutex::new(State::new(settings))) };
        let served = cloud.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let cloud = served.clone();
                thread::spawn(move || cloud.serve(&stream));
            }
        });
        Ok(cloud)
    }

    /// The state, to look at it or to change it by hand.
    pub fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock();
        state.settle();
        state
    }

    /// Lets calls fail from now on.
    pub fn fail(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// How often each action was called, since the last [`Cloud::forget_calls`].
    pub fn calls(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for (action, _) in &self.state().calls {
            *counts.entry(action.clone()).or_default() += 1;
        }
        counts
    }

    pub fn forget_calls(&self) {
        self.state().calls.clear();
    }

    fn serve(&self, stream: &TcpStream) {
        let Ok(Some(request)) = http::Request::read(stream) else { return };
        let answer = match request.path.as_str() {
            "/_stub/calls" => Some(json!(self.calls())),
            "/_stub/log" => Some(json!(self.state().calls)),
            "/_stub/weights" => Some(json!(self.state().weights())),
            "/_stub/fail" => {
                let fault = serde_json::from_slice(&request.body).ok().and_then(|json: Value| Fault::read(&json));
                let understood = fault.is_some();
                self.state().faults.extend(fault);
                Some(json!({ "understood": understood }))
            }
            _ => self.answer(&request),
        };
        // Without an answer the connection just ends.
        if let Some(answer) = answer {
            let _ = http::answer(stream, &answer);
        }
    }

    fn answer(&self, request: &http::Request) -> Option<Value> {
        let mut state = self.state();
        let id = state.new_id("req");
        let mut response = match dispatch(&mut state, request, &id) {
            Ok(Some(response)) => response,
            Ok(None) => return None,
            Err((code, message)) => json!({ "Error": { "Code": code, "Message": message } }),
        };
        response["RequestId"] = json!(id);
        Some(json!({ "Response": response }))
    }
}

fn dispatch(state: &mut State, request: &http::Request, id: &str) -> Result<Option<Value>, (String, String)> {
    let service = signature::check(request, &state.settings)?;
    let action = request.header("x-tc-action").unwrap_or_default().to_owned();
    let payload: Value = match serde_json::from_slice(&request.body) {
        Ok(payload @ Value::Object(_)) => payload,
        _ => return error("InvalidParameter", "the body is no JSON object"),
    };
    state.calls.push((action.clone(), payload.clone()));
    if state.settings.throttle {
        state.settings.throttle = false;
        return error("RequestLimitExceeded", "Your current request times equals to `21` in a second");
    }
    let fault = fault::take(&mut state.faults, &action);
    match &fault {
        Some(fault) if !fault.is_after => match fault.code.as_str() {
            "" => return Ok(None),
            code => return error(code, "as the test wants it"),
        },
        _ => {}
    }
    let (version, answer): (_, fn(&mut State, &Call, &str) -> Answer) = match service.as_str() {
        "vpc" => ("2017-03-12", vpc::answer),
        "cvm" => ("2017-03-12", cvm::answer),
        "clb" => ("2018-03-17", clb::answer),
        other => return error("UnsupportedProtocol", format!("there is no service {other}")),
    };
    if request.header("x-tc-version") != Some(version) {
        return error("NoSuchVersion", "The request version does not exist");
    }
    if request.header("x-tc-region") != Some(state.settings.region.as_str()) {
        return error("InvalidParameterValue", "Region");
    }
    let answer = answer(state, &Call { action: &action, payload: &payload }, id)?;
    Ok(if fault.is_some() { None } else { Some(answer) })
}
