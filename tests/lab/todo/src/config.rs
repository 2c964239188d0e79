//! The service's `config.ini`: sections of `Key = value`, with `;` and `#` before comments.

use std::collections::HashMap;

#[derive(Debug, PartialEq)]
pub struct Config {
    pub http_port: String,
    pub redis: Redis,
    pub mysql: MySql,
}

#[derive(Debug, PartialEq)]
pub struct Redis {
    /// `host:port`
    pub address: String,
    pub password: String,
    /// The number of the database; the real service calls it a name.
    pub database: i64,
}

#[derive(Debug, PartialEq)]
pub struct MySql {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub database: String,
}

impl Config {
    pub fn parse(text: &str) -> Result<Config, String> {
        let values = sections(text)?;
        let get = |section: &str, key: &str| {
            values
                .get(&(section.to_string(), key.to_string()))
                .cloned()
                .ok_or_else(|| format!("[{section}] {key} is missing"))
        };
        let or_empty = |section: &str, key: &str| get(section, key).unwrap_or_default();
        let database = or_empty("redis", "RedisDbName");
        Ok(Config {
            http_port: get("service", "HttpPort")?,
            redis: Redis {
                address: get("redis", "RedisAddr")?,
                password: or_empty("redis", "RedisPw"),
                database: if database.is_empty() { 0 } else { number("[redis] RedisDbName", &database)? },
            },
            mysql: MySql {
                host: get("mysql", "DbHost")?,
                port: number("[mysql] DbPort", &get("mysql", "DbPort")?)?,
                user: get("mysql", "DbUser")?,
                password: or_empty("mysql", "DbPassWord"),
                database: get("mysql", "DbName")?,
            },
        })
    }
}

fn number<T: std::str::FromStr>(what: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{what}: `{text}` is no number"))
}

type Values = HashMap<(String, String), String>;

fn sections(text: &str) -> Result<Values, String> {
    let mut section = String::new();
    let mut values = Values::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim().to_string();
        } else if let Some((key, value)) = line.split_once('=') {
            let value = unquote(before_comment(value.trim()));
            values.insert((section.clone(), key.trim().to_string()), value.to_string());
        } else {
            return Err(format!("line {}: neither [section] nor key = value", index + 1));
        }
    }
    Ok(values)
}

/// A comment after a value needs a blank before it, so that a password may hold `#` or `;`.
fn before_comment(value: &str) -> &str {
    if value.starts_with(['"', '`']) {
        return value;
    }
    let cut = [" ;", " #", "\t;", "\t#"].iter().filter_map(|mark| value.find(mark)).min();
    value[..cut.unwrap_or(value.len())].trim_end()
}

fn unquote(value: &str) -> &str {
    for quote in ['"', '`', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "\
[service]\nAppMode = debug\nHttpPort = :3000\n\n[redis]\nRedisDb = redis\nRedisAddr = redis:6379\n\
RedisPw = p#w;x ; the password\nRedisDbName = 4\n[mysql]\nDb = mysql\nDbHost = mysql\nDbPort = 3306\n\
DbUser=root\nDbPassWord=\"a b = c\"\nDbName = todolist\n";

    #[test]
    fn reads_the_services_own_file() {
        let config = Config::parse(SAMPLE).unwrap();
        assert_eq!(config.http_port, ":3000");
        assert_eq!(config.redis, Redis { address: "redis:6379".into(), password: "p#w;x".into(), database: 4 });
        assert_eq!(
            config.mysql,
            MySql {
                host: "mysql".into(),
                port: 3306,
                user: "root".into(),
                password: "a b = c".into(),
                database: "todolist".into(),
            }
        );
    }

    #[test]
    fn a_password_may_be_empty_and_the_database_left_out() {
        let text = SAMPLE.replace("p#w;x ; the password", "").replace("RedisDbName = 4\n", "");
        let config = Config::parse(&text).unwrap();
        assert_eq!((config.redis.password.as_str(), config.redis.database), ("", 0));
    }

    #[test]
    fn says_what_is_missing_or_wrong() {
        let missing = SAMPLE.replace("DbHost = mysql\n", "");
        assert_eq!(Config::parse(&missing).unwrap_err(), "[mysql] DbHost is missing");
        let wrong = SAMPLE.replace("3306", "many");
        assert_eq!(Config::parse(&wrong).unwrap_err(), "[mysql] DbPort: `many` is no number");
        assert_eq!(Config::parse("[service]\nHttpPort").unwrap_err(), "line 2: neither [section] nor key = value");
    }
}
