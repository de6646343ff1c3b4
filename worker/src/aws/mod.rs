//! How to reach AWS, or what stands for it: the standard variables and the shared files of AWS's tools.
//!
//! Of the places where those look for credentials, these are read: the variables, then the profile in the shared files. Not read are
//! roles of instances and containers, web identities and single sign-on, which would cost some sixty crates more: where those
//! are needed, `aws configure export-credentials --format env` prints variables.

mod profile;
mod roles;
pub(crate) mod sign;
mod sts;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::Uri;

use crate::WorkerConfig;
use profile::Profile;
pub(crate) use roles::Client;
use roles::Sessions;
pub(crate) use sts::{NotAssumed, Role, Session};

/// The services whose endpoints are read one by one, as the variables name them.
const SERVICES: &[&str] = &["lambda", "sts"];

/// Says why a setting for AWS can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use {origin} = {value:?}: expected a URL, such as http://127.0.0.1:4566")]
pub struct AwsError {
    /// The variable, or the key of the profile.
    pub origin: String,
    /// What it says.
    pub value: String,
}

/// Knows endpoints, region and credentials.
#[derive(Clone)]
pub struct Aws {
    region: Option<String>,
    credentials: Option<Credentials>,
    /// By service; the empty name stands for all others.
    endpoints: BTreeMap<String, String>,
    sessions: Arc<Sessions>,
}

/// Is what requests are signed with.
#[derive(Clone)]
pub(crate) struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl fmt::Debug for Aws {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.credentials.as_ref().map(|credentials| credentials.access_key_id.as_str());
        formatter
            .debug_struct("Aws")
            .field("region", &self.region)
            .field("access_key_id", &key)
            .field("endpoints", &self.endpoints)
            .finish()
    }
}

impl Aws {
    /// Reads this process's environment and the shared files. Gives nothing if there are neither credentials nor an endpoint
    /// of Lambda or of all services.
    ///
    /// # Errors
    /// `AwsError` when an endpoint is no URL.
    pub fn of_process() -> Result<Option<Self>, AwsError> {
        let variable = |name: &str| std::env::var(name).ok();
        Self::read(&variable, &|path: &Path| std::fs::read_to_string(path).ok())
    }

    /// Does what [`of_process`](Self::of_process) does, unless the settings turn it off.
    ///
    /// # Errors
    /// As for [`of_process`](Self::of_process).
    pub fn of_settings(config: &WorkerConfig) -> Result<Option<Self>, AwsError> {
        if config.lambda { Self::of_process() } else { Ok(None) }
    }

    /// Makes access to one endpoint for all services, without credentials.
    ///
    /// # Errors
    /// `AwsError` when it is no URL.
    pub fn at(endpoint: &str) -> Result<Self, AwsError> {
        let endpoint = url("the endpoint".to_owned(), endpoint.to_owned())?;
        Ok(Self::new(None, None, BTreeMap::from([(String::new(), endpoint)])))
    }

