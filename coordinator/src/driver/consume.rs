//! Deliveries of reports: each element ends as committed, stale or set aside, and only then the message is acknowledged.

use std::sync::Arc;

use broker::{DeadLetter, Delivery, Malformed, Receipt};
use engine::Phase;
use futures::future::join_all;
use tracing::Instrument as _;
use wire::message::{Outcome, Report, encode_items, sort_reports};

use super::Inner;
use super::advance::{Ending, Trigger};
use super::backoff::Backoff;
use super::error::{Patience, Unable, chain};
use super::log;

impl Inner {
    /// Takes deliveries from an events queue. As many are in hand as the broker hands out unacknowledged.
    pub(super) async fn consume_loop(self: Arc<Self>, index: u32) {
        let mut stopping = self.stopping.subscribe();
        let mut consumer = self.queue.consume_events(index, self.settings.prefetch);
        loop {
            let delivery = tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                delivery = consumer.next() => delivery,
            };
            let Some(delivery) = delivery else { return };
            let inner = self.clone();
            self.runtime.spawn(async move {
                inner.metrics.open_deliveries.add(1);
                inner.take(delivery).await;
                inner.metrics.open_deliveries.add(-1);
            });
        }
    }

    async fn take(self: &Arc<Self>, delivery: Delivery<Report>) {
        self.metrics.deliveries.inc();
        let Delivery { content, receipt, queue, .. } = delivery;
        let mut backoff = Backoff::new(&self.settings);
        let mut reports = match content {
            Ok(reports) => reports,
            Err(malformed) => match self.salvage(malformed, &queue, &receipt, &mut backoff).await {
                Some(reports) => reports,
                None => return,
            },
        };
        self.metrics.reports.add(reports.len() as u64);
        let is_batch = reports.len() > 1;
        if is_batch {
            // A branch's reports stay in their order, one after the other.
            reports.sort_by(|one, other| (&one.execution, &one.branch).cmp(&(&other.execution, &other.branch)));
        }
        let mut left = reports;
        loop {
            left = self.try_all(left, &receipt).await;
            if is_batch && !left.is_empty() {
                left = self.set_aside(left).await;
            }
            if left.is_empty() {
                receipt.ack().await;
                return;
            }
            self.metrics.held.inc();
            self.back_off(&mut backoff).await;
            if !receipt.is_live() {
                return;
            }
        }
    }

    /// Brings reports to their end, those of different branches at once. Gives those that did not end.
    async fn try_all(self: &Arc<Self>, reports: Vec<Report>, receipt: &Receipt) -> Vec<Report> {
        if let [report] = reports.as_slice() {
            return if self.report(report, receipt).await { Vec::new() } else { reports };
        }
        let same_branch = |one: &Report, other: &Report| one.execution == other.execution && one.branch == other.branch;
        let of_branches = reports.chunk_by(same_branch).map(|of_branch| async move {
            for (index, report) in of_branch.iter().enumerate() {
                if !self.report(report, receipt).await {
                    return of_branch.get(index..).unwrap_or_default();
                }
            }
            &[]
        });
        join_all(of_branches).await.into_iter().flatten().cloned().collect()
    }

    /// Publishes reports again, each alone, so that they don't hold up the others. Gives those that could not be.
    async fn set_aside(&self, reports: Vec<Report>) -> Vec<Report> {
        let mut left = Vec::new();
        for report in reports {
            let reply_to = self.queue.reply_to(report.execution.partition(self.partitions));
            match self.queue.publish_reports(&reply_to, std::slice::from_ref(&report)).await {
                Ok(()) => self.metrics.set_aside.inc(),
                Err(error) => {
                    let trace_id = report.traceparent.as_deref().map(telemetry::trace_id_of);
                    tracing::debug!(execution = %report.execution, trace_id, error = chain(&error), "can't set a report aside");
                    left.push(report);
                }
            }
        }
        left
    }

    /// Brings a report to its end; tells whether it did.
    async fn report(self: &Arc<Self>, report: &Report, receipt: &Receipt) -> bool {
        let span = log::about(&report.execution, Some(&report.branch), Some(report.attempt));
        if let Some(traceparent) = &report.traceparent {
            span.record("trace_id", telemetry::trace_id_of(traceparent));
        }
        self.try_report(report, receipt).instrument(span).await
    }

    async fn try_report(self: &Arc<Self>, report: &Report, receipt: &Receipt) -> bool {
        let (execution, branch) = (&report.execution, &report.branch);
        let patience = Patience::While(receipt);
        let done = match self.look_at(report, patience).await {
            Ok(()) => self.advance(execution, branch, Trigger::Report(report), false, patience).await,
            Err(error) => Err(error),
        };
        match done {
            Ok(Ending::Stale) => {
                self.metrics.stale_reports.inc();
                tracing::debug!(kind = report.outcome.kind(), "a stale report");
                true
            }
            Ok(Ending::Committed | Ending::Unchanged) => true,
            // A report does not respect leases.
            Ok(Ending::Leased) => false,
            Err(error @ Unable::Broken(_)) => {
                tracing::error!(error = chain(&error), "a report can't be applied");
                self.bury_report(report, &error).await
            }
            Err(error @ (Unable::Store(_) | Unable::Broker(_) | Unable::Contended)) => {
                tracing::debug!(error = chain(&error), "a report has to wait");
                false
            }
        }
    }

    /// Takes note of what a report says beside what the core has to know.
    async fn look_at(&self, report: &Report, patience: Patience<'_>) -> Result<(), Unable> {
        match &report.outcome {
            Outcome::Unhandled => self.metrics.unhandled.inc(),
            Outcome::Poisoned => self.bury_item(report, patience).await?,
            Outcome::Started => {
                let (execution, branch, worker) = (&report.execution, &report.branch, &report.worker);
                tracing::debug!(%execution, %branch, worker, "a worker runs a task that takes longer");
                return Ok(());
            }
            Outcome::Heartbeat
            | Outcome::Holding
            | Outcome::Submitted { .. }
            | Outcome::Succeeded { .. }
            | Outcome::Failed { .. } => return Ok(()),
        }
        if matches!(report.outcome, Outcome::Unhandled)
            && let Some(found) = self.find(&report.execution, &report.branch, false, patience).await?
            && let Phase::Task(task) = &found.held.branch.phase
            && task.attempt == report.attempt
        {
            let (resource, pool) = (&task.resource, &self.settings.routing.pool(&task.resource).name);
            self.seldom.count_unhandled(resource);
            if !self.seldom.is_due("unhandled", resource, self.runtime.now()) {
                return Ok(());
            }
            tracing::warn!(resource, %pool, worker = report.worker, "no worker has a handler; the item goes out again later");
        }
        Ok(())
    }

    /// Puts a poisoned work item into the queue of dead letters, if its attempt is still open.
    async fn bury_item(&self, report: &Report, patience: Patience<'_>) -> Result<(), Unable> {
        let Some(found) = self.find(&report.execution, &report.branch, true, patience).await? else { return Ok(()) };
        let held = &found.held;
        let Phase::Task(task) = &held.branch.phase else { return Ok(()) };
        if task.attempt != report.attempt {
            return Ok(());
        }
        self.metrics.poisoned.inc();
        let mut dispatch = self.dispatch(&held.known, &held.branch, task);
        dispatch.item.deliveries = report.deliveries;
        let pool = &dispatch.pool.name;
        let letter = DeadLetter {
            reason: format!("delivered {} times without a report", report.deliveries),
            queue: self.queue.work_queue(pool),
            kind: Some(wire::message::WORK_TYPE.to_owned()),
            reply_to: Some(self.queue.reply_to(held.known.partition)),
            body: encode_items(std::slice::from_ref(&dispatch.item)),
        };
        tracing::warn!(resource = task.resource, "a work item is poisoned");
        self.publish_dead(&letter).await.map_err(Unable::Broker)
    }

    async fn bury_report(&self, report: &Report, error: &Unable) -> bool {
        let letter = DeadLetter {
            reason: chain(error),
            queue: self.queue.reply_to(report.execution.partition(self.partitions)).to_string(),
            kind: Some(wire::message::REPORT_TYPE.to_owned()),
            reply_to: None,
            body: wire::message::encode_reports(std::slice::from_ref(report)),
        };
        self.bury(&letter).await
    }

    async fn bury(&self, letter: &DeadLetter) -> bool {
        let published = self.publish_dead(letter).await;
        if let Err(error) = &published {
            tracing::debug!(error = chain(error), "can't publish a dead letter");
        }
        published.is_ok()
    }

    /// Publishes a dead letter; one that the broker would never take is dropped.
    async fn publish_dead(&self, letter: &DeadLetter) -> Result<(), broker::Error> {
        match self.queue.publish_dead(letter).await {
            Ok(()) => {
                self.metrics.dead_letters.inc();
                Ok(())
            }
            Err(error @ broker::Error::TooLarge { .. }) => {
                let DeadLetter { reason, queue, .. } = letter;
                tracing::error!(reason, queue, error = chain(&error), "a dead letter is dropped");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Buries what can't be read of a body, and gives the rest; nothing if the delivery is void before that is done.
    async fn salvage(
        &self,
        malformed: Malformed,
        queue: &str,
        receipt: &Receipt,
        backoff: &mut Backoff,
    ) -> Option<Vec<Report>> {
        let Malformed { reason, kind, body } = malformed;
        tracing::warn!(queue, reason, "a message can't be read; it goes to the queue of dead letters");
        let is_report = kind.as_deref().is_none_or(|kind| kind == wire::message::REPORT_TYPE);
        let sorted = if is_report { sort_reports(&body).ok() } else { None };
        let (readable, reason, rest) = match sorted {
            Some(sorted) if !sorted.readable.is_empty() => {
                let faults: Vec<String> = sorted.faults.iter().map(wire::message::FormatError::chain).collect();
                (sorted.readable, faults.join("; "), sorted.rest)
            }
            Some(_) | None => (Vec::new(), reason, body),
        };
        let letter = DeadLetter { reason, queue: queue.to_owned(), kind, reply_to: None, body: rest };
        while !letter.body.is_empty() && !self.bury(&letter).await {
            self.back_off(backoff).await;
            if !receipt.is_live() {
                return None;
            }
        }
        Some(readable)
    }
}
