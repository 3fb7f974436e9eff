//! A client of HTTP, as small as can be: one request a connection.

use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpStream;

use super::pipes::WAIT_TIMEOUT;

/// The media type with which OpenMetrics is asked for.
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0";

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its code, such as 200.
    pub status: u16,
    /// The value of Content-Type.
    pub content_type: String,
    /// The body.
    pub body: String,
}

/// Asks for a page, in this format.
#[track_caller]
pub fn get_as(address: SocketAddr, path: &str, accept: &str) -> Answer {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let timeout = Some(WAIT_TIMEOUT);
    stream.set_read_timeout(timeout).expect("a timeout");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("an answer of text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status");
    let content_type = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-type").then_some(value)
    });
    Answer {
        status: status.parse().expect("a number"),
        content_type: content_type.expect("a type").to_owned(),
        body: body.to_owned(),
    }
}

/// Asks for a page.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Answer {
    get_as(address, path, "*/*")
}

/// The value of a sample, such as `retrans_events_total{kind="fast"}`. `None`: there is none.
pub fn sample(metrics: &str, name: &str) -> Option<f64> {
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map(|value| value.parse().expect("a number"))
}

/// The sum of the samples of a family, whatever their labels.
pub fn sum(metrics: &str, family: &str) -> f64 {
    let of_family = |line: &&str| {
        let rest = line.strip_prefix(family);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
    };
    let values = metrics.lines().filter(of_family);
    let values = values.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    values.sum()
}

/// The address in the line of standard error that tells it.
#[track_caller]
pub fn address_in(line: &str) -> SocketAddr {
    let address = line
        .strip_prefix("retrans-host: metrics are at http://")
        .and_then(|rest| rest.strip_suffix("/metrics"));
    let address = address.unwrap_or_else(|| panic!("no address: {line}"));
    address.parse().expect("an address")
}
