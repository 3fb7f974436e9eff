"""Runs a plugin natively, for tests.

::

    outcome = Scenario(SlowPeers, timeout="2s").event(peer="192.0.2.1:443", rto=3 * SECOND).run()
    self.assertEqual(outcome.alerts[0].name, "slow-peer")
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Self

from . import _host
from ._codec import Endpoint, put_u32, put_u64
from ._errors import one_line
from ._event import Event
from ._fields import FIELDS, RECORD_SIZE
from ._labels import FixedLabels
from ._output import Alert
from ._plugin import Plugin
from ._runner import Runner

# Most events of a call, in the runs of a scenario.
CALLS = (256, 7, 1)

# Fields that the host alone sets: the Event of a plugin has no setters for them.
_OF_HOST = {"size": put_u32, "cpu": put_u32, "sequence": put_u64, "cpu_sequence": put_u64}
_OF_HOST |= {"time": put_u64, "wall_time": put_u64}
_OFFSETS = {name: offset for name, offset, _, _ in FIELDS}
_SETTABLE = {*_OFFSETS, "peer", "local"}

# Times of the records: a second since boot, in 2026.
_TIME = 1_000_000_000
_BOOT = 1_767_225_600_000_000_000


class Failure(AssertionError):
    """The plugin has failed: its error, in the line that the host would print."""


def record(labels: dict[str, object] | None = None, **fields: Any) -> Event:
    """An event with these fields, and labels of earlier plugins. Others are unknown, or have a usual value.

    ``peer`` and ``local`` may be texts such as ``"192.0.2.1:443"``, addresses may be texts as well.
    """
    made = Event(RECORD_SIZE.to_bytes(4, "little") + bytes(RECORD_SIZE - 4), RECORD_SIZE, FixedLabels({}))
    usual: dict[str, Any] = {
        "local": "192.0.2.100:40000",
        "peer": "192.0.2.1:443",
        "state": 1,
        "time": _TIME,
        "segments": 1,
    }
    if isinstance(fields.get("peer"), str) and fields["peer"].startswith("["):
        usual["local"] = "[2001:db8::100]:40000"
    given = usual | fields
    given.setdefault("wall_time", _BOOT + given["time"])
    return _with(made, labels or {}, given)


def changed(event: Event, labels: dict[str, object] | None = None, **fields: Any) -> Event:
    """A copy of an event with other values in these fields."""
    return _with(event.copy(), labels or {}, fields)


def _with(event: Event, labels: dict[str, object], fields: dict[str, Any]) -> Event:
    for name, value in fields.items():
        if name not in _SETTABLE:
            raise TypeError(f"there is no field {name}; docs/events.md lists the fields")
        if name in ("peer", "local") and isinstance(value, str):
            value = Endpoint.parse(value)
        elif name.endswith("_address") and isinstance(value, str):
            value = ip_address(value)
        put = _OF_HOST.get(name)
        if put is None:
            setattr(event, name, value)
        else:
            event._set_core(_OFFSETS[name], put(value))
    for key, value in labels.items():
        event.set_label(key, value)
    event._changed = False
    return event


@dataclass
class Outcome:
    """What a plugin did with a scenario."""

    # Kept events, as the next plugin sees them. Their labels are those of `event.labels()`.
    kept: list[Event] = field(default_factory=list)
    # Numbers of the kept events, from 0.
    numbers: list[int] = field(default_factory=list)
    # Number of the event of an alert counts from 0 within the whole stream.
    alerts: list[Alert] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    gauges: dict[str, float] = field(default_factory=dict)
    observed: dict[str, list[float]] = field(default_factory=dict)
    # Level and text.
    logs: list[tuple[str, str]] = field(default_factory=list)

    def labels(self, key: str) -> list[str | None]:
        """The values of a label, one for each kept event."""
        return [event.label(key) for event in self.kept]

    def _comparable(self) -> dict[str, object]:
        kept = [(event._bytes(), event.labels()) for event in self.kept]
        return vars(self) | {"kept": kept}

    def _difference(self, other: Outcome) -> str | None:
        theirs = other._comparable()
        for name, value in self._comparable().items():
            if value != theirs[name]:
                return f"{name}:\n  {value}\n  {theirs[name]}"
        return None


class _Recorder:
    """The host of a test: collects what the plugin does, once its call has succeeded."""

    def __init__(self, outcome: Outcome, run: dict[str, str]) -> None:
        self._outcome = outcome
        self._run = run
        self.pending_loss = 0
        self.first = 0
        self.events: list[Event] = []
        self.changes: dict[int, bytes] = {}
        self.own: dict[int, dict[str, str]] = {}

    def begin(self, first: int, events: list[Event]) -> None:
        self.first, self.events, self.changes, self.own = first, events, {}, {}

    def lost(self) -> int:
        lost, self.pending_loss = self.pending_loss, 0
        return lost

    def run(self) -> list[tuple[str, str]]:
        return list(self._run.items())

    def labels(self) -> list[tuple[str, list[int], list[int], str]]:
        columns: dict[str, tuple[list[int], list[int], str]] = {}
        for number, event in enumerate(self.events):
            for key, value in event.labels().items():
                numbers, ends, text = columns.get(key, ([], [], ""))
                text += value
                columns[key] = ([*numbers, number], [*ends, len(text.encode())], text)
        return [(key, *column) for key, column in columns.items()]

    def change(self, events: list[int], records: bytes) -> None:
        size = len(records) // len(events)
        for place, number in enumerate(events):
            self.changes[number] = records[place * size : (place + 1) * size]

    def annotate(self, key: str, events: list[int], ends: list[int], text: str) -> None:
        raw = text.encode()
        start = 0
        for number, end in zip(events, ends, strict=True):
            self.own.setdefault(number, {})[key] = raw[start:end].decode()
            start = end

    def emit(self, alert: Alert) -> None:
        number = alert.event
        self._outcome.alerts.append(alert if number is None else alert._replace(event=self.first + number))

    def write(self, lines: bytes) -> None:
        self._outcome.lines += lines.decode().split("\n")[:-1]

    def count(self, metric: str, by: int) -> None:
        self._outcome.counts[_metric(metric)] = self._outcome.counts.get(metric, 0) + by

    def gauge(self, metric: str, value: float) -> None:
        self._outcome.gauges[_metric(metric)] = value

    def observe(self, metric: str, values: list[float]) -> None:
        self._outcome.observed.setdefault(_metric(metric), []).extend(values)

    def log(self, level: str, message: str) -> None:
        self._outcome.logs.append((level, message))

    def keep(self, kept: bool | bytes) -> None:
        for number, event in enumerate(self.events):
            if kept is True or (kept is not False and kept[number // 8] >> number % 8 & 1):
                data = self.changes.get(number, event._bytes())
                labels = event.labels() | self.own.get(number, {})
                self._outcome.kept.append(Event(data, len(data), FixedLabels(labels)))
                self._outcome.numbers.append(self.first + number)


class _Expired(Event):
    """The event of a call that has ended."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"{name} of an event whose call has ended: keep event.copy(), or the values")


