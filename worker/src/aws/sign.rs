//! Signatures of requests, version 4.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as SigningCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningError, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::Request;
use http_body_util::Full;
use hyper::body::Bytes;
use model::Timestamp;

use super::{Aws, Credentials};

/// Is what a request is signed for.
pub(crate) struct Scope<'a> {
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    /// The account of the execution that the request is made for.
    pub(crate) account: &'a str,
    pub(crate) at: Timestamp,
}

impl Aws {
    /// Makes a signed request; without credentials, which an emulator may not want, it stays unsigned.
    ///
    /// # Errors
    /// `SigningError` when a header or the URL can't be signed.
    pub(crate) fn request(
        &self,
        scope: &Scope<'_>,
        request: Request<Bytes>,
    ) -> Result<Request<Full<Bytes>>, SigningError> {
        match &self.credentials {
            Some(credentials) => credentials.request(scope, request),
            None => Ok(request.map(Full::new)),
        }
    }
}

impl Credentials {
    /// Makes a signed request.
    ///
    /// # Errors
    /// As for [`Aws::request`].
    pub(crate) fn request(
        &self,
        scope: &Scope<'_>,
        request: Request<Bytes>,
    ) -> Result<Request<Full<Bytes>>, SigningError> {
        let (head, body) = request.into_parts();
        let mut request = Request::from_parts(head, Full::new(body.clone()));
        let identity = self.for_account(scope.account).into();
        let seconds = u64::try_from(scope.at.as_millis()).unwrap_or(0) / 1_000;
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(scope.region)
            .name(scope.service)
            .time(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
            .settings(SigningSettings::default())
            .build()
            .expect("all parameters are there")
            .into();
        let instructions = {
            let headers = request.headers().iter();
            let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
            let uri = request.uri().to_string();
            let signable = SignableRequest::new(request.method().as_str(), uri, headers, SignableBody::Bytes(&body))?;
            sign(signable, &parameters)?.into_parts().0
        };
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }

    /// Gives the credentials to sign with. Emulators of AWS take an access key of twelve digits as the account: where one is
    /// configured, it is that of the execution.
    fn for_account(&self, account: &str) -> SigningCredentials {
        let is_account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        let names_account = is_account(&self.access_key_id) && is_account(account);
        let key = if names_account { account } else { &self.access_key_id };
        SigningCredentials::new(key, &self.secret_access_key, self.session_token.clone(), None, "stepwell")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn authorization(access_key_id: &str) -> String {
        let credentials = Credentials {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: Some("session".to_owned()),
        };
        let aws = Aws::new(None, Some(credentials), BTreeMap::new());
        let scope = Scope {
            service: "lambda",
            region: "eu-west-1",
            account: "123456789012",
            at: Timestamp::from_millis(1_440_938_160_000),
        };
        let request = Request::post("https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/Pay/invocations")
            .body(Bytes::from_static(b"{}"))
            .expect("is a request");
        let signed = aws.request(&scope, request).expect("is signed");
        assert_eq!(signed.headers()["x-amz-date"], "20150830T123600Z");
        assert_eq!(signed.headers()["x-amz-security-token"], "session");
        signed.headers()["authorization"].to_str().expect("is text").to_owned()
    }

    #[test]
    fn requests_are_signed_for_service_and_region() {
        let text = authorization("AKIDEXAMPLE");
        let scope = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/lambda/aws4_request, ";
        assert!(text.starts_with(scope), "{text}");
    }

    #[test]
    fn an_access_key_that_names_an_account_becomes_that_of_the_execution() {
        assert!(authorization("000000000000").contains("Credential=123456789012/"));
    }
}
