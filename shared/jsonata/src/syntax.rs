//! What jsonata-core finds beyond the grammar, in the words of the reference implementation.

use jsonata_core::parser::ParserError;

/// Says that jsonata-core does not read a text, though its grammar is right.
pub(crate) const UNPARSED: &str = "S0500: The expression can't be parsed";

/// Words an error, its code in front where it has one.
pub(crate) fn message(error: &ParserError) -> String {
    match error {
        ParserError::UnexpectedToken(token) if token == "Eof" => error.to_string(),
        ParserError::InvalidSyntax(message) if !message.starts_with("S0201") => message.clone(),
        ParserError::Coded { .. } => error.to_string(),
        ParserError::UnexpectedEnd => "S0207: Unexpected end of expression".to_owned(),
        ParserError::UnexpectedToken(_)
        | ParserError::Expected { .. }
        | ParserError::InvalidSyntax(_)
        | ParserError::InvalidNumber(_)
        | ParserError::UnclosedComment
        | ParserError::UnclosedString
        | ParserError::InvalidEscape(_)
        | ParserError::UnclosedBacktick => UNPARSED.to_owned(),
    }
}

/// Writes a text as JSON, as it stands in texts of errors.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use crate::Expression;

    #[test]
    fn faults_beyond_the_grammar_are_told() {
        let check = |text: &str, expect: &str| {
            assert_eq!(
                Expression::parse(text).map(drop).map_err(|error| error.message),
                Err(expect.to_owned()),
                "{text}"
            );
        };
        check("1 +", "S0207: Unexpected end of expression");
        check("a.1", "S0213: The literal value 1 cannot be used as a step within a path expression");
        check("$x{a: b}[0]", "S0209: A predicate cannot follow a grouping expression in a step");
        check("a{b: c}{d: e}", "S0210: Each step can only have one grouping expression");
        check("a\u{a0}b", super::UNPARSED);
    }
}
