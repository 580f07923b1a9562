"""The time by which deliveries are due: the wall clock's, but never back."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final


class ForwardClock:
    """Follows the wall clock, except where that is set back: then it goes on as if nothing had happened.

    What waits until a time (a retry, a destination that is left alone, a lease) would otherwise wait for as
    much longer as the clock was set back. When the wall clock has caught up it is followed again; until then
    this one is ahead of it.

    Args:
        wall: seconds since 1970.
        steady: seconds that only grow.
    """

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._last = wall(), steady()

    def seconds(self) -> float:
        """Give seconds since 1970."""
        steady = self._steady()
        seconds, at = self._last
        seconds = max(self._wall(), seconds + (steady - at))
        self._last = seconds, steady
        return seconds

    def now(self) -> datetime:
        """Give the time, with zone UTC."""
        return datetime.fromtimestamp(self.seconds(), UTC)


#: The clock of this process.
forward: Final = ForwardClock()
