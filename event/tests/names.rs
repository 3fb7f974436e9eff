//! Numbers and names of the kernel's enumerations.
#![allow(clippy::unwrap_used)]

use retrans_event::CaState;
use retrans_event::Kind;
use retrans_event::Name;
use retrans_event::OwnerStatus;
use retrans_event::SendError;
use retrans_event::TcpFlags;
use retrans_event::TcpState;
use retrans_event::Timer;
use retrans_event::Tracepoint;

macro_rules! every_number_reads_back {
    ($($test:ident: $type:ident, $example:literal;)+) => {$(
        #[test]
        fn $test() {
            for number in 0..=u8::MAX {
                let value = $type::from_number(number);
                let text = value.to_string();
                assert_eq!(value.number(), number);
                assert_eq!(text.parse(), Ok(value), "{text}");
                assert_eq!(value.name().is_some(), $type::ALL.contains(&value), "{text}");
                if value.name().is_none() {
                    assert_eq!(value, $type::Other(number));
                    assert_eq!(text, format!("other({number})"));
                }
            }
            for text in ["", "other", "other(", "other(256)", "other(-1)", "nonsense"] {
                let error = text.parse::<$type>().unwrap_err();
                assert!(error.to_string().contains($example), "{error}");
            }
        }
    )+};
}

every_number_reads_back! {
    every_kind_reads_back: Kind, "fast or timeout";
    every_origin_reads_back: Tracepoint, "tcp_retransmit_skb";
    every_state_reads_back: TcpState, "ESTABLISHED";
    every_ca_state_reads_back: CaState, "recovery";
    every_timer_reads_back: Timer, "retransmit";
    every_owner_status_reads_back: OwnerStatus, "held";
}

#[test]
fn states_have_the_names_of_the_kernel() {
    assert_eq!(TcpState::from_number(1).to_string(), "ESTABLISHED");
    assert_eq!(TcpState::from_number(4).to_string(), "FIN_WAIT1");
    assert_eq!(format!("{:>12}", TcpState::SynSent), "    SYN_SENT");
}

#[test]
fn flags_are_shown_lowest_bit_first() {
    assert_eq!(TcpFlags(0x18).to_string(), "PSH|ACK");
    assert_eq!(TcpFlags(0).to_string(), "");
    assert_eq!("ACK|PSH".parse(), Ok(TcpFlags(0x18)));
    assert_eq!("".parse(), Ok(TcpFlags(0)));
    let error = "PSH|PUSH".parse::<TcpFlags>().unwrap_err();
    assert_eq!(error.to_string(), "expected TCP flags such as PSH|ACK");
    let flags = TcpFlags(0x13);
    assert!(flags.syn() && flags.ack() && flags.fin());
}

#[test]
fn errors_are_shown_by_name_or_by_number() {
    assert_eq!(SendError(0).to_string(), "none");
    assert_eq!(SendError(-113).to_string(), "EHOSTUNREACH");
    assert_eq!(SendError(1).to_string(), "NET_XMIT_DROP");
    assert_eq!(SendError(-4095).to_string(), "error(-4095)");
    for number in [0, 1, 2, -1, -16, -113, -4095, i32::MIN, i32::MAX] {
        let text = SendError(number).to_string();
        assert_eq!(text.parse(), Ok(SendError(number)), "{text}");
    }
    assert!("error(x)".parse::<SendError>().is_err());
}

#[test]
fn an_attempt_that_ends_early_is_not_counted_by_the_kernel() {
    // The errors with which __tcp_retransmit_skb returns before it counts.
    let early = ["EBUSY", "EINVAL", "ENOMEM", "EHOSTUNREACH", "EAGAIN"];
    for (number, name) in SendError::NAMES {
        let error = SendError(*number);
        assert_eq!(
            error.failed_before_counting(),
            early.contains(name),
            "{name}"
        );
        assert_eq!(error.is_still_queued(), *name == "EBUSY", "{name}");
    }
    // All other results, as of a route or a filter, come after the kernel has counted.
    for number in [-4095, -2, 3, 16, 113, i32::MIN, i32::MAX] {
        assert!(!SendError(number).failed_before_counting(), "{number}");
        assert!(!SendError(number).is_still_queued(), "{number}");
    }
}

#[test]
fn a_name_ends_at_the_first_nul_and_has_sixteen_bytes_at_most() {
    let name = Name::from_bytes(*b"cubic\0garbage\0\0\0");
    assert_eq!(name.as_str(), "cubic");
    assert_eq!(
        name,
        "cubic".parse().unwrap(),
        "bytes after the NUL make no difference"
    );
    assert_eq!(
        Name::from_bytes(*b"sixteen-bytes-16").as_str().len(),
        Name::MAX
    );
    assert!("seventeen-bytes-1".parse::<Name>().is_err());
    assert!("nul\0".parse::<Name>().is_err());
}

/// A name as in a record: padded with NULs.
fn padded(bytes: &[u8]) -> Name {
    let mut name = [0; Name::MAX];
    name[..bytes.len()].copy_from_slice(bytes);
    Name::from_bytes(name)
}

#[test]
fn bytes_of_a_name_that_are_not_utf8_are_shown_as_question_marks() {
    for (bytes, shown) in [
        (&b"bbr\xff2"[..], "bbr?2"),
        // An invalid byte at the start, and invalid bytes alone.
        (&b"\xffworker"[..], "?worker"),
        (&b"\x80\xfe\xff"[..], "???"),
        // The first bytes of a character, followed by another character.
        (&b"a\xe2\x82b"[..], "a??b"),
        (
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            "????????????????",
        ),
    ] {
        let name = padded(bytes);
        assert_eq!(name.as_str(), shown);
        assert_eq!(format!("{name} {name:?}"), format!("{shown} {shown:?}"));
        assert_eq!(
            name,
            shown.parse().unwrap(),
            "a replay of the lines has the same name"
        );
    }
}

#[test]
fn a_character_that_is_cut_off_at_the_end_of_a_name_is_left_out() {
    // The kernel cuts names after 15 bytes.
    let name = padded(b"r\xc3\xa9trans-proc\xc3");
    assert_eq!(name.as_str(), "rétrans-proc");
    let name = padded(b"\xff234567890123\xf0\x9f");
    assert_eq!(name.as_str(), "?234567890123");
}
