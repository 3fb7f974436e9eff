//! The command line, checked: what a run needs to know.

mod limits;
mod plugins;
mod usage_error;
mod values;

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process;
use std::time::Duration;

use clap::Arg;
use clap::ArgMatches;
use clap::CommandFactory as _;
use clap::FromArgMatches as _;
use clap::parser::ValueSource;

pub use self::usage_error::UsageError;
use crate::cli::AlertFormat;
use crate::cli::ChainArgs;
use crate::cli::Cli;
use crate::cli::Command;
use crate::cli::CompileArgs;
use crate::cli::FootprintArgs;
use crate::cli::GenerateArgs;
use crate::cli::RecordArgs;
use crate::cli::ReplayArgs;
use crate::cli::TalkArgs;
use crate::cli::WatchArgs;
use crate::plugin::Limits;
use crate::plugin::Spec;
use crate::source::attach::Attach;
use crate::stdio;
use crate::text::clean_lines;

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Config {
    /// Watch the live probe.
    Watch(Watch),
    /// Replay what was recorded.
    Replay(Replay),
    /// Make up a capture.
    Generate(Generate),
    /// Say what captures hold.
    Inspect(Vec<PathBuf>),
    /// Compile a component.
    Compile {
        /// CPU time in seconds.
        seconds: u64,
        /// Memory in bytes.
        bytes: u64,
    },
    /// Try whether the host can hold a plugin with these limits.
    Footprint(Limits),
}

/// The chain, and what is shown of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Chain {
    /// The plugins, in order; never empty.
    pub plugins: Vec<Spec>,
    /// Are new versions of their files taken up by themselves?
    pub watch_files: bool,
    /// Where the lines of plugins go.
    pub lines: LinesTo,
    /// Are alerts written to standard output as JSON?
    pub json_alerts: bool,
    /// After how many events the run ends.
    pub count: Option<u64>,
    /// After which time the run ends.
    pub duration: Option<Duration>,
    /// How often statistics are printed.
    pub stats_every: Option<Duration>,
    /// How much is said on standard error.
    pub verbosity: Verbosity,
}

/// Where the lines of plugins go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinesTo {
    /// To standard output.
    Stdout,
    /// To standard error, because standard output is taken.
    Stderr,
    /// Nowhere, because standard output is taken and no plugin was asked for.
    Nowhere,
}

/// How to watch.
#[derive(Debug, PartialEq, Eq)]
pub struct Watch {
    /// The chain.
    pub chain: Chain,
    /// Size of the ring in bytes.
    pub ring_size: u32,
    /// How the probe is attached.
    pub attach: Attach,
    /// Are attempts passed on whose first copy is still queued in this host?
    pub show_queued: bool,
    /// Are the processes looked for that hold the sockets?
    pub owners: bool,
    /// Is what was recorded compared with the kernel's own counters?
    pub reconcile: bool,
    /// Where events are recorded, if they are.
    pub record: Option<Record>,
}

/// Where events are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// To standard output.
    Stdout,
    /// To a file.
    File(RecordFile),
}

/// The file that events are recorded in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFile {
    /// Its path.
    pub file: PathBuf,
    /// When to begin another one.
    pub rotate: Rotate,
    /// Older files that are kept.
    pub keep: u32,
    /// May the file be there already?
    pub force: bool,
}

/// When to begin another file; by default never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotate {
    /// At so many bytes.
    pub bytes: Option<u64>,
    /// At this age.
    pub age: Option<Duration>,
}

/// What to replay.
#[derive(Debug, PartialEq)]
pub struct Replay {
    /// The chain.
    pub chain: Chain,
    /// In this order; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// Times as fast as it was recorded; `None`: as fast as possible.
    pub speed: Option<f64>,
    /// Only what was in this time, since 1970-01-01T00:00:00Z.
    pub times: Times,
    /// Where events are recorded, if they are.
    pub record: Option<Record>,
}

/// A span of time, since 1970-01-01T00:00:00Z: its end is outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// Its begin.
    pub from: Option<Duration>,
    /// Its end.
    pub to: Option<Duration>,
}

impl Times {
    /// Is this time within?
    pub fn contain(&self, time: Duration) -> bool {
        self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time < to)
    }
}

