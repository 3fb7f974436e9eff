//! Records made by hand, as for tests.

use core::net::SocketAddr;
use core::time::Duration;

use crate::event::Event;
use crate::numbers::Kind;
use crate::numbers::TcpState;
use crate::owner::Owner;
use crate::owner::Process;
use crate::record::Record;

/// Boot of the machine of records made by hand: 2026-01-01T00:00:00Z.
pub(crate) const BOOT: Duration = Duration::from_secs(1_767_225_600);

impl Record {
    /// A fast retransmit of one segment on an established connection, at time 0 of a machine that booted on
    /// 2026-01-01T00:00:00Z. All other fields are as in [`Record::new`]. Addresses of two versions of IP are treated as by
    /// [`Event::set_peer`].
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use retrans_event::Kind;
    /// # use retrans_event::Process;
    /// # use retrans_event::Record;
    /// # fn main() -> Result<(), std::net::AddrParseError> {
    /// let record = Record::retransmit("10.0.0.1:33000".parse()?, "10.0.0.2:443".parse()?)
    ///     .with_time(Duration::from_secs(5))
    ///     .with_kind(Kind::Timeout)
    ///     .with_process(Process::new(42, "nginx"))
    ///     .with(|event| event.set_srtt(Some(Duration::from_millis(30))));
    /// assert_eq!(record.peer().port(), 443);
    /// assert_eq!(record.owner().process().map(|process| process.pid), Some(42));
    /// # Ok(())
    /// # }
    /// ```
    pub fn retransmit(local: SocketAddr, peer: SocketAddr) -> Record {
        Record::new()
            .with_local(local)
            .with_peer(peer)
            .with_time(Duration::ZERO)
            .with_kind(Kind::Fast)
            .with_state(TcpState::Established)
            .with_segments(1)
    }

    /// Changes any field: `record.with(|event| event.set_srtt(Some(rtt)))`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Event)) -> Record {
        change(&mut self);
        self
    }

    /// Sets local address, local port and IP version, as [`Event::set_local`].
    #[must_use]
    pub fn with_local(self, local: SocketAddr) -> Record {
        self.with(|event| event.set_local(local))
    }

    /// Sets the peer's address and port, and the IP version, as [`Event::set_peer`].
    #[must_use]
    pub fn with_peer(self, peer: SocketAddr) -> Record {
        self.with(|event| event.set_peer(peer))
    }

    /// Sets the time since boot, and the time of day as of a machine that booted on 2026-01-01T00:00:00Z.
    #[must_use]
    pub fn with_time(self, time: Duration) -> Record {
        self.with(|event| {
            event.set_time(time);
            event.set_wall_time(BOOT.saturating_add(time));
        })
    }

    /// Sets the cause. The evidence for it does not change.
    #[must_use]
    pub fn with_kind(self, kind: Kind) -> Record {
        self.with(|event| event.set_kind(kind))
    }

    /// Sets the state of the connection.
    #[must_use]
    pub fn with_state(self, state: TcpState) -> Record {
        self.with(|event| event.set_state(state))
    }

    /// Sets the number of segments.
    #[must_use]
    pub fn with_segments(self, segments: u32) -> Record {
        self.with(|event| event.set_segments(Some(segments)))
    }

    /// Sets the owner: this process alone holds the socket.
    #[must_use]
    pub fn with_process(self, process: Process) -> Record {
        self.with_owner(&Owner::Held {
            process,
            holders: 1,
        })
    }

    /// Sets the owner.
    #[must_use]
    pub fn with_owner(self, owner: &Owner) -> Record {
        self.with(|event| event.set_owner(owner))
    }
}
