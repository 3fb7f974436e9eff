//! Measures what a run of the probe costs, from the kernel's statistics of BPF programs: as a multiple of an empty
//! program, beside a program with the few fields of bcc's tcpretrans, with and without filters.
//!
//! The parts of the probe are measured without a host: with no part it counts and reserves a record, and each further row
//! has one part more. Their records are not read, so that none of them wakes a reader.
//!
//! Each subject is measured beside the two others, which see the same events. In every second round it is attached after
//! them: the first program of a tracepoint pays for the memory that is not in the cache. Without root it prints that it
//! was skipped.

use std::collections::BTreeMap;
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use libbpf_rs::Link;
use libbpf_rs::skel::OpenSkel as _;
use libbpf_rs::skel::SkelBuilder as _;

mod bpf_statistics;
#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/live/support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with the tests, which use the rest"
)]
mod live;

/// `bpf/baseline.bpf.c`.
#[allow(
    missing_docs,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used
)]
mod baseline {
    include!(concat!(env!("OUT_DIR"), "/baseline.skel.rs"));
}

use baseline::BaselineSkelBuilder;
use bpf_statistics::enable_statistics;
use bpf_statistics::programs_of;
use live::Root;
use live::burst;
use live::host::Host;
use live::lab::Flow;
use live::lab::HAS_PAYLOAD;
use live::lab::Lab;
use live::lab::PORT;
use live::lab::RECEIVER_V4;
use retrans_host::source::bpf::retrans::RetransSkel;
use retrans_host::source::bpf::retrans::RetransSkelBuilder;

/// Rounds of each kind of traffic.
const ROUNDS: usize = 6;
/// Hot: connections with timeouts after 5 ms, 10 ms and so on.
const SOCKETS: usize = 60;
const TIMEOUTS_FOR: Duration = Duration::from_millis(1_500);
/// Cold: connections whose SYN is sent again, all within some tenths of a second.
const CONNECTIONS: u64 = 9_000;

/// What is measured beside the baseline.
#[derive(Clone, Copy)]
enum Subject {
    /// A host with these arguments.
    Host(&'static [&'static str]),
    /// The probe alone, with these parts of the record (`enum retrans_part` in bpf/fill_record.h).
    Parts(u32),
}

const SUBJECTS: &[(&str, Subject)] = &[
    ("host", Subject::Host(&[])),
    (
        "host, classic tracepoint",
        Subject::Host(&["--attach", "tracepoint"]),
    ),
    ("host, --port admits", Subject::Host(&["--port", "5201"])),
    (
        "host, --peer admits",
        Subject::Host(&["--peer", "10.0.0.0/8"]),
    ),
    ("host, -6 leaves out", Subject::Host(&["-6"])),
    (
        "host, --kind leaves out",
        Subject::Host(&["--kind", "unknown"]),
    ),
    ("probe, an empty record", Subject::Parts(0)),
    ("  and addresses", Subject::Parts(0b1)),
    ("  and segment", Subject::Parts(0b11)),
    ("  and connection", Subject::Parts(0b111)),
    ("  and origin", Subject::Parts(0b1111)),
    ("  and owner", Subject::Parts(0b1_1111)),
];

/// Bytes of the ring of a probe without a host: room for all events of a round.
const RING: u32 = 16 << 20;

/// The statistics of one or several programs: time in ns and number of their runs.
#[derive(Debug, Clone, Copy, Default)]
struct Runs {
    time_ns: u64,
    count: u64,
}

/// Programs that are attached, with the files of their statistics.
struct Attached {
    name: &'static str,
    statistics: Vec<PathBuf>,
    /// Keeps them attached.
    _owner: Owner,
}

#[allow(dead_code, reason = "held until it is dropped")]
enum Owner {
    Links(Vec<Link>),
    Probe(Box<RetransSkel<'static>>, Link),
    Host(Box<Host>),
}

fn main() -> Result<()> {
    // `cargo test` also starts benchmarks, without arguments: they return at once.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let root = match Root::of_this_process() {
        Ok(root) => root,
        Err(reason) => {
            eprintln!("skipped: {reason}");
            return Ok(());
        }
    };
    let _statistics = enable_statistics()?;
    measure(
        &root,
        "hot: repeated timeouts of 60 sockets",
        repeated_timeouts,
    )?;
    measure(&root, "cold: a burst of 9,000 SYNs", |lab| {
        burst::syn_burst(lab, CONNECTIONS)
    })
}

