//! Counts by process and by container.

use retrans_plugin_sdk::serde_json::json;

use super::*;

fn process(pid: u32, comm: &str, container: Option<&str>) -> Process {
    let name = |text: &str| text.parse().expect("it is short enough");
    Process {
        pid,
        comm: name(comm),
        uid: None,
        container: container.map(name),
    }
}

fn held(process: Process) -> Owner {
    Owner::Held {
        process,
        holders: 1,
    }
}

fn owned_by(millis: u64, owner: Owner) -> Record {
    let mut record = retransmit(millis, PEER);
    record.set_owner(&owner);
    record
}

/// One retransmit for each of these owners, with a threshold of three.
fn counted_by<const N: usize>(key: &str, owners: [Owner; N]) -> Outcome {
    let records = (0..).zip(owners);
    let records = records.map(|(millis, owner)| owned_by(millis, owner));
    run(&three_in_ten_seconds()
        .setting("key", key)
        .events(records.collect::<Vec<_>>()))
}

fn labels(outcome: &Outcome) -> Vec<(&str, &str)> {
    let [alert] = outcome.alerts.as_slice() else {
        panic!("one alert, not {:?}", outcome.alerts)
    };
    let labels = alert.labels.iter();
    labels.map(|(key, value)| (&**key, &**value)).collect()
}

#[test]
fn an_alert_has_name_and_number_of_the_process() {
    let nginx = held(process(1_234, "nginx", None));
    let outcome = counted_by("process", [nginx; 3]);
    assert_eq!(labels(&outcome), [("process", "nginx"), ("pid", "1234")]);
    assert_eq!(
        outcome.alerts[0].summary,
        "3 segments retransmitted for nginx (1234) within 10s"
    );
}

#[test]
fn a_worker_that_was_started_anew_is_another_process() {
    let [one, two] = [7, 8].map(|pid| held(process(pid, "nginx", None)));
    let outcome = counted_by("process", [one, two, one, two]);
    assert_eq!(outcome.alerts, []);
    let outcome = counted_by("process", [one, two, one, two, two]);
    assert_eq!(labels(&outcome), [("process", "nginx"), ("pid", "8")]);
}

#[test]
fn a_number_that_is_used_again_is_another_process() {
    let [one, two] = ["nginx", "curl"].map(|comm| held(process(7, comm, None)));
    let outcome = counted_by("process", [one, two, one, two]);
    assert_eq!(outcome.alerts, []);
}

#[test]
fn the_number_of_holders_makes_no_other_process() {
    let nginx = process(7, "nginx", None);
    let owners = [1, 2, 3].map(|holders| Owner::Held {
        process: nginx,
        holders,
    });
    let outcome = counted_by("process", owners);
    assert_eq!(labels(&outcome), [("process", "nginx"), ("pid", "7")]);
}

#[test]
fn connections_that_were_not_accepted_count_for_the_listener() {
    let sshd = process(1, "sshd", Some("0123456789ab"));
    let listener = Owner::NotAccepted {
        listener: Some(sshd),
    };
    for (key, expected) in [("process", "sshd"), ("container", "0123456789ab")] {
        let outcome = counted_by(key, [listener, held(sshd), listener]);
        assert_eq!(outcome.alerts[0].label_value(key), Some(expected));
    }
}

#[test]
fn events_without_a_known_process_count_together_and_have_no_label() {
    let last = Some(process(7, "nginx", Some("0123456789ab")));
    let nobody = [
        Owner::Unknown,
        Owner::Kernel,
        // The process held the socket before it was closed.
        Owner::Orphaned { last },
    ];
    for (key, words) in [
        ("process", "for no known process"),
        ("container", "in no known container"),
    ] {
        let outcome = counted_by(key, nobody);
        assert_eq!(labels(&outcome), []);
        assert_eq!(
            outcome.alerts[0].summary,
            format!("3 segments retransmitted {words} within 10s")
        );
    }
    let silent = (0..3).map(|millis| retransmit(millis, PEER));
    let outcome = run(&three_in_ten_seconds()
        .setting("key", "process")
        .events(silent));
    assert_eq!(labels(&outcome), [], "an older host does not say");
}

#[test]
fn the_processes_of_a_container_count_together() {
    let owners = [(1, "nginx"), (2, "php-fpm"), (3, "cron")]
        .map(|(pid, comm)| held(process(pid, comm, Some("0123456789ab"))));
    let outcome = counted_by("container", owners);
    assert_eq!(labels(&outcome), [("container", "0123456789ab")]);
    assert_eq!(
        outcome.alerts[0].summary,
        "3 segments retransmitted in container 0123456789ab within 10s"
    );
}

