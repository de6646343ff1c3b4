//! What names of state machines and executions may be.

use super::error::{ApiError, ErrorCode};

/// Letters that no name may have, besides blanks, control characters and what Unicode leaves unassigned for good.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>
const FORBIDDEN: &str = "<>{}[]?*\"#%\\^|~`$&,;:/";

/// Checks a name, whose length was checked before.
pub(crate) fn check_name(name: &str) -> Result<(), ApiError> {
    let fine = !name.chars().any(is_forbidden);
    if fine { Ok(()) } else { Err(ApiError::quoting(ErrorCode::InvalidName, "Invalid Name", name)) }
}

fn is_forbidden(letter: char) -> bool {
    letter.is_whitespace()
        || letter.is_control()
        || FORBIDDEN.contains(letter)
        || matches!(letter, '\u{fffe}' | '\u{ffff}' | '\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_special_letters_are_refused() {
        for name in [
            "a b",
            "a<",
            "a>",
            "a{",
            "a}",
            "a[",
            "a]",
            "a?",
            "a*",
            "a\"",
            "a#",
            "a%",
            "a\\",
            "a^",
            "a|",
            "a~",
            "a`",
            "a$",
            "a&",
            "a,",
            "a;",
            "a:",
            "a/",
            "a\n",
            "a\u{7f}",
            "a\u{9f}",
            "a\u{ffff}",
            "\u{3000}",
        ] {
            let error = check_name(name).expect_err("is refused");
            assert_eq!(error, ApiError::new(ErrorCode::InvalidName, format!("Invalid Name: '{name}'")));
        }
    }

    #[test]
    fn other_names_are_taken() {
        for name in ["Orders", "o-1_2.3", "Grüße", "a'b", "(x)", "a@b", "a=b", "a+b", "a!", "注文"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }
}
