//! Everything that can be set for the program `coordinator`: one struct, its defaults in code.

use std::time::Duration;

use ::settings::{Amqp, Interval, Log, Ops, QueueKind, Secret, Unusable, Url};
use serde::{Deserialize, Serialize};
use store::{RedisConfig, RedisMode};

use crate::api::ApiSettings;
use crate::driver::{DriverSettings, ExpressSettings, Routing};

/// The largest payload that may be allowed: the largest step with such ones still fits into a commit (ADR 17).
const PAYLOAD_BYTES_MAX: u64 = 1024 * 1024;

/// Sections that other programs read from the same file or environment.
pub const FOREIGN_SECTIONS: &[&str] = &["worker", "work"];

/// Is everything that can be set for the program `coordinator`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How to reach Redis, and how it is used.
    pub redis: Redis,
    /// How to reach RabbitMQ.
    pub amqp: Amqp,
    /// The API's port and callers.
    pub api: Api,
    /// The port for health checks and metrics.
    pub ops: Ops,
    /// What is logged.
    pub log: Log,
    /// How executions are driven.
    pub driver: Driver,
    /// What bounds payloads, definitions and histories.
    pub limits: Limits,
    /// How effects that did not leave are issued again.
    pub outbox: Outbox,
    /// Whether changes of executions' status are published.
    pub notify: Notify,
    /// How long ended executions are kept.
    pub retention: Retention,
    /// What bounds executions of state machines of type EXPRESS. Since 0.1.0.
    pub express: Express,
    /// Pools of workers, with the resources that they run; what none names goes to the pool `default`. Since 0.1.0.
    pub pool: Vec<Pool>,
}

/// Is the section `redis`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Redis {
    /// `redis://[USER:PASSWORD@]HOST:PORT[/DATABASE]`, or `rediss://` for TLS; with `mode` sentinel or cluster this is one of them.
    /// Since 0.1.0.
    pub url: Url,
    /// Further servers of the same kind, with `mode` sentinel or cluster. Since 0.1.0.
    pub more_urls: Vec<Url>,
    /// `single`, `sentinel` or `cluster`. Since 0.1.0.
    pub mode: RedisMode,
    /// With what every key begins, so that several clusters share a Redis. Since 0.1.0.
    pub prefix: String,
    /// The name that Sentinel knows the master by; for `mode` sentinel. Since 0.1.0.
    pub sentinel_master: String,
    /// The password of the Sentinels; empty: they want none. Since 0.1.0.
    pub sentinel_password: Secret,
    /// How many partitions executions are spread over; fixed when the store is first used. Since 0.1.0.
    pub partitions: u32,
    /// How many connections carry commands, 1 to 16: Redis takes 16 KiB from each before it syncs its file, so with more of them
    /// more commits share a sync. Since 0.1.0.
    pub connections: u32,
    /// How long an answer may take. Since 0.1.0.
    pub response_timeout: Interval,
    /// How long connecting may take. Since 0.1.0.
    pub connect_timeout: Interval,
    /// Whether a Redis without append-only file is taken, which loses every execution when it restarts. Since 0.1.0.
    pub allow_volatile: bool,
    /// How many replicas must have a commit before it counts as made; 0 asks none. Since 0.1.0.
    pub replicas_min: u32,
    /// How long to wait for those replicas. Since 0.1.0.
    pub replicas_timeout: Interval,
    /// Which share of Redis's `maxmemory` may be filled before new executions are refused, 0 to 1. Since 0.1.0.
    pub high_water: f64,
}

impl Default for Redis {
    fn default() -> Self {
        let config = RedisConfig::default();
        Self {
            url: Url::from(config.url.as_str()),
            more_urls: Vec::new(),
            mode: config.mode,
            prefix: config.prefix,
            sentinel_master: config.sentinel_master,
            sentinel_password: Secret::default(),
            partitions: config.partitions,
            connections: config.connections,
            response_timeout: Interval::from_millis(config.response_timeout_millis),
            connect_timeout: Interval::from_millis(config.connect_timeout_millis),
            allow_volatile: config.allow_volatile,
            replicas_min: config.replicas_min,
            replicas_timeout: Interval::from_millis(config.replicas_timeout_millis),
            high_water: config.high_water,
        }
    }
}

