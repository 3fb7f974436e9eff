"""Durations in the form that people write: ``10s``, ``250ms``, ``1h 30m``."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

NANOSECOND = 1
MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# Whole nanoseconds. A timedelta counts microseconds: it would lose digits of the kernel's times.
Duration: TypeAlias = Annotated[int, "duration"]

# As the host checks it.
PATTERN = r"^\s*(0|([0-9.]+\s*[a-zA-Zµ]+\s*)+)$"

_UNITS = {
    "nanos nsec ns": NANOSECOND,
    "usec us µs": MICROSECOND,
    "millis msec ms": MILLISECOND,
    "seconds second secs sec s": SECOND,
    "minutes minute min mins m": MINUTE,
    "hours hour hr hrs h": HOUR,
    "days day d": DAY,
    "weeks week wk wks w": 7 * DAY,
    "months month M": 2_630_016 * SECOND,
    "years year yr yrs y": 31_557_600 * SECOND,
}
_BY_NAME = {name: unit for names, unit in _UNITS.items() for name in names.split()}
# Digits may have spaces between them.
_PART = re.compile(r"\s*([0-9][0-9\s]*)(?:\.([0-9\s]*[0-9][0-9\s]*))?([a-zA-Zµ]+)\s*")
_SHOWN = (
    ("year", "years", 31_557_600 * SECOND),
    ("month", "months", 2_630_016 * SECOND),
    ("day", "days", DAY),
    ("h", "h", HOUR),
    ("m", "m", MINUTE),
    ("s", "s", SECOND),
    ("ms", "ms", MILLISECOND),
    ("us", "us", MICROSECOND),
    ("ns", "ns", NANOSECOND),
)


def parse_duration(text: str) -> int:
    """The nanoseconds of a text such as ``1h 30m``."""
    if text == "0":
        return 0
    total = 0
    at = 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None or part[3] not in _BY_NAME:
            break
        total += _span(text, "".join(part[1].split()), "".join((part[2] or "").split()), _BY_NAME[part[3]])
        at = part.end()
    if at == 0 or at < len(text):
        raise ValueError(f'expected a duration such as "10s", "250ms" or "1m30s", not {text!r}')
    return total


def _span(text: str, digits: str, fraction: str, unit: int) -> int:
    # Parts of an hour and longer are whole seconds, shorter parts whole nanoseconds.
    step = SECOND if unit >= HOUR else NANOSECOND
    if len(digits) > 20 or len(fraction) > 19:
        raise ValueError(f"{text!r} has too many digits")
    scale: int = 10 ** len(fraction)
    parts, rest = divmod(int(fraction or "0") * (unit // step), scale)
    if rest:
        raise ValueError(f"{text!r} is no whole number of {'seconds' if step == SECOND else 'nanoseconds'}")
    return int(digits) * unit + parts * step


def format_duration(nanoseconds: int) -> str:
    """The duration as text, such as ``1m 30s``."""
    shown = []
    for one, many, unit in _SHOWN:
        number, nanoseconds = divmod(nanoseconds, unit)
        if number:
            shown.append(f"{number}{one if number == 1 else many}")
    return " ".join(shown) or "0s"
