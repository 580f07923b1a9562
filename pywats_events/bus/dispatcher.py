"""The way out: claims deliveries, runs handlers, writes down what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from pywats_events.bus.intake import exempt_from_backlog
from pywats_events.bus.judge import destination_key, judge
from pywats_events.bus.subscription import Subscription
from pywats_events.errors import DestinationUnavailable, NotReady, PermanentError, TransientError
from pywats_events.handler import Done, Dropped
from pywats_events.journal import Completed, Delivery, Journal, JournalError, Release, Verdict
from pywats_events.policies import BreakerState, CircuitBreaker, RetryPolicy

log = structlog.get_logger(__name__)

#: Seconds for which a claim holds without being renewed.
LEASE: Final = 60.0
#: Longest time in seconds that the dispatcher sleeps without looking.
LONGEST_NAP: Final = 5.0


@dataclass(frozen=True, slots=True)
class Settled:
    """A try that is over and written down: what was decided, and the error if it failed."""

    delivery: Delivery
    verdict: Verdict
    error: Exception | None


class Dispatcher:
    """Runs the handlers of a bus.

    Args:
        journal: where deliveries come from and verdicts go.
        subscriptions: the handlers by name; may change while this runs.
        concurrency: most handlers that run at the same time.
        retry_policy: for handlers without one of their own.
        breaker: settings of the destinations' circuit breakers.
        handler_timeout: seconds after which a try counts as failed.
        executor: runs handlers that are not async.
        on_settled: called after each commit with its tries and the ids of the events settled as a whole.
    """

    def __init__(
        self,
        journal: Journal,
        subscriptions: Mapping[str, Subscription],
        *,
        concurrency: int,
        retry_policy: RetryPolicy,
        breaker: CircuitBreaker,
        handler_timeout: float,
        executor: Executor,
        on_settled: Callable[[Sequence[Settled], Sequence[str]], Awaitable[None]],
    ) -> None:
        self._journal = journal
        self._subscriptions = subscriptions
        self._concurrency = concurrency
        self._retry_policy = retry_policy
        self._breaker = breaker
        self._handler_timeout = handler_timeout
        self._executor = executor
        self._on_settled = on_settled
        self._breakers: dict[str, CircuitBreaker] = {}
        self._recovered: set[str] = set()  # destinations that answered again
        self._running: dict[asyncio.Task[None], Delivery] = {}
        self._ended: list[Settled] = []
        self._slot_free = asyncio.Event()
        self._something_ended = asyncio.Event()

    def breaker_of(self, destination: str) -> CircuitBreaker:
        """Give the breaker of a destination."""
        return self._breakers.setdefault(destination, self._breaker.fresh())

    @property
    def breakers(self) -> Mapping[str, CircuitBreaker]:
        """The breakers that exist, by destination."""
        return self._breakers

    async def run(self) -> None:
        """Claim, run and settle until cancelled; then hand back what was not finished."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._settle_forever(), name="settle")
            tasks.create_task(self._renew_forever(), name="renew leases")
            await self._claim_forever()

    async def stop(self) -> None:
        """After ``run`` was cancelled: end the tries that still run and give their deliveries back."""
        unfinished = dict(self._running)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        over = {ended.delivery.id for ended in self._ended}
        self._ended += [Settled(one, Release(one), None) for one in unfinished.values() if one.id not in over]
        await self._settle()

    # --- claiming ----------------------------------------------------------------------------------------

    async def _claim_forever(self) -> None:
        while True:
            if len(self._running) >= self._concurrency:
                self._slot_free.clear()
                await self._slot_free.wait()
                continue
            try:
                claimed = await self._claim()
                if not claimed:
                    await self._journal.wait_ready(now=_now(), timeout=self._nap())
            except JournalError as error:
                log.error("journal can't be read; trying again", error=str(error))  # noqa: TRY400  # the text says it
                await asyncio.sleep(1.0)  # the journal is away: nothing else tells when it is back

    async def _claim(self) -> int:
        free = self._concurrency - len(self._running)
        claimed = 0
        for names, breaker in self._groups():
            room = free - claimed if breaker is None else breaker.room(free - claimed)
            if room <= 0:
                continue
            deliveries = await self._journal.claim(
                limit=room, now=_now(), lease_seconds=LEASE, handlers=names
            )
            if deliveries and breaker is not None:
                breaker.probe_begins()
            for delivery in deliveries:
                self._begin(delivery)
            claimed += len(deliveries)
        return claimed

    def _groups(self) -> list[tuple[Collection[str], CircuitBreaker | None]]:
        """Give the handlers' names, those of a destination whose breaker is not closed apart."""
        together: list[str] = []
        apart: dict[str, list[str]] = {}
        for name, subscription in self._subscriptions.items():
            destination = subscription.destination
            if destination is None or self.breaker_of(destination).state is BreakerState.CLOSED:
                together.append(name)
            else:
                apart.setdefault(destination, []).append(name)
        groups: list[tuple[Collection[str], CircuitBreaker | None]] = [(together, None)]
        groups += [(names, self._breakers[destination]) for destination, names in apart.items()]
        return groups

    def _nap(self) -> float:
        probes = [breaker.seconds_to_probe for breaker in self._breakers.values()]
        # a probe that is due and on its way ends with a change in the journal, which wakes us
        return min([LONGEST_NAP, *(seconds for seconds in probes if seconds > 0)])

    def _begin(self, delivery: Delivery) -> None:
        task = asyncio.get_running_loop().create_task(self._try(delivery), name=f"deliver {delivery.id}")
        self._running[task] = delivery
        task.add_done_callback(self._ended_task)

    def _ended_task(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._slot_free.set()

    # --- trying ------------------------------------------------------------------------------------------

    async def _try(self, delivery: Delivery) -> None:
        subscription = self._subscriptions.get(delivery.handler)
        if subscription is None:  # unsubscribed between claim and try
            self._end(Settled(delivery, Release(delivery), None))
            return
        exempt_from_backlog.set(True)
        try:
            async with asyncio.timeout(self._handler_timeout) as limit:
                outcome = await subscription.run(delivery.event, self._executor)
        except Exception as error:  # noqa: BLE001  # the supervisor of handlers: judged, journalled, logged
            if isinstance(error, TimeoutError) and limit.expired():
                error = TransientError(f"handler did not finish within {self._handler_timeout:g} s")
            self._failed(delivery, subscription, error)
        else:
            self._succeeded(delivery, subscription, outcome)

    def _succeeded(self, delivery: Delivery, subscription: Subscription, outcome: Any) -> None:
        destination = subscription.destination
        if destination and isinstance(outcome, Dropped):
            self.breaker_of(destination).probe_abandoned()  # it was not asked
        elif destination and self.breaker_of(destination).record_success():
            self._recovered.add(destination)
            log.info("destination is back", destination=destination)
        match outcome:
            case Dropped(rule=rule):
                verdict = Completed(delivery, rule=rule or "no rule named")
            case Done(detail=detail):
                verdict = Completed(delivery, detail=detail)
            case _:
                verdict = Completed(delivery)
        self._end(Settled(delivery, verdict, None))

    def _failed(self, delivery: Delivery, subscription: Subscription, error: Exception) -> None:
        breaker = self._note_failure(subscription.destination, error)
        verdict = judge(
            error,
            delivery,
            retries=subscription.retry_policy or self._retry_policy,
            breaker=breaker,
            now=_now(),
        )
        _log_failure(delivery, verdict, error)
        self._end(Settled(delivery, verdict, error))

    def _note_failure(self, destination: str | None, error: Exception) -> CircuitBreaker | None:
        """Tell the destination's breaker. Only what speaks of the destination counts, not a bad event."""
        if isinstance(error, DestinationUnavailable):
            destination = error.destination
        if destination is None:
            return None
        breaker = self.breaker_of(destination)
        reason = str(error)
        opened = False
        match error:
            case DestinationUnavailable(needs_attention=True):
                opened = breaker.trip(reason, retry_after=error.retry_after)
            case DestinationUnavailable() | TransientError():
                opened = breaker.record_failure(reason, retry_after=error.retry_after)
            case PermanentError() | NotReady():
                breaker.probe_abandoned()  # the fault is the event's; the destination may not have been asked
            case _:
                opened = breaker.record_failure(reason)
        if opened:
            say = log.error if getattr(error, "needs_attention", False) else log.warning
            say(
                "destination is left alone",
                destination=destination,
                reason=reason,
                probe_in_seconds=round(breaker.seconds_to_probe, 1),
            )
        return breaker

    # --- settling ----------------------------------------------------------------------------------------

    def _end(self, settled: Settled) -> None:
        self._ended.append(settled)
        self._something_ended.set()

    async def _settle_forever(self) -> None:
        while True:
            await self._something_ended.wait()
            self._something_ended.clear()
            await self._settle()

    async def _settle(self) -> None:
        while self._ended:
            batch, self._ended = self._ended, []
            try:
                closed = await self._journal.settle([one.verdict for one in batch], now=_now())
            except JournalError as error:
                self._ended = batch + self._ended
                log.error(  # noqa: TRY400  # the text says it
                    "journal can't be written; trying again", outcomes=len(batch), error=str(error)
                )
                await asyncio.sleep(1.0)  # the journal is away: nothing else tells when it is back
                continue
            while self._recovered:
                await self._journal.unpark(destination_key(self._recovered.pop()))
            await self._on_settled(batch, closed)

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(LEASE / 3)
            if self._running:
                try:
                    await self._journal.extend(list(self._running.values()), now=_now(), lease_seconds=LEASE)
                except JournalError as error:
                    log.error("leases could not be renewed", error=str(error))  # noqa: TRY400  # the text says it


def _now() -> datetime:
    return datetime.now(UTC)


def _log_failure(delivery: Delivery, verdict: Verdict, error: Exception) -> None:
    event = delivery.event
    known = isinstance(error, TransientError | PermanentError | DestinationUnavailable | NotReady)
    log.warning(
        "delivery failed",
        event_id=event.id,
        handler=delivery.handler,
        key=event.key,
        outcome=type(verdict).__name__,
        attempt=delivery.attempts + 1,
        error=f"{type(error).__name__}: {error}",
        # what a handler raises on purpose explains itself; the rest needs its place in the code
        exc_info=None if known else error,
    )
