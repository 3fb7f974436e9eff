"""Exceptions as one line, with the place in the plugin."""

from __future__ import annotations

import os
from types import TracebackType

from ._settings import SettingError

_SDK = os.path.dirname(os.path.abspath(__file__))


def one_line(error: BaseException) -> str:
    """``ValueError: bad port (plugin.py:12 in on_event)``."""
    # A text that UTF-8 cannot say would stop the plugin.
    text = " ".join(str(error).split()).encode(errors="backslashreplace").decode()
    if isinstance(error, SettingError):
        return text
    shown = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, ImportError):
        # There are no files when the plugin runs: what was imported when it was built is there.
        shown += "; import it at the top of the module"
    place = _place(error.__traceback__)
    return f"{shown} ({place})" if place else shown


def _place(traceback: TracebackType | None) -> str | None:
    """File, line and function: the innermost ones of the plugin, else those of the library that it called."""
    place = None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        directory, file = os.path.split(code.co_filename)
        if not directory.startswith(_SDK):
            place = f"{file}:{traceback.tb_lineno} in {code.co_name}"
        traceback = traceback.tb_next
    return place
