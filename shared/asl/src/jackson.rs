//! Says what is wrong with a text that is not JSON, in the words of Jackson, the parser whose texts AWS hands on.
//! Source: com.fasterxml.jackson.core.json.ReaderBasedJsonParser.

const VALID_VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
/// How much of the text Jackson repeats when it names a place.
const SOURCE_LETTERS_MAX: usize = 500;

/// Explains the first fault of a text that should be JSON, as AWS does; nothing if there is none that Jackson would find.
pub fn explain(text: &str) -> Option<String> {
    Reader { depth_max: model::JsonText::NESTING_MAX, ..Reader::new(text) }.document().err()
}

/// Explains the first fault of `text`, and says how far Jackson had read.
pub(crate) fn explain_with_place(text: &str) -> Option<(String, String)> {
    let mut reader = Reader::new(text);
    let message = reader.document().err()?;
    // Jackson has taken a letter that it does not expect; the reader here has only seen it.
    let seen = if message.starts_with("Unexpected character") { 1 } else { 0 };
    let rest: String = reader.rest.skip(seen).map(|(_, letter)| letter).collect();
    let place = reader_place(text, text.len() - rest.len());
    Some((message, place))
}

/// Words a place that is given by its line and the bytes of the line before it.
pub(crate) fn place(text: &str, line: usize, bytes: usize) -> String {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    reader_place(text, before + bytes)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Array,
    Object,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Array => "Array",
            Kind::Object => "Object",
        }
    }

    fn close(self) -> char {
        match self {
            Kind::Array => ']',
            Kind::Object => '}',
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    rest: std::iter::Peekable<std::str::CharIndices<'a>>,
    /// The structures around the place at hand, with their offsets; a stack of our own, so that depth can't overflow.
    open: Vec<(Kind, usize)>,
    /// How deep a value may nest.
    depth_max: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, rest: text.char_indices().peekable(), open: Vec::new(), depth_max: usize::MAX }
    }

    fn document(&mut self) -> Result<(), String> {
        if self.skip_blanks().is_none() {
            return Err("No content to map due to end-of-input".to_owned());
        }
        self.value()?;
        while let Some((kind, _)) = self.open.last().copied() {
            self.next_in(kind)?;
        }
        match self.skip_blanks() {
            None => Ok(()),
            Some(letter) => Err(trailing(letter, || self.word())),
        }
    }

    /// Reads what follows an opening, or an entry: a close, or a comma and the next entry. An entry that opens a structure ends with
    /// the opening.
    fn next_in(&mut self, kind: Kind) -> Result<(), String> {
        let Some(letter) = self.skip_blanks() else { return Err(self.unclosed()) };
        let first = self.is_first();
        if letter == ']' || letter == '}' {
            return self.close(letter);
        }
        if !first {
            if letter != ',' {
                return Err(unexpected(letter, &format!("was expecting comma to separate {} entries", kind.name())));
            }
            self.rest.next();
            if self.skip_blanks().is_none() {
                return Err(format!("Unexpected end-of-input within/between {} entries", kind.name()));
            }
        }
        match kind {
            Kind::Array => self.value(),
            Kind::Object => self.field(),
        }
    }

    /// Tells whether nothing stands yet in the innermost structure.
    fn is_first(&mut self) -> bool {
        let here = self.rest.peek().map_or(self.text.len(), |(offset, _)| *offset);
        let start = self.open.last().map_or(0, |(_, offset)| offset + 1);
        self.text.get(start..here).is_none_or(|between| between.trim_matches(is_blank).is_empty())
    }

    fn field(&mut self) -> Result<(), String> {
        match self.rest.peek().map(|(_, letter)| *letter) {
            Some('"') => self.string(true)?,
            Some(letter) => return Err(unexpected(letter, "was expecting double-quote to start field name")),
            None => return Err(self.unclosed()),
        }
        match self.skip_blanks() {
            Some(':') => self.rest.next(),
            Some(letter) => {
                return Err(unexpected(letter, "was expecting a colon to separate field name and value"));
            }
            None => return Err("Unexpected end-of-input within/between Object entries".to_owned()),
        };
        match self.skip_blanks() {
            Some(_) => self.value(),
            None => Err("Unexpected end-of-input within/between Object entries".to_owned()),
        }
    }

    fn value(&mut self) -> Result<(), String> {
        let Some((offset, letter)) = self.rest.peek().copied() else { return Err(self.unclosed()) };
        match letter {
            '"' => self.string(false),
            '{' | '[' => {
                self.rest.next();
                self.open.push((if letter == '{' { Kind::Object } else { Kind::Array }, offset));
                self.check_depth()
            }
            '-' | '0'..='9' => self.number(),
            _ if is_word(letter) => self.token(),
            _ => Err(unexpected(letter, &format!("expected a valid value {VALID_VALUES}"))),
        }
    }

    fn check_depth(&self) -> Result<(), String> {
        let (depth, most) = (self.open.len(), self.depth_max);
        if depth <= most {
            return Ok(());
        }
        Err(format!(
            "Document nesting depth ({depth}) exceeds the maximum allowed ({most}, from \
             `StreamReadConstraints.getMaxNestingDepth()`)"
        ))
    }

    fn close(&mut self, letter: char) -> Result<(), String> {
        let Some((kind, offset)) = self.open.last().copied() else {
            return Err(unexpected(letter, "expected a value"));
        };
        if letter != kind.close() {
            let place = self.place(offset);
            let (name, wanted) = (kind.name(), kind.close());
            return Err(format!(
                "Unexpected close marker '{letter}': expected '{wanted}' (for {name} starting at {place})"
            ));
        }
        self.rest.next();
        self.open.pop();
        Ok(())
    }

    fn string(&mut self, is_name: bool) -> Result<(), String> {
        self.rest.next();
        loop {
            match self.rest.next().map(|(_, letter)| letter) {
                Some('"') => return Ok(()),
                Some('\\') => self.escape()?,
                Some(letter) if letter < ' ' => {
                    let place = if is_name { "name" } else { "string value" };
                    return Err(format!(
                        "Illegal unquoted character ({}): has to be escaped using backslash to be included in {place}",
                        describe(letter)
                    ));
                }
                Some(_) => {}
                None if is_name => return Err("Unexpected end-of-input in field name".to_owned()),
                None => {
                    return Err("Unexpected end-of-input: was expecting closing quote for a string value".to_owned());
                }
            }
        }
    }

    fn escape(&mut self) -> Result<(), String> {
        const IN_ESCAPE: &str = "Unexpected end-of-input in character escape sequence";
        match self.rest.next().map(|(_, letter)| letter) {
            Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => Ok(()),
            Some('u') => {
                for _ in 0..4 {
                    match self.rest.next().map(|(_, letter)| letter) {
                        Some(letter) if letter.is_ascii_hexdigit() => {}
                        Some(letter) => {
                            return Err(unexpected(letter, "expected a hex-digit for character escape sequence"));
                        }
                        None => return Err(IN_ESCAPE.to_owned()),
                    }
                }
                Ok(())
            }
            Some(letter) => Err(format!("Unrecognized character escape {}", describe(letter))),
            None => Err(IN_ESCAPE.to_owned()),
        }
    }

    fn number(&mut self) -> Result<(), String> {
        if self.take_if(|letter| letter == '-') {
            self.digit("expected digit (0-9) to follow minus sign, for valid numeric value")?;
        }
        let zero = self.rest.peek().is_some_and(|(_, letter)| *letter == '0');
        self.rest.next();
        let more = self.digits();
        if zero && more {
            return Err("Invalid numeric value: Leading zeroes not allowed".to_owned());
        }
        if self.take_if(|letter| letter == '.') {
            self.digit("Decimal point not followed by a digit")?;
            self.digits();
        }
        if self.take_if(|letter| matches!(letter, 'e' | 'E')) {
            self.take_if(|letter| matches!(letter, '+' | '-'));
            self.digit("Exponent indicator not followed by a digit")?;
            self.digits();
        }
        match self.rest.peek().map(|(_, letter)| *letter) {
            Some(letter) if self.open.is_empty() && !is_blank(letter) => {
                Err(unexpected(letter, "Expected space separating root-level values"))
            }
            _ => Ok(()),
        }
    }

    fn digit(&mut self, otherwise: &str) -> Result<(), String> {
        match self.rest.peek().map(|(_, letter)| *letter) {
            Some(letter) if letter.is_ascii_digit() => Ok(()),
            Some(letter) => Err(format!("Unexpected character ({}) in numeric value: {otherwise}", describe(letter))),
            None => Err(format!("Unexpected end-of-input: {otherwise}")),
        }
    }

    fn digits(&mut self) -> bool {
        let mut any = false;
        while self.take_if(|letter| letter.is_ascii_digit()) {
            any = true;
        }
        any
    }

    fn token(&mut self) -> Result<(), String> {
        match self.word().as_str() {
            "null" | "true" | "false" => Ok(()),
            word @ ("NaN" | "INF" | "Infinity") => {
                Err(format!("Non-standard token '{word}': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow"))
            }
            word => Err(unrecognized(word)),
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some((_, letter)) = self.rest.next_if(|(_, letter)| is_word(*letter)) {
            word.push(letter);
        }
        word
    }

    fn take_if(&mut self, wanted: impl Fn(char) -> bool) -> bool {
        self.rest.next_if(|(_, letter)| wanted(*letter)).is_some()
    }

    fn skip_blanks(&mut self) -> Option<char> {
        while self.rest.next_if(|(_, letter)| is_blank(*letter)).is_some() {}
        self.rest.peek().map(|(_, letter)| *letter)
    }

    fn unclosed(&self) -> String {
        match self.open.last() {
            Some((kind, offset)) => format!(
                "Unexpected end-of-input: expected close marker for {} (start marker at {})",
                kind.name(),
                self.place(*offset)
            ),
            None => "No content to map due to end-of-input".to_owned(),
        }
    }

    fn place(&self, offset: usize) -> String {
        reader_place(self.text, offset)
    }
}

