//! What is read again: files, or the broker of a fleet; and the points in time between which events are wanted.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use clap::Args;

use super::publish::BrokerArgs;
use super::publish::broker;
use super::publish::check_built;
use super::publish::is_given;
use super::usage_error::UsageError;
use super::values;
use crate::config::Observe;
use crate::config::ObserveFrom;
use crate::config::Recorded;
use crate::config::TimeRange;

/// What addresses of a broker begin with. A file whose name begins so is named as in ./nats://a.
const SCHEMES: [&str; 2] = ["nats://", "tls://"];

/// How a broker is read, if it is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// Where reading begins.
    pub(super) from: ObserveFrom,
    /// Whether it goes on at the end of the stream.
    pub(super) follows: bool,
}

impl Reading {
    /// From the start of these times on; without one, from the oldest message on. It ends with what is there now.
    pub(super) fn of(times: TimeRange) -> Reading {
        Reading {
            from: times.from.map_or(ObserveFrom::Oldest, ObserveFrom::Time),
            follows: false,
        }
    }
}

/// The inputs with these names: files, or one broker.
pub(super) fn inputs(
    files: Vec<PathBuf>,
    reading: Reading,
    args: &BrokerArgs,
) -> Result<Vec<Recorded>, UsageError> {
    if files.len() > 1 && files.iter().any(|file| servers(file).is_some()) {
        return Err(UsageError::BrokerAndFiles);
    }
    let files = at_most_one_stdin(files)?.into_iter();
    files.map(|file| input(file, reading, args)).collect()
}

/// The input with this name.
pub(super) fn input(
    file: PathBuf,
    reading: Reading,
    args: &BrokerArgs,
) -> Result<Recorded, UsageError> {
    let Some(servers) = servers(&file) else {
        return Ok(Recorded::File(file));
    };
    check_built("FILE")?;
    Ok(Recorded::Fleet(Box::new(Observe {
        broker: broker("FILE", servers, args)?,
        from: reading.from,
        follows: reading.follows,
    })))
}

/// The addresses of a broker, if it is named.
fn servers(file: &Path) -> Option<&str> {
    let begins = |text: &&str| SCHEMES.iter().any(|scheme| text.starts_with(scheme));
    file.to_str().filter(begins)
}

/// Returns whether a broker is read.
pub(super) fn reads_broker(inputs: &[Recorded]) -> bool {
    inputs.iter().any(|input| input.file().is_none())
}

/// Refuses options about a broker where none is read.
pub(super) fn refuse_without_broker(
    inputs: &[Recorded],
    args: &BrokerArgs,
) -> Result<(), UsageError> {
    match is_given(args) && !reads_broker(inputs) {
        true => Err(UsageError::NoBroker),
        false => Ok(()),
    }
}

/// Returns the files, or an error if standard input (`-`) is more than one of them.
pub(super) fn at_most_one_stdin(files: Vec<PathBuf>) -> Result<Vec<PathBuf>, UsageError> {
    let stdin = files.iter().filter(|file| file.as_os_str() == "-");
    if stdin.count() > 1 {
        return Err(UsageError::StdinTwice);
    }
    Ok(files)
}

/// The points in time between which events are wanted.
#[derive(Debug, Default, Args)]
pub struct TimeArgs {
    /// Omits events before this point in time (RFC 3339), such as 2026-01-01T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,

    /// Omits events before this time ago, such as 10m or 1h
    #[arg(long, value_name = "TIME", conflicts_with = "from")]
    pub since: Option<String>,

    /// Omits events at this point in time and later
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
}

impl TimeArgs {
    /// Returns whether one of them is given.
    pub(super) fn is_given(&self) -> bool {
        let TimeArgs { from, since, to } = self;
        from.is_some() || since.is_some() || to.is_some()
    }

    /// The times.
    pub(super) fn range(&self) -> Result<TimeRange, UsageError> {
        time_range(
            self.from.as_deref(),
            self.since.as_deref(),
            ("--to", self.to.as_deref()),
        )
    }
}

