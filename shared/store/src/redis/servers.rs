//! What Redis says of itself, and whether it fits.

use redis::{RedisResult, Value};

use super::config::{RedisConfig, RedisMode};
use super::connect::Connection;
use super::link::meaning;
use crate::store::Error;

/// Is the oldest version that has all commands in use.
const MAJOR_MIN: u32 = 7;

/// Is what the masters answered to INFO.
pub(super) struct Servers(Vec<String>);

impl Servers {
    /// Tells how many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Tells whether one of them is filled over this share of its limit.
    pub(super) fn is_over(&self, high_water: f64) -> bool {
        self.0.iter().any(|info| {
            let number = |name| field(info, name).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
            let limit = number("maxmemory");
            limit > 0.0 && number("used_memory") > limit * high_water
        })
    }
}

/// Asks the masters how full they are.
pub(super) async fn memory(connection: &mut Connection) -> RedisResult<Servers> {
    let mut cmd = redis::cmd("INFO");
    cmd.arg("memory");
    Ok(Servers(texts(&connection.ask_all(cmd).await?)))
}

/// Refuses servers that would lose data or that can't do what is needed; the message says what to change.
pub(super) async fn check(connection: &mut Connection, config: &RedisConfig) -> Result<Servers, Error> {
    let info = connection.ask_all(redis::cmd("INFO")).await.map_err(|error| meaning(&error))?;
    let servers = Servers(texts(&info));
    if servers.0.is_empty() {
        return Err(Error::Unavailable("Redis answered INFO with nothing".to_owned()));
    }
    servers.0.iter().try_for_each(|info| check_server(info, config))?;
    if config.replicas_min > 0 {
        check_replicas(connection, config, servers.0.len()).await?;
    }
    Ok(servers)
}

fn check_server(info: &str, config: &RedisConfig) -> Result<(), Error> {
    let is = |name, value| field(info, name) == Some(value);
    let version = field(info, "redis_version").unwrap_or("unknown");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok()).unwrap_or_default();
    if major < MAJOR_MIN {
        return Err(Error::Unfit(format!("Redis is {version}: use Redis {MAJOR_MIN} or later")));
    }
    if is("loading", "1") {
        return Err(Error::Unavailable("Redis is still loading its data".to_owned()));
    }
    if is("role", "slave") {
        return Err(Error::Unavailable("this Redis is a replica, which takes no writes".to_owned()));
    }
    if config.mode != RedisMode::Cluster && is("cluster_enabled", "1") {
        return Err(Error::Unfit("Redis is a node of a cluster: set redis.mode = \"cluster\"".to_owned()));
    }
    if let Some(policy) = field(info, "maxmemory_policy").filter(|policy| *policy != "noeviction") {
        return Err(Error::Unfit(format!(
            "Redis has `maxmemory-policy {policy}`, by which it deletes executions when it is full: \
             set `maxmemory-policy noeviction` in its configuration"
        )));
    }
    if is("aof_enabled", "0") && !config.allow_volatile {
        return Err(Error::Unfit(
            "Redis has `appendonly no`, by which it loses all executions when it restarts: set `appendonly yes` in its \
             configuration, or redis.allow_volatile = true if that may be"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Where a master takes writes that no replica has, an acknowledged one may be lost however long anyone waits.
async fn check_replicas(connection: &mut Connection, config: &RedisConfig, servers: usize) -> Result<(), Error> {
    let mut cmd = redis::cmd("CONFIG");
    cmd.arg("GET").arg("min-replicas-to-write");
    let answer = connection.ask_all(cmd).await.map_err(|error| meaning(&error))?;
    let numbers: Vec<u32> = texts(&answer).iter().filter_map(|text| text.parse().ok()).collect();
    let least = numbers.iter().min().copied().unwrap_or_default();
    if numbers.len() < servers || least < config.replicas_min {
        return Err(Error::Unfit(format!(
            "redis.replicas_min is {wanted}, but Redis has `min-replicas-to-write {least}`: set `min-replicas-to-write \
             {wanted}` in its configuration",
            wanted = config.replicas_min
        )));
    }
    Ok(())
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Collects the texts of an answer, however deep they stand: as texts, in lists, as values of maps.
fn texts(value: &Value) -> Vec<String> {
    if let Value::BulkString(bytes) = value {
        vec![String::from_utf8_lossy(bytes).into_owned()]
    } else if let Value::SimpleString(text) | Value::VerbatimString { text, .. } = value {
        vec![text.clone()]
    } else if let Some(list) = value.as_sequence() {
        list.iter().flat_map(texts).collect()
    } else if let Value::Map(pairs) = value {
        pairs.iter().flat_map(|(_, value)| texts(value)).collect()
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIT: &str = "redis_version:7.0.15\r\nloading:0\r\nrole:master\r\ncluster_enabled:0\r\n\
                       maxmemory_policy:noeviction\r\naof_enabled:1\r\n";

    #[test]
    fn an_unfit_server_is_refused_with_what_to_change() {
        let check = |from: &str, to: &str, expect: &str| {
            let info = FIT.replace(from, to);
            let error = check_server(&info, &RedisConfig::default()).expect_err("is refused").to_string();
            assert!(error.contains(expect), "{error}");
        };
        check_server(FIT, &RedisConfig::default()).expect("fits");
        check("7.0.15", "6.2.7", "Redis is 6.2.7: use Redis 7 or later");
        check("noeviction", "allkeys-lru", "set `maxmemory-policy noeviction`");
        check("aof_enabled:1", "aof_enabled:0", "redis.allow_volatile = true");
        check("cluster_enabled:0", "cluster_enabled:1", "redis.mode = \"cluster\"");
        check("loading:0", "loading:1", "loading");
        check("role:master", "role:slave", "replica");
        let volatile = RedisConfig { allow_volatile: true, ..RedisConfig::default() };
        check_server(&FIT.replace("aof_enabled:1", "aof_enabled:0"), &volatile).expect("is allowed");
    }

    #[test]
    fn high_water_is_judged_where_there_is_a_limit() {
        let over =
            |used: u32, limit: u32| Servers(vec![format!("used_memory:{used}\r\nmaxmemory:{limit}\r\n")]).is_over(0.8);
        assert!(!over(100, 0) && !over(79, 100) && over(81, 100));
    }
}
