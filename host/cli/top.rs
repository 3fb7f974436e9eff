//! The command line of `top`, and the words of its filters.

use std::env;
use std::path::PathBuf;

use clap::Arg;
use clap::ArgMatches;
use clap::Args;
use clap::Command;
use clap::FromArgMatches as _;
use clap::parser::ValueSource;

use super::filters;
use super::filters::FilterArgs;
use super::inputs::Reading;
use super::inputs::TimeArgs;
use super::inputs::inputs;
use super::inputs::reads_broker;
use super::inputs::refuse_without_broker;
use super::plugins;
use super::run_args::AlertFormat;
use super::run_args::WatchArgs;
use super::runs::listen;
use super::runs::recorded_chain;
use super::runs::watch;
use super::usage_error::UsageError;
use super::values;
use crate::config::FilterWords;
use crate::config::ObserveFrom;
use crate::config::Replay;
use crate::config::Top;
use crate::config::TopSource;
use crate::config::Verbosity;
use crate::filter::Filters;
use crate::system::stdio::Screen;

/// The interval of the census, unless another is given.
const CENSUS: &str = "10s";

/// The options of watching that a replay does not have, by their identifiers.
const OF_WATCHING: [&str; 18] = [
    "config",
    "ring_size",
    "backlog",
    "attach",
    "failed",
    "census",
    "no_census",
    "no_owners",
    "reconcile",
    "user",
    "no_sandbox",
    "cgroup",
    "max_rate",
    "publish",
    "publish_name",
    "publish_spool",
    "publish_spool_size",
    "publish_partitions",
];

/// What is shown, and how a recording is made from the view.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// Captures, or files of JSON lines, to be shown as if they happened now, the oldest first. - is standard input. Or
    /// the broker of a fleet: nats://a:4222,nats://b:4222, or tls:// with encryption. Without a file, the live probe is
    /// shown
    ///
    /// Of a broker, what all hosts publish from now on is shown, or from --since or --from on; consumers are not
    /// disturbed.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Speed relative to the recording, such as 10x; max is as fast as possible. 1x by default, and of a broker max. The
    /// end stays on the screen
    #[arg(long, value_name = "FACTOR", requires = "files")]
    pub speed: Option<String>,

    /// The times of the events.
    #[command(flatten)]
    pub times: TimeArgs,

    /// The key r begins a recording in a new file of this directory, such as retrans-20260101T120000Z.rtc, and ends it
    #[arg(long, value_name = "DIR")]
    pub record_dir: Option<PathBuf>,

    /// Makes no census, whatever --census says, so that the share of segments that are sent again is not known. Without
    /// this option, one is made every 10s
    #[arg(long)]
    pub no_census: bool,

    /// The options of watching.
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// Returns whether the live probe is shown.
pub fn is_live(matches: &ArgMatches) -> bool {
    !matches.contains_id("files")
}

/// The configuration.
pub fn config(
    args: TopArgs,
    verbosity: Verbosity,
    matches: &ArgMatches,
) -> Result<Top, UsageError> {
    refuse_outputs(&args.watch)?;
    if let Some(directory) = args
        .record_dir
        .as_ref()
        .filter(|directory| !directory.is_dir())
    {
        return Err(UsageError::RecordDirectory(directory.clone()));
    }
    let record_dir = args.record_dir.clone();
    let source = match args.files.is_empty() {
        true => live(args, verbosity, matches)?,
        false => files(args, verbosity, matches)?,
    };
    let term = env::var("TERM").unwrap_or_default();
    let screen = Screen::find(&term, source.reads_stdin());
    screen.map_err(|error| UsageError::NoScreen(error.to_string()))?;
    Ok(Top {
        source,
        record_dir,
        filter_words: FilterWords(parse_filter),
    })
}

fn live(
    args: TopArgs,
    verbosity: Verbosity,
    matches: &ArgMatches,
) -> Result<TopSource, UsageError> {
    if args.times.is_given() {
        return Err(UsageError::TimesOfProbe);
    }
    let mut options = args.watch;
    options.census = match args.no_census {
        true => None,
        false => Some(options.census.unwrap_or_else(|| CENSUS.to_owned())),
    };
    let mut watch = watch(options, verbosity, matches)?;
    plugins::pass_on(&mut watch.chain);
    Ok(TopSource::Live(Box::new(watch)))
}

