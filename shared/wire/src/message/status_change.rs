//! Execution status changes, in the envelope in which EventBridge carries those of AWS. The page is `docs/formats/notify.md`.

use model::failure_text::{cut_cause, cut_error};
use model::{ExecutionArn, ExecutionStatus, JsonText, QualifiedArn, StateMachineArn, Timestamp};
use serde::Serialize;

/// Is the AMQP `type` of a status change.
pub const STATUS_CHANGE_TYPE: &str = "stepwell.notify.v1";

/// How many bytes of escaped texts an envelope carries, as AWS bounds them, so that the whole stays within EventBridge's 256 KiB.
const TEXT_BYTES_MAX: usize = 248 * 1024;
/// The longest routing key that AMQP carries.
const ROUTING_KEY_BYTES_MAX: usize = 255;

/// Tells that an execution has started or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// The same for every repetition of this change, and for no other.
    pub id: String,
    /// The execution.
    pub execution: ExecutionArn,
    /// The state machine that it is an execution of.
    pub state_machine: StateMachineArn,
    /// The version of that which was started, if one was.
    pub version: Option<QualifiedArn>,
    /// The alias that chose the version, if one did.
    pub alias: Option<QualifiedArn>,
    /// What it is now.
    pub status: ExecutionStatus,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended, unless it is running.
    pub stopped_at: Option<Timestamp>,
    /// Its input.
    pub input: JsonText,
    /// The output of a success.
    pub output: Option<JsonText>,
    /// The error of another end, where it has one.
    pub error: Option<String>,
    /// The cause of another end, where it has one.
    pub cause: Option<String>,
}

impl StatusChange {
    /// Gives the topic to publish it under: `STATUS.REGION.ACCOUNT.NAME`, the name of the state machine last, since only that may hold
    /// dots. It is cut off after as many bytes as AMQP carries.
    pub fn routing_key(&self) -> String {
        let machine = &self.state_machine;
        let status = self.status.as_str();
        let mut key = format!("{status}.{}.{}.{}", machine.region(), machine.account(), machine.name());
        key.truncate(key.floor_char_boundary(ROUTING_KEY_BYTES_MAX));
        key
    }
}

