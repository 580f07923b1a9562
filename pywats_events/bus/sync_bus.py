"""The event bus for plain synchronous code: the async one on a loop in a thread of its own."""

from __future__ import annotations

import asyncio
import atexit
import threading
import weakref
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import Any, Self, TypeVar

from pywats_events.bus.async_bus import AsyncEventBus, ErrorHook, EventHook
from pywats_events.bus.drains import Forecast
from pywats_events.bus.intake import Observer, exempt_from_backlog
from pywats_events.bus.replay_jobs import RAMP, ReplayJob
from pywats_events.bus.subscription import Filter, Middleware, Subscription
from pywats_events.bus.sync_dead_letters import SyncDeadLetters
from pywats_events.event import Event
from pywats_events.handler import BaseHandler
from pywats_events.journal import Journal, Query
from pywats_events.policies import DeadLetterQueue, ErrorPolicy, RateLimit, RetryPolicy
from pywats_events.transports.base import BaseTransport

T = TypeVar("T")

_running: weakref.WeakSet[EventBus] = weakref.WeakSet()


class EventBus:
    """Takes events in, keeps them in the journal, and brings each one to its handlers.

    All methods may be called from any thread but its own. A bus that is still running when the program ends
    is stopped then; to wait for its work, use ``with`` or call ``stop``.

    Args: see ``AsyncEventBus``.
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
    ) -> None:
        policy = error_policy or ErrorPolicy()
        self._bus = AsyncEventBus(
            journal=journal,
            retry_policy=retry_policy,
            error_policy=policy,
            concurrency=concurrency,
            handler_timeout=handler_timeout,
            high_water=high_water,
            rate_limits=rate_limits,
        )
        _bind(policy.dead_letter_queue, self)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._life = threading.RLock()  # start and stop, one at a time
        self._submitting = threading.Lock()

    @property
    def journal(self) -> Journal:
        """The journal. Its methods are coroutines of the bus's loop."""
        return self._bus.journal

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
        """Bring a handler the events that it wants; see ``AsyncEventBus.subscribe``."""
        subscription = self._call(
            lambda: self._bus.subscribe(
                handler,
                name=name,
                filter=filter,
                middleware=middleware,
                retry_policy=retry_policy,
                error_policy=error_policy,
            )
        )
        if subscription.error_policy is not None:
            _bind(subscription.error_policy.dead_letter_queue, self)
        return subscription

    def unsubscribe(self, who: BaseHandler | Subscription) -> None:
        """Bring this handler nothing more."""
        self._call(lambda: self._bus.unsubscribe(who))

    def register_transport(self, transport: BaseTransport) -> None:
        """Receive from a transport, once the bus is started."""
        self._bus.register_transport(transport)

    def observe(self, observer: Observer) -> None:
        """Learn facts from every event before any handler sees it."""
        self._bus.observe(observer)

    def on_event(self, hook: EventHook) -> EventHook:
        """Call this, on the bus's thread, for each event that is taken in."""
        return self._bus.on_event(hook)

    def on_error(self, hook: ErrorHook) -> ErrorHook:
        """Call this, on the bus's thread, for each try that failed."""
        return self._bus.on_error(hook)

    def start(self) -> None:
        """Open the journal, run the handlers, start the transports."""
        with self._life:
            if self._loop is not None:
                return
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="event bus", daemon=True)
            self._thread.start()
            try:
                self._await(self._bus.start())
            except BaseException:
                self._end_thread()
                raise
            _running.add(self)

    def stop(self, *, timeout: float = 10.0) -> None:
        """Take nothing more, finish what is in flight (within ``timeout`` seconds), close."""
        self._check_thread()
        with self._life:
            if self._loop is None:
                return
            try:
                self._await(self._bus.stop(timeout=timeout))
            finally:
                _running.discard(self)
                self._end_thread()

    def _end_thread(self) -> None:
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        with self._submitting:  # what was submitted before is on the loop; nothing comes after
            self._loop = self._thread = None
        asyncio.run_coroutine_threadsafe(_cancel_others(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def publish(self, event: Event) -> None:
        """Take an event in. Returns once the journal has it."""
        self._await(self._bus.publish(event))

    def drain(self, *, timeout: float | None = None) -> bool:
        """Wait until every event was brought to its handlers; False when the time was over before."""
        return self._await(self._bus.drain(timeout=timeout))

    @property
    def dead_letters(self) -> SyncDeadLetters:
        """The dead letters: to find, show, export and discard them, and to steer replay jobs."""
        return SyncDeadLetters(self._bus.dead_letters, self._await)

    def replay(self, query: Query, *, from_raw: bool = False) -> int:
        """Put dead letters through again; see ``DeadLetters.replay``."""
        return self._await(self._bus.replay(query, from_raw=from_raw))

    def replay_job(
        self,
        query: Query,
        *,
        rate: float | None = None,
        ramp: Sequence[int] = RAMP,
        stop_after: float = 0.5,
        from_raw: bool = False,
    ) -> ReplayJob:
        """Put many dead letters through again, in steps that grow; see ``ReplayJobs.start``."""
        return self._await(
            self._bus.replay_job(query, rate=rate, ramp=ramp, stop_after=stop_after, from_raw=from_raw)
        )

    def forecast(self) -> Mapping[str, Forecast]:
        """Say when what waits will be gone; see ``AsyncEventBus.forecast``."""
        return self._await(self._bus.forecast())

    def _call(self, work: Callable[[], T]) -> T:
        """Run this where nothing else of the bus runs meanwhile."""
        if self._loop is None or threading.current_thread() is self._thread:
            return work()

        async def on_loop() -> T:
            return work()

        return self._await(on_loop())

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            future = self._submit(work)
        except RuntimeError:
            work.close()
            raise
        try:
            return future.result()
        except CancelledError:
            raise RuntimeError("the bus has stopped") from None

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        self._check_thread()
        with self._submitting:
            if self._loop is None:
                raise RuntimeError("start the bus first")
            # a handler in a thread must not wait for a backlog that waits for the handler
            marked = _exempt(work) if exempt_from_backlog.get() else work
            return asyncio.run_coroutine_threadsafe(marked, self._loop)

    def _check_thread(self) -> None:
        if threading.current_thread() is self._thread:
            raise RuntimeError(
                "on the bus's own thread use an AsyncEventBus: waiting here would wait for itself"
            )


async def _exempt(work: Coroutine[Any, Any, T]) -> T:
    exempt_from_backlog.set(True)
    return await work


async def _cancel_others() -> None:
    """End what was still asked of the bus when it stopped."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _bind(queue: DeadLetterQueue, bus: EventBus) -> None:
    queue.bind(lambda ids: bus.replay(Query(ids=ids, limit=len(ids))))


@atexit.register
def _stop_running() -> None:
    """Stop what is running when the program ends, so that async handlers finish their work."""
    for bus in list(_running):
        bus.stop(timeout=2.0)
