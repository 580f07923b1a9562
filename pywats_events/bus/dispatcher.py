"""The way out: runs handlers on what may be claimed, writes down what became of each delivery."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from traceback import format_exception
from typing import Any, Final

import structlog

from pywats_events.bus.claiming import SHORTEST_NAP, Claimed, Claims
from pywats_events.bus.destinations import Destinations, current_permit
from pywats_events.bus.drains import Drains
from pywats_events.bus.intake import exempt_from_backlog
from pywats_events.bus.judge import judge
from pywats_events.bus.subscription import NoThreads, Subscription
from pywats_events.bus.telling import Telling
from pywats_events.clock import forward
from pywats_events.errors import DestinationUnavailable, NotReady, PermanentError, TransientError
from pywats_events.handler import Done, Dropped
from pywats_events.journal import (
    Bury,
    Completed,
    Delivery,
    Journal,
    JournalError,
    Park,
    Receipt,
    Release,
    Verdict,
)
from pywats_events.policies import CircuitBreaker, RetryPolicy

log = structlog.get_logger(__name__)

#: Longest time in seconds that the dispatcher sleeps without looking.
LONGEST_NAP: Final = 5.0
#: Seconds that a handler has to end when it is cancelled at shutdown.
LAST_WORDS: Final = 5.0

#: Errors of the event, of the handler's code or of the journal; they say nothing about the destination.
_NOT_OF_THE_DESTINATION: Final = (
    PermanentError,
    NotReady,
    JournalError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    TypeError,
    ValueError,
)


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
        destinations: says which destinations may be asked, and how fast.
        drains: says where a backlog drains.
        lease: seconds for which a claim holds; renewed while its try runs.
        handler_timeout: seconds after which a try counts as failed.
        executor: runs handlers that are not async.
        telling: gives what tells of a delivery that is buried, to be written down with it; None: nobody wants
            to know.
        on_settled: called after each commit with its tries and the ids of the events settled as a whole.
    """

    def __init__(
        self,
        journal: Journal,
        subscriptions: Mapping[str, Subscription],
        *,
        concurrency: int,
        retry_policy: RetryPolicy,
        destinations: Destinations,
        drains: Drains,
        lease: float,
        handler_timeout: float,
        executor: Executor,
        telling: Callable[[Settled], Receipt | None],
        on_settled: Callable[[Sequence[Settled], Sequence[str]], Awaitable[None]],
    ) -> None:
        self._journal = journal
        self._subscriptions = subscriptions
        self._concurrency = concurrency
        self._retry_policy = retry_policy
        self._destinations = destinations
        self._drains = drains
        self._lease = lease
        self._claims = Claims(journal, subscriptions, destinations, drains, lease=lease)
        self._handler_timeout = handler_timeout
        self._executor = executor
        self._telling_of = telling
        self._on_settled = on_settled
        self._running: dict[asyncio.Task[None], Delivery] = {}
        self._held: dict[str, Delivery] = {}  # claimed, and what became of it not written down yet
        self._ended: list[Settled] = []
        self._slot_free = asyncio.Event()
        self._something_ended = asyncio.Event()
        self._nap: asyncio.Task[None] | None = None
        self._look_again = False
        self._idle = asyncio.Event()  # nothing runs, and nothing may be claimed now
        self._empty = asyncio.Event()  # and nothing waits for permits
        self._threads_left = True
        self._telling = Telling()

    def nudge(self) -> None:
        """Look at once whether something is ready."""
        self._look_again = True
        if self._nap is not None:
            self._nap.cancel()

    async def come_to_rest(self, *, without_permits: bool = False) -> None:
        """Return when nothing runs and nothing is ready to run.

        Args:
            without_permits: do not wait for what is ready and only lacks permits of its destination.
        """
        rest = self._idle if without_permits else self._empty
        rest.clear()
        self.nudge()
        await rest.wait()

    async def run(self) -> None:
        """Claim, run and settle until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._settle_forever(), name="settle")
            tasks.create_task(self._renew_forever(), name="renew leases")
            await self._claim_forever()

    async def stop(self) -> None:
        """After ``run`` was cancelled: end the tries that still run and give their deliveries back."""
        unfinished = list(self._running)
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished, timeout=LAST_WORDS)
        over = {ended.delivery.id for ended in self._ended}
        self._ended += [Settled(one, Release(one), None) for one in self._held.values() if one.id not in over]
        try:
            async with asyncio.timeout(LAST_WORDS):
                await self._settle()
                await self._destinations.save()
        except (JournalError, TimeoutError) as error:
            why = str(error) or f"it does not answer within {LAST_WORDS:g} s"
            text = "journal can't be written; what these deliveries came to is lost, and they are tried again"
            log.error(text, outcomes=len(self._ended), error=why)  # noqa: TRY400  # the text says it

    # --- claiming ----------------------------------------------------------------------------------------

    async def _claim_forever(self) -> None:
        while True:
            if len(self._running) >= self._concurrency:
                self._slot_free.clear()
                await self._slot_free.wait()
                continue
            self._look_again = False
            try:
                claimed = await self._claim()
                if not claimed and not self._look_again:
                    if not self._held:
                        self._idle.set()
                        if not self._claims.lacks_permits:
                            self._empty.set()
                    await self._wait_ready()
            except JournalError as error:
                self._tell(log.error, "journal can't be asked for work; trying again", error=str(error))
                await asyncio.sleep(1.0)  # the journal is away: nothing else tells when it is back

    async def _wait_ready(self) -> None:
        nap = self._claims.nap
        seconds = LONGEST_NAP if nap is None else min(LONGEST_NAP, max(SHORTEST_NAP, nap))
        self._nap = asyncio.ensure_future(self._journal.wait_ready(now=forward.now(), timeout=seconds))
        try:
            await asyncio.wait([self._nap])
            if not self._nap.cancelled():
                self._nap.result()
        finally:
            self._nap.cancel()
            self._nap = None

    async def _claim(self) -> int:
        if not self._threads_left:  # the program ends; what is ready stays for the next one
            await self._journal.claim(limit=0, now=forward.now(), lease_seconds=self._lease, handlers=())
            return 0
        claimed = await self._claims.claim(self._concurrency - len(self._running))
        fresh = [one for one in claimed if not self._renewed(one)]
        for one in fresh:
            self._begin(one)
        return len(fresh)

    def _renewed(self, claimed: Claimed) -> bool:
        """Take over a claim of what we still work on: the machine slept, or its clock was set."""
        held = self._held.get(claimed.delivery.id)
        if held is None:
            return False
        held.claim = claimed.delivery.claim
        if claimed.permit is not None:
            claimed.permit.end(asked=False)
        if claimed.probed is not None:
            claimed.probed.probe_abandoned()
        return True

    def _begin(self, claimed: Claimed) -> None:
        delivery = claimed.delivery
        task = asyncio.get_running_loop().create_task(self._try(claimed), name=f"deliver {delivery.id}")
        self._running[task] = self._held[delivery.id] = delivery
        task.add_done_callback(self._ended_task)

    def _ended_task(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._slot_free.set()

    # --- trying ------------------------------------------------------------------------------------------

    async def _try(self, claimed: Claimed) -> None:
        current_permit.set(claimed.permit)
        asked = True
        try:
            asked = await self._run(claimed.delivery)
        finally:
            if claimed.permit is not None:
                claimed.permit.end(asked=asked)
            if claimed.probed is not None:
                claimed.probed.probe_abandoned()  # if it said nothing about the destination

    async def _run(self, delivery: Delivery) -> bool:
        """Run the handler; tell whether it may have asked its destination."""
        subscription = self._subscriptions.get(delivery.handler)
        if subscription is None:  # unsubscribed between claim and try
            self._end(Settled(delivery, Release(delivery), None))
            return False
        exempt_from_backlog.set(True)
        this = asyncio.current_task()
        try:
            async with asyncio.timeout(self._handler_timeout) as limit:
                outcome = await subscription.run(delivery.event, self._executor)
        except NoThreads:  # the program is ending
            self._threads_left = False
            self._end(Settled(delivery, Release(delivery), None))
            return False
        except asyncio.CancelledError:
            if this is None or this.cancelling():
                raise
            error = TransientError("something that the handler waited for was cancelled")
            self._failed(delivery, subscription, error)
        except Exception as error:  # noqa: BLE001  # the supervisor of handlers: judged, journalled, logged
            if isinstance(error, TimeoutError) and limit.expired():
                error = TransientError(f"handler did not finish within {self._handler_timeout:g} s")
            self._failed(delivery, subscription, error)
        else:
            self._succeeded(delivery, subscription, outcome)
            return not isinstance(outcome, Dropped)
        return True

    def _succeeded(self, delivery: Delivery, subscription: Subscription, outcome: Any) -> None:
        if subscription.destination is not None and not isinstance(outcome, Dropped):
            self._destinations.note_success(subscription.destination)
            if subscription.part in self._destinations.breakers:
                self._destinations.note_success(subscription.part)
        match outcome:
            case Dropped(rule=rule):
                verdict = Completed(delivery, rule=rule or "no rule named")
            case Done(detail=detail):
                verdict = Completed(delivery, detail=detail)
            case _:
                verdict = Completed(delivery)
        self._end(Settled(delivery, verdict, None))

    def _failed(self, delivery: Delivery, subscription: Subscription, error: Exception) -> None:
        part = subscription.part if _is_refusal(error) else None
        if part is not None and subscription.destination is not None:
            self._destinations.note_success(subscription.destination)  # who refuses is there
        breaker = self._note_failure(part or subscription.destination, error, is_part=part is not None)
        verdict = judge(
            error,
            delivery,
            retries=subscription.retry_policy or self._retry_policy,
            breaker=breaker,
            now=forward.now(),
            refused_part=part,
        )
        self._log_failure(delivery, verdict, error)
        self._end(Settled(delivery, verdict, error))

    def _note_failure(
        self, destination: str | None, error: Exception, *, is_part: bool
    ) -> CircuitBreaker | None:
        """Tell the destination's breaker. Only what speaks of the destination counts, not a bad event."""
        if isinstance(error, DestinationUnavailable) and not is_part:
            destination = error.destination
        if destination is None:
            return None
        if not isinstance(error, _NOT_OF_THE_DESTINATION):  # else the destination may not have been asked
            asked = error.retry_after if isinstance(error, DestinationUnavailable | TransientError) else None
            self._destinations.note_failure(
                destination,
                str(error),
                retry_after=asked,
                needs_attention=isinstance(error, DestinationUnavailable) and error.needs_attention,
            )
        return self._destinations.breaker_of(destination)

    # --- settling ----------------------------------------------------------------------------------------

    def _end(self, settled: Settled) -> None:
        self._ended.append(settled)
        self._something_ended.set()

    async def _settle_forever(self) -> None:
        while True:
            await self._something_ended.wait()
            self._something_ended.clear()
            try:
                await self._settle()
                await self._destinations.save()
            except JournalError as error:
                count = len(self._ended)
                self._tell(
                    log.error, "journal can't be written; trying again", outcomes=count, error=str(error)
                )
                self._something_ended.set()
                await asyncio.sleep(1.0)  # the journal is away: nothing else tells when it is back

    async def _settle(self) -> None:
        while self._ended:
            batch, self._ended = self._ended, []
            try:
                await self._commit(batch)
            except (JournalError, asyncio.CancelledError):
                self._ended = batch + self._ended
                raise
            except Exception:
                log.exception("journal failed at an outcome", outcomes=len(batch))
                await self._settle_each(batch)

    async def _settle_each(self, batch: list[Settled]) -> None:
        """Write outcomes down one by one: one of them is poison, and the others are not to suffer from it."""
        while batch:
            try:
                await self._settle_alone(batch[0])
            except (JournalError, asyncio.CancelledError):
                self._ended = batch + self._ended
                raise
            batch = batch[1:]

    async def _settle_alone(self, one: Settled) -> None:
        delivery = one.delivery
        try:
            await self._commit([one])
        except (JournalError, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001  # whatever is wrong with it, it is wrong with this one
            kind = type(error).__name__
            reason = f"what became of it can't be written: {kind}: {error}"
            await self._commit([Settled(delivery, Bury(delivery, kind, reason), error)])

    async def _commit(self, batch: Sequence[Settled]) -> None:
        batch = [self._with_telling(one) for one in batch]
        closed = await self._journal.settle([one.verdict for one in batch], now=forward.now())
        self._count(batch)
        try:
            await self._on_settled(batch, closed)
        finally:
            for one in batch:
                self._held.pop(one.delivery.id, None)
            self.nudge()

    def _with_telling(self, one: Settled) -> Settled:
        if not isinstance(one.verdict, Bury):
            return one
        return replace(one, verdict=replace(one.verdict, tell=self._telling_of(one)))

    def _count(self, batch: Sequence[Settled]) -> None:
        numbers = Counter(
            self._subscriptions[one.delivery.handler].destination
            for one in batch
            if isinstance(one.verdict, Completed | Bury) and one.delivery.handler in self._subscriptions
        )
        for destination, number in numbers.items():
            if destination is not None:
                self._drains.note_settled(destination, number)

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            if self._held:
                try:
                    await self._journal.extend(
                        list(self._held.values()), now=forward.now(), lease_seconds=self._lease
                    )
                except JournalError as error:
                    self._tell(log.error, "leases could not be renewed; trying again", error=str(error))

    # --- telling -----------------------------------------------------------------------------------------

    def _tell(self, say: Callable[..., Any], text: str, **facts: Any) -> None:
        self._telling.tell(say, log.debug, text, **facts)

    def _log_failure(self, delivery: Delivery, verdict: Verdict, error: Exception) -> None:
        event = delivery.event
        if isinstance(error, NotReady) and isinstance(verdict, Park):
            self._tell(
                log.info,
                "delivery waits for something that is not known yet",
                event_id=event.id,
                handler=delivery.handler,
                key=event.key,
                reason=str(error),
            )
            return
        known = isinstance(error, TransientError | PermanentError | DestinationUnavailable | NotReady)
        self._tell(
            log.warning,
            "delivery failed",
            event_id=event.id,
            handler=delivery.handler,
            key=event.key,
            outcome=type(verdict).__name__,
            attempt=delivery.attempts + 1,
            error=f"{type(error).__name__}: {error}",
            # What a handler raises on purpose explains itself; the rest needs its place in the code. Plain
            # text: a renderer that shows the values of variables would be slow, and could show secrets.
            **({} if known else {"exception": "".join(format_exception(error))}),
        )


def _is_refusal(error: Exception) -> bool:
    """Tell whether the destination is there and refuses what this one handler asks."""
    return isinstance(error, DestinationUnavailable) and error.only_for_handler
