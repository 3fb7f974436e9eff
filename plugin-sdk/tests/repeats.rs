//! `alert!` with a period.

#![allow(missing_docs)]

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::testing::Scenario;
use retrans_plugin_sdk::testing::Synth;

alert!(every = Duration::from_secs(10), |event| {
    let port = event.peer().port();
    (port != 443).then(|| Alert::warning("not-https").label("port", port))
});

#[test]
fn an_alert_is_raised_once_in_its_period() -> Result<()> {
    let record = |second: u64, port: u16| -> Result<Record> {
        let peer = SocketAddr::new("10.0.0.2".parse()?, port);
        let record = Record::retransmit("10.0.0.1:33000".parse()?, peer);
        Ok(record.with_time(Duration::from_secs(second)))
    };
    let mut scenario = Scenario::new();
    for second in 0..25 {
        scenario = scenario
            .event(record(second, 80)?)
            .event(record(second, 443)?);
    }
    let outcome = scenario.event(record(25, 22)?).run::<Alerter>()?;
    let events: Vec<_> = outcome.alerts.iter().map(|alert| alert.event).collect();
    assert_eq!(events, [Some(0), Some(20), Some(40), Some(50)]);
    assert_eq!(outcome.kept.len(), 51);
    Ok(())
}

#[test]
fn of_many_events_few_alerts_are_left() -> Result<()> {
    let outcome = Scenario::new()
        .events(Synth::new(1).take(2_000))
        .run::<Alerter>()?;
    assert!(
        (3..50).contains(&outcome.alerts.len()),
        "{}",
        outcome.alerts.len()
    );
    Ok(())
}
