"""Counts retransmits by kind, and prints the counts once in an interval."""

from collections import Counter
from typing import Any

from retrans import KEEP, SECOND, Duration, Event, Kind, Output, Plugin, export, setting


@export
class KindSummary(Plugin):
    """Counts retransmits by kind, and prints the counts once in an interval."""

    every: Duration = setting(10 * SECOND, "The interval.", min=SECOND)

    def __post_init__(self) -> None:
        self._next: int | None = None
        self._lost = 0
        self._kinds: Counter[Kind] = Counter()

    def on_event(self, event: Event, out: Output) -> bool:
        self._kinds[event.kind] += 1
        return KEEP

    def on_lost(self, events: int, out: Output) -> None:
        self._lost += events

    def on_tick(self, now: int, out: Output) -> None:
        # A time too far ahead is that of an earlier boot: a replay may have several.
        if self._next is None or self._next > now + self.every:
            self._next = now + self.every
        elif now >= self._next:
            self._print(now, out)
            while self._next <= now:
                self._next += self.every

    def on_finish(self, now: int, out: Output) -> None:
        self._print(now, out)

    def _print(self, now: int, out: Output) -> None:
        if not self._kinds and not self._lost:
            return
        kinds = sorted((str(kind), count) for kind, count in self._kinds.items())
        out.json(
            {
                "type": "kind_summary",
                "boot_time_ns": now,
                "events": self._kinds.total(),
                "lost": self._lost,
                "kinds": dict(kinds),
            }
        )
        out.count("summaries")
        self._kinds.clear()
        self._lost = 0

    def save_state(self) -> dict[str, Any]:
        kinds = {str(kind): count for kind, count in self._kinds.items()}
        return {"next": self._next, "lost": self._lost, "kinds": kinds}

    def restore_state(self, state: dict[str, Any]) -> None:
        self._next, self._lost = state["next"], state["lost"]
        self._kinds = Counter({Kind.named(kind): count for kind, count in state["kinds"].items()})
