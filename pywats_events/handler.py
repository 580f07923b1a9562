"""Handlers: what users write to do something with events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pywats_events.event import Event, EventType
from pywats_events.policies import ErrorPolicy, RetryPolicy


@dataclass(frozen=True, slots=True)
class Done:
    """The event was dealt with.

    Attributes:
        detail: what became of it (report id, answer of the destination), kept in the journal for the audit.
    """

    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A configured rule says that nothing is to be done with this event; the ledger counts it.

    Attributes:
        rule: the rule, in words that a person who reads the ledger understands.
    """

    rule: str


class BaseHandler(ABC):
    """Turns events into calls on a destination.

    ``event_types`` may be a property, a method or a class attribute; ``handle`` may be a coroutine or a
    plain function, which then runs in a worker thread.

    ``handle`` is called once for each try of each event, on the bus's loop. Deliveries of one key never
    run at the same time. It returns nothing, ``Done`` or ``Dropped``; it raises ``TransientError``,
    ``PermanentError``, ``DestinationUnavailable`` or ``NotReady`` to say what a failure means (any other
    exception counts as transient unless the retry policy says otherwise). Cancellation means that the bus
    gave up waiting at shutdown: the delivery stays in the journal and is tried again.

    Attributes:
        name: identity in the journal; keep it stable. Default: the class's name.
        destination: name of the system that it calls; handlers of one destination share its circuit
            breaker and its rate limit. None: no such system.
        priority: of the handlers of a destination with a rate limit, those of higher priority go first; the
            others keep a small part, so that none waits for ever.
        coalesces: of the events of one key and type that have gathered in a backlog only the newest counts;
            the others are dropped as superseded. Only where each event says all that the next one says anew
            (the state of an asset), never for results.
        retry_policy: for this handler in place of the bus's.
        error_policy: for this handler in place of the bus's: where its dead letters are shown, and the
            settings of its destination's breaker (the first handler of a destination that has some counts).
    """

    name: str = ""
    destination: str | None = None
    priority: int = 0
    coalesces: bool = False
    retry_policy: RetryPolicy | None = None
    error_policy: ErrorPolicy | None = None

    @property
    @abstractmethod
    def event_types(self) -> Any:
        """The types of events that this handler wants (``EventType`` or their values)."""

    @abstractmethod
    def handle(self, event: Event) -> Awaitable[Any] | Any:
        """Deal with one event."""


def handler_name(handler: BaseHandler) -> str:
    """Give the name under which the journal knows this handler."""
    return handler.name or type(handler).__name__


def wanted_types(handler: BaseHandler) -> frozenset[EventType]:
    """Give the event types of a handler, however it declares them.

    Raises:
        TypeError: ``event_types`` is not an iterable of event types.
    """
    declared: Any = handler.event_types
    if callable(declared):
        declared = declared()
    if isinstance(declared, str | EventType):
        declared = [declared]
    if not isinstance(declared, Iterable):
        raise TypeError(f"{handler_name(handler)}.event_types must list EventType members")
    try:
        return frozenset(EventType(one) for one in declared)
    except ValueError as error:
        raise TypeError(f"{handler_name(handler)}.event_types: {error}") from error
