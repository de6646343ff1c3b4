//! The worker of `stepwell dev`, which is replaced when the file of its handlers changes.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use broker::{MemoryBroker, SharedQueue};
use runtime::{Runtime, Task, watch};
use telemetry::{Registry, Tracer};
use tracing::{info, warn};
use worker::{Stopper, Worker, WorkerConfig};

use super::settings::Settings;

/// How often the file is looked at: soon enough for who has just saved it.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Makes workers of one broker.
pub(super) struct Workers {
    broker: MemoryBroker,
    runtime: Runtime,
    settings: Settings,
    registry: Registry,
    tracer: Tracer,
}

/// Is a worker at work.
struct Running {
    task: Task,
    stopper: Stopper,
}

impl Workers {
    pub(super) fn new(
        broker: &MemoryBroker,
        runtime: &Runtime,
        settings: &Settings,
        (registry, tracer): (&Registry, &Tracer),
    ) -> Self {
        let (broker, runtime) = (broker.handle(runtime.clone()), runtime.clone());
        Self { broker, runtime, settings: settings.clone(), registry: registry.clone(), tracer: tracer.clone() }
    }

    /// Makes a worker with the handlers as they are declared now.
    ///
    /// # Errors
    /// What is wrong with the file, and where.
    pub(super) fn build(&self) -> Result<Worker> {
        let queue: SharedQueue = Arc::new(self.broker.handle(self.runtime.clone()));
        let file = self.settings.handlers_file();
        let is_declared = self.settings.worker.handlers.is_some() || file.is_file();
        let handlers = is_declared.then(|| file.to_owned());
        let config = WorkerConfig { handlers, ..self.settings.worker.clone() };
        let aws = worker::Aws::of_settings(&self.settings.worker).context("use the settings of AWS")?;
        Worker::builder(queue, self.runtime.clone())
            .config(config, self.settings.work.clone())
            .metrics(self.registry.clone())
            .aws(aws)
            .tracer(self.tracer.clone())
            .build()
            .context("use the handlers (flag --handlers)")
    }

    /// Runs a worker until `stopping` turns true. When the file changes, a new worker takes over, and the old one finishes what it
    /// has in hand; a file that is wrong changes nothing.
    pub(super) async fn run(self, first: Worker, mut stopping: watch::Receiver<bool>) {
        let mut seen = self.stamp();
        let mut running = self.start(first);
        // Those that were replaced, and may have something in hand.
        let mut leaving: Vec<Task> = Vec::new();
        while !*stopping.borrow() {
            tokio::select! { biased;
                _ = stopping.wait_for(|stopping| *stopping) => break,
                () = self.runtime.sleep(LOOK_EVERY) => {}
            }
            let now = self.stamp();
            // While an editor replaces the file there may be none.
            if now == seen || now.is_none() {
                continue;
            }
            seen = now;
            match self.build() {
                Ok(worker) => {
                    let old = std::mem::replace(&mut running, self.start(worker));
                    old.stopper.stop();
                    leaving.retain(|task| !task.is_finished());
                    leaving.push(old.task);
                    info!("the handlers were read again");
                }
                Err(error) => {
                    warn!(error = format!("{error:#}"), "the handlers stay as they were: their file is wrong")
                }
            }
        }
        running.stopper.stop();
        leaving.push(running.task);
        for task in leaving {
            // A worker that failed has said so in the log.
            let _ = task.join().await;
        }
    }

    fn start(&self, worker: Worker) -> Running {
        if !worker.has_handlers() {
            warn!("no handlers are declared (flag --handlers): Task states wait until there are");
        }
        let stopper = worker.stopper();
        Running { task: self.runtime.spawn(worker.run()), stopper }
    }

    fn stamp(&self) -> Option<(SystemTime, u64)> {
        let found = std::fs::metadata(self.settings.handlers_file()).ok()?;
        Some((found.modified().ok()?, found.len()))
    }
}
