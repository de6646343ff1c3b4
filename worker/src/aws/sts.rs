//! AssumeRole of AWS's Security Token Service (STS): how it is asked, and what it answers.

use std::fmt::Write as _;

use http::{Request, StatusCode};
use hyper::body::Bytes;
use model::{StateMachineArn, Timestamp};
use outgoing::Reply;
use roxmltree::{Document, Node};

use super::{Credentials, encoded};

/// The longest name that a session may have.
const SESSION_NAME_MAX: usize = 64;

/// Is a role to act as.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Role {
    pub(crate) role_arn: String,
    /// For whose executions. As with AWS, its ARN is the external id, which the role's trust policy may ask for.
    pub(crate) state_machine: StateMachineArn,
    /// Where STS is asked.
    pub(crate) region: String,
}

/// Is a role that may be acted as for a while.
pub(crate) struct Session {
    pub(crate) credentials: Credentials,
    pub(super) expires_at: Timestamp,
}

/// Says why a role can't be acted as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotAssumed {
    /// STS can't be reached, gives no sense, or has trouble of its own.
    Unavailable(String),
    /// It was asked, and said no.
    Refused(Refusal),
}

/// Is an error that STS answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: String,
    message: String,
    request_id: Option<String>,
}

impl Role {
    /// Makes the request, not signed yet.
    ///
    /// # Errors
    /// `http::Error` when the endpoint makes no URL.
    pub(super) fn request(&self, endpoint: &str) -> Result<Request<Bytes>, http::Error> {
        let machine = self.state_machine.as_str();
        let mut parameters = vec![("Action", "AssumeRole"), ("Version", "2011-06-15"), ("RoleArn", &self.role_arn)];
        let session = session_name(self.state_machine.name());
        parameters.push(("RoleSessionName", &session));
        // The name of a state machine may have characters that an external id can't have.
        if machine.chars().all(|letter| is_plain(letter) || matches!(letter, ':' | '/')) {
            parameters.push(("ExternalId", machine));
        }
        let mut body = String::new();
        for (name, value) in parameters {
            let separator = if body.is_empty() { "" } else { "&" };
            write!(body, "{separator}{name}={}", encoded(value)).expect("memory takes every write");
        }
        Request::post(format!("{endpoint}/"))
            .header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
            .header("User-Agent", concat!("stepwell/", env!("CARGO_PKG_VERSION")))
            .body(Bytes::from(body))
    }
}

/// Names a session, as the role's account sees it, after the state machine.
fn session_name(state_machine: &str) -> String {
    let plain = state_machine.chars().map(|letter| if is_plain(letter) { letter } else { '-' });
    "stepwell-".chars().chain(plain).take(SESSION_NAME_MAX).collect()
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '+' | '=' | ',' | '.' | '@' | '-')
}

/// Reads an answer.
///
/// # Errors
/// `NotAssumed` if it is another than the session.
pub(super) fn read(reply: &Reply) -> Result<Session, NotAssumed> {
    let senseless = |reason: String| NotAssumed::Unavailable(format!("read the answer of AssumeRole: {reason}"));
    let text = String::from_utf8_lossy(&reply.body);
    let document = Document::parse(&text);
    if !reply.status.is_success() {
        return Err(not_assumed(reply, document.as_ref().ok()));
    }
    let document = document.map_err(|error| senseless(error.to_string()))?;
    let credentials = named(document.root(), "Credentials");
    let member = |name: &str| {
        let found = credentials.and_then(|credentials| text_of(credentials, name));
        found.ok_or_else(|| senseless(format!("it has no {name}")))
    };
    let expires_at: jiff::Timestamp = member("Expiration")?.parse().map_err(|error| senseless(format!("{error}")))?;
    Ok(Session {
        credentials: Credentials {
            access_key_id: member("AccessKeyId")?,
            secret_access_key: member("SecretAccessKey")?,
            session_token: Some(member("SessionToken")?),
        },
        expires_at: Timestamp::from_millis(expires_at.as_millisecond()),
    })
}

fn not_assumed(reply: &Reply, document: Option<&Document<'_>>) -> NotAssumed {
    let member = |name: &str| document.and_then(|document| text_of(document.root(), name));
    let refusal = Refusal {
        status: reply.status,
        code: member("Code").unwrap_or_else(|| "null".to_owned()),
        message: member("Message").unwrap_or_else(|| "null".to_owned()),
        request_id: member("RequestId").or_else(|| reply.header("x-amzn-requestid").map(str::to_owned)),
    };
    let is_busy = reply.status == StatusCode::TOO_MANY_REQUESTS || refusal.code.starts_with("Throttling");
    if reply.status.is_server_error() || is_busy {
        NotAssumed::Unavailable(refusal.in_words_of_the_sdk())
    } else {
        NotAssumed::Refused(refusal)
    }
}

fn named<'a, 'input>(within: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    within.descendants().find(|node| node.tag_name().name() == name)
}

