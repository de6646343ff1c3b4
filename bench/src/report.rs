//! What was measured, as a table and as JSON.

use serde_json::{Value, json};

use crate::cluster::{PREFETCH, Usages};
use crate::dev::{Dev, TASKS_ALONE};
use crate::process::Usage;
use crate::raw::Measured;
use crate::stepwell::{Alone, Growth, TASKS_PER_EXECUTION, Throughput};

/// Is all that one run of the program measured.
pub(crate) struct Report {
    /// (a)
    pub(crate) raw: Measured,
    /// (a')
    pub(crate) raw_batched: Measured,
    /// Writes a second of the store.
    pub(crate) store_writes_per_second: f64,
    /// (b)
    pub(crate) throughput: Throughput,
    /// What each process used during (b); the memory is the most since its start.
    pub(crate) used: Usages,
    /// (c)
    pub(crate) alone: Alone,
    /// (d)
    pub(crate) growth: Growth,
    /// (e)
    pub(crate) dev: Dev,
}

/// Is what (e) is to reach: durable tasks a second, half the executions of three tasks alone within so many milliseconds, and listening
/// after so many.
const DEV_AIMS: (f64, f64, u32) = (3_000.0, 4.0, 200);

impl Report {
    /// Gives (b) / (a).
    fn ratio(&self) -> f64 {
        self.throughput.tasks_per_second / self.raw.per_second
    }

    fn cpu_per_thousand(&self, usage: &Usage) -> f64 {
        usage.cpu_seconds * 1_000.0 / self.throughput.tasks as f64
    }

    /// Gives one JSON object.
    pub(crate) fn json(&self) -> Value {
        let processes: serde_json::Map<String, Value> = self
            .used
            .iter()
            .map(|(name, usage)| {
                let cpu = self.cpu_per_thousand(usage);
                (name.to_string(), json!({ "cpuSecondsPer1000Tasks": cpu, "peakBytes": usage.peak_bytes }))
            })
            .collect();
        json!({
            "ratio": self.ratio(),
            "raw": { "roundTripsPerSecond": self.raw.per_second },
            "rawBatched": {
                "roundTripsPerSecond": self.raw_batched.per_second,
                "meanBatch": self.raw_batched.batch_mean,
            },
            "store": { "writesPerSecond": self.store_writes_per_second },
            "stepwell": {
                "tasksPerSecond": self.throughput.tasks_per_second,
                "executionsPerSecond": self.throughput.executions_per_second,
                "tasks": self.throughput.tasks,
                "meanBatch": self.throughput.batch_mean,
                "processes": processes,
            },
            "alone": { "p50Millis": self.alone.p50, "p99Millis": self.alone.p99, "tasks": TASKS_PER_EXECUTION },
            "growth": {
                "earlyMillis": self.growth.early,
                "lateMillis": self.growth.late,
                "tasks": self.growth.tasks,
                "ratio": self.growth.late / self.growth.early,
            },
            "dev": {
                "startMillis": self.dev.start.as_secs_f64() * 1_000.0,
                "tasksPerSecond": self.dev.throughput.tasks_per_second,
                "executionsPerSecond": self.dev.throughput.executions_per_second,
                "tasks": self.dev.throughput.tasks,
                "alone": { "p50Millis": self.dev.alone.p50, "p99Millis": self.dev.alone.p99, "tasks": TASKS_ALONE },
                "cpuSecondsPer1000Tasks": self.cpu_per_thousand(&self.dev.used),
                "peakBytes": self.dev.used.peak_bytes,
                "aims": { "tasksPerSecond": DEV_AIMS.0, "p50Millis": DEV_AIMS.1, "startMillis": DEV_AIMS.2 },
            },
            "prefetch": PREFETCH,
        })
    }

    /// Gives a table for people.
    pub(crate) fn table(&self) -> String {
        let mut rows = vec![
            row("(a)  raw round trips, unbatched", format!("{:.0} /s", self.raw.per_second)),
            row(
                "(a') raw round trips, reports batched",
                format!("{:.0} /s, mean batch {:.1}", self.raw_batched.per_second, self.raw_batched.batch_mean),
            ),
            row("     raw writes of the store", format!("{:.0} /s", self.store_writes_per_second)),
            row(
                "(b)  Stepwell, five tasks an execution",
                format!(
                    "{:.0} tasks/s, {:.0} executions/s, mean batch {:.1}",
                    self.throughput.tasks_per_second, self.throughput.executions_per_second, self.throughput.batch_mean
                ),
            ),
        ];
        for (name, usage) in &self.used {
            let megabytes = usage.peak_bytes as f64 / (1024.0 * 1024.0);
            let cpu = self.cpu_per_thousand(usage);
            rows.push(row(&format!("       {name}"), format!("{cpu:.3} CPU s / 1,000 tasks, peak {megabytes:.0} MiB")));
        }
        rows.push(row("     ratio b/a", format!("{:.2}", self.ratio())));
        rows.push(row(
            "(c)  one execution alone",
            format!("p50 {:.1} ms, p99 {:.1} ms", self.alone.p50, self.alone.p99),
        ));
        rows.push(row(
            &format!("(d)  task transition {} beside 100", self.growth.tasks),
            format!(
                "{:.2} ms beside {:.2} ms: {:.2}",
                self.growth.late,
                self.growth.early,
                self.growth.late / self.growth.early
            ),
        ));
        let Dev { start, throughput, alone, used } = &self.dev;
        rows.push(row(
            "(e)  stepwell dev, five tasks an execution",
            format!("{:.0} durable tasks/s (aim {:.0})", throughput.tasks_per_second, DEV_AIMS.0),
        ));
        let cpu = self.cpu_per_thousand(used);
        let megabytes = used.peak_bytes as f64 / (1024.0 * 1024.0);
        rows.push(row("       stepwell", format!("{cpu:.3} CPU s / 1,000 tasks, peak {megabytes:.0} MiB")));
        rows.push(row(
            &format!("     one execution of {TASKS_ALONE} tasks alone"),
            format!("p50 {:.1} ms (aim {:.0}), p99 {:.1} ms", alone.p50, DEV_AIMS.1, alone.p99),
        ));
        let millis = start.as_secs_f64() * 1_000.0;
        rows.push(row("     start on an empty folder", format!("listens after {millis:.0} ms (aim {})", DEV_AIMS.2)));
        rows.push(format!("Redis with appendfsync always, RabbitMQ quorum queues, prefetch {PREFETCH}."));
        rows.join("\n")
    }
}

fn row(name: &str, value: String) -> String {
    format!("{name:<42} {value}")
}
