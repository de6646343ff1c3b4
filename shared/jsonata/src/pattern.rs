//! Judges regular expressions before they are run.

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{Error, ErrorKind};

/// Says why a regular expression can't be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is wrong.
    Wrong(String),
    /// It may be right, but means what the engine of regular expressions does not offer.
    Unsupported(String),
}

/// Finds fault with a regular expression and its flags.
pub(crate) fn fault(pattern: &str, flags: &str) -> Option<Fault> {
    if flags.chars().enumerate().any(|(position, flag)| flags[..position].contains(flag)) {
        return Some(Fault::Wrong(format!("Invalid flags of a regular expression: '{flags}'")));
    }
    let error = Parser::new().parse(pattern).err()?;
    let reason = error.kind().to_string();
    Some(if is_wrong(&error) {
        Fault::Wrong(format!("Invalid regular expression: /{pattern}/: {reason}"))
    } else {
        Fault::Unsupported(format!("The regular expression /{pattern}/ is not supported: {reason}"))
    })
}

/// Tells whether JavaScript, too, takes no such expression.
fn is_wrong(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ClassRangeInvalid
            | ErrorKind::EscapeUnexpectedEof
            | ErrorKind::GroupNameDuplicate { .. }
            | ErrorKind::GroupNameEmpty
            | ErrorKind::GroupNameInvalid
            | ErrorKind::GroupNameUnexpectedEof
            | ErrorKind::GroupUnclosed
            | ErrorKind::GroupUnopened
            | ErrorKind::RepetitionCountInvalid
            | ErrorKind::RepetitionMissing
    )
}
