//! Who calls, from where, and in which trace: what the headers of a request tell.

use axum::http::HeaderMap;
use model::{ActivityArn, StateMachineArn};
use telemetry::TraceContext;
use wire::record::StarterRecord;

/// Is what the headers of a request tell about its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The account: an access key id of twelve digits, else the configured one.
    pub(crate) account: String,
    /// The region of the credential scope, else the configured one.
    pub(crate) region: String,
    /// The trace that the caller is in.
    pub(crate) trace: Option<TraceContext>,
    /// AWS's trace header.
    pub(crate) trace_header: Option<String>,
    /// The task that calls, if it is one of this service's own executions.
    pub(crate) task: Option<StarterRecord>,
}

impl Caller {
    /// Reads the headers, none of which is trusted: `auth = "none"`.
    pub(crate) fn read(headers: &HeaderMap, account: &str, region: &str) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let scope = text("authorization").and_then(credential_scope);
        let (key, scoped) = scope.unwrap_or_default();
        let trace_header = text("x-amzn-trace-id").filter(|header| header.len() <= 256).map(str::to_owned);
        let from_xray = || trace_header.as_deref().and_then(|header| TraceContext::from_xray(header).ok());
        Self {
            account: if is_account(key) { key } else { account }.to_owned(),
            region: if is_region(scoped) { scoped } else { region }.to_owned(),
            trace: text("traceparent").and_then(|header| header.parse().ok()).or_else(from_xray),
            trace_header,
            task: None,
        }
    }

    /// Gives the place that this caller's resources are listed in.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.region, self.account)
    }

    /// Gives the ARN of an activity of this caller's.
    pub(crate) fn activity(&self, name: &str) -> ActivityArn {
        ActivityArn::new(&self.region, &self.account, name)
    }

    /// Gives the ARN of a state machine of this caller's.
    pub(crate) fn state_machine(&self, name: &str) -> StateMachineArn {
        StateMachineArn::new(&self.region, &self.account, name)
    }
}

/// Gives access key id and region of `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`.
fn credential_scope(header: &str) -> Option<(&str, &str)> {
    let (_, credential) = header.split_once("Credential=")?;
    let credential = credential.split([',', ' ']).next()?;
    let mut parts = credential.split('/');
    Some((parts.next()?, parts.nth(1)?))
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_region(text: &str) -> bool {
    let letters = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    (1..=32).contains(&text.len()) && letters
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Caller {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).expect("is a header"));
        }
        Caller::read(&headers, "000000000000", "us-east-1")
    }

    #[test]
    fn account_and_region_come_from_the_credential() {
        let check = |credential: &str, account: &str, region: &str| {
            let header = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=00");
            let caller = read(&[("authorization", &header)]);
            assert_eq!((caller.account.as_str(), caller.region.as_str()), (account, region), "{credential}");
        };
        check("123456789012/20240101/eu-west-1/states/aws4_request", "123456789012", "eu-west-1");
        check("AKIDEXAMPLE/20240101/eu-west-1/states/aws4_request", "000000000000", "eu-west-1");
        check("12345678901x/20240101//states", "000000000000", "us-east-1");
        check("123456789012/20240101/a:b/states", "123456789012", "us-east-1");
        check("123456789012", "000000000000", "us-east-1");
        assert_eq!(read(&[("authorization", "Basic x")]).account, "000000000000");
        assert_eq!(read(&[]).region, "us-east-1");
    }

    #[test]
    fn the_trace_is_joined() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let xray = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let trace = |pairs: &[(&'static str, &str)]| read(pairs).trace.map(|trace| trace.trace.to_string());
        assert_eq!(trace(&[("traceparent", parent)]).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!(trace(&[("x-amzn-trace-id", xray)]).as_deref(), Some("5759e988bd862e3fe1be46a994272793"));
        let both = trace(&[("traceparent", parent), ("x-amzn-trace-id", xray)]);
        assert_eq!(both.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!(trace(&[("traceparent", "rubbish")]), None);
    }
}
