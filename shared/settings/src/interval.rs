//! Spans of time, written with their unit.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The units, the largest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Is a span of time in whole milliseconds, written as a number and a unit: `250ms`, `5s`, `5m`, `1h`, `90d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval(Duration);

impl Interval {
    /// Makes an interval of milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// Makes an interval of seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Gives the span.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// Gives the span in milliseconds.
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Says that a text is not a span of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read {0:?} as a span of time: write a whole number and a unit of ms, s, m, h or d, as in \"30s\"")]
pub struct IntervalError(String);

impl FromStr for Interval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<Self, IntervalError> {
        let wrong = || IntervalError(text.to_owned());
        let digits = text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(digits);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(*factor).map(Self::from_millis).ok_or_else(wrong)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let whole = UNITS.iter().find(|(_, factor)| millis > 0 && millis.is_multiple_of(u128::from(*factor)));
        let (unit, factor) = whole.copied().unwrap_or(("s", 1_000));
        write!(formatter, "{}{unit}", millis / u128::from(factor))
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_as_they_are_printed() {
        let check = |text: &str, millis: u64, printed: &str| {
            let interval: Interval = text.parse().expect("is an interval");
            assert_eq!(interval, Interval::from_millis(millis), "{text}");
            assert_eq!(interval.to_string(), printed);
        };
        check("250ms", 250, "250ms");
        check("5s", 5_000, "5s");
        check("5 m", 300_000, "5m");
        check("90m", 5_400_000, "90m");
        check("90d", 7_776_000_000, "90d");
        check("0s", 0, "0s");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "5", "s", "-5s", "1.5s", "5 years", "99999999999999999999s", "18446744073709551615d"] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
    }
}
