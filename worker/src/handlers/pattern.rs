//! Patterns of resources.

/// Is a text in which `*` stands for any characters, none included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether all of `text` fits. Takes time linear in the text for each `*`.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_characters() {
        let check = |pattern: &str, text: &str, expect: bool| {
            assert_eq!(Pattern::new(pattern).matches(text), expect, "{pattern} {text}");
        };
        check("arn:aws:states:::sqs:*", "arn:aws:states:::sqs:sendMessage", true);
        check("arn:aws:states:::sqs:*", "arn:aws:states:::sns:publish", false);
        check("*", "", true);
        check("*", "x", true);
        check("", "", true);
        check("", "x", false);
        check("a*b*c", "abc", true);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-c-b", false);
        check("a*a", "a", false);
        check("exact", "exact", true);
        check("exact", "exactly", false);
        check("**x", "x", true);
    }
}
