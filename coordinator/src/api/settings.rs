//! What can be set about the API, each bound with its reason.

use std::time::Duration;

use crate::driver::ExpressSettings;

/// Is what can be set about an [`Api`](super::Api).
///
/// AWS's quotas: <https://docs.aws.amazon.com/step-functions/latest/dg/limits-overview.html>
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// The account of callers whose access key id is not one (`api.account`).
    pub account: String,
    /// The region of callers whose credential names none (`api.region`).
    pub region: String,
    /// The longest that a request may take, from its head to its answer (`api.request_timeout`): less than a client's own time-out.
    pub request_timeout: Duration,
    /// How long GetActivityTask waits for a task: AWS's minute.
    pub activity_wait: Duration,
    /// How long StartSyncExecution waits for the end of its execution (`express.longest`): AWS's five minutes.
    pub express_longest: Duration,
    /// The largest body of a request (`api.body_bytes`): a definition of the greatest size whose every letter is escaped needs six
    /// bytes for one, and the rest of a request is small.
    pub body_bytes_max: usize,
    /// The largest definition (`limits.definition_bytes`): AWS's 1 MiB.
    pub definition_bytes_max: usize,
    /// The largest payload (`limits.payload_bytes`): AWS's 256 KiB.
    pub payload_bytes_max: u64,
    /// How many versions a state machine may have (`limits.versions`): AWS's 1,000.
    pub versions_max: usize,
    /// How many aliases a state machine may have (`limits.aliases`): AWS's 100.
    pub aliases_max: usize,
    /// How many tags a resource may have (`limits.tags`): AWS's 50.
    pub tags_max: usize,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            request_timeout: Duration::from_secs(30),
            activity_wait: Duration::from_secs(60),
            express_longest: ExpressSettings::default().longest,
            body_bytes_max: 8 * 1024 * 1024,
            definition_bytes_max: 1024 * 1024,
            payload_bytes_max: 256 * 1024,
            versions_max: 1_000,
            aliases_max: 100,
            tags_max: 50,
        }
    }
}
