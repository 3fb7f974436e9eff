//! Raises an alert for each peer whose retransmission timeout is long, and resolves it when it has been short again.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use retrans_plugin_sdk::prelude::*;

settings! {
    struct Settings {
        /// Timeout from which a peer is slow.
        #[serde(with = "duration")]
        timeout: Duration = Duration::from_secs(2),
        /// How long a peer's timeouts must have been short before its alert is resolved.
        #[serde(with = "duration")]
        hold: Duration = Duration::from_secs(60),
    }
}

/// The most peers that have an alert at the same time. Remote hosts choose the addresses of peers.
const MAX_PEERS: usize = 1_000;

struct SlowPeers {
    settings: Settings,
    /// The last time at which each peer with an active alert was slow. Peers are in the order of their bytes.
    active: BTreeMap<Ipv6Addr, Duration>,
}

impl Plugin for SlowPeers {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        Ok(SlowPeers {
            settings,
            active: BTreeMap::new(),
        })
    }

    fn on_event(&mut self, event: &mut Event, out: &mut Output) -> Result<Verdict> {
        let Some(timeout) = event
            .rto()
            .filter(|timeout| *timeout >= self.settings.timeout)
        else {
            return Ok(Verdict::Keep);
        };
        let peer = event.peer().ip();
        let key = mapped(peer);
        if self.active.len() >= MAX_PEERS && !self.active.contains_key(&key) {
            return Ok(Verdict::Keep);
        }
        let last = self.active.entry(key).or_insert_with(|| {
            let alert = Alert::warning("slow-peer").label("peer", peer);
            let millis = timeout.as_millis();
            out.alert(alert.summary(format_args!("retransmission timeout of {millis} ms")));
            event.time()
        });
        *last = event.time().max(*last);
        Ok(Verdict::Keep)
    }

    fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        let hold = self.settings.hold;
        self.active.retain(|peer, last| {
            // A later time is that of an earlier boot: a replay may have several.
            *last = now.min(*last);
            let is_over = *last + hold <= now;
            if is_over {
                let mut alert = Alert::warning("slow-peer").label("peer", peer.to_canonical());
                alert.state = AlertState::Resolved;
                out.alert(alert.summary("its timeouts are short again"));
            }
            !is_over
        });
        Ok(())
    }
}

impl Stateful for SlowPeers {
    type State = BTreeMap<Ipv6Addr, Duration>;

    fn state(&self) -> &Self::State {
        &self.active
    }

    fn restore(&mut self, active: Self::State) -> Result<()> {
        self.active = active;
        Ok(())
    }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

export_plugin!(SlowPeers: Stateful);