#[test]
fn containers_count_separately_and_so_do_processes_outside() {
    let owners = [Some("0123456789ab"), Some("ba9876543210"), None]
        .map(|container| held(process(7, "nginx", container)));
    let [first, second, outside] = owners;
    let outcome = counted_by(
        "container",
        [first, second, outside, first, second, outside],
    );
    assert_eq!(outcome.alerts, []);
    let outcome = counted_by(
        "container",
        [first, second, outside, first, outside, outside],
    );
    assert_eq!(labels(&outcome), []);
}

#[test]
fn an_owner_counts_together_with_other_keys() {
    let keys = json!(["peer", "process", "container", "netns"]);
    let nginx = held(process(7, "nginx", Some("0123456789ab")));
    let mut elsewhere = owned_by(2, nginx);
    elsewhere.set_peer_address(IpAddr::from([10, 0, 0, 3]));
    let others = [owned_by(0, nginx), owned_by(1, nginx), elsewhere];
    let scenario = three_in_ten_seconds().setting("key", keys).events(others);
    assert_eq!(run(&scenario).alerts, []);
    let outcome = run(&scenario.event(owned_by(3, nginx)));
    assert_eq!(
        labels(&outcome),
        [
            ("peer", "10.0.0.2"),
            ("process", "nginx"),
            ("pid", "7"),
            ("container", "0123456789ab"),
            ("netns", "4026531840"),
        ]
    );
    assert_eq!(
        outcome.alerts[0].summary,
        "3 segments retransmitted to 10.0.0.2 for nginx (7) in container 0123456789ab in network \
         namespace 4026531840 within 10s"
    );
}

/// A retransmit of this pod, as the host labels it.
fn of_pod(scenario: Scenario, millis: u64, namespace: &str, pod: &str) -> Scenario {
    let labels = [("k8s.namespace.name", namespace), ("k8s.pod.name", pod)];
    scenario.labelled_event(retransmit(millis, PEER), labels)
}

#[test]
fn the_retransmits_of_a_pod_count_together_and_pods_of_other_namespaces_do_not() {
    let pods = [
        ("shop", "cart-0"),
        ("test", "cart-0"),
        ("shop", "cart-1"),
        ("shop", "cart-0"),
        ("test", "cart-0"),
    ];
    let scenario = three_in_ten_seconds().setting("key", "pod");
    let scenario = (0..)
        .zip(pods)
        .fold(scenario, |scenario, (millis, (namespace, pod))| {
            of_pod(scenario, millis, namespace, pod)
        });
    assert_eq!(run(&scenario).alerts, []);
    let outcome = run(&of_pod(scenario, 9, "shop", "cart-0"));
    assert_eq!(labels(&outcome), [("namespace", "shop"), ("pod", "cart-0")]);
    assert_eq!(
        outcome.alerts[0].summary,
        "3 segments retransmitted in pod shop/cart-0 within 10s"
    );
}

#[test]
fn the_pods_of_a_namespace_count_together() {
    let pods = [("shop", "a"), ("test", "a"), ("shop", "b"), ("shop", "c")];
    for (key, expected) in [
        (json!("namespace"), vec![("namespace", "shop")]),
        (
            json!(["namespace", "peer"]),
            vec![("namespace", "shop"), ("peer", "10.0.0.2")],
        ),
    ] {
        let scenario = three_in_ten_seconds().setting("key", key);
        let scenario = (0..)
            .zip(pods)
            .fold(scenario, |scenario, (millis, (namespace, pod))| {
                of_pod(scenario, millis, namespace, pod)
            });
        assert_eq!(labels(&run(&scenario)), expected);
    }
    let both = three_in_ten_seconds().setting("key", json!(["namespace", "pod"]));
    let both = (0..3).fold(both, |scenario, millis| {
        of_pod(scenario, millis, "shop", "a")
    });
    let outcome = run(&both);
    assert_eq!(labels(&outcome), [("namespace", "shop"), ("pod", "a")]);
    assert_eq!(
        outcome.alerts[0].summary,
        "3 segments retransmitted in pod shop/a within 10s"
    );
}

#[test]
fn events_without_a_known_pod_count_together_and_have_no_label() {
    for (key, words) in [
        ("pod", "in no known pod"),
        ("namespace", "in no known namespace"),
    ] {
        let outcome = run(&at(three_in_ten_seconds().setting("key", key), [0, 1, 2]));
        assert_eq!(labels(&outcome), []);
        let summary = &outcome.alerts[0].summary;
        assert!(summary.contains(words), "{summary}");
    }
}
