//! The command line of `report`.

use std::path::PathBuf;

use clap::ArgMatches;
use clap::Args;
use clap::Command;
use clap::parser::ValueSource;

use super::filters;
use super::filters::FilterArgs;
use super::inputs::Reading;
use super::inputs::TimeArgs;
use super::inputs::at_most_one_stdin;
use super::inputs::input;
use super::inputs::inputs;
use super::inputs::refuse_without_broker;
use super::plugins;
use super::plugins::ChainOptions;
use super::publish::BrokerArgs;
use super::usage_error::UsageError;
use crate::config::ChainConfig;
use crate::config::LinesTo;
use crate::config::Network;
use crate::config::Report;
use crate::config::Reported;
use crate::config::Verbosity;

/// The files to report on, the part of them, and the output.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Captures, or files of JSON lines as json-print writes them, the oldest first. - is standard input. Or the broker
    /// of a fleet: nats://a:4222,nats://b:4222, or tls:// with encryption
    ///
    /// Of a broker, the report is about what all hosts have published, from the oldest message, or from --since or
    /// --from, to the last one; consumers are not disturbed.
    #[arg(
        value_name = "FILE",
        required_unless_present = "compare",
        conflicts_with = "compare"
    )]
    pub files: Vec<PathBuf>,

    /// Tells what has changed between two captures, and how certain that is
    ///
    /// Ratios are from the censuses of both, else rates are compared, and marked as such. The method is a block bootstrap
    /// over blocks of 10 s; with fewer than 30 blocks it is too short to say.
    #[arg(long, value_names = ["BEFORE", "AFTER"], num_args = 2)]
    pub compare: Option<Vec<PathBuf>>,

    /// Writes to this file, which appears once it is complete. - is standard output, as is no option if that is a pipe
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Overwrites the file of --output if it exists
    #[arg(long, requires = "output")]
    pub force: bool,

    /// Passes the events through this plugin as well, and lists the alerts that it raises. Repeatable, as in a replay
    ///
    /// The report is about all events that were read: what a plugin drops, changes or prints has no effect on it.
    #[arg(
        short,
        long = "plugin",
        value_name = "[NAME=]FILE",
        conflicts_with = "compare"
    )]
    pub plugins: Vec<String>,

    /// Sets a setting of the plugin named just before it, such as --set threshold=50. Repeatable
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,

    /// Reads settings of the plugin named just before it from a file: TOML, or JSON if its name ends in .json
    #[arg(long = "settings", value_name = "FILE")]
    pub settings_files: Vec<PathBuf>,

    /// Sets limits of the plugin named just before it
    #[arg(long = "limit", value_name = "KEY=VALUE,...")]
    pub limits: Vec<String>,

    /// Grants the plugin named just before it a variable (env=NAME) or files (read=DIR). Repeatable
    #[arg(long = "allow", value_name = "GRANT")]
    pub allow: Vec<String>,

    /// Runs the plugin named just before it only if this key has signed its file. Before the first plugin it applies to
    /// all plugins. Repeatable
    #[arg(long = "verify-key", value_name = "KEY", value_hint = clap::ValueHint::FilePath)]
    pub verify_keys: Vec<String>,

    /// The times of the events.
    #[command(flatten)]
    pub times: TimeArgs,

    /// How a broker is reached.
    #[command(flatten)]
    pub broker: BrokerArgs,

    /// The filters.
    #[command(flatten)]
    pub filters: FilterArgs,
}

/// The configuration of a report. `matches` are those of the command.
pub fn config(
    args: ReportArgs,
    verbosity: Verbosity,
    matches: &ArgMatches,
) -> Result<Report, UsageError> {
    let selection = selection(matches);
    let options = ChainOptions {
        is_trial: true,
        plugins: &args.plugins,
        settings: &args.settings,
        settings_files: &args.settings_files,
        settings_json: &[],
        limits: &args.limits,
        allow: &args.allow,
        verify_keys: &args.verify_keys,
        on_fault: Vec::new(),
    };
    // Also without a plugin: an option that no plugin precedes is an error.
    let plugins = plugins::plugins(&options, matches)?;
    let chain = (!args.plugins.is_empty()).then(|| ChainConfig {
        plugins,
        is_default: false,
        reread: None,
        watch_files: false,
        lines: LinesTo::Discard,
        json_alerts: false,
        sinks: Vec::new(),
        network: Network::default(),
        count: None,
        duration: None,
        stats_every: None,
        verbosity,
    });
    let times = args.times.range()?;
    let reading = Reading::of(times);
    let compare = args.compare.map(at_most_one_stdin).transpose()?;
    let what = match compare.as_deref() {
        Some([before, after]) => {
            let [before, after] =
                [before, after].map(|file| input(file.clone(), reading, &args.broker));
            let (before, after) = (before?, after?);
            refuse_without_broker(&[before.clone(), after.clone()], &args.broker)?;
            Reported::Compare { before, after }
        }
        _ => {
            let inputs = inputs(args.files, reading, &args.broker)?;
            refuse_without_broker(&inputs, &args.broker)?;
            Reported::Inputs {
                inputs,
                chain: chain.map(Box::new),
            }
        }
    };
    Ok(Report {
        what,
        output: args.output.filter(|file| file.as_os_str() != "-"),
        force: args.force,
        times,
        filters: filters::replay(&args.filters)?,
        selection,
        verbosity,
    })
}

/// The filters and times that were given, in words: each option with its values.
fn selection(matches: &ArgMatches) -> Vec<(String, String)> {
    let filters = FilterArgs::augment_args(Command::new("filters"));
    let filters = filters
        .get_arguments()
        .map(|argument| argument.get_id().to_string());
    let ids = filters.chain(["from", "since", "to"].map(str::to_owned));
    let given = ids.filter(|id| {
        let source = matches
            .try_contains_id(id)
            .map(|_| matches.value_source(id));
        source.ok().flatten() == Some(ValueSource::CommandLine)
    });
    let words = given.map(|id| {
        let values = matches.get_raw(&id).into_iter().flatten();
        let values: Vec<_> = values
            .map(|value| value.to_string_lossy().into_owned())
            .collect();
        let values = match values.as_slice() {
            // A flag.
            [value] if value == "true" => String::new(),
            values => values.join(","),
        };
        (format!("--{}", id.replace('_', "-")), values)
    });
    words.collect()
}
