//! Sinks as the crate takes them that delivers. All checks are made here, also those of files, so that an error is one
//! of the command line.

use std::env;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use retrans_deliver::Config;
use retrans_deliver::alertmanager;
use retrans_deliver::http;
use retrans_deliver::otlp;
use retrans_deliver::otlp::environment;
use retrans_deliver::otlp::environment::Kind;
use retrans_deliver::webhook;
use retrans_deliver::webhook::UrlSource;

use super::NetworkArgs;
use super::SinkError;
use super::SinkKind;
use super::SinkOptions;
use crate::config::Network;
use crate::system::procfs;
use crate::system::sandbox;

/// Shortest time between two sets of metrics.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// What is delivered over the network.
pub fn network(args: &NetworkArgs, sinks: &[SinkOptions]) -> Result<Network, SinkError> {
    let mut receivers = Config {
        alerts_per_minute: args.alerts_per_minute,
        ..Config::default()
    };
    let host = procfs::of_kernel("hostname");
    let external_url = args.external_url.as_deref();
    if let Some(url) = external_url {
        http::check_url(url).map_err(SinkError::ExternalUrl)?;
    }
    let mut metrics_interval = None;
    for sink in sinks {
        match sink.kind {
            SinkKind::Alertmanager => {
                let sink = alertmanager(sink, &host, external_url)?;
                receivers.alertmanagers.push(sink);
            }
            SinkKind::Webhook => receivers.webhooks.push(webhook(sink, &host, external_url)?),
            SinkKind::Otlp => {
                let (collector, interval) = otlp(sink, &host)?;
                receivers.otlp.push(collector);
                // Each collector gets each set of metrics.
                let shortest =
                    metrics_interval.map_or(interval, |other: Duration| other.min(interval));
                metrics_interval = Some(shortest);
            }
        }
    }
    // Reads all files once, and again at the start.
    let mut files: Vec<PathBuf> = sinks.iter().flat_map(SinkOptions::files).collect();
    // Those of variables.
    let signals = receivers.otlp.iter();
    let signals = signals.flat_map(|config| config.logs.iter().chain(&config.metrics));
    files.extend(signals.flat_map(|signal| files_of(&signal.http)));
    let prepared = retrans_deliver::prepare(&receivers);
    prepared.map_err(|error| SinkError::Unusable(format!("{error}{}", denied(&files))))?;
    let default = Network::default();
    Ok(Network {
        receivers,
        metrics_interval: metrics_interval.unwrap_or(default.metrics_interval),
        files,
    })
}

fn files_of(options: &http::Options) -> Vec<PathBuf> {
    let mut files = Vec::from_iter(options.ca_file.clone());
    if let Some(client) = &options.client_certificate {
        files.extend([client.certificate_file.clone(), client.key_file.clone()]);
    }
    files
}

/// What the sandbox has to do with an error, as its continuation: the first file that it forbids. Empty if there is none.
fn denied(files: &[PathBuf]) -> String {
    let explained = files.iter().find_map(|file| {
        let error = File::open(file).err()?;
        let before = error.to_string();
        let explained = sandbox::explained(file, error).to_string();
        Some(explained.strip_prefix(&before)?.to_owned()).filter(|reason| !reason.is_empty())
    });
    explained.unwrap_or_default()
}

fn alertmanager(
    sink: &SinkOptions,
    host: &str,
    external_url: Option<&str>,
) -> Result<alertmanager::Config, SinkError> {
    let expected = "one or several URLs, such as http://localhost:9093";
    let urls = sink
        .text("url")
        .ok_or_else(|| sink.expected("url", expected))?;
    let urls = urls.split(',').map(|url| url.trim().to_owned()).collect();
    let mut config = alertmanager::Config::new(urls, instance(sink, host));
    config.name.clone_from(&sink.name);
    config.labels = sink.table("labels");
    config.external_url = external(sink, external_url)?;
    sink.set_time("resolve-after", &mut config.resolve_after)?;
    sink.set_time("repeat", &mut config.repeat)?;
    sink.set_retry(&mut config.retry)?;
    sink.set_http(&mut config.http)?;
    Ok(config)
}

