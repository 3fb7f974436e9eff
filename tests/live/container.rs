//! For an owner in a container, the event names the container and its pod; a host in a container with a
//! time namespace reports the same times and owners as one outside.

use anyhow::Result;

use crate::support::Root;
use crate::support::container::Container;
use crate::support::expect::Window;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::owners::AT_RECEIVER;
use crate::support::owners::Identity;
use crate::support::owners::accept;
use crate::support::owners::events_in;
use crate::support::owners::let_answers_expire;
use crate::support::owners::listen;
use crate::support::owners::lose_a_segment;
use crate::support::processes::Process;
use crate::support::reconcile::compared;
use crate::support::root_test;

const POD: &str = "1f3c5b7a-0d2e-4c6b-8a9f-123456789abc";

/// Becomes a program in a new time namespace, whose boot time is `$0` seconds ahead of the kernel's. The program itself
/// must join it, and keep its process number: another process makes the namespace, and ends with the program. Before
/// 6.3, a process that has unshared its time cannot start threads.
const AHEAD_BY: &str = r#"
setpriv --pdeathsig KILL unshare --time --boottime "$0" --fork --kill-child sleep 600 >/dev/null 2>&1 &
maker=$!
until child=$(cat /proc/$maker/task/$maker/children) && [ -n "$child" ]; do sleep 0.01; done
exec nsenter --time=/proc/${child% }/ns/time "$@"
"#;

#[test]
fn root_in_a_time_namespace_dates_owners_windows_and_counters_are_those_of_the_machine()
-> Result<()> {
    for seconds in ["100000", "-60"] {
        root_test(|root| assert_time_namespace_does_not_matter(root, seconds))?;
    }
    Ok(())
}

/// Takes longer than the results of one scan are valid.
fn assert_time_namespace_does_not_matter(root: &Root, seconds: &str) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let lab = Lab::new()?;
    let listener = listen(&lab)?;
    // Declared first, so that it is dropped after the process: its group must be empty to be removed.
    let container;
    let mut client = Process::start(root, &lab.sender)?;
    container = Container::around(root, &client, directory.path())?;
    let window = Window::open();
    let arguments = [
        "--reconcile",
        "--plugin=json-print",
        "--plugin=threshold-alert",
        "--set=threshold=3",
        "--set=window=60s",
        r#"--set=key=["netns"]"#,
        "--alerts=json",
    ];
    let host = Host::start_by(root, &["sh", "-c", AHEAD_BY, seconds], &arguments)?;
    client.connect(AT_RECEIVER)?;
    let mut server = accept(&listener)?;
    for _ in 0..3 {
        lose_a_segment(&lab, &mut client, &mut server)?;
        let_answers_expire();
    }
    let run = host.stop()?;

    let events = events_in(&run, &lab.sender)?;
    window.assert_holds(&events);
    Identity::of(&client)?.assert_holds(&events, 1);
    for event in &events {
        assert_eq!(event["labels"]["container.id"], container.id(), "{event}");
    }
    // Six retransmits in three seconds reach the threshold, and the window of 60 s does not end before
    // the test.
    let mut alerts = run.of_type("alert")?;
    let inode = lab.sender.inode().to_string();
    alerts.retain(|alert| alert["labels"]["netns"] == inode.as_str());
    let states: Vec<_> = alerts.iter().map(|alert| &alert["state"]).collect();
    assert_eq!(states, ["firing"], "{alerts:#?}");
    let counted = compared(&run, &lab.sender)?;
    assert_eq!(counted.get("outside"), 0, "{:#?}", run.stderr);
    assert_eq!(counted.get("segments"), events.len() as u64);
    assert_eq!(counted.get("missing"), 0, "{:#?}", run.stderr);
    Ok(())
}

#[test]
fn root_a_container_of_a_pod_is_named() -> Result<()> {
    root_test(|root| {
        let directory = tempfile::tempdir()?;
        let lab = Lab::new()?;
        let host = Host::start(root, &[])?;
        let listener = listen(&lab)?;
        let mut client = Process::start(root, &lab.sender)?;
        let container = Container::in_pod(root, &client, directory.path(), POD)?;
        client.connect(AT_RECEIVER)?;
        lose_a_segment(&lab, &mut client, &mut accept(&listener)?)?;
        let run = host.stop()?;

        let events = events_in(&run, &lab.sender)?;
        Identity::of(&client)?.assert_holds(&events, 1);
        for event in &events {
            assert_eq!(event["owner"]["container"], container.id()[..12], "{event}");
            assert_eq!(event["labels"]["container.id"], container.id(), "{event}");
            assert_eq!(event["labels"]["k8s.pod.uid"], POD, "{event}");
        }
        // Its group must be empty to be removed.
        drop(client);
        Ok(())
    })
}
