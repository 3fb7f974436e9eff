"""The component: its exported functions call the runner, and its imported functions are the host.

componentize-py imports this module when it builds a plugin, and keeps what is in memory then. It makes a new object of
a class for each call, so that the runner is a global.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable
from typing import Any, TypeVar

# Made by `python3 -m retrans`.
import retrans_build
import wit_world.imports.host as wit
from componentize_py_types import Err
from wit_world.exports import processor

from . import _host, _plugin
from ._errors import one_line
from ._output import Alert, AlertState, Severity
from ._runner import Runner
from ._settings import schema_of

_R = TypeVar("_R")

importlib.import_module(retrans_build.MODULE)
if _plugin.exported is None:
    raise TypeError(f"{retrans_build.MODULE}.py exports no plugin")
_EXPORTED = _plugin.exported

_LEVELS = {level.name.lower(): level for level in wit.Level}
_SEVERITIES = {severity: wit.Severity[severity.name] for severity in Severity}
_STATES = {state: wit.AlertState[state.name] for state in AlertState}
_ALL = processor.Keep_All()
_NONE = processor.Keep_None_()


class _Imports:
    """The host, through the imported functions."""

    lost = staticmethod(wit.lost)
    run = staticmethod(wit.run)
    change = staticmethod(wit.change)
    write = staticmethod(wit.write)
    count = staticmethod(wit.count)
    gauge = staticmethod(wit.gauge)
    observe = staticmethod(wit.observe)

    def labels(self) -> list[tuple[str, list[int], list[int], str]]:
        return [(column.key, column.events, column.ends, column.text) for column in wit.labels()]

    def annotate(self, key: str, events: list[int], ends: list[int], text: str) -> None:
        wit.annotate(wit.LabelColumn(key, events, ends, text))

    def emit(self, alert: Alert) -> None:
        severity, state = _SEVERITIES[alert.severity], _STATES[alert.state]
        wit.emit(wit.Alert(alert.name, severity, state, alert.summary, list(alert.labels), alert.event))

    def log(self, level: str, message: str) -> None:
        wit.log(_LEVELS[level], message)


_imports = _Imports()
_host.current = _imports
_runner: Runner | None = None


def _call(run: Callable[..., _R], *arguments: Any) -> _R:
    """Calls the plugin. The host gets an exception as one line."""
    try:
        return run(*arguments)
    except BaseException as error:
        raise Err(one_line(error)) from None


def _configured() -> Runner:
    if _runner is None:
        raise Err("the plugin was called before it was configured")
    return _runner


class Processor:
    """Functions that every plugin exports."""

    def describe(self) -> list[tuple[str, str]]:
        return [
            ("name", _EXPORTED.name or retrans_build.NAME),
            ("version", _EXPORTED.version or retrans_build.VERSION),
            ("summary", _EXPORTED.summary or retrans_build.SUMMARY),
            ("settings", _call(schema_of, _EXPORTED.cls._settings)),
        ]

    def configure(self, settings: str) -> None:
        global _runner
        _runner = _call(Runner, _EXPORTED.cls, settings, _imports)

    def process(self, count: int, record_size: int, records: bytes) -> object:
        keep = _call(_configured().process, count, record_size, records)
        if keep is True:
            return _ALL
        return _NONE if keep is False else processor.Keep_Bits(keep)


class Timer:
    """Functions of a plugin that is told the time."""

    def tick(self, now_ns: int) -> None:
        _call(_configured().tick, now_ns)

    def finish(self, now_ns: int) -> None:
        _call(_configured().finish, now_ns)


class State:
    """Functions of a plugin whose state survives."""

    def save(self) -> tuple[int, bytes]:
        return _call(_configured().save)

    def restore(self, version: int, state: bytes) -> None:
        _call(_configured().restore, version, state)


# What was made so far stays for good: a collection need not look at it.
gc.collect()
gc.freeze()
