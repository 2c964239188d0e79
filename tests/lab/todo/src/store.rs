//! Users and tasks in MySQL.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder, params};
use serde::Serialize;

use crate::{config, date, names};

/// Idle connections live as long as the real service's: a hundred replicas that kept one each would fill MySQL's 151.
const IDLE: Duration = Duration::from_secs(30);

pub struct Store {
    config: config::MySql,
    idle: Mutex<Vec<(Conn, Instant)>>,
}

pub struct User {
    pub id: u64,
    pub user_name: String,
    pub digest: String,
    pub created_at: i64,
}

#[derive(Serialize)]
pub struct Task {
    pub id: u64,
    pub title: String,
    pub content: String,
    pub view: u64,
    pub status: i64,
    pub created_at: i64,
    pub start_time: i64,
    pub end_time: i64,
}

type Row = (u64, String, String, i64, i64, i64, i64);

const COLUMNS: &str = "id, title, content, status, created_at, start_time, end_time";

impl Store {
    pub fn open(config: &config::MySql) -> Result<Store, String> {
        let store = Store {
            config: config::MySql {
                host: config.host.clone(),
                port: config.port,
                user: config.user.clone(),
                password: config.password.clone(),
                database: config.database.clone(),
            },
            idle: Mutex::new(Vec::new()),
        };
        store.with(|conn| {
            for table in TABLES {
                conn.query_drop(table)?;
            }
            Ok(())
        })?;
        Ok(store)
    }

