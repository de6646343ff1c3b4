//! A broker that fails as a real one may.

use async_trait::async_trait;
use broker::{Connection, Consumer, DeadLetter, Error, ReplyTo, SharedQueue, WorkQueue};
use runtime::{Runtime, watch};
use wire::message::{Cancel, Report, StatusChange, WorkItem};

use crate::chaos::{Chaos, Fate};

/// Is one simulated process's way to the broker.
pub struct FaultyQueue {
    inner: SharedQueue,
    runtime: Runtime,
    chaos: Chaos,
}

impl FaultyQueue {
    /// Wraps the broker for the process that `runtime` stands for.
    pub fn new(inner: SharedQueue, runtime: Runtime, chaos: Chaos) -> Self {
        Self { inner, runtime, chaos }
    }

    /// Tells how often to publish, and whether to answer; a crash doesn't return.
    async fn plan(&self, effect: &str) -> (u32, Fate) {
        self.chaos.delay(&self.runtime).await;
        match self.chaos.fate(&self.runtime, effect) {
            Fate::CrashBefore => self.chaos.crash(&self.runtime).await,
            Fate::Refused => (0, Fate::Refused),
            Fate::Repeated => (2, Fate::Made),
            fate @ (Fate::Made | Fate::AnswerLost | Fate::CrashAfter) => (1, fate),
        }
    }

    /// Holds a question up, and fails it at times.
    async fn ask(&self, question: &str) -> Result<(), Error> {
        let (_, fate) = self.plan(question).await;
        self.answer(fate).await
    }

    async fn answer(&self, fate: Fate) -> Result<(), Error> {
        match fate {
            Fate::Refused | Fate::AnswerLost => Err(Error::Unavailable("simulated".to_owned())),
            Fate::CrashAfter | Fate::CrashBefore => self.chaos.crash(&self.runtime).await,
            Fate::Made | Fate::Repeated => Ok(()),
        }
    }
}

#[async_trait]
impl WorkQueue for FaultyQueue {
    async fn publish_work(&self, pool: &str, reply_to: &ReplyTo, items: &[WorkItem]) -> Result<(), Error> {
        let (times, fate) = self.plan("publish an item").await;
        for _ in 0..times {
            self.inner.publish_work(pool, reply_to, items).await?;
        }
        self.answer(fate).await
    }

    async fn publish_reports(&self, to: &ReplyTo, reports: &[Report]) -> Result<(), Error> {
        let (times, fate) = self.plan("publish reports").await;
        for _ in 0..times {
            self.inner.publish_reports(to, reports).await?;
        }
        self.answer(fate).await
    }

    async fn publish_cancel(&self, cancel: &Cancel) -> Result<(), Error> {
        let (times, fate) = self.plan("publish a cancel").await;
        for _ in 0..times {
            self.inner.publish_cancel(cancel).await?;
        }
        self.answer(fate).await
    }

    async fn publish_status_change(&self, change: &StatusChange) -> Result<(), Error> {
        let (times, fate) = self.plan("publish a status change").await;
        for _ in 0..times {
            self.inner.publish_status_change(change).await?;
        }
        self.answer(fate).await
    }

    async fn publish_dead(&self, letter: &DeadLetter) -> Result<(), Error> {
        let (times, fate) = self.plan("publish a dead letter").await;
        for _ in 0..times {
            self.inner.publish_dead(letter).await?;
        }
        self.answer(fate).await
    }

    fn consume_work(&self, pool: &str, prefetch: u16) -> Consumer<WorkItem> {
        self.inner.consume_work(pool, prefetch)
    }

    fn consume_events(&self, index: u32, prefetch: u16) -> Consumer<Report> {
        self.inner.consume_events(index, prefetch)
    }

    fn consume_cancels(&self) -> Consumer<Cancel> {
        self.inner.consume_cancels()
    }

    fn work_queue(&self, pool: &str) -> String {
        self.inner.work_queue(pool)
    }

    fn reply_to(&self, partition: u32) -> ReplyTo {
        self.inner.reply_to(partition)
    }

    fn events_queues(&self) -> u32 {
        self.inner.events_queues()
    }

    async fn depth(&self, pool: &str) -> Result<u64, Error> {
        self.ask("ask for a depth").await?;
        self.inner.depth(pool).await
    }

    fn connection(&self) -> watch::Receiver<Connection> {
        self.inner.connection()
    }

    async fn has_kept_data(&self) -> Result<bool, Error> {
        self.ask("ask for the marker").await?;
        self.inner.has_kept_data().await
    }

    async fn mark_data(&self) -> Result<(), Error> {
        self.ask("set the marker").await?;
        self.inner.mark_data().await
    }

    fn with_own_events(&self, name: &str) -> SharedQueue {
        self.inner.with_own_events(name)
    }
}
