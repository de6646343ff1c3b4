//! The standard variables that say where spans go.

use std::time::Duration;

use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry::KeyValue;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;

use super::sampler::Sampler;

const ENDPOINT: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOL: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const TIMEOUT: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
/// How long one message to the collector may take.
const TIMEOUT_MILLIS: u64 = 10_000;

/// Says why the variables can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A variable has a value that is not allowed.
    #[error("read {name}={value:?}: allowed are {allowed}")]
    Value {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// The exporter can't be built.
    #[error("export traces to {endpoint} (OTEL_EXPORTER_OTLP_ENDPOINT): {reason}")]
    Exporter {
        /// Where to.
        endpoint: String,
        /// What is wrong.
        reason: String,
    },
}

/// Bounds the queue of spans and the messages to the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batching {
    pub(crate) queue_max: usize,
    pub(crate) batch_max: usize,
    pub(crate) delay: Duration,
}

impl Batching {
    /// Some seconds' worth at ten thousand spans a second, about 10 MB. A group is never divided, so that a message may be larger by one.
    pub(crate) const DEFAULT: Self = Self { queue_max: 16_384, batch_max: 512, delay: Duration::from_secs(1) };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Grpc,
    HttpProtobuf,
}

/// Is where spans go, and which.
#[derive(Clone, Debug)]
pub struct ExportConfig {
    endpoint: String,
    protocol: Protocol,
    timeout: Duration,
    service: Option<&'static str>,
    pub(super) batching: Batching,
    pub(super) sampler: Sampler,
}

impl ExportConfig {
    /// Reads the process's variables; nothing where no endpoint is set, or exporting is switched off.
    ///
    /// `service` names the program where neither `OTEL_SERVICE_NAME` nor `OTEL_RESOURCE_ATTRIBUTES` does.
    ///
    /// # Errors
    /// [`ExportError::Value`] where a value is not allowed.
    pub fn of_process(service: &'static str) -> Result<Option<Self>, ExportError> {
        Self::read(&|name| std::env::var(name).ok(), service)
    }

    fn read(variable: &dyn Fn(&str) -> Option<String>, service: &'static str) -> Result<Option<Self>, ExportError> {
        let variable = |name: &str| variable(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let either = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, variable(name)?)));
        if variable("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        match variable("OTEL_TRACES_EXPORTER").as_deref() {
            None | Some("otlp") => {}
            Some("none") => return Ok(None),
            Some(other) => return Err(not_allowed("OTEL_TRACES_EXPORTER", other, "otlp and none")),
        }
        let Some((_, endpoint)) = either(ENDPOINT) else { return Ok(None) };
        let protocol = match either(PROTOCOL) {
            None => Protocol::HttpProtobuf,
            Some((_, text)) if text == "http/protobuf" => Protocol::HttpProtobuf,
            Some((_, text)) if text == "grpc" => Protocol::Grpc,
            Some((name, text)) => return Err(not_allowed(name, &text, "grpc and http/protobuf")),
        };
        let number = |name: &'static str, default: u64| match variable(name) {
            None => Ok(default),
            Some(text) => {
                text.parse().ok().filter(|n| *n > 0).ok_or_else(|| not_allowed(name, &text, "numbers above 0"))
            }
        };
        let size = |name, default: usize| number(name, default as u64).map(|n| usize::try_from(n).unwrap_or(default));
        let sampler = match variable("OTEL_TRACES_SAMPLER") {
            None => Sampler::DEFAULT,
            Some(name) => Sampler::from_name(&name, variable("OTEL_TRACES_SAMPLER_ARG").as_deref())
                .ok_or_else(|| not_allowed("OTEL_TRACES_SAMPLER", &name, SAMPLERS))?,
        };
        let timeout = match either(TIMEOUT) {
            Some((name, _)) => number(name, TIMEOUT_MILLIS)?,
            None => TIMEOUT_MILLIS,
        };
        let attributes = variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let is_named = variable("OTEL_SERVICE_NAME").is_some()
            || attributes.split(',').any(|pair| pair.trim_start().starts_with("service.name="));
        let delay = number("OTEL_BSP_SCHEDULE_DELAY", Batching::DEFAULT.delay.as_millis() as u64)?;
        Ok(Some(Self {
            endpoint,
            protocol,
            timeout: Duration::from_millis(timeout),
            service: (!is_named).then_some(service),
            batching: Batching {
                queue_max: size("OTEL_BSP_MAX_QUEUE_SIZE", Batching::DEFAULT.queue_max)?,
                batch_max: size("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", Batching::DEFAULT.batch_max)?,
                delay: Duration::from_millis(delay),
            },
            sampler,
        }))
    }

    /// Gives the endpoint, for the log.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Builds the exporter. Endpoint, headers and compression it reads from the same variables.
    pub(super) fn exporter(&self, instance: &str) -> Result<SpanExporter, ExportError> {
        let failed = |reason: String| ExportError::Exporter { endpoint: self.endpoint.clone(), reason };
        let built = match self.protocol {
            Protocol::Grpc => SpanExporter::builder().with_tonic().with_timeout(self.timeout).build(),
            Protocol::HttpProtobuf => {
                let mut plain = HttpConnector::new();
                plain.enforce_http(false);
                let provider = rustls::crypto::ring::default_provider();
                let tls = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider);
                let tls = tls.map_err(|error| failed(error.to_string()))?;
                let connector = tls.https_or_http().enable_http1().wrap_connector(plain);
                let client = HyperClient::new(connector, self.timeout, None);
                let protocol = opentelemetry_otlp::Protocol::HttpBinary;
                SpanExporter::builder().with_http().with_protocol(protocol).with_http_client(client).build()
            }
        };
        let mut exporter = built.map_err(|error| failed(error.to_string()))?;
        let instance = KeyValue::new("service.instance.id", instance.to_owned());
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder().with_attributes([instance, version]);
        let resource = match self.service {
            Some(name) => resource.with_service_name(name),
            None => resource,
        };
        exporter.set_resource(&resource.build());
        Ok(exporter)
    }
}

