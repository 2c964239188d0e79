//! The lookup `url`: the content of web pages.

use std::{path::PathBuf, sync::Arc, time::Duration};

use minijinja::Value;
use rplay_contract::{
    Host, NoBlobs,
    args::ArgType,
    system::http::{Follow, Login, Request},
};

use super::Table;

use crate::template::{
    args::Args,
    eval::{lazy::Pending, machine::Machine},
    value::{
        containers,
        error::{EvalError, EvalResult},
        items,
        number::Number,
        show,
        undefined::present,
    },
};
use crate::vars::to_wire;

pub(super) const LOOKUPS: Table = &[("url", url)];

/// An option: from the call, the variable `ansible_lookup_url_NAME`, or the environment.
fn option(machine: &Machine<'_>, args: &mut Args, name: &str, outside: &str) -> EvalResult<Option<Value>> {
    let given = args.optional(name)?;
    let variable = || {
        let scope = &machine.session.scope;
        let lazy = scope.get(&format!("ansible_lookup_url_{outside}"))?;
        Some(present(Pending::wrap(&lazy, scope, machine.session.library)))
    };
    let found = match given {
        Some(given) => Some(given),
        None => variable().transpose()?.or_else(|| {
            let name = format!("ANSIBLE_LOOKUP_URL_{}", outside.to_uppercase());
            std::env::var(name).ok().map(Value::from)
        }),
    };
    Ok(found.filter(|value| !value.is_none()))
}

fn flag(value: Option<Value>, default: bool) -> bool {
    match value {
        Some(value) => match value.as_str().map(str::to_lowercase).as_deref() {
            Some("no" | "false" | "0" | "off" | "n" | "f" | "") => false,
            _ => items::truth(&value),
        },
        None => default,
    }
}

/// The items of a list, or of comma-separated text.
fn texts(value: Option<Value>) -> EvalResult<Vec<String>> {
    match value {
        Some(value) if containers::is_list(&value) => items::items(&value)?.iter().map(show::text).collect(),
        Some(value) => Ok(show::text(&value)?.split(',').map(|part| part.trim().to_owned()).collect()),
        None => Ok(Vec::new()),
    }
}

fn url(machine: &mut Machine<'_>, terms: Vec<Value>, mut args: Args) -> EvalResult<Vec<Value>> {
    let mut like = Request::get("");
    like.reads_files = true;
    like.trust.validate = flag(args.optional("validate_certs")?, true);
    like.use_proxy = flag(args.optional("use_proxy")?, true);
    let split_lines = flag(args.optional("split_lines")?, true);
    let mut login: [Option<String>; 2] = [None, None];
    for (slot, name) in login.iter_mut().zip(["username", "password"]) {
        *slot = args.optional(name)?.filter(|value| !value.is_none()).map(|value| show::text(&value)).transpose()?;
    }
    if let [Some(user), password] = login {
        like.login = Some(Login::new(user, password.unwrap_or_default()));
    }
    if let Some(headers) = args.optional("headers")?.filter(|headers| !headers.is_none()) {
        for (name, value) in containers::pairs(&headers) {
            like.headers.push((show::text(&name)?, show::text(&present(value)?)?));
        }
    }
    let mut option = |name: &str, outside: &str| option(machine, &mut args, name, outside);
    let path =
        |value: Option<Value>| EvalResult::Ok(value.map(|value| show::text(&value)).transpose()?.map(PathBuf::from));
    if flag(option("force", "force")?, false) {
        like.default_header("Cache-Control", "no-cache");
    }
    if let Some(timeout) = option("timeout", "timeout")? {
        let seconds = Number::of(&timeout).map(Number::float).or_else(|| timeout.as_str()?.trim().parse().ok());
        let seconds = seconds
            .filter(|seconds| (0.0..1e9).contains(seconds))
            .ok_or_else(|| EvalError::new(super::invalid_option("url", "timeout", "float", &show::repr(&timeout))))?;
        like.timeout = Duration::from_secs_f64(seconds);
    }
    let agent = option("http_agent", "agent")?;
    let agent = agent.map_or(Ok("ansible-httpget".to_owned()), |agent| show::text(&agent))?;
    like.default_header("User-Agent", agent);
    like.force_basic_auth = flag(option("force_basic_auth", "force_basic_auth")?, false);
    if let Some(follow) = option("follow_redirects", "follow_redirects")? {
        like.follow = Follow::parse(&to_wire(&follow)).map_err(|_| {
            let name = show::plain_text(&follow);
            EvalError::new(format!("Invalid value '{name}' for config 'follow_redirects' for 'url' lookup plugin."))
        })?;
    }
    if flag(option("use_gssapi", "use_gssapi")?, false) {
        return Err(EvalError::new("use_gssapi is not supported: there is no Kerberos library"));
    }
    like.use_netrc = flag(option("use_netrc", "use_netrc")?, true);
    like.unix_socket = path(option("unix_socket", "unix_socket")?)?;
    like.trust.ca_path = path(option("ca_path", "ca_path")?)?;
    like.unredirected = texts(option("unredirected_headers", "unredir_headers")?)?;
    if !texts(option("ciphers", "ciphers")?)?.is_empty() {
        return Err(EvalError::new("ciphers is not supported: TLS chooses among modern ones alone"));
    }
    args.finish()?;
    let host = Host::new(Vec::new(), Arc::new(NoBlobs));
    let mut found = Vec::new();
    for term in terms {
        let url = show::text(&term)?;
        let request = Request { url: url.clone(), ..like.clone() };
        let mut response =
            request.send(&host).map_err(|why| EvalError::new(format!("Failed lookup url for {url}: {why}")))?;
        if response.status >= 400 || (response.status >= 300 && like.follow == Follow::None) {
            let (status, reason) = (response.status, &response.reason);
            return Err(EvalError::new(format!("Received HTTP error for {url}: HTTP Error {status}: {reason}")));
        }
        let content = response.content().map_err(|failure| EvalError::new(failure.to_string()))?;
        let text = String::from_utf8_lossy(&content);
        match split_lines {
            true => found.extend(text.lines().map(Value::from)),
            false => found.push(Value::from(text.into_owned())),
        }
    }
    Ok(found)
}