    /// Signs with an access key.
    #[must_use]
    pub fn credentials(self, access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Self {
        let (access_key_id, secret_access_key) = (access_key_id.into(), secret_access_key.into());
        Self { credentials: Some(Credentials { access_key_id, secret_access_key, session_token: None }), ..self }
    }

    fn new(region: Option<String>, credentials: Option<Credentials>, endpoints: BTreeMap<String, String>) -> Self {
        Self { region, credentials, endpoints, sessions: Arc::default() }
    }

    fn read(
        variable: &dyn Fn(&str) -> Option<String>,
        file: &dyn Fn(&Path) -> Option<String>,
    ) -> Result<Option<Self>, AwsError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let home = |name: &str| variable("HOME").map(|home| Path::new(&home).join(".aws").join(name));
        let at = |name: &str, usual: &str| variable(name).map(PathBuf::from).or_else(|| home(usual));
        let text = |path: Option<PathBuf>| path.and_then(|path| file(&path)).unwrap_or_default();
        let profile = Profile::read(
            &variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned()),
            &text(at("AWS_SHARED_CREDENTIALS_FILE", "credentials")),
            &text(at("AWS_CONFIG_FILE", "config")),
        );
        let credentials = of_variables(&variable).or_else(|| of_profile(&profile));
        let endpoints = endpoints(&variable, &profile)?;
        let region =
            variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).or_else(|| profile.get("region"));
        // An endpoint of another service says nothing of where functions are.
        let is_configured = credentials.is_some() || ["", "lambda"].iter().any(|name| endpoints.contains_key(*name));
        Ok(is_configured.then(|| Self::new(region, credentials, endpoints)))
    }

    /// Gives the configured region.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Gives the base URL of a service, without a slash at its end.
    pub(crate) fn endpoint(&self, service: &str, region: &str) -> String {
        let configured = self.endpoints.get(service).or_else(|| self.endpoints.get(""));
        configured.cloned().unwrap_or_else(|| format!("https://{service}.{region}.{}", domain(region)))
    }
}

fn of_variables(variable: &dyn Fn(&str) -> Option<String>) -> Option<Credentials> {
    Some(Credentials {
        access_key_id: variable("AWS_ACCESS_KEY_ID")?,
        secret_access_key: variable("AWS_SECRET_ACCESS_KEY")?,
        session_token: variable("AWS_SESSION_TOKEN"),
    })
}

fn of_profile(profile: &Profile) -> Option<Credentials> {
    Some(Credentials {
        access_key_id: profile.get("aws_access_key_id")?,
        secret_access_key: profile.get("aws_secret_access_key")?,
        session_token: profile.get("aws_session_token"),
    })
}

fn endpoints(
    variable: &dyn Fn(&str) -> Option<String>,
    profile: &Profile,
) -> Result<BTreeMap<String, String>, AwsError> {
    if variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(BTreeMap::new());
    }
    let named = |service: &&str| ((*service).to_owned(), format!("AWS_ENDPOINT_URL_{}", service.to_ascii_uppercase()));
    let of_all = [(String::new(), "AWS_ENDPOINT_URL".to_owned())];
    let mut endpoints = BTreeMap::new();
    for (service, origin) in SERVICES.iter().map(named).chain(of_all) {
        if let Some(value) = variable(&origin) {
            endpoints.insert(service, url(origin, value)?);
        }
    }
    if let Some(value) = profile.get("endpoint_url").filter(|_| !endpoints.contains_key("")) {
        endpoints.insert(String::new(), url("the profile's endpoint_url".to_owned(), value)?);
    }
    Ok(endpoints)
}

fn url(origin: String, value: String) -> Result<String, AwsError> {
    let is_url = |uri: Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    if value.parse().is_ok_and(is_url) {
        Ok(value.trim_end_matches('/').to_owned())
    } else {
        Err(AwsError { origin, value })
    }
}

