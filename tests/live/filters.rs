//! What filters leave out is not recorded, and counted: each is compared with the output of a host without filters that
//! saw the same retransmits.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use crate::support::Root;
use crate::support::burst::begin_syn_burst;
use crate::support::burst::syn_burst;
use crate::support::bystander::Bystander;
use crate::support::host::Host;
use crate::support::host::Run;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::lab::RECEIVER_V6;
use crate::support::oracle::wait_for_counter;
use crate::support::reconcile::compared;
use crate::support::reconcile::unreconciled;
use crate::support::root_test;

/// A way to attach the probe.
type Start = fn(&Root, &[&str]) -> Result<Host>;

const BTF: Start = Host::start;
const CLASSIC: Start = |root, arguments| {
    let arguments = [&["--attach", "tracepoint"], arguments].concat();
    Host::start_with_tracefs(root, &arguments)
};

/// What a filter is to admit, as a reader of the events would select it.
type Wanted = fn(&Value) -> bool;

/// Filters, each with what it is to admit.
const FILTERS: &[(&str, Wanted)] = &[
    ("-4", |event| event["ipversion"] == 4),
    ("--ipv6", |event| event["ipversion"] == 6),
    ("--peer 10.7.0.0/30", |event| {
        event["destination"]["ip"] == "10.7.0.2"
    }),
    ("--peer ::ffff:10.7.0.2", |event| event["ipversion"] == 4),
    ("--peer 192.0.2.0/24,fd00:7::/64", |event| {
        event["ipversion"] == 6
    }),
    ("--local fd00:7::1 --local 10.8.0.0/16", |event| {
        event["ipversion"] == 6
    }),
    ("--peer 10.7.0.1,fd00:8::/32", |_| false),
    ("--port 5201", |_| true),
    ("--port 40000-40001,40004", |event| {
        matches!(
            event["source"]["port"].as_u64(),
            Some(40_000 | 40_001 | 40_004)
        )
    }),
    ("--local-port 5201", |event| event["source"]["port"] == 5201),
    ("--peer-port 5000-6000", |event| {
        event["destination"]["port"] == 5201
    }),
    ("--kind syn", |event| event["retransmit"]["kind"] == "syn"),
    ("--kind tail-loss-probe,timeout", |event| {
        let kind = &event["retransmit"]["kind"];
        kind == "tail_loss_probe" || kind == "timeout"
    }),
    ("--kind syn_ack", |event| {
        event["retransmit"]["kind"] == "syn_ack"
    }),
    ("--state syn-sent", |event| event["state"] == "SYN_SENT"),
    ("--state established,syn_recv -4", |event| {
        event["ipversion"] == 4 && event["state"] != "SYN_SENT"
    }),
    ("--netns 4026531992", |_| false),
];

/// What identifies a retransmit to all hosts: each has a record of its own.
fn identity(event: &Value) -> String {
    let retransmit = &event["retransmit"];
    format!(
        "{} {} {} {} {}",
        event["source"],
        event["destination"],
        retransmit["kind"],
        retransmit["seq"],
        retransmit["retransmits"]
    )
}

fn identities(events: &[Value], wanted: impl Fn(&Value) -> bool) -> Vec<String> {
    let wanted = events.iter().filter(|event| wanted(event));
    let mut all: Vec<_> = wanted.map(identity).collect();
    all.sort_unstable();
    all
}

/// SYNs, SYN-ACKs, tail loss probes and timeouts, over IPv4 and IPv6.
fn retransmit(lab: &Lab) -> Result<()> {
    lab.tail_loss_probe_and_three_timeouts(RECEIVER_V4)?;
    lab.lose_nothing()?;
    lab.tail_loss_probe_and_three_timeouts(RECEIVER_V6)?;
    lab.lose_nothing()?;
    lab.unanswered_connects(&[RECEIVER_V4.into(), RECEIVER_V6.into(), RECEIVER_V4.into()])?;
    drop(lab.two_syn_acks_again("10.7.0.1".parse()?, "10.7.0.1".parse()?)?);
    Ok(())
}

