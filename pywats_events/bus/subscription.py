"""A handler's place on the bus."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import structlog

from pywats_events.event import Event, EventType
from pywats_events.handler import BaseHandler, handler_name, wanted_types
from pywats_events.policies import ErrorPolicy, RetryPolicy

log = structlog.get_logger(__name__)

Call: TypeAlias = Callable[[Event], Awaitable[Any]]
#: Code around each try: it gets the event and what to call next, and gives back what that gave.
Middleware: TypeAlias = Callable[[Event, Call], Awaitable[Any]]
#: Decides at intake whether an event is due to the handler.
Filter: TypeAlias = Callable[[Event], bool]


class NoThreads(Exception):  # noqa: N818  # says a state: the executor has been shut down with the program
    """A handler that is not async can't run any more; it was not tried."""


@dataclass(slots=True)
class Subscription:
    """What the bus knows of a subscribed handler.

    Attributes:
        name: identity in the journal.
        types: the event types that it wants.
        filter: which of those it wants; None: all.
        retry_policy: its own, or None for the bus's.
        error_policy: its own, or None for the bus's.
    """

    handler: BaseHandler
    name: str
    types: frozenset[EventType]
    filter: Filter | None = None
    middleware: Sequence[Middleware] = ()
    retry_policy: RetryPolicy | None = None
    error_policy: ErrorPolicy | None = None
    _is_async: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._is_async = inspect.iscoroutinefunction(self.handler.handle)

    @classmethod
    def of(
        cls,
        handler: BaseHandler,
        *,
        name: str | None,
        filter: Filter | None,  # noqa: A002  # the word that users expect
        middleware: Sequence[Middleware],
        retry_policy: RetryPolicy | None,
        error_policy: ErrorPolicy | None,
    ) -> Subscription:
        """Read what a handler says of itself.

        Raises:
            TypeError: it does not say properly which events it wants.
        """
        return cls(
            handler=handler,
            name=name or handler_name(handler),
            types=wanted_types(handler),
            filter=filter,
            middleware=tuple(middleware),
            retry_policy=retry_policy or handler.retry_policy,
            error_policy=error_policy or handler.error_policy,
        )

    @property
    def priority(self) -> int:
        """Which of a destination's handlers go first when it may be asked only so fast."""
        return self.handler.priority

    @property
    def coalesces(self) -> bool:
        """True when of several events of one key and type only the newest counts."""
        return self.handler.coalesces

    @property
    def destination(self) -> str | None:
        """Name of the system that the handler calls."""
        return self.handler.destination

    @property
    def part(self) -> str | None:
        """Name of the handler's part of its destination, which may be refused while the rest is not."""
        return None if self.destination is None else f"{self.destination}/{self.name}"

    def wants(self, event: Event) -> bool:
        """Tell whether an event is due to this handler."""
        return event.event_type in self.types and (self.filter is None or self._passes(self.filter, event))

    def _passes(self, filter: Filter, event: Event) -> bool:  # noqa: A002  # the word that users expect
        try:
            return bool(filter(event))
        except Exception:
            log.exception("filter failed; the event is delivered", handler=self.name, event_id=event.id)
            return True

    def _handle_in_thread(self, event: Event) -> Any:
        try:
            return self.handler.handle(event)
        except StopIteration as error:  # no future can carry it to those who wait
            raise RuntimeError(f"{self.name} raised StopIteration") from error

    async def run(self, event: Event, executor: Executor) -> Any:
        """Run the handler with its middleware; a handler that is not async runs in the executor."""

        async def innermost(event: Event) -> Any:
            if self._is_async:
                return await self.handler.handle(event)
            try:
                work = executor.submit(copy_context().run, self._handle_in_thread, event)
            except RuntimeError as error:
                raise NoThreads from error
            outcome = await asyncio.wrap_future(work)
            return await outcome if inspect.isawaitable(outcome) else outcome

        call: Call = innermost
        for middleware in reversed(self.middleware):
            call = _wrap(middleware, call)
        return await call(event)


def _wrap(middleware: Middleware, call: Call) -> Call:
    async def wrapped(event: Event) -> Any:
        return await middleware(event, call)

    return wrapped
