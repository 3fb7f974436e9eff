//! Metrics at a moment, and the last of them that waits to be sent.
//!
//! Counters count since the start, so that later metrics replace those before them: of several that wait, one is sent.

use std::sync::Arc;
use std::time::Duration;

use super::proto;
use super::proto::KeyValue;
use super::proto::Number;
use super::record::nanos;
use crate::alert::Alert;
use crate::counted::Counted;
use crate::health::Health;
use crate::health::Note;
use crate::moment::Moment;
use crate::outbox::Next;
use crate::outbox::Outbox;
use crate::outbox::earlier;
use crate::retry::Backoff;
use crate::retry::Outcome;

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: i32 = 2;

/// The metrics at a moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    /// Since when counters and histograms count, as a time since 1970-01-01T00:00:00Z.
    pub start: Duration,
    /// The moment, as a time since 1970-01-01T00:00:00Z.
    pub at: Duration,
    /// The metrics. Names must differ.
    pub metrics: Vec<Metric>,
}

/// A metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name, such as `retrans.events`.
    pub name: String,
    /// What it counts or measures, in one sentence.
    pub description: String,
    /// Its unit in UCUM, such as `By`, `s` or `{segment}`.
    pub unit: String,
    /// Its values.
    pub values: Values,
}

/// The values of a metric, one for each set of attributes.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Sums since the start, which only grow.
    Counter(Vec<Point<u64>>),
    /// Sums of time since the start, which only grow, in seconds.
    Time(Vec<Point<Duration>>),
    /// Values at the moment.
    Gauge(Vec<Point<f64>>),
    /// Distributions since the start.
    Histogram(Vec<Point<Distribution>>),
}

/// A value, and what it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Point<T> {
    /// Names and values.
    pub attributes: Vec<(String, String)>,
    /// The value.
    pub value: T,
}

/// A distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// Upper bounds of the buckets, ascending. The last bucket has none.
    pub bounds: Vec<f64>,
    /// Number of values in each bucket: one more than there are bounds.
    pub counts: Vec<u64>,
    /// Sum of all values, if it is known.
    pub sum: Option<f64>,
}

impl Metrics {
    /// The metrics of a request.
    pub(super) fn encode(&self) -> Vec<proto::Metric> {
        self.metrics
            .iter()
            .map(|metric| self.encode_one(metric))
            .collect()
    }

    fn encode_one(&self, metric: &Metric) -> proto::Metric {
        let data = match &metric.values {
            Values::Counter(points) => {
                let value = |value: &u64| Number::Int(i64::try_from(*value).unwrap_or(i64::MAX));
                self.sum(points, value)
            }
            Values::Time(points) => self.sum(points, |time| Number::Double(time.as_secs_f64())),
            Values::Gauge(points) => proto::MetricData::Gauge(proto::Gauge {
                data_points: points.iter().map(|point| self.gauge(point)).collect(),
            }),
            Values::Histogram(points) => proto::MetricData::Histogram(proto::Histogram {
                data_points: points.iter().map(|point| self.histogram(point)).collect(),
                aggregation_temporality: CUMULATIVE,
            }),
        };
        proto::Metric {
            name: metric.name.clone(),
            description: metric.description.clone(),
            unit: metric.unit.clone(),
            data: Some(data),
        }
    }

    fn sum<T>(&self, points: &[Point<T>], value: impl Fn(&T) -> Number) -> proto::MetricData {
        let points = points.iter().map(|point| proto::NumberDataPoint {
            attributes: attributes(&point.attributes),
            start_time_unix_nano: nanos(self.start),
            time_unix_nano: nanos(self.at),
            value: Some(value(&point.value)),
        });
        proto::MetricData::Sum(proto::Sum {
            data_points: points.collect(),
            aggregation_temporality: CUMULATIVE,
            is_monotonic: true,
        })
    }

    fn gauge(&self, point: &Point<f64>) -> proto::NumberDataPoint {
        proto::NumberDataPoint {
            attributes: attributes(&point.attributes),
            start_time_unix_nano: 0,
            time_unix_nano: nanos(self.at),
            value: Some(Number::Double(point.value)),
        }
    }

    fn histogram(&self, point: &Point<Distribution>) -> proto::HistogramDataPoint {
        proto::HistogramDataPoint {
            attributes: attributes(&point.attributes),
            start_time_unix_nano: nanos(self.start),
            time_unix_nano: nanos(self.at),
            count: point.value.counts.iter().sum(),
            sum: point.value.sum,
            bucket_counts: point.value.counts.clone(),
            explicit_bounds: point.value.bounds.clone(),
        }
    }
}

fn attributes(attributes: &[(String, String)]) -> Vec<KeyValue> {
    let attributes = attributes.iter();
    attributes
        .map(|(key, value)| proto::text(key.as_str(), value.as_str()))
        .collect()
}

/// The last metrics that wait. They are counted as a whole, not one by one.
pub(crate) struct Latest {
    counted: Counted,
    health: Health,
    backoff: Backoff,
    waiting: Option<Arc<Metrics>>,
    /// What is being delivered.
    current: Option<Arc<Metrics>>,
}