def _expire(runner: Runner) -> None:
    if runner._event is not None:
        object.__setattr__(runner._event, "__class__", _Expired)
        runner._event = None


def _metric(name: str) -> str:
    """The host ignores other names."""
    if not 1 <= len(name.encode()) <= 64 or not name.isprintable() or " " in name:
        raise ValueError(f"metric {name!r}: expected 1 to 64 bytes without spaces")
    return name


class Scenario:
    """A stream of events, ticks and losses, and a plugin with settings as a user gives them."""

    def __init__(self, plugin: type[Plugin], /, **settings: Any) -> None:
        self._plugin = plugin
        self._settings = settings
        self._steps: list[tuple[str, Any]] = []
        self._run: dict[str, str] = {"version": "test"}

    def event(self, labels: dict[str, object] | None = None, **fields: Any) -> Self:
        """Adds an event: see :func:`record`."""
        return self.events([record(labels, **fields)])

    def events(self, events: Iterable[Event]) -> Self:
        """Adds events."""
        self._steps += [("event", event) for event in events]
        return self

    def lost(self, events: int) -> Self:
        """Adds a loss of this number of events."""
        self._steps.append(("lost", events))
        return self

    def tick(self, now: int) -> Self:
        """Adds a tick at this time since boot, in nanoseconds."""
        self._steps.append(("tick", now))
        return self

    def reload(self, **settings: Any) -> Self:
        """Adds a reload: a new object goes on with the state, and with the settings that are changed here."""
        self._steps.append(("reload", settings))
        return self

    def host(self, **run: str) -> Self:
        """Says what :func:`retrans.run` returns: ``host``, ``kernel``, ``source``, ``version``."""
        self._run |= run
        return self

    def run(self) -> Outcome:
        """Runs the plugin in calls of at most 256, 7 and 1 events; with state, also with a reload after each call.

        Raises an AssertionError where the answers differ, or where the plugin has failed.
        """
        outcome = self._run_once(CALLS[0], False)
        for size in CALLS[1:]:
            difference = outcome._difference(self._run_once(size, False))
            if difference:
                raise AssertionError(f"calls of at most {CALLS[0]} and of {size} events differ in {difference}")
        if self._is_stateful():
            difference = outcome._difference(self._run_once(CALLS[0], True))
            if difference:
                raise AssertionError(
                    f"the state is incomplete: with a reload after every call there are other {difference}"
                )
        return outcome

    def _is_stateful(self) -> bool:
        return self._plugin.save_state is not Plugin.save_state

    def _run_once(self, size: int, reload_always: bool) -> Outcome:
        outcome = Outcome()
        host = _Recorder(outcome, self._run)
        before, _host.current = _host.current, host
        try:
            self._run_steps(host, size, reload_always)
        except Exception as error:
            raise Failure(one_line(error)) from error
        finally:
            _host.current = before
        return outcome

    def _run_steps(self, host: _Recorder, size: int, reload_always: bool) -> None:
        settings = dict(self._settings)
        runner = Runner(self._plugin, json.dumps(settings), host)
        batch: list[Event] = []
        first = now = 0
        # A tick after the last step: none, but what was collected is processed.
        for step, value in [*self._steps, ("end", None)]:
            if batch and (step != "event" or len(batch) == size):
                host.begin(first, batch)
                kept = runner.process(len(batch), RECORD_SIZE, b"".join(event._bytes() for event in batch))
                _expire(runner)
                host.keep(kept)
                first += len(batch)
                batch = []
                if reload_always:
                    runner = self._reload(runner, settings, host)
            if step == "event":
                now = max(now, value.time)
                batch.append(value)
            elif step == "lost":
                host.pending_loss += value
            elif step == "tick":
                now = max(now, value)
                host.begin(first, [])
                runner.tick(value)
                if reload_always:
                    runner = self._reload(runner, settings, host)
            elif step == "reload":
                settings |= value
                runner = self._reload(runner, settings, host)
        host.begin(first, [])
        runner.finish(now)

    def _reload(self, runner: Runner, settings: dict[str, Any], host: _Recorder) -> Runner:
        new = Runner(self._plugin, json.dumps(settings), host)
        if self._is_stateful():
            new.restore(*runner.save())
        return new
