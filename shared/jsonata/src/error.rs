//! What can go wrong with an expression.

/// Says why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong, with JSONata's code in front where it has one, such as `S0201: Syntax error: …`.
    pub message: String,
}

impl SyntaxError {
    /// Gives the text without JSONata's code, as AWS prints it when it refuses a definition.
    pub fn without_code(&self) -> &str {
        match jsonata_core::evaluator::error_code_prefix(&self.message) {
            Some(code) => self.message[code.len()..].trim_start_matches([':', ' ']),
            None => &self.message,
        }
    }
}

/// Says why an evaluation failed. Its text is what AWS prints behind `threw an error during evaluation. `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvaluationError {
    /// What went wrong, with JSONata's code in front where it has one, such as `T1006: Attempted to invoke a non-function`.
    pub message: String,
}

impl EvaluationError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// Gives JSONata's code, such as `T1006`, if there is one.
    pub fn code(&self) -> Option<&str> {
        jsonata_core::evaluator::error_code_prefix(&self.message)
    }
}

/// What AWS says where an evaluation takes too much memory.
pub(crate) const MEMORY: &str = "Expression evaluation memory limit exceeded: Check for excessive memory usage";
const TIME: &str = "Expression evaluation timeout: Check for infinite loop";
pub(crate) const STACK: &str =
    "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive";

/// The reference implementation's texts, of the codes whose text always is the same, or begins the same.
const TEXTS: &[&str] = &[
    "D1004: Regular expression matches zero length string",
    "D3001: Attempting to invoke string function on Infinity or NaN",
    "D3010: Second argument of replace function cannot be an empty string",
    "D3011: Fourth argument of replace function must evaluate to a positive number",
    "D3012: Attempted to replace a matched string with a non-string value",
    "D3020: Third argument of split function must evaluate to a positive number",
    "D3040: Third argument of match function must evaluate to a positive number",
    "D3050: The second argument of reduce function must be a function with at least two arguments",
    "D3080: The picture string must only contain a maximum of two sub-pictures",
    "D3081: The sub-picture must not contain more than one instance of the 'decimal-separator' character",
    "D3082: The sub-picture must not contain more than one instance of the 'percent' character",
    "D3083: The sub-picture must not contain more than one instance of the 'per-mille' character",
    "D3084: The sub-picture must not contain both a 'percent' and a 'per-mille' character",
    "D3085: The mantissa part of a sub-picture must contain at least one character that is either an 'optional digit \
     character' or a member of the 'decimal digit family'",
    "D3086: The sub-picture must not contain a passive character that is preceded by an active character and that is \
     followed by another active character",
    "D3138: The $single() function expected exactly 1 matching result.  Instead it matched more.",
    "T1006: Attempted to invoke a non-function",
    "T1008: Attempted to partially apply a non-function",
    "T2003: The left side of the range operator (..) must evaluate to an integer",
    "T2004: The right side of the range operator (..) must evaluate to an integer",
    "T2006: The right side of the function application operator ~> must be a function",
    "T2008: The expressions within an order-by clause must evaluate to numeric or string values",
];

/// Puts an error of jsonata-core into the words of the reference implementation, which AWS runs.
pub(crate) fn worded(message: &str) -> String {
    let message = message.strip_prefix("Signature validation failed: ").unwrap_or(message);
    let Some(code) = jsonata_core::evaluator::error_code_prefix(message) else {
        return message.to_owned();
    };
    match code {
        "D1011" | "U1001" => STACK.to_owned(),
        "D1012" => TIME.to_owned(),
        "D2014" | "D2015" => MEMORY.to_owned(),
        "T2001" | "T2002" => quoted_operator(message),
        "T0410" | "T0411" | "T0412" => quoted_function(message),
        _ => TEXTS.iter().find(|text| text.starts_with(code)).map_or(message, |text| text).to_owned(),
    }
}

/// Puts the operator into quotes: `of the + operator`.
fn quoted_operator(message: &str) -> String {
    match message.split_once("side of the ").and_then(|(before, rest)| Some((before, rest.split_once(' ')?))) {
        Some((before, (operator, rest))) if !operator.starts_with('"') => {
            format!("{before}side of the \"{operator}\" {rest}")
        }
        _ => message.to_owned(),
    }
}

/// Puts the function into quotes, without its `$` and what jsonata-core adds: `Argument 1 of function length does …`.
fn quoted_function(message: &str) -> String {
    const END: &str = " does not match function signature";
    match message.split_once("of function ").and_then(|(before, rest)| Some((before, rest.split_once(END)?))) {
        Some((before, (name, _))) if !name.contains(['"', ' ']) => {
            format!("{before}of function \"{}\"{END}", name.trim_start_matches('$'))
        }
        _ => message.to_owned(),
    }
}
