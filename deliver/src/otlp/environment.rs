//! The environment variables `OTEL_EXPORTER_OTLP_…`, as the specification of OpenTelemetry has them. One for a signal,
//! such as `OTEL_EXPORTER_OTLP_LOGS_ENDPOINT`, precedes that for all.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::Config;
use super::Signal;
use crate::http::ClientCertificate;

const DEFAULT_ENDPOINT: &str = "http://localhost:4318";

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Events and alerts, as log records.
    Logs,
    /// Metrics.
    Metrics,
}

impl Kind {
    /// Its name in the names of variables.
    fn name(self) -> &'static str {
        match self {
            Kind::Logs => "LOGS",
            Kind::Metrics => "METRICS",
        }
    }

    /// The path for it below an endpoint for all signals.
    fn path(self) -> &'static str {
        match self {
            Kind::Logs => "/v1/logs",
            Kind::Metrics => "/v1/metrics",
        }
    }
}

/// A variable has a value that cannot be used. Values may be secrets, and only some are shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// Another protocol is asked for.
    #[error("{variable}={value}: only http/protobuf is supported; the port for it is usually 4318")]
    Protocol {
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
    },
    /// Another compression is asked for.
    #[error("{variable}={value}: expected gzip or none")]
    Compression {
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
    },
    /// A time is none.
    #[error("{variable}={value}: expected a number of milliseconds")]
    Timeout {
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
    },
    /// A list is none.
    #[error(
        "{variable}: expected a list such as name=value,name=value, with other characters as %20"
    )]
    List {
        /// The variable.
        variable: String,
    },
    /// A certificate without its key, or the other way round.
    #[error("{present} is set, and {missing} is not: a certificate of the client needs its key")]
    Certificate {
        /// The variable that is set.
        present: String,
        /// The one that is not.
        missing: String,
    },
}