/// The points in time of `--from`, or of `--since` before now, and of the option that ends them.
pub(super) fn time_range(
    from: Option<&str>,
    since: Option<&str>,
    (option, to): (&'static str, Option<&str>),
) -> Result<TimeRange, UsageError> {
    let begin = match (from, since) {
        (Some(from), _) => Some(values::time("--from", from)?),
        (None, Some(since)) => Some(before_now(values::duration("--since", since)?)),
        (None, None) => None,
    };
    let times = TimeRange {
        from: begin,
        to: to.map(|to| values::time(option, to)).transpose()?,
    };
    match (times.from, times.to) {
        (Some(begin), Some(end)) if end <= begin => Err(UsageError::EmptyTimeRange {
            from: match (from, since) {
                (None, Some(since)) => format!("--since {since}"),
                (from, _) => format!("--from {}", from.unwrap_or_default()),
            },
            option,
            to: to.unwrap_or_default().to_owned(),
        }),
        _ => Ok(times),
    }
}

fn before_now(time: Duration) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().saturating_sub(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLDEST: Reading = Reading {
        from: ObserveFrom::Oldest,
        follows: false,
    };

    fn no_broker() -> BrokerArgs {
        BrokerArgs::default()
    }

    fn named(names: &[&str]) -> Result<Vec<Recorded>, UsageError> {
        let files = names.iter().map(PathBuf::from).collect();
        inputs(files, OLDEST, &no_broker())
    }

    #[cfg(feature = "fleet")]
    #[test]
    fn an_address_is_a_broker_and_everything_else_is_a_file() {
        for address in ["nats://a:4222", "tls://a", "nats://a:4222,nats://b:4222"] {
            let [Recorded::Fleet(fleet)] = &named(&[address]).expect(address)[..] else {
                panic!("{address} is a file");
            };
            assert_eq!(fleet.broker.servers, address);
        }
        for file in ["a.rtc", "-", "./nats://a", "http://a", "nats:/a", "NATS"] {
            let file_input = Recorded::File(file.into());
            assert_eq!(named(&[file]), Ok(vec![file_input]));
        }
        let error = named(&["nats://user@"]).expect_err("no host").to_string();
        assert!(error.starts_with("FILE: "), "{error}");
    }

    #[cfg(not(feature = "fleet"))]
    #[test]
    fn an_address_needs_the_feature() {
        assert_eq!(named(&["nats://a:4222"]), Err(UsageError::NoFleet("FILE")));
    }

    #[test]
    fn a_broker_is_read_alone() {
        for names in [
            &["a.rtc", "nats://a:4222"][..],
            &["nats://a:4222", "nats://b:4222"],
        ] {
            assert_eq!(named(names), Err(UsageError::BrokerAndFiles));
        }
        let args = BrokerArgs {
            nats_ca: Some("ca.pem".into()),
            ..no_broker()
        };
        let files = [Recorded::File("a.rtc".into())];
        assert_eq!(
            refuse_without_broker(&files, &args),
            Err(UsageError::NoBroker)
        );
        assert_eq!(refuse_without_broker(&files, &no_broker()), Ok(()));
    }

    #[test]
    fn times_begin_at_a_time_of_day_or_before_now() {
        let hour = Duration::from_secs(3_600);
        let before = before_now(hour);
        let since = |to: Option<&str>| TimeArgs {
            since: Some("1h".to_owned()),
            to: to.map(str::to_owned),
            ..TimeArgs::default()
        };
        let times = since(None).range().expect("a time");
        let from = times.from.expect("a begin");
        assert!((before..=before_now(hour)).contains(&from), "{from:?}");
        assert_eq!(Reading::of(times).from, ObserveFrom::Time(from));
        let all = TimeArgs::default().range().expect("no times");
        assert_eq!(Reading::of(all).from, ObserveFrom::Oldest);
        let error = since(Some("2026-01-01T00:00:00Z")).range();
        let error = error.expect_err("it is over").to_string();
        assert_eq!(error, "--to: 2026-01-01T00:00:00Z is not after --since 1h");
    }
}
