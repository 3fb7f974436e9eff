//! The cause of a retransmit, from its evidence. Each test of the classification, and their order,
//! was found by comparison with the kernel's own counters.

use retrans_event::CaState;
use retrans_event::Kind;
use retrans_event::Record;
use retrans_event::TcpFlags;
use retrans_event::TcpState;
use retrans_event::Timer;
use retrans_event::Tracepoint;

const SYN: TcpFlags = TcpFlags(0x02);
const SYN_ACK: TcpFlags = TcpFlags(0x12);
const ACK: TcpFlags = TcpFlags(0x10);

/// The last segment in flight of an established connection.
fn evidence(ca_state: CaState, timer: Timer) -> Record {
    let mut record = Record::new();
    record.set_state(TcpState::Established);
    record.set_tcp_flags(Some(ACK));
    record.set_ca_state(Some(ca_state));
    record.set_timer(Some(timer));
    record.set_tlp_high_seq(Some(0));
    record.set_end_seq(Some(9_000));
    record.set_snd_nxt(Some(9_000));
    record
}

#[test]
fn a_segment_sent_before_the_handshake_is_a_syn() {
    let mut record = evidence(CaState::Loss, Timer::None);
    record.set_state(TcpState::SynSent);
    record.set_tcp_flags(Some(SYN));
    assert_eq!(record.classify(), Kind::Syn);
    // The state or the flag alone is enough.
    record.set_tcp_flags(None);
    assert_eq!(record.classify(), Kind::Syn);
    record.set_state(TcpState::Established);
    record.set_tcp_flags(Some(SYN));
    assert_eq!(record.classify(), Kind::Syn);
}

#[test]
fn the_answer_to_a_syn_is_a_syn_ack() {
    let mut record = evidence(CaState::Loss, Timer::None);
    record.set_tcp_flags(Some(SYN_ACK));
    for state in [TcpState::SynRecv, TcpState::SynSent] {
        record.set_state(state);
        assert_eq!(
            record.classify(),
            Kind::SynAck,
            "simultaneous open, {state}"
        );
    }
}

#[test]
fn every_event_of_the_syn_ack_tracepoint_is_a_syn_ack() {
    let mut record = Record::new();
    record.set_tracepoint(Tracepoint::RetransmitSynack);
    assert_eq!(record.classify(), Kind::SynAck);
    let mut record = evidence(CaState::Recovery, Timer::Retransmit);
    record.set_tracepoint(Tracepoint::RetransmitSynack);
    assert_eq!(record.classify(), Kind::SynAck);
}

#[test]
fn the_last_segment_by_the_probe_timer_is_a_tail_loss_probe() {
    for ca_state in [CaState::Open, CaState::Disorder, CaState::Cwr] {
        let record = evidence(ca_state, Timer::LossProbe);
        assert_eq!(record.classify(), Kind::TailLossProbe, "{ca_state}");
    }
}

#[test]
fn each_sign_of_a_tail_loss_probe_matters() {
    let probe = || evidence(CaState::Open, Timer::LossProbe);
    type Spoil = fn(&mut Record);
    let spoilt: [(&str, Spoil); 7] = [
        ("another timer", |r| r.set_timer(Some(Timer::Retransmit))),
        ("timer unknown", |r| r.set_timer(None)),
        ("probed before", |r| r.set_tlp_high_seq(Some(9_000))),
        ("probe unknown", |r| r.set_tlp_high_seq(None)),
        ("not the last segment", |r| r.set_snd_nxt(Some(9_001))),
        ("no end", |r| r.set_end_seq(None)),
        ("neither end nor next", |r| {
            r.set_end_seq(None);
            r.set_snd_nxt(None);
        }),
    ];
    for (what, spoil) in spoilt {
        let mut record = probe();
        spoil(&mut record);
        assert_eq!(record.classify(), Kind::Unknown, "{what}");
    }
}

#[test]
fn a_path_mtu_change_is_no_tail_loss_probe() {
    // The probe timer is pending, no probe was sent before, and it is the last segment: only the state of
    // congestion control differs.
    let mut record = evidence(CaState::Loss, Timer::LossProbe);
    record.set_undo_marker(Some(0));
    assert_eq!(record.classify(), Kind::LossRecovery);
}

/// Before 5.12 the state of congestion control is the same as for a probe.
#[test]
fn what_is_sent_again_before_the_probe_timer_expires_is_no_tail_loss_probe() {
    let mut record = evidence(CaState::Open, Timer::LossProbe);
    record.set_timer_expired(Some(false));
    assert_eq!(record.classify(), Kind::LossRecovery);
    record.set_timer_expired(Some(true));
    assert_eq!(record.classify(), Kind::TailLossProbe);
}

#[test]
fn a_probe_timer_in_recovery_is_a_fast_retransmit() {
    let record = evidence(CaState::Recovery, Timer::LossProbe);
    assert_eq!(record.classify(), Kind::Fast);
}

#[test]
fn a_retransmit_from_the_timers_handler_is_a_timeout() {
    let record = evidence(CaState::Loss, Timer::None);
    assert_eq!(record.classify(), Kind::Timeout);
}

#[test]
fn any_other_retransmit_after_a_timeout_is_loss_recovery() {
    let timers = Timer::ALL.iter().copied().chain([Timer::Other(200)]);
    for timer in timers.filter(|timer| *timer != Timer::None) {
        let record = evidence(CaState::Loss, timer);
        assert_eq!(record.classify(), Kind::LossRecovery, "{timer}");
    }
}

#[test]
fn timeout_and_loss_recovery_cannot_be_distinguished_without_the_timer() {
    let mut record = evidence(CaState::Loss, Timer::None);
    record.set_timer(None);
    assert_eq!(record.classify(), Kind::Unknown);
}

#[test]
fn a_retransmit_in_recovery_is_fast_whatever_the_timer() {
    for timer in Timer::ALL {
        let record = evidence(CaState::Recovery, *timer);
        assert_eq!(record.classify(), Kind::Fast, "{timer}");
    }
}

#[test]
fn what_fits_no_pattern_is_unknown() {
    assert_eq!(Record::new().classify(), Kind::Unknown);
    for ca_state in [CaState::Open, CaState::Disorder, CaState::Cwr] {
        let record = evidence(ca_state, Timer::Retransmit);
        assert_eq!(record.classify(), Kind::Unknown, "{ca_state}");
    }
    for timer in [Timer::None, Timer::LossProbe] {
        let record = evidence(CaState::Other(9), timer);
        assert_eq!(record.classify(), Kind::Unknown, "{timer}");
    }
}

#[test]
fn the_cause_does_not_depend_on_the_kind_in_the_record() {
    let mut record = evidence(CaState::Recovery, Timer::Retransmit);
    record.set_kind(Kind::Timeout);
    assert_eq!(record.classify(), Kind::Fast);
}
