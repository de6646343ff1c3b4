//! The constraints of the service model, collected as AWS does: one ValidationException tells all that are broken.

use super::error::{ApiError, ErrorCode};

/// How many broken constraints are told in full, and how many bytes of a value are: whoever asks for millions gets no answer that is
/// larger than the request.
const TOLD_MAX: usize = 100;
const VALUE_BYTES_MAX: usize = 4 * 1024;
/// How many elements of a list of structures are looked at, all of them where the list is as long as it may be.
pub(crate) const ELEMENTS_MAX: usize = 100;

/// Collects broken constraints.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    count: usize,
    told: Vec<String>,
}

impl Checks {
    /// Refuses a required member that is missing.
    pub(crate) fn required<T>(&mut self, field: &str, value: Option<&T>) {
        if value.is_none() {
            self.tell(|| format!("Value null at '{field}' failed to satisfy constraint: Member must not be null"));
        }
    }

    /// Refuses a text of fewer or more letters.
    pub(crate) fn length(&mut self, field: &str, value: Option<&str>, min: usize, max: usize) {
        let Some(value) = value else { return };
        if let Some(broken) = length_constraint(value, min, max) {
            self.broken(field, value, &broken);
        }
    }

    /// Refuses a text of fewer or more letters without repeating it, since it may be confidential.
    pub(crate) fn secret_length(&mut self, field: &str, value: Option<&str>, min: usize, max: usize) {
        if let Some(broken) = value.and_then(|value| length_constraint(value, min, max)) {
            self.tell(|| format!("Value at '{field}' failed to satisfy constraint: {broken}"));
        }
    }

    /// Refuses a payload of more bytes.
    pub(crate) fn payload(&mut self, field: &str, value: Option<&str>, bytes_max: u64) {
        if value.is_some_and(|value| value.len() as u64 > bytes_max) {
            self.tell(|| {
                format!(
                    "Value at '{field}' failed to satisfy constraint: Member must have size less than or equal to \
                     {bytes_max} bytes in UTF-8 encoding"
                )
            });
        }
    }

    /// Refuses a number out of a range.
    pub(crate) fn range(&mut self, field: &str, value: Option<i64>, min: i64, max: i64) {
        let Some(value) = value else { return };
        if value < min {
            self.broken(field, &value.to_string(), &format!("Member must have value greater than or equal to {min}"));
        } else if value > max {
            self.broken(field, &value.to_string(), &format!("Member must have value less than or equal to {max}"));
        }
    }

    /// Refuses a text that is none of a few.
    pub(crate) fn one_of(&mut self, field: &str, value: Option<&str>, allowed: &[&str]) {
        let Some(value) = value else { return };
        if !allowed.contains(&value) {
            self.broken(field, value, &format!("Member must satisfy enum value set: [{}]", allowed.join(", ")));
        }
    }

    /// Refuses a list of fewer or more elements.
    pub(crate) fn elements(&mut self, field: &str, shown: &str, count: usize, min: usize, max: usize) {
        if let Some(broken) = count_constraint(count, min, max) {
            self.broken(field, shown, &broken);
        }
    }

    /// Refuses a text that no alias may be called by.
    pub(crate) fn alias_name(&mut self, field: &str, value: Option<&str>) {
        let Some(value) = value else { return };
        if !model::is_alias_name(value) {
            self.broken(
                field,
                value,
                r"Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$",
            );
        }
    }

    /// Refuses a text with letters that are not ASCII.
    pub(crate) fn ascii(&mut self, field: &str, value: Option<&str>) {
        let Some(value) = value else { return };
        if !value.is_ascii() {
            self.broken(field, value, r"Member must satisfy regular expression pattern: \p{ASCII}*");
        }
    }

    /// Refuses a text with letters that tags may not have.
    /// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_TagResource.html>; AWS's words are not known.
    pub(crate) fn tag(&mut self, field: &str, value: Option<&str>) {
        let fits = |letter: char| letter.is_alphanumeric() || letter.is_whitespace() || "_.:/=+-@".contains(letter);
        let Some(value) = value.filter(|value| !value.chars().all(fits)) else { return };
        let constraint =
            "Member must only contain Unicode letters, digits, white space, or these symbols: _ . : / = + - @";
        self.broken(field, value, constraint);
    }

