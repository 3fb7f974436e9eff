//! The configuration of runs, of what makes recorded events, and of what reads them, from their options.

use std::io;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::absolute;

use clap::ArgMatches;

use super::capture_args::GenerateArgs;
use super::capture_args::InspectArgs;
use super::filters;
use super::inputs::Reading;
use super::inputs::at_most_one_stdin;
use super::inputs::inputs;
use super::inputs::reads_broker;
use super::plugins;
use super::plugins::ChainOptions;
use super::publish;
use super::run_args::AlertFormat;
use super::run_args::ChainArgs;
use super::run_args::ListenArgs;
use super::run_args::RecordArgs;
use super::run_args::ReplayArgs;
use super::run_args::WatchArgs;
use super::sinks;
use super::usage_error::UsageError;
use super::values;
use crate::config::ChainConfig;
use crate::config::ExistingFile;
use crate::config::Generate;
use crate::config::Inspect;
use crate::config::LinesTo;
use crate::config::RecordConfig;
use crate::config::RecordFile;
use crate::config::Replay;
use crate::config::SinkConfig;
use crate::config::Verbosity;
use crate::config::Watch;
use crate::system::privileges::User;

/// Maximum size of the ring in bytes. The kernel's own limit is 2 GiB.
const MAX_RING_SIZE: u64 = 1 << 30;

/// The configuration of the chain. `is_trial`: every line of plugins' logs is wanted.
pub(super) fn chain(
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
        verify_keys: &args.verify_keys,
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

/// Of watching.
pub(super) fn watch(
    args: WatchArgs,
    verbosity: Verbosity,
    matches: &ArgMatches,
) -> Result<Watch, UsageError> {
    let (mut chain, mut record) =
        recorded_chain(&args.chain, &args.record, verbosity, matches, false)?;
    // What was seen live cannot be seen again, and a service that was killed has to go on.
    if let Some(RecordConfig::File(record)) = &mut record
        && record.existing == ExistingFile::Refuse
    {
        record.existing = ExistingFile::MoveAside;
    }
    let publish = publish::publish(&args.publish, false)?;
    publish_alone(&mut chain, publish.is_some());
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
        publish,
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

/// A host that publishes, and has no plugin of its own, prints no lines.
fn publish_alone(chain: &mut ChainConfig, publishes: bool) {
    if publishes && chain.is_default {
        plugins::pass_on(chain);
        chain.is_default = false;
        chain.lines = LinesTo::Discard;
    }
}

/// The configuration of the chain and of the recording.
pub(super) fn recorded_chain(
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
            existing: match args.force {
                true => ExistingFile::Replace,
                false => ExistingFile::Refuse,
            },
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

/// Of a replay.
pub(super) fn replay(
    args: ReplayArgs,
    verbosity: Verbosity,
    matches: &ArgMatches,
) -> Result<Replay, UsageError> {
    let times = args.times.range()?;
    let reading = Reading {
        follows: args.follow,
        ..Reading::of(times)
    };
    let inputs = inputs(args.files, reading, &args.publish.broker)?;
    let reads_broker = reads_broker(&inputs);
    if args.follow && !reads_broker {
        return Err(UsageError::FollowFiles);
    }
    if reads_broker && args.publish.publish.is_some() {
        return Err(UsageError::PublishedAgain);
    }
    // In the foreground a replay is a trial: its operator wants every line of the log.
    let is_trial = io::stderr().is_terminal();
    let (mut chain, record) =
        recorded_chain(&args.chain, &args.record, verbosity, matches, is_trial)?;
    let mut publish = publish::publish(&args.publish, reads_broker)?;
    let wait = values::duration("--publish-wait", &args.publish_wait)?;
    publish.iter_mut().for_each(|publish| publish.wait = wait);
    publish_alone(&mut chain, publish.is_some());
    Ok(Replay {
        chain,
        record,
        publish,
        inputs,
        filters: filters::replay(&args.filters)?,
        speed: args.speed.as_deref().map(values::speed).transpose()?,
        times,
        listen: listen(&args.listen)?,
    })
}

/// The address of `--listen`.
pub(super) fn listen(args: &ListenArgs) -> Result<Option<SocketAddr>, UsageError> {
    args.listen.as_deref().map(values::listen).transpose()
}

/// Of a summary.
pub(super) fn inspect(args: InspectArgs) -> Result<Inspect, UsageError> {
    let by = args.by.iter().map(|text| text.parse());
    Ok(Inspect {
        files: at_most_one_stdin(args.files)?,
        by: by.collect::<Result<_, _>>().map_err(UsageError::Grouping)?,
        top: args.top,
        times: args.times.range()?,
        filters: filters::replay(&args.filters)?,
        json: args.json,
    })
}

/// Of a synthetic capture.
pub(super) fn generate(args: GenerateArgs, verbosity: Verbosity) -> Result<Generate, UsageError> {
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

/// Checks the size of the ring. BPF_MAP_TYPE_RINGBUF requires a power of two, and a multiple of the page size.
fn ring_size(size: bytesize::ByteSize) -> Result<u32, UsageError> {
    let page = rustix::param::page_size() as u64;
    let bytes = size.as_u64();
    if !bytes.is_power_of_two() || !(page..=MAX_RING_SIZE).contains(&bytes) {
        return Err(UsageError::RingSize(bytes, page));
    }
    u32::try_from(bytes).map_err(|_| UsageError::RingSize(bytes, page))
}
