//! Parses and checks the command line, and converts it to a [`Config`]. No other module uses clap.

mod args;
mod capture_args;
mod config_file;
mod crate_name;
mod examples;
mod export;
mod filters;
#[cfg(feature = "fleet")]
mod fleet;
mod hint;
mod inputs;
mod limits;
mod manual;
mod plugin_args;
mod plugin_new;
mod plugins;
mod publish;
mod report;
mod run_args;
mod runs;
mod settings_file;
mod sinks;
mod top;
mod usage_error;
mod values;
mod verify_key;

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::process;

use clap::Arg;
use clap::ArgMatches;
use clap::CommandFactory as _;
use clap::FromArgMatches as _;
use clap::parser::ValueSource;

use self::args::CheckArgs;
use self::args::Cli;
use self::args::Command;
use self::args::CompileArgs;
use self::args::ConfigArgs;
use self::args::ConfigCommand;
use self::args::DemoArgs;
use self::args::FootprintArgs;
use self::args::VerbosityArgs;
use self::config_file::Layered;
pub use self::usage_error::UsageError;
use crate::config::Check;
use crate::config::Config;
use crate::config::Demo;
use crate::config::Reread;
use crate::config::Verbosity;
use crate::config::Watch;
use crate::plugin::StartError;
use crate::plugin::spec::settings::SettingsError;
use crate::system::sanitize::clean_lines;
use crate::system::stdio;
use crate::system::stdio::Priority;

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
    runs::watch(cli.watch, verbosity(&cli.verbosity), matches)
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
        None => runs::watch(cli.watch, verbosity, matches).map(Config::Watch),
        Some(Command::Replay(args)) => runs::replay(*args, verbosity, matches).map(Config::Replay),
        #[cfg(feature = "fleet")]
        Some(Command::Consume(args)) => {
            fleet::consume(*args, verbosity, matches).map(Config::Consume)
        }
        #[cfg(feature = "fleet")]
        Some(Command::Fleet(args)) => fleet::fleet(args, verbosity).map(Config::Fleet),
        Some(Command::Generate(args)) => runs::generate(args, verbosity).map(Config::Generate),
        Some(Command::Export(args)) => export::config(*args, verbosity).map(Config::Export),
        Some(Command::Inspect(args)) => runs::inspect(*args).map(Config::Inspect),
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
        Some(Command::Demo(DemoArgs { dir })) => Ok(Config::Demo(Demo {
            directory: dir,
            verbosity,
        })),
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
        true => stdio::print_at(Priority::Error, &clean_lines(&text.to_string())),
        false => stdio::print_at(Priority::Error, &text.ansi().to_string()),
    }
    process::exit(error.exit_code())
}

#[cfg(test)]
mod tests;
