//! Payload templates: JSON in which the values of fields named `….$` are looked up or computed.

use std::sync::Arc;

use jsonpath::ReadError;
use model::{JsonText, error_name};
use serde_json::Value;

use crate::intrinsic::{Intrinsic, IntrinsicError};
use crate::path::{DataPath, PathError};
use crate::scope::Scope;

/// The largest text that is made of a template, in bytes: far more than any payload, and little enough to be held. A template may
/// name the whole input as often as the definition has room for.
pub(crate) const TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Says that more would come of a template.
pub(crate) const TOO_LARGE: &str = "The result is larger than any payload may be.";

/// Is a compiled payload template. Cloning shares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    root: Arc<Node>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Node {
    /// Compact text without anything to compute.
    Literal(JsonText),
    /// A looked-up value, with the name of its field.
    Path(Arc<str>, DataPath),
    /// A computed value.
    Intrinsic(Arc<Intrinsic>),
    /// Members with their names as JSON strings, without the `.$`.
    Object(Vec<(Box<str>, Node)>),
    /// Elements.
    Array(Vec<Node>),
}

/// Says why a template could not be filled in. Its text is what AWS prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A path is missing.
    #[error("The JSONPath '{path}' specified for the field '{field}' could not be found in the input '{input}'")]
    Missing {
        /// The path as the definition writes it.
        path: String,
        /// The field's name with its `.$`.
        field: String,
        /// The text that `$` stands for.
        input: JsonText,
        /// What exactly was missing.
        source: Box<PathError>,
    },
    /// A path could not be read at all.
    #[error(transparent)]
    Unreadable(Box<PathError>),
    /// What comes of the template is larger than any payload.
    #[error("{TOO_LARGE}")]
    TooLarge,
    /// An intrinsic function failed.
    #[error(transparent)]
    Intrinsic(#[from] IntrinsicError),
}

impl TemplateError {
    /// Gives the error name that AWS reports, of intrinsic functions too.
    pub fn error_name(&self) -> &'static str {
        match self {
            TemplateError::TooLarge => error_name::DATA_LIMIT_EXCEEDED,
            TemplateError::Missing { .. } | TemplateError::Unreadable(_) | TemplateError::Intrinsic(_) => {
                error_name::RUNTIME
            }
        }
    }
}

impl Template {
    pub(crate) fn new(root: Node) -> Self {
        Self { root: Arc::new(root) }
    }

    /// Fills the template in and renders it compactly; numbers and strings keep their form.
    ///
    /// # Errors
    /// `TemplateError` for a missing path or a failing intrinsic function.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<JsonText, TemplateError> {
        if let Node::Literal(text) = &*self.root {
            return Ok(text.clone());
        }
        let mut text = String::new();
        write_node(&self.root, scope, &mut text)?;
        Ok(JsonText::trusted(text))
    }
}

fn write_node(node: &Node, scope: &dyn Scope, text: &mut String) -> Result<(), TemplateError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(TemplateError::TooLarge);
    }
    match node {
        Node::Literal(literal) => text.push_str(literal.as_str()),
        Node::Path(field, path) => text.push_str(&look_up(field, path, scope)?),
        Node::Intrinsic(intrinsic) => text.push_str(&intrinsic.evaluate(scope)?.to_string()),
        Node::Object(members) => write_object(members, scope, text)?,
        Node::Array(elements) => write_array(elements, scope, text)?,
    }
    Ok(())
}

fn write_object(members: &[(Box<str>, Node)], scope: &dyn Scope, text: &mut String) -> Result<(), TemplateError> {
    text.push('{');
    for (position, (name, node)) in members.iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        text.push_str(name);
        text.push(':');
        write_node(node, scope, text)?;
    }
    text.push('}');
    Ok(())
}

fn write_array(elements: &[Node], scope: &dyn Scope, text: &mut String) -> Result<(), TemplateError> {
    text.push('[');
    for (position, node) in elements.iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        write_node(node, scope, text)?;
    }
    text.push(']');
    Ok(())
}

