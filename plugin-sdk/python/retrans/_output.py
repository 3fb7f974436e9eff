"""The effects of a call, held back until the call ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from math import isfinite
from typing import Any, NamedTuple, Protocol

from ._codec import U64_MAX, checked_text


class Severity(Enum):
    """Severity of an alert."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertState(Enum):
    """Whether an alert starts or ends."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Alert(NamedTuple):
    """A message for people. Name and labels identify it."""

    name: str
    severity: Severity
    state: AlertState
    summary: str
    labels: tuple[tuple[str, str], ...]
    # Number of the event that it is about.
    event: int | None


class Effects(Protocol):
    """What output needs of the host."""

    def emit(self, alert: Alert) -> None: ...
    def write(self, lines: bytes) -> None: ...
    def count(self, metric: str, by: int) -> None: ...
    def gauge(self, metric: str, value: float) -> None: ...
    def observe(self, metric: str, values: list[float]) -> None: ...


class Numbered(Protocol):
    """What output needs of an event."""

    @property
    def _number(self) -> int: ...


class Output:
    """Collects alerts, lines and metrics. They take effect when the call of the host has succeeded."""

    __slots__ = ("_alerts", "_counts", "_event", "_gauges", "_host", "_lines", "_observed", "_used")

    def __init__(self, host: Effects) -> None:
        self._host = host
        # What is processed has the number of the event; None outside of on_event.
        self._event: Numbered | None = None
        self._begin_all()

    def line(self, text: object) -> None:
        """Writes a line to the host's standard output. Adds the line feed, unless the text ends with one."""
        line = str(text)
        self._lines.append(line if line.endswith("\n") else line + "\n")
        self._used = True

    def json(self, value: Any) -> None:
        """Writes a value as one line of JSON to the host's standard output."""
        self.line(json.dumps(value, separators=(",", ":"), ensure_ascii=False))

    def alert(
        self,
        name: str,
        summary: object = "",
        *,
        severity: Severity = Severity.WARNING,
        labels: Mapping[str, object] | None = None,
        resolved: bool = False,
        about_event: bool = True,
    ) -> None:
        """Raises an alert, or ends it. Name and labels identify it.

        In ``on_event`` the alert is about that event, unless ``about_event`` is false.
        """
        if not name:
            raise ValueError("an alert needs a name")
        checked_text(name)
        texts = tuple((checked_text(key), checked_text(str(value))) for key, value in (labels or {}).items())
        state = AlertState.RESOLVED if resolved else AlertState.FIRING
        event = self._event._number if self._event is not None and about_event else None
        self._alerts.append(Alert(name, Severity(severity), state, checked_text(str(summary)), texts, event))
        self._used = True

    def count(self, metric: str, by: int = 1) -> None:
        """Adds to a counter of the plugin. The name has 1 to 64 bytes, and no spaces."""
        if not isinstance(by, int) or by < 0:
            raise ValueError(f"counter {metric}: expected a whole number of at least 0, not {by!r}")
        self._counts[metric] = min(self._counts.get(checked_text(metric), 0) + by, U64_MAX)
        self._used = True

    def gauge(self, metric: str, value: float) -> None:
        """Sets a gauge of the plugin. A value that is no finite number is left out."""
        if isfinite(value):
            self._gauges[checked_text(metric)] = float(value)
            self._used = True

    def observe(self, metric: str, value: float) -> None:
        """Adds a value to a histogram of the plugin. A value that is no finite number is left out."""
        if isfinite(value):
            self._observed.setdefault(checked_text(metric), []).append(float(value))
            self._used = True

    def _begin_all(self) -> None:
        self._alerts: list[Alert] = []
        self._lines: list[str] = []
        self._counts: dict[str, int] = {}
        self._gauges: dict[str, float] = {}
        self._observed: dict[str, list[float]] = {}
        self._used = False

    def _begin(self) -> None:
        """Clears the effects of the last call."""
        self._event = None
        if self._used:
            self._begin_all()

    def _commit(self) -> None:
        if not self._used:
            return
        host = self._host
        for alert in self._alerts:
            host.emit(alert)
        if self._lines:
            host.write("".join(self._lines).encode())
        for metric, by in self._counts.items():
            if by:
                host.count(metric, by)
        for metric, value in self._gauges.items():
            host.gauge(metric, value)
        for metric, values in self._observed.items():
            host.observe(metric, values)