/// What to make up.
#[derive(Debug, PartialEq, Eq)]
pub struct Generate {
    /// The capture to write.
    pub file: PathBuf,
    /// Events.
    pub events: u64,
    /// Connections that they are of.
    pub connections: u64,
    /// What they are made from.
    pub seed: u64,
    /// Are some lost?
    pub gaps: bool,
    /// May the file be there already?
    pub force: bool,
    /// How much is said on standard error.
    pub verbosity: Verbosity,
}

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Alerts, warnings and errors.
    Quiet,
    /// The start, the ledger, what plugins log.
    Normal,
    /// Debug messages of plugins.
    Debug,
    /// And those of libbpf.
    Trace,
}

/// The largest ring: the kernel's own limit is 2 GiB.
const LARGEST_RING: u64 = 1 << 30;

impl Config {
    /// Reads the command line. What clap finds wrong ends the process, as everywhere.
    pub fn from_args() -> Result<Config, UsageError> {
        match Cli::command().try_get_matches() {
            Ok(matches) => Config::from_matches(&matches),
            Err(error) => exit_with(&error),
        }
    }

    fn from_matches(matches: &ArgMatches) -> Result<Config, UsageError> {
        let cli = Cli::from_arg_matches(matches).unwrap_or_else(|error| exit_with(&error));
        // Plugins and settings are looked up where they were written.
        let matches = match matches.subcommand() {
            Some((command, own)) => {
                none_before(command, matches)?;
                own
            }
            None => matches,
        };
        let verbosity = verbosity(&cli.talk);
        match cli.command {
            None => watch(cli.watch, verbosity, matches).map(Config::Watch),
            Some(Command::Replay(args)) => replay(args, verbosity, matches).map(Config::Replay),
            Some(Command::Generate(args)) => generate(args, verbosity).map(Config::Generate),
            Some(Command::Inspect(args)) => Ok(Config::Inspect(stdin_once(args.files)?)),
            Some(Command::Compile(CompileArgs { seconds, bytes })) => {
                Ok(Config::Compile { seconds, bytes })
            }
            Some(Command::Footprint(FootprintArgs { limits })) => Ok(Config::Footprint(limits)),
        }
    }

    /// How much is said on standard error.
    pub fn verbosity(&self) -> Verbosity {
        match self {
            Config::Watch(watch) => watch.chain.verbosity,
            Config::Replay(replay) => replay.chain.verbosity,
            Config::Generate(generate) => generate.verbosity,
            Config::Inspect(_) => Verbosity::Normal,
            Config::Compile { .. } | Config::Footprint(_) => Verbosity::Normal,
        }
    }
}

/// Options of watching that stand before another command would be without effect.
fn none_before(command: &str, matches: &ArgMatches) -> Result<(), UsageError> {
    let cli = Cli::command();
    let written = cli.get_arguments().find(|argument| {
        let source = matches.value_source(argument.get_id().as_str());
        !argument.is_global_set() && source == Some(ValueSource::CommandLine)
    });
    match written.and_then(Arg::get_long) {
        Some(option) => Err(UsageError::Before(option.to_owned(), command.to_owned())),
        None => Ok(()),
    }
}

fn verbosity(args: &TalkArgs) -> Verbosity {
    match (args.quiet, args.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, 1) => Verbosity::Debug,
        (false, _) => Verbosity::Trace,
    }
}

/// Shows help on standard output, and what is wrong on standard error. An argument may be the name of a file
/// that another user has chosen.
fn exit_with(error: &clap::Error) -> ! {
    let text = error.render();
    if !error.use_stderr() {
        let printed = stdio::print_help(&text.ansi().to_string());
        process::exit(printed.map_or(1, |()| error.exit_code()));
    }
    // Colours of its own cannot be told from those in an argument.
    let argument = |argument: OsString| argument.to_string_lossy().contains(char::is_control);
    match env::args_os().any(argument) {
        true => stdio::print(&clean_lines(&text.to_string())),
        false => stdio::print(&text.ansi().to_string()),
    }
    process::exit(error.exit_code())
}

fn chain(
    args: &ChainArgs,
    verbosity: Verbosity,
    matches: &ArgMatches,
) -> Result<Chain, UsageError> {
    let count = args.count.as_deref();
    let count = count.map(|text| values::count("--count", text));
    let duration = args.duration.as_deref();
    let duration = duration.map(|text| values::duration("--duration", text));
    let every = args.stats_every.as_deref();
    let every = every.map(|text| values::duration("--stats-every", text));
    Ok(Chain {
        plugins: plugins::plugins(args, matches)?,
        watch_files: args.watch,
        lines: LinesTo::Stdout,
        json_alerts: args.alerts == AlertFormat::Json,
        count: count.transpose()?,
        duration: duration.transpose()?,
        stats_every: every.transpose()?,
        verbosity,
    })
}

