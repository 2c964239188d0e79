//! Commands that change roles on a server: their import from GitHub, their removal, and integrations.

use std::{fmt::Write, thread, time::Duration};

use rplay_wire::percent;
use serde_json::Value as Json;

use super::{Galaxy, GalaxyError, Result, api::Api};

/// `galaxy role import`.
#[derive(Debug, Default)]
pub struct ImportOptions {
    pub user: String,
    pub repository: String,
    pub branch: Option<String>,
    /// The name of the role, if it is not the repository's.
    pub role: Option<String>,
    /// Whether to wait until the server has imported it.
    pub waits: bool,
    /// Only show the state of the last import.
    pub status: bool,
}

/// `galaxy role setup`.
#[derive(Debug)]
pub enum Setup {
    List,
    Remove(String),
    Add { source: String, user: String, repository: String, secret: String },
}

/// The pause between questions about an import.
const PAUSE: Duration = Duration::from_secs(10);

/// Words of the server's messages have these names.
const STATES: [&str; 2] = ["SUCCESS", "FAILED"];

impl Galaxy {
    fn first_api(&self) -> Result<Api<'_>> {
        Ok(Api::new(self, self.servers.first().ok_or_else(|| GalaxyError::new("no Galaxy server is configured"))?))
    }

    /// Imports a role from GitHub. Returns whether the import succeeded.
    ///
    /// # Errors
    /// If the server refuses it, or cannot be queried.
    pub fn import_role(&self, options: &ImportOptions) -> Result<bool> {
        let api = self.first_api()?;
        let ImportOptions { user, repository, .. } = options;
        let tasks = match options.status {
            true => api.role_imports(&format!("github_user={}&github_repo={}", encoded(user), encoded(repository)))?,
            false => {
                let branch = options.branch.as_deref().unwrap_or_default();
                let mut form =
                    vec![("github_user", user.as_str()), ("github_repo", repository), ("github_reference", branch)];
                form.extend(options.role.as_deref().map(|role| ("alternate_role_name", role)));
                let json = api.send_form("POST", "imports/", &form)?;
                json.get("results").and_then(Json::as_array).cloned().unwrap_or_default()
            }
        };
        let Some(task) = tasks.first() else {
            return Err(GalaxyError::new(format!("there is no import of {user}/{repository} on the server")));
        };
        if !options.status {
            if tasks.len() > 1 {
                self.say(several(options, &tasks));
                return Ok(true);
            }
            self.say(format!("Successfully submitted import request {}", shown(task, "/id")));
            if !options.waits {
                self.say(format!("Role name: {}", shown(task, "/summary_fields/role/name")));
                self.say(format!("Repo: {}/{}", shown(task, "/github_user"), shown(task, "/github_repo")));
                return Ok(true);
            }
        }
        self.follow(&api, &shown(task, "/id"))
    }

    /// Shows what the server says of an import, until it has ended.
    fn follow(&self, api: &Api<'_>, id: &str) -> Result<bool> {
        let mut told: Vec<Json> = Vec::new();
        loop {
            let tasks = api.role_imports(&format!("id={}", encoded(id)))?;
            let task = tasks.first().ok_or_else(|| GalaxyError::new(format!("the server knows no import {id}")))?;
            for message in task.pointer("/summary_fields/task_messages").and_then(Json::as_array).into_iter().flatten()
            {
                let number = message.get("id").cloned().unwrap_or_default();
                if !told.contains(&number) {
                    self.say(shown(message, "/message_text"));
                    told.push(number);
                }
            }
            let state = shown(task, "/state");
            if STATES.contains(&state.as_str()) {
                return Ok(state == STATES[0]);
            }
            thread::sleep(PAUSE);
        }
    }

    /// Removes a role from the server.
    ///
    /// # Errors
    /// If the server refuses it, or cannot be queried.
    pub fn delete_role(&self, user: &str, repository: &str) -> Result<()> {
        let path = format!("removerole/?github_user={}&github_repo={}", encoded(user), encoded(repository));
        let json = self.first_api()?.send_form("DELETE", &path, &[])?;
        let gone = json.get("deleted_roles").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        if gone.len() > 1 {
            self.say("Deleted the following roles:\nID     User            Name\n------ --------------- ----------");
            for role in gone {
                let (id, user, name) = (shown(role, "/id"), shown(role, "/namespace"), shown(role, "/name"));
                self.say(format!("{id:<8} {user:<15} {name}"));
            }
        }
        self.say(shown(&json, "/status"));
        Ok(())
    }

    /// Lists, removes or adds an integration that imports roles.
    ///
    /// # Errors
    /// If the server refuses it, or cannot be queried.
    pub fn setup_roles(&self, setup: &Setup) -> Result<()> {
        let api = self.first_api()?;
        match setup {
            Setup::List => {
                let secrets = api.notification_secrets()?;
                if secrets.is_empty() {
                    self.say("No integrations found.");
                    return Ok(());
                }
                self.say("\nID         Source     Repo\n---------- ---------- ----------");
                for secret in &secrets {
                    let (id, source) = (shown(secret, "/id"), shown(secret, "/source"));
                    let (user, repository) = (shown(secret, "/github_user"), shown(secret, "/github_repo"));
                    self.say(format!("{id:<10} {source:<10} {user}/{repository}"));
                }
            }
            Setup::Remove(id) => {
                api.send_form("DELETE", &format!("notification_secrets/{}/", encoded(id)), &[])?;
                self.say("Secret removed. Integrations using this secret will not longer work.");
            }
            Setup::Add { source, user, repository, secret } => {
                let form = [
                    ("source", source.as_str()),
                    ("github_user", user),
                    ("github_repo", repository),
                    ("secret", secret),
                ];
                let json = api.send_form("POST", "notification_secrets/", &form)?;
                let (user, repository) = (shown(&json, "/github_user"), shown(&json, "/github_repo"));
                self.say(format!("Added integration for {} {user}/{repository}", shown(&json, "/source")));
            }
        }
        Ok(())
    }
}

/// What to do if a repository belongs to several roles.
fn several(options: &ImportOptions, tasks: &[Json]) -> String {
    let repository = format!("{}/{}", options.user, options.repository);
    let mut text = format!(
        "WARNING: More than one Galaxy role associated with Github repo {repository}.\n\
         The following Galaxy roles are being updated:\n"
    );
    for task in tasks {
        let role = |name: &str| shown(task, &format!("/summary_fields/role/{name}"));
        let _ = writeln!(text, "{}.{}", role("namespace"), role("name"));
    }
    text + &format!(
        "\nTo properly namespace this role, remove each of the above and re-import {repository} from scratch"
    )
}

fn encoded(text: &str) -> String {
    percent::encode(text, "").to_string()
}

/// A value in a response as text.
fn shown(json: &Json, pointer: &str) -> String {
    match json.pointer(pointer) {
        Some(Json::String(text)) => text.clone(),
        Some(other) => rplay_wire::python_text(&other.clone().into()),
        None => String::new(),
    }
}
