//! The census on its way: plugins ask for it, captures have it, other users may make it, and namespaces come and go.

use anyhow::Result;
use anyhow::bail;

use crate::support::captures::Directory;
use crate::support::captures::assert_same;
use crate::support::captures::replay;
use crate::support::census::CensusHost;
use crate::support::census::census_test;
use crate::support::census::exchange;
use crate::support::census::first;
use crate::support::census::rows;
use crate::support::census::sum;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;

#[test]
fn root_the_ratio_alert_has_the_numbers_of_the_kernel_live_and_in_a_replay() -> Result<()> {
    census_test(|root| {
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
    census_test(|root| {
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
    census_test(|root| {
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
    census_test(|root| {
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
