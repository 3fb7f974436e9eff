//! Receivers that change while alerts are delivered.

mod support;

use std::time::Duration;

use retrans_deliver::Changed;
use retrans_deliver::Config;
use retrans_deliver::Counted;
use retrans_deliver::Retry;
use retrans_deliver::State;
use retrans_deliver::alertmanager;
use retrans_deliver::webhook;
use retrans_deliver::webhook::UrlSource;

use support::Network;
use support::PATIENCE;
use support::alert;
use support::alertmanager::Alertmanager;
use support::eventually;
use support::free_port;
use support::receiver::Receiver;
use support::receiver::Request;
use support::within;

/// The number of deliveries that wait for a webhook at most.
const FULL: usize = 4_096;

/// Time for thousands of deliveries on a machine that is busy.
const LONG: Duration = Duration::from_secs(120);

/// A receiver that failed is tried again within 200 ms.
const RETRY: Retry = Retry {
    first: Duration::from_millis(100),
    max: Duration::from_millis(200),
};

fn webhook(name: &str, port: u16) -> webhook::Config {
    let url = UrlSource::Text(format!("http://127.0.0.1:{port}/"));
    webhook::Config {
        name: name.to_owned(),
        retry: RETRY,
        ..webhook::Config::new(url, "web-1")
    }
}

fn webhooks(webhooks: &[webhook::Config]) -> Config {
    Config {
        webhooks: webhooks.to_vec(),
        ..Config::default()
    }
}

fn alertmanager(name: &str, receiver: &Alertmanager) -> alertmanager::Config {
    alertmanager::Config {
        name: name.to_owned(),
        repeat: Duration::from_secs(1),
        retry: RETRY,
        ..alertmanager::Config::new(vec![receiver.url()], "web-1")
    }
}

fn change(network: &Network, config: &Config, timeout: Duration) -> Changed {
    let changed = network.outlets.change(config, timeout);
    changed.expect("receivers that can be used")
}

/// The counters of the receiver whose name begins so.
fn counted(network: &Network, name: &str) -> Counted {
    let counted = network.outlets.counted().into_iter();
    let mut counted = counted.filter(|counted| counted.name.starts_with(name));
    let found = counted
        .next()
        .unwrap_or_else(|| panic!("no line of {name}"));
    assert!(found.balances(), "{found:?}");
    assert_eq!(counted.next(), None, "one line for a name");
    found
}

fn names(requests: &[Request]) -> Vec<String> {
    requests.iter().map(Request::name).collect()
}

#[test]
fn a_receiver_that_is_gone_delivers_a_full_queue_and_nothing_that_is_raised_later() {
    let port = free_port();
    let gone = webhook("gone", port);
    let network = Network::start(&webhooks(std::slice::from_ref(&gone)));
    let raised: Vec<String> = (0..FULL + 10)
        .map(|number| format!("a{number:04}"))
        .collect();
    let alerts: Vec<_> = raised
        .iter()
        .map(|name| alert(name, State::Firing))
        .collect();
    // Nothing listens yet, so that no alert leaves the queue but one, which is being tried.
    network.outlets.send(&alerts);
    let before = counted(&network, "gone");
    assert_eq!(before.queued, FULL as u64);
    assert_eq!((before.sent, before.dropped), (0, 10));

    let added = Receiver::start(&[]);
    let late = Receiver::start(&["--port", &port.to_string()]);
    let changed = change(&network, &webhooks(&[webhook("added", added.port)]), LONG);
    assert_eq!(changed.started, ["added"]);
    assert_eq!(changed.ended, ["gone"]);
    network.send("later", State::Firing);
    assert_eq!(names(&added.wait_for(1)), ["later"]);

    let drained = within(LONG, || {
        Some(counted(&network, "gone")).filter(|counted| counted.queued == 0)
    });
    let drained = drained.expect("an empty queue");
    assert_eq!(
        (drained.received, drained.sent),
        (FULL as u64 + 10, FULL as u64)
    );
    assert_eq!((drained.dropped, drained.failed), (10, 0));
    // Each once, in the order in which they were raised.
    assert_eq!(names(&late.wait_for(FULL)), raised[..FULL]);
    late.is_left_alone(FULL);

    let counted = network.finish(PATIENCE);
    assert_eq!(counted.len(), 2);
    assert_eq!((counted[0].received, counted[0].sent), (1, 1));
    assert_eq!(counted[1], drained);
}