impl Latest {
    /// Nothing waits for the receiver with this name.
    pub(super) fn new(name: String, backoff: Backoff) -> Latest {
        Latest {
            counted: Counted {
                name,
                ..Counted::default()
            },
            health: Health::new("set of metrics", "sets of metrics"),
            backoff,
            waiting: None,
            current: None,
        }
    }

    /// Takes metrics. Those that wait are counted as dropped: these replace them.
    pub(crate) fn replace(&mut self, metrics: Arc<Metrics>) {
        self.counted.queue();
        if self.waiting.replace(metrics).is_some() {
            self.drop_queued();
        }
    }

    fn drop_queued(&mut self) {
        self.counted.queued -= 1;
        self.counted.dropped += 1;
    }
}

impl Outbox for Latest {
    type Job = Arc<Metrics>;

    fn accept(&mut self, _: &Alert, _: Moment) {}

    fn hold_back(&mut self) {}

    fn next(&mut self, _: usize, now: Moment, _: bool) -> Next<Arc<Metrics>> {
        let not_before = self.backoff.not_before();
        if not_before <= now.steady
            && let Some(metrics) = self.waiting.take()
        {
            self.current = Some(Arc::clone(&metrics));
            return Next::Deliver(metrics);
        }
        let wake = self.waiting.is_some().then_some(not_before);
        Next::Wait(self.health.next().map_or(wake, |at| earlier(wake, at)))
    }

    fn answered(&mut self, _: usize, outcome: Outcome, now: Moment) {
        let Some(metrics) = self.current.take() else {
            return;
        };
        match outcome {
            Outcome::Later { why, retry_after } => {
                match self.waiting {
                    Some(_) => self.drop_queued(),
                    None => self.waiting = Some(metrics),
                }
                self.health.failed(&why, self.counted.queued, now);
                self.backoff.failed(now.steady, retry_after);
                return;
            }
            Outcome::Delivered => self.counted.send(1),
            Outcome::Partly { why, .. } => {
                self.counted.send(1);
                self.health.warn(&why, now);
            }
            Outcome::Refused(why) => {
                self.counted.fail(1);
                self.health.lost(1, &why, now);
            }
        }
        self.health.is_well(now);
        self.backoff.succeeded();
    }

    fn close(&mut self) {
        self.backoff.hurry();
    }

    fn notes(&mut self, _: usize, now: Moment, is_closing: bool) -> Vec<Note> {
        self.health.notes(now, is_closing)
    }

    fn counted(&self) -> Vec<Counted> {
        vec![Counted {
            last_error: self.health.last_error().cloned(),
            ..self.counted.clone()
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::Retry;

    fn at(second: u64) -> Arc<Metrics> {
        Arc::new(Metrics {
            at: Moment::at(second).wall,
            ..Metrics::default()
        })
    }

    fn latest() -> Latest {
        Latest::new(
            "otlp metrics a".to_owned(),
            Backoff::new(Retry::default(), Some(1)),
        )
    }

    fn later() -> Outcome {
        Outcome::Later {
            why: "connection refused".to_owned(),
            retry_after: None,
        }
    }

    /// Sent, queued, dropped and failed.
    fn counted(latest: &Latest) -> (u64, u64, u64, u64) {
        let counted = latest.counted().swap_remove(0);
        assert!(counted.balances(), "{counted:?}");
        (
            counted.sent,
            counted.queued,
            counted.dropped,
            counted.failed,
        )
    }

    #[test]
    fn later_metrics_replace_those_that_wait() {
        let mut latest = latest();
        latest.replace(at(0));
        latest.replace(at(1));
        assert_eq!(latest.next(0, Moment::at(1), false), Next::Deliver(at(1)));
        latest.answered(0, Outcome::Delivered, Moment::at(1));
        assert_eq!(latest.next(0, Moment::at(1), false), Next::Wait(None));
        assert_eq!(counted(&latest), (1, 0, 1, 0));
    }

    #[test]
    fn metrics_are_tried_again_until_there_are_later_ones() {
        let mut latest = latest();
        latest.replace(at(0));
        assert_eq!(latest.next(0, Moment::at(0), false), Next::Deliver(at(0)));
        latest.answered(0, later(), Moment::at(0));
        assert!(matches!(
            latest.next(0, Moment::at(0), false),
            Next::Wait(Some(_))
        ));
        assert_eq!(latest.next(0, Moment::at(1), false), Next::Deliver(at(0)));
        latest.replace(at(1));
        latest.answered(0, later(), Moment::at(1));
        assert_eq!(latest.next(0, Moment::at(9), false), Next::Deliver(at(1)));
        latest.answered(0, Outcome::Refused("no".to_owned()), Moment::at(9));
        assert_eq!(counted(&latest), (0, 0, 1, 1));
        let notes = latest.notes(0, Moment::at(9), false);
        let expected = Note::Warning("1 set of metrics was lost: no".to_owned());
        assert!(notes.contains(&expected), "{notes:?}");
    }
}
