//! The owner of a socket, as plugins see it.

#![allow(missing_docs)]

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::testing::Scenario;

// As in docs/writing-plugins.md.
alert!(|event| {
    if event.kind() != Kind::Timeout {
        return None;
    }
    let alert = Alert::warning("timeout").label("peer", event.peer().ip());
    Some(match event.owner() {
        Owner::Held { process, .. } => alert.label("process", process.comm),
        Owner::Orphaned { .. } => alert.summary("no process holds the socket any more"),
        _ => alert,
    })
});

#[test]
fn an_alert_can_name_the_process_that_holds_the_socket() -> Result<()> {
    let process = Process {
        pid: 7,
        comm: "nginx".parse()?,
        uid: Some(33),
        container: None,
    };
    let owners = [
        Owner::Held {
            process,
            holders: 1,
        },
        Owner::Orphaned {
            last: Some(process),
        },
        Owner::NotAccepted {
            listener: Some(process),
        },
        Owner::Unknown,
    ];
    let records = owners.map(|owner| {
        let mut record = Record::new();
        record.set_kind(Kind::Timeout);
        record.set_owner(&owner);
        assert_eq!(record.owner_status(), Some(owner.status()));
        record
    });
    let outcome = Scenario::new().events(records).run::<Alerter>()?;
    let alerts = outcome.alerts.iter();
    let said: Vec<_> = alerts
        .map(|alert| (alert.label_value("process"), alert.summary.as_str()))
        .collect();
    let late = "no process holds the socket any more";
    assert_eq!(
        said,
        [(Some("nginx"), ""), (None, late), (None, ""), (None, "")]
    );
    Ok(())
}