fn webhook(
    sink: &SinkOptions,
    host: &str,
    external_url: Option<&str>,
) -> Result<webhook::Config, SinkError> {
    let url = match (sink.text("url"), sink.file("url-file")) {
        (Some(url), None) => UrlSource::Text(url),
        (None, Some(file)) => UrlSource::File(file),
        (Some(_), Some(_)) => return Err(SinkError::Both(sink.name.clone(), "url or url-file")),
        (None, None) => return Err(sink.expected("url", "a URL, or a file with one (url-file)")),
    };
    let mut config = webhook::Config::new(url, instance(sink, host));
    config.name.clone_from(&sink.name);
    config.external_url = external(sink, external_url)?;
    config.template = sink.contents("template-file")?;
    if let Some(content_type) = sink.text("content-type") {
        config.content_type = content_type;
    }
    config.key_file = sink.file("hmac-file");
    sink.set_time("again-after", &mut config.again_after)?;
    sink.set_time("give-up-after", &mut config.max_age)?;
    sink.set_retry(&mut config.retry)?;
    sink.set_http(&mut config.http)?;
    Ok(config)
}

/// A collector, and the time between two sets of metrics. What the sink says precedes the variables of OpenTelemetry,
/// which hold for all programs.
fn otlp(sink: &SinkOptions, host: &str) -> Result<(otlp::Config, Duration), SinkError> {
    let mut kinds = Vec::new();
    for (key, kind) in [("logs", Kind::Logs), ("metrics", Kind::Metrics)] {
        if sink.flag(key, true)? {
            kinds.push(kind);
        }
    }
    if kinds.is_empty() {
        return Err(sink.expected(
            "logs",
            "true, where metrics is false: nothing would be sent",
        ));
    }
    let variable = |name: &str| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => sink.text("url").or_else(|| env::var(name).ok()),
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT" => own_url(sink, "logs-url", name),
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT" => own_url(sink, "metrics-url", name),
        _ => env::var(name).ok(),
    };
    let mut config = otlp::Config::new(host);
    config.name.clone_from(&sink.name);
    let of_program = [
        ("host.arch", arch()),
        ("os.version", &procfs::of_kernel("osrelease")),
        ("service.version", env!("CARGO_PKG_VERSION")),
    ];
    let of_program = of_program.map(|(name, value)| (name.to_owned(), value.to_owned()));
    config.resource.extend(of_program);
    let read = environment::read(config, &kinds, &variable);
    let mut config = read.map_err(|error| SinkError::Environment {
        sink: sink.name.clone(),
        error,
    })?;
    config.resource.extend(sink.table("attributes"));
    let signals = [&mut config.logs, &mut config.metrics];
    for signal in signals.into_iter().flatten() {
        for (name, value) in sink.table("headers") {
            let headers = &mut signal.headers;
            headers.retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
            headers.push((name, value));
        }
        match sink.value("compression") {
            None => {}
            Some("gzip") => signal.is_compressed = true,
            Some("none") => signal.is_compressed = false,
            Some(_) => return Err(sink.expected("compression", "gzip or none")),
        }
        sink.set_http(&mut signal.http)?;
    }
    sink.set_time("give-up-after", &mut config.max_age)?;
    sink.set_retry(&mut config.retry)?;
    let milliseconds = variable("OTEL_METRIC_EXPORT_INTERVAL");
    let milliseconds = milliseconds.and_then(|text| text.trim().parse().ok());
    let mut interval =
        milliseconds.map_or(Network::default().metrics_interval, Duration::from_millis);
    sink.set_time("interval", &mut interval)?;
    if interval < MIN_INTERVAL {
        return Err(sink.expected("interval", "a time of 1s or more, such as 30s"));
    }
    Ok((config, interval))
}

/// The URL for one signal. Where the sink has a URL for all, that precedes the variable.
fn own_url(sink: &SinkOptions, key: &'static str, variable: &str) -> Option<String> {
    let own = sink.text(key);
    own.or_else(|| match sink.value("url") {
        Some(_) => None,
        None => env::var(variable).ok(),
    })
}

/// The processor, in the words of OpenTelemetry.
fn arch() -> &'static str {
    match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn instance(sink: &SinkOptions, host: &str) -> String {
    sink.text("instance").unwrap_or_else(|| host.to_owned())
}

fn external(sink: &SinkOptions, of_all: Option<&str>) -> Result<Option<String>, SinkError> {
    let Some(own) = sink.text("external-url") else {
        return Ok(of_all.map(str::to_owned));
    };
    match http::check_url(&own) {
        Ok(()) => Ok(Some(own)),
        Err(_) => Err(sink.expected(
            "external-url",
            "a URL such as https://grafana.example.com/d/x",
        )),
    }
}