/// Is the section `api`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Api {
    /// Address and port of the API; port 0 takes a free one. Since 0.1.0.
    pub listen: String,
    /// Who may call: `none` takes everyone at their word, so it is for trusted networks only. Since 0.1.0.
    pub auth: Auth,
    /// The account of callers whose access key id is not one of twelve digits. Since 0.1.0.
    pub account: String,
    /// The region of callers whose credential names none. Since 0.1.0.
    pub region: String,
    /// The longest that a request may take. Since 0.1.0.
    pub request_timeout: Interval,
    /// The largest body of a request. Since 0.1.0.
    pub body_bytes: usize,
}

impl Default for Api {
    fn default() -> Self {
        let settings = ApiSettings::default();
        Self {
            listen: "127.0.0.1:8083".to_owned(),
            auth: Auth::None,
            account: settings.account,
            region: settings.region,
            request_timeout: interval(settings.request_timeout),
            body_bytes: settings.body_bytes_max,
        }
    }
}

/// Is how callers are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// Not at all: account and region are taken from the request as they stand there.
    #[default]
    None,
}

/// Is the section `driver`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Driver {
    /// How many reports each events queue hands out before the first is acknowledged. Since 0.1.0.
    pub prefetch: u16,
    /// How long a branch stays leased after a commit. Since 0.1.0.
    pub lease: Interval,
    /// How many branches are kept in memory at their last revision. Since 0.1.0.
    pub cached_branches: usize,
    /// How many bytes of payload those may hold. Since 0.1.0.
    pub cached_bytes: usize,
    /// How many parsed definitions are kept in memory. Since 0.1.0.
    pub cached_definitions: usize,
    /// How many branches are driven on at once without a report. Since 0.1.0.
    pub local_running: usize,
    /// How many publishes may await their confirm at once. Since 0.1.0.
    pub relay_window: usize,
    /// How often each partition's timers are looked at; those of a coordinator that is gone are late by so much. Since 0.1.0.
    pub timers_every: Interval,
    /// How often each partition is swept for effects that did not leave. Since 0.1.0.
    pub sweep_every: Interval,
    /// How often lost work items are looked for. Since 0.1.0.
    pub reconcile_every: Interval,
    /// How long what is in hand may go on after SIGTERM. Since 0.1.0.
    pub stop_grace: Interval,
}

impl Default for Driver {
    fn default() -> Self {
        let settings = DriverSettings::default();
        Self {
            prefetch: settings.prefetch,
            lease: interval(settings.lease),
            cached_branches: settings.cached_branches,
            cached_bytes: settings.cached_bytes,
            cached_definitions: settings.cached_definitions,
            local_running: settings.local_running,
            relay_window: settings.relay_window,
            timers_every: interval(settings.timers_every),
            sweep_every: interval(settings.sweep_every),
            reconcile_every: interval(settings.reconcile_every),
            stop_grace: Interval::from_secs(10),
        }
    }
}

/// Is the section `limits`. The defaults are AWS's.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// The largest payload, in bytes; at most 1 MiB. Since 0.1.0.
    pub payload_bytes: u64,
    /// The largest definition, in bytes. Since 0.1.0.
    pub definition_bytes: usize,
    /// The most events that a history may have; 0: as many as come. Since 0.1.0.
    pub events: u64,
    /// How many iterations of an inline Map run at once at most. Since 0.1.0.
    pub map_concurrency: u32,
    /// How many child executions of a Map Run run at once at most. Since 0.1.0.
    pub map_run_concurrency: u32,
    /// How many versions a state machine may have; all of them are read with each start by a version or an alias. Since 0.1.0.
    pub versions: usize,
    /// How many aliases a state machine may have. Since 0.1.0.
    pub aliases: usize,
    /// How many tags a state machine or an activity may have. Since 0.1.0.
    pub tags: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let (api, driver) = (ApiSettings::default(), DriverSettings::default());
        Self {
            payload_bytes: api.payload_bytes_max,
            definition_bytes: api.definition_bytes_max,
            events: driver.limits.events_max.unwrap_or_default(),
            map_concurrency: driver.limits.map_concurrency_max,
            map_run_concurrency: driver.limits.map_run_concurrency_max,
            versions: api.versions_max,
            aliases: api.aliases_max,
            tags: api.tags_max,
        }
    }
}

/// Is the section `outbox`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Outbox {
    /// How old an effect of a live coordinator is before another one issues it again. Since 0.1.0.
    pub grace: Interval,
}

impl Default for Outbox {
    fn default() -> Self {
        Self { grace: interval(DriverSettings::default().outbox_grace) }
    }
}

