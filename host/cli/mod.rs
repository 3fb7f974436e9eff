//! Parses and checks the command line, and converts it to a [`Config`]. No other module uses clap.

mod args;
mod config_file;
mod crate_name;
mod examples;
mod export;
mod filters;
mod hint;
mod limits;
mod manual;
mod plugin_args;
mod plugins;
mod report;
mod settings_file;
mod sinks;
mod top;
mod usage_error;
mod values;

use std::env;
use std::ffi::OsString;
use std::io;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::path::absolute;
use std::process;

use clap::Arg;
use clap::ArgMatches;
use clap::CommandFactory as _;
use clap::FromArgMatches as _;
use clap::parser::ValueSource;

use self::args::AlertFormat;
use self::args::ChainArgs;
use self::args::CheckArgs;
use self::args::Cli;
use self::args::Command;
use self::args::CompileArgs;
use self::args::ConfigArgs;
use self::args::ConfigCommand;
use self::args::FootprintArgs;
use self::args::GenerateArgs;
use self::args::InspectArgs;
use self::args::ListenArgs;
use self::args::RecordArgs;
use self::args::ReplayArgs;
use self::args::VerbosityArgs;
use self::args::WatchArgs;
use self::config_file::Layered;
use self::plugins::ChainOptions;
pub use self::usage_error::UsageError;
use crate::config::ChainConfig;
use crate::config::Check;
use crate::config::Config;
use crate::config::Generate;
use crate::config::Inspect;
use crate::config::LinesTo;
use crate::config::RecordConfig;
use crate::config::RecordFile;
use crate::config::Replay;
use crate::config::Reread;
use crate::config::SinkConfig;
use crate::config::TimeRange;
use crate::config::Verbosity;
use crate::config::Watch;
use crate::plugin::StartError;
use crate::plugin::spec::settings::SettingsError;
use crate::system::privileges::User;
use crate::system::sanitize::clean_lines;
use crate::system::stdio;

/// Maximum size of the ring in bytes. The kernel's own limit is 2 GiB.
const MAX_RING_SIZE: u64 = 1 << 30;

/// Parses the command line of this process. If clap refuses it, or if it asks for help or the version, the process
/// ends.
pub fn config() -> Result<Config, UsageError> {
    let arguments: Vec<_> = env::args_os().collect();
    let matches = match Cli::command().try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) => exit_with(&error),
    };
    match matches.subcommand() {
        None => {
            let variables: Vec<_> = env::vars_os().collect();
            let layers = layered(arguments.clone(), variables.clone())?;
            let mut watch = layers.watch()?;
            if let Some(file) = layers.file() {
                let read = move || reread(arguments.clone(), variables.clone());
                watch.chain.reread = Some(Reread::new(file.to_owned(), watch.clone(), read));
            }
            Ok(Config::Watch(watch))
        }
        Some(("top", own)) if top::is_live(own) => layered(arguments, env::vars_os())?.config(),
        Some(_) => from_matches(&matches),
    }
}

