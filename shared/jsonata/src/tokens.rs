//! Takes an expression apart as JSONata 2.0.6 does, the version that Step Functions runs. What jsonata-core takes apart otherwise
//! is found here, and told in the words of the reference implementation.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html> for the version.

use std::iter::Peekable;
use std::str::CharIndices;

use crate::pattern;
use crate::render;
use crate::syntax::quoted;

/// Operators of two letters, which are looked for first, and of one.
const OPERATORS: [&str; 33] = [
    "..", ":=", "!=", ">=", "<=", "**", "~>", ".", "[", "]", "{", "}", "(", ")", ",", "@", "#", ";", ":", "?", "+",
    "-", "*", "/", "%", "|", "=", "<", ">", "^", "&", "!", "~",
];
/// Operators that are words.
const WORDS: [&str; 3] = ["and", "or", "in"];

/// Is what a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Name(String),
    Variable,
    Operator(&'static str),
    Literal,
    Regex,
    End,
}

/// Is one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Its value as JSON, as it stands in texts of errors.
    pub(crate) written: String,
}

impl Token {
    fn new(kind: Kind, written: impl Into<String>) -> Self {
        Self { kind, written: written.into() }
    }

    /// Makes the token behind the last one.
    pub(crate) fn end() -> Self {
        Self::new(Kind::End, quoted("(end)"))
    }

    /// Tells whether it is an operator.
    pub(crate) fn is(&self, operator: &str) -> bool {
        matches!(&self.kind, Kind::Operator(own) if *own == operator)
    }
}

