//! How often each task was looked at, and their ranking, in Redis.

use std::sync::Mutex;
use std::time::Duration;

use redis::{Commands, Connection, IntoConnectionInfo, RedisConnectionInfo, RedisResult};

use crate::{config, names};

pub struct Counters {
    config: config::Redis,
    conn: Mutex<Option<Connection>>,
}

impl Counters {
    pub fn open(config: &config::Redis) -> Result<Counters, String> {
        let config = config::Redis {
            address: config.address.clone(),
            password: config.password.clone(),
            database: config.database,
        };
        let counters = Counters { config, conn: Mutex::new(None) };
        counters.with(|conn| redis::cmd("PING").query::<String>(conn))?;
        Ok(counters)
    }

    pub fn viewed(&self, task: u64) -> Result<u64, String> {
        self.with(|conn| {
            let views = conn.incr(view_key(task), 1)?;
            let _: f64 = conn.zincr("rank", task, 1)?;
            Ok(views)
        })
    }

    pub fn views(&self, task: u64) -> Result<u64, String> {
        self.with(|conn| Ok(conn.get::<_, Option<u64>>(view_key(task))?.unwrap_or(0)))
    }

    /// One connection, made when first needed and again after Redis was away. A count may be tried a second time: only
    /// a connection that failed before an answer is replaced.
    fn with<T>(&self, work: impl Fn(&mut Connection) -> RedisResult<T>) -> Result<T, String> {
        let mut slot = self.conn.lock().map_err(|why| why.to_string())?;
        if let Some(conn) = slot.as_mut() {
            match work(conn) {
                Err(why) if why.is_connection_dropped() || why.is_io_error() => *slot = None,
                done => return done.map_err(|why| why.to_string()),
            }
        }
        let conn = slot.insert(self.connect()?);
        work(conn).map_err(|why| why.to_string())
    }

    fn connect(&self) -> Result<Connection, String> {
        let (host, port) = self.config.address.rsplit_once(':').unwrap_or((&self.config.address, "6379"));
        let port: u16 = port.parse().map_err(|_| format!("{port} is no port"))?;
        let address = names::resolve(if host.is_empty() { "127.0.0.1" } else { host })?;
        let mut settings = RedisConnectionInfo::default().set_db(self.config.database);
        if !self.config.password.is_empty() {
            settings = settings.set_password(&self.config.password);
        }
        let connect = || {
            let info = redis::ConnectionAddr::Tcp(address.to_string(), port)
                .into_connection_info()?
                .set_redis_settings(settings);
            let conn = redis::Client::open(info)?.get_connection_with_timeout(Duration::from_secs(5))?;
            conn.set_read_timeout(Some(Duration::from_secs(5)))?;
            Ok(conn)
        };
        connect().map_err(|why: redis::RedisError| why.to_string())
    }
}

fn view_key(task: u64) -> String {
    format!("view:task:{task}")
}
