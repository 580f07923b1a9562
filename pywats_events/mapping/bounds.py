"""What one message may cost to be read: evaluations, depth, processor time, size of what comes out.

Counts decide, not clocks, so that the same message ends the same however busy the machine is. The processor
time is only for what one step of an expression may do that no count sees.
"""

from __future__ import annotations

import time
from typing import Any, Final

#: Units that one message may cost: some tens of milliseconds.
MOST_UNITS: Final = 100_000
#: Units of one evaluation inside an expression, and of one field.
STEP: Final = 6
FIELD: Final = 2
#: Characters or members that a function looks at for one unit.
PER_UNIT: Final = 16
#: Calls within calls in an expression.
MOST_DEPTH: Final = 60
#: Characters of a text, and members of a list, that an expression may make.
MOST_CHARACTERS: Final = 1_000_000
MOST_MEMBERS: Final = 100_000
#: Members of a range (``[1..n]``), pairs that are compared, and characters that a text is filled up to.
MOST_COUNTED: Final = 10_000
#: Seconds of processor time, looked at every so many units.
_MOST_SECONDS: Final = 0.25
_LOOK_EVERY: Final = 1024


class TooCostly(ValueError):  # noqa: N818  # says what the message is
    """A message asks for more than one message may."""


class Budget:
    """What is left for one message."""

    __slots__ = ("_look_at", "_started", "depth", "left")

    def __init__(self, units: int = MOST_UNITS) -> None:
        self.left = units
        self.depth = 0
        self._started = time.thread_time()
        self._look_at = units - _LOOK_EVERY

    def spend(self, units: int) -> None:
        """Take units off.

        Raises:
            TooCostly: nothing is left.
        """
        self.left -= units
        if self.left < 0:
            raise TooCostly(
                f"asks for more than {MOST_UNITS // STEP} evaluations or {MOST_UNITS // FIELD} fields: send "
                "less in one message, or write simple paths"
            )
        if self.left < self._look_at:
            self._look_at = self.left - _LOOK_EVERY
            if time.thread_time() - self._started > _MOST_SECONDS:
                raise TooCostly(f"takes more than {_MOST_SECONDS:g} s")


def check_text(length: int) -> None:
    """Refuse a text that grows too long.

    Raises:
        TooCostly: it does.
    """
    if length > MOST_CHARACTERS:
        raise TooCostly(f"makes a text of more than {MOST_CHARACTERS} characters")


def check_result(value: Any) -> None:
    """Refuse what an expression made on its way, if it is too large to go on with.

    Raises:
        TooCostly: it is.
    """
    if isinstance(value, str):
        check_text(len(value))
    elif isinstance(value, (list, dict)) and len(value) > MOST_MEMBERS:
        raise TooCostly(f"makes a list of more than {MOST_MEMBERS} members")