fn files(
    args: TopArgs,
    verbosity: Verbosity,
    matches: &ArgMatches,
) -> Result<TopSource, UsageError> {
    let is_given = |id: &&&str| matches.value_source(id) == Some(ValueSource::CommandLine);
    if let Some(option) = OF_WATCHING.iter().find(is_given) {
        return Err(UsageError::OfWatching(option));
    }
    let WatchArgs {
        chain,
        record,
        filters,
        listen: address,
        publish,
        ..
    } = args.watch;
    let times = args.times.range()?;
    let reading = Reading {
        from: times.from.map_or(ObserveFrom::Now, ObserveFrom::Time),
        follows: true,
    };
    let inputs = inputs(args.files, reading, &publish.broker)?;
    refuse_without_broker(&inputs, &publish.broker)?;
    let speed = match args.speed.as_deref() {
        // It is shown as it comes.
        None if reads_broker(&inputs) => None,
        None => Some(1.0),
        Some("max") => None,
        Some(speed) => Some(values::speed(speed)?),
    };
    let (mut chain, record) = recorded_chain(&chain, &record, verbosity, matches, true)?;
    plugins::pass_on(&mut chain);
    Ok(TopSource::Replay(Box::new(Replay {
        chain,
        record,
        inputs,
        filters: filters::replay(&filters)?,
        speed,
        times,
        publish: None,
        listen: listen(&address)?,
    })))
}

/// Refuses outputs on standard output, which is the screen.
fn refuse_outputs(args: &WatchArgs) -> Result<(), UsageError> {
    let is_stdout = |file: &PathBuf| file.as_os_str() == "-";
    if args.record.record.as_ref().is_some_and(is_stdout) {
        return Err(UsageError::ScreenTaken("--record -"));
    }
    match args.chain.alerts {
        AlertFormat::Json => Err(UsageError::ScreenTaken("--alerts json")),
        AlertFormat::Text => Ok(()),
    }
}

/// Reads filters as the options of the command line are written: `--peer 10.0.0.0/8 --kind fast`, also without dashes.
/// A network namespace is an inode: a name would have to be looked up in files.
fn parse_filter(text: &str) -> Result<Filters, String> {
    let words = shell_words::split(text).map_err(|error| error.to_string())?;
    let mut command = FilterArgs::augment_args(Command::new("filter"))
        .no_binary_name(true)
        .disable_help_flag(true)
        .args_override_self(false);
    command.build();
    let words = with_dashes(words, command.get_arguments().collect());
    let matches = command.try_get_matches_from(words);
    let parsed = matches.and_then(|matches| FilterArgs::from_arg_matches(&matches));
    let args = parsed.map_err(|error| {
        let text = error.to_string();
        let lines = text.lines().take_while(|line| !line.starts_with("Usage"));
        let lines: Vec<_> = lines
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        lines.join("; ").trim_start_matches("error: ").to_owned()
    })?;
    filters::replay(&args).map_err(|error| error.to_string())
}

/// Puts dashes before names of options that have none. A word after an option with a value is its value.
fn with_dashes(words: Vec<String>, options: Vec<&Arg>) -> Vec<String> {
    let takes_value = |option: &str| {
        let named = options.iter().find(|arg| arg.get_long() == Some(option));
        named.is_some_and(|arg| arg.get_action().takes_values())
    };
    let mut is_value = false;
    let with = words.into_iter().map(|word| {
        if std::mem::take(&mut is_value) {
            return word;
        }
        let word = match word.starts_with('-') {
            true => word,
            false => format!("--{word}"),
        };
        is_value = word.strip_prefix("--").is_some_and(takes_value);
        word
    });
    with.collect()
}

#[cfg(test)]
mod tests {
    use retrans_event::Kind;

    use super::*;

    #[test]
    fn filters_have_the_words_of_the_command_line() {
        for text in [
            "--peer 10.0.0.0/8 --kind fast,timeout -4 --comm 'a b'",
            "peer 10.0.0.0/8 kind fast,timeout ipv4 comm 'a b'",
            "--peer=10.0.0.0/8  kind=fast --kind timeout ipv4 comm=\"a b\"",
        ] {
            let filters = parse_filter(text).expect(text);
            assert_eq!(filters.kinds, [Kind::Fast, Kind::Timeout], "{text}");
            assert!(!filters.peers.admit([11, 0, 0, 1].into()), "{text}");
            assert!(filters.ip_version.is_some(), "{text}");
            assert_eq!(filters.owner.comms[0].as_str(), "a b", "{text}");
        }
        assert_eq!(parse_filter(""), Ok(Filters::default()));
    }

    #[test]
    fn a_filter_that_is_none_says_why() {
        for (text, expected) in [
            ("--kind slow", "--kind slow: expected one of unknown, syn"),
            ("slow", "unexpected argument '--slow' found"),
            ("--peer", "a value is required for '--peer <"),
            ("--peer 300.0.0.1", "--peer 300.0.0.1: "),
            ("--netns blue", "--netns blue: "),
            ("--comm 'a", "missing closing quote"),
            ("--cgroup x", "unexpected argument '--cgroup' found"),
            (
                "ipv4 ipv6",
                "the argument '--ipv4' cannot be used with '--ipv6'",
            ),
        ] {
            let error = parse_filter(text).expect_err(text);
            assert!(error.starts_with(expected), "{text}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
