//! What validation finds, with the place in the text and in AWS's words.

use std::fmt;

/// Says how grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The definition is refused.
    Error,
    /// The definition is taken, but is likely not what its author meant.
    Warning,
}

impl Severity {
    /// Gives the severity as AWS prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
        }
    }
}

/// Is the class of a finding, as AWS prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The text is not JSON, or not an object.
    InvalidJsonDescription,
    /// Objects and arrays are nested too deeply.
    TooDeeplyNested,
    /// A field is missing, superfluous or malformed.
    SchemaValidationFailed,
    /// A transition leads nowhere, or no transition leads to a state.
    MissingTransitionTarget,
    /// Two states of one definition bear the same name.
    DuplicateStateName,
    /// The name of a state breaks the rules for names.
    InvalidStateName,
    /// No state ends the machine.
    MissingEndState,
    /// The label of a Map breaks the rules for labels.
    InvalidLabelName,
    /// Two Maps of one definition bear the same label.
    DuplicateLabelName,
    /// A JSONata expression can't be parsed.
    InvalidJsonataExpression,
    /// A JSONata expression uses what Step Functions does not offer.
    UnsupportedJsonataExpression,
    /// What a Task calls is nothing that AWS knows. A warning.
    InvalidResource,
    /// A value looks computed, but the name of its field does not end with `.$`. A warning.
    NoDollar,
    /// A value looks like a path, but the name of its field does not end with `Path`. A warning.
    NoPath,
    /// The result of a Pass state looks computed, but is static. A warning.
    PassResultIsStatic,
    /// The definition is right, but uses what is not supported.
    Unsupported,
}

impl Code {
    /// Gives the code as AWS prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::InvalidJsonDescription => "INVALID_JSON_DESCRIPTION",
            Code::TooDeeplyNested => "TOO_DEEPLY_NESTED",
            Code::SchemaValidationFailed => "SCHEMA_VALIDATION_FAILED",
            Code::MissingTransitionTarget => "MISSING_TRANSITION_TARGET",
            Code::DuplicateStateName => "DUPLICATE_STATE_NAME",
            Code::InvalidStateName => "INVALID_STATE_NAME",
            Code::MissingEndState => "MISSING_END_STATE",
            Code::InvalidLabelName => "INVALID_LABEL_NAME",
            Code::DuplicateLabelName => "DUPLICATE_LABEL_NAME",
            Code::InvalidJsonataExpression => "INVALID_JSONATA_EXPRESSION",
            Code::UnsupportedJsonataExpression => "UNSUPPORTED_JSONATA_EXPRESSION",
            Code::InvalidResource => "INVALID_RESOURCE",
            Code::NoDollar => "NO_DOLLAR",
            Code::NoPath => "NO_PATH",
            Code::PassResultIsStatic => "PASS_RESULT_IS_STATIC",
            Code::Unsupported => "UNSUPPORTED",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Is one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How grave it is.
    pub severity: Severity,
    /// Its class.
    pub code: Code,
    /// What is wrong, in AWS's words where they are known.
    pub message: String,
    /// Where, as a path into the text such as `/States/Pay/Retry[0]/ErrorEquals`; `/` is the whole text, and `None`, which
    /// AWS prints as `null`, is what it gives no place for.
    pub pointer: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)?;
        write!(formatter, " at {}", self.pointer.as_deref().unwrap_or("null"))
    }
}

/// Is the list of findings on one definition, errors first as they stand in the text.
///
/// Its text is the message of AWS's `InvalidDefinition`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    findings: Vec<Diagnostic>,
    cut: Vec<Severity>,
}

impl Diagnostics {
    /// Collects findings, of which more were found of the severities in `cut`.
    pub fn new(findings: Vec<Diagnostic>, cut: Vec<Severity>) -> Self {
        Self { findings, cut }
    }

    /// Tells whether there are more findings of a severity than are kept.
    pub fn is_cut(&self, severity: Severity) -> bool {
        self.cut.contains(&severity)
    }

    /// Lists the findings.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.findings.iter()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Counts them.
    pub fn len(&self) -> usize {
        self.findings.len()
    }

    /// Tells whether any finding refuses the definition.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.findings.iter().filter(|finding| finding.severity == Severity::Error);
        let errors: Vec<String> = errors.map(Diagnostic::to_string).collect();
        write!(formatter, "Invalid State Machine Definition: '{}'", errors.join(", "))
    }
}

impl std::error::Error for Diagnostics {}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.findings.iter()
    }
}
