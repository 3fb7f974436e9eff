//! Filters as a whole: contradictions, their text, and owners. What each admits is tested against the probe's own in
//! `live/kernel_filters/tests.rs`.

use retrans_event::Name;
use retrans_event::Owner;
use retrans_event::Process;

use super::networks::parse;
use super::*;

fn networks(text: &str) -> Networks {
    Networks::new(vec![parse(text).expect("a network")]).expect("few enough")
}

fn ports(text: &str) -> Ports {
    Ports::new(vec![text.parse().expect("ports")])
}

#[test]
fn networks_of_the_other_version_of_ip_exclude_each_other() {
    let contradiction = |version, local: Option<&str>, peer: Option<&str>| {
        let filters = Filters {
            ip_version: version,
            locals: local.map(networks).unwrap_or_default(),
            peers: peer.map(networks).unwrap_or_default(),
            ..Filters::default()
        };
        filters.contradiction().map(|why| why.to_string())
    };
    let excluded = |one, other| {
        Some(format!(
            "{one} and {other} exclude each other: no connection has addresses of both versions of IP"
        ))
    };
    let (v4, v6) = (Some(IpVersion::V4), Some(IpVersion::V6));
    let (ten, doc) = (Some("10.0.0.0/8"), Some("2001:db8::/32"));
    assert_eq!(contradiction(v4, None, doc), excluded("-4", "--peer"));
    assert_eq!(contradiction(v6, ten, None), excluded("-6", "--local"));
    assert_eq!(contradiction(None, ten, doc), excluded("--peer", "--local"));
    assert_eq!(contradiction(v4, ten, ten), None);
    assert_eq!(contradiction(None, doc, doc), None);
    // It includes ::ffff:0:0/96, the IPv4 addresses.
    assert_eq!(contradiction(v4, None, Some("::/0")), None);
}

#[test]
fn ports_of_either_side_that_neither_side_may_have_exclude_each_other() {
    let contradiction = |local, peer| {
        let filters = Filters {
            ports: ports("443"),
            local_ports: local,
            peer_ports: peer,
            ..Filters::default()
        };
        filters.contradiction()
    };
    let any = Ports::default;
    assert_eq!(
        contradiction(ports("80"), ports("1000-2000")),
        Some(Contradiction::Ports)
    );
    assert_eq!(contradiction(ports("80"), any()), None);
    assert_eq!(contradiction(ports("80"), ports("400-500")), None);
    assert_eq!(contradiction(any(), any()), None);
}

#[test]
fn filters_are_shown_as_options() {
    assert_eq!(LiveFilters::default().to_string(), "");
    let filters = LiveFilters {
        common: Filters {
            ip_version: Some(IpVersion::V4),
            ports: ports("8000-8999"),
            peers: networks("10.1.2.3/8"),
            kinds: vec![Kind::Syn, Kind::Fast],
            netns: vec![1, 2, 3, 4, 5, 6],
            sample: NonZeroU32::new(10),
            ..Filters::default()
        },
        max_rate: Some(1000),
        ..LiveFilters::default()
    };
    assert_eq!(
        filters.to_string(),
        ", -4, --port 8000-8999, --peer 10.0.0.0/8, --kind syn,fast, --netns 1,2,3,4 and 2 more, \
         --sample 1/10, --max-rate 1000/s"
    );
}

fn process(pid: u32, comm: &str, container: Option<&str>) -> Process {
    let name = |text: &str| text.parse::<Name>().expect("a name");
    Process {
        pid,
        comm: name(comm),
        uid: None,
        container: container.map(name),
    }
}

#[test]
fn the_owner_is_the_holder_the_listener_or_the_last_holder() {
    let filter = OwnerFilter {
        pids: vec![7],
        ..OwnerFilter::default()
    };
    let process = |pid| process(pid, "nginx", None);
    let holders = 1;
    for (owner, admitted) in [
        (
            Owner::Held {
                process: process(7),
                holders,
            },
            true,
        ),
        (
            Owner::Held {
                process: process(8),
                holders,
            },
            false,
        ),
        (
            Owner::NotAccepted {
                listener: Some(process(7)),
            },
            true,
        ),
        (
            Owner::Orphaned {
                last: Some(process(7)),
            },
            true,
        ),
        (Owner::Orphaned { last: None }, false),
        (Owner::Unknown, false),
        (Owner::Kernel, false),
    ] {
        assert_eq!(filter.admits(&owner, None), admitted, "{owner:?}");
        assert!(OwnerFilter::default().admits(&owner, None));
    }
}

#[test]
fn a_container_is_named_by_the_beginning_of_its_id() {
    let id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let owner = Owner::Held {
        process: process(7, "nginx", Some(&id[..12])),
        holders: 1,
    };
    let admits = |wanted: &str, container| {
        let filter = OwnerFilter {
            containers: vec![wanted.to_owned()],
            ..OwnerFilter::default()
        };
        filter.admits(&owner, container)
    };
    for container in [Some(id), None] {
        assert!(admits("0123", container));
        assert!(admits(id, container));
        assert!(!admits("1123", container));
    }
    // The record has the first twelve digits only.
    let other = id.replace("cdef0", "cdee0");
    assert!(!admits(&other, Some(id)));
}

#[test]
fn every_filter_of_owners_must_admit_the_owner() {
    let filter = |pid: u32, comm: &str| OwnerFilter {
        pids: vec![pid],
        comms: vec![comm.parse().expect("a name")],
        ..OwnerFilter::default()
    };
    let owner = Owner::Held {
        process: process(7, "nginx", None),
        holders: 1,
    };
    assert!(filter(7, "nginx").admits(&owner, None));
    assert!(!filter(7, "ngin").admits(&owner, None));
    assert!(!filter(8, "nginx").admits(&owner, None));
}
