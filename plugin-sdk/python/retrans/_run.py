"""The run that a plugin is part of."""

from __future__ import annotations

from typing import NamedTuple

from . import _host


class Run(NamedTuple):
    """What is known of the run. All but the version may be unknown before the first event."""

    # Name of the machine whose events these are. In a replay, the one that recorded them.
    host: str | None
    # Release of its kernel.
    kernel: str | None
    # Whether the events come from the kernel now.
    is_live: bool | None
    # Version of the program that runs the plugin.
    version: str | None


def run() -> Run:
    """What is known of this run."""
    values = dict(_host.get().run())
    source = values.get("source")
    is_live = None if source is None else source == "live"
    return Run(values.get("host"), values.get("kernel"), is_live, values.get("version"))
