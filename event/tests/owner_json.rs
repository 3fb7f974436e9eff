//! The owner in the JSON form: an object with another within it, and the holder's pid at the top.
#![allow(clippy::unwrap_used)]

use retrans_event::Owner;
use retrans_event::Process;
use retrans_event::Record;
use serde_json::Value;
use serde_json::json;

fn to_json(record: &Record) -> Value {
    serde_json::to_value(record).unwrap()
}

fn read(text: &str) -> Record {
    serde_json::from_str(text).unwrap()
}

fn process(pid: u32, comm: &str) -> Process {
    Process {
        pid,
        comm: comm.parse().unwrap(),
        uid: Some(33),
        container: Some("0123456789ab".parse().unwrap()),
    }
}

#[test]
fn the_owner_is_an_object_and_the_last_one_an_object_within_it() {
    let mut record = Record::new();
    record.set_owner(&Owner::Held {
        process: process(1_234, "nginx"),
        holders: 5,
    });
    assert_eq!(
        to_json(&record)["owner"],
        json!({
            "status": "held", "pid": 1_234, "comm": "nginx", "uid": 33, "holders": 5,
            "container": "0123456789ab"
        })
    );
    record.set_owner(&Owner::Orphaned {
        last: Some(process(1_234, "nginx")),
    });
    assert_eq!(
        to_json(&record)["owner"],
        json!({
            "status": "orphaned",
            "last": {"pid": 1_234, "comm": "nginx", "uid": 33, "container": "0123456789ab"}
        })
    );
    // An inner object where the outer one has no other key.
    let mut record = Record::new();
    record.set_last_pid(Some(7));
    assert_eq!(to_json(&record)["owner"], json!({"last": {"pid": 7}}));
    assert_eq!(read(r#"{"owner": {"last": {"pid": 7}}}"#), record);
}

#[test]
fn the_holders_pid_is_at_the_top_too_and_no_other_pid_is() {
    let listener = process(1, "sshd");
    let not_held = [
        Owner::Unknown,
        Owner::Orphaned {
            last: Some(listener),
        },
        Owner::NotAccepted {
            listener: Some(listener),
        },
        Owner::Kernel,
    ];
    let mut record = Record::new();
    for owner in not_held {
        record.set_owner(&owner);
        let line = to_json(&record);
        assert_eq!(line.get("pid"), None, "{line}");
        assert_eq!(line["owner"]["status"], owner.status().to_string());
    }
    record.set_owner(&Owner::Held {
        process: listener,
        holders: 1,
    });
    assert_eq!(to_json(&record)["pid"], 1);
    record.set_owner_status(None);
    assert_eq!(
        to_json(&record).get("pid"),
        None,
        "without the status it is not known to hold the socket"
    );
}

#[test]
fn the_pid_at_the_top_is_not_read() {
    for pid in ["7", "-1", "\"x\"", "null", "{}"] {
        assert_eq!(read(&format!("{{\"pid\": {pid}}}")), Record::new());
    }
    let record = read(r#"{"pid": 7, "owner": {"pid": 8, "status": "held"}}"#);
    assert_eq!(record.owner_pid(), Some(8));
    assert_eq!(to_json(&record)["pid"], 8);
}