fn assert_filters(root: &Root, start: Start) -> Result<()> {
    let lab = Lab::new()?;
    let netns = lab.sender.inode().to_string();
    let all = start(root, &["--no-owners"])?;
    let hosts: Vec<_> = FILTERS
        .iter()
        .map(|(filter, _)| {
            let mut arguments = vec!["--no-owners"];
            arguments.extend(filter.split(' '));
            if !filter.contains("--netns") {
                arguments.extend(["--netns", &netns]);
            }
            start(root, &arguments)
        })
        .collect::<Result<_>>()?;
    retransmit(&lab)?;
    // The others ended later: they entered no fewer.
    let all = all.stop()?.retransmits_in(&lab.sender)?;
    assert!(all.len() >= 12, "{all:#?}");
    for ((filter, wanted), host) in FILTERS.iter().zip(hosts) {
        let run = host.stop()?;
        run.ledger.assert_complete();
        let recorded = run.of_type("retransmit")?;
        assert_eq!(
            identities(&recorded, |_| true),
            identities(&all, wanted),
            "{filter}"
        );
        let kernel = &run.ledger.kernel;
        assert_eq!(kernel.get("recorded"), recorded.len() as u64, "{filter}");
        let filtered = kernel.find("filtered").unwrap_or(0);
        assert!(
            filtered >= (all.len() - recorded.len()) as u64,
            "{filter}: {kernel:?}"
        );
        assert_eq!(run.of_type("gap")?, [] as [Value; 0], "{filter}");
        assert_numbered_without_a_gap(&recorded);
    }
    Ok(())
}

/// Checks that what a filter has left out does not look lost.
#[track_caller]
fn assert_numbered_without_a_gap(events: &[Value]) {
    let mut of_cpu: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for event in events {
        let number = |name: &str| event["record"][name].as_u64().expect("it is a number");
        let numbers = of_cpu.entry(number("cpu")).or_default();
        numbers.push(number("cpu_sequence"));
    }
    for (cpu, mut numbers) in of_cpu {
        numbers.sort_unstable();
        let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(numbers, expected, "CPU {cpu}");
    }
}

#[test]
fn root_each_filter_admits_what_it_names() -> Result<()> {
    root_test(|root| assert_filters(root, BTF))
}

#[test]
fn root_each_filter_admits_what_it_names_on_the_classic_tracepoint() -> Result<()> {
    root_test(|root| assert_filters(root, CLASSIC))
}

/// Connections of the burst that is sampled.
const CONNECTIONS: u64 = 400;

/// Number of retransmits of each connection, by its local port.
fn by_connection(events: &[Value]) -> BTreeMap<u64, u64> {
    let mut connections = BTreeMap::new();
    for event in events {
        let port = event["source"]["port"].as_u64().expect("it is a number");
        *connections.entry(port).or_default() += 1;
    }
    connections
}

fn assert_sample(root: &Root, start: Start) -> Result<()> {
    let lab = Lab::new()?;
    let netns = lab.sender.inode().to_string();
    let only = ["--no-owners", "--netns", &netns];
    let all = start(root, &only)?;
    let sample = start(root, &[&only[..], &["--sample", "1/4"]].concat())?;
    let sockets = begin_syn_burst(&lab, CONNECTIONS)?;
    // The limit is read when the timer expires again.
    lab.sender.sysctl("net.ipv4.tcp_syn_retries", "2")?;
    wait_for_counter(&lab.sender, "TcpExtTCPSynRetrans", 2 * CONNECTIONS)?;
    let (all, sample) = (all.stop()?, sample.stop()?);
    drop(sockets);

    all.ledger.assert_complete();
    let all = by_connection(&all.of_type("retransmit")?);
    assert_eq!(all.len() as u64, CONNECTIONS);
    let sampled = by_connection(&sample.of_type("retransmit")?);
    // All retransmits of a connection, or none.
    for (port, retransmits) in &sampled {
        assert_eq!(Some(retransmits), all.get(port), "port {port}");
    }
    // The mean is 100, and the standard deviation 8.7: outside of this once in 10^7 runs.
    assert!((54..=146).contains(&sampled.len()), "{}", sampled.len());
    let kernel = &sample.ledger.kernel;
    let retransmits: u64 = all.values().sum();
    assert_eq!(
        kernel.get("recorded") + kernel.get("sampled_out"),
        retransmits
    );
    sample.ledger.assert_complete();
    Ok(())
}

