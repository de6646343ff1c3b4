//! Paths as definitions write them: into the input, the context object or a variable.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jsonpath::{ParseError, Path, ReadError};
use model::JsonText;
use serde_json::Value;

use crate::scope::{Document, Scope};

/// Says where a path begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// `$`: the state's input, or what else the field looks at.
    Input,
    /// `$$`: the context object.
    Context,
    /// `$name`: a variable.
    Variable(Arc<str>),
}

/// Is a compiled path with its root. Cloning shares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPath {
    text: Arc<str>,
    root: Root,
    path: Path,
}

/// Says why a path gave no value. Its text is what AWS prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PathError {
    /// The path as the definition writes it.
    pub path: Arc<str>,
    /// Why there is no value.
    pub reason: Reason,
}

/// Says what was missing where a path was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The document does not hold the path.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No such variable is in scope.
    #[error("The variable '${0}' is not defined.")]
    NoVariable(Arc<str>),
    /// The document holds what can't be parsed, such as a number that no double holds.
    #[error("The document could not be read: {0}.")]
    Unreadable(String),
    /// The input is null, into which no path leads, not even `$`:
    /// <https://github.com/awslabs/states-language/issues/29>
    #[error("Unable to apply Path transformation to null or empty input.")]
    Null,
}

impl DataPath {
    /// Parses a path with one of the prefixes `$`, `$$` and `$name`.
    ///
    /// # Errors
    /// `ParseError` as of `jsonpath::Path::parse`.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let (root, rest) = split_root(text)?;
        let path = Path::parse(&format!("${rest}"))?;
        Ok(Self { text: text.into(), root, path })
    }

    /// Gives the path `$`.
    pub fn input() -> Self {
        Self { text: "$".into(), root: Root::Input, path: Path::root() }
    }

    /// Gives the text that was parsed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Says where the path begins.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Gives the path from that root, written with a single `$`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells whether the path is `$`, the whole input.
    pub fn is_whole_input(&self) -> bool {
        self.root == Root::Input && self.path.is_root()
    }

    /// Reads JSON text: for a definite path the very text of the value, the document's own allocation if it is the
    /// whole; else a compact array.
    ///
    /// # Errors
    /// `PathError` if the path, or the definite part it begins with, is missing, or the input is null.
    pub fn read(&self, scope: &dyn Scope) -> Result<JsonText, PathError> {
        let document = self.document(scope)?;
        if self.path.is_root() {
            return Ok(document.text().clone());
        }
        if let Some(text) = self.path.read_raw(document.text().as_str()) {
            return Ok(JsonText::trusted(text));
        }
        Ok(JsonText::from_value(self.read_in(document)?.as_ref()))
    }

    /// Reads a value. A document that nobody parsed yet is only scanned if the path is definite.
    ///
    /// # Errors
    /// As `read`.
    pub fn read_value<'a>(&self, scope: &'a dyn Scope) -> Result<Cow<'a, Value>, PathError> {
        let document = self.document(scope)?;
        if document.is_parsed() || self.path.is_root() {
            return self.read_in(document);
        }
        let found = self.path.read_raw(document.text().as_str());
        match found.and_then(|text| jsonpath::parse(text).ok()) {
            Some(value) => Ok(Cow::Owned(value)),
            None => self.read_in(document),
        }
    }

    fn read_in<'a>(&self, document: &'a Document) -> Result<Cow<'a, Value>, PathError> {
        let value = document.value().map_err(|reason| self.error(Reason::Unreadable(reason.to_owned())))?;
        self.path.read(value).map_err(|error| self.error(Reason::Read(error)))
    }

    fn document<'a>(&self, scope: &'a dyn Scope) -> Result<&'a Document, PathError> {
        match &self.root {
            Root::Input if scope.input().text().as_str().trim() == "null" => Err(self.error(Reason::Null)),
            Root::Input => Ok(scope.input()),
            Root::Context => Ok(scope.context()),
            Root::Variable(name) => {
                scope.variable(name).ok_or_else(|| self.error(Reason::NoVariable(Arc::clone(name))))
            }
        }
    }

    fn error(&self, reason: Reason) -> PathError {
        PathError { path: Arc::clone(&self.text), reason }
    }
}

impl PathError {
    /// Gives what reading came to, if there was something to read.
    pub(crate) fn read(&self) -> Option<&ReadError> {
        match &self.reason {
            Reason::Read(error) => Some(error),
            Reason::NoVariable(_) | Reason::Unreadable(_) | Reason::Null => None,
        }
    }

    /// Tells whether there could be no reading, so that nothing is known to be missing.
    pub fn is_fault(&self) -> bool {
        matches!(self.reason, Reason::Unreadable(_) | Reason::Null | Reason::Read(ReadError::TooMuch))
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Null => self.reason.fmt(formatter),
            Reason::Read(_) | Reason::NoVariable(_) | Reason::Unreadable(_) => {
                write!(formatter, "Invalid path '{}' : {}", self.path, self.reason)
            }
        }
    }
}

