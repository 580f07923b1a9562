"""The systems that handlers call: whether they are left alone, and how fast they may be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import structlog

from pywats_events.bus.judge import destination_key
from pywats_events.clock import forward
from pywats_events.journal import Hold, Journal
from pywats_events.policies import BreakerState, CircuitBreaker, RateLimit, TokenBucket

log = structlog.get_logger(__name__)

#: Seconds after which the holds of other bridges are looked up again, while all is well here.
LOOK_UP: Final = 2.0


@dataclass(slots=True, eq=False)
class Permit:
    """The permit of one delivery to ask its destination.

    Attributes:
        unused: the delivery's first request has not been told of yet.
    """

    destination: str
    bucket: TokenBucket
    unused: bool = True

    def end(self, *, asked: bool) -> None:
        """Give the permit back if it was not used.

        Args:
            asked: the handler has asked the destination, as far as is known; where requests are counted,
                that is known better.
        """
        if self.unused and (self.bucket.limit.counts_requests or not asked):
            self.bucket.give_back()
        self.unused = False


#: The permit of the delivery that is being tried in this context.
current_permit: ContextVar[Permit | None] = ContextVar("current_permit", default=None)


class Destinations:
    """The breakers and rate limits of a bus.

    A breaker that opens here is written into the journal as a hold, and is open for all bridges that share
    the journal; one that another bridge has closed is closed here.

    Args:
        journal: where holds are kept.
        breaker: settings of the breakers.
        limits: rate limits by destination.
        on_back: is told of a destination that is back.
        lease: seconds for which nobody else probes.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        breaker: CircuitBreaker,
        limits: Mapping[str, RateLimit],
        lease: float,
        on_back: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = forward.seconds,
    ) -> None:
        self._journal = journal
        self._settings: dict[str, CircuitBreaker] = {}
        self._breaker = breaker
        self._lease = lease
        self._on_back = on_back
        self._limits = dict(limits)
        self._buckets = {name: TokenBucket(limit, clock) for name, limit in limits.items()}
        self._unsaved: set[str] = set()
        self._rights: dict[str, float] = {}  # until when we are the one that probes
        self._changes = 0
        self._looked_up = float("-inf")
        self.breakers: dict[str, CircuitBreaker] = {}

    def configure(self, name: str, breaker: CircuitBreaker) -> None:
        """Use these settings for a destination's breaker, if it has none yet."""
        self._settings.setdefault(name, breaker)

    def breaker_of(self, name: str) -> CircuitBreaker:
        """Give the breaker of a destination."""
        if name not in self.breakers:
            self.breakers[name] = self._settings.get(name, self._breaker).fresh()
        return self.breakers[name]

    def gate_of(self, name: str, part: str | None) -> str:
        """Give the breaker that lets a handler through: that of its part, while only this is refused."""
        is_refused = part in self.breakers and not self.is_open(part)
        return part if part is not None and is_refused and self.is_open(name) else name

    # --- what tries say ----------------------------------------------------------------------------------

    def note_success(self, name: str) -> None:
        """Note that a destination has answered well."""
        if self.breaker_of(name).record_success():
            self._note_change(name)
            log.info("destination is back", destination=name)
            self._on_back(name)

    def note_failure(
        self, name: str, reason: str, *, retry_after: float | None = None, needs_attention: bool = False
    ) -> None:
        """Note that a destination has failed.

        Args:
            name: the destination.
            reason: why, for people.
            retry_after: seconds that it asked for.
            needs_attention: it will not come back by itself: it is left alone at once, and reported loudly.
        """
        breaker = self.breaker_of(name)
        before = breaker.hold
        if needs_attention:
            opened = breaker.trip(reason, retry_after=retry_after, needs_attention=True)
        else:
            opened = breaker.record_failure(reason, retry_after=retry_after)
        if breaker.hold != before:
            self._note_change(name)
        is_worse = needs_attention and before is not None and not before.needs_attention
        if opened or is_worse:
            say = log.error if needs_attention else log.warning
            say(
                "destination refuses us; mend that, and restart the bridge if its configuration was wrong"
                if needs_attention
                else "destination is left alone",
                destination=name,
                reason=reason,
                probe_in_seconds=round(breaker.seconds_to_probe, 1),
            )

    def _note_change(self, name: str) -> None:
        self._unsaved.add(name)
        self._rights.pop(name, None)
        self._changes += 1

    # --- what all bridges know ---------------------------------------------------------------------------

    async def start(self) -> None:
        """Learn which destinations are left alone; try those soon that somebody may have mended meanwhile.

        Who gives the bridge new credentials starts it again, and does not want to wait for a slow probe.
        """
        await self.learn()
        for name, hold in (await self._journal.holds()).items():
            if hold.needs_attention:
                await self.probe_now(name)

    async def probe_now(self, name: str) -> None:
        """Let a probe of a destination through at once; nothing if it is not left alone."""
        breaker = self.breaker_of(name)
        if breaker.hold is not None:
            now = datetime.fromtimestamp(breaker.clock(), UTC)
            breaker.hold = replace(breaker.hold, probe_at=min(breaker.hold.probe_at, now))
            self._note_change(name)
            await self.save()

    async def learn_soon(self) -> None:
        """Learn what other bridges have found out, if that is due."""
        now = asyncio.get_running_loop().time()
        is_quiet = all(breaker.hold is None for breaker in self.breakers.values())
        if not is_quiet or now - self._looked_up >= LOOK_UP:
            self._looked_up = now
            await self.learn()

    async def learn(self) -> None:
        """Learn what other bridges have found out."""
        before = self._changes
        holds = await self._journal.holds()
        if self._changes != before:
            return  # what was read is older than what we know
        for name in {*holds, *self.breakers} - self._unsaved:
            self._adopt(name, holds.get(name))

    def _adopt(self, name: str, hold: Hold | None) -> None:
        breaker = self.breaker_of(name)
        before = breaker.hold
        if before == hold:
            return
        breaker.adopt(hold)
        if hold is None:
            log.info("destination is back, another bridge found", destination=name)
            self._on_back(name)
        elif before is None:
            log.warning(
                "destination is left alone; another bridge found so, or this one before it was started",
                destination=name,
                reason=hold.reason,
            )

    async def save(self) -> None:
        """Write down what was found out here.

        Raises:
            JournalError: it can't be written; call again.
        """
        while self._unsaved:
            name = next(iter(self._unsaved))
            hold = self.breaker_of(name).hold
            await self._journal.hold(name, hold)
            if hold is None:
                await self._journal.unpark(destination_key(name))
            if self.breaker_of(name).hold == hold:
                self._unsaved.discard(name)

    async def may_probe(self, name: str) -> bool:
        """Ask whether we are the one that tries whether a destination is back.

        The right stays ours until a try has said something, or its lease is over: nobody has to ask again
        because there was nothing to try it with.
        """
        if name in self._unsaved:
            return False  # the others don't know yet that it is left alone
        breaker = self.breaker_of(name)
        now = breaker.clock()
        if now < self._rights.get(name, now):
            return True
        moment = datetime.fromtimestamp(now, UTC)
        if breaker.hold is not None and not breaker.seconds_to_probe:
            moment = max(
                moment, breaker.hold.probe_at
            )  # due by the breaker, also where the clock was set back
        if not await self._journal.try_probe(name, now=moment, lease_seconds=self._lease):
            return False
        self._rights[name] = now + self._lease
        # what is parked has its own time, which may be later: a probe must have something to be made with
        await self._journal.unpark(destination_key(name))
        return True

    # --- how fast ----------------------------------------------------------------------------------------

    def limit_of(self, name: str | None) -> RateLimit | None:
        """Give the rate limit of a destination, for all bridges together."""
        return self._limits.get(name or "")

    def share(self, name: str, *, among: int) -> None:
        """Take this bus's part of a destination's rate, which so many buses share."""
        bucket = self._buckets.get(name)
        if bucket is not None:
            whole = self._limits[name]
            bucket.limit = replace(
                whole, per_minute=whole.per_minute / among, burst=max(1, whole.most // among)
            )

    def begin_without_burst(self) -> None:
        """Let no permits have gathered yet: others have theirs."""
        for bucket in self._buckets.values():
            bucket.take(bucket.available)

    def is_open(self, name: str) -> bool:
        """Tell whether everything may go to a destination that its rate allows."""
        return self.breaker_of(name).state is BreakerState.CLOSED

    def permits(self, name: str, wanted: int) -> int:
        """Give how many of the wanted deliveries may begin now."""
        bucket = self._buckets.get(name)
        return wanted if bucket is None else min(wanted, bucket.available)

    def seconds_to_permit(self, name: str) -> float:
        """Seconds until a delivery may begin."""
        bucket = self._buckets.get(name)
        return 0.0 if bucket is None else bucket.seconds_to_next

    def take_permit(self, name: str | None) -> Permit | None:
        """Take the permit of one delivery; None where there is no limit."""
        bucket = self._buckets.get(name or "")
        if bucket is None:
            return None
        bucket.take()
        return Permit(name or "", bucket)

    def note_request(self, name: str) -> None:
        """Note that a request goes to a destination; called in the context of whoever makes it."""
        bucket = self._buckets.get(name)
        if bucket is None:
            return
        permit = current_permit.get()
        if permit is not None and permit.bucket is bucket and permit.unused:
            permit.unused = False
        else:
            bucket.take()
