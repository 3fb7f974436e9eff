"""Raises an alert for each peer whose retransmission timeout is long, and resolves it when it has been short again."""

from ipaddress import ip_address

from retrans import (
    KEEP,
    MILLISECOND,
    SECOND,
    Duration,
    Event,
    IPAddress,
    Output,
    Plugin,
    address_bytes,
    export,
    setting,
)

# The most peers that have an alert at the same time. Remote hosts choose the addresses of peers.
MAX_PEERS = 1_000


@export
class SlowPeers(Plugin):
    """Raises an alert for each peer whose retransmission timeout is long, and resolves it when it is short again."""

    timeout: Duration = setting(2 * SECOND, "Timeout from which a peer gets an alert.")
    hold: Duration = setting(60 * SECOND, "How long a peer's timeouts must have been short before its alert ends.")

    def __post_init__(self) -> None:
        # The time of the last long timeout of each peer with an alert.
        self._last: dict[IPAddress, int] = {}

    def on_event(self, event: Event, out: Output) -> bool:
        rto = event.rto
        # Unknown for attempts without a connection.
        if rto is not None and rto >= self.timeout:
            peer, time = event.peer.ip, event.time
            last = self._last.get(peer)
            if last is not None:
                # Events may come a little out of order.
                self._last[peer] = max(last, time)
            elif len(self._last) < MAX_PEERS:
                summary = f"retransmission timeout of {rto // MILLISECOND} ms"
                out.alert("slow-peer", summary, labels={"peer": peer})
                self._last[peer] = time
        return KEEP

    def on_tick(self, now: int, out: Output) -> None:
        # A later time is that of an earlier boot: a replay may have several.
        self._last = {peer: min(last, now) for peer, last in self._last.items()}
        ended = [peer for peer, last in self._last.items() if last + self.hold <= now]
        for peer in sorted(ended, key=address_bytes):
            del self._last[peer]
            out.alert("slow-peer", "its timeouts are short again", labels={"peer": peer}, resolved=True)

    def save_state(self) -> dict[str, int]:
        return {str(peer): last for peer, last in self._last.items()}

    def restore_state(self, state: dict[str, int]) -> None:
        self._last = {ip_address(peer): int(last) for peer, last in state.items()}
