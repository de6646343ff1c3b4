//! What can be set about the driver, each bound with its reason.

use std::time::Duration;

use engine::Limits;
use model::ExecutionArn;

use super::routing::Routing;

/// Is what can be set about a [`Driver`](super::Driver).
#[derive(Clone, Debug)]
pub struct DriverSettings {
    /// Which pool runs which resource.
    pub routing: Routing,
    /// What bounds executions and runs (`limits.*`). A commit takes 256 records, where a child counts with its work item, its timers
    /// and its scope: 100 children fit in any case.
    pub limits: Limits,
    /// How many deliveries each events queue hands out before the first is acknowledged. It bounds the reports in hand: a
    /// commit takes about a millisecond, so some hundreds keep the store busy.
    pub prefetch: u16,
    /// How long a branch stays leased after a commit. It only keeps background work off branches that move by themselves,
    /// so it need not be longer than a few commits of a busy branch.
    pub lease: Duration,
    /// How many branches one commit closes where a child's failure cuts off others; more take several commits. The store takes 256.
    pub closed_at_once: usize,
    /// How many commits of one event may be refused before its delivery is held: a branch is contended by a few
    /// coordinators at most, so more refusals mean that something else is wrong.
    pub refusals_max: u32,
    /// The first pause before a held delivery or an unreachable store is tried again.
    pub retry_first: Duration,
    /// The longest such pause: how late the work goes on after an outage.
    pub retry_longest: Duration,
    /// How many branches are kept in memory at their last revision. One that is not there costs a read.
    pub cached_branches: usize,
    /// How many bytes of payload those may hold.
    pub cached_bytes: usize,
    /// How many executions' heads are kept in memory.
    pub cached_executions: usize,
    /// How many parsed definitions are kept in memory.
    pub cached_definitions: usize,
    /// Payloads over this many bytes are worked on off the async threads: parsing as much takes a millisecond.
    pub inline_bytes_max: usize,
    /// How many branches are driven on at once without a delivery (wakes, continuations, timers).
    pub local_running: usize,
    /// How many of these may wait; what is over is left to the sweep.
    pub local_waiting: usize,
    /// How many publishes may await their confirm at once. A confirm takes a few milliseconds, so this is some 100,000 a second.
    pub relay_window: usize,
    /// How many work items may wait for the relay; what is over is kept as its key only.
    pub relay_waiting: usize,
    /// How many keys of effects that could not leave are kept; what is over is left to the sweep.
    pub relay_pending: usize,
    /// How often the effects that have left are cleared from the outbox. Most are gone before, with their report.
    pub outbox_clear: Duration,
    /// How old an entry of a live committer is before the sweep takes it for forgotten (`outbox.grace`).
    pub outbox_grace: Duration,
    /// How often a partition's timers are looked at.
    pub timers_every: Duration,
    /// How long after its time a timer is left to the coordinator that set it.
    pub timers_grace: Duration,
    /// How far ahead a timer may be to go into the wheel; the sweep finds the others later.
    pub timers_horizon: Duration,
    /// How many timers the wheel holds; the sweep finds the others.
    pub timers_held: usize,
    /// How many due timers of a partition a sweep takes at once.
    pub timers_batch: usize,
    /// How often the lease of a partition's sweeps is taken or renewed, and its outbox looked at.
    pub sweep_every: Duration,
    /// How long that lease holds: three tries to renew it.
    pub sweep_lease: Duration,
    /// How many partitions are swept at once: it bounds the load on the store.
    pub sweep_parallel: usize,
    /// How often what ended executions left over is removed.
    pub clean_every: Duration,
    /// How long ended executions are kept (`retention`): AWS's 90 days.
    pub retention: Duration,
    /// How many bytes of them are kept, the latest (`retention.bytes`); nothing bounds them where absent.
    pub retention_bytes: Option<u64>,
    /// How long a definition is kept that nothing refers to any more: longer than what takes it over from a state machine that it has read, so
    /// that it is seldom put again.
    pub definitions_unused: Duration,
    /// How often the coordinator says that it is alive.
    pub announce_every: Duration,
    /// How long that holds: three announcements.
    pub announce_life: Duration,
    /// How often the store is asked whether it is too full for new executions.
    pub high_water_every: Duration,
    /// How often the reconciler looks at the pools' queues and walks on over open executions.
    pub reconcile_every: Duration,
    /// How many executions a partition's walk looks at each time: it bounds what the repair costs.
    pub reconcile_batch: usize,
    /// How old an item without a started notice is before it may count as lost.
    pub lost_after: Duration,
    /// How long after its dispatch an item's queue must have been seen empty.
    pub lost_empty_after: Duration,
    /// How many polls of activities, and starts of synchronous executions, by tasks may go on at once: each is little more than a timer.
    pub polls_running: usize,
    /// How long a call of a live coordinator may be under way before it counts as forgotten: longer than a poll lasts.
    pub call_longest: Duration,
    /// How often the queue of an activity is looked at while a worker polls it here; what this coordinator puts in is seen at once.
    pub activity_poll: Duration,
    /// How long a task that was taken for a poller stays hidden from others before it must have reached it: longer than a commit.
    pub activity_claim: Duration,
    /// What is of its own kind in executions of state machines of type EXPRESS (`express.*`).
    pub express: ExpressSettings,
    /// Whether changes of executions' status are told to whoever listens at the broker (`notify.enabled`).
    pub notify: bool,
    /// How many commits the feed of live progress keeps for a slow listener.
    pub feed_kept: usize,
}

