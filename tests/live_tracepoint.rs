//! Where the BTF-typed tracepoint cannot be attached, the classic one tells the same.
//!
//! Alone in its binary: the kernel skips a classic program while any other BPF program runs on that
//! CPU, so that no other probe may be there.

mod live;

use anyhow::Result;

use crate::live::expect::assert_on_flow;
use crate::live::expect::assert_sent;
use crate::live::expect::kinds;
use crate::live::host::Host;
use crate::live::lab::Lab;
use crate::live::lab::RECEIVER_V4;
use crate::live::lab::RECEIVER_V6;
use crate::live::lab::SEGMENT;
use crate::live::oracle::Nstat;
use crate::live::require_root;

#[test]
fn root_the_classic_tracepoint_tells_the_same() -> Result<()> {
    let Some(root) = require_root() else {
        return Ok(());
    };
    let lab = Lab::new()?;
    let host = Host::start_with_tracefs(&root, &["--attach", "tracepoint"])?;
    let over_ipv4 = lab.five_fast_retransmits(RECEIVER_V4)?;
    let over_ipv6 = lab.five_fast_retransmits(RECEIVER_V6)?;
    let run = host.stop()?;

    assert_eq!(Nstat::of(&lab.sender)?.retransmitted_segments()?, 10);
    let events = run.retransmits_in(&lab.sender)?;
    assert_eq!(kinds(&events), ["fast"; 10]);
    let flows = [[&over_ipv4; 5], [&over_ipv6; 5]];
    for (event, flow) in events.iter().zip(flows.as_flattened()) {
        assert_on_flow(event, flow);
        assert_sent(event);
        assert_eq!(event["state"], "ESTABLISHED", "{event}");
        assert_eq!(event["retransmit"]["segments"], 1, "{event}");
        assert_eq!(event["retransmit"]["length"], SEGMENT, "{event}");
        assert_eq!(event["retransmit"]["flags"], "PSH|ACK", "{event}");
        assert_eq!(event["tcp"]["ca_state"], "recovery", "{event}");
    }
    run.ledger.assert_complete();
    Ok(())
}
