//! Judges the syntax of an expression as JSONata 2.0.6 does, by precedence climbing over its tokens. Nothing is built: what is right
//! is parsed by jsonata-core, which takes more, such as `??`, and finds what is wrong beyond the grammar.

use crate::syntax::quoted;
use crate::tokens::{Kind, Token, Tokens};

/// How deep operands are looked into, which a thread's stack has room for. Whether what lies deeper is right says jsonata-core.
const DEPTH_MAX: usize = 250;
/// How strongly `-` in front of an operand binds.
const SIGN: u32 = 70;

/// Finds the first fault of a text. Gives what of it is right but not supported, if there is anything.
///
/// # Errors
/// What is wrong, with JSONata's code in front.
pub(crate) fn check(text: &str) -> Result<Option<String>, String> {
    let mut grammar = Grammar { tokens: Tokens::new(text), token: Token::end(), depth: 0 };
    match grammar.whole() {
        Ok(()) | Err(Stop::TooDeep) => Ok(grammar.tokens.unsupported),
        Err(Stop::Fault(message)) => Err(message),
    }
}

enum Stop {
    Fault(String),
    TooDeep,
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        Stop::Fault(message)
    }
}

/// Is what an operand is, as far as anything hangs on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operand {
    Variable,
    /// The word that begins a function.
    Function,
    Other,
}

struct Grammar<'a> {
    tokens: Tokens<'a>,
    /// The token at hand, which is not yet used.
    token: Token,
    depth: usize,
}

