"""Lines of the host's log, at most 100 a second: ``log.info("…")``."""

from __future__ import annotations

from . import _host
from ._codec import checked_text


def error(message: object) -> None:
    _host.get().log("error", checked_text(str(message)))


def warn(message: object) -> None:
    _host.get().log("warn", checked_text(str(message)))


def info(message: object) -> None:
    _host.get().log("info", checked_text(str(message)))


def debug(message: object) -> None:
    _host.get().log("debug", checked_text(str(message)))


def trace(message: object) -> None:
    _host.get().log("trace", checked_text(str(message)))