/// Is the section `notify`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Notify {
    /// Whether every start and end of an execution is published to the exchange `stepwell.notify`. Since 0.1.0.
    pub enabled: bool,
}

impl Default for Notify {
    fn default() -> Self {
        Self { enabled: DriverSettings::default().notify }
    }
}

/// Is the section `retention`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// How long ended executions are kept. Since 0.1.0.
    pub period: Interval,
    /// How many bytes of them are kept, those that ended last; 0: as many as come. Since 0.1.0.
    pub bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        let settings = DriverSettings::default();
        Self { period: interval(settings.retention), bytes: settings.retention_bytes.unwrap_or_default() }
    }
}

/// Is the section `express`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Express {
    /// How long an execution of type EXPRESS may take, unless its definition allows less. Since 0.1.0.
    pub longest: Interval,
    /// How long an asynchronous one is kept once it has ended. Since 0.1.0.
    pub retention: Interval,
    /// How many synchronous ones may be under way in one coordinator. Since 0.1.0.
    pub synchronous_max: usize,
}

impl Default for Express {
    fn default() -> Self {
        let settings = DriverSettings::default().express;
        Self {
            longest: interval(settings.longest),
            retention: interval(settings.retention),
            synchronous_max: settings.synchronous_max,
        }
    }
}

/// Is one entry of `pool`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Pool {
    /// The name, which workers take work by (`worker.pool`). Since 0.1.0.
    pub name: String,
    /// Patterns of the resources that the pool runs; `*` stands for any run of characters. The first that fits, in the order of the
    /// file, counts. Since 0.1.0.
    pub resources: Vec<String>,
    /// How many work items one message may carry: more than 1 is for short tasks that may be repeated. Since 0.1.0.
    pub batch_max: usize,
}

impl Default for Pool {
    fn default() -> Self {
        Self { name: String::new(), resources: Vec::new(), batch_max: 1 }
    }
}

impl Settings {
    /// Checks what the types don't.
    ///
    /// # Errors
    /// [`Unusable`], which names the setting.
    pub fn check(&self) -> Result<(), Unusable> {
        let wrong = |key, reason: &str| Err(Unusable::new(key, reason));
        let account = &self.api.account;
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return wrong("api.account", "an account has twelve digits, like 123456789012");
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.api.region.is_empty() || !self.api.region.bytes().all(plain) {
            return wrong("api.region", "a region is like us-east-1");
        }
        if !(0.0..=1.0).contains(&self.redis.high_water) {
            return wrong("redis.high_water", "it is a share, from 0 to 1");
        }
        if !(1..=16).contains(&self.redis.connections) {
            return wrong("redis.connections", "from 1 to 16");
        }
        if self.limits.payload_bytes > PAYLOAD_BYTES_MAX {
            let reason = format!(
                "it is at most {PAYLOAD_BYTES_MAX} (1 MiB), since one step writes several payloads at once; keep larger data \
                 elsewhere, say in S3, and pass on where they are"
            );
            return wrong("limits.payload_bytes", &reason);
        }
        if self.pool.iter().any(|pool| pool.name.is_empty() || pool.resources.is_empty()) {
            return wrong("pool", "every [[pool]] has a `name` and `resources`");
        }
        self.check_positive()
    }

    fn check_positive(&self) -> Result<(), Unusable> {
        let (redis, driver, limits) = (&self.redis, &self.driver, &self.limits);
        ::settings::check_positive(&[
            ("redis.partitions", u64::from(redis.partitions)),
            ("redis.response_timeout", redis.response_timeout.millis()),
            ("redis.connect_timeout", redis.connect_timeout.millis()),
            ("amqp.events_queues", u64::from(self.amqp.events_queues)),
            ("api.request_timeout", self.api.request_timeout.millis()),
            ("api.body_bytes", self.api.body_bytes as u64),
            ("driver.prefetch", u64::from(driver.prefetch)),
            ("driver.lease", driver.lease.millis()),
            ("driver.local_running", driver.local_running as u64),
            ("driver.relay_window", driver.relay_window as u64),
            ("driver.timers_every", driver.timers_every.millis()),
            ("driver.sweep_every", driver.sweep_every.millis()),
            ("driver.reconcile_every", driver.reconcile_every.millis()),
            ("outbox.grace", self.outbox.grace.millis()),
            ("express.longest", self.express.longest.millis()),
            ("express.synchronous_max", self.express.synchronous_max as u64),
            ("limits.payload_bytes", limits.payload_bytes),
            ("limits.definition_bytes", limits.definition_bytes as u64),
            ("limits.map_concurrency", u64::from(limits.map_concurrency)),
            ("limits.map_run_concurrency", u64::from(limits.map_run_concurrency)),
            ("limits.versions", limits.versions as u64),
            ("limits.aliases", limits.aliases as u64),
            ("limits.tags", limits.tags as u64),
        ])
    }

