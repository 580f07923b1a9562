"""How long to wait before the next attempt to connect."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Delays that double up to a limit, each shortened by chance, so that many clients do not come as one.

    Args:
        initial: seconds of the first delay, at most.
        maximum: seconds of any delay, at most.
        chance: gives numbers from 0 to 1.
    """

    def __init__(
        self,
        *,
        initial: float,
        maximum: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._initial = initial
        self._maximum = maximum
        self._chance = chance
        self._ceiling = initial

    def next(self) -> float:
        """Give the next delay: between half and the whole of what it has grown to."""
        delay = self._ceiling * (0.5 + self._chance() / 2)
        self._ceiling = min(self._ceiling * 2, self._maximum)
        return delay

    def reset(self) -> None:
        """Begin anew: the connection has proved good."""
        self._ceiling = self._initial
