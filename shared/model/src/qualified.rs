//! ARNs of state machines that may name one of their versions or aliases.

use std::fmt;
use std::sync::Arc;

use crate::{ArnError, StateMachineArn};

/// Names what was published of a state machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Qualifier {
    /// A version, by its number, from 1.
    Version(u32),
    /// An alias, by its name.
    Alias(Arc<str>),
}

impl fmt::Display for Qualifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Qualifier::Version(number) => write!(formatter, "{number}"),
            Qualifier::Alias(name) => formatter.write_str(name),
        }
    }
}

/// Is the ARN of a state machine, of a version or of an alias of it:
/// `arn:aws:states:REGION:ACCOUNT:stateMachine:NAME`, `….:VERSION`, `….:ALIAS`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QualifiedArn {
    /// The state machine.
    pub machine: StateMachineArn,
    /// What of it is meant; nothing for the state machine as it is now.
    pub qualifier: Option<Qualifier>,
}

impl QualifiedArn {
    /// Reads an ARN.
    ///
    /// # Errors
    /// `ArnError` in AWS's words.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        if let Some((machine, qualifier)) = text.rsplit_once(':').filter(|_| text.split(':').count() == 8)
            && let Ok(machine) = StateMachineArn::parse(machine)
        {
            let qualifier = qualifier_of(qualifier).ok_or_else(|| ArnError::Format(text.to_owned()))?;
            return Ok(Self { machine, qualifier: Some(qualifier) });
        }
        Ok(Self { machine: StateMachineArn::parse(text)?, qualifier: None })
    }
}

impl fmt::Display for QualifiedArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, qualifier } = self;
        match qualifier {
            Some(qualifier) => write!(formatter, "{machine}:{qualifier}"),
            None => write!(formatter, "{machine}"),
        }
    }
}

fn qualifier_of(text: &str) -> Option<Qualifier> {
    if let Ok(number) = text.parse::<u32>()
        && number.to_string() == text
    {
        return (number > 0).then_some(Qualifier::Version(number));
    }
    is_alias_name(text).then(|| Qualifier::Alias(text.into()))
}

/// Tells whether an alias may have a name: letters, digits, `_`, `-`, `.`, and not of digits alone, which would be a version.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachineAlias.html>
pub fn is_alias_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    text.bytes().all(fits) && !text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:Orders";

    #[test]
    fn versions_and_aliases_are_told_apart() {
        let check = |text: &str, qualifier: Option<Qualifier>| {
            let arn = QualifiedArn::parse(text).expect("is an ARN");
            assert_eq!((arn.machine.as_str(), &arn.qualifier), (MACHINE, &qualifier));
            assert_eq!(arn.to_string(), text);
        };
        check(MACHINE, None);
        check(&format!("{MACHINE}:12"), Some(Qualifier::Version(12)));
        check(&format!("{MACHINE}:PROD-1.x"), Some(Qualifier::Alias("PROD-1.x".into())));
    }

    #[test]
    fn other_texts_are_refused_in_the_words_of_aws() {
        let check = |text: &str, expect: &str| {
            assert_eq!(QualifiedArn::parse(text).expect_err("is refused").to_string(), expect);
        };
        check("xyz", "Invalid ARN prefix: xyz");
        check("arn:aws:states:r:1:express:S:e", "Resource type not valid in this context: express");
        for qualifier in ["0", "007", "99999999999", "", "a b", "é"] {
            let text = format!("{MACHINE}:{qualifier}");
            check(&text, &format!("Invalid ARN format: {text}"));
        }
    }
}
