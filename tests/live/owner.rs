//! The process in an event is the one that holds the socket, not the one that opened it or ran when the
//! segment was retransmitted.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

use crate::support::captures::NOBODY;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::owners::AT_RECEIVER;
use crate::support::owners::AT_SENDER;
use crate::support::owners::Identity;
use crate::support::owners::accept;
use crate::support::owners::assert_named_nobody;
use crate::support::owners::begin_to_lose_a_segment;
use crate::support::owners::boot_time;
use crate::support::owners::call;
use crate::support::owners::call_and_lose_a_syn_ack;
use crate::support::owners::events_between;
use crate::support::owners::events_in;
use crate::support::owners::let_answers_expire;
use crate::support::owners::listen;
use crate::support::owners::lose_a_segment;
use crate::support::owners::lose_it_again;
use crate::support::owners::receive_a_segment;
use crate::support::owners::wait_until_printed;
use crate::support::processes::Process;
use crate::support::processes::THREAD;
use crate::support::root_test;

#[test]
fn root_a_process_that_connected_is_named() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start(root, &[])?;
        let listener = listen(&lab)?;
        let mut client = Process::start(root, &lab.sender)?;
        client.connect(AT_RECEIVER)?;
        lose_a_segment(&lab, &mut client, &mut accept(&listener)?)?;
        let run = host.stop()?;

        let events = events_in(&run, &lab.sender)?;
        Identity::of(&client)?.assert_holds(&events, 1);
        assert!(run.ledger.owners.get("scans") >= 1);
        Ok(())
    })
}

#[test]
fn root_a_socket_that_is_older_than_the_host_has_its_owner() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let listener = listen(&lab)?;
        let mut client = Process::start(root, &lab.sender)?;
        client.connect(AT_RECEIVER)?;
        let mut peer = accept(&listener)?;
        let host = Host::start(root, &[])?;
        lose_a_segment(&lab, &mut client, &mut peer)?;
        let run = host.stop()?;

        Identity::of(&client)?.assert_holds(&events_in(&run, &lab.sender)?, 1);
        Ok(())
    })
}

#[test]
fn root_after_a_fork_the_parent_is_named_until_it_ends_and_then_the_child() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start(root, &[])?;
        let listener = listen(&lab)?;
        let mut parent = Process::start(root, &lab.sender)?;
        parent.connect(AT_RECEIVER)?;
        let mut peer = accept(&listener)?;
        let mut child = parent.fork()?;
        // The child sends: neither the sender nor the order of forks matters.
        lose_a_segment(&lab, &mut child, &mut peer)?;
        let (opener, heir) = (Identity::of(&parent)?, Identity::of(&child)?);
        wait_until_printed(&host, &lab)?;
        drop(parent);
        let ended = boot_time();
        let_answers_expire();
        let expired = boot_time();
        lose_a_segment(&lab, &mut child, &mut peer)?;
        let run = host.stop()?;

        let events = events_in(&run, &lab.sender)?;
        opener.assert_holds(&events_between(&events, Duration::ZERO, ended), 2);
        heir.assert_holds(&events_between(&events, expired, Duration::MAX), 1);
        Ok(())
    })
}

#[test]
fn root_of_three_generations_the_oldest_that_has_not_closed_the_socket_is_named() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start(root, &[])?;
        let listener = listen(&lab)?;
        let mut parent = Process::start(root, &lab.sender)?;
        parent.connect(AT_RECEIVER)?;
        let mut peer = accept(&listener)?;
        let mut child = parent.fork()?;
        let mut grandchild = child.fork()?;
        lose_a_segment(&lab, &mut grandchild, &mut peer)?;
        wait_until_printed(&host, &lab)?;
        let all_hold_it = boot_time();
        parent.close()?;
        let_answers_expire();
        let expired = boot_time();
        lose_a_segment(&lab, &mut grandchild, &mut peer)?;
        let run = host.stop()?;

        let events = events_in(&run, &lab.sender)?;
        let first = events_between(&events, Duration::ZERO, all_hold_it);
        Identity::of(&parent)?.assert_holds(&first, 3);
        let second = events_between(&events, expired, Duration::MAX);
        Identity::of(&child)?.assert_holds(&second, 2);
        Ok(())
    })
}

#[test]
fn root_a_socket_that_is_passed_on_is_the_receivers_once_the_sender_has_closed_it() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start(root, &[])?;
        let listener = listen(&lab)?;
        let mut from = Process::start(root, &lab.sender)?;
        let mut to = Process::start(root, &lab.sender)?;
        from.connect(AT_RECEIVER)?;
        let mut peer = accept(&listener)?;
        from.pass_to(&mut to)?;
        to.receive_passed()?;
        lose_a_segment(&lab, &mut from, &mut peer)?;
        wait_until_printed(&host, &lab)?;
        let both_hold_it = boot_time();
        from.close()?;
        let_answers_expire();
        let expired = boot_time();
        lose_a_segment(&lab, &mut to, &mut peer)?;
        let run = host.stop()?;

        let events = events_in(&run, &lab.sender)?;
        let (from, to) = (Identity::of(&from)?, Identity::of(&to)?);
        let lower = if from.pid < to.pid { &from } else { &to };
        lower.assert_holds(&events_between(&events, Duration::ZERO, both_hold_it), 2);
        to.assert_holds(&events_between(&events, expired, Duration::MAX), 1);
        Ok(())
    })
}

