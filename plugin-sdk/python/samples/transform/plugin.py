"""Labels retransmits to networks of our own."""

from retrans import KEEP, Event, Networks, Output, Plugin, export, setting


@export
class Network(Plugin):
    """Labels retransmits to networks of our own."""

    networks: Networks = setting(Networks(), "The networks, such as 10.0.0.0/8.")
    name: str = setting("internal", 'Value of the label "network" for peers in one of them.')

    def on_event(self, event: Event, out: Output) -> bool:
        if event.peer.ip in self.networks:
            event.set_label("network", self.name)
        return KEEP
