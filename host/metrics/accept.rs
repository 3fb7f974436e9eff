//! The format of metrics that a client asks for.

/// A format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The text format of Prometheus, version 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The format for a value of `Accept`: OpenMetrics, if the client takes it at least as gladly as text.
    pub fn accepted(accept: &str) -> Format {
        let wish = |wanted: &[&str]| {
            let ranges = accept.split(',').filter_map(range);
            let wishes = ranges.filter(|range| wanted.contains(&range.media_type));
            wishes.map(|range| range.weight).fold(0.0, f32::max)
        };
        let open_metrics = wish(&["application/openmetrics-text"]);
        match open_metrics > 0.0 && open_metrics >= wish(&["text/plain", "text/*"]) {
            true => Format::OpenMetrics,
            false => Format::Text,
        }
    }

    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A range of media types, as far as it matters here.
struct Range<'a> {
    media_type: &'a str,
    weight: f32,
}

/// Reads a range. `None`: it is not of a version that is served.
fn range(text: &str) -> Option<Range<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let media_type = parts.next()?;
    let mut weight = 1.0;
    for part in parts {
        match part.split_once('=') {
            Some(("q", number)) => weight = number.parse().unwrap_or(0.0),
            Some(("version", "1.0.0" | "0.0.4")) => {}
            Some(("version", _)) => return None,
            _ => {}
        }
    }
    Some(Range { media_type, weight })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_that_the_client_prefers() {
        for (accept, format) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            // Prometheus 2.42, and 3.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Format::OpenMetrics,
            ),
            (
                "text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5",
                Format::Text,
            ),
            ("application/openmetrics-text;version=2.0.0", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=x, text/plain", Format::Text),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}