fn measure(root: &Root, traffic: &str, make: impl Fn(&Lab) -> Result<()>) -> Result<()> {
    let mut rounds: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for round in 0..ROUNDS {
        for (name, subject) in SUBJECTS {
            let lab = Lab::new()?;
            let programs = attach(root, name, *subject, round)?;
            let before: Vec<Runs> = programs.iter().map(Runs::of).collect::<Result<_>>()?;
            make(&lab)?;
            for (attached, before) in programs.iter().zip(before) {
                let after = Runs::of(attached)?;
                let runs = after.count - before.count;
                ensure!(runs > 0, "{} did not run", attached.name);
                let each = (after.time_ns - before.time_ns) as f64 / runs as f64;
                rounds.entry(attached.name).or_default().push(each);
            }
        }
    }
    println!("{traffic}, {ROUNDS} rounds       median ns    spread ns   × empty");
    let median = |times: &[f64]| times[times.len() / 2];
    for times in rounds.values_mut() {
        times.sort_by(f64::total_cmp);
    }
    let empty = rounds.get("empty").map_or(1.0, |times| median(times));
    let names = ["empty", "few fields"].into_iter();
    for name in names.chain(SUBJECTS.iter().map(|(name, _)| *name)) {
        let times = rounds.get(name).context("it was measured")?;
        println!(
            "  {name:<28} {:>10.0} {:>7.0}-{:<7.0} {:>6.2}",
            median(times),
            times[0],
            times[times.len() - 1],
            median(times) / empty
        );
    }
    Ok(())
}

/// Attaches a subject beside the baseline: before it, and in the next round after it.
fn attach(
    root: &Root,
    name: &'static str,
    subject: Subject,
    round: usize,
) -> Result<Vec<Attached>> {
    let attach_subject = || match subject {
        Subject::Host(arguments) => attach_host(root, name, arguments),
        Subject::Parts(parts) => attach_parts(name, parts),
    };
    let mut all = Vec::new();
    if round.is_multiple_of(2) {
        all.push(attach_subject()?);
        all.extend(attach_baseline()?);
    } else {
        all.extend(attach_baseline()?);
        all.push(attach_subject()?);
    }
    Ok(all)
}

/// Attaches the probe without a host.
fn attach_parts(name: &'static str, parts: u32) -> Result<Attached> {
    let storage = Box::leak(Box::new(MaybeUninit::uninit()));
    let mut open = RetransSkelBuilder::default().open(storage)?;
    let rodata = open.maps.rodata_data.as_deref_mut();
    rodata.context("the probe has constants")?.parts = parts;
    open.maps.events.set_max_entries(RING)?;
    for mut program in open.open_object_mut().progs_mut() {
        let is_measured = program.name() == "btf_retransmit_skb";
        program.set_autoload(is_measured);
    }
    let mut skel = open.load()?;
    let variables = skel.maps.bss_data.as_deref_mut();
    variables.context("the probe has variables")?.is_recording = 1;
    let program = &skel.progs.btf_retransmit_skb;
    let fd = program.as_fd().as_raw_fd();
    let link = program.attach()?;
    Ok(Attached {
        name,
        statistics: vec![format!("/proc/self/fdinfo/{fd}").into()],
        _owner: Owner::Probe(Box::new(skel), link),
    })
}

fn attach_host(root: &Root, name: &'static str, arguments: &[&str]) -> Result<Attached> {
    let arguments = [&["--no-owners"], arguments].concat();
    let host = if arguments.contains(&"tracepoint") {
        Host::start_with_tracefs(root, &arguments)?
    } else {
        Host::start(root, &arguments)?
    };
    let statistics = programs_of(host.pid())?;
    Ok(Attached {
        name,
        statistics,
        _owner: Owner::Host(Box::new(host)),
    })
}

fn attach_baseline() -> Result<[Attached; 2]> {
    let storage = Box::leak(Box::new(MaybeUninit::uninit()));
    let skel = BaselineSkelBuilder::default().open(storage)?.load()?;
    let attached = |name, program: &libbpf_rs::ProgramMut<'_>| -> Result<Attached> {
        let fd = program.as_fd().as_raw_fd();
        Ok(Attached {
            name,
            statistics: vec![format!("/proc/self/fdinfo/{fd}").into()],
            _owner: Owner::Links(vec![program.attach()?]),
        })
    };
    let empty = attached("empty", &skel.progs.empty)?;
    let few_fields = attached("few fields", &skel.progs.few_fields)?;
    // The descriptors of the programs stay open until the process ends.
    std::mem::forget(skel);
    Ok([empty, few_fields])
}

impl Runs {
    fn of(attached: &Attached) -> Result<Runs> {
        let mut sum = Runs::default();
        for path in &attached.statistics {
            let info = fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let value = |name: &str| {
                let found = info.lines().find_map(|line| line.strip_prefix(name));
                found.and_then(|value| value.trim().parse::<u64>().ok())
            };
            sum.time_ns += value("run_time_ns:").context("a program has this")?;
            sum.count += value("run_cnt:").context("a program has this")?;
        }
        Ok(sum)
    }
}

/// Connections that are cut off after one segment: their timers expire again and again.
fn repeated_timeouts(lab: &Lab) -> Result<()> {
    lab.sender
        .run("ip route replace 10.7.0.0/24 dev to-receiver rto_min 5ms")?;
    let mut flows: Vec<Flow> = (0..SOCKETS)
        .map(|_| lab.connect(RECEIVER_V4))
        .collect::<Result<_>>()?;
    lab.lose(&format!("tcp dport {PORT} {HAS_PAYLOAD}"))?;
    for flow in &mut flows {
        flow.send_segment()?;
    }
    thread::sleep(TIMEOUTS_FOR);
    lab.lose_nothing()
}
