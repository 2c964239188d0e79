//! docker_login: registry credentials.

use rplay_wire::{Failure, data};
use serde_json::json;

use super::{
    credentials::{DOCKER_HUB, DockerConfig, Login, refuse_helper, registry_key},
    engine::{Engine, EngineArgs, EngineError},
};
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, PresentAbsent as State, Secret, Text},
};

args! {
    /// Logs a user in to an image registry, or out of it. The credentials are verified with the registry and stored in
    /// `~/.docker/config.json`, where the docker command and docker_image find them.
    pub struct DockerLogin {
        ..engine: EngineArgs,
        /// The host and port of the registry; by default Docker's own.
        registry_url: Text | "registry" | "url" = DOCKER_HUB.to_owned(),
        /// The user name.
        username: Option<Text>,
        /// The password. It is sent to the Engine in the body of a request, and stored in the file.
        password: Option<Secret>,
        /// Verify the credentials even if they are already stored.
        reauthorize: Flag | "reauth" = Flag(false),
        /// The file, by default `~/.docker/config.json`.
        config_path: Option<PathArg> | "dockercfg_path",
        /// Log in (`present`) or out (`absent`).
        state: State = State::Present,
    }
}

impl Module for DockerLogin {
    fn check(&self) -> Result<(), ArgError> {
        if self.state == State::Absent {
            return Ok(());
        }
        for (name, given) in [("username", self.username.is_some()), ("password", self.password.is_some())] {
            if !given {
                return Err(ArgError::new(name, format!("`{name}` is required to log in")));
            }
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let registry = registry_key(&self.registry_url);
        let config = DockerConfig::read(host, self.config_path.as_ref())?;
        let stored = config.login(&registry);
        if let Some(helper) = config.credential_helper(&registry) {
            return Err(refuse_helper(&config, &registry, helper));
        }
        let (Some(username), Some(password), State::Present) = (self.username, self.password, self.state) else {
            if !config.names(&registry) {
                return Ok(Plan::unchanged());
            }
            let what = format!("log out of {registry}");
            return Ok(Plan::unchanged().change(Change::new(what, move |_, _| config.store(&registry, None))));
        };
        let same = stored.is_some_and(|login| {
            // The password behind a stored token is unknown.
            login.username == username && (login.token.is_some() || login.password == password.0)
        });
        let result = data! { "serveraddress" => registry.as_str(), "username" => username.as_str() };
        let plan = Plan::unchanged().set("login_result", result);
        if same && !self.reauthorize.0 {
            return Ok(plan);
        }
        let engine = self.engine;
        let what = format!("log in to {registry} as {username}");
        Ok(plan.change(Change::new(what, move |host, data| {
            let engine = Engine::reach(host, &engine)?;
            let body = json!({"username": username, "password": password.0, "serveraddress": registry});
            let response = engine.post("/auth", &body).map_err(|error| refused(error, &registry, &username))?;
            let token =
                response.get("IdentityToken").and_then(|token| token.as_str()).filter(|token| !token.is_empty());
            let login = Login {
                username: username.clone(),
                password: if token.is_some() { String::new() } else { password.0 },
                token: token.map(str::to_owned),
            };
            config.store(&registry, Some(&login))?;
            let status = response.get("Status").and_then(|status| status.as_str()).unwrap_or("Login Succeeded");
            let result = data! { "serveraddress" => registry, "username" => username, "Status" => status };
            data.insert("login_result".to_owned(), result.into());
            Ok(())
        })))
    }
}

fn refused(error: EngineError, registry: &str, username: &str) -> Failure {
    match error {
        // The Engine reports a registry's 401 as a 500 with these words.
        EngineError::Refused { status, message } if status == 401 || message.contains("401 Unauthorized") => {
            Failure::new(format!("{registry} rejects the password of {username}: {message}")).arg("password")
        }
        EngineError::Refused { message, .. } => {
            Failure::new(format!("cannot log in to {registry}: {message}")).arg("registry_url")
        }
        error => error.into(),
    }
}
