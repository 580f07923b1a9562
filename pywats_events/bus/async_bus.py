"""The event bus for async code."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self, TypeAlias
from uuid import uuid4

import structlog

from pywats_events.bus.backlog import Backlog
from pywats_events.bus.claiming import LEASE
from pywats_events.bus.dead_letters import DeadLetters
from pywats_events.bus.destinations import Destinations
from pywats_events.bus.dispatcher import Dispatcher, Settled
from pywats_events.bus.drains import Drains, Forecast
from pywats_events.bus.failures import dead_letter, failure, log_unreadable, not_read
from pywats_events.bus.health_watch import HealthWatch
from pywats_events.bus.intake import IntakeDesk, Observer
from pywats_events.bus.presence import Presence
from pywats_events.bus.replay_jobs import RAMP, ReplayJob, ReplayJobs
from pywats_events.bus.replay_runner import ReplayRunner
from pywats_events.bus.rereading import Rereading
from pywats_events.bus.subscription import Filter, Middleware, Subscription
from pywats_events.bus.telling import Telling
from pywats_events.bus.transport_intake import TransportIntake
from pywats_events.clock import forward
from pywats_events.errors import NotReady
from pywats_events.event import Event, EventMetadata, EventType
from pywats_events.handler import BaseHandler
from pywats_events.journal import (
    Appended,
    Bury,
    Completed,
    DeliveryState,
    Entry,
    Journal,
    Park,
    Query,
    Receipt,
)
from pywats_events.journal.memory import MemoryJournal
from pywats_events.message import Adapter, RawMessage, Unreadable
from pywats_events.policies import CircuitBreaker, ErrorPolicy, RateLimit, RetryPolicy
from pywats_events.transports.base import BaseTransport

log = structlog.get_logger(__name__)

#: Seconds after which a task that was cancelled and goes on is cancelled again.
CANCEL_AGAIN: Final = 1.0

EventHook: TypeAlias = Callable[[Event], None]
ErrorHook: TypeAlias = Callable[[Event, Exception], None]


class AsyncEventBus:
    """Takes events in, keeps them in the journal, and brings each one to its handlers.

    Use it with ``async with``, or call ``start`` and ``stop``.

    Args:
        journal: where events are kept. Default: in memory.
        retry_policy: for handlers that bring none of their own.
        error_policy: where dead letters are shown, and when a destination is left alone.
        concurrency: most handlers that run at the same time.
        handler_timeout: seconds after which a try counts as failed.
        high_water: from so many unsettled deliveries on, sources wait.
        rate_limits: how fast destinations may be asked, by their names. Handlers share the rate of theirs.
        lease: seconds after which another bus on the same journal goes on with what this one had under way,
            if this one is no more. It is renewed while a try takes longer.
        keep_jobs: how long replay jobs that are over stay listed, at least an hour. Default: until they
            are forgotten (``ReplayJobs.forget``).
        clock: seconds since 1970, for rates and drains.
    """

    def __init__(
        self,
        *,
        journal: Journal | None = None,
        retry_policy: RetryPolicy | None = None,
        error_policy: ErrorPolicy | None = None,
        concurrency: int = 32,
        handler_timeout: float = 60.0,
        high_water: int = 10_000,
        rate_limits: Mapping[str, RateLimit] | None = None,
        lease: float = LEASE,
        keep_jobs: timedelta | None = None,
        clock: Callable[[], float] = forward.seconds,
    ) -> None:
        if concurrency < 1:
            raise ValueError("concurrency must be at least 1")
        if lease <= 0:
            raise ValueError("lease must be more than 0 seconds")
        self.journal: Journal = journal if journal is not None else MemoryJournal()
        self._error_policy = error_policy or ErrorPolicy()
        self._error_policy.dead_letter_queue.bind(self._replay_ids)
        self._subscriptions: dict[str, Subscription] = {}
        self._telling = Telling()
        self._transports: dict[str, BaseTransport] = {}
        self._started: list[BaseTransport] = []
        self._observers: list[Observer] = []
        self._event_hooks: list[EventHook] = []
        self._error_hooks: list[ErrorHook] = []
        self._watches: defaultdict[str, list[asyncio.Future[None]]] = defaultdict(list)  # by event
        self._executor = ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="handler")
        self._desk = IntakeDesk(
            self.journal,
            route=self._route,
            observers=self._observers,
            high_water=high_water,
            listener=self,
        )
        self._destinations = Destinations(
            self.journal,
            breaker=self._error_policy.circuit_breaker,
            limits=rate_limits or {},
            lease=lease,
            on_back=lambda _: self._backlog.count_soon(),
            clock=clock,
        )
        self._drains = Drains(clock)
        self._backlog = Backlog(
            self.journal,
            self._subscriptions,
            self._destinations,
            self._drains,
            on_counted=self._desk.counted,
        )
        self._presence = Presence(self.journal, self._destinations, self._drains, self._backlog)
        self._health = HealthWatch(self.journal)
        self._dispatcher = Dispatcher(
            self.journal,
            self._subscriptions,
            concurrency=concurrency,
            retry_policy=retry_policy or RetryPolicy(),
            destinations=self._destinations,
            drains=self._drains,
            lease=lease,
            handler_timeout=handler_timeout,
            executor=self._executor,
            telling=self._telling_of,
            on_settled=self._note_settled,
        )
        rereading = Rereading(self.journal, self._desk, self._transports)
        jobs = ReplayJobs(self.journal)
        self._replays = ReplayRunner(
            jobs,
            self.journal,
            reread=rereading.read_again,
            revived=self._note_revived,
            keep=keep_jobs,
            clock=clock,
        )
        jobs.nudge = self._replays.look
        self.dead_letters = DeadLetters(
            self.journal, reread=rereading.read_again, revived=self._note_revived, jobs=jobs
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._running = False
        self._ended = False
        self._stopping = asyncio.Lock()

    # --- who is on the bus -------------------------------------------------------------------------------

    def subscribe(
        self,
        handler: BaseHandler,
        *,
        name: str | None = None,
        filter: Filter | None = None,  # noqa: A002  # the word that users expect
        middleware: Sequence[Middleware] = (),
        retry_policy: RetryPolicy | None = None,
        error_policy: ErrorPolicy | None = None,
    ) -> Subscription:
        """Bring a handler the events that it wants, from now on.

        Args:
            handler: the handler.
            name: identity in the journal; default: the handler's name. A name that is taken gets a number.
            filter: which events of its types it wants.
            middleware: code around each try, outermost first.
            retry_policy: for this handler alone; default: the handler's own, else the bus's.
            error_policy: likewise.

        Raises:
            TypeError: the handler does not say properly which events it wants.
        """
        subscription = Subscription.of(
            handler,
            name=name,
            filter=filter,
            middleware=middleware,
            retry_policy=retry_policy,
            error_policy=error_policy,
        )
        first, number = subscription.name, 1
        while subscription.name in self._subscriptions:
            number += 1
            subscription.name = f"{first}-{number}"
        self._subscriptions[subscription.name] = subscription
        policy = subscription.error_policy
        if policy is not None:
            policy.dead_letter_queue.bind(self._replay_ids)
            if subscription.destination is not None:
                self._destinations.configure(subscription.destination, policy.circuit_breaker)
        self._dispatcher.nudge()  # something may be due to it from before
        return subscription

    def unsubscribe(self, who: BaseHandler | Subscription) -> None:
        """Bring this handler nothing more. What is due to it already stays in the journal."""
        for name, subscription in list(self._subscriptions.items()):
            if who is subscription or who is subscription.handler:
                del self._subscriptions[name]

    def register_transport(self, transport: BaseTransport) -> None:
        """Receive from a transport, once the bus is started.

        Raises:
            ValueError: another transport has the same name.
            RuntimeError: the bus is running.
        """
        if self._running:
            raise RuntimeError("register transports before the bus is started")
        if transport.name in self._transports:
            raise ValueError(
                f'there is a transport named "{transport.name}" already; give this one another name'
            )
        self._transports[transport.name] = transport

    def observe(self, observer: Observer) -> None:
        """Learn facts from every event, in order of arrival, before any handler sees it."""
        self._observers.append(observer)

    def on_event(self, hook: EventHook) -> EventHook:
        """Call this for each event that is taken in. Usable as a decorator."""
        self._event_hooks.append(hook)
        return hook

    def on_error(self, hook: ErrorHook) -> ErrorHook:
        """Call this for each try that failed. Usable as a decorator.

        A try that found that it came too early (``NotReady``) is none, until it is given up.
        """
        self._error_hooks.append(hook)
        return hook

    @property
    def breakers(self) -> Mapping[str, CircuitBreaker]:
        """The circuit breakers, by destination."""
        return self._destinations.breakers

    def note_request(self, destination: str) -> None:
        """Count a request to a destination against its rate limit (``RateLimit.counts_requests``).

        The destination's client calls it as each request begins, in the context of whoever makes it: so what
        handlers do is told from what else goes there.
        """
        self._destinations.note_request(destination)

    async def probe(self, destination: str) -> None:
        """Try at once whether a destination is back that is left alone, after somebody has mended it."""
        await self._destinations.probe_now(destination)
        self._dispatcher.nudge()

    async def forecast(self) -> Mapping[str, Forecast]:
        """Say for each destination how many deliveries wait, how fast they go, and when they will be gone.

        Raises:
            JournalError: the journal can't be read.
        """
        return await self._backlog.forecast()

    # --- life --------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the journal, run the handlers, start the transports.

        Raises:
            RuntimeError: the bus was stopped; a new one is needed.
            JournalError: the journal can't be opened.
        """
        if self._running:
            return
        if self._tasks:
            raise RuntimeError("this bus was stopped; make a new one")
        await self.journal.open()
        try:
            await self._destinations.start()
            await self._backlog.count()
            await self._presence.start()
        except BaseException:
            await self.journal.close()
            raise
        self._running = True
        create = asyncio.get_running_loop().create_task
        self._tasks = [
            create(self._supervise("intake", self._desk.run), name="intake"),
            create(self._supervise("backlog", self._backlog.run), name="backlog"),
            create(self._supervise("dispatcher", self._dispatcher.run), name="dispatcher"),
            create(self._supervise("presence", self._presence.run), name="presence"),
            create(self._supervise("health", self._health.run), name="health"),
            create(self._supervise("replays", self._replays.run), name="replays"),
        ]
        try:
            for transport in self._transports.values():
                self._started.append(transport)
                await transport.start(TransportIntake(self, transport))
        except BaseException:
            await self.stop(timeout=0.0)
            raise

    async def stop(self, *, timeout: float = 10.0) -> None:  # noqa: ASYNC109  # how long to drain
        """Take nothing more, finish what is in flight, close.

        One that was cancelled can be called again, and goes on where it was.

        Args:
            timeout: seconds for what is ready to run now. What is not done by then stays in the journal or,
                where that ends with the process, with its source.
        """
        async with self._stopping:
            if self._ended or not self._tasks:
                return
            if self._running:
                for transport in self._started:
                    await _end(transport, transport.stop)
                # what waits for permits waits in the journal: a backlog is not the end's to work off
                await self._drain(timeout, without_permits=True)
                self._running = False
            self._desk.close()
            await _cancelled(self._tasks)
            await self._dispatcher.stop()
            for event_id in list(self._watches):
                self._wake_watchers(event_id)
            await self._desk.release_all()
            for transport in self._started:
                await _end(transport, transport.close)
            await self._presence.stop()
            await self.journal.close()
            self._executor.shutdown(wait=False)
            self._ended = True

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def drain(self, *, timeout: float | None = None) -> bool:  # noqa: ASYNC109  # part of the public face
        """Wait until nothing is ready to be handled.

        What waits for a retry, for its destination or for a handler that is not subscribed doesn't count,
        nor what comes after it in order.

        Returns:
            False when the time was over before.

        Raises:
            RuntimeError: the bus is not started.
        """
        self._check_running()
        return await self._drain(timeout, without_permits=False)

    async def _drain(self, timeout: float | None, *, without_permits: bool) -> bool:  # noqa: ASYNC109
        try:
            async with asyncio.timeout(timeout):
                while True:
                    await self._desk.flush()
                    await self._dispatcher.come_to_rest(without_permits=without_permits)
                    if self._desk.is_empty:
                        return True
        except TimeoutError:
            return False

    async def _supervise(self, what: str, run: Callable[[], Any]) -> None:
        """Keep a part of the bus alive. A fault in it must not end the intake or delivery of everything."""
        while True:
            try:
                await run()
            except Exception:
                log.exception("part of the bus failed and is started again", part=what)
                await asyncio.sleep(1.0)  # a fault that comes back at once must not take the processor

    # --- events ------------------------------------------------------------------------------------------

    async def publish(self, event: Event) -> None:
        """Take an event in. Returns once the journal has it.

        Raises:
            RuntimeError: the bus is not started.
            JournalError: the journal can't take it.
        """
        self._check_running()
        await self._desk.publish(event)

    def _check_running(self) -> None:
        if not self._running:
            raise RuntimeError("start the bus first" if not self._tasks else "the bus has stopped")

    async def receive(self, message: RawMessage, adapter: Adapter) -> Appended:
        """Take a message in; see ``Intake.receive``."""
        return await self._desk.receive(message, adapter)

    async def handled(self, event_id: str) -> None:
        """Return when each handler of an event has run, whatever came of it."""
        while self._running:
            settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._watches[event_id].append(settled)  # before looking, so that none is missed
            try:
                if all(map(_was_tried, await self.journal.search(Query(event_id=event_id)))):
                    return
                await settled
            finally:
                self._unwatch(event_id, settled)

    async def replay(self, query: Query, *, from_raw: bool = False) -> int:
        """Put dead letters through again; see ``DeadLetters.replay``."""
        self._check_running()
        return await self.dead_letters.replay(query, from_raw=from_raw)

    async def replay_job(
        self,
        query: Query,
        *,
        rate: float | None = None,
        ramp: Sequence[int] = RAMP,
        stop_after: float = 0.5,
        from_raw: bool = False,
    ) -> ReplayJob:
        """Put many dead letters through again, in steps that grow; see ``ReplayJobs.start``."""
        return await self.dead_letters.replay_job(
            query, rate=rate, ramp=ramp, stop_after=stop_after, from_raw=from_raw
        )

    async def _replay_ids(self, ids: tuple[str, ...]) -> int:
        return await self.replay(Query(ids=ids, limit=len(ids))) if ids else 0

    def _note_revived(self, ids: Sequence[str]) -> None:
        for policy in self._error_policies():
            policy.dead_letter_queue.forget(ids)
        self._desk.reopened(len(ids))
        self._dispatcher.nudge()

    def _error_policies(self) -> list[ErrorPolicy]:
        own = [one.error_policy for one in self._subscriptions.values() if one.error_policy is not None]
        return [self._error_policy, *own]

    # --- what the parts tell -----------------------------------------------------------------------------

    def _route(self, event: Event) -> tuple[str, ...]:
        return tuple(name for name, subscription in self._subscriptions.items() if subscription.wants(event))

    def taken_in(self, receipt: Receipt, events: Sequence[Event], unreadable: Sequence[Unreadable]) -> None:
        """Tell the hooks what is new, and everybody what could not be read."""
        for event in events:
            for hook in self._event_hooks:
                _call_hook(hook, event)
        for broken in unreadable:
            log_unreadable(broken, receipt, self._telling)
            self._tell(EventType.EVENT_DEAD_LETTER, None, not_read(broken, receipt))

    async def _note_settled(self, tries: Sequence[Settled], closed: Sequence[str]) -> None:
        for one in tries:
            event = one.delivery.event
            if one.error is not None and not _waits(one):
                for hook in self._error_hooks:
                    _call_hook(hook, event, one.error)
                if not isinstance(one.verdict, Bury):
                    self._tell(EventType.HANDLER_ERROR, event, failure(one))
            if isinstance(one.verdict, Bury):
                subscription = self._subscriptions.get(one.delivery.handler)
                policy = (subscription and subscription.error_policy) or self._error_policy
                policy.dead_letter_queue.add(dead_letter(one, one.verdict))
                if one.verdict.tell is not None:
                    self._desk.note_told(one.verdict.tell)
            self._wake_watchers(event.id)
        self._replays.note_settled(one.delivery.id for one in tries)
        over = sum(isinstance(one.verdict, Completed | Bury) for one in tries)
        await self._desk.settled(closed, deliveries=over)

    def _unwatch(self, event_id: str, settled: asyncio.Future[None]) -> None:
        others = self._watches.get(event_id, [])
        if settled in others:
            others.remove(settled)
        if not others:
            self._watches.pop(event_id, None)

    def _wake_watchers(self, event_id: str) -> None:
        for settled in self._watches.pop(event_id, ()):
            if not settled.done():
                settled.set_result(None)

    def tell_of_transport(self, event_type: EventType, transport: str, said: str) -> None:
        """Publish that a transport can or can't receive, for those who want to know."""
        self._tell(event_type, None, {"transport": transport, "detail": said}, source=transport)

    def _tell(
        self, event_type: EventType, about: Event | None, payload: dict[str, Any], *, source: str = "bus"
    ) -> None:
        """Publish a system event, if a handler wants it."""
        if self._is_wanted(event_type, about):
            self._desk.tell(_system_event(event_type, about, payload, source))

    def _telling_of(self, one: Settled) -> Receipt | None:
        """Give what tells of a dead letter, to be written down with it."""
        about = one.delivery.event
        events = [
            _system_event(event_type, about, failure(one), "bus")
            for event_type in (EventType.HANDLER_ERROR, EventType.EVENT_DEAD_LETTER)
            if self._is_wanted(event_type, about)
        ]
        return self._desk.receipt_of(events) if events else None

    def _is_wanted(self, event_type: EventType, about: Event | None) -> bool:
        """Tell whether a handler wants a system event. What is said of system events is not said again."""
        if about is not None and about.event_type.is_system:
            return False
        return any(event_type in subscription.types for subscription in self._subscriptions.values())


