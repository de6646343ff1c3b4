//! Members as AWS's SDKs have them: with a capital first, and instants in another form.

use model::{JsonText, Timestamp};
use serde_json::{Map, Value, json};

use super::{Dress, members_of};
use crate::api::error::ApiError;
use crate::api::members::Members;

/// Members that are instants: in the answers of the API seconds with milliseconds after the point.
const INSTANTS: &[&str] = &["creationDate", "updateDate", "startDate", "stopDate", "redriveDate", "timestamp"];

/// Members of answers whose own members have names that users give.
const MAPS: &[&str] = &["variableReferences"];

/// Members of requests that are not texts. All others are: JSON that stands in the place of a text is given as its text.
const NO_TEXTS: &[&str] = &[
    "encryptionConfiguration",
    "includeExecutionData",
    "loggingConfiguration",
    "maxConcurrency",
    "maxResults",
    "mock",
    "publish",
    "revealSecrets",
    "reverseOrder",
    "routingConfiguration",
    "stateConfiguration",
    "tagKeys",
    "tags",
    "toleratedFailureCount",
    "toleratedFailurePercentage",
    "tracingConfiguration",
];

/// Makes the members of a request from the parameters of a task.
pub(super) fn members(dress: Dress, parameters: &JsonText) -> Result<Members, ApiError> {
    let value = parameters.to_value().map_err(|fault| ApiError::serialization(fault.to_string()))?;
    let Value::Object(parameters) = value else { return members_of(value) };
    let member = |(name, value): (String, Value)| {
        let name = uncapitalised(&name);
        let is_text = dress == Dress::Optimised || !NO_TEXTS.contains(&name.as_str());
        let value = if is_text { as_text(value) } else { renamed(value, &uncapitalised) };
        (name, value)
    };
    Ok(Members::of(parameters.into_iter().map(member).collect()))
}

fn as_text(value: Value) -> Value {
    match value {
        Value::Null | Value::String(_) => value,
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Value::String(value.to_string()),
    }
}

/// Gives an answer as SDK integrations do: instants are texts, and what is null is not there.
pub(super) fn sdk(answer: &Value) -> Value {
    shown(answer, &|millis| Value::String(instant(millis)))
}

/// Gives an answer with its instants in milliseconds, in order of its names.
pub(super) fn with_millis(answer: &Value) -> Value {
    let mut shown = shown(answer, &Value::from);
    if let Value::Object(members) = &mut shown {
        members.sort_keys();
    }
    shown
}

/// Gives an answer of the API as the optimised integration does, with what AWS's SDK tells of the HTTP response.
pub(super) fn optimised(answer: &Value, request: &str, now: Timestamp) -> Value {
    let mut shown = with_millis(answer);
    let headers = [
        ("x-amzn-RequestId", request.to_owned()),
        ("Content-Length", answer.to_string().len().to_string()),
        ("Date", http_date(now)),
        ("Content-Type", "application/x-amz-json-1.0".to_owned()),
    ];
    let all: Map<String, Value> = headers.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect();
    let single: Map<String, Value> = headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    shown["SdkHttpMetadata"] = json!({ "AllHttpHeaders": all, "HttpHeaders": single, "HttpStatusCode": 200 });
    shown["SdkResponseMetadata"] = json!({ "RequestId": request });
    if let Value::Object(members) = &mut shown {
        members.sort_keys();
    }
    shown
}

fn shown(answer: &Value, instant: &dyn Fn(i64) -> Value) -> Value {
    match answer {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let value = match value {
                    Value::Number(seconds) if INSTANTS.contains(&name.as_str()) => {
                        instant((seconds.as_f64().unwrap_or_default() * 1_000.0).round() as i64)
                    }
                    Value::Object(_) if MAPS.contains(&name.as_str()) => value.clone(),
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_)
                    | Value::Array(_)
                    | Value::Object(_) => shown(value, instant),
                };
                (capitalised(name), value)
            };
            Value::Object(members.iter().filter(|(_, value)| !value.is_null()).map(member).collect())
        }
        Value::Array(elements) => Value::Array(elements.iter().map(|element| shown(element, instant)).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => answer.clone(),
    }
}