    /// Refuses the key of a tag that AWS keeps for itself.
    /// Source: <https://docs.aws.amazon.com/tag-editor/latest/userguide/reference.html>; AWS's words are not known.
    pub(crate) fn tag_key(&mut self, field: &str, key: Option<&str>) {
        self.required(field, key.as_ref());
        self.tag(field, key);
        let is_reserved = |key: &&str| key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
        if let Some(key) = key.filter(is_reserved) {
            self.broken(field, key, "Member must not begin with aws:");
        }
    }

    /// Checks what all lists are asked with: how many at most, and where to go on.
    pub(crate) fn page(&mut self, max_results: Option<i64>, token: Option<&str>, token_max: usize) {
        self.range("maxResults", max_results, 0, 1_000);
        self.length("nextToken", token, 1, token_max);
    }

    /// Tells what was found.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        let noun = match self.count {
            0 => return Ok(()),
            1 => "error",
            _ => "errors",
        };
        let mut message = format!("{} validation {noun} detected: {}", self.count, self.told.join("; "));
        if self.count > self.told.len() {
            message.push_str("; …");
        }
        Err(ApiError::new(ErrorCode::ValidationException, message))
    }

    fn broken(&mut self, field: &str, value: &str, constraint: &str) {
        self.tell(|| {
            let end = value.floor_char_boundary(VALUE_BYTES_MAX);
            let (shown, dots) = (&value[..end], if end < value.len() { "…" } else { "" });
            format!("Value '{shown}{dots}' at '{field}' failed to satisfy constraint: {constraint}")
        });
    }

    fn tell(&mut self, told: impl FnOnce() -> String) {
        self.count += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(told());
        }
    }
}

fn length_constraint(value: &str, min: usize, max: usize) -> Option<String> {
    count_constraint(value.chars().count(), min, max)
}

fn count_constraint(count: usize, min: usize, max: usize) -> Option<String> {
    if count < min {
        return Some(format!("Member must have length greater than or equal to {min}"));
    }
    (count > max).then(|| format!("Member must have length less than or equal to {max}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(constrain: impl FnOnce(&mut Checks), expect: &str) {
        let mut checks = Checks::default();
        constrain(&mut checks);
        assert_eq!(checks.finish().expect_err("is broken").message, expect);
    }

    #[test]
    fn broken_constraints_are_told_in_the_words_of_aws() {
        let one = |text: &str| format!("1 validation error detected: {text}");
        check(
            |checks| checks.range("maxResults", Some(1001), 0, 1000),
            &one(
                "Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000",
            ),
        );
        check(
            |checks| checks.length("name", Some(""), 1, 80),
            &one("Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1"),
        );
        check(
            |checks| checks.secret_length("definition", Some("secret"), 1, 3),
            &one("Value at 'definition' failed to satisfy constraint: Member must have length less than or equal to 3"),
        );
        check(
            |checks| checks.payload("input", Some("\"é\""), 3),
            &one(
                "Value at 'input' failed to satisfy constraint: Member must have size less than or equal to 3 bytes in UTF-8 encoding",
            ),
        );
        check(
            |checks| checks.one_of("type", Some("FAST"), &["STANDARD", "EXPRESS"]),
            &one(
                "Value 'FAST' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [STANDARD, EXPRESS]",
            ),
        );
    }

    #[test]
    fn all_of_them_are_told_at_once() {
        check(
            |checks| {
                checks.required::<String>("name", None);
                checks.required::<String>("roleArn", None);
            },
            "2 validation errors detected: Value null at 'name' failed to satisfy constraint: Member must not be null; \
             Value null at 'roleArn' failed to satisfy constraint: Member must not be null",
        );
    }

    #[test]
    fn many_are_counted_and_few_are_told() {
        let mut checks = Checks::default();
        for _ in 0..1_000 {
            checks.length("key", Some(&"é".repeat(10_000)), 1, 128);
        }
        let message = checks.finish().expect_err("is broken").message;
        let value = "é".repeat(VALUE_BYTES_MAX / 2);
        let start = format!("1000 validation errors detected: Value '{value}…' at 'key' failed");
        assert!(message.starts_with(&start) && message.ends_with("or equal to 128; …"), "{message}");
        assert_eq!(message.matches("at 'key'").count(), TOLD_MAX);
    }

    #[test]
    fn what_fits_or_is_missing_passes() {
        let mut checks = Checks::default();
        checks.required("a", Some(&"x"));
        checks.length("a", Some("éé"), 1, 2);
        checks.length("a", None, 1, 2);
        checks.range("a", None, 0, 1);
        checks.one_of("a", Some("x"), &["x"]);
        checks.ascii("a", Some("x"));
        assert_eq!(checks.finish(), Ok(()));
    }
}
