"""Backlogs: when one begins to drain, how fast it does, and when it will be empty."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from pywats_events.clock import forward
from pywats_events.policies import RateLimit

log = structlog.get_logger(__name__)

#: A backlog is what the rate limit needs longer than so many seconds for.
BACKLOG_SECONDS: Final = 30.0
#: A backlog of a destination without a rate limit.
BACKLOG: Final = 1000
#: A drain is over when so small a part of what makes a backlog is left.
OVER: Final = 0.1
#: Seconds over which the rate is measured.
MEASURED: Final = 60.0
#: Fewer seconds than that say nothing of the rate.
TOO_SHORT: Final = 5.0
#: Seconds between two lines in the log about one drain.
TELL_EVERY: Final = 300.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a destination's backlog will be empty.

    Attributes:
        destination: its name.
        waiting: deliveries that are not settled.
        allowed: most that may go in a second; None: no limit.
        measured: how many were settled in a second of late; None: not known yet.
        empty_at: when it will be empty, if nothing else comes; None: not known, or the destination is down.
        held: why it is left alone; None: it is not.
        draining_since: since when a backlog drains; None: there is none.
    """

    destination: str
    waiting: int
    allowed: float | None
    measured: float | None
    empty_at: datetime | None
    held: str | None
    draining_since: datetime | None

    def __str__(self) -> str:
        parts = [f"{self.waiting:,} waiting"]
        if self.held is not None:
            parts.append("left alone")
        if self.allowed is not None:
            parts.append(f"{self.allowed:.1f}/s allowed")
        elif self.measured is not None:
            parts.append(f"{self.measured:.1f}/s measured")
        if self.empty_at is not None and self.waiting:
            parts.append(f"empty at {_clock_time(self.empty_at)}")
        return ", ".join(parts)


def _clock_time(moment: datetime) -> str:
    local, now = moment.astimezone(), datetime.now().astimezone()
    return local.strftime("%H:%M" if local - now < timedelta(hours=20) else "%Y-%m-%d %H:%M")


def forecast(
    destination: str,
    waiting: int,
    *,
    now: datetime,
    allowed: float | None,
    measured: float | None,
    held: str | None,
    draining_since: datetime | None = None,
) -> Forecast:
    """Say when so many waiting deliveries will be gone; the arguments are ``Forecast``'s."""
    rate = measured if measured is not None else allowed
    empty_at = None
    if held is None and rate:
        empty_at = now + timedelta(seconds=min(waiting / rate, 3.0e9))
    return Forecast(destination, waiting, allowed, measured, empty_at, held, draining_since)


@dataclass(slots=True)
class _Drain:
    began: datetime | None = None
    told: float = 0.0
    waiting: int = 0
    settled: deque[tuple[float, int]] = field(default_factory=deque)
    watched_since: float | None = None
    others: float = 0.0


class Drains:
    """Watches the backlogs of a bus's destinations.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = forward.seconds) -> None:
        self._clock = clock
        self._drains: dict[str, _Drain] = {}

    def since(self, destination: str | None) -> datetime | None:
        """Give since when a destination's backlog drains; None: it has none, or is left alone."""
        drain = self._drains.get(destination or "")
        return None if drain is None else drain.began

    def note_settled(self, destination: str, number: int) -> None:
        """Note that deliveries to a destination were settled."""
        drain, now = self._drains.setdefault(destination, _Drain()), self._clock()
        if drain.watched_since is None:
            drain.watched_since = now
        drain.settled.append((now, number))
        self._forget_old(drain, now)

    def note_others(self, destination: str, rate: float) -> None:
        """Note how many deliveries in a second the other buses on the journal settle."""
        self._drains.setdefault(destination, _Drain()).others = rate

    def counted(self, destination: str, waiting: int, *, limit: RateLimit | None, held: str | None) -> None:
        """Note how many deliveries wait for a destination; a drain begins or ends by that, and is logged."""
        drain, now = self._drains.setdefault(destination, _Drain()), self._clock()
        drain.waiting = waiting
        backlog = BACKLOG if limit is None else max(2 * limit.most, limit.per_second * BACKLOG_SECONDS)
        if held is not None:
            drain.began = None  # what comes until it is back is part of the backlog
            drain.settled.clear()
            drain.watched_since = None
        elif drain.began is None and waiting >= backlog:
            drain.began, drain.told = datetime.fromtimestamp(now, UTC), now
            said = str(self.forecast(destination, waiting, limit=limit, held=held))
            log.info("backlog drains", destination=destination, forecast=said)
        elif drain.began is not None and waiting <= backlog * OVER:
            drain.began = None
            log.info("backlog is drained", destination=destination)
        elif drain.began is not None and now - drain.told >= TELL_EVERY:
            drain.told = now
            said = str(self.forecast(destination, waiting, limit=limit, held=held))
            log.info("backlog drains", destination=destination, forecast=said)

    def forecast(
        self, destination: str, waiting: int, *, limit: RateLimit | None, held: str | None
    ) -> Forecast:
        """Say when so many waiting deliveries will be gone."""
        measured = self.own_rate(destination)
        if measured is not None:
            measured += self._drains[destination].others
        return forecast(
            destination,
            waiting,
            now=datetime.fromtimestamp(self._clock(), UTC),
            allowed=None if limit is None else limit.per_second,
            measured=measured,
            held=held,
            draining_since=self.since(destination),
        )

    def own_rate(self, destination: str) -> float | None:
        """Give how many deliveries in a second this bus has settled of late; None: it can't be told yet."""
        drain, now = self._drains.get(destination), self._clock()
        if drain is None or drain.watched_since is None:
            return None
        self._forget_old(drain, now)
        seconds = min(MEASURED, now - drain.watched_since)
        return None if seconds < TOO_SHORT else sum(number for _, number in drain.settled) / seconds

    def _forget_old(self, drain: _Drain, now: float) -> None:
        while drain.settled and drain.settled[0][0] <= now - MEASURED:
            drain.settled.popleft()
