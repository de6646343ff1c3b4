//! How long the texts of a failure are. Source: `SensitiveError` and `SensitiveCause` of AWS's service model,
//! <https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskFailure.html>

/// The most characters of an error name.
pub const ERROR_CHARS_MAX: usize = 256;
/// The most characters of a cause.
pub const CAUSE_CHARS_MAX: usize = 32_768;

/// Cuts an error name to [`ERROR_CHARS_MAX`].
pub fn cut_error(error: &str) -> &str {
    cut(error, ERROR_CHARS_MAX)
}

/// Cuts a cause to [`CAUSE_CHARS_MAX`].
pub fn cut_cause(cause: &str) -> &str {
    cut(cause, CAUSE_CHARS_MAX)
}

fn cut(text: &str, chars_max: usize) -> &str {
    if text.len() <= chars_max {
        return text;
    }
    text.char_indices().nth(chars_max).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        for (text, expect) in
            [("", ""), ("abc", "abc"), ("abcd", "abc"), ("ééé", "ééé"), ("éé€é", "éé€"), ("😀😀", "😀😀")]
        {
            assert_eq!(cut(text, 3), expect);
        }
    }
}
