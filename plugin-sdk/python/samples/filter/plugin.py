"""Keeps the retransmits of one service, and drops all others."""

from retrans import Event, Output, Plugin, export, setting


@export
class Service(Plugin):
    """Keeps the retransmits of one service, and drops all others."""

    port: int = setting(443, "Port of the service, at the peer.", min=0, max=65535)

    def on_event(self, event: Event, out: Output) -> bool:
        return event.peer.port == self.port