fn watch(args: WatchArgs, verbosity: Verbosity, matches: &ArgMatches) -> Result<Watch, UsageError> {
    let (chain, record) = recorded_chain(&args.chain, &args.record, verbosity, matches)?;
    Ok(Watch {
        chain,
        ring_size: ring_size(args.ring_size)?,
        attach: args.attach,
        show_queued: args.failed,
        owners: !args.no_owners,
        reconcile: args.reconcile,
        record,
    })
}

/// The chain, and where events are recorded before it.
fn recorded_chain(
    args: &ChainArgs,
    record_args: &RecordArgs,
    verbosity: Verbosity,
    matches: &ArgMatches,
) -> Result<(Chain, Option<Record>), UsageError> {
    let mut chain = chain(args, verbosity, matches)?;
    let record = record(record_args, args.alerts)?;
    if record == Some(Record::Stdout) {
        // The capture has standard output for itself.
        chain.lines = match args.plugins.is_empty() {
            true => LinesTo::Nowhere,
            false => LinesTo::Stderr,
        };
    }
    Ok((chain, record))
}

fn record(args: &RecordArgs, alerts: AlertFormat) -> Result<Option<Record>, UsageError> {
    let rotate = args.record_rotate.as_deref().map(values::rotate);
    let rotate = rotate.transpose()?.unwrap_or_default();
    let Some(file) = &args.record else {
        return Ok(None);
    };
    if file.as_os_str() != "-" {
        return Ok(Some(Record::File(RecordFile {
            file: file.clone(),
            rotate,
            keep: args.record_keep,
            force: args.force,
        })));
    }
    let refused = [
        ("--alerts json", alerts == AlertFormat::Json),
        ("--record-rotate", args.record_rotate.is_some()),
        ("--force", args.force),
    ];
    match refused.iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(UsageError::RecordToStdout(option)),
        None => Ok(Some(Record::Stdout)),
    }
}

fn replay(
    args: ReplayArgs,
    verbosity: Verbosity,
    matches: &ArgMatches,
) -> Result<Replay, UsageError> {
    let time = |option, text: &Option<String>| {
        let text = text.as_deref();
        text.map(|text| values::time(option, text)).transpose()
    };
    let times = Times {
        from: time("--from", &args.from)?,
        to: time("--to", &args.to)?,
    };
    if let (Some(from), Some(to)) = (times.from, times.to)
        && to <= from
    {
        return Err(UsageError::NoTime {
            from: args.from.unwrap_or_default(),
            to: args.to.unwrap_or_default(),
        });
    }
    let (chain, record) = recorded_chain(&args.chain, &args.record, verbosity, matches)?;
    Ok(Replay {
        chain,
        record,
        files: stdin_once(args.files)?,
        speed: args.speed.as_deref().map(values::speed).transpose()?,
        times,
    })
}

fn generate(args: GenerateArgs, verbosity: Verbosity) -> Result<Generate, UsageError> {
    Ok(Generate {
        file: args.file,
        events: values::count("--events", &args.events)?,
        connections: values::count("--connections", &args.connections)?,
        seed: args.seed,
        gaps: args.gaps,
        force: args.force,
        verbosity,
    })
}

fn stdin_once(files: Vec<PathBuf>) -> Result<Vec<PathBuf>, UsageError> {
    let stdin = files.iter().filter(|file| file.as_os_str() == "-");
    if stdin.count() > 1 {
        return Err(UsageError::StdinTwice);
    }
    Ok(files)
}

/// What BPF_MAP_TYPE_RINGBUF asks for.
fn ring_size(size: bytesize::ByteSize) -> Result<u32, UsageError> {
    let page = rustix::param::page_size() as u64;
    let bytes = size.as_u64();
    if !bytes.is_power_of_two() || !(page..=LARGEST_RING).contains(&bytes) {
        return Err(UsageError::RingSize(bytes, page));
    }
    u32::try_from(bytes).map_err(|_| UsageError::RingSize(bytes, page))
}

#[cfg(test)]
mod tests;