impl Grammar<'_> {
    fn whole(&mut self) -> Result<(), Stop> {
        self.advance(false)?;
        self.expression(0)?;
        match self.token.kind {
            Kind::End => Ok(()),
            Kind::Name(_) | Kind::Variable | Kind::Operator(_) | Kind::Literal | Kind::Regex => {
                Err(format!("S0201: Syntax error: {}", self.token.written).into())
            }
        }
    }

    /// Gives the token at hand and takes the next one.
    fn advance(&mut self, is_behind_operand: bool) -> Result<Token, Stop> {
        let next = self.tokens.next(is_behind_operand)?;
        if next.is("!") || next.is("~") {
            return Err(format!("S0204: Unknown operator: {}", next.written).into());
        }
        Ok(std::mem::replace(&mut self.token, next))
    }

    /// Passes over an operator that must be there.
    fn expect(&mut self, operator: &str, is_behind_operand: bool) -> Result<(), Stop> {
        if self.token.is(operator) {
            return self.advance(is_behind_operand).map(drop);
        }
        let wanted = quoted(operator);
        Err(Stop::Fault(match self.token.kind {
            Kind::End => format!("S0203: Expected {wanted} before end of expression"),
            Kind::Name(_) | Kind::Variable | Kind::Operator(_) | Kind::Literal | Kind::Regex => {
                format!("S0202: Expected {wanted}, got {}", self.token.written)
            }
        }))
    }

    /// Passes over an operator if it is there.
    fn passed(&mut self, operator: &str) -> Result<bool, Stop> {
        let is_there = self.token.is(operator);
        if is_there {
            self.advance(false)?;
        }
        Ok(is_there)
    }

    /// Reads an operand and all operators behind it that bind more strongly than `binding`.
    fn expression(&mut self, binding: u32) -> Result<Operand, Stop> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Stop::TooDeep);
        }
        let first = self.advance(true)?;
        let mut left = self.operand(&first)?;
        while let Kind::Operator(operator) = self.token.kind
            && binding < strength(operator)
        {
            self.advance(false)?;
            left = self.behind(operator, left)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operand(&mut self, first: &Token) -> Result<Operand, Stop> {
        match &first.kind {
            Kind::Name(name) if name == "function" || name == "λ" => return Ok(Operand::Function),
            Kind::Variable => return Ok(Operand::Variable),
            Kind::Name(_) | Kind::Literal | Kind::Regex | Kind::End => {}
            Kind::Operator(operator) => self.prefix(operator)?,
        }
        Ok(Operand::Other)
    }

    fn prefix(&mut self, operator: &str) -> Result<(), Stop> {
        match operator {
            "and" | "or" | "in" | "*" | "**" | "%" => Ok(()),
            "-" => self.expression(SIGN).map(drop),
            "(" => self.block(),
            "[" => self.array(),
            "{" => self.pairs(),
            "|" => self.transform(),
            _ => Err(format!("S0211: The symbol {} cannot be used as a unary operator", quoted(operator)).into()),
        }
    }

    /// Reads what stands behind an operator that has an operand before it.
    fn behind(&mut self, operator: &str, left: Operand) -> Result<Operand, Stop> {
        match operator {
            "(" => self.call(left)?,
            "[" if self.passed("]")? => return Ok(left),
            "[" => {
                self.expression(0)?;
                self.expect("]", true)?;
            }
            "{" => self.pairs()?,
            "^" => self.order()?,
            "?" => self.branches()?,
            ":=" => self.binding(left)?,
            "@" | "#" => {
                if self.expression(strength(operator))? != Operand::Variable {
                    let operator = quoted(operator);
                    let rule = "must be a variable name (start with $)";
                    return Err(format!("S0214: The right side of {operator} {rule}").into());
                }
            }
            _ => drop(self.expression(strength(operator))?),
        }
        Ok(Operand::Other)
    }

    fn binding(&mut self, left: Operand) -> Result<(), Stop> {
        if left != Operand::Variable {
            let message = "S0212: The left side of := must be a variable name (start with $)";
            return Err(message.to_owned().into());
        }
        self.expression(strength(":=") - 1).map(drop)
    }

    fn branches(&mut self) -> Result<(), Stop> {
        self.expression(0)?;
        if self.passed(":")? {
            self.expression(0)?;
        }
        Ok(())
    }

    fn block(&mut self) -> Result<(), Stop> {
        while !self.token.is(")") {
            self.expression(0)?;
            if !self.passed(";")? {
                break;
            }
        }
        self.expect(")", true)
    }

    fn array(&mut self) -> Result<(), Stop> {
        self.list("]", |this| {
            this.expression(0)?;
            if this.passed("..")? {
                this.expression(0)?;
            }
            Ok(())
        })
    }

    fn pairs(&mut self) -> Result<(), Stop> {
        self.list("}", |this| {
            this.expression(0)?;
            this.expect(":", false)?;
            this.expression(0).map(drop)
        })
    }

    /// Reads what commas separate, up to the closing bracket.
    fn list(&mut self, close: &str, mut element: impl FnMut(&mut Self) -> Result<(), Stop>) -> Result<(), Stop> {
        if !self.token.is(close) {
            element(self)?;
            while self.passed(",")? {
                element(self)?;
            }
        }
        self.expect(close, true)
    }

    fn order(&mut self) -> Result<(), Stop> {
        self.expect("(", false)?;
        loop {
            if !self.passed("<")? {
                self.passed(">")?;
            }
            self.expression(0)?;
            if !self.passed(",")? {
                return self.expect(")", false);
            }
        }
    }

    fn transform(&mut self) -> Result<(), Stop> {
        self.expression(0)?;
        self.expect("|", false)?;
        self.expression(0)?;
        if self.passed(",")? {
            self.expression(0)?;
        }
        self.expect("|", false)
    }

    fn call(&mut self, left: Operand) -> Result<(), Stop> {
        let mut arguments = Vec::new();
        self.list(")", |this| {
            arguments.push(if this.passed("?")? { Operand::Other } else { this.expression(0)? });
            Ok(())
        })?;
        if left == Operand::Function { self.function(&arguments) } else { Ok(()) }
    }

    fn function(&mut self, parameters: &[Operand]) -> Result<(), Stop> {
        if let Some(position) = parameters.iter().position(|parameter| *parameter != Operand::Variable) {
            let rule = "of function definition must be a variable name (start with $)";
            return Err(format!("S0208: Parameter {} {rule}", position + 1).into());
        }
        if self.token.is("<") {
            self.signature()?;
        }
        self.expect("{", false)?;
        self.expression(0)?;
        self.expect("}", false)
    }

    /// Passes over a signature, which jsonata-core judges.
    fn signature(&mut self) -> Result<(), Stop> {
        let mut depth = 1_u32;
        while depth > 0 && !self.token.is("{") && self.token.kind != Kind::End {
            self.advance(false)?;
            if self.token.is(">") {
                depth -= 1;
            } else if self.token.is("<") {
                depth += 1;
            }
        }
        self.expect(">", false)
    }
}

