"""An SDK for plugins of retrans-host.

A plugin is a class in ``plugin.py``; ``python3 -m retrans`` builds it.
"""

from . import log
from ._codec import Endpoint, IPAddress, address_bytes
from ._duration import (
    DAY,
    HOUR,
    MICROSECOND,
    MILLISECOND,
    MINUTE,
    NANOSECOND,
    SECOND,
    Duration,
    format_duration,
    parse_duration,
)
from ._event import Event
from ._networks import Network, Networks, parse_network
from ._output import Alert, AlertState, Output, Severity
from ._plugin import DROP, KEEP, Plugin, export
from ._run import Run, run
from ._settings import SettingError, setting
from .enums import CaState, Kind, OwnerStatus, SendError, TcpFlags, TcpState, Timer, Tracepoint

__all__ = [
    "DAY",
    "DROP",
    "HOUR",
    "KEEP",
    "MICROSECOND",
    "MILLISECOND",
    "MINUTE",
    "NANOSECOND",
    "SECOND",
    "Alert",
    "AlertState",
    "CaState",
    "Duration",
    "Endpoint",
    "Event",
    "IPAddress",
    "Kind",
    "Network",
    "Networks",
    "Output",
    "OwnerStatus",
    "Plugin",
    "Run",
    "SendError",
    "SettingError",
    "Severity",
    "TcpFlags",
    "TcpState",
    "Timer",
    "Tracepoint",
    "address_bytes",
    "export",
    "format_duration",
    "log",
    "parse_duration",
    "parse_network",
    "run",
    "setting",
]
