//! The census on its way: plugins ask for it, captures have it, other users may make it, and namespaces come and go.

use std::io::Write as _;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use anyhow::bail;
use retrans_event::CensusRow;
use socket2::SockRef;

use crate::support::captures::Directory;
use crate::support::captures::assert_same;
use crate::support::captures::replay;
use crate::support::census::CensusHost;
use crate::support::census::exchange;
use crate::support::census::first;
use crate::support::census::rows;
use crate::support::census::sum;
use crate::support::host::Host;
use crate::support::lab;
use crate::support::lab::Lab;
use crate::support::lab::PORT;
use crate::support::lab::RECEIVER_V4;
use crate::support::netns::Namespace;
use crate::support::root_test;

#[test]
fn root_the_ratio_alert_has_the_numbers_of_the_kernel_live_and_in_a_replay() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        // Without --census: the plugin asks for one.
        let directory = Directory::new()?;
        let capture = directory.file("a.rtc");
        let netns = lab.sender.inode().to_string();
        let plugins = [
            "--plugin",
            "ratio-alert",
            "--set",
            "min_segments=20",
            "--set",
            "key=peer,port",
            "--plugin",
            "json-print",
            "--set",
            "census=true",
            "--alerts",
            "json",
        ];
        let record = ["--record", &capture, "--netns", &netns];
        let host = Host::start(root, &[&plugins[..], &record].concat())?;
        let flow = lab.five_fast_retransmits(RECEIVER_V4)?;
        let run = host.stop()?;
        drop(flow);
        let [alert] = &run.of_type("alert")?[..] else {
            bail!("one alert: {:#?}", run.lines);
        };
        let summary =
            "20 % of the segments to 10.7.0.2 of port 5201 were sent again: 5 of 25 in 60s";
        assert_eq!(alert["summary"], summary, "{alert}");
        assert_eq!(alert["labels"]["peer"], "10.7.0.2");
        assert_eq!(alert["labels"]["service_port"], "5201");
        let rows = run.of_type("census")?;
        let sent: u64 = rows.iter().filter_map(|row| row["segments"].as_u64()).sum();
        assert_eq!(sent, 25, "{rows:?}");
        let replayed = replay(&[capture], &plugins)?;
        assert_same(&run.stdout(), &replayed.stdout);
        Ok(())
    })
}

#[test]
fn root_without_a_wish_for_it_there_is_no_census() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let directory = Directory::new()?;
        for (plugins, is_made) in [
            (
                &["--plugin", "json-print", "--set", "census=true"][..],
                false,
            ),
            (&["--plugin", "threshold-alert"], false),
            (&["--plugin", "ratio-alert"], true),
        ] {
            let capture = directory.file("b.rtc");
            let arguments = [plugins, &["--record", &capture, "--force"]].concat();
            let host = Host::start(root, &arguments)?;
            exchange(&mut lab.connect(RECEIVER_V4)?, 2)?;
            let run = host.stop()?;
            assert_eq!(run.ledger.census.is_some(), is_made, "{plugins:?}");
            assert_eq!(!rows(&capture)?.is_empty(), is_made, "{plugins:?}");
        }
        Ok(())
    })
}

#[test]
fn root_a_namespace_that_ends_between_two_censuses_is_counted_until_then() -> Result<()> {
    root_test(|root| {
        let host = CensusHost::start(root, "5m", &[])?;
        let lab = Lab::new()?;
        exchange(&mut lab.connect(RECEIVER_V4)?, 3)?;
        let inode = lab.sender.inode();
        drop(lab);
        let counted = host.stop()?;
        let mut rows = counted.rows;
        rows.retain(|row| u64::from(row.netns_inode) == inode);
        let sum = sum(&rows);
        assert_eq!((sum.opened, first(&sum).0), (1, 3), "{rows:?}");
        Ok(())
    })
}

#[test]
fn root_another_user_with_the_two_capabilities_makes_one() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let netns = lab.sender.inode().to_string();
        let arguments = [
            "--census",
            "1s",
            "--netns",
            &netns,
            "--plugin",
            "json-print",
            "--set",
            "census=true",
        ];
        let host = Host::start_as_other_user(root, &arguments)?;
        let mut flow = lab.connect(RECEIVER_V4)?;
        exchange(&mut flow, 4)?;
        let run = host.stop()?;
        drop(flow);
        let rows = run.of_type("census")?;
        let sum = |field: &str| -> u64 {
            let numbers = rows.iter().filter_map(|row| row[field].as_u64());
            numbers.sum()
        };
        let first = sum("segments") - sum("retransmitted_segments");
        assert_eq!(first, 4, "{rows:?} {:?}", run.stderr);
        Ok(())
    })
}

/// Rows that the kernel keeps (MAX_ROWS in bpf/census_sums.h), and more peers than that.
const MAX_ROWS: u32 = 65_536;
const PEERS: u32 = MAX_ROWS + 1_000;

#[test]
fn root_what_finds_no_row_is_counted_in_one_that_all_share() -> Result<()> {
    root_test(|root| {
        let namespace = Namespace::new()?;
        let inode = namespace.inode();
        let host = CensusHost::start(root, "5m", &["--netns", &inode.to_string()])?;
        let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), PORT);
        let listener = lab::listen(&namespace, any)?;
        // Every address of 127.0.0.0/8 is local.
        let peer = |number| Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + number);
        namespace.enter(|| -> Result<()> {
            for number in 0..PEERS {
                let mut client = TcpStream::connect(SocketAddr::new(peer(number).into(), PORT))?;
                client.write_all(b".")?;
                let (server, _) = listener.accept()?;
                // No TIME-WAIT.
                SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
                drop((client, server));
            }
            Ok(())
        })??;
        let counted = host.stop()?;
        let rows = &counted.rows;
        assert!(rows.iter().all(|row| row.is_complete));
        let (shared, rest): (Vec<CensusRow>, Vec<CensusRow>) =
            rows.iter().copied().partition(|row| row.is_overflow);
        let [shared] = shared[..] else {
            bail!("one row is shared: {shared:?}");
        };
        // One row is that of the listener's side.
        assert_eq!(
            rest.len(),
            MAX_ROWS as usize - 1,
            "the shared row takes one"
        );
        let listeners = IpAddr::from(Ipv4Addr::LOCALHOST);
        let (ours, peers): (Vec<CensusRow>, Vec<CensusRow>) = rest
            .into_iter()
            .partition(|row| row.peer_address == listeners);
        let ours: u64 = ours.iter().map(|row| row.opened).sum();
        let opened: u64 = peers.iter().map(|row| row.opened).sum();
        // The first peer has the address that all connections come from.
        assert_eq!(ours, u64::from(PEERS) + 1);
        assert_eq!(opened + 1 + shared.opened, u64::from(PEERS));
        let mut all = sum(rows);
        all.segments -= all.retransmitted_segments;
        assert_eq!(
            (
                all.opened,
                all.closed,
                all.segments,
                all.bytes - all.retransmitted_bytes
            ),
            (
                2 * u64::from(PEERS),
                2 * u64::from(PEERS),
                u64::from(PEERS),
                u64::from(PEERS)
            )
        );
        let ledger = counted.run.ledger.census.as_ref();
        let beyond = ledger.map(|census| census.get("beyond"));
        assert!(
            beyond.is_some_and(|beyond| beyond >= shared.opened),
            "{beyond:?}"
        );
        counted.run.ledger.assert_complete();
        Ok(())
    })
}