#[test]
fn receivers_that_stay_know_what_is_active_and_send_nothing_twice() {
    let (first, second) = (Alertmanager::start(), Alertmanager::start());
    // The delivery that is under way fails, and is tried again after the change.
    let stays = Receiver::start(&["--answers", "503:1,200"]);
    let mut config = webhooks(&[webhook("stays", stays.port)]);
    config.alertmanagers = vec![alertmanager("first", &first)];
    let network = Network::start(&config);
    network.send("before", State::Firing);
    first.wait_for(&["before"]);
    stays.wait_for(1);

    config.alertmanagers.push(alertmanager("second", &second));
    assert_eq!(change(&network, &config, PATIENCE).started, ["second"]);
    network.send("after", State::Firing);
    first.wait_for(&["after", "before"]);
    // An alert that is not raised again is not known to one that is new.
    second.wait_for(&["after"]);
    network.send("before", State::Firing);
    second.wait_for(&["after", "before"]);
    network.send("before", State::Resolved);
    first.wait_for(&["after"]);
    second.wait_for(&["after"]);

    // The first one goes, and the others do not notice.
    config.alertmanagers.remove(0);
    assert_eq!(change(&network, &config, PATIENCE).ended, ["first"]);
    network.send("after", State::Resolved);
    second.wait_for(&[]);
    let counted = network.finish(PATIENCE);
    let of = |name: &str| {
        let found = counted
            .iter()
            .find(|counted| counted.name.starts_with(name));
        let found = found.unwrap_or_else(|| panic!("no line of {name}: {counted:?}"));
        (found.received, found.sent)
    };
    assert_eq!(
        (of("first"), of("second"), of("stays")),
        ((4, 4), (4, 4), (5, 5))
    );
    // The first delivery was tried twice. Of "before", two in a minute are one, which the end of the alert hurries.
    let requests = stays.wait_for(6);
    let delivered: Vec<_> = requests
        .iter()
        .map(|request| {
            let body = request.body();
            let text = |key: &str| body[key].as_str().expect("a text").to_owned();
            format!("{} {} {}", text("name"), text("state"), body["raised"])
        })
        .collect();
    let expected = [
        "before firing 1",
        "before firing 1",
        "after firing 1",
        "before firing 1",
        "before resolved 1",
        "after resolved 1",
    ];
    assert_eq!(delivered, expected);
    assert_eq!(requests[0].body()["id"], requests[1].body()["id"]);
}

#[test]
fn a_receiver_with_another_url_begins_when_the_old_one_has_delivered_its_queue() {
    // The first answer takes as long as the time of a request.
    let old = Receiver::start(&["--answers", "never,200"]);
    let new = Receiver::start(&[]);
    let mut config = webhook("chat", old.port);
    config.http.timeout = Duration::from_millis(500);
    let network = Network::start(&webhooks(&[config.clone()]));
    for name in ["a", "b"] {
        network.send(name, State::Firing);
    }
    old.wait_for(1);
    config.url = UrlSource::Text(new.url());
    let changed = change(&network, &webhooks(&[config]), PATIENCE);
    assert_eq!(
        (changed.started, changed.ended),
        (vec!["chat".to_owned()], vec!["chat".to_owned()])
    );
    network.send("a", State::Resolved);
    let arrived = new.wait_for(1);
    assert_eq!(names(&arrived), ["a"]);
    let delivered = old.wait_for(3);
    assert_eq!(names(&delivered), ["a", "a", "b"]);
    assert!(delivered.iter().all(|request| request.at <= arrived[0].at));
    let counted = network.finish(PATIENCE);
    let counts: Vec<_> = counted
        .iter()
        .map(|counted| (counted.received, counted.sent))
        .collect();
    assert_eq!(counts, [(1, 1), (2, 2)]);
}

#[test]
fn one_that_is_gone_and_never_answers_is_given_up_after_its_time() {
    let hangs = Receiver::start(&["--answers", "never"]);
    let network = Network::start(&webhooks(&[webhook("hangs", hangs.port)]));
    for name in ["a", "b", "c"] {
        network.send(name, State::Firing);
    }
    hangs.wait_for(1);
    // A request may take ten seconds.
    change(&network, &Config::default(), Duration::from_millis(300));
    let counted = eventually("the end", || {
        Some(counted(&network, "hangs")).filter(|counted| counted.queued == 0)
    });
    assert_eq!((counted.sent, counted.failed), (0, 3));
    hangs.is_left_alone(1);
}