#[test]
fn root_a_socket_on_its_way_between_two_processes_is_nobodys() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start(root, &[])?;
        let listener = listen(&lab)?;
        let mut from = Process::start(root, &lab.sender)?;
        let mut to = Process::start(root, &lab.sender)?;
        from.connect(AT_RECEIVER)?;
        let mut peer = accept(&listener)?;
        from.pass_to(&mut to)?;
        begin_to_lose_a_segment(&lab, &mut from)?;
        from.close()?;
        let_answers_expire();
        let on_its_way = boot_time();
        lose_it_again(&lab)?;
        let run = host.stop()?;

        let events = events_in(&run, &lab.sender)?;
        for event in events_between(&events, on_its_way, Duration::MAX) {
            assert_named_nobody(&event, "unknown");
        }
        // The socket was in the queue all the time.
        lab.lose_nothing()?;
        to.receive_passed()?;
        receive_a_segment(&mut peer)
    })
}

#[test]
fn root_a_process_that_accepted_is_named() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start(root, &[])?;
        let mut server = Process::start(root, &lab.sender)?;
        server.listen(AT_SENDER)?;
        let mut peer = call(&lab)?;
        server.accept()?;
        lose_a_segment(&lab, &mut server, &mut peer)?;
        let run = host.stop()?;

        Identity::of(&server)?.assert_holds(&events_in(&run, &lab.sender)?, 1);
        Ok(())
    })
}

#[test]
fn root_a_server_that_forks_for_each_connection_is_not_named_but_its_child() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start(root, &[])?;
        let mut server = Process::start(root, &lab.sender)?;
        server.listen(AT_SENDER)?;
        let mut peer = call(&lab)?;
        server.accept()?;
        let mut child = server.fork()?;
        server.close()?;
        child.close_listener()?;
        lose_a_segment(&lab, &mut child, &mut peer)?;
        let run = host.stop()?;

        Identity::of(&child)?.assert_holds(&events_in(&run, &lab.sender)?, 1);
        Ok(())
    })
}

#[test]
fn root_of_a_pool_of_servers_the_one_that_accepted_is_named() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start(root, &[])?;
        let mut parent = Process::start(root, &lab.sender)?;
        parent.listen(AT_SENDER)?;
        let mut workers = Vec::new();
        for _ in 0..3 {
            workers.push(parent.fork()?);
        }
        let mut peer = call_and_lose_a_syn_ack(&lab)?;
        wait_until_printed(&host, &lab)?;
        let connected = boot_time();
        workers[1].accept()?;
        lose_a_segment(&lab, &mut workers[1], &mut peer)?;
        let run = host.stop()?;

        let events = events_in(&run, &lab.sender)?;
        let handshake = events_between(&events, Duration::ZERO, connected);
        for event in &handshake {
            assert_eq!(event["retransmit"]["kind"], "syn_ack", "{event}");
        }
        Identity::of(&parent)?.assert_listens(&handshake);
        let data = events_between(&events, connected, Duration::MAX);
        Identity::of(&workers[1])?.assert_holds(&data, 1);
        Ok(())
    })
}

#[test]
fn root_a_thread_is_named_by_its_process() -> Result<()> {
    a_thread_is_named_by_its_process(Process::connect_in_thread)
}

#[test]
fn root_a_thread_with_open_files_of_its_own_is_named_by_its_process() -> Result<()> {
    a_thread_is_named_by_its_process(Process::connect_in_thread_with_own_files)
}

fn a_thread_is_named_by_its_process(
    connect: impl Fn(&mut Process, SocketAddr) -> Result<SocketAddr>,
) -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start(root, &[])?;
        let listener = listen(&lab)?;
        let mut client = Process::start(root, &lab.sender)?;
        connect(&mut client, AT_RECEIVER)?;
        lose_a_segment(&lab, &mut client, &mut accept(&listener)?)?;
        let run = host.stop()?;

        let threads = client.threads()?;
        assert!(threads.iter().any(|name| name == THREAD), "{threads:?}");
        assert_ne!(client.comm()?, THREAD);
        Identity::of(&client)?.assert_holds(&events_in(&run, &lab.sender)?, 1);
        Ok(())
    })
}

#[test]
fn root_a_process_in_another_pid_namespace_has_its_number_in_the_hosts() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start(root, &[])?;
        let listener = listen(&lab)?;
        let mut outside = Process::start(root, &lab.sender)?;
        outside.begin_pid_namespace()?;
        let mut inside = outside.fork()?;
        assert_eq!(inside.own_number()?, 1);
        inside.connect(AT_RECEIVER)?;
        lose_a_segment(&lab, &mut inside, &mut accept(&listener)?)?;
        let run = host.stop()?;

        Identity::of(&inside)?.assert_holds(&events_in(&run, &lab.sender)?, 1);
        Ok(())
    })
}

#[test]
fn root_a_process_that_gave_up_root_has_the_user_that_it_became() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start(root, &[])?;
        let listener = listen(&lab)?;
        let mut client = Process::start(root, &lab.sender)?;
        client.connect(AT_RECEIVER)?;
        client.become_user(NOBODY)?;
        assert_eq!(client.uid()?, NOBODY);
        lose_a_segment(&lab, &mut client, &mut accept(&listener)?)?;
        let run = host.stop()?;

        let events = events_in(&run, &lab.sender)?;
        Identity::of(&client)?.assert_holds(&events, 1);
        Ok(())
    })
}

#[test]
fn root_two_capabilities_are_enough_for_events_and_their_owners() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let host = Host::start_as_other_user(root, &[])?;
        let listener = listen(&lab)?;
        let mut client = Process::start(root, &lab.sender)?;
        client.connect(AT_RECEIVER)?;
        lose_a_segment(&lab, &mut client, &mut accept(&listener)?)?;
        let run = host.stop()?;

        Identity::of(&client)?.assert_holds(&events_in(&run, &lab.sender)?, 1);
        Ok(())
    })
}