/// Gives the tokens of a text, one after the other.
pub(crate) struct Tokens<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
    /// Why regular expressions of the text can't be run, though they are right.
    pub(crate) unsupported: Option<String>,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, rest: text.char_indices().peekable(), unsupported: None }
    }

    /// Takes the next token; where an operand stands before it, `/` divides.
    ///
    /// # Errors
    /// What is wrong, with JSONata's code in front.
    pub(crate) fn next(&mut self, is_behind_operand: bool) -> Result<Token, String> {
        self.skip()?;
        let Some(letter) = self.peek() else { return Ok(Token::end()) };
        if letter == '/' && !is_behind_operand {
            self.rest.next();
            return self.regex();
        }
        let rest = &self.text[self.offset()..];
        if let Some(operator) = OPERATORS.into_iter().find(|operator| rest.starts_with(operator)) {
            self.pass(operator.len());
            return Ok(Token::new(Kind::Operator(operator), quoted(operator)));
        }
        match letter {
            '"' | '\'' => self.string(letter),
            '0'..='9' => self.number(),
            '`' => self.quoted_name(),
            _ => Ok(self.word()),
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().map(|(_, letter)| *letter)
    }

    fn offset(&mut self) -> usize {
        self.rest.peek().map_or(self.text.len(), |(offset, _)| *offset)
    }

    /// Passes over so many bytes.
    fn pass(&mut self, bytes: usize) {
        let end = self.offset() + bytes;
        while self.rest.next_if(|(offset, _)| *offset < end).is_some() {}
    }

    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let start = self.offset();
        while self.rest.next_if(|(_, letter)| is_part(*letter)).is_some() {}
        let end = self.offset();
        &self.text[start..end]
    }

    /// Passes over blanks and comments.
    fn skip(&mut self) -> Result<(), String> {
        loop {
            self.take_while(is_blank);
            let offset = self.offset();
            let Some(comment) = self.text[offset..].strip_prefix("/*") else { return Ok(()) };
            let Some(length) = comment.find("*/") else { return Err("S0106: Comment has no closing tag".to_owned()) };
            self.pass(length + 4);
        }
    }

    /// Takes a regular expression, whose first `/` is taken: it ends at the next that is neither escaped nor in brackets.
    fn regex(&mut self) -> Result<Token, String> {
        let start = self.offset();
        let (mut depth, mut escaped, mut after_backslash) = (0_i64, false, false);
        while let Some((offset, letter)) = self.rest.next() {
            match letter {
                '/' if depth == 0 && !escaped => return self.flags(&self.text[start..offset]),
                // JSONata looks at one letter before a bracket: `\\(` counts as escaped.
                '(' | '[' | '{' if !after_backslash => depth += 1,
                ')' | ']' | '}' if !after_backslash => depth -= 1,
                _ => {}
            }
            after_backslash = letter == '\\';
            escaped = after_backslash && !escaped;
        }
        Err("S0302: No terminating / in regular expression".to_owned())
    }

    fn flags(&mut self, pattern: &str) -> Result<Token, String> {
        if pattern.is_empty() {
            return Err("S0301: Empty regular expressions are not allowed".to_owned());
        }
        let flags = self.take_while(|letter| matches!(letter, 'i' | 'm'));
        match pattern::fault(pattern, flags) {
            Some(pattern::Fault::Wrong(message)) => return Err(message),
            Some(pattern::Fault::Unsupported(message)) => drop(self.unsupported.get_or_insert(message)),
            None => {}
        }
        Ok(Token::new(Kind::Regex, "{}"))
    }

    fn string(&mut self, quote: char) -> Result<Token, String> {
        self.rest.next();
        let mut units = Vec::new();
        while let Some((_, letter)) = self.rest.next() {
            match letter {
                '\\' => self.escape(&mut units)?,
                letter if letter == quote => {
                    return Ok(Token::new(Kind::Literal, quoted(&String::from_utf16_lossy(&units))));
                }
                letter => units.extend_from_slice(letter.encode_utf16(&mut [0; 2])),
            }
        }
        Err("S0101: String literal must be terminated by a matching quote".to_owned())
    }

    fn escape(&mut self, units: &mut Vec<u16>) -> Result<(), String> {
        let letter = self.rest.next().map(|(_, letter)| letter);
        let plain = match letter {
            Some(letter @ ('"' | '\\' | '/')) => letter,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => return self.unit(units),
            Some(_) | None => {
                let token = quoted(&letter.map(String::from).unwrap_or_default());
                return Err(format!("S0103: Unsupported escape sequence: \\{token}"));
            }
        };
        units.extend_from_slice(plain.encode_utf16(&mut [0; 2]));
        Ok(())
    }

    fn unit(&mut self, units: &mut Vec<u16>) -> Result<(), String> {
        let start = self.offset();
        let digits: String = self.text[start..].chars().take(4).collect();
        match u16::from_str_radix(&digits, 16) {
            Ok(unit) if !digits.starts_with('+') => {
                self.pass(digits.len());
                units.push(unit);
                Ok(())
            }
            Ok(_) | Err(_) => Err("S0104: The escape sequence \\u must be followed by 4 hex digits".to_owned()),
        }
    }

    /// Takes a number; a point or an `e` without digits behind it is no part of it.
    fn number(&mut self) -> Result<Token, String> {
        let start = self.offset();
        if self.rest.next_if(|(_, letter)| *letter == '0').is_none() {
            self.take_while(|letter| letter.is_ascii_digit());
        }
        self.part(&["."]);
        self.part(&["e+", "e-", "e", "E+", "E-", "E"]);
        let end = self.offset();
        let digits = &self.text[start..end];
        match digits.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Token::new(Kind::Literal, render::number(number))),
            Ok(_) | Err(_) => Err(format!("S0102: Number out of range: {}", quoted(digits))),
        }
    }

    /// Takes a part of a number: one of some beginnings and the digits behind it, if there are any.
    fn part(&mut self, beginnings: &[&str]) {
        let rest = &self.text[self.offset()..];
        let digits = beginnings.iter().find_map(|beginning| rest.strip_prefix(beginning));
        if let Some(digits) = digits.filter(|digits| digits.starts_with(|letter: char| letter.is_ascii_digit())) {
            self.pass(rest.len() - digits.len());
            self.take_while(|letter| letter.is_ascii_digit());
        }
    }

    fn quoted_name(&mut self) -> Result<Token, String> {
        self.rest.next();
        let name = self.take_while(|letter| letter != '`');
        match self.rest.next() {
            Some(_) => Ok(Token::new(Kind::Name(name.to_owned()), quoted(name))),
            None => Err("S0105: Quoted property name must be terminated with a backquote (`)".to_owned()),
        }
    }

    fn word(&mut self) -> Token {
        let word = self.take_while(|letter| !is_blank(letter) && !is_operator(letter));
        if let Some(name) = word.strip_prefix('$') {
            return Token::new(Kind::Variable, quoted(name));
        }
        if let Some(operator) = WORDS.into_iter().find(|operator| *operator == word) {
            return Token::new(Kind::Operator(operator), quoted(operator));
        }
        match word {
            "true" | "false" | "null" => Token::new(Kind::Literal, word),
            name => Token::new(Kind::Name(name.to_owned()), quoted(name)),
        }
    }
}

fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r' | '\u{b}')
}

fn is_operator(letter: char) -> bool {
    OPERATORS.iter().any(|operator| operator.strip_prefix(letter) == Some(""))
}
