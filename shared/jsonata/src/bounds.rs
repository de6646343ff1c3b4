//! What an evaluation may cost.

/// Is what bounds one evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How long it may take, in milliseconds.
    pub time_millis: u64,
    /// How deep calls may nest; a function that calls itself takes about three levels a call.
    pub depth: usize,
    /// How many elements a sequence may have.
    pub sequence: usize,
    /// How many bytes one text, or a result as a text, may have.
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        // A payload of 256 KiB holds 131,072 numbers; what is larger on the way is not stopped by AWS's limit but by ours.
        Self { time_millis: 5_000, depth: 3_000, sequence: 1_000_000, bytes: 8 * 1024 * 1024 }
    }
}
