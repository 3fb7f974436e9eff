"""Runs a plugin over the bytes of a call, and passes its effects to the host."""

from __future__ import annotations

import json

from ._event import Event, event_class
from ._host import Host
from ._labels import Labels
from ._output import Output
from ._plugin import Plugin
from ._settings import read_settings

# Which events are kept: all, none, or those whose bit is 1.
Keep = bool | bytes

# The first byte of a saved state that is bytes. No JSON text begins with it.
_RAW = b"\0"


class Runner:
    """A plugin with the objects that its calls use again."""

    def __init__(self, cls: type[Plugin], settings: str, host: Host) -> None:
        self._plugin = cls(**read_settings(cls._settings, settings))
        self._host = host
        self._labels = Labels(host)
        self._out = Output(host)
        self._counts_losses = cls.on_lost is not Plugin.on_lost
        self._event: Event | None = None

    def process(self, count: int, record_size: int, records: bytes) -> Keep:
        """Processes records that are back to back."""
        if len(records) != count * record_size:
            raise ValueError(f"the host passed {len(records)} bytes as {count} records of {record_size} bytes")
        event = self._reuse(record_size)
        self._begin()
        out = self._out
        on_event = self._plugin.on_event
        # Where dropped records begin.
        dropped: list[int] = []
        changed: list[int] = []
        copies: list[bytes] = []
        event._data = records
        event._changed = False
        out._event = event
        # What is here runs for every event.
        for at in range(0, len(records), record_size):
            event._at = at
            keep = on_event(event, out)
            if keep is False:
                dropped.append(at)
                if self._labels.own:
                    self._labels.drop(at // record_size)
            elif keep is not True:
                raise TypeError(f"on_event returned {keep!r}: expected KEEP or DROP")
            if event._changed:
                if keep:
                    changed.append(at // record_size)
                    copies.append(event._data)
                event._data = records
                event._changed = False
        if changed:
            self._host.change(changed, b"".join(copies))
        self._labels.commit()
        out._commit()
        return _keep(count, record_size, dropped)

    def tick(self, now: int) -> None:
        self._begin()
        self._plugin.on_tick(now, self._out)
        self._out._commit()

    def finish(self, now: int) -> None:
        self._begin()
        self._plugin.on_finish(now, self._out)
        self._out._commit()

    def save(self) -> tuple[int, bytes]:
        state = self._plugin.save_state()
        if isinstance(state, (bytes, bytearray)):
            saved = _RAW + state
        else:
            saved = json.dumps(state, separators=(",", ":"), ensure_ascii=False).encode()
        return self._plugin.STATE_VERSION, saved

    def restore(self, version: int, saved: bytes) -> None:
        state = saved[1:] if saved.startswith(_RAW) else json.loads(saved)
        if version == self._plugin.STATE_VERSION:
            self._plugin.restore_state(state)
        else:
            self._plugin.migrate_state(version, state)

    def _begin(self) -> None:
        """Begins a call. Clears what an earlier call left, also one that failed."""
        self._labels.begin()
        self._out._begin()
        if self._counts_losses:
            lost = self._host.lost()
            if lost:
                self._plugin.on_lost(lost, self._out)

    def _reuse(self, record_size: int) -> Event:
        event = self._event
        if event is None or event._size != record_size:
            event = self._event = event_class(record_size)(b"", record_size, self._labels)
        return event


def _keep(count: int, record_size: int, dropped: list[int]) -> Keep:
    if not dropped:
        return True
    if len(dropped) == count:
        return False
    # By the contract, bits beyond the last event are 0.
    bits = bytearray(b"\xff" * (count // 8))
    if count % 8:
        bits.append((1 << count % 8) - 1)
    for at in dropped:
        number = at // record_size
        bits[number >> 3] &= ~(1 << (number & 7))
    return bytes(bits)
