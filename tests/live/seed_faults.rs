//! Faults of this program's predecessor, one test each.

use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::process::Stdio;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use rustix::thread::CpuSet;
use rustix::thread::sched_getaffinity;
use rustix::thread::sched_setaffinity;
use serde_json::Value;
use serde_json::json;

use crate::common::refusal::BINARY;
use crate::support::Root;
use crate::support::expect::Window;
use crate::support::expect::timestamp;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::netns::command;
use crate::support::root_test;

/// Five fast retransmits of a connection to `peer`, as events.
fn five_events(root: &Root, lab: &Lab, peer: impl Into<IpAddr>) -> Result<Vec<Value>> {
    let host = Host::start(root, &[])?;
    lab.five_fast_retransmits(peer)?;
    let events = host.stop()?.retransmits_in(&lab.sender)?;
    assert_eq!(events.len(), 5, "{events:#?}");
    Ok(events)
}

/// The predecessor printed the time since boot as if it were the time since 1970.
#[test]
fn root_dates_are_not_in_1970() -> Result<()> {
    root_test(|root| {
        let window = Window::open();
        let events = five_events(root, &Lab::new()?, RECEIVER_V4)?;
        window.assert_holds(&events);
        for pair in events.windows(2) {
            let shown = timestamp(&pair[1]).duration_since(timestamp(&pair[0]))?;
            let [before, after] = [&pair[0], &pair[1]]
                .map(|event| event["record"]["boot_time_ns"].as_u64().unwrap_or_default());
            let measured = Duration::from_nanos(after - before);
            // The kernel may slew the clock in between, by 500 ppm at most.
            assert!(shown.abs_diff(measured) < Duration::from_millis(1));
        }
        Ok(())
    })
}

/// The predecessor read the state together with the padding behind it.
#[test]
fn root_state_is_a_name_not_65536() -> Result<()> {
    root_test(|root| {
        for event in five_events(root, &Lab::new()?, RECEIVER_V4)? {
            assert_eq!(event["state"], "ESTABLISHED", "{event}");
            assert_eq!(event["state_number"], 1, "{event}");
        }
        Ok(())
    })
}

/// The predecessor printed the process on the CPU as the owner: mostly 0, the idle task.
#[test]
fn root_pid_is_that_of_who_holds_the_socket_not_0() -> Result<()> {
    root_test(|root| {
        for event in five_events(root, &Lab::new()?, RECEIVER_V4)? {
            assert_eq!(event["pid"], std::process::id(), "{event}");
        }
        Ok(())
    })
}

/// The predecessor read the buffer of one CPU only.
#[test]
fn root_events_of_every_cpu_arrive() -> Result<()> {
    root_test(|root| {
        let allowed = sched_getaffinity(None)?;
        let cpus: Vec<usize> = (0..CpuSet::MAX_CPU)
            .filter(|cpu| allowed.is_set(*cpu))
            .collect();
        let labs = cpus
            .iter()
            .map(|_| Lab::new())
            .collect::<Result<Vec<_>>>()?;
        let host = Host::start(root, &[])?;
        thread::scope(|scope| {
            let senders: Vec<_> = cpus
                .iter()
                .zip(&labs)
                .map(|(cpu, lab)| scope.spawn(|| retransmit_on(*cpu, lab)))
                .collect();
            senders
                .into_iter()
                .try_for_each(|sender| sender.join().expect("a sender does not panic"))
        })?;
        let run = host.stop()?;
        for (cpu, lab) in cpus.iter().zip(&labs) {
            let events = run.retransmits_in(&lab.sender)?;
            let seen: Vec<&Value> = events.iter().map(|event| &event["record"]["cpu"]).collect();
            assert_eq!(seen, vec![&json!(cpu); 5]);
        }
        run.ledger.assert_complete();
        Ok(())
    })
}

/// Five fast retransmits on this CPU: packets are processed where they are sent, and timers run there
/// while the CPU is not idle.
fn retransmit_on(cpu: usize, lab: &Lab) -> Result<()> {
    let mut only = CpuSet::new();
    only.set(cpu);
    // Threads that are started here inherit the affinity.
    sched_setaffinity(None, &only).with_context(|| format!("cannot run on CPU {cpu}"))?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                thread::yield_now();
            }
        });
        let result = lab.five_fast_retransmits(RECEIVER_V4);
        done.store(true, Ordering::Relaxed);
        result.map(|_| ())
    })
}

/// The predecessor printed groups of an IPv6 address without their zeros.
#[test]
fn root_ipv6_addresses_are_canonical() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let address: Ipv6Addr = "fd00:7:0:0:a0b:0:0:c".parse()?;
        lab.receiver
            .run(&format!("ip address add {address}/128 dev to-sender nodad"))?;
        lab.wait_for_link(address)?;
        for event in five_events(root, &lab, address)? {
            // RFC 5952: the first of two equal runs of zeros is left out, no group has leading zeros.
            assert_eq!(event["source"]["ip"], "fd00:7::1", "{event}");
            assert_eq!(event["destination"]["ip"], "fd00:7::a0b:0:0:c", "{event}");
        }
        Ok(())
    })
}

/// The predecessor printed the IPv4 addresses of a dual-stack socket as `::ffff:a.b.c.d`.
#[test]
fn root_ipv4_of_a_dual_stack_socket_is_ipv4() -> Result<()> {
    root_test(|root| {
        for event in five_events(root, &Lab::new()?, RECEIVER_V4.to_ipv6_mapped())? {
            assert_eq!(event["socket"]["family"], 10, "an IPv6 socket: {event}");
            assert_eq!(event["ipversion"], 4, "{event}");
            assert_eq!(event["source"]["ip"], "10.7.0.1", "{event}");
            assert_eq!(event["destination"]["ip"], "10.7.0.2", "{event}");
        }
        Ok(())
    })
}

/// The predecessor was compiled against the headers of one kernel.
#[test]
fn root_fields_are_found_in_the_types_of_the_running_kernel() -> Result<()> {
    root_test(|root| {
        // With -vv libbpf logs where it found each field.
        let run = Host::start(root, &["-vv"])?.stop()?;
        for field in [
            "sock.__sk_common.skc_state",
            "sk_buff.len",
            "tcp_skb_cb.seq",
            "tcp_sock.srtt_us",
        ] {
            let found = format!("struct {field} (");
            let mut lines = run.stderr.iter();
            assert!(
                lines.any(|line| line.contains("matching candidate") && line.contains(&found)),
                "{field}: {:#?}",
                run.stderr
            );
        }
        Ok(())
    })
}

/// The predecessor panicked on every error.
#[test]
fn root_an_error_is_one_line_and_no_panic() -> Result<()> {
    root_test(|_| {
        // A mount namespace without the mounts that the classic tracepoint needs.
        let hide_tracefs = "for at in /sys/kernel/tracing /sys/kernel/debug; do \
        test ! -d $at || mount -t tmpfs none $at || exit; done; exec \"$0\" \"$@\"";
        let output = command("unshare")
            .args(["--mount", "sh", "-c", hide_tracefs, BINARY])
            .args(["--attach", "tracepoint"])
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .output()?;
        let stderr = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains("tracefs is not mounted"), "{stderr}");
        assert!(output.stdout.is_empty());
        Ok(())
    })
}
