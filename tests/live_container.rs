//! Where the owner lives in a container, the event names the container and its pod.

mod live;

use anyhow::Result;

use crate::live::container::Container;
use crate::live::host::Host;
use crate::live::lab::Lab;
use crate::live::owners::AT_RECEIVER;
use crate::live::owners::Identity;
use crate::live::owners::accept;
use crate::live::owners::events_in;
use crate::live::owners::listen;
use crate::live::owners::lose_a_segment;
use crate::live::processes;
use crate::live::processes::Process;
use crate::live::root_test;

const POD: &str = "1f3c5b7a-0d2e-4c6b-8a9f-123456789abc";

/// No promise: where the processes begin that the tests start. Without a test it ends at once.
#[test]
fn the_process_that_other_tests_start() -> Result<()> {
    processes::serve()
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
        // Its group is removed once it is empty.
        drop(client);
        Ok(())
    })
}