/// The command line of a watch, also of one that `top` shows, with the environment and the configuration file.
fn layered(
    given: Vec<OsString>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Layers, UsageError> {
    layers(given, variables).map_err(|refused| match refused {
        Refused::Usage(error) => error,
        Refused::Clap(error) => exit_with(&error),
    })
}

/// Why there is no configuration.
enum Refused {
    Usage(UsageError),
    Clap(clap::Error),
}

impl From<UsageError> for Refused {
    fn from(error: UsageError) -> Refused {
        Refused::Usage(error)
    }
}

/// Like [`layered`], also for a process that goes on after an error.
fn layers(
    given: Vec<OsString>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Layers, Refused> {
    let matches = Cli::command().try_get_matches_from(&given);
    let matches = matches.map_err(Refused::Clap)?;
    let own = matches.subcommand().map_or(&matches, |(_, own)| own);
    let layered = config_file::layer(given, own, variables)?;
    let arguments = layered.as_ref().map(Layered::arguments);
    let matches = match arguments.map(|all| Cli::command().try_get_matches_from(all)) {
        None => matches,
        Some(Ok(matches)) => matches,
        Some(Err(error)) => match layered.as_ref().and_then(|layered| layered.blame(mistake)) {
            Some(blamed) => return Err(Refused::Usage(blamed)),
            None => return Err(Refused::Clap(error)),
        },
    };
    Ok(Layers { matches, layered })
}

/// Reads the configuration of a watch again, with the arguments and variables of its start.
fn reread(given: Vec<OsString>, variables: Vec<(OsString, OsString)>) -> Result<Watch, String> {
    let layers = layers(given, variables);
    let watch = layers.and_then(|layers| Ok(layers.watch()?));
    watch.map_err(|refused| match refused {
        Refused::Usage(error) => error.to_string(),
        Refused::Clap(error) => first_line(&error),
    })
}

/// The error of clap without its usage.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    first.trim_start_matches("error: ").to_owned()
}

/// What is wrong with a command line of a watch.
fn mistake(arguments: Vec<OsString>) -> Option<String> {
    match Cli::command().try_get_matches_from(arguments) {
        Ok(matches) => from_matches(&matches).err().map(|error| error.to_string()),
        Err(error) => Some(first_line(&error)),
    }
}

/// The configuration of a command line without a subcommand.
fn watch_of(matches: &ArgMatches) -> Result<Watch, UsageError> {
    let cli = Cli::from_arg_matches(matches).unwrap_or_else(|error| exit_with(&error));
    watch(cli.watch, verbosity(&cli.verbosity), matches)
}

/// The options of a watch, from all places.
struct Layers {
    matches: ArgMatches,
    /// What is not of the command line.
    layered: Option<Layered>,
}

impl Layers {
    /// The configuration file, if there is one.
    fn file(&self) -> Option<&Path> {
        self.layered.as_ref().and_then(Layered::file)
    }

    fn watch(&self) -> Result<Watch, UsageError> {
        self.blaming(watch_of(&self.matches))
    }

    fn config(&self) -> Result<Config, UsageError> {
        self.blaming(from_matches(&self.matches))
    }

    /// An error as one of the option that it is about, if that is not of the command line.
    fn blaming<T>(&self, result: Result<T, UsageError>) -> Result<T, UsageError> {
        result.map_err(|error| {
            let layered = self.layered.as_ref();
            let blamed = layered.and_then(|layered| layered.blame(mistake));
            blamed.unwrap_or(error)
        })
    }
}

/// The configuration of a command about configuration files.
fn of_config_file(args: ConfigArgs) -> Result<Config, UsageError> {
    let program = || OsString::from(env!("CARGO_PKG_NAME"));
    let with = |file: &PathBuf| {
        let mut option = OsString::from("--config=");
        option.push(file);
        option
    };
    match args.command {
        ConfigCommand::Check { file } => {
            let watch = layered(vec![program(), with(&file)], [])?.watch()?;
            Ok(Config::CheckFile { file, watch })
        }
        ConfigCommand::Show { file, options } => {
            let mut given = vec![program()];
            given.extend(options);
            if file.as_os_str() != "-" {
                given.push(with(&file));
            }
            let layers = layered(given, env::vars_os())?;
            let watch = layers.watch()?;
            let plugins = &watch.chain.plugins;
            let cli = Cli::from_arg_matches(&layers.matches);
            let cli = cli.unwrap_or_else(|error| exit_with(&error));
            let sinks = sinks::sinks(&cli.watch.chain.network, &layers.matches)?;
            let text = config_file::show(&layers.matches, layers.layered.as_ref(), plugins, &sinks);
            Ok(Config::Print(text))
        }
    }
}

fn from_matches(matches: &ArgMatches) -> Result<Config, UsageError> {
    let cli = Cli::from_arg_matches(matches).unwrap_or_else(|error| exit_with(&error));
    // The positions of plugins and their options are those of the (sub)command.
    let matches = match matches.subcommand() {
        Some((command, own)) => {
            refuse_options_before(command, matches)?;
            own
        }
        None => matches,
    };
    let verbosity = verbosity(&cli.verbosity);
    match cli.command {
        None => watch(cli.watch, verbosity, matches).map(Config::Watch),
        Some(Command::Replay(args)) => replay(*args, verbosity, matches).map(Config::Replay),
        Some(Command::Generate(args)) => generate(args, verbosity).map(Config::Generate),
        Some(Command::Export(args)) => export::config(*args, verbosity).map(Config::Export),
        Some(Command::Inspect(args)) => inspect(*args).map(Config::Inspect),
        Some(Command::Report(args)) => {
            report::config(*args, verbosity, matches).map(Config::Report)
        }
        Some(Command::Top(args)) => top::config(*args, verbosity, matches).map(Config::Top),
        Some(Command::Check(CheckArgs { live, json })) => Ok(Config::Check(Check {
            live,
            json,
            verbosity,
        })),
        Some(Command::Plugin(args)) => {
            let matches = matches.subcommand().map_or(matches, |(_, own)| own);
            plugin_args::config(args, verbosity, matches).map(Config::Plugin)
        }
        Some(Command::Config(args)) => of_config_file(args),
        Some(Command::Completions { shell }) => Ok(Config::Print(manual::completions(shell))),
        Some(Command::Man { directory }) => {
            let pages = manual::pages().map_err(|error| UsageError::Manual(error.to_string()))?;
            Ok(match (directory, pages) {
                (Some(directory), pages) => Config::WritePages { directory, pages },
                (None, pages) => {
                    Config::Print(pages.into_iter().take(1).map(|(_, page)| page).collect())
                }
            })
        }
        Some(Command::Compile(CompileArgs { seconds, bytes })) => {
            Ok(Config::Compile { seconds, bytes })
        }
        Some(Command::Footprint(FootprintArgs { limits })) => Ok(Config::Footprint(limits)),
        Some(Command::Helper) => Ok(Config::Helper),
    }
}

/// The text of an error, followed by the option that avoids it, if there is one. The functions that were running in
/// a plugin follow on further lines.
pub fn error_text(error: &anyhow::Error) -> String {
    let text = format!("error: {error:#}");
    let Some(hint) = hint::hint(error) else {
        return text;
    };
    let end = text.find('\n').unwrap_or(text.len());
    let (message, functions) = text.split_at(end);
    format!("{message}; {hint}{functions}")
}

/// Returns whether the error is one of the command line. This includes a setting that a plugin refuses.
pub fn is_usage(error: &anyhow::Error) -> bool {
    let refused = |error: &StartError| {
        matches!(
            error,
            StartError::Settings(_, SettingsError::Refused(_) | SettingsError::Mismatch(_))
        )
    };
    let settings = error.downcast_ref().is_some_and(refused);
    settings || error.is::<UsageError>()
}

/// Refuses options of watching before a subcommand, where they would have no effect.
fn refuse_options_before(command: &str, matches: &ArgMatches) -> Result<(), UsageError> {
    let cli = Cli::command();
    let option = cli.get_arguments().find(|argument| {
        let source = matches.value_source(argument.get_id().as_str());
        !argument.is_global_set() && source == Some(ValueSource::CommandLine)
    });
    match option.and_then(Arg::get_long) {
        Some(option) => Err(UsageError::BeforeSubcommand(
            option.to_owned(),
            command.to_owned(),
        )),
        None => Ok(()),
    }
}

fn verbosity(args: &VerbosityArgs) -> Verbosity {
    match (args.quiet, args.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, 1) => Verbosity::Debug,
        (false, _) => Verbosity::Trace,
    }
}