/// Renders the body of a message of type [`STATUS_CHANGE_TYPE`].
pub fn encode_status_change(change: &StatusChange) -> Vec<u8> {
    let body = Envelope::new(change);
    serde_json::to_vec(&body).expect("texts and numbers always render into memory")
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Envelope<'a> {
    version: &'a str,
    id: &'a str,
    detail_type: &'a str,
    source: &'a str,
    account: &'a str,
    time: String,
    region: &'a str,
    resources: [&'a str; 1],
    detail: Detail<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    execution_arn: &'a str,
    state_machine_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_machine_alias_arn: Option<String>,
    name: &'a str,
    status: &'a str,
    start_date: i64,
    stop_date: Option<i64>,
    input: Option<&'a str>,
    input_details: Option<Included>,
    output: Option<&'a str>,
    output_details: Option<Included>,
    error: Option<&'a str>,
    cause: Option<&'a str>,
}

#[derive(Serialize)]
struct Included {
    included: bool,
}

impl<'a> Envelope<'a> {
    fn new(change: &'a StatusChange) -> Self {
        let at = change.stopped_at.unwrap_or(change.started_at).iso_8601();
        Self {
            version: "0",
            id: &change.id,
            detail_type: "Step Functions Execution Status Change",
            source: "aws.states",
            account: change.state_machine.account(),
            // EventBridge has whole seconds.
            time: at.split_once('.').map_or(at.clone(), |(seconds, _)| format!("{seconds}Z")),
            region: change.state_machine.region(),
            resources: [change.execution.as_str()],
            detail: Detail::new(change),
        }
    }
}

impl<'a> Detail<'a> {
    fn new(change: &'a StatusChange) -> Self {
        // An execution of before these were bounded may have longer ones.
        let (error, cause) = (change.error.as_deref().map(cut_error), change.cause.as_deref().map(cut_cause));
        let output = change.output.as_ref().map(JsonText::as_str);
        let others = [error, cause].into_iter().flatten().map(escaped_bytes).sum::<usize>();
        let output_bytes = output.map_or(0, escaped_bytes);
        let has_input = escaped_bytes(change.input.as_str()) + output_bytes + others <= TEXT_BYTES_MAX;
        let has_output = output_bytes + others <= TEXT_BYTES_MAX;
        Self {
            execution_arn: change.execution.as_str(),
            state_machine_arn: change.state_machine.as_str(),
            state_machine_version_arn: change.version.as_ref().map(ToString::to_string),
            state_machine_alias_arn: change.alias.as_ref().map(ToString::to_string),
            name: change.execution.name(),
            status: change.status.as_str(),
            start_date: change.started_at.as_millis(),
            stop_date: change.stopped_at.map(Timestamp::as_millis),
            input: Some(change.input.as_str()).filter(|_| has_input),
            input_details: Some(Included { included: has_input }),
            output: output.filter(|_| has_output),
            output_details: output.map(|_| Included { included: has_output }),
            error,
            cause,
        }
    }
}

/// Counts the bytes of a text within a JSON string.
fn escaped_bytes(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        0x20.. => 1,
    };
    text.bytes().map(escaped).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(status: ExecutionStatus) -> StatusChange {
        let execution = ExecutionArn::parse("arn:aws:states:us-east-1:123456789012:execution:Orders.v2:o-1");
        let execution = execution.expect("is an ARN");
        StatusChange {
            id: "315c1398-40ff-a850-213b-158f73e60175".to_owned(),
            state_machine: execution.state_machine(),
            execution,
            version: None,
            alias: None,
            status,
            started_at: Timestamp::from_millis(1_700_000_000_123),
            stopped_at: Some(Timestamp::from_millis(1_700_000_060_456)),
            input: JsonText::trusted("{\"orderId\":  \"12345\"}"),
            output: None,
            error: None,
            cause: None,
        }
    }

    fn running() -> StatusChange {
        StatusChange { stopped_at: None, ..change(ExecutionStatus::Running) }
    }

    fn succeeded(input: String, output: String) -> StatusChange {
        let (input, output) = (JsonText::trusted(input), Some(JsonText::trusted(output)));
        StatusChange { input, output, ..change(ExecutionStatus::Succeeded) }
    }

    #[test]
    fn bodies_stay_as_they_are() {
        let check = |change: &StatusChange, golden: &str| {
            let body = String::from_utf8(encode_status_change(change)).expect("is UTF-8");
            assert_eq!(body, golden.trim_end());
        };
        check(&running(), include_str!("../../golden/message/notify.v1.running.json"));
        let success = succeeded("{\"orderId\":  \"12345\"}".to_owned(), "\"done\"".to_owned());
        check(&success, include_str!("../../golden/message/notify.v1.succeeded.json"));
        let (error, cause) = (Some("Stock.Empty".to_owned()), Some("none \"left\"".to_owned()));
        let failure = StatusChange { error, cause, ..change(ExecutionStatus::Failed) };
        check(&failure, include_str!("../../golden/message/notify.v1.failed.json"));
        let qualified = |text: &str| Some(QualifiedArn::parse(text).expect("is an ARN"));
        let of_alias = StatusChange {
            version: qualified("arn:aws:states:us-east-1:123456789012:stateMachine:Orders.v2:7"),
            alias: qualified("arn:aws:states:us-east-1:123456789012:stateMachine:Orders.v2:PROD"),
            ..running()
        };
        check(&of_alias, include_str!("../../golden/message/notify.v1.of-alias.json"));
        let large = succeeded(format!("\"{}\"", "i".repeat(130_000)), format!("\"{}\"", "o".repeat(260_000)));
        check(&large, include_str!("../../golden/message/notify.v1.large.json"));
    }

    #[test]
    fn texts_are_left_out_as_aws_does() {
        let shown = |input: usize, output: usize| {
            // Two quotes that count twice.
            let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 4));
            let body = encode_status_change(&succeeded(text(input), text(output)));
            assert!(body.len() <= 256 * 1024, "{} bytes", body.len());
            let body: serde_json::Value = serde_json::from_slice(&body).expect("is JSON");
            let detail = &body["detail"];
            for name in ["input", "output"] {
                assert_eq!(detail[name].is_string(), detail[format!("{name}Details")]["included"] == true);
            }
            (detail["input"].is_string(), detail["output"].is_string())
        };
        assert_eq!(shown(100_000, TEXT_BYTES_MAX - 100_000), (true, true));
        assert_eq!(shown(100_001, TEXT_BYTES_MAX - 100_000), (false, true));
        assert_eq!(shown(100, TEXT_BYTES_MAX), (false, true));
        assert_eq!(shown(100, TEXT_BYTES_MAX + 1), (false, false));
    }

    #[test]
    fn no_envelope_is_longer_than_eventbridge_takes() {
        let input = JsonText::trusted(format!("\"{}\"", "i".repeat(TEXT_BYTES_MAX)));
        for text in ["x", "\"", "\u{1}", "é", "😀"] {
            let (error, cause) = (Some(text.repeat(1_000_000)), Some(text.repeat(20_000_000)));
            let failure = StatusChange { input: input.clone(), error, cause, ..change(ExecutionStatus::Failed) };
            let body = encode_status_change(&failure);
            assert!(body.len() <= 256 * 1024, "{text:?}: {} bytes", body.len());
            let body: serde_json::Value = serde_json::from_slice(&body).expect("is JSON");
            let detail = &body["detail"];
            assert_eq!(detail["error"], text.repeat(256));
            assert_eq!(detail["cause"], text.repeat(32_768));
            assert_eq!(detail["inputDetails"]["included"], false);
        }
    }

    #[test]
    fn escaped_texts_are_counted_as_they_are_written() {
        for text in ["plain", "\"\\/", "\u{0}\u{1f}\n\r\t\u{8}\u{c}\u{7f}", "é😀\u{2028}"] {
            assert_eq!(escaped_bytes(text) + 2, serde_json::to_string(text).expect("renders").len(), "{text:?}");
        }
    }

    #[test]
    fn routing_keys_tell_status_and_state_machine() {
        assert_eq!(running().routing_key(), "RUNNING.us-east-1.123456789012.Orders.v2");
        let state_machine = StateMachineArn::new("us-east-1", "123456789012", &format!("x{}", "é".repeat(160)));
        let key = StatusChange { state_machine, ..running() }.routing_key();
        assert!(key.len() == 254 && key.ends_with('é'), "{key}");
    }
}
