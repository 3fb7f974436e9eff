//! Records the files of `tests/captures/` again, as root and on request alone:
//! `UPDATE_CAPTURES=1 cargo test --workspace --test live captures::`. Only this module: it renames the
//! process.

use std::env;
use std::fs;
use std::fs::File;
use std::io::BufReader;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use retrans_event::Event;
use retrans_host::capture::Head;
use retrans_host::capture::Host as About;
use retrans_host::capture::Reader;
use retrans_host::capture::Writer;
use retrans_host::stream::batch::Batch;
use retrans_host::stream::batch::Item;

use crate::support::Root;
use crate::support::captures::Directory;
use crate::support::host::Host;
use crate::support::lab::HAS_PAYLOAD;
use crate::support::lab::Lab;
use crate::support::lab::PORT;
use crate::support::lab::RECEIVER_V4;
use crate::support::lab::RECEIVER_V6;
use crate::support::lab::SENDER_V4;
use crate::support::oracle::wait_for_counter;
use crate::support::root_test_alone;

/// Where the captures are.
const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures");

/// The shortest recording: some marks must be in it.
const MIN_LENGTH: Duration = Duration::from_secs(3);

#[test]
fn root_captures_are_recorded_anew_where_that_is_asked_for() -> Result<()> {
    if env::var_os("UPDATE_CAPTURES").is_none_or(|value| value != "1") {
        return Ok(());
    }
    root_test_alone(|root| {
        // This process owns every connection, and the captures have its name.
        fs::write("/proc/self/comm", "lab")?;
        record(root, "fast", |lab| lab.five_fast_retransmits(RECEIVER_V4))?;
        record(root, "tail_loss_probe", |lab| {
            lab.tail_loss_probe_alone(RECEIVER_V6)
        })?;
        record(root, "timeout", |lab| lab.three_timeouts(RECEIVER_V4))?;
        record(root, "loss_recovery", |lab| {
            lab.timeout_and_three_in_slow_start(RECEIVER_V6)
        })?;
        record(root, "syn", |lab| {
            lab.unanswered_connects(&[RECEIVER_V4.into(), RECEIVER_V6.into()])
        })?;
        record(root, "syn_ack", |lab| {
            let server = SENDER_V4.into();
            lab.two_syn_acks_again(server, server)
        })?;
        record(root, "failed", |lab| {
            let fault = "ip route del 10.7.0.0/24";
            let repair = "ip route add 10.7.0.0/24 dev to-receiver";
            lab.attempts_in_vain(RECEIVER_V4, &[fault], &[repair])
        })?;
        record(root, "orphan", orphan)
    })
}

/// One segment that is lost: retransmitted twice, then its socket is closed, and it is retransmitted
/// twice more.
fn orphan(lab: &Lab) -> Result<TcpStream> {
    lab.sender.sysctl("net.ipv4.tcp_orphan_retries", "12")?;
    let mut flow = lab.connect(RECEIVER_V4)?;
    lab.lose(&format!("tcp dport {PORT} {HAS_PAYLOAD}"))?;
    flow.send_segment()?;
    wait_for_counter(&lab.sender, "TcpRetransSegs", 2)?;
    drop(flow.client);
    wait_for_counter(&lab.sender, "TcpRetransSegs", 4)?;
    Ok(flow.server)
}

/// The sockets stay open until the host has ended: it looks for owners after the events.
fn record<T>(root: &Root, name: &str, recipe: impl FnOnce(&Lab) -> Result<T>) -> Result<()> {
    let directory = Directory::new()?;
    let capture = directory.file("live.rtc");
    let lab = Lab::new()?;
    let host = Host::start(root, &["--record", &capture])?;
    let begin = Instant::now();
    let sockets = recipe(&lab).with_context(|| name.to_owned())?;
    thread::sleep(MIN_LENGTH.saturating_sub(begin.elapsed()));
    let run = host.stop()?;
    drop(sockets);
    run.ledger.assert_complete();
    let to = Path::new(CAPTURES).join(name).with_extension("rtc");
    copy_anonymous(&capture, &to, lab.sender.inode())
}

/// Copies a capture without what identifies the machine: the host's name, the vendor's kernel version,
/// containers, and retransmits of other namespaces.
fn copy_anonymous(from: &str, to: &Path, namespace: u64) -> Result<()> {
    let mut reader = Reader::new(BufReader::new(File::open(from)?))?;
    let host = reader.head().host.clone().context("a host recorded it")?;
    let release = host.kernel.split('-').next().unwrap_or_default();
    let host = About {
        name: "lab".to_owned(),
        kernel: release.to_owned(),
        boot_id: "00000000-0000-0000-0000-000000000000".to_owned(),
        ..host
    };
    let head = Head::new(Some(host), reader.head().begun.clone());
    let mut writer = Writer::new(File::create(to)?, &head)?;
    while let Some(mut item) = reader.item(Batch::new)? {
        if let Item::Events(batch) = &mut item {
            let inodes: Vec<_> = batch.events().map(Event::netns_inode).collect();
            batch.retain(|event| inodes[event].is_some_and(|inode| u64::from(inode) == namespace));
            batch.labels.clear();
            ensure!(batch.lost == 0, "events were lost");
            if batch.is_empty() {
                continue;
            }
        }
        writer.item(&item)?;
    }
    writer.finish()?;
    Ok(())
}
