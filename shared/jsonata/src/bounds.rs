//! What an evaluation may cost.

/// Is what bounds one evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How long it may take, in milliseconds.
    pub time_millis: u64,
    /// How long all evaluations of one lap of the session's stopwatch may have taken for another one to begin, in milliseconds.
    pub lap_millis: u64,
    /// How deep calls may nest; a function that calls itself takes about three levels a call.
    pub depth: usize,
    /// How many elements a sequence may have.
    pub sequence: usize,
    /// How many bytes one text, or a result as a text, may have.
    pub bytes: usize,
    /// How many bytes all texts and sequences made on the way may have together, about.
    pub memory: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        // AWS gives a value 6,990,256 bytes, of eight a number.
        Self {
            time_millis: 5_000,
            lap_millis: 15_000,
            depth: 3_000,
            sequence: 873_782,
            bytes: 6_990_256,
            memory: 512 * 1024 * 1024,
        }
    }
}