impl Default for DriverSettings {
    fn default() -> Self {
        Self {
            routing: Routing::default(),
            limits: Limits::default(),
            prefetch: 256,
            lease: Duration::from_secs(5),
            closed_at_once: 256,
            refusals_max: 8,
            retry_first: Duration::from_millis(50),
            retry_longest: Duration::from_secs(5),
            cached_branches: 16_384,
            cached_bytes: 64 * 1024 * 1024,
            cached_executions: 16_384,
            cached_definitions: 256,
            inline_bytes_max: 64 * 1024,
            local_running: 256,
            local_waiting: 65_536,
            relay_window: 512,
            relay_waiting: 4_096,
            relay_pending: 65_536,
            outbox_clear: Duration::from_secs(1),
            outbox_grace: Duration::from_secs(5),
            timers_every: Duration::from_secs(1),
            timers_grace: Duration::from_millis(500),
            timers_horizon: Duration::from_secs(3_600),
            timers_held: 100_000,
            timers_batch: 256,
            sweep_every: Duration::from_secs(2),
            sweep_lease: Duration::from_secs(6),
            sweep_parallel: 8,
            clean_every: Duration::from_secs(10),
            retention: Duration::from_secs(90 * 86_400),
            retention_bytes: None,
            definitions_unused: Duration::from_secs(300),
            announce_every: Duration::from_secs(2),
            announce_life: Duration::from_secs(6),
            high_water_every: Duration::from_secs(1),
            reconcile_every: Duration::from_secs(5),
            reconcile_batch: 64,
            lost_after: Duration::from_secs(30),
            lost_empty_after: Duration::from_secs(5),
            polls_running: 16_384,
            call_longest: Duration::from_secs(120),
            activity_poll: Duration::from_millis(250),
            activity_claim: Duration::from_secs(15),
            express: ExpressSettings::default(),
            notify: true,
            feed_kept: 4_096,
        }
    }
}

/// Is what can be set about executions of state machines of type EXPRESS.
#[derive(Clone, Debug)]
pub struct ExpressSettings {
    /// How long one may take, unless its definition allows less (`express.longest`): AWS's five minutes.
    pub longest: Duration,
    /// How long one that has ended is kept (`express.retention`). Nobody can ask for it; but a task that started one, and whose
    /// coordinator died before the report on that was committed, is to find it instead of starting another: an effect of a dead
    /// coordinator is issued again after some ten seconds.
    pub retention: Duration,
    /// How many synchronous ones may be under way in this process (`express.synchronous_max`). Each keeps its payloads in memory, up to some
    /// 256 KiB each: ten thousand with small ones take less than 100 MB.
    pub synchronous_max: usize,
    /// Whether this driver's executions are those that a caller waits for: they are kept in memory, and can't be redriven.
    pub is_synchronous: bool,
}

impl Default for ExpressSettings {
    fn default() -> Self {
        Self {
            longest: Duration::from_secs(5 * 60),
            retention: Duration::from_secs(30),
            synchronous_max: 10_000,
            is_synchronous: false,
        }
    }
}

impl DriverSettings {
    /// Gives what a driver of synchronous executions takes, beside one that takes this.
    #[must_use]
    pub fn synchronous(&self) -> Self {
        Self {
            // One that has ended is of no use to anybody: it only has to be there until the last late report on it has come.
            express: ExpressSettings {
                retention: Duration::from_secs(1),
                is_synchronous: true,
                ..self.express.clone()
            },
            // A thousand are removed of each partition each time.
            clean_every: Duration::from_secs(1),
            retention_bytes: None,
            notify: false,
            ..self.clone()
        }
    }

    /// Gives what bounds an execution: one of type EXPRESS in its time, and not in its history.
    pub(super) fn limits_of(&self, execution: &ExecutionArn) -> Limits {
        if !execution.is_express() {
            return self.limits;
        }
        let longest = u64::try_from(self.express.longest.as_millis()).unwrap_or(u64::MAX);
        Limits { events_max: None, execution_millis_max: Some(longest), ..self.limits }
    }
}
