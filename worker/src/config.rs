//! The worker's settings.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use settings::{Amqp, Interval, Log, Ops, Unusable};

/// Sections that other programs read from the same file or environment.
pub const FOREIGN_SECTIONS: &[&str] =
    &["api", "driver", "express", "limits", "notify", "outbox", "pool", "redis", "retention"];

/// Is everything that can be set for the program `worker`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// How to reach RabbitMQ.
    pub amqp: Amqp,
    /// What the worker does.
    pub worker: WorkerConfig,
    /// What is agreed on work items.
    pub work: WorkConfig,
    /// The port for health checks and metrics.
    pub ops: Ops,
    /// What is logged, and how.
    pub log: Log,
}

/// Is the section `worker`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerConfig {
    /// Names the worker in reports and logs; not set: the host's name and the process id. Since 0.1.0.
    pub name: Option<String>,
    /// The pool whose work items it takes. Since 0.1.0.
    pub pool: String,
    /// The file that declares handlers, in TOML. Since 0.1.0.
    pub handlers: Option<PathBuf>,
    /// How many handlers run at once. 64 keep a few cores busy with handlers that mostly wait. Since 0.1.0.
    pub concurrency: u16,
    /// How many more items are fetched than run at once, so that short tasks need not wait for the broker: with 2 ms
    /// between broker and worker, 256 feed 100,000 tasks a second. 0 suits pools of long tasks. Since 0.1.0.
    pub window: u16,
    /// How long a fetched item waits for a free slot before it goes back to the pool's queue, where another worker
    /// may take it. Since 0.1.0.
    pub wait_max: Interval,
    /// How long a delivery stays unacknowledged at most; well below the 30 minutes after which the broker closes the
    /// channel. Then the worker reports that it holds the item, and acknowledges. Since 0.1.0.
    pub hold_max: Interval,
    /// How often it repeats that report. The coordinator gives the item to another worker after 30 s of silence. Since 0.1.0.
    pub hold_repeat: Interval,
    /// After which time it tells that a handler has started; earlier where the state has HeartbeatSeconds or TimeoutSeconds of less
    /// than three times as long. What is cut off before leaves no such event. Since 0.1.0.
    pub notice_after: Interval,
    /// How long it goes on at SIGTERM to finish what is in hand. Since 0.1.0.
    pub grace: Interval,
    /// How many reports one message carries at most. Since 0.1.0.
    pub batch_max: u16,
    /// How many bytes of reports one message carries at most; a larger report goes alone. Since 0.1.0.
    pub batch_bytes_max: usize,
    /// How many messages of reports to one queue are on their way at once. Few make large batches, many a low latency:
    /// two keep the queue busy while one is confirmed. Since 0.1.0.
    pub publishes_max: u16,
    /// Whether Lambda functions without a handler are called at AWS, or at what stands for it, if AWS's own variables or files
    /// (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL` and so on) give credentials or an endpoint. Since 0.1.0.
    pub lambda: bool,
    /// How many bytes a handler may answer with, at most 16711680 (16 MiB without 64 KiB); far above the limit of 256 KiB for a
    /// payload, which the coordinator checks. Since 0.1.0.
    pub output_bytes_max: usize,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            name: None,
            pool: "default".to_owned(),
            handlers: None,
            concurrency: 64,
            window: 256,
            wait_max: Interval::from_secs(10),
            hold_max: Interval::from_secs(300),
            hold_repeat: Interval::from_secs(10),
            notice_after: Interval::from_millis(250),
            grace: Interval::from_secs(30),
            batch_max: 64,
            batch_bytes_max: 1024 * 1024,
            publishes_max: 2,
            lambda: true,
            output_bytes_max: 8 * 1024 * 1024,
        }
    }
}

/// The most that a handler may answer with, in bytes: the largest message that RabbitMQ takes by default holds it with its frame.
const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024 - 64 * 1024;

impl Config {
    /// Checks what the types don't.
    ///
    /// # Errors
    /// [`Unusable`], which names the setting.
    pub fn check(&self) -> Result<(), Unusable> {
        let worker = &self.worker;
        if worker.pool.is_empty() {
            return Err(Unusable::new("worker.pool", "name a pool, as `default`"));
        }
        if !(1..=OUTPUT_BYTES_MAX).contains(&worker.output_bytes_max) {
            let reason = format!("from 1 to {OUTPUT_BYTES_MAX} bytes, which RabbitMQ takes in one message");
            return Err(Unusable::new("worker.output_bytes_max", reason));
        }
        settings::check_positive(&[
            ("worker.concurrency", u64::from(worker.concurrency)),
            ("worker.wait_max", worker.wait_max.millis()),
            ("worker.hold_max", worker.hold_max.millis()),
            ("worker.hold_repeat", worker.hold_repeat.millis()),
            ("worker.batch_max", u64::from(worker.batch_max)),
            ("worker.publishes_max", u64::from(worker.publishes_max)),
            ("work.deliveries_max", u64::from(self.work.deliveries_max)),
        ])
    }
}

impl WorkerConfig {
    /// Gives how many deliveries may be unacknowledged at once.
    pub(crate) fn prefetch(&self) -> u16 {
        self.concurrency.max(1).saturating_add(self.window)
    }
}

/// Is the section `work`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkConfig {
    /// An item that was delivered more often than this is not run: it may be what kills workers. Since 0.1.0.
    pub deliveries_max: u32,
}

impl Default for WorkConfig {
    fn default() -> Self {
        Self { deliveries_max: 20 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_fetched_as_run_and_wait() {
        let config = |concurrency, window| WorkerConfig { concurrency, window, ..WorkerConfig::default() }.prefetch();
        assert_eq!((config(64, 256), config(3, 0), config(u16::MAX, 1)), (320, 3, u16::MAX));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let check = |change: fn(&mut Config), key: &str| {
            let mut config = Config::default();
            change(&mut config);
            assert_eq!(config.check().expect_err("is refused").key(), key);
        };
        assert_eq!(Config::default().check(), Ok(()));
        check(|config| config.worker.pool.clear(), "worker.pool");
        check(|config| config.worker.concurrency = 0, "worker.concurrency");
        check(|config| config.worker.hold_repeat = Interval::default(), "worker.hold_repeat");
        check(|config| config.worker.output_bytes_max = 1 << 30, "worker.output_bytes_max");
    }
}