    /// Gives what the API takes.
    pub fn api(&self) -> ApiSettings {
        ApiSettings {
            account: self.api.account.clone(),
            region: self.api.region.clone(),
            request_timeout: self.api.request_timeout.get(),
            activity_wait: ApiSettings::default().activity_wait,
            express_longest: self.express.longest.get(),
            body_bytes_max: self.api.body_bytes,
            definition_bytes_max: self.limits.definition_bytes,
            payload_bytes_max: self.limits.payload_bytes,
            versions_max: self.limits.versions,
            aliases_max: self.limits.aliases,
            tags_max: self.limits.tags,
        }
    }

    /// Gives what the driver takes.
    pub fn driver(&self) -> DriverSettings {
        let defaults = DriverSettings::default();
        let driver = &self.driver;
        let sweep_every = driver.sweep_every.get();
        DriverSettings {
            routing: self.routing(),
            limits: engine::Limits {
                payload_bytes_max: Some(self.limits.payload_bytes),
                events_max: Some(self.limits.events).filter(|events| *events > 0),
                map_concurrency_max: self.limits.map_concurrency,
                map_run_concurrency_max: self.limits.map_run_concurrency,
                ..defaults.limits
            },
            prefetch: driver.prefetch,
            lease: driver.lease.get(),
            cached_branches: driver.cached_branches,
            cached_bytes: driver.cached_bytes,
            cached_definitions: driver.cached_definitions,
            local_running: driver.local_running,
            relay_window: driver.relay_window,
            timers_every: driver.timers_every.get(),
            sweep_every,
            sweep_lease: sweep_every.saturating_mul(3),
            reconcile_every: driver.reconcile_every.get(),
            outbox_grace: self.outbox.grace.get(),
            express: ExpressSettings {
                longest: self.express.longest.get(),
                retention: self.express.retention.get(),
                synchronous_max: self.express.synchronous_max,
                is_synchronous: false,
            },
            notify: self.notify.enabled,
            retention: self.retention.period.get(),
            retention_bytes: Some(self.retention.bytes).filter(|bytes| *bytes > 0),
            ..defaults
        }
    }

    fn routing(&self) -> Routing {
        let of_pool = |pool: &Pool| {
            let name = pool.name.clone();
            pool.resources.clone().into_iter().map(move |pattern| (pattern, name.clone())).collect::<Vec<_>>()
        };
        let routes = self.pool.iter().flat_map(of_pool).collect();
        let batches = self.pool.iter().map(|pool| (pool.name.clone(), pool.batch_max)).collect();
        Routing::new(routes, batches)
    }

    /// Gives what the store on Redis takes.
    pub fn redis(&self) -> RedisConfig {
        let redis = &self.redis;
        let urls: Vec<&str> = std::iter::once(&redis.url).chain(&redis.more_urls).map(Url::expose).collect();
        let password = redis.sentinel_password.expose();
        RedisConfig {
            url: urls.join(","),
            mode: redis.mode,
            prefix: redis.prefix.clone(),
            sentinel_master: redis.sentinel_master.clone(),
            sentinel_password: Some(password.to_owned()).filter(|password| !password.is_empty()),
            partitions: redis.partitions,
            events_queues: self.amqp.events_queues,
            connections: redis.connections,
            response_timeout_millis: redis.response_timeout.millis(),
            connect_timeout_millis: redis.connect_timeout.millis(),
            allow_volatile: redis.allow_volatile,
            replicas_min: redis.replicas_min,
            replicas_timeout_millis: redis.replicas_timeout.millis(),
            high_water: redis.high_water,
        }
    }

