//! Puts what jsonata-core says of a text that is no expression into the words of the reference implementation.

use jsonata_core::parser::ParserError;

use crate::render;

/// Tokens by their names in jsonata-core, as they are written.
const SYMBOLS: [(&str, &str); 37] = [
    ("Plus", "+"),
    ("Minus", "-"),
    ("Star", "*"),
    ("StarStar", "**"),
    ("Slash", "/"),
    ("Percent", "%"),
    ("Equal", "="),
    ("NotEqual", "!="),
    ("LessThan", "<"),
    ("LessThanOrEqual", "<="),
    ("GreaterThan", ">"),
    ("GreaterThanOrEqual", ">="),
    ("And", "and"),
    ("Or", "or"),
    ("In", "in"),
    ("Ampersand", "&"),
    ("Dot", "."),
    ("DotDot", ".."),
    ("Question", "?"),
    ("QuestionQuestion", "??"),
    ("QuestionColon", "?:"),
    ("Colon", ":"),
    ("ColonEqual", ":="),
    ("TildeArrow", "~>"),
    ("LeftParen", "("),
    ("RightParen", ")"),
    ("LeftBracket", "["),
    ("RightBracket", "]"),
    ("LeftBrace", "{"),
    ("RightBrace", "}"),
    ("Comma", ","),
    ("Semicolon", ";"),
    ("Caret", "^"),
    ("Pipe", "|"),
    ("Hash", "#"),
    ("At", "@"),
    ("Eof", "(end)"),
];

/// Words an error, its code in front where it has one.
pub(crate) fn message(error: &ParserError) -> String {
    match error {
        ParserError::UnexpectedToken(token) if token != "Eof" => unexpected(token),
        ParserError::Expected { expected, found } if expected != "parameter name" => match found.as_str() {
            "Eof" => format!("S0203: Expected {} before end of expression", written(expected)),
            found => format!("S0202: Expected {}, got {}", written(expected), written(found)),
        },
        ParserError::InvalidSyntax(message) => match message.strip_prefix("S0201: Syntax error: ") {
            Some(token) => format!("S0201: Syntax error: {}", written(token)),
            None => message.clone(),
        },
        ParserError::UnclosedComment => "S0106: Comment has no closing tag".to_owned(),
        ParserError::UnexpectedToken(_)
        | ParserError::Expected { .. }
        | ParserError::UnexpectedEnd
        | ParserError::InvalidNumber(_)
        | ParserError::UnclosedString
        | ParserError::InvalidEscape(_)
        | ParserError::UnclosedBacktick
        | ParserError::Coded { .. } => error.to_string(),
    }
}

fn unexpected(token: &str) -> String {
    let token = token.strip_prefix("Unexpected token in signature: ").unwrap_or(token);
    if token.starts_with(char::is_alphabetic) {
        return format!("S0211: The symbol {} cannot be used as a unary operator", written(token));
    }
    format!("S0204: Unknown operator: {}", written(token))
}

/// Writes a token as the reference implementation does: its value as JSON.
fn written(token: &str) -> String {
    if let Some((_, symbol)) = SYMBOLS.iter().find(|(name, _)| *name == token) {
        return quoted(symbol);
    }
    let value = token.split_once('(').and_then(|(kind, rest)| Some((kind, rest.strip_suffix(')')?)));
    match (token, value) {
        ("True", _) => "true".to_owned(),
        ("False", _) => "false".to_owned(),
        ("Null", _) => "null".to_owned(),
        ("Undefined", _) => quoted("undefined"),
        (_, Some(("Number", number))) => number.parse().map_or_else(|_| number.to_owned(), render::number),
        (_, Some(("ParentVariable", _))) => quoted("$"),
        (_, Some(("String" | "Identifier" | "Variable" | "Function", text))) => quoted(&unescaped(text)),
        (regex, _) if regex.starts_with("Regex {") => "{}".to_owned(),
        (other, _) => quoted(other),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Takes the quotes and escapes off a text in Rust's notation.
fn unescaped(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let mut plain = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('t') => plain.push('\t'),
            Some('0') => plain.push('\0'),
            Some('u') => {
                let digits: String = letters.by_ref().skip(1).take_while(|letter| *letter != '}').collect();
                plain.extend(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32));
            }
            other => plain.extend(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use crate::Expression;

    fn check(text: &str, expect: &str) {
        assert_eq!(Expression::parse(text).map(drop).map_err(|error| error.message), Err(expect.to_owned()), "{text}");
    }

    #[test]
    fn tokens_are_written_as_in_the_text() {
        check("a[1,2)", r#"S0202: Expected "]", got ",""#);
        check("$sum($states.input.items", r#"S0203: Expected ")" before end of expression"#);
        check("> 1", r#"S0211: The symbol ">" cannot be used as a unary operator"#);
        check("10 + >= 2", r#"S0211: The symbol ">=" cannot be used as a unary operator"#);
        check("(1", r#"S0203: Expected ")" before end of expression"#);
        check("1 2", "S0201: Syntax error: 2");
        check("1 )", r#"S0201: Syntax error: ")""#);
        check("1 true", "S0201: Syntax error: true");
        check("1 x", r#"S0201: Syntax error: "x""#);
        check("1 $x", r#"S0201: Syntax error: "x""#);
        check("[1 $$]", r#"S0202: Expected "]", got "$""#);
        check("1 +", "S0207: Unexpected end of expression");
        check("function(1){1}", "S0208: Parameter of function definition must be a variable name (start with $)");
        check("/* x", "S0106: Comment has no closing tag");
    }

    #[test]
    fn what_the_author_wrote_stays_as_it_is() {
        check(r#"1 "a RightParen, got Comma""#, r#"S0201: Syntax error: "a RightParen, got Comma""#);
        check(r#"[1 "a\n\"é\u0001, got "]"#, r#"S0202: Expected "]", got "a\n\"é\u0001, got ""#);
        check("1 GreaterThan", r#"S0201: Syntax error: "GreaterThan""#);
        check("(1 `Comma )`", r#"S0202: Expected ")", got "Comma )""#);
    }
}
