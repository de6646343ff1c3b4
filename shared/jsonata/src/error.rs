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
pub(crate) const TIME: &str = "Expression evaluation timeout: Check for infinite loop";
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
    "D3087: The sub-picture must not contain a 'grouping-separator' character that appears adjacent to a 'decimal-separator' \
     character",
    "D3088: The sub-picture must not contain a 'grouping-separator' at the end of the integer part",
    "D3089: The sub-picture must not contain two adjacent instances of the 'grouping-separator' character",
    "D3090: The integer part of the sub-picture must not contain a member of the 'decimal digit family' that is followed by an \
     instance of the 'optional digit character'",
    "D3091: The fractional part of the sub-picture must not contain an instance of the 'optional digit character' that is \
     followed by a member of the 'decimal digit family'",
    "D3092: A sub-picture that contains a 'percent' or 'per-mille' character must not contain a character treated as an \
     'exponent-separator'",
    "D3093: The exponent part of the sub-picture must comprise only of one or more characters that are members of the 'decimal \
     digit family'",
    "D3131: In a decimal digit pattern, all digits must be from the same decimal group",
    "D3134: The timezone integer format specifier cannot have more than four digits",
    "D3135: No matching closing bracket ']' in date/time picture string",
    "D3136: The date/time picture string is missing specifiers required to parse the timestamp",
    "D3138: The $single() function expected exactly 1 matching result.  Instead it matched more.",
    "T1006: Attempted to invoke a non-function",
    "T1008: Attempted to partially apply a non-function",
    "T2003: The left side of the range operator (..) must evaluate to an integer",
    "T2004: The right side of the range operator (..) must evaluate to an integer",
    "T2006: The right side of the function application operator ~> must be a function",
    "T2008: The expressions within an order-by clause must evaluate to numeric or string values",
];

/// Puts an error of jsonata-core into the words of the reference implementation, which AWS runs. `function` is the only one that
/// the expression calls: jsonata-core does not say of which function an argument is wrong.
pub(crate) fn worded(message: &str, function: Option<&str>) -> String {
    let message = message.strip_prefix("Signature validation failed: ").unwrap_or(message);
    let Some(code) = jsonata_core::evaluator::error_code_prefix(message) else {
        return unsupported_pattern(message).unwrap_or_else(|| message.to_owned());
    };
    match code {
        "D1011" | "U1001" => STACK.to_owned(),
        "D1012" => TIME.to_owned(),
        "D2014" | "D2015" => MEMORY.to_owned(),
        "T2001" | "T2002" => quoted_operator(message),
        "T0410" | "T0411" | "T0412" => argument(message, function).unwrap_or_else(|| quoted_function(message)),
        "D3030" => uncast(message),
        "D3100" => last_word(message, "The radix of the formatBase function must be between 2 and 36.  It was given"),
        _ => TEXTS.iter().find(|text| text.starts_with(code)).map_or(message, |text| text).to_owned(),
    }
}

/// Says in one line why a regular expression can't be run.
fn unsupported_pattern(message: &str) -> Option<String> {
    let (_, reason) = message.split_once("Invalid regex: ")?;
    let reason = reason.rsplit("error: ").next().unwrap_or(reason);
    Some(format!("Invalid regular expression: {reason}"))
}

/// Names what cannot become a number, as JSON: `Cannot convert 'x' to number`.
fn uncast(message: &str) -> String {
    let value = message.strip_prefix("D3030: Cannot convert ").and_then(|rest| rest.strip_suffix(" to number"));
    let quoted = value.and_then(|value| value.strip_prefix('\'')?.strip_suffix('\''));
    match (quoted, value) {
        (Some(text), _) => format!("D3030: Unable to cast value to a number: {}", serde_json::Value::from(text)),
        (None, Some("null")) => "D3030: Unable to cast value to a number: null".to_owned(),
        (None, _) => message.to_owned(),
    }
}

/// Puts the last word of a message behind another text.
fn last_word(message: &str, text: &str) -> String {
    let code = message.split(' ').next().unwrap_or_default();
    format!("{code} {text} {}", message.rsplit(' ').next().unwrap_or_default())
}

/// Says which argument of which function is wrong, where jsonata-core only says what it must be.
fn argument(message: &str, function: Option<&str>) -> Option<String> {
    let function = format!("of function \"{}\"", function?);
    if let Some(counts) = message.strip_prefix("T0410: Argument count mismatch: expected ") {
        let (expected, got) = counts.split_once(", got ")?;
        let index = expected.parse::<usize>().ok()?.min(got.parse().ok()?) + 1;
        return Some(format!("T0410: Argument {index} {function} does not match function signature"));
    }
    let (before, wanted) = message.split_once(" must be ")?;
    let index: usize = before.rsplit(' ').next()?.parse().ok()?;
    match wanted.strip_prefix("an array of ") {
        Some(kind) => {
            let kind = kind.to_lowercase();
            Some(format!("T0412: Argument {index} {function} must be an array of \"{kind}s\""))
        }
        None => Some(format!("T0410: Argument {index} {function} does not match function signature")),
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

#[cfg(test)]
mod tests {
    use super::worded;

    #[test]
    fn errors_are_in_the_words_of_the_reference_implementation() {
        let check = |message: &str, function: Option<&str>, expect: &str| {
            assert_eq!(worded(message, function), expect, "{message}");
        };
        let of = Some("sum");
        check(
            "T0412: Argument 1 must be an array of Number",
            of,
            "T0412: Argument 1 of function \"sum\" must be an array of \"numbers\"",
        );
        check(
            "T0410: Argument 2 must be String",
            of,
            "T0410: Argument 2 of function \"sum\" does not match function signature",
        );
        check(
            "T0410: Argument count mismatch: expected 1, got 3",
            of,
            "T0410: Argument 2 of function \"sum\" does not match function signature",
        );
        check("T0410: Argument 2 must be String", None, "T0410: Argument 2 must be String");
        check("D3030: Cannot convert 'a\"b' to number", None, r#"D3030: Unable to cast value to a number: "a\"b""#);
        check(
            "D3100: Radix must be between 2 and 36, got 99",
            None,
            "D3100: The radix of the formatBase function must be between 2 and 36.  It was given 99",
        );
        check(
            "Argument error: Invalid regex: regex parse error:\n    (?=b)\n    ^^^\nerror: look-around is not supported",
            None,
            "Invalid regular expression: look-around is not supported",
        );
        check(
            "Invalid regex: Compiled regex exceeds size limit of 10 bytes.",
            None,
            "Invalid regular expression: Compiled regex exceeds size limit of 10 bytes.",
        );
        check(
            "T2002: The right side of the + operator must evaluate to a number",
            None,
            "T2002: The right side of the \"+\" operator must evaluate to a number",
        );
    }
}
