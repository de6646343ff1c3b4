//! Collects what is wrong, and has the checks that any field may need.

use crate::diagnostics::{Code, Diagnostic, Diagnostics, Severity};
use crate::validate::options::Options;
use crate::validate::place::Place;
use crate::validate::tree::{Object, Tree};

/// The most findings of each severity that are kept: what a person reads, and what AWS lists at most.
const FINDINGS_MAX: usize = 100;

/// Is the list of findings so far.
#[derive(Debug)]
pub(crate) struct Report {
    options: Options,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    /// The severities of which more was found than is kept.
    cut: Vec<Severity>,
    visible: Visible,
}

/// Says which members of `$states` the expressions at hand see beside `input` and `context`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visible {
    Neither,
    Result,
    ErrorOutput,
}

impl Report {
    pub(crate) fn new(options: Options) -> Self {
        Self { options, errors: Vec::new(), warnings: Vec::new(), cut: Vec::new(), visible: Visible::Neither }
    }

    /// Checks something whose expressions see a member of `$states`.
    pub(crate) fn seeing(&mut self, visible: Visible, check: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.visible, visible);
        check(self);
        self.visible = before;
    }

    pub(crate) fn sees(&self, visible: Visible) -> bool {
        self.visible == visible
    }

    pub(crate) fn options(&self) -> Options {
        self.options
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Adds an error.
    pub(crate) fn error(&mut self, code: Code, message: impl Into<String>, place: Place<'_>) {
        self.add(Severity::Error, code, message.into(), Some(place.to_string()));
    }

    /// Adds an error of the commonest class.
    pub(crate) fn schema(&mut self, message: impl Into<String>, place: Place<'_>) {
        self.error(Code::SchemaValidationFailed, message, place);
    }

    /// Adds an error whose place AWS does not give, or gives in words of its own.
    pub(crate) fn error_at(&mut self, code: Code, message: impl Into<String>, pointer: Option<String>) {
        self.add(Severity::Error, code, message.into(), pointer);
    }

    /// Adds a warning.
    pub(crate) fn warning(&mut self, code: Code, message: impl Into<String>, place: Place<'_>) {
        self.add(Severity::Warning, code, message.into(), Some(place.to_string()));
    }

    pub(crate) fn into_diagnostics(mut self) -> Diagnostics {
        self.errors.append(&mut self.warnings);
        Diagnostics::new(self.errors, self.cut)
    }

    /// Tells whether a value is filled in later, by CloudFormation or Terraform, so that nothing is known of it yet.
    pub(crate) fn is_open(&self, value: &Tree) -> bool {
        if !self.options.substitutions {
            return false;
        }
        match value {
            Tree::String(text) => text.split_once("${").is_some_and(|(_, rest)| rest.contains('}')),
            Tree::Object(object) => is_function(object),
            Tree::Null | Tree::Boolean(_) | Tree::Number(_) | Tree::Array(_) => false,
        }
    }

    pub(crate) fn object<'a>(&mut self, value: &'a Tree, place: Place<'_>) -> Option<&'a Object> {
        self.expect(value, Tree::object, "Object", place)
    }

    pub(crate) fn array<'a>(&mut self, value: &'a Tree, place: Place<'_>) -> Option<&'a [Tree]> {
        self.expect(value, Tree::array, "Array", place)
    }

    pub(crate) fn filled_array<'a>(&mut self, value: &'a Tree, place: Place<'_>) -> Option<&'a [Tree]> {
        let elements = self.array(value, place)?;
        if elements.is_empty() {
            self.schema("Value cannot be empty", place);
            return None;
        }
        Some(elements)
    }

    pub(crate) fn string<'a>(&mut self, value: &'a Tree, place: Place<'_>) -> Option<&'a str> {
        self.expect(value, Tree::string, "String", place)
    }

    pub(crate) fn boolean(&mut self, value: &Tree, place: Place<'_>) -> Option<bool> {
        self.expect(value, Tree::boolean, "Boolean", place)
    }

    pub(crate) fn number(&mut self, value: &Tree, place: Place<'_>) -> Option<f64> {
        self.expect(value, |value| value.number().and_then(serde_json::Number::as_f64), "Number", place)
    }

    /// Checks a whole number within bounds.
    pub(crate) fn integer(&mut self, value: &Tree, least: u64, most: u64, place: Place<'_>) {
        let Some(number) = self.expect(value, Tree::number, "Integer", place) else { return };
        match whole(number) {
            None => self.schema("Expected value of type Integer", place),
            Some(integer) if integer > i128::from(most) => self.schema(format!("Maximum value is {most}"), place),
            Some(integer) if integer < i128::from(least) => self.schema(format!("Minimum value is {least}"), place),
            Some(_) => {}
        }
    }

    /// Checks one of a few words.
    pub(crate) fn one_of<'a>(&mut self, value: &'a Tree, words: &[&str], place: Place<'_>) -> Option<&'a str> {
        let word = self.string(value, place)?;
        if words.contains(&word) || self.is_open(value) {
            return Some(word);
        }
        self.schema(format!("Value should be one of the following: [{}]", words.join(", ")), place);
        None
    }

    /// Finds fault with the members that are not there.
    pub(crate) fn require(&mut self, object: &Object, names: &[&str], place: Place<'_>) {
        let missing: Vec<&str> = names.iter().copied().filter(|name| !object.has(name)).collect();
        if !missing.is_empty() {
            self.schema(format!("These fields are required: [{}]", missing.join(", ")), place);
        }
    }

    /// Finds fault with members of other names.
    pub(crate) fn allow_only(&mut self, object: &Object, names: &[&str], place: Place<'_>) {
        for (name, _) in object.members() {
            if !names.contains(&name) {
                self.schema(format!("Field '{name}' is not supported"), place);
            }
        }
    }

    /// Finds fault with more than one of some members.
    pub(crate) fn at_most_one_of(&mut self, object: &Object, names: &[&str], place: Place<'_>) {
        if names.iter().filter(|name| object.has(name)).count() > 1 {
            let names = names.join(", ");
            self.schema(format!("There should only be one of the following fields: [{names}]"), place);
        }
    }

    /// Finds fault with none, or more than one, of some members.
    pub(crate) fn exactly_one_of(&mut self, object: &Object, names: &[&str], place: Place<'_>) {
        if names.iter().any(|name| object.has(name)) {
            return self.at_most_one_of(object, names, place);
        }
        let names = names.join(", ");
        self.schema(format!("This object should have only one of the following fields: [{names}]"), place);
    }

    fn expect<'a, T>(
        &mut self,
        value: &'a Tree,
        take: impl Fn(&'a Tree) -> Option<T>,
        kind: &str,
        place: Place<'_>,
    ) -> Option<T> {
        let taken = take(value);
        if taken.is_none() && !self.is_open(value) {
            self.schema(format!("Expected value of type {kind}"), place);
        }
        taken
    }

    fn add(&mut self, severity: Severity, code: Code, message: String, pointer: Option<String>) {
        let finding = Diagnostic { severity, code, message, pointer };
        let findings = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if findings.contains(&finding) {
            return;
        }
        if findings.len() < FINDINGS_MAX {
            findings.push(finding);
        } else if !self.cut.contains(&severity) {
            self.cut.push(severity);
        }
    }
}

/// Gives a whole number. Of those beyond 64 bits only their size is known, not how they are written.
#[expect(clippy::cast_possible_truncation, reason = "saturates, which is enough for comparing")]
fn whole(number: &serde_json::Number) -> Option<i128> {
    let within = number.as_u64().map(i128::from).or_else(|| number.as_i64().map(i128::from));
    let beyond = number.as_f64().filter(|number| number.abs() >= i64::MAX as f64);
    within.or_else(|| beyond.map(|number| number as i128))
}

/// Tells whether an object is a call of one of CloudFormation's functions.
fn is_function(object: &Object) -> bool {
    let mut members = object.members();
    let (Some((name, _)), None) = (members.next(), members.next()) else { return false };
    name == "Ref" || name.starts_with("Fn::")
}
