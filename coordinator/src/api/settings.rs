//! What can be set about the API, each bound with its reason.

use std::time::Duration;

/// Is what can be set about an [`Api`](super::Api).
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
    /// The largest body of a request (`api.body_bytes`): a definition of the greatest size whose every letter is escaped needs six
    /// bytes for one, and the rest of a request is small.
    pub body_bytes_max: usize,
    /// The largest definition (`limits.definition_bytes`): AWS's 1 MiB.
    pub definition_bytes_max: usize,
    /// The largest payload (`limits.payload_bytes`): AWS's 256 KiB.
    pub payload_bytes_max: u64,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            request_timeout: Duration::from_secs(30),
            activity_wait: Duration::from_secs(60),
            body_bytes_max: 8 * 1024 * 1024,
            definition_bytes_max: 1024 * 1024,
            payload_bytes_max: 256 * 1024,
        }
    }
}
