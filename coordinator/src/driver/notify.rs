//! Changes of executions' status, told to whoever has bound a queue to them.
//!
//! The commit that starts or ends an execution has an entry in the outbox for it, and no other commit has. What there is to tell
//! follows from the execution as it is stored, so that after a crash another coordinator tells the same, under the same id.

use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use model::{ExecutionEnd, ExecutionStatus, Timestamp};
use sha2::{Digest, Sha256};
use store::{Commit, OutboxKey, PendingEffect};
use tokio::sync::mpsc;
use wire::message::StatusChange;
use wire::record::ExecutionRecord;

use super::Inner;
use super::cache::Known;
use super::entries::Entries;
use super::error::chain;

/// How many changes wait for the broker here, each with its payloads; what is over is left to the sweep.
const WAITING_MAX: usize = 1_024;
/// How many publishes may await their confirm at once: a confirm takes some milliseconds.
const WINDOW: usize = 128;

/// Is a status change to be published.
struct Notice {
    partition: u32,
    key: OutboxKey,
    change: StatusChange,
}

/// Is the way of status changes to the broker.
pub(crate) struct Notices {
    sender: mpsc::Sender<Notice>,
    receiver: Mutex<Option<mpsc::Receiver<Notice>>>,
    pub(super) entries: Entries,
}

impl Notices {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        Self { sender, receiver: Mutex::new(Some(receiver)), entries: Entries::default() }
    }
}

impl Inner {
    /// Has a commit tell of a status that it brings about; AWS tells of none of type EXPRESS.
    pub(super) fn add_notice(&self, commit: &mut Commit, status: ExecutionStatus) {
        let is_told = !commit.execution.is_map_run() && !commit.execution.is_express();
        if self.settings.notify && is_told {
            let (execution, effect) = (commit.execution.clone(), PendingEffect::Notify(status));
            commit.outbox_added.push(OutboxKey { execution, effect });
        }
    }

    /// Tells of a status that a commit has brought about.
    pub(super) fn notify(&self, known: &Known, key: &OutboxKey, end: Option<&(ExecutionEnd, Timestamp)>) {
        let PendingEffect::Notify(status) = key.effect else { return };
        if let Some(change) = status_change(&known.record, status, end) {
            self.offer_notice(Notice { partition: known.partition, key: key.clone(), change });
        }
    }

    /// Tells again of a status that nobody is known to have told of. Gives the key if there is nothing to tell.
    pub(super) async fn notify_again(&self, key: OutboxKey) -> Option<OutboxKey> {
        let PendingEffect::Notify(status) = key.effect else { return None };
        if !self.settings.notify {
            return Some(key);
        }
        let head = match self.store.execution(&key.execution).await {
            Ok(head) => head,
            Err(error) => {
                tracing::debug!(execution = %key.execution, trace_id = self.trace_known(&key.execution), %error, "can't tell of a status now");
                return None;
            }
        };
        let change = head.and_then(|head| status_change(&head.record, status, head.end.as_ref()));
        let Some(change) = change else {
            tracing::warn!(execution = %key.execution, trace_id = self.trace_known(&key.execution), status = status.as_str(), "an execution is not there to tell of");
            return Some(key);
        };
        self.metrics.reissued.inc();
        let partition = key.execution.partition(self.partitions);
        self.offer_notice(Notice { partition, key, change });
        None
    }

    /// Hands a change to the loop that publishes it; where that can't take it, the sweep finds it in the outbox.
    fn offer_notice(&self, notice: Notice) {
        if !self.is_broker_up() || !self.notices.entries.begin(&notice.key) {
            return;
        }
        if let Err(error) = self.notices.sender.try_send(notice) {
            self.notices.entries.give_up(&error.into_inner().key);
            self.metrics.spilled.inc();
        }
    }

    /// Publishes status changes, many at a time.
    pub(super) async fn notify_loop(self: Arc<Self>) {
        let receiver = self.notices.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut receiver) = receiver else { return };
        let mut publishing = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                Some(()) = publishing.next(), if !publishing.is_empty() => {}
                notice = receiver.recv(), if publishing.len() < WINDOW => match notice {
                    Some(notice) => publishing.push(self.publish_notice(notice)),
                    None => return,
                },
            }
        }
    }

    async fn publish_notice(&self, notice: Notice) {
        let Notice { partition, key, change } = notice;
        match self.queue.publish_status_change(&change).await {
            Ok(()) => {
                self.metrics.status_changes.inc();
                self.notices.entries.done(partition, [key]);
            }
            Err(error @ broker::Error::TooLarge { .. }) => {
                tracing::warn!(execution = %key.execution, trace_id = self.trace_known(&key.execution), error = chain(&error), "a status change is not told: raise the broker's `max_message_size`");
                self.notices.entries.done(partition, [key]);
            }
            Err(error) => {
                tracing::debug!(execution = %key.execution, trace_id = self.trace_known(&key.execution), error = chain(&error), "a status change waits");
                self.notices.entries.give_up(&key);
            }
        }
    }
}

/// Gives what there is to tell of a status; nothing if the execution never had it.
fn status_change(
    record: &ExecutionRecord,
    status: ExecutionStatus,
    end: Option<&(ExecutionEnd, Timestamp)>,
) -> Option<StatusChange> {
    let end = match status {
        ExecutionStatus::Running => None,
        ExecutionStatus::Succeeded | ExecutionStatus::Failed | ExecutionStatus::TimedOut | ExecutionStatus::Aborted => {
            Some(end.filter(|(end, _)| end.status == status)?)
        }
    };
    let of_end = end.map(|(end, _)| end.clone());
    let (output, error, cause) = of_end.map_or_else(Default::default, |end| (end.output, end.error, end.cause));
    Some(StatusChange {
        id: id_of(record, status),
        execution: record.arn.clone(),
        state_machine: record.state_machine.clone(),
        version: record.version_arn(),
        alias: record.alias_arn(),
        status,
        started_at: record.started_at,
        stopped_at: end.map(|(_, at)| *at),
        input: record.input.clone(),
        output,
        error,
        cause,
    })
}

/// Gives the id of a change: a UUID that follows from the execution, when it started, and the status. A name may be used again once
/// retention has removed its execution.
fn id_of(record: &ExecutionRecord, status: ExecutionStatus) -> String {
    let text = format!("{}\n{}\n{}", record.arn, record.started_at, status.as_str());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(text)[..16]);
    // Version 8, the one for ids of one's own making, and the usual variant.
    let number = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62) | (0x8 << 76) | (0x2 << 62);
    let hex = format!("{number:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