def _system_event(event_type: EventType, about: Event | None, payload: dict[str, Any], source: str) -> Event:
    metadata = EventMetadata(causation_id=about.id) if about else EventMetadata()
    return Event(event_type, payload, source=source, id=str(uuid4()), metadata=metadata)


def _was_tried(entry: Entry) -> bool:
    """Tell whether a try of this delivery is over; a reason is there from the first failed one on."""
    return entry.state not in (DeliveryState.PENDING, DeliveryState.IN_FLIGHT) or entry.error is not None


def _waits(one: Settled) -> bool:
    """Tell whether a try found that it came too early, which is no failure."""
    return isinstance(one.error, NotReady) and isinstance(one.verdict, Park)


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended: Python 3.11's ``wait_for`` (libraries use it) may lose a cancel."""
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=CANCEL_AGAIN)


async def _end(transport: BaseTransport, step: Callable[[], Awaitable[None]]) -> None:
    """Stop or close a transport. One that fails must not keep the others and the journal from ending."""
    try:
        await step()
    except Exception:
        log.exception("transport failed to end", transport=transport.name)


def _call_hook(hook: Callable[..., None], *arguments: Any) -> None:
    try:
        hook(*arguments)
    except Exception:
        log.exception("hook failed", hook=getattr(hook, "__qualname__", repr(hook)))
