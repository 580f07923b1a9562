"""The client's own speed limit, so that the server seldom has to enforce its one."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

WINDOW_SECONDS: Final = 60.0


class RateLimiter:
    """Lets at most `per_minute` requests start within any 60 seconds, in the order they asked.

    A rolling window and not a token bucket: a bucket that was full lets nearly twice the rate through in
    its first minute, and the server counts by window. None stands for no limit. One limiter is shared by
    all calls of a client, on one event loop.
    """

    def __init__(
        self,
        per_minute: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if per_minute is not None and per_minute < 1:
            raise ValueError(f"requests per minute must be 1 or more, or None for no limit, not {per_minute}")
        self._started: deque[float] = deque(maxlen=per_minute)
        self._per_minute = per_minute
        self._clock = clock
        self._sleep = sleep
        self._not_before = float("-inf")
        self._turn = asyncio.Lock()  # wakes its waiters first come, first served

    def pause(self, seconds: float) -> None:
        """Hold every request back for `seconds`: the server said that it is too much for it."""
        self._not_before = max(self._not_before, self._clock() + seconds)

    async def wait(self) -> None:
        """Return when the next request may start."""
        async with self._turn:
            # The pause can grow while somebody sleeps here, hence the loop.
            while (seconds := self._seconds_to_wait()) > 0:
                await self._sleep(seconds)
            if self._per_minute is not None:
                self._started.append(self._clock())

    def _seconds_to_wait(self) -> float:
        now = self._clock()
        until = self._not_before
        if self._per_minute is not None and len(self._started) == self._per_minute:
            until = max(until, self._started[0] + WINDOW_SECONDS)
        return until - now