/// Prints help and version to standard output, or an error to standard error, and ends the process. The error quotes
/// arguments, which may be file names that another user has chosen: see below.
fn exit_with(error: &clap::Error) -> ! {
    let text = error.render();
    if !error.use_stderr() {
        let printed = stdio::print_help(&text.ansi().to_string());
        process::exit(printed.map_or(1, |()| error.exit_code()));
    }
    // In the rendered error, colours of clap cannot be distinguished from escape sequences in an argument.
    let has_control = |argument: OsString| argument.to_string_lossy().contains(char::is_control);
    match env::args_os().any(has_control) {
        true => stdio::print(&clean_lines(&text.to_string())),
        false => stdio::print(&text.ansi().to_string()),
    }
    process::exit(error.exit_code())
}

fn chain(
    args: &ChainArgs,
    verbosity: Verbosity,
    matches: &ArgMatches,
    is_trial: bool,
) -> Result<ChainConfig, UsageError> {
    let count = args.count.as_deref();
    let count = count.map(|text| values::count("--count", text));
    let duration = args.duration.as_deref();
    let duration = duration.map(|text| values::duration("--duration", text));
    let every = args.stats_every.as_deref();
    let every = every.map(|text| values::duration("--stats-every", text));
    let options = ChainOptions {
        is_trial,
        plugins: &args.plugins,
        settings: &args.settings,
        settings_files: &args.settings_files,
        settings_json: &args.settings_json,
        limits: &args.limits,
        allow: &args.allow,
        on_fault: args.on_fault.iter().copied().map(Into::into).collect(),
    };
    Ok(ChainConfig {
        plugins: plugins::plugins(&options, matches)?,
        is_default: args.plugins.is_empty(),
        reread: None,
        watch_files: args.watch,
        lines: LinesTo::Stdout,
        json_alerts: args.alerts == AlertFormat::Json,
        sinks: args
            .alerts_file
            .iter()
            .cloned()
            .map(SinkConfig::AlertsFile)
            .collect(),
        network: sinks::network(&args.network, matches)?,
        count: count.transpose()?,
        duration: duration.transpose()?,
        stats_every: every.transpose()?,
        verbosity,
    })
}