fn renamed(value: Value, rename: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (rename(&name), renamed(value, rename))).collect())
        }
        Value::Array(elements) => Value::Array(elements.into_iter().map(|value| renamed(value, rename)).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// Gives a name with a capital first.
pub(super) fn capitalised(name: &str) -> String {
    first_as(name, |letter| letter.to_ascii_uppercase())
}

fn uncapitalised(name: &str) -> String {
    first_as(name, |letter| letter.to_ascii_lowercase())
}

fn first_as(name: &str, change: impl Fn(char) -> char) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| change(first).to_string() + letters.as_str()).unwrap_or_default()
}

/// Renders an instant as AWS's SDK of version 2 does: without milliseconds where there are none.
fn instant(millis: i64) -> String {
    Timestamp::from_millis(millis).iso_8601().replace(".000Z", "Z")
}

/// Renders an instant as HTTP does: `Tue, 14 Nov 2023 22:13:20 GMT`.
fn http_date(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = at.iso_8601();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let day = usize::try_from(at.as_millis().div_euclid(86_400_000).rem_euclid(7)).unwrap_or_default();
    let month = part(5, 7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
    let (day, month) = (DAYS.get(day).copied().unwrap_or_default(), month.copied().unwrap_or_default());
    format!("{day}, {} {month} {} {} GMT", part(8, 10), part(0, 4), part(11, 19))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_become_members() {
        let read = |dress, text: &str| members(dress, &JsonText::parse(text).expect("is JSON")).expect("is an object");
        let mut found = read(Dress::Optimised, r#"{"StateMachineArn":"a","Input":{"b" : 1.0},"Name":null}"#);
        assert_eq!(found.text("stateMachineArn"), Ok(Some("a".to_owned())));
        assert_eq!(found.text("input"), Ok(Some("{\"b\":1.0}".to_owned())));
        assert_eq!(found.text("name"), Ok(None));
        let mut found = read(Dress::Sdk, r#"{"Input":"[1]","MaxResults":5,"Tags":[{"Key":"k"}],"Output":7}"#);
        assert_eq!(found.text("input"), Ok(Some("[1]".to_owned())));
        assert_eq!((found.integer("maxResults"), found.text("output")), (Ok(Some(5)), Ok(Some("7".to_owned()))));
        let tags = found.structures("tags").expect("is a list").expect("is there");
        assert_eq!(tags.into_iter().map(|mut tag| tag.text("key")).collect::<Vec<_>>(), [Ok(Some("k".to_owned()))]);
        let list = JsonText::trusted("[1]");
        assert!(members(Dress::Sdk, &list).is_err());
    }

    #[test]
    fn answers_are_shown_as_sdks_have_them() {
        let answer = json!({
            "taskToken": null,
            "startDate": 1_700_000_000.5,
            "tags": [{ "key": "k" }],
            "events": [{ "timestamp": 1_700_000_000.0, "id": 1 }],
            "variableReferences": { "state": ["x"] },
        });
        let expect = json!({
            "StartDate": "2023-11-14T22:13:20.500Z",
            "Tags": [{ "Key": "k" }],
            "Events": [{ "Timestamp": "2023-11-14T22:13:20Z", "Id": 1 }],
            "VariableReferences": { "state": ["x"] },
        });
        assert_eq!(sdk(&answer), expect);
    }

    #[test]
    fn the_optimised_integration_tells_of_the_response() {
        let answer = json!({ "executionArn": "a", "startDate": 1_700_000_000.123 });
        let shown = optimised(&answer, "id", Timestamp::from_millis(1_700_000_000_000));
        let names: Vec<&String> = shown.as_object().expect("is an object").keys().collect();
        assert_eq!(names, ["ExecutionArn", "SdkHttpMetadata", "SdkResponseMetadata", "StartDate"]);
        assert_eq!(shown["StartDate"], json!(1_700_000_000_123_i64));
        assert_eq!(shown["SdkHttpMetadata"]["HttpHeaders"]["Date"], json!("Tue, 14 Nov 2023 22:13:20 GMT"));
        assert_eq!(shown["SdkHttpMetadata"]["AllHttpHeaders"]["x-amzn-RequestId"], json!(["id"]));
    }
}
