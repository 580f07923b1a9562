"""What the explorer can't do, and with which exit code it says so."""

from __future__ import annotations

from typing import Final

#: What was asked for did not work.
FAILED: Final = 1
#: What was asked for makes no sense.
USAGE: Final = 2


class RefusedError(Exception):
    """What was asked for can't be done; the text is one line for people.

    Attributes:
        exit_code: what the program ends with.
    """

    def __init__(self, reason: str, exit_code: int = FAILED) -> None:
        super().__init__(reason)
        self.exit_code = exit_code