fn watch(args: WatchArgs, verbosity: Verbosity, matches: &ArgMatches) -> Result<Watch, UsageError> {
    let (chain, record) = recorded_chain(&args.chain, &args.record, verbosity, matches, false)?;
    Ok(Watch {
        chain,
        ring_size: ring_size(args.ring_size)?,
        backlog: values::backlog("--backlog", &args.backlog)?,
        attach: args.attach.into(),
        filters: filters::live(&args.filters, &args.live_filters, !args.no_owners)?,
        show_queued: args.failed,
        census: args.census.as_deref().map(values::census).transpose()?,
        owners: !args.no_owners,
        reconcile: args.reconcile,
        record,
        user: args
            .user
            .as_deref()
            .map(User::find)
            .transpose()
            .map_err(UsageError::User)?,
        sandbox: !args.no_sandbox,
        listen: listen(&args.listen)?,
    })
}

/// The configuration of the chain and of the recording.
fn recorded_chain(
    args: &ChainArgs,
    record_args: &RecordArgs,
    verbosity: Verbosity,
    matches: &ArgMatches,
    is_trial: bool,
) -> Result<(ChainConfig, Option<RecordConfig>), UsageError> {
    let mut chain = chain(args, verbosity, matches, is_trial)?;
    let record = record(record_args, args.alerts)?;
    if let Some(RecordConfig::File(RecordFile { file, .. })) = &record
        && let Some(alerts) = &args.alerts_file
        && absolute(file).ok() == absolute(alerts).ok()
    {
        return Err(UsageError::SameFile(alerts.display().to_string()));
    }
    if record == Some(RecordConfig::Stdout) {
        // Standard output is used by the capture.
        chain.lines = match args.plugins.is_empty() {
            true => LinesTo::Discard,
            false => LinesTo::Stderr,
        };
    }
    Ok((chain, record))
}

