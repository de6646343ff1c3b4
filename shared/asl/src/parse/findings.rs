//! Collects what is wrong.

use jsonata::Uses;

use crate::definition::QueryLanguage;
use crate::diagnostics::{Code, Diagnostic, Diagnostics, Severity};
use crate::intrinsic::{Argument, Intrinsic};
use crate::path::{DataPath, Root};

/// The most findings that are kept: what a person reads, and what AWS lists at most.
const FINDINGS_MAX: usize = 100;

/// Is the list of findings so far, and what the fields of the state at hand are read by.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Diagnostic>,
    /// The language of states that don't name one.
    pub(crate) default_language: QueryLanguage,
    /// The language of the state at hand.
    pub(crate) language: QueryLanguage,
    /// What the expressions and paths of the state at hand look at.
    pub(crate) uses: Uses,
    /// Whether any expression may take long.
    pub(crate) may_be_long: bool,
    /// Whether what is right but not supported is let pass.
    lenient: bool,
}

impl Findings {
    /// Makes a list into which nothing comes that is right but not supported.
    pub(crate) fn lenient() -> Self {
        Self { lenient: true, ..Self::default() }
    }

    /// Makes a list for what need not be right, in the same state.
    pub(crate) fn apart(&self) -> Self {
        Self { default_language: self.default_language, language: self.language, ..Self::lenient() }
    }

    /// Takes over what was looked at by expressions and paths that were read apart.
    pub(crate) fn note_uses_of(&mut self, apart: &Self) {
        self.uses.merge(&apart.uses);
        self.may_be_long |= apart.may_be_long;
    }

    /// Adds that something right is not supported when it is run.
    pub(crate) fn unsupported(&mut self, message: impl Into<String>, pointer: &str) {
        if !self.lenient {
            self.error(Code::Unsupported, message, pointer);
        }
    }

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

    /// Notes the variable that a path begins at, if it begins at one.
    pub(crate) fn note_path(&mut self, path: &DataPath) {
        if let Root::Variable(name) = path.root() {
            self.uses.variables.insert(name.to_string());
        }
    }

    /// Notes the variables that a call's arguments name.
    pub(crate) fn note_call(&mut self, call: &Intrinsic) {
        for argument in call.arguments() {
            match argument {
                Argument::Path(path) => self.note_path(path),
                Argument::Call(call) => self.note_call(call),
                Argument::Text { .. } | Argument::Literal(_) => {}
            }
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.list.iter().any(|finding| finding.severity == Severity::Error)
    }

    pub(crate) fn into_diagnostics(self) -> Diagnostics {
        Diagnostics::new(self.list, Vec::new())
    }

    fn add(&mut self, code: Code, message: String, pointer: Option<String>) {
        let finding = Diagnostic { severity: Severity::Error, code, message, pointer };
        if self.list.len() < FINDINGS_MAX && !self.list.contains(&finding) {
            self.list.push(finding);
        }
    }
}
