"""Ctrl-C while the program is loading: there is nothing to finish yet, so it leaves at once."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Final

_INTERRUPTED: Final = 130


def leave_when_interrupted() -> None:
    """End at Ctrl-C, from wherever the program is, without a word.

    An exception would come out of the middle of an import: as a traceback, or as an error of the class that
    is being made there. Who ignores Ctrl-C, as programs started with ``nohup`` do, goes on ignoring it.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def interrupt_as_usual() -> None:
    """Let Ctrl-C be an exception again, for work that has something to finish."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(_INTERRUPTED)
