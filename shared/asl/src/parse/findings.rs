//! Collects what is wrong.

use crate::diagnostics::{Code, Diagnostic, Diagnostics, Severity};

/// The most findings that are kept: what a person reads, and what AWS lists at most.
const FINDINGS_MAX: usize = 100;

/// Is the list of findings so far.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Diagnostic>);

impl Findings {
    /// Adds an error at a place.
    pub(crate) fn error(&mut self, code: Code, message: impl Into<String>, pointer: &str) {
        self.add(code, message.into(), Some(pointer.to_owned()));
    }

    /// Adds an error of the commonest class.
    pub(crate) fn schema(&mut self, message: impl Into<String>, pointer: &str) {
        self.error(Code::SchemaValidationFailed, message, pointer);
    }

    /// Adds an error that AWS gives no place for.
    pub(crate) fn error_without_place(&mut self, code: Code, message: impl Into<String>) {
        self.add(code, message.into(), None);
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }

    pub(crate) fn into_diagnostics(self) -> Diagnostics {
        Diagnostics::new(self.0)
    }

    fn add(&mut self, code: Code, message: String, pointer: Option<String>) {
        let finding = Diagnostic { severity: Severity::Error, code, message, pointer };
        if self.0.len() < FINDINGS_MAX && !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }
}
