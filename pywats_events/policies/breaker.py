"""The circuit breaker: leave a destination alone while it is down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from pywats_events.clock import forward
from pywats_events.journal.records import Hold
from pywats_events.policies.retry import LONGEST_WAIT

#: Seconds at least between probes of a destination that somebody has to mend: it refuses our credentials, and
#: may lock out who asks too often.
SLOW_PROBE: Final = 300.0
#: Seconds by which the clocks of hosts that share a journal may differ.
CLOCKS_DIFFER: Final = 60.0


class BreakerState(StrEnum):
    """CLOSED lets everything through, OPEN nothing, HALF_OPEN one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(slots=True)
class CircuitBreaker:
    """Opens after failures in a row; lets one probe through when the time is over; closes when it succeeds.

    It never raises: the dispatcher asks it before it claims deliveries, so those of a destination that is
    down simply stay in the journal. While it is not closed it has a ``hold``, which the journal keeps for all
    bridges that share it, and over restarts.

    Args:
        failure_threshold: failures in a row that open it.
        reset_timeout: seconds until a probe is let through.
        clock: seconds since 1970; the same for all bridges.
    """

    failure_threshold: int = 5
    reset_timeout: float = 30.0
    clock: Callable[[], float] = field(default=forward.seconds, repr=False)
    hold: Hold | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)
    _probing: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if self.failure_threshold < 1 or self.reset_timeout < 0:
            raise ValueError(
                "CircuitBreaker: failure_threshold must be at least 1, reset_timeout not negative"
            )

    def fresh(self) -> CircuitBreaker:
        """Give a closed breaker with the same settings, for another destination."""
        return CircuitBreaker(self.failure_threshold, self.reset_timeout, self.clock)

    @property
    def reason(self) -> str:
        """Why it is not closed; empty when it is."""
        return "" if self.hold is None else self.hold.reason

    @property
    def state(self) -> BreakerState:
        """The state now."""
        if self.hold is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.seconds_to_probe > 0 else BreakerState.HALF_OPEN

    @property
    def seconds_to_probe(self) -> float:
        """Seconds until a probe is let through; 0 when one is, or when nothing is held back."""
        now = self.clock()
        if self.hold is None or now < self.hold.since.timestamp() - CLOCKS_DIFFER:
            return (
                0.0  # left alone since a time to come: the clock was set back, and tells no time to wait for
            )
        return max(0.0, self.hold.probe_at.timestamp() - now)

    @property
    def is_probing(self) -> bool:
        """True while the one call of the half-open state is on its way from here."""
        return self._probing

    def room(self, wanted: int) -> int:
        """Give how many of the wanted calls may be made now."""
        match self.state:
            case BreakerState.CLOSED:
                return wanted
            case BreakerState.OPEN:
                return 0
            case BreakerState.HALF_OPEN:
                return 0 if self._probing else min(wanted, 1)

    def probe_begins(self) -> None:
        """Note that the one call of the half-open state is on its way."""
        self._probing = self.state is BreakerState.HALF_OPEN

    def probe_abandoned(self) -> None:
        """Note that the probe ended without saying anything about the destination."""
        self._probing = False

    def adopt(self, hold: Hold | None) -> None:
        """Take over what all bridges know: the destination is left alone, or it is back."""
        if hold is None:
            self.record_success()
        else:
            self.hold = hold

    def record_success(self) -> bool:
        """Close; give True when it was not closed."""
        was_open = self.hold is not None
        self._failures = 0
        self.hold = None
        self._probing = False
        return was_open

    def record_failure(self, reason: str = "", *, retry_after: float | None = None) -> bool:
        """Count a failure; give True when this one opened the breaker.

        Args:
            reason: why, for people.
            retry_after: seconds that the destination asked for. Asking opens the breaker at once.
        """
        if self.hold is not None:
            was_probe, self._probing = self._probing, False
            if was_probe or retry_after is not None:
                self._open(reason, retry_after)
            return False
        self._failures += 1
        if self._failures < self.failure_threshold and retry_after is None:
            return False
        self._open(reason, retry_after)
        return True

    def trip(
        self, reason: str = "", *, retry_after: float | None = None, needs_attention: bool = False
    ) -> bool:
        """Open at once; give True when it was closed.

        Args:
            reason: why, for people.
            retry_after: seconds that the destination asked for.
            needs_attention: waiting will not mend it, so it is probed slowly.
        """
        was_closed = self.hold is None
        self._probing = False
        self._open(reason, retry_after, needs_attention=needs_attention)
        return was_closed

    def _open(self, reason: str, retry_after: float | None, *, needs_attention: bool = False) -> None:
        wait = self.reset_timeout if retry_after is None else min(LONGEST_WAIT, max(0.0, retry_after))
        if needs_attention:
            wait = max(wait, SLOW_PROBE)
        now = self.clock()
        self.hold = Hold(
            reason=reason,
            since=_moment(now) if self.hold is None else min(self.hold.since, _moment(now)),
            probe_at=_moment(now + wait),
            needs_attention=needs_attention,
        )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