impl fmt::Display for DataPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn split_root(text: &str) -> Result<(Root, &str), ParseError> {
    let Some(rest) = text.strip_prefix('$') else {
        return Err(ParseError { reason: "a path must begin with '$'".into(), offset: 0 });
    };
    if let Some(rest) = rest.strip_prefix('$') {
        return Ok((Root::Context, rest));
    }
    let is_part = |character: char| character.is_alphanumeric() || unicode_ident::is_xid_continue(character);
    let end = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let root = if name.is_empty() { Root::Input } else { Root::Variable(name.into()) };
    Ok((root, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    const INPUT: &str = "{\"a\": {\"b\": [1.0,  2.50]}, \"n\": null}";

    fn check(path: &str, expect: &str) {
        let fixture = Fixture::new(INPUT);
        let path = DataPath::parse(path).expect(path);
        let text = path.read(&fixture);
        let value = path.read_value(&fixture).map(Cow::into_owned);
        let read = text.as_ref().map_or_else(PathError::to_string, |text| text.as_str().to_owned());
        assert_eq!(read, expect, "{path}");
        assert_eq!(value, text.map(|text| text.to_value().expect("is JSON")), "{path}");
    }

    #[test]
    fn names_of_variables_are_identifiers() {
        let variable = |path: &str| DataPath::parse(path).map(|path| path.root().clone()).ok();
        for name in ["a_1", "e\u{301}", "变量", "ⅷ"] {
            assert_eq!(variable(&format!("${name}.x")), Some(Root::Variable(name.into())), "{name}");
        }
    }

    #[test]
    fn paths_read_the_very_text() {
        check("$", INPUT);
        check("$.a.b", "[1.0,  2.50]");
        check("$.a.b[1]", "2.50");
        check("$.n", "null");
        check("$.a.b[*]", "[1.0,2.5]");
        check("$$.Execution.Name", "\"run-1\"");
        check("$$.Execution.Input.n", "1.0");
        check("$$['Map'].Item.Index", "2");
        check("$var.x[0]", "1");
        check("$var", "{\"x\": [1, 2]}");
    }

    #[test]
    fn a_fraction_that_is_parsed_stays_what_it_was() {
        let fixture = Fixture::new("[38016.344646333564, 9610413711.727825]");
        let found = DataPath::parse("$[*]").expect("parses").read(&fixture).expect("reads");
        assert_eq!(found.as_str(), "[38016.344646333564,9610413711.727825]");
    }

    #[test]
    fn a_negative_zero_is_kept_where_nobody_looks_inside() {
        let read = |path: &str| DataPath::parse(path).expect(path).read(&Fixture::new("{\"a\": [-0, -0.0]}"));
        assert_eq!(read("$.a").expect("reads").as_str(), "[-0, -0.0]");
        assert_eq!(read("$.a[0]").expect("reads").as_str(), "-0");
        assert_eq!(read("$.a[*]").expect("reads").as_str(), "[0,-0.0]");
    }

    #[test]
    fn a_number_that_is_too_large_fails_what_looks_inside() {
        let fixture = Fixture::new("{\"a\": [1e400, 2]}");
        let path = |path: &str| DataPath::parse(path).expect(path);
        assert_eq!(path("$.a[0]").read(&fixture).expect("reads").as_str(), "1e400");
        assert_eq!(path("$.a[1]").read_value(&fixture).expect("reads").as_i64(), Some(2));
        for text in ["$.a[*]", "$..none", "$.b"] {
            let error = path(text).read(&fixture).expect_err(text).to_string();
            assert_eq!(error, format!("Invalid path '{text}' : The document could not be read: number out of range."));
        }
        assert!(path("$.a").read_value(&fixture).is_err());
    }

    #[test]
    fn missing_paths_are_worded_as_aws_does() {
        check("$.x", "Invalid path '$.x' : No results for path: $['x']");
        check("$.no.such", "Invalid path '$.no.such' : Missing property in path $['no']");
        check("$$.Execution.x", "Invalid path '$$.Execution.x' : No results for path: $['Execution']['x']");
        check("$other.x", "Invalid path '$other.x' : The variable '$other' is not defined.");
    }

    #[test]
    fn no_path_leads_into_a_null_input() {
        let fixture = Fixture::new(" null ");
        let read = |path: &str| DataPath::parse(path).expect(path).read(&fixture).map_err(|error| error.to_string());
        for path in ["$", "$.a", "$[*]"] {
            assert_eq!(
                read(path).expect_err(path),
                "Unable to apply Path transformation to null or empty input.",
                "{path}"
            );
        }
        assert_eq!(read("$$.Execution.Input.n").expect("reads").as_str(), "1.0");
    }

    #[test]
    fn the_whole_document_is_shared() {
        let fixture = Fixture::new(INPUT);
        assert!(DataPath::input().read(&fixture).expect("reads").is_same(fixture.input().text()));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", "a", "$$$", "$.", "$$.", "$a b", "States.UUID()"] {
            assert!(DataPath::parse(text).is_err(), "{text}");
        }
    }
}
