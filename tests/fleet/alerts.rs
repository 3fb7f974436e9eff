//! Alerts of consumers at a real Alertmanager.

use crate::processes::Fleet;
use crate::processes::eventually;
use crate::processes::output;
use crate::receivers::alertmanager::Alertmanager;

#[test]
fn an_alert_stays_one_though_its_consumer_is_killed_and_another_one_raises_it_again() {
    let fleet = Fleet::start(2);
    let alertmanager = Alertmanager::start();
    let sink = format!("alertmanager={}", alertmanager.url());
    let arguments = [
        "--from-beginning",
        "--plugin",
        "threshold-alert",
        "--set",
        "threshold=30",
        "--set",
        "window=1h",
        "--sink",
        &sink,
    ];
    let capture = fleet.capture("a.rtc", 30, 1);
    let first = fleet.consumer("one", &arguments).begun();
    output(&mut fleet.publish(&capture, "web-1", 2));
    alertmanager.wait_for(&["retransmit-threshold"]);
    let before = alertmanager.alerts();
    first.kill();
    let second = fleet.consumer("two", &arguments).begun();
    eventually("the alert of the other consumer", || {
        let said = second.said();
        said.contains("WARNING retransmit-threshold").then_some(())
    });
    output(&mut fleet.publish(&capture, "web-2", 2));
    eventually("the events after it", || {
        let said = second.said();
        said.contains("; Ctrl-C ends").then_some(())
    });
    let ledger = second.end();
    assert!(ledger.fleet.expect("a line").get("delivered") >= 30);
    let after = alertmanager.alerts();
    assert_eq!(after.len(), 1, "{after:?}");
    assert_eq!(after[0]["fingerprint"], before[0]["fingerprint"]);
    assert_eq!(after[0]["startsAt"], before[0]["startsAt"]);
    assert_eq!(after[0]["status"]["state"], "active");
}