/// Encodes a segment of a path, a value of a query or of a form.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Gives the domain of the partition that a region belongs to.
fn domain(region: &str) -> &'static str {
    match region.split('-').next().unwrap_or_default() {
        "cn" => "amazonaws.com.cn",
        "eusc" => "amazonaws.eu",
        _ if region.starts_with("us-iso-") => "c2s.ic.gov",
        _ if region.starts_with("us-isob-") => "sc2s.sgov.gov",
        _ => "amazonaws.com",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)], files: &[(&str, &str)]) -> Result<Option<Aws>, AwsError> {
        let value = |of: &[(&str, &str)], name: &str| {
            of.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Aws::read(&|name| value(variables, name), &|path| value(files, &path.to_string_lossy()))
    }

    fn found(variables: &[(&str, &str)], files: &[(&str, &str)]) -> Aws {
        read(variables, files).expect("is right").expect("is configured")
    }

    const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "secret")];

    #[test]
    fn nothing_configured_is_nothing() {
        let region = [("AWS_REGION", "eu-west-1")];
        let (none, of_sts) = ([("AWS_ENDPOINT_URL", "")], [("AWS_ENDPOINT_URL_STS", "http://localhost:3")]);
        for variables in [&[][..], &region, &KEYS[..1], &none, &of_sts] {
            assert!(read(variables, &[]).expect("is right").is_none(), "{variables:?}");
        }
        for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA"] {
            assert!(read(&[(name, "http://localhost:1")], &[]).expect("is right").is_some(), "{name}");
        }
    }

    #[test]
    fn variables_come_before_files() {
        let files = [
            ("/h/.aws/credentials", "[default]\naws_access_key_id = FILE\naws_secret_access_key = s\n"),
            ("/h/.aws/config", "[default]\nregion = eu-central-1\n[profile dev]\nregion = eu-north-1\n"),
        ];
        let key = |aws: Aws| aws.credentials.map(|credentials| credentials.access_key_id);
        let home = ("HOME", "/h");
        let aws = found(&[home], &files);
        assert_eq!((aws.region(), key(aws.clone())), (Some("eu-central-1"), Some("FILE".to_owned())));
        let aws = found(&[home, KEYS[0], KEYS[1], ("AWS_PROFILE", "dev")], &files);
        assert_eq!((aws.region(), key(aws.clone())), (Some("eu-north-1"), Some("AKID".to_owned())));
        let aws = found(&[home, ("AWS_DEFAULT_REGION", "us-west-2")], &files);
        assert_eq!(aws.region(), Some("us-west-2"));
        assert!(read(&[home, ("AWS_PROFILE", "none")], &files).expect("is right").is_none());
    }

    #[test]
    fn endpoints_are_of_a_service_or_of_all() {
        let check = |variables: &[(&str, &str)], expect: &str| {
            let aws = found(&[&KEYS[..], variables].concat(), &[]);
            assert_eq!(aws.endpoint("lambda", "eu-west-1"), expect);
        };
        check(&[], "https://lambda.eu-west-1.amazonaws.com");
        check(&[("AWS_ENDPOINT_URL", "http://localhost:4566/")], "http://localhost:4566");
        let both = [("AWS_ENDPOINT_URL", "http://localhost:1"), ("AWS_ENDPOINT_URL_LAMBDA", "http://localhost:2")];
        check(&both, "http://localhost:2");
        let of_sts = found(&[&KEYS[..], &both[..1], &[("AWS_ENDPOINT_URL_STS", "http://localhost:3")]].concat(), &[]);
        assert_eq!(of_sts.endpoint("sts", "eu-west-1"), "http://localhost:3");
        assert_eq!(of_sts.endpoint("lambda", "eu-west-1"), "http://localhost:1");
        let ignored = [both[0], ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")];
        check(&ignored, "https://lambda.eu-west-1.amazonaws.com");
        assert_eq!(domain("cn-north-1"), "amazonaws.com.cn");
    }

    #[test]
    fn texts_are_encoded() {
        assert_eq!(
            encoded("arn:aws:lambda:r:1:function:f:$LATEST"),
            "arn%3Aaws%3Alambda%3Ar%3A1%3Afunction%3Af%3A%24LATEST"
        );
    }

    #[test]
    fn a_wrong_endpoint_is_named() {
        let error = read(&[("AWS_ENDPOINT_URL_LAMBDA", "localhost:4566")], &[]).expect_err("is no URL").to_string();
        assert!(error.contains("AWS_ENDPOINT_URL_LAMBDA") && error.contains("http://127.0.0.1:4566"), "{error}");
    }

    #[test]
    fn secrets_are_not_printed() {
        let text = format!("{:?}", found(&KEYS, &[]));
        assert!(text.contains("AKID") && !text.contains("secret\""), "{text}");
    }
}