fn text_of(within: Node<'_, '_>, name: &str) -> Option<String> {
    named(within, name)?.text().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

impl Refusal {
    /// Gives the cause that AWS records: that the caller may not act as the role, or else the error in the words of AWS's SDK.
    pub(crate) fn cause(&self, role_arn: &str) -> String {
        if self.code != "AccessDenied" {
            return self.in_words_of_the_sdk();
        }
        let caller = self.message.strip_prefix("User: ").and_then(|rest| rest.split_once(" is not authorized"));
        let caller = caller.map_or("of the worker", |(caller, _)| caller);
        format!("The role {caller} is not authorized to assume the task state's role, {role_arn}.")
    }

    fn in_words_of_the_sdk(&self) -> String {
        format!(
            "{} (Service: AWSSecurityTokenService; Status Code: {}; Error Code: {}; Request ID: {}; Proxy: null)",
            self.message,
            self.status.as_u16(),
            self.code,
            self.request_id.as_deref().unwrap_or("null"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    const ROLE: &str = "arn:aws:iam::210987654321:role/Pay";
    const SESSION: &str = r#"<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
        <AssumedRoleUser><Arn>arn:aws:sts::210987654321:assumed-role/Pay/s</Arn></AssumedRoleUser>
        <Credentials><AccessKeyId>ASIAX</AccessKeyId><SecretAccessKey>s/+&amp;=</SecretAccessKey>
        <SessionToken> t </SessionToken><Expiration>2023-11-14T22:13:20.500Z</Expiration></Credentials>
        </AssumeRoleResult></AssumeRoleResponse>"#;

    fn reply(status: u16, body: &str) -> Reply {
        let status = StatusCode::from_u16(status).expect("is a status");
        Reply { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }
    }

    fn error(status: u16, code: &str, message: &str) -> NotAssumed {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>r-1</RequestId></ErrorResponse>"
        );
        read(&reply(status, &body)).err().expect("is an error")
    }

    fn body(machine: &str) -> String {
        let arn = format!("arn:aws:states:eu-west-1:123456789012:stateMachine:{machine}");
        let state_machine = StateMachineArn::parse(&arn).expect("is an ARN");
        let role = Role { role_arn: ROLE.to_owned(), state_machine, region: "eu-west-1".to_owned() };
        let request = role.request("http://localhost:1").expect("is a request");
        assert_eq!(request.uri(), "http://localhost:1/");
        String::from_utf8(request.into_body().to_vec()).expect("is text")
    }

    #[test]
    fn the_state_machine_is_session_name_and_external_id() {
        let start = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A210987654321%3Arole%2FPay&RoleSessionName=";
        let id = "ExternalId=arn%3Aaws%3Astates%3Aeu-west-1%3A123456789012%3AstateMachine%3AOrders";
        assert_eq!(body("Orders"), format!("{start}stepwell-Orders&{id}"));
        assert_eq!(body("Or!ders"), format!("{start}stepwell-Or-ders"));
        assert_eq!(session_name(&"x".repeat(80)).len(), SESSION_NAME_MAX);
    }

    #[test]
    fn a_session_is_read() {
        let Ok(session) = read(&reply(200, SESSION)) else { panic!("it is one") };
        let Credentials { access_key_id, secret_access_key, session_token } = session.credentials;
        assert_eq!((access_key_id.as_str(), secret_access_key.as_str()), ("ASIAX", "s/+&="));
        assert_eq!(session_token.as_deref(), Some("t"));
        assert_eq!(session.expires_at, Timestamp::from_millis(1_700_000_000_500));
    }

    #[test]
    fn answers_without_sense_are_passing_trouble() {
        let without_token = SESSION.replace("SessionToken", "Token");
        let without_end = SESSION.replace("2023-11-14T22", "soon");
        let entities = r#"<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>"#;
        for body in ["", "{}", "<a></b>", without_token.as_str(), without_end.as_str(), entities] {
            let error = read(&reply(200, body)).err().expect("makes no sense");
            let NotAssumed::Unavailable(text) = error else { panic!("{body}: {error:?}") };
            assert!(text.starts_with("read the answer of AssumeRole: ") && !text.contains("s/+"), "{text}");
        }
    }

    #[test]
    fn refusals_are_told_as_aws_does() {
        let check = |error: NotAssumed, expect: &str| {
            let NotAssumed::Refused(refusal) = error else { panic!("{error:?}") };
            assert_eq!(refusal.cause(ROLE), expect);
        };
        let tail = format!("is not authorized to assume the task state's role, {ROLE}.");
        let user = "arn:aws:sts::123456789012:assumed-role/Worker/w";
        let message = format!("User: {user} is not authorized to perform: sts:AssumeRole on resource: {ROLE}");
        check(error(403, "AccessDenied", &message), &format!("The role {user} {tail}"));
        check(error(403, "AccessDenied", "no"), &format!("The role of the worker {tail}"));
        check(
            error(400, "ValidationError", "roleArn is no ARN"),
            "roleArn is no ARN (Service: AWSSecurityTokenService; Status Code: 400; Error Code: ValidationError; Request ID: r-1; \
             Proxy: null)",
        );
        check(
            read(&reply(404, "<html>")).err().expect("is an error"),
            "null (Service: AWSSecurityTokenService; Status Code: 404; Error Code: null; Request ID: null; Proxy: null)",
        );
    }

    #[test]
    fn trouble_of_the_service_is_no_refusal() {
        for (status, code) in
            [(500, "InternalFailure"), (503, "ServiceUnavailable"), (400, "Throttling"), (429, "Slow")]
        {
            let error = error(status, code, "later");
            assert!(
                matches!(&error, NotAssumed::Unavailable(text) if text.starts_with("later (Service: ")),
                "{error:?}"
            );
        }
    }
}
