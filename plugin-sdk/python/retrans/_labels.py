"""The labels of a call's events, in columns: one for each key, with values for some of the events."""

from __future__ import annotations

from typing import Protocol

from ._codec import checked_text


class Columns(Protocol):
    """What labels need of the host."""

    def labels(self) -> list[tuple[str, list[int], list[int], str]]: ...
    def annotate(self, key: str, events: list[int], ends: list[int], text: str) -> None: ...


class Labels:
    """Labels of the host and earlier plugins, fetched at the first use, and those of this plugin."""

    __slots__ = ("_earlier", "_host", "own")

    def __init__(self, host: Columns) -> None:
        self._host = host
        # By key: numbers of events, ascending, and their values.
        self.own: dict[str, tuple[list[int], list[str]]] = {}
        self._earlier: dict[str, dict[int, str]] | None = None

    def begin(self) -> None:
        """Forgets the labels of the last call."""
        if self.own:
            self.own = {}
        self._earlier = None

    def set(self, event: int, key: str, value: str) -> None:
        column = self.own.get(key)
        if column is None:
            self.own[checked_text(key)] = ([event], [value])
            return
        events, values = column
        if events and events[-1] == event:
            values[-1] = value
        else:
            events.append(event)
            values.append(value)

    def drop(self, event: int) -> None:
        """Removes this plugin's labels of an event that is dropped."""
        for events, values in self.own.values():
            if events and events[-1] == event:
                events.pop()
                values.pop()

    def get(self, event: int, key: str) -> str | None:
        column = self.own.get(key)
        if column is not None and column[0] and column[0][-1] == event:
            return column[1][-1]
        values = self._fetch().get(key)
        return None if values is None else values.get(event)

    def of(self, event: int) -> dict[str, str]:
        """All labels of an event, in the order of their keys."""
        found = {key: values[event] for key, values in self._fetch().items() if event in values}
        for key, (events, values) in self.own.items():
            if events and events[-1] == event:
                found[key] = values[-1]
        return dict(sorted(found.items()))

    def commit(self) -> None:
        """Passes the labels of this plugin to the host."""
        for key, (events, values) in sorted(self.own.items()):
            if not events:
                continue
            text = "".join(values)
            ends = []
            end = 0
            # Ends count bytes.
            ascii_only = text.isascii()
            for value in values:
                end += len(value) if ascii_only else len(value.encode())
                ends.append(end)
            self._host.annotate(key, events, ends, text)

    def _fetch(self) -> dict[str, dict[int, str]]:
        earlier = self._earlier
        if earlier is None:
            earlier = {}
            for key, events, ends, text in self._host.labels():
                raw = text.encode()
                values = {}
                start = 0
                for event, end in zip(events, ends, strict=True):
                    values[event] = raw[start:end].decode()
                    start = end
                earlier[key] = values
            self._earlier = earlier
        return earlier


class FixedLabels(Labels):
    """The labels of an event that is no longer part of a call."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def set(self, event: int, key: str, value: str) -> None:
        self._values[checked_text(key)] = value

    def get(self, event: int, key: str) -> str | None:
        return self._values.get(key)

    def of(self, event: int) -> dict[str, str]:
        return dict(sorted(self._values.items()))
