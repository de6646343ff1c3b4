//! The bounds of executions and runs.

/// Is what bounds an execution; AWS's limits are the defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest payload in bytes; nothing bounds it where absent.
    pub payload_bytes_max: Option<u64>,
    /// The most events that the history holds, the terminal one included; nothing bounds them where absent.
    pub events_max: Option<u64>,
    /// How long an execution may take in milliseconds, whatever its definition allows, until it is timed out; nothing bounds that where
    /// absent.
    pub execution_millis_max: Option<u64>,
    /// How many iterations of an inline Map run at once, at most; at least 1.
    pub map_concurrency_max: u32,
    /// How many child executions of a Map Run run at once, at most; at least 1.
    pub map_run_concurrency_max: u32,
    /// What bounds one run.
    pub run: RunLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload_bytes_max: Some(256 * 1024),
            events_max: Some(25_000),
            execution_millis_max: None,
            map_concurrency_max: 40,
            map_run_concurrency_max: 10_000,
            run: RunLimits::default(),
        }
    }
}

/// Is what bounds one run, and so one commit, beside what is left of the history. A run that meets a bound leaves the branch resumable, with
/// [`Effect::ContinueRun`](crate::Effect::ContinueRun); each makes at least one transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLimits {
    /// How many transitions it makes; so that a loop of Pass states yields.
    pub transitions: u32,
    /// How many bytes of payload it writes beside the record of the branch that it drives, about: events, the children with all that
    /// they bear (input, item, variables, what they wait with), their results, items. What passes the bound is still written: the
    /// payloads of one transition, and one child.
    pub bytes: u64,
    /// How long its JSONata expressions take together, in milliseconds: one transition more is made in any case.
    pub millis: u64,
    /// How many children, scopes and results of children it writes. The store takes 256 records a commit, and a child may have three
    /// timers and effects, four of which count as a record.
    pub records: u32,
}

impl RunLimits {
    /// Cuts a run as short as can be: one transition, which starts one child at most.
    pub const SHORTEST: Self = Self { transitions: 1, bytes: 0, millis: 0, records: 1 };
}

impl Default for RunLimits {
    fn default() -> Self {
        Self { transitions: 1_000, bytes: 1024 * 1024, millis: 1_000, records: 100 }
    }
}