/// Reads the variables into a collector for these kinds. `get` has the values of variables.
pub fn read(
    mut config: Config,
    kinds: &[Kind],
    get: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, EnvironmentError> {
    // An empty value is none.
    let get = |name: &str| get(name).filter(|value| !value.trim().is_empty());
    if let Some(text) = get("OTEL_RESOURCE_ATTRIBUTES") {
        config
            .resource
            .extend(list("OTEL_RESOURCE_ATTRIBUTES", &text)?);
    }
    if let Some(name) = get("OTEL_SERVICE_NAME") {
        config.resource.insert("service.name".to_owned(), name);
    }
    for kind in kinds {
        let signal = Some(signal(*kind, &get)?);
        match kind {
            Kind::Logs => config.logs = signal,
            Kind::Metrics => config.metrics = signal,
        }
    }
    Ok(config)
}

fn signal(kind: Kind, get: &dyn Fn(&str) -> Option<String>) -> Result<Signal, EnvironmentError> {
    // The variable and its value.
    let find = |name: &str| {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{name}", kind.name());
        let all = format!("OTEL_EXPORTER_OTLP_{name}");
        [own, all]
            .into_iter()
            .find_map(|variable| Some((get(&variable)?, variable)))
    };
    if let Some((value, variable)) = find("PROTOCOL")
        && value.trim() != "http/protobuf"
    {
        return Err(EnvironmentError::Protocol { variable, value });
    }
    let mut signal = Signal::new(endpoint(kind, get));
    if let Some((value, variable)) = find("COMPRESSION") {
        signal.is_compressed = match value.trim() {
            "gzip" => true,
            "none" => false,
            _ => return Err(EnvironmentError::Compression { variable, value }),
        };
    }
    if let Some((value, variable)) = find("TIMEOUT") {
        let timeout = value.trim().parse().map(Duration::from_millis);
        signal.http.timeout = timeout.map_err(|_| EnvironmentError::Timeout { variable, value })?;
    }
    if let Some((value, variable)) = find("HEADERS") {
        signal.headers = list(&variable, &value)?;
    }
    let file = |name: &str| find(name).map(|(value, variable)| (PathBuf::from(value), variable));
    signal.http.ca_file = file("CERTIFICATE").map(|(path, _)| path);
    signal.http.client_certificate = match (file("CLIENT_CERTIFICATE"), file("CLIENT_KEY")) {
        (None, None) => None,
        (Some((certificate_file, _)), Some((key_file, _))) => Some(ClientCertificate {
            certificate_file,
            key_file,
        }),
        (Some((_, present)), None) => {
            let missing = present.replace("CLIENT_CERTIFICATE", "CLIENT_KEY");
            return Err(EnvironmentError::Certificate { present, missing });
        }
        (None, Some((_, present))) => {
            let missing = present.replace("CLIENT_KEY", "CLIENT_CERTIFICATE");
            return Err(EnvironmentError::Certificate { present, missing });
        }
    };
    Ok(signal)
}

/// The URL. That for a signal is used as it is; the path for the signal is put below that for all.
fn endpoint(kind: Kind, get: &dyn Fn(&str) -> Option<String>) -> String {
    if let Some(own) = get(&format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", kind.name())) {
        return own.trim().to_owned();
    }
    let all = get("OTEL_EXPORTER_OTLP_ENDPOINT").unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
    format!("{}{}", all.trim().trim_end_matches('/'), kind.path())
}

/// A list `name=value,name=value`, with values in the encoding of URLs.
fn list(variable: &str, text: &str) -> Result<Vec<(String, String)>, EnvironmentError> {
    let invalid = || EnvironmentError::List {
        variable: variable.to_owned(),
    };
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').ok_or_else(invalid)?;
        let value = percent_decode_str(value.trim())
            .decode_utf8()
            .map_err(|_| invalid())?;
        match name.trim() {
            "" => Err(invalid()),
            name => Ok((name.to_owned(), value.into_owned())),
        }
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<Config, EnvironmentError> {
        let get = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        read(Config::new("web-1"), &[Kind::Logs, Kind::Metrics], &get)
    }

    fn signals(variables: &[(&str, &str)]) -> (Signal, Signal) {
        let config = with(variables).expect("variables");
        (config.logs.expect("logs"), config.metrics.expect("metrics"))
    }

    fn error(variable: &str, value: &str) -> String {
        with(&[(variable, value)]).expect_err(variable).to_string()
    }

    #[test]
    fn an_endpoint_for_all_gets_a_path_and_one_for_a_signal_does_not() {
        let (logs, metrics) = signals(&[]);
        assert_eq!(logs, Signal::new("http://localhost:4318/v1/logs"));
        assert_eq!(metrics, Signal::new("http://localhost:4318/v1/metrics"));
        let (logs, metrics) = signals(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otel:4318/base/"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://other/push"),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", ""),
        ]);
        assert_eq!(logs.url, "https://otel:4318/base/v1/logs");
        assert_eq!(metrics.url, "http://other/push");
    }

    #[test]
    fn headers_and_attributes_are_decoded() {
        let variables = [
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "Authorization=Basic%20YTpi, x-tenant = a%2Cb",
            ),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "deployment.environment.name=test,service.name=other",
            ),
            ("OTEL_SERVICE_NAME", "mine"),
        ];
        let (logs, _) = signals(&variables);
        let expected = [("Authorization", "Basic YTpi"), ("x-tenant", "a,b")];
        assert_eq!(
            logs.headers,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        let resource = with(&variables).expect("variables").resource;
        let resource: Vec<String> = resource
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let expected = [
            "deployment.environment.name=test",
            "host.name=web-1",
            "os.type=linux",
            "service.name=mine",
        ];
        assert_eq!(resource, expected);
    }

    #[test]
    fn the_other_variables_are_read_that_for_a_signal_first() {
        let (logs, metrics) = signals(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
            ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "300"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
            ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/me.pem"),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/me.key"),
        ]);
        assert_eq!(logs.http.timeout, Duration::from_millis(300));
        assert_eq!(metrics.http.timeout, Duration::from_millis(2_500));
        assert_eq!((logs.is_compressed, metrics.is_compressed), (false, true));
        assert_eq!(logs.http.ca_file, Some(PathBuf::from("/ca.pem")));
        let expected = ClientCertificate {
            certificate_file: PathBuf::from("/me.pem"),
            key_file: PathBuf::from("/me.key"),
        };
        assert_eq!(logs.http.client_certificate, Some(expected));
    }

    #[test]
    fn a_value_that_cannot_be_used_is_an_error_that_names_the_variable() {
        let protocol = error("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
        assert!(
            protocol.starts_with("OTEL_EXPORTER_OTLP_PROTOCOL=grpc: only http/protobuf"),
            "{protocol}"
        );
        let compression = error("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "zstd");
        assert!(
            compression.contains("expected gzip or none"),
            "{compression}"
        );
        let timeout = error("OTEL_EXPORTER_OTLP_TIMEOUT", "10s");
        assert!(timeout.contains("milliseconds"), "{timeout}");
        for text in ["secret", "=secret", "a=%ff"] {
            let headers = error("OTEL_EXPORTER_OTLP_HEADERS", text);
            assert!(
                headers.starts_with("OTEL_EXPORTER_OTLP_HEADERS: ") && !headers.contains("secret"),
                "{headers}"
            );
        }
        let key = error("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/me.pem");
        assert!(
            key.contains("OTEL_EXPORTER_OTLP_CLIENT_KEY is not"),
            "{key}"
        );
    }
}
