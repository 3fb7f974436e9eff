//! Methods of a view over a record that are about several fields.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

use retrans_event::Event;
use retrans_event::FIELDS;
use retrans_event::PRESENCE_WORDS;
use retrans_event::RECORD_SIZE;
use retrans_event::Record;
use retrans_event::SendError;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_new_record_knows_nothing() {
    let record = Record::new();
    assert_eq!(record.size(), RECORD_SIZE as u32);
    assert!(record.as_bytes()[4..].iter().all(|byte| *byte == 0));
    assert_eq!(record, Record::default());
}

#[test]
fn a_mapped_address_is_ipv4() {
    let mut record = Record::new();
    record.set_peer_address(address("::ffff:192.0.2.1"));
    record.set_peer_port(443);
    assert_eq!(record.peer_address(), address("192.0.2.1"));
    assert_eq!(record.peer(), SocketAddr::new(address("192.0.2.1"), 443));
    assert!(record.is_ipv4());
    assert_eq!(
        record.as_bytes()[64..80],
        *b"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01"
    );
}

#[test]
fn an_address_that_only_looks_like_ipv4_is_ipv6() {
    let mut record = Record::new();
    // IPv4-compatible (RFC 4291, 2.5.5.1), NAT64 (RFC 6052), loopback, unspecified.
    for text in ["::192.0.2.1", "64:ff9b::192.0.2.1", "::1", "::"] {
        record.set_local_address(address(text));
        record.set_peer_address(address(text));
        assert_eq!(record.local().ip(), address(text));
        assert!(!record.is_ipv4(), "{text}");
    }
}

#[test]
fn a_record_is_read_at_any_alignment() {
    let mut record = Record::new();
    record.set_sequence(0x1122_3344_5566_7788);
    record.set_cgroup_id(Some(0x99aa_bbcc_ddee_ff00));
    for start in 0..8 {
        let mut bytes = vec![0xee; start];
        bytes.extend(record.as_bytes());
        let event = Event::new(&bytes[start..]).unwrap();
        assert_eq!(event.sequence(), 0x1122_3344_5566_7788);
        assert_eq!(event.cgroup_id(), Some(0x99aa_bbcc_ddee_ff00));
        assert_eq!(event, &*record);
    }
}

#[test]
fn durations_that_do_not_fit_are_the_longest_that_do() {
    let mut record = Record::new();
    record.set_rto(Some(Duration::MAX));
    record.set_time(Duration::MAX);
    assert_eq!(record.rto(), Some(Duration::from_micros(u32::MAX.into())));
    assert_eq!(record.time(), Duration::from_nanos(u64::MAX));
}

#[test]
fn a_segment_was_sent_unless_the_kernel_says_that_it_was_not() {
    let mut record = Record::new();
    assert!(
        record.sent(),
        "before 6.17 only segments that were sent are events"
    );
    record.set_error(Some(SendError(0)));
    assert!(record.sent());
    // EHOSTUNREACH, and a segment that a queue dropped.
    for error in [-113, 1] {
        record.set_error(Some(SendError(error)));
        assert!(!record.sent(), "{error}");
    }
}

#[test]
fn what_the_record_says_of_being_sent_goes_before_the_error() {
    let mut record = Record::new();
    for sent in [false, true] {
        for error in [None, Some(SendError(0)), Some(SendError(-113))] {
            record.set_sent(Some(sent));
            record.set_error(error);
            assert_eq!(record.sent(), sent, "{error:?}");
        }
    }
}

#[test]
fn any_byte_but_zero_is_true() {
    let field = FIELDS.iter().find(|field| field.name == "sent").unwrap();
    for byte in 0..=u8::MAX {
        let mut bytes = [0; RECORD_SIZE];
        let bit = field.presence_bit.unwrap() as usize;
        bytes[bit / 8] = 1 << (bit % 8);
        bytes[field.offset] = byte;
        assert_eq!(Event::new(&bytes).unwrap().sent_if_known(), Some(byte != 0));
    }
}

#[test]
fn the_host_puts_back_size_cpu_sequences_and_times_and_nothing_else() {
    let original = [0x11; RECORD_SIZE];
    let mut changed = [0x22; RECORD_SIZE];
    let event = Event::new_mut(&mut changed).unwrap();
    event.restore_host_fields(Event::new(&original).unwrap());
    for field in FIELDS {
        let of_host = [
            "size",
            "cpu",
            "sequence",
            "boot_time_ns",
            "wall_time_ns",
            "cpu_sequence",
        ];
        let expected = match of_host.contains(&field.name) {
            true => 0x11,
            false => 0x22,
        };
        let bytes = &changed[field.offset..field.offset + field.size];
        assert!(bytes.iter().all(|b| *b == expected), "{}", field.name);
    }
    for word in PRESENCE_WORDS {
        assert_eq!(changed[word..word + 8], [0x22; 8], "presence");
    }
}