/// Looks a value up. An array's element that is not there is null here, as in AWS, and nowhere else.
fn look_up(field: &str, path: &DataPath, scope: &dyn Scope) -> Result<String, TemplateError> {
    match path.read(scope) {
        Ok(found) => Ok(jsonpath::compact(found.as_str())),
        Err(error) if path.path().ends_in_index() && matches!(error.read(), Some(ReadError::NoResults(_))) => {
            Ok("null".to_owned())
        }
        Err(error) if error.is_fault() => Err(TemplateError::Unreadable(Box::new(error))),
        Err(source) => Err(TemplateError::Missing {
            path: path.to_string(),
            field: field.into(),
            input: scope.input().text().clone(),
            source: Box::new(source),
        }),
    }
}

/// Renders a member's name as a JSON string.
pub(crate) fn quote(name: &str) -> Box<str> {
    Value::from(name).to_string().into()
}

#[cfg(test)]
mod tests {
    use crate::definition::Definition;
    use crate::fixture::Fixture;

    fn evaluate(template: &str) -> Result<String, String> {
        evaluate_in(template, "{\"a\": {\"b\": [1.0, \"x y\"]}, \"n\": 1.50, \"s\": \"t\\u00e9\"}")
    }

    fn evaluate_in(template: &str, input: &str) -> Result<String, String> {
        let text = format!(
            r#"{{"StartAt": "P", "States": {{"P": {{"Type": "Pass", "Parameters": {template}, "End": true}}}}}}"#
        );
        let definition = Definition::parse(&text).map_err(|diagnostics| diagnostics.to_string())?;
        let state = definition.machine.state("P").expect("is there");
        let template = state.flow.parameters.as_ref().expect("is there");
        let result = template.evaluate(&Fixture::new(input));
        result.map(|text| text.as_str().to_owned()).map_err(|error| format!("{}: {error}", error.error_name()))
    }

    fn check(template: &str, expect: &str) {
        assert_eq!(evaluate(template).as_deref(), Ok(expect), "{template}");
    }

    #[test]
    fn literals_are_compact_and_keep_their_form() {
        check("{\"a\": [1.0, 2.50, 1e3], \"b\": \" x \\\" y \"}", "{\"a\":[1.0,2.50,1e3],\"b\":\" x \\\" y \"}");
        check("[1, {\"a\": null}]", "[1,{\"a\":null}]");
        check("\"$.a\"", "\"$.a\"");
        check("{\"a\": \"$.n\", \"b.$x\": 1}", "{\"a\":\"$.n\",\"b.$x\":1}");
    }

    #[test]
    fn fields_are_looked_up_and_computed() {
        check("{\"x.$\": \"$.a\"}", "{\"x\":{\"b\":[1.0,\"x y\"]}}");
        check("{\"x.$\": \"$.n\", \"y\": {\"z.$\": \"$.s\"}}", "{\"y\":{\"z\":\"t\\u00e9\"},\"x\":1.50}");
        check("{\"x\": [{\"y.$\": \"$.a.b[0]\"}, 1]}", "{\"x\":[{\"y\":1.0},1]}");
        check("{\"x.$\": \"$$.Execution.Name\", \"v.$\": \"$var.x\"}", "{\"v\":[1,2],\"x\":\"run-1\"}");
        check("{\"x.$\": \"$.a.b[*]\"}", "{\"x\":[1.0,\"x y\"]}");
        check("{\"x.$\": \"States.Format('{} {}', $.n, $.a.b[1])\"}", "{\"x\":\"1.5 x y\"}");
        check("{\"a\\\"b.$\": \"$.n\"}", "{\"a\\\"b\":1.50}");
        check("{\"a.\\u0024\": \"$.n\"}", "{\"a\":1.50}");
    }

    #[test]
    fn members_are_written_in_the_order_of_aws() {
        let computed =
            "\"y\":{\"decoded\":1.50,\"encoded\":1.50},\"Input\":1.50,\"StateMachineArn\":1.50,\"Name\":1.50";
        check(
            "{\"StateMachineArn.$\": \"$.n\", \"Input.$\": \"$.n\", \"Name.$\": \"$.n\", \"x\": [1], \
             \"y\": {\"encoded.$\": \"$.n\", \"decoded.$\": \"$.n\"}}",
            &format!("{{\"x\":[1],{computed}}}"),
        );
        check("{\"b\": 1, \"a.$\": \"$.n\", \"c\": 2}", "{\"b\":1,\"c\":2,\"a\":1.50}");
        check("{\"a.$\": \"$.n\", \"a\": 1}", "{\"a\":1.50}");
        check("{\"a\": 1, \"a.$\": \"$.n\", \"b\": 2}", "{\"b\":2,\"a\":1.50}");
    }

