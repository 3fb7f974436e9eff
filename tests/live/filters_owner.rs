//! Filters by the owner of a socket, which the host applies, and by its control group.

use std::net::TcpStream;
use std::process;

use anyhow::Result;

use crate::support::Root;
use crate::support::container::Container;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::owners::AT_RECEIVER;
use crate::support::owners::accept;
use crate::support::owners::listen;
use crate::support::owners::lose_a_segment;
use crate::support::processes::Process;
use crate::support::root::lacks;
use crate::support::root_test;

/// A process with a connection, and its other end.
fn connected(root: &Root, lab: &Lab) -> Result<(Process, TcpStream)> {
    let listener = listen(lab)?;
    let mut client = Process::start(root, &lab.sender)?;
    client.connect(AT_RECEIVER)?;
    Ok((client, accept(&listener)?))
}

#[test]
fn root_the_owner_is_matched_once_it_is_known() -> Result<()> {
    root_test(|root| {
        let directory = tempfile::tempdir()?;
        let lab = Lab::new()?;
        // Declared first, so that it is dropped after the process: its group must be empty to be removed.
        let container;
        let (mut client, mut peer) = connected(root, &lab)?;
        container = Container::around(root, &client, directory.path())?;
        let (pid, comm) = (client.pid().to_string(), client.comm()?);
        let netns = lab.sender.inode().to_string();
        let (own, other) = (process::id().to_string(), "0".repeat(64));
        let filters: [(&[&str], bool); 8] = [
            (&["--pid", &pid], true),
            (&["--pid", &own], false),
            (&["--pid", &own, "--pid", &pid], true),
            (&["--comm", &comm], true),
            (&["--comm", "another"], false),
            (&["--container", &container.id()[..40]], true),
            (&["--container", &other], false),
            (&["--pid", &pid, "--comm", "another"], false),
        ];
        let hosts: Vec<_> = filters
            .iter()
            .map(|(filter, _)| Host::start(root, &[&["--netns", &netns], *filter].concat()))
            .collect::<Result<_>>()?;
        lose_a_segment(&lab, &mut client, &mut peer)?;
        for ((filter, is_admitted), host) in filters.iter().zip(hosts) {
            let run = host.stop()?;
            run.ledger.assert_complete();
            let events = run.retransmits_in(&lab.sender)?.len() as u64;
            let host = &run.ledger.host;
            assert!(host.get("recorded") > 0, "{filter:?}");
            let filtered = if *is_admitted {
                0
            } else {
                host.get("recorded")
            };
            assert_eq!(host.find("filtered").unwrap_or(0), filtered, "{filter:?}");
            assert_eq!(events, host.get("recorded") - filtered, "{filter:?}");
        }
        Ok(())
    })
}

#[test]
fn root_a_control_group_includes_those_below_it() -> Result<()> {
    root_test(|root| {
        let directories = [tempfile::tempdir()?, tempfile::tempdir()?];
        let lab = Lab::new()?;
        let (inside, outside);
        let listener = listen(&lab)?;
        let mut client = Process::start(root, &lab.sender)?;
        inside = Container::around(root, &client, directories[0].path())?;
        let bystander = Process::start(root, &lab.sender)?;
        outside = Container::around(root, &bystander, directories[1].path())?;
        let supported = Host::start(root, &["--cgroup", inside.group()]);
        if let Err(error) = &supported
            && format!("{error:#}").contains("sockets of this kernel have no control group")
        {
            lacks("this kernel's sockets have no control group");
            return Ok(());
        }
        // A socket belongs to the group of the process that made it.
        client.connect(AT_RECEIVER)?;
        let mut peer = accept(&listener)?;
        let root_group = inside
            .group()
            .rsplit_once('/')
            .map_or("", |(parent, _)| parent);
        let netns = lab.sender.inode().to_string();
        let filters: [(&[&str], bool); 4] = [
            (&["--cgroup", inside.group()], true),
            (&["--cgroup", root_group], true),
            (&["--cgroup", outside.group()], false),
            (
                &["--cgroup", outside.group(), "--cgroup", inside.group()],
                true,
            ),
        ];
        let hosts: Vec<_> = filters
            .iter()
            .map(|(filter, _)| Host::start(root, &[&["--netns", &netns], *filter].concat()))
            .collect::<Result<_>>()?;
        lose_a_segment(&lab, &mut client, &mut peer)?;
        drop(supported);
        for ((filter, is_admitted), host) in filters.iter().zip(hosts) {
            let run = host.stop()?;
            run.ledger.assert_complete();
            let kernel = &run.ledger.kernel;
            assert_eq!(kernel.get("recorded") > 0, *is_admitted, "{filter:?}");
            assert!(
                kernel.find("filtered").unwrap_or(0) > 0 || *is_admitted,
                "{filter:?}"
            );
        }
        drop(bystander);
        Ok(())
    })
}