#[test]
fn root_a_sample_has_all_retransmits_of_a_connection_or_none() -> Result<()> {
    root_test(|root| assert_sample(root, BTF))
}

#[test]
fn root_on_the_classic_tracepoint_a_sample_has_all_retransmits_of_a_connection_or_none()
-> Result<()> {
    root_test(|root| assert_sample(root, CLASSIC))
}

#[test]
fn root_what_exceeds_the_rate_is_lost_and_counted() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let netns = lab.sender.inode().to_string();
        let only = ["--no-owners", "--netns", &netns];
        let host = Host::start(root, &[&only[..], &["--max-rate", "100/s"]].concat())?;
        syn_burst(&lab, CONNECTIONS)?;
        let run = host.stop()?;

        run.ledger.assert_complete();
        let kernel = &run.ledger.kernel;
        let recorded = kernel.get("recorded");
        // At least one second, and in emulation the burst may take two. Each CPU may let one more pass.
        assert!((100..=330).contains(&recorded), "{kernel:?}");
        let limited = kernel.get("rate_limited");
        assert!(limited > 0, "{kernel:?}");
        let gaps = run.of_type("gap")?;
        let lost: u64 = gaps.iter().filter_map(|gap| gap["lost"].as_u64()).sum();
        assert_eq!(lost, limited, "{gaps:?}");
        Ok(())
    })
}

/// A host that compares, and leaves these out.
fn reconciling(root: &Root, filter: &[&str]) -> Result<Host> {
    Host::start(root, &[&["--reconcile"], filter].concat())
}

fn assert_left_out(run: &Run, lab: &Lab, [recorded, left_out, syn]: [u64; 3]) -> Result<()> {
    let counts = compared(run, &lab.sender)?;
    let failed = counts.failed_not_traced();
    assert_eq!(counts.get("RetransSegs"), recorded + left_out + failed);
    assert_eq!(counts.get("segments"), recorded);
    assert_eq!(counts.get("left_out"), left_out);
    assert_eq!(counts.get("missing"), 0);
    assert_eq!(counts.get("TCPSynRetrans"), syn);
    assert_eq!(counts.get("syn"), syn);
    assert_eq!(counts.coverage == "100.00%", failed == 0);
    run.ledger.assert_complete();
    Ok(())
}

#[test]
fn root_what_filters_leave_out_is_compared_with_the_kernels_counters_too() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let later = Lab::new()?;
        let _inside = Bystander::of(&lab.sender)?;
        let hosts = [
            (reconciling(root, &["--kind", "syn"])?, [3, 5, 3]),
            (reconciling(root, &["--kind", "fast", "-4"])?, [5, 3, 3]),
            (reconciling(root, &["--peer-port", "1"])?, [0, 8, 3]),
        ];
        lab.five_fast_retransmits(RECEIVER_V4)?;
        lab.lose_nothing()?;
        lab.unanswered_connects(&[RECEIVER_V4.into(), RECEIVER_V6.into(), RECEIVER_V4.into()])?;
        // A namespace without a process, of which every retransmit is left out by one of the hosts.
        later.five_fast_retransmits(RECEIVER_V6)?;
        for (host, counts) in hosts {
            let run = host.stop()?;
            assert_left_out(&run, &lab, counts)?;
            let why = unreconciled(&run, &later.sender)?;
            assert!(
                why.starts_with("recorded=0 left_out=5 unreconciled"),
                "{why}"
            );
        }
        Ok(())
    })
}