/// Says how strongly an operator binds what stands before it; 0 if it does not.
fn strength(operator: &str) -> u32 {
    match operator {
        "[" | "(" | "@" | "#" => 80,
        "." => 75,
        "{" => 70,
        "*" | "/" | "%" => 60,
        "+" | "-" | "&" => 50,
        "=" | "!=" | "<" | "<=" | ">" | ">=" | "^" | "~>" | "in" => 40,
        "and" => 30,
        "or" => 25,
        "?" => 20,
        ":=" => 10,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn faults_are_told_as_the_reference_implementation_does() {
        let unary = |symbol: &str| format!("S0211: The symbol \"{symbol}\" cannot be used as a unary operator");
        let bound =
            |symbol: &str| format!("S0214: The right side of \"{symbol}\" must be a variable name (start with $)");
        let assigned = "S0212: The left side of := must be a variable name (start with $)";
        let parameter = |position: usize| {
            format!("S0208: Parameter {position} of function definition must be a variable name (start with $)")
        };
        let unterminated = "S0302: No terminating / in regular expression";
        let cases = [
            ("a[1,2)", r#"S0202: Expected "]", got ",""#.to_owned()),
            ("$sum($states.input.items", r#"S0203: Expected ")" before end of expression"#.to_owned()),
            ("> 1", unary(">")),
            ("10 + >= 2", unary(">=")),
            ("(1", r#"S0203: Expected ")" before end of expression"#.to_owned()),
            ("1 2", "S0201: Syntax error: 2".to_owned()),
            ("1 )", r#"S0201: Syntax error: ")""#.to_owned()),
            ("1 true", "S0201: Syntax error: true".to_owned()),
            ("1 x", r#"S0201: Syntax error: "x""#.to_owned()),
            ("1 $x", r#"S0201: Syntax error: "x""#.to_owned()),
            ("[1 $$]", r#"S0202: Expected "]", got "$""#.to_owned()),
            ("1..2", r#"S0201: Syntax error: "..""#.to_owned()),
            ("[1..", r#"S0203: Expected "]" before end of expression"#.to_owned()),
            ("{'a' 1}", r#"S0202: Expected ":", got 1"#.to_owned()),
            ("{", r#"S0203: Expected ":" before end of expression"#.to_owned()),
            ("a^b", r#"S0202: Expected "(", got "b""#.to_owned()),
            ("|a|", r#"S0203: Expected "|" before end of expression"#.to_owned()),
            ("1 ?? 2", unary("?")),
            ("1 ?: 2", unary(":")),
            ("5 := 1", assigned.to_owned()),
            ("$x.y := 1", assigned.to_owned()),
            ("a@b", bound("@")),
            ("a#5", bound("#")),
            ("function(1){1}", parameter(1)),
            ("function($a, b){1}", parameter(2)),
            ("function($a)<n-n{1}", r#"S0202: Expected ">", got "{""#.to_owned()),
            ("1 ~ 2", r#"S0204: Unknown operator: "~""#.to_owned()),
            ("/* x", "S0106: Comment has no closing tag".to_owned()),
            ("/abc", unterminated.to_owned()),
            ("/(/", unterminated.to_owned()),
            ("//", "S0301: Empty regular expressions are not allowed".to_owned()),
            ("$match('a', /a/s)", r#"S0202: Expected ")", got "s""#.to_owned()),
            ("/(/]/)/", "Invalid regular expression: /(/]/: unclosed group".to_owned()),
            ("/a/ii", "Invalid flags of a regular expression: 'ii'".to_owned()),
            ("/+a/", "Invalid regular expression: /+a/: repetition operator missing expression".to_owned()),
            ("1e999", r#"S0102: Number out of range: "1e999""#.to_owned()),
            (r#""\q""#, r#"S0103: Unsupported escape sequence: \"q""#.to_owned()),
            (r#""\u12""#, r"S0104: The escape sequence \u must be followed by 4 hex digits".to_owned()),
            ("'a", "S0101: String literal must be terminated by a matching quote".to_owned()),
            ("`a", "S0105: Quoted property name must be terminated with a backquote (`)".to_owned()),
            (r#"1 "a RightParen, got Comma""#, r#"S0201: Syntax error: "a RightParen, got Comma""#.to_owned()),
            (r#"[1 "a\n\"é\u0001, got "]"#, r#"S0202: Expected "]", got "a\n\"é\u0001, got ""#.to_owned()),
            ("(1 `Comma )`", r#"S0202: Expected ")", got "Comma )""#.to_owned()),
        ];
        for (text, expect) in cases {
            assert_eq!(check(text), Err(expect), "{text}");
        }
    }

    #[test]
    fn what_is_right_is_let_pass() {
        for text in [
            "a.b[0]@$x.c#$i^(<d, >e){f: g}",
            "$x[] := 1",
            "($a := 1; $b := $a := 2;)",
            "function($a, $b)<n-n:n>{$a ? $b}(1, ?) ~> λ(){1}",
            "[1..3, [], {}, -a, * + ** % %]",
            "and and or or in in null",
            "$f()/2/3 + [1]/2 - (4)/5 /* / */",
            "$match(a, /[/]\\/\\//im)",
            "|a|{b: 1}, [c]|",
            "1.5e-3 & 0.a & 1.e",
            r#""\ud83d\ude00" = '\"'"#,
        ] {
            assert_eq!(check(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn what_only_the_engine_of_regular_expressions_lacks_is_told() {
        let told = check("$match(a, /(?=b)/)").expect("is right");
        let expect = "The regular expression /(?=b)/ is not supported: look-around, including look-ahead and look-behind, is not \
                      supported";
        assert_eq!(told.as_deref(), Some(expect));
        for text in [r"/(a)\1/", "/[]/", r"/\e/"] {
            assert!(check(text).is_ok_and(|told| told.is_some()), "{text}");
        }
    }

    #[test]
    fn depth_is_no_danger() {
        for (open, close) in
            [("(", ")"), ("[", "]"), ("{\"a\":", "}"), ("-", ""), ("$f(", ")"), ("a[", "]"), ("$a:=", ""), ("a?", "")]
        {
            let text = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
            assert_eq!(check(&text), Ok(None), "{open}");
        }
    }
}
