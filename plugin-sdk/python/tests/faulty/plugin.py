"""Fails on purpose, for tests of the host."""

from typing import Literal

from retrans import KEEP, Event, Output, Plugin, export, setting


@export
class Faulty(Plugin):
    """Fails on purpose, after a number of events."""

    fault: Literal["exception", "loop", "memory"] = setting("exception", "What happens.")
    after: int = setting(0, "Number of events before it.", min=0, max=2**64 - 1)

    def __post_init__(self) -> None:
        self._events = 0

    def on_event(self, event: Event, out: Output) -> bool:
        self._events += 1
        if self._events > self.after:
            self._fail()
        return KEEP

    def _fail(self) -> None:
        if self.fault == "exception":
            raise ValueError("a fault\non purpose")
        hoard = []
        while True:
            if self.fault == "memory":
                hoard.append(bytearray(1 << 20))