    #[test]
    fn an_object_has_one_member_of_a_name() {
        check("{\"a\": 1, \"b\": 2, \"a\": 3.0}", "{\"a\":3.0,\"b\":2}");
        check("{\"a.$\": \"$.none\", \"b.$\": \"$.n\", \"a.$\": \"$.s\"}", "{\"a\":\"t\\u00e9\",\"b\":1.50}");
        check("{\"a.$\": \"$.n\", \"b\": 2, \"a\": 1}", "{\"b\":2,\"a\":1.50}");
        check("{\"a\": 1, \"b\": 2, \"a.$\": \"$.n\"}", "{\"b\":2,\"a\":1.50}");
        check("[{\"x.$\": \"$.n\", \"y\": {\"a\": 1, \"a\": 2}}]", "[{\"y\":{\"a\":2},\"x\":1.50}]");
    }

    #[test]
    fn missing_paths_are_worded_as_aws_does() {
        let error = evaluate("{\"x\": {\"y.$\": \"$.none\"}}").expect_err("is missing");
        let expect = "States.Runtime: The JSONPath '$.none' specified for the field 'y.$' could not be found in the input \
                      '{\"a\": {\"b\": [1.0, \"x y\"]}, \"n\": 1.50, \"s\": \"t\\u00e9\"}'";
        assert_eq!(error, expect);
        let error = evaluate("{\"y.$\": \"States.StringToJson($.s)\"}").expect_err("is no JSON");
        let expect = "States.Runtime: The function 'States.StringToJson($.s)' had the following error: Invalid arguments in \
                      States.StringToJson";
        assert_eq!(error, expect);
    }

    #[test]
    fn what_would_not_fit_anywhere_is_not_made() {
        let fields: Vec<String> = (0..3_000).map(|field| format!(r#""f{field}.$": "$""#)).collect();
        let text = format!(
            r#"{{"StartAt": "P", "States": {{"P": {{"Type": "Pass", "Parameters": {{{}}}, "End": true}}}}}}"#,
            fields.join(",")
        );
        let definition = Definition::parse(&text).expect("is right");
        let template = definition.machine.state("P").and_then(|state| state.flow.parameters.clone()).expect("is there");
        let error =
            template.evaluate(&Fixture::new(&format!("\"{}\"", "x".repeat(256 * 1024)))).expect_err("is too large");
        assert_eq!(error.error_name(), "States.DataLimitExceeded");
    }

    #[test]
    fn what_could_not_be_read_is_not_called_missing() {
        let input = (0..60).fold("[1, 2]".to_owned(), |inner, _| format!("[{inner}, [1]]"));
        let error = evaluate_in("{\"x.$\": \"$..*..*..*..*..*..*\"}", &input).expect_err("is too much");
        assert_eq!(error, "States.Runtime: Invalid path '$..*..*..*..*..*..*' : the path matches too many values");
        let error = evaluate_in("{\"x.$\": \"$\"}", "null").expect_err("is null");
        assert_eq!(error, "States.Runtime: Unable to apply Path transformation to null or empty input.");
    }

    #[test]
    fn an_element_that_is_not_there_is_null() {
        check("{\"x.$\": \"$.a.b[7]\"}", "{\"x\":null}");
        check("{\"x.$\": \"$.a.b[-7]\"}", "{\"x\":null}");
        for path in ["$.a.b[7].c", "$.none[0]", "$.n[0]"] {
            let error = evaluate(&format!("{{\"x.$\": \"{path}\"}}")).expect_err(path);
            assert!(error.contains("could not be found in the input"), "{error}");
        }
    }

    #[test]
    fn bad_fields_are_refused() {
        for value in ["1", "null", "\"x\"", "\"$.\"", "\"States.Nope()\"", "{\"a\": 1}"] {
            let error = evaluate(&format!("{{\"o\": {{\"x.$\": {value}}}}}")).expect_err(value);
            let expect = "SCHEMA_VALIDATION_FAILED: The value for the field 'x.$' must be a valid JSONPath or a valid \
                          intrinsic function call at /States/P/Parameters/o";
            assert!(error.contains(expect), "{value}: {error}");
        }
    }
}
