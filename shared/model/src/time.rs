//! Instants as the whole system counts them.

use std::fmt;

/// Is an instant in milliseconds since the Unix epoch, UTC: the resolution of AWS's histories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Makes a timestamp from milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Gives the milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Gives the instant `millis` later, at the end of time at the latest.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Gives the milliseconds from `earlier` to this instant; 0 if it is not earlier.
    pub const fn millis_since(self, earlier: Timestamp) -> u64 {
        let difference = self.0.saturating_sub(earlier.0);
        if difference < 0 { 0 } else { difference.unsigned_abs() }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}
