//! Values that have the right type and yet don't fit.

/// Says which setting does not fit, and what would.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use the setting {key}: {reason}")]
pub struct Unusable {
    key: &'static str,
    reason: String,
}

impl Unusable {
    /// Says what would fit the setting `key`.
    pub fn new(key: &'static str, reason: impl Into<String>) -> Self {
        Self { key, reason: reason.into() }
    }

    /// Names the setting.
    pub fn key(&self) -> &'static str {
        self.key
    }
}

/// Checks settings for which nothing would not work: counts, sizes in bytes, spans of time in milliseconds.
///
/// # Errors
/// [`Unusable`] for the first that is 0.
pub fn check_positive(values: &[(&'static str, u64)]) -> Result<(), Unusable> {
    match values.iter().find(|(_, value)| *value == 0) {
        Some((key, _)) => Err(Unusable::new(key, "it must be more than 0")),
        None => Ok(()),
    }
}
