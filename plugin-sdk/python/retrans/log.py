"""Lines of the host's log, at most 100 a second: ``log.info("…")``."""

from __future__ import annotations

from . import _host


def error(message: object) -> None:
    _host.get().log("error", str(message))


def warn(message: object) -> None:
    _host.get().log("warn", str(message))


def info(message: object) -> None:
    _host.get().log("info", str(message))


def debug(message: object) -> None:
    _host.get().log("debug", str(message))


def trace(message: object) -> None:
    _host.get().log("trace", str(message))