const SAMPLERS: &str = "always_on, always_off, traceidratio (with OTEL_TRACES_SAMPLER_ARG from 0 to 1), \
                        parentbased_always_on, parentbased_always_off, parentbased_traceidratio";

fn not_allowed(name: &'static str, value: &str, allowed: &'static str) -> ExportError {
    ExportError::Value { name, value: value.to_owned(), allowed }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");

    fn read(variables: &[(&str, &str)]) -> Result<Option<ExportConfig>, ExportError> {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        ExportConfig::read(&variable, "stepwell-test")
    }

    #[test]
    fn nothing_is_exported_unless_an_endpoint_is_set() {
        for variables in [
            &[][..],
            &[("OTEL_SERVICE_NAME", "x")],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
            &[ON, ("OTEL_SDK_DISABLED", "TRUE")],
            &[ON, ("OTEL_TRACES_EXPORTER", "none")],
        ] {
            assert!(read(variables).expect("is allowed").is_none(), "{variables:?}");
        }
        assert!(
            read(&[ON, ("OTEL_SDK_DISABLED", "no"), ("OTEL_TRACES_EXPORTER", "otlp")]).expect("is allowed").is_some()
        );
    }

    #[test]
    fn variables_say_how() {
        let config = |variables: &[(&str, &str)]| read(variables).expect("is allowed").expect("is on");
        let default = config(&[ON]);
        assert_eq!(
            (default.protocol, default.service, default.batching),
            (Protocol::HttpProtobuf, Some("stepwell-test"), Batching::DEFAULT)
        );
        let own = config(&[
            ON,
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/x"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a=b, service.name=mine"),
            ("OTEL_BSP_SCHEDULE_DELAY", "20"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "7"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
        ]);
        assert_eq!((own.endpoint(), own.protocol, own.service), ("http://127.0.0.1:9/x", Protocol::Grpc, None));
        assert_eq!(
            (own.batching.queue_max, own.batching.delay, own.timeout.as_millis()),
            (7, Duration::from_millis(20), 250)
        );
        assert_eq!(own.sampler, Sampler { parent_based: false, ratio: 0.5 });
    }

    #[test]
    fn what_is_not_allowed_is_named_with_what_is() {
        let check = |name: &str, value: &str, allowed: &str| {
            let error = read(&[ON, (name, value)]).expect_err("is not allowed").to_string();
            assert!(error.contains(name) && error.contains(value) && error.contains(allowed), "{error}");
        };
        check("OTEL_TRACES_EXPORTER", "zipkin", "otlp and none");
        check("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "http/protobuf");
        check("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "udp", "grpc");
        check("OTEL_TRACES_SAMPLER", "jaeger_remote", "parentbased_traceidratio");
        check("OTEL_BSP_MAX_QUEUE_SIZE", "-1", "numbers above 0");
    }
}