fn reader_place(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let shown: String = text.chars().take(SOURCE_LETTERS_MAX).collect();
    let cut = text.chars().count().saturating_sub(SOURCE_LETTERS_MAX);
    let cut = if cut == 0 { String::new() } else { format!("[truncated {cut} chars]") };
    format!("[Source: (String)\"{shown}\"{cut}; line: {line}, column: {column}]")
}

fn trailing(letter: char, word: impl FnOnce() -> String) -> String {
    let token = match letter {
        '{' => "START_OBJECT",
        '[' => "START_ARRAY",
        '"' => "VALUE_STRING",
        '-' | '0'..='9' => "VALUE_NUMBER_INT",
        _ if is_word(letter) => return unrecognized(&word()),
        _ => return unexpected(letter, &format!("expected a valid value {VALID_VALUES}")),
    };
    format!("Trailing token (of type {token}) found after value: not allowed")
}

fn unrecognized(word: &str) -> String {
    format!("Unrecognized token '{word}': was expecting {VALID_VALUES}")
}

fn unexpected(letter: char, comment: &str) -> String {
    format!("Unexpected character ({}): {comment}", describe(letter))
}

fn describe(letter: char) -> String {
    let code = u32::from(letter);
    match code {
        0..=31 | 127..=159 => format!("(CTRL-CHAR, code {code})"),
        160.. if code > 255 => format!("'{letter}' (code {code} / 0x{code:x})"),
        _ => format!("'{letter}' (code {code})"),
    }
}

fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r')
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: &str =
        "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

    fn check(text: &str, expect: &str) {
        assert_eq!(explain(text).as_deref(), Some(expect), "{text}");
        assert!(model::JsonText::parse(text).is_err(), "{text} is refused");
    }

    #[test]
    fn faults_are_told_as_jackson_does() {
        let token = "was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
        check("not json", &format!("Unrecognized token 'not': {token}"));
        check("tru", &format!("Unrecognized token 'tru': {token}"));
        check("{\"a\": x}", &format!("Unrecognized token 'x': {token}"));
        check("  ", "No content to map due to end-of-input");
        check("{'a': 1}", "Unexpected character (''' (code 39)): was expecting double-quote to start field name");
        check("{\"a\":1,}", "Unexpected character ('}' (code 125)): was expecting double-quote to start field name");
        check(
            "{\"a\" 1}",
            "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
        );
        check(
            "{\"a\":\"{\"R\"}",
            "Unexpected character ('R' (code 82)): was expecting comma to separate Object entries",
        );
        check("[1 2]", "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries");
        check("[1,]", &format!("Unexpected character (']' (code 93)): {EXPECTED}"));
        check("[,1]", &format!("Unexpected character (',' (code 44)): {EXPECTED}"));
        check("]", &format!("Unexpected character (']' (code 93)): {EXPECTED}"));
        check("€", &format!("Unexpected character ('€' (code 8364 / 0x20ac)): {EXPECTED}"));
        check("{} {}", "Trailing token (of type START_OBJECT) found after value: not allowed");
        check("{}x", &format!("Unrecognized token 'x': {token}"));
    }

    #[test]
    fn ends_that_come_too_early_are_told_with_the_place() {
        check(
            "\n {",
            "Unexpected end-of-input: expected close marker for Object (start marker at [Source: (String)\"\n {\"; line: 2, column: 2])",
        );
        check(
            "[1}",
            "Unexpected close marker '}': expected ']' (for Array starting at [Source: (String)\"[1}\"; line: 1, column: 1])",
        );
        check("{\"a\"", "Unexpected end-of-input within/between Object entries");
        check("[1,", "Unexpected end-of-input within/between Array entries");
        check("\"abc", "Unexpected end-of-input: was expecting closing quote for a string value");
        check("{\"abc", "Unexpected end-of-input in field name");
        let long = format!("[{}", "1,".repeat(400) + "1");
        let told = explain(&long).expect("is unclosed");
        assert!(told.contains("\"[truncated 302 chars]; line: 1, column: 1]"), "{told}");
    }

    #[test]
    fn strings_and_numbers_are_judged() {
        check(
            "\"a\nb\"",
            "Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped using backslash to be included in string value",
        );
        check("\"\\x\"", "Unrecognized character escape 'x' (code 120)");
        check(
            "\"\\u00g0\"",
            "Unexpected character ('g' (code 103)): expected a hex-digit for character escape sequence",
        );
        check("01", "Invalid numeric value: Leading zeroes not allowed");
        check(
            "[-x]",
            "Unexpected character ('x' (code 120)) in numeric value: expected digit (0-9) to follow minus sign, for valid numeric value",
        );
        check("[1.]", "Unexpected character (']' (code 93)) in numeric value: Decimal point not followed by a digit");
        check("1x", "Unexpected character ('x' (code 120)): Expected space separating root-level values");
    }

    #[test]
    fn what_nests_too_deep_is_told_first() {
        let deep = "Document nesting depth (128) exceeds the maximum allowed (127, from `StreamReadConstraints.getMaxNestingDepth()`)";
        check(&"[".repeat(100_000), deep);
        check(&format!("{}1{}", "{\"a\":".repeat(128), "}".repeat(128)), deep);
        let deepest = format!("{}{}", "[".repeat(127), "]".repeat(127));
        assert_eq!(explain(&deepest), None);
        assert_eq!(explain_with_place(&format!("[{deepest}]")), None, "definitions are not payloads");
    }

    #[test]
    fn json_has_no_faults() {
        for text in ["{}", " [ ] ", "{\"a\": [1, 2.5e+3, -0, true, null, \"\\u00e9\\n\"], \"b\": {}}", "0", "\"x\""] {
            assert_eq!(explain(text), None, "{text}");
        }
        assert_eq!(explain_with_place(&"[".repeat(100_000)).map(|(told, _)| told.len() < 2_000), Some(true));
    }
}
