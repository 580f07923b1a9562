"""How fast a destination may be asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_SECONDS: Final = 60.0
#: A burst that nobody gave is what the rate brings in so many seconds.
_BURST_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The rate of a destination, shared by all its handlers.

    In any minute at most ``per_minute + burst`` permits are given. So for a server that counts 500 requests a
    minute, 480 with a burst of 20 stays below its limit.

    Args:
        per_minute: permits that come in a minute, evenly.
        burst: most permits that gather while nothing happens. Default: those of two seconds.
        counts_requests: the destination's client tells of each request (``AsyncEventBus.note_request``), and
            a permit is a request. Otherwise a permit is a delivery.
    """

    per_minute: float
    burst: int | None = None
    counts_requests: bool = False

    def __post_init__(self) -> None:
        if not self.per_minute > 0 or (self.burst is not None and self.burst < 1):
            raise ValueError("RateLimit: per_minute must be above 0, and burst at least 1")

    @property
    def per_second(self) -> float:
        """Permits that come in a second."""
        return self.per_minute / _SECONDS

    @property
    def most(self) -> int:
        """Most permits at one time."""
        return self.burst or max(1, round(self.per_second * _BURST_SECONDS))


class TokenBucket:
    """The permits of a destination.

    Args:
        limit: the rate.
        clock: seconds.
    """

    def __init__(self, limit: RateLimit, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._level = float(limit.most)
        self._at = clock()

    def _fill(self) -> None:
        now = self._clock()
        come = max(0.0, now - self._at) * self.limit.per_second  # a clock that was set back gives nothing
        self._level = min(float(self.limit.most), self._level + come)
        self._at = now

    @property
    def available(self) -> int:
        """Permits that can be taken now."""
        self._fill()
        # a permit that is there but for a rounding error is there: its wait would be no wait
        return max(0, int(self._level + 1e-9))

    @property
    def seconds_to_next(self) -> float:
        """Seconds until a permit is there; 0 when there is one."""
        return 0.0 if self.available else (1.0 - self._level) / self.limit.per_second

    def take(self, number: int = 1) -> None:
        """Take permits, also more than there are: what was done was done, and the next wait is longer."""
        self._fill()
        self._level -= number

    def give_back(self, number: int = 1) -> None:
        """Give back permits that were not used."""
        self._fill()
        self._level = min(float(self.limit.most), self._level + number)
