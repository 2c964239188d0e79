//! The routes under /api/v1 and what each one does.

use serde::Serialize;

use crate::counters::Counters;
use crate::date;
use crate::envelope::{Answer, done, done_list, failed, refused, wrong};
use crate::input::Input;
use crate::journal::Journal;
use crate::knobs::Knobs;
use crate::store::{Store, Task};
use crate::token::{self, Claims, Refusal};

pub struct Service {
    pub hostname: String,
    pub key: String,
    pub knobs: Knobs,
    pub store: Store,
    pub counters: Counters,
    pub journal: Journal,
}

/// As the real service: each costs a third of a second of CPU.
const BCRYPT_COST: u32 = 12;
const TOKEN_SECONDS: i64 = 24 * 3600;

#[derive(Serialize)]
struct LoggedIn {
    user: Who,
    token: String,
}

#[derive(Serialize)]
struct Who {
    id: u64,
    user_name: String,
    create_at: i64,
}

/// Whether a request is one of ours; everything else is gin's plain 404, HEAD among them.
pub fn known(method: &str, path: &str) -> bool {
    let get = matches!(path, "/api/v1/ping" | "/api/v1/task_list" | "/api/v1/task_show");
    let post = matches!(
        path,
        "/api/v1/user/register"
            | "/api/v1/user/login"
            | "/api/v1/task_create"
            | "/api/v1/task_update"
            | "/api/v1/task_search"
            | "/api/v1/task_delete"
    );
    (method == "GET" && get) || (method == "POST" && post)
}

impl Service {
    pub fn answer(&self, path: &str, token: &str, input: Result<Input, String>) -> Answer {
        let result = match path {
            "/api/v1/user/register" => input.map_err(|why| wrong(&why)).and_then(|input| self.register(&input)),
            "/api/v1/user/login" => input.map_err(|why| wrong(&why)).and_then(|input| self.login(&input)),
            _ => self.caller(token).and_then(|user| {
                input.map_err(|why| wrong(&why)).and_then(|input| self.task_route(path, user, &input))
            }),
        };
        result.unwrap_or_else(|answer| answer)
    }

    fn register(&self, input: &Input) -> Result<Answer, Answer> {
        let (name, password) = credentials(input)?;
        // Asked first as well as held by the table's key: hashing for nothing is dear.
        if self.store.user(name).map_err(|why| failed(&why))?.is_some() {
            return Err(failed("用户已存在"));
        }
        let digest = bcrypt::hash(password, BCRYPT_COST).map_err(|why| failed(&why.to_string()))?;
        match self.store.add_user(name, &digest).map_err(|why| failed(&why))? {
            Some(_) => Ok(done("操作成功")),
            None => Err(failed("用户已存在")),
        }
    }

    fn login(&self, input: &Input) -> Result<Answer, Answer> {
        let (name, password) = credentials(input)?;
        let user = self.store.user(name).map_err(|why| failed(&why))?.ok_or_else(|| failed("用户不存在"))?;
        if !bcrypt::verify(password, &user.digest).unwrap_or(false) {
            return Err(failed("账号/密码错误"));
        }
        let claims = Claims {
            id: user.id,
            user_name: user.user_name.clone(),
            exp: date::now() + TOKEN_SECONDS,
            iss: "to-do-list".into(),
        };
        let token = token::sign(&claims, &self.key);
        let user = Who { id: user.id, user_name: user.user_name, create_at: user.created_at };
        Ok(done(LoggedIn { user, token }))
    }

    fn caller(&self, token: &str) -> Result<u64, Answer> {
        if token.is_empty() {
            return Err(refused(404, "缺少Token", "缺少Token"));
        }
        const AGAIN: &str = "可能是身份过期了，请重新登录";
        match token::verify(token, &self.key, date::now()) {
            Ok(claims) => Ok(claims.id),
            Err(Refusal::Invalid) => Err(refused(30001, "Token鉴权失败", AGAIN)),
            Err(Refusal::Expired) => Err(refused(30002, "Token已超时", AGAIN)),
        }
    }

    fn task_route(&self, path: &str, user: u64, input: &Input) -> Result<Answer, Answer> {
        let number = |name| input.number(name).map_err(|why| wrong(&why));
        let missing = || failed("record not found");
        let store_failed = |why: String| failed(&why);
        match path {
            "/api/v1/task_create" => {
                let (title, content) = title_and_content(input, "CreateTaskReq")?;
                self.store.add_task(user, title, content, number("status")?).map_err(store_failed)?;
                Ok(done("操作成功"))
            }
            "/api/v1/task_update" => {
                let (title, content) = title_and_content(input, "UpdateTaskReq")?;
                let (id, status) = (number("id")? as u64, number("status")?);
                let found = self.store.change_task(user, id, title, content, status).map_err(store_failed)?;
                if found { Ok(done("操作成功")) } else { Err(missing()) }
            }
            "/api/v1/task_delete" => {
                let found = self.store.delete_task(user, number("id")? as u64).map_err(store_failed)?;
                if found { Ok(done("操作成功")) } else { Err(missing()) }
            }
            "/api/v1/task_show" => {
                let id = number("id")? as u64;
                let mut task = self.store.task(user, id).map_err(store_failed)?.ok_or_else(missing)?;
                task.view = self.counters.viewed(id).map_err(store_failed)?;
                Ok(done(task))
            }
            "/api/v1/task_search" => {
                let found =
                    self.store.search(user, input.text("info").map_err(|why| wrong(&why))?).map_err(store_failed)?;
                let total = found.len() as u64;
                Ok(done_list(self.with_views(found)?, total))
            }
            _ => {
                let limit = match number("limit")? {
                    0 => 15,
                    limit => limit.clamp(1, 1000) as u64,
                };
                let page = number("start")?.max(1) as u64;
                let (tasks, total) =
                    self.store.tasks(user, limit, (page - 1).saturating_mul(limit)).map_err(store_failed)?;
                Ok(done_list(self.with_views(tasks)?, total))
            }
        }
    }

    fn with_views(&self, mut tasks: Vec<Task>) -> Result<Vec<Task>, Answer> {
        for task in &mut tasks {
            task.view = self.counters.views(task.id).map_err(|why| failed(&why))?;
        }
        Ok(tasks)
    }
}

fn credentials(input: &Input) -> Result<(&str, &str), Answer> {
    let name = input.text_of("user_name", "UserServiceReq.UserName", 3, 15).map_err(|why| wrong(&why))?;
    let password = input.text_of("password", "UserServiceReq.Password", 5, 16).map_err(|why| wrong(&why))?;
    Ok((name, password))
}

fn title_and_content<'a>(input: &'a Input, request: &str) -> Result<(&'a str, &'a str), Answer> {
    let title = input.text_of("title", &format!("{request}.Title"), 2, 100).map_err(|why| wrong(&why))?;
    let content = input.text_of("content", &format!("{request}.Content"), 0, 1000).map_err(|why| wrong(&why))?;
    Ok((title, content))
}

#[cfg(test)]
mod tests {
    use super::known;

    #[test]
    fn routes_know_their_method() {
        assert!(known("GET", "/api/v1/ping") && known("POST", "/api/v1/task_create"));
        assert!(!known("HEAD", "/api/v1/ping") && !known("GET", "/api/v1/task_create"));
        assert!(!known("POST", "/api/v1/ping") && !known("GET", "/"));
    }
}