    /// `None` when the name is taken.
    pub fn add_user(&self, name: &str, digest: &str) -> Result<Option<u64>, String> {
        self.with(|conn| {
            let insert = "INSERT INTO `user` (user_name, password_digest, created_at) VALUES (?, ?, ?)";
            match conn.exec_drop(insert, (name, digest, date::now())) {
                Ok(()) => Ok(Some(conn.last_insert_id())),
                Err(mysql::Error::MySqlError(error)) if error.code == DUPLICATE => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    pub fn user(&self, name: &str) -> Result<Option<User>, String> {
        self.with(|conn| {
            let select = "SELECT id, user_name, password_digest, created_at FROM `user` WHERE user_name = ?";
            let row: Option<(u64, String, String, i64)> = conn.exec_first(select, (name,))?;
            Ok(row.map(|(id, user_name, digest, created_at)| User { id, user_name, digest, created_at }))
        })
    }

    pub fn add_task(&self, user: u64, title: &str, content: &str, status: i64) -> Result<u64, String> {
        self.with(|conn| {
            conn.exec_drop(
                "INSERT INTO task (user_id, title, content, status, created_at, start_time, end_time)
                 VALUES (:user, :title, :content, :status, :now, :now, 0)",
                params! { user, title, content, status, "now" => date::now() },
            )?;
            Ok(conn.last_insert_id())
        })
    }

    /// False when the user has no such task.
    pub fn change_task(&self, user: u64, id: u64, title: &str, content: &str, status: i64) -> Result<bool, String> {
        self.with(|conn| {
            // Rows found, not rows changed: writing the same again is no failure.
            let found: Option<u64> = conn.exec_first("SELECT id FROM task WHERE id = ? AND user_id = ?", (id, user))?;
            let update = "UPDATE task SET title = ?, content = ?, status = ?, end_time = ? WHERE id = ?";
            let end_time = if status == 1 { date::now() } else { 0 };
            conn.exec_drop(update, (title, content, status, end_time, id))?;
            Ok(found.is_some())
        })
    }

    pub fn delete_task(&self, user: u64, id: u64) -> Result<bool, String> {
        self.with(|conn| {
            conn.exec_drop("DELETE FROM task WHERE id = ? AND user_id = ?", (id, user))?;
            Ok(conn.affected_rows() > 0)
        })
    }

    pub fn task(&self, user: u64, id: u64) -> Result<Option<Task>, String> {
        self.with(|conn| {
            let select = format!("SELECT {COLUMNS} FROM task WHERE id = ? AND user_id = ?");
            let row: Option<Row> = conn.exec_first(select, (id, user))?;
            Ok(row.map(task))
        })
    }

    pub fn tasks(&self, user: u64, limit: u64, offset: u64) -> Result<(Vec<Task>, u64), String> {
        self.with(|conn| {
            let count = "SELECT COUNT(*) FROM task WHERE user_id = ?";
            let total: Option<u64> = conn.exec_first(count, (user,))?;
            let select = format!("SELECT {COLUMNS} FROM task WHERE user_id = ? ORDER BY id LIMIT ? OFFSET ?");
            let rows: Vec<Row> = conn.exec(select, (user, limit, offset))?;
            Ok((rows.into_iter().map(task).collect(), total.unwrap_or(0)))
        })
    }

    pub fn search(&self, user: u64, text: &str) -> Result<Vec<Task>, String> {
        let like = format!("%{}%", text.replace(['\\', '%', '_'], "_"));
        self.with(|conn| {
            let select = format!(
                "SELECT {COLUMNS} FROM task WHERE user_id = ? AND (title LIKE ? OR content LIKE ?) ORDER BY id"
            );
            let rows: Vec<Row> = conn.exec(select, (user, &like, &like))?;
            Ok(rows.into_iter().map(task).collect())
        })
    }

    /// Closes what nobody has used for a while.
    pub fn close_idle(&self) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.retain(|(_, since)| since.elapsed() < IDLE);
        }
    }

    /// Runs `work` on a connection that has just been seen to answer: what MySQL closed while it lay idle is dropped,
    /// and the work itself is never done twice.
    fn with<T>(&self, work: impl FnOnce(&mut Conn) -> mysql::Result<T>) -> Result<T, String> {
        let mut conn = loop {
            let Some((mut conn, _)) = self.idle.lock().map_err(|why| why.to_string())?.pop() else {
                break self.connect()?;
            };
            if conn.ping().is_ok() {
                break conn;
            }
        };
        let result = work(&mut conn);
        let broken = result.as_ref().is_err_and(mysql::Error::is_connectivity_error);
        if !broken && let Ok(mut idle) = self.idle.lock() {
            idle.push((conn, Instant::now()));
        }
        result.map_err(|why| why.to_string())
    }

    fn connect(&self) -> Result<Conn, String> {
        let address = names::resolve(&self.config.host)?;
        let options = OptsBuilder::new()
            .ip_or_hostname(Some(address.to_string()))
            .tcp_port(self.config.port)
            .user(Some(&self.config.user))
            .pass(Some(&self.config.password))
            .db_name(Some(&self.config.database))
            .prefer_socket(false)
            .tcp_connect_timeout(Some(Duration::from_secs(5)))
            .read_timeout(Some(Duration::from_secs(10)));
        Conn::new(options).map_err(|why| why.to_string())
    }
}

/// ER_DUP_ENTRY
const DUPLICATE: u16 = 1062;

const TABLES: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS `user` (
        id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
        user_name VARCHAR(64) NOT NULL UNIQUE,
        password_digest VARCHAR(100) NOT NULL,
        created_at BIGINT NOT NULL
    ) DEFAULT CHARSET = utf8mb4",
    "CREATE TABLE IF NOT EXISTS task (
        id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
        user_id BIGINT UNSIGNED NOT NULL,
        title VARCHAR(255) NOT NULL,
        content LONGTEXT NOT NULL,
        status BIGINT NOT NULL DEFAULT 0,
        created_at BIGINT NOT NULL,
        start_time BIGINT NOT NULL,
        end_time BIGINT NOT NULL DEFAULT 0,
        KEY (user_id)
    ) DEFAULT CHARSET = utf8mb4",
];

fn task((id, title, content, status, created_at, start_time, end_time): Row) -> Task {
    Task { id, title, content, view: 0, status, created_at, start_time, end_time }
}