fn record(args: &RecordArgs, alerts: AlertFormat) -> Result<Option<RecordConfig>, UsageError> {
    let rotate = args.record_rotate.as_deref().map(values::rotate);
    let rotate = rotate.transpose()?.unwrap_or_default();
    let Some(file) = &args.record else {
        return Ok(None);
    };
    if file.as_os_str() != "-" {
        return Ok(Some(RecordConfig::File(RecordFile {
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
        None => Ok(Some(RecordConfig::Stdout)),
    }
}

fn replay(
    args: ReplayArgs,
    verbosity: Verbosity,
    matches: &ArgMatches,
) -> Result<Replay, UsageError> {
    let times = time_range(args.from, args.to)?;
    // In the foreground a replay is a trial: its operator wants every line of the log.
    let is_trial = io::stderr().is_terminal();
    let (chain, record) = recorded_chain(&args.chain, &args.record, verbosity, matches, is_trial)?;
    Ok(Replay {
        chain,
        record,
        files: at_most_one_stdin(args.files)?,
        filters: filters::replay(&args.filters)?,
        speed: args.speed.as_deref().map(values::speed).transpose()?,
        times,
        listen: listen(&args.listen)?,
    })
}

fn listen(args: &ListenArgs) -> Result<Option<SocketAddr>, UsageError> {
    args.listen.as_deref().map(values::listen).transpose()
}

/// The times of day of `--from` and `--to`.
fn time_range(from: Option<String>, to: Option<String>) -> Result<TimeRange, UsageError> {
    let time = |option, text: &Option<String>| {
        let text = text.as_deref();
        text.map(|text| values::time(option, text)).transpose()
    };
    let times = TimeRange {
        from: time("--from", &from)?,
        to: time("--to", &to)?,
    };
    match (times.from, times.to) {
        (Some(begin), Some(end)) if end <= begin => Err(UsageError::EmptyTimeRange {
            from: from.unwrap_or_default(),
            to: to.unwrap_or_default(),
        }),
        _ => Ok(times),
    }
}

fn inspect(args: InspectArgs) -> Result<Inspect, UsageError> {
    let by = args.by.iter().map(|text| text.parse());
    Ok(Inspect {
        files: at_most_one_stdin(args.files)?,
        by: by.collect::<Result<_, _>>().map_err(UsageError::Grouping)?,
        top: args.top,
        times: time_range(args.from, args.to)?,
        filters: filters::replay(&args.filters)?,
        json: args.json,
    })
}

fn generate(args: GenerateArgs, verbosity: Verbosity) -> Result<Generate, UsageError> {
    Ok(Generate {
        file: args.file,
        events: values::count("--events", &args.events)?,
        connections: values::count("--connections", &args.connections)?,
        seed: args.seed,
        census: args.census.as_deref().map(values::census).transpose()?,
        gaps: args.gaps,
        force: args.force,
        verbosity,
    })
}

/// Returns the files, or an error if standard input (`-`) is more than one of them.
fn at_most_one_stdin(files: Vec<PathBuf>) -> Result<Vec<PathBuf>, UsageError> {
    let stdin = files.iter().filter(|file| file.as_os_str() == "-");
    if stdin.count() > 1 {
        return Err(UsageError::StdinTwice);
    }
    Ok(files)
}

/// Checks the size of the ring. BPF_MAP_TYPE_RINGBUF requires a power of two, and a multiple of the page size.
fn ring_size(size: bytesize::ByteSize) -> Result<u32, UsageError> {
    let page = rustix::param::page_size() as u64;
    let bytes = size.as_u64();
    if !bytes.is_power_of_two() || !(page..=MAX_RING_SIZE).contains(&bytes) {
        return Err(UsageError::RingSize(bytes, page));
    }
    u32::try_from(bytes).map_err(|_| UsageError::RingSize(bytes, page))
}

#[cfg(test)]
mod tests;