    /// Gives what the broker takes, for the store that the cluster has.
    pub fn amqp(&self, incarnation: &str, events_queues: u32) -> broker::amqp::Config {
        let kind = match self.amqp.queue_kind {
            QueueKind::Quorum => broker::amqp::QueueKind::Quorum,
            QueueKind::Classic => broker::amqp::QueueKind::Classic,
        };
        broker::amqp::Config {
            url: self.amqp.url.expose().to_owned(),
            prefix: self.amqp.prefix.clone(),
            events_queues,
            incarnation: incarnation.to_owned(),
            queue_kind: kind,
            connect_timeout: Duration::from_secs(u64::from(self.amqp.connect_timeout_seconds)),
            heartbeat_seconds: self.amqp.heartbeat_seconds,
            connection_name: "stepwell coordinator".to_owned(),
        }
    }
}

fn interval(duration: Duration) -> Interval {
    Interval::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use ::settings::{Sources, load, render};

    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Sources {
        let environment = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Sources { environment, ..Sources::default() }
    }

    #[test]
    fn the_environment_sets_what_it_names() {
        let sources = environment(&[
            ("STEPWELL_REDIS__URL", "redis://:word@r:1"),
            ("STEPWELL_REDIS__MORE_URLS", "redis://:word@s:1"),
            ("STEPWELL_AMQP__URL", "amqp://u:word@h"),
            ("STEPWELL_API__LISTEN", "127.0.0.1:0"),
            ("STEPWELL_OPS__LISTEN", "127.0.0.1:1"),
            ("STEPWELL_LIMITS__EVENTS", "0"),
            ("STEPWELL_WORKER__CONCURRENCY", "3"),
            ("STEPWELL_API__LISTN", "x"),
        ]);
        let loaded = load::<Settings>(&sources, FOREIGN_SECTIONS).expect("loads");
        let settings = loaded.config;
        assert_eq!((settings.api.listen.as_str(), settings.ops.listen.as_str()), ("127.0.0.1:0", "127.0.0.1:1"));
        assert_eq!(settings.redis().url, "redis://:word@r:1,redis://:word@s:1");
        assert_eq!(settings.driver().limits.events_max, None);
        let unknown: Vec<String> = loaded.unknown.iter().map(|key| key.key.clone()).collect();
        assert_eq!(unknown, ["api.listn"]);
        let shown = render(&settings);
        assert!(!shown.contains("word@") && shown.contains("(hidden)"), "{shown}");
    }

    #[test]
    fn defaults_are_those_of_the_parts() {
        let settings = Settings::default();
        assert_eq!(settings.check(), Ok(()));
        assert_eq!(settings.redis(), RedisConfig::default());
        assert_eq!(format!("{:?}", settings.driver()), format!("{:?}", DriverSettings::default()));
        assert_eq!(format!("{:?}", settings.api()), format!("{:?}", ApiSettings::default()));
    }

    #[test]
    fn pools_run_the_resources_that_they_name() {
        let gpu = Pool { name: "gpu".to_owned(), resources: vec!["*:function:GPU-*".to_owned()], batch_max: 8 };
        let settings = Settings { pool: vec![gpu], ..Settings::default() };
        let routing = settings.driver().routing;
        let pool = routing.pool("arn:aws:lambda:us-east-1:123456789012:function:GPU-1");
        assert_eq!((&*pool.name, pool.batch_max), ("gpu", 8));
        assert_eq!(&*routing.pool("arn:aws:lambda:us-east-1:123456789012:function:F").name, "default");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let check = |change: fn(&mut Settings), key: &str| {
            let mut settings = Settings::default();
            change(&mut settings);
            assert_eq!(settings.check().expect_err("is refused").key(), key);
        };
        check(|settings| settings.api.account = "me".to_owned(), "api.account");
        check(|settings| settings.api.region = "a:b".to_owned(), "api.region");
        check(|settings| settings.redis.high_water = 80.0, "redis.high_water");
        check(|settings| settings.redis.partitions = 0, "redis.partitions");
        check(|settings| settings.pool.push(Pool::default()), "pool");
        check(|settings| settings.redis.connections = 99, "redis.connections");
        check(|settings| settings.limits.map_concurrency = 0, "limits.map_concurrency");
        check(|settings| settings.limits.versions = 0, "limits.versions");
        check(|settings| settings.driver.sweep_every = Interval::default(), "driver.sweep_every");
        check(|settings| settings.limits.payload_bytes = 1024 * 1024 + 1, "limits.payload_bytes");
        let mut settings = Settings::default();
        settings.limits.payload_bytes = 5_000_000;
        let error = settings.check().expect_err("is refused").to_string();
        assert!(error.contains("limits.payload_bytes: it is at most 1048576 (1 MiB)"), "{error}");
    }
}
