"""What goes into a journal and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from pywats_events.event import Event
from pywats_events.message import RawMessage, Unreadable


class DeliveryState(StrEnum):
    """What has become of a delivery."""

    PENDING = "pending"
    IN_FLIGHT = "in_flight"
    WAITING = "waiting"
    PARKED = "parked"
    DONE = "done"
    DROPPED = "dropped"
    DEAD = "dead"
    DISCARDED = "discarded"

    @property
    def is_settled(self) -> bool:
        """True when nothing more happens by itself."""
        return self in _SETTLED


_SETTLED = frozenset({DeliveryState.DONE, DeliveryState.DROPPED, DeliveryState.DEAD, DeliveryState.DISCARDED})


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A raw message as the journal keeps it: everything but the way back to its source."""

    body: bytes
    content_type: str | None
    content_encoding: str | None
    transport: str
    address: str
    properties: Mapping[str, Any]
    received_at: datetime

    @classmethod
    def of(cls, message: RawMessage) -> RawRecord:
        """Take what is worth keeping of a message."""
        return cls(
            body=message.body,
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            transport=message.transport,
            address=message.address,
            properties=message.properties,
            received_at=message.received_at,
        )

    def to_message(self) -> RawMessage:
        """Give the message back, for an adapter that reads it again."""
        return RawMessage(
            body=self.body,
            content_type=self.content_type,
            content_encoding=self.content_encoding,
            transport=self.transport,
            address=self.address,
            properties=self.properties,
            received_at=self.received_at,
        )


@dataclass(frozen=True, slots=True)
class Fact:
    """Something learnt from an event by which later ones are read (a transaction's recipe, a unit's place).

    Facts are committed together with the event that taught them, in the order of arrival and before any
    delivery of that event can run. Of two facts with one key, the one with the later time holds.

    Attributes:
        key: what it is about, for instance ``transaction:<handle>:<id>``.
        value: plain JSON data.
        time: when it became true (the event's time).
    """

    key: str
    value: Mapping[str, Any]
    time: datetime


@dataclass(frozen=True, slots=True)
class Routed:
    """An event with the names of the handlers that it is due to."""

    event: Event
    handlers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """One received message, or one published event, to be written down.

    Attributes:
        raw: the message's bytes; None for an event that was published without one.
        events: its events, in order, with the handlers that each is due to.
        unreadable: the parts that no event could be made of; each becomes a dead letter.
        facts: what was learnt from its events.
    """

    raw: RawRecord | None = None
    events: tuple[Routed, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Appended:
    """What the journal made of one receipt.

    Attributes:
        new: ids of the events that it did not have yet.
        duplicates: ids of those that it had.
        open: ids of its events, new or old, that have deliveries which are not settled.
    """

    new: tuple[str, ...]
    duplicates: tuple[str, ...]
    open: tuple[str, ...]


@dataclass(slots=True)
class Delivery:
    """One event due to one handler, claimed by this worker.

    Attributes:
        id: identity in the journal.
        attempts: how many tries were spent before this one.
        first_seen: when the event was journalled.
        claim: which claim of the delivery this is. A verdict under an older one than the last is void: its
            lease had ended, and somebody else has the delivery.
    """

    id: str
    event: Event
    handler: str
    attempts: int
    first_seen: datetime
    claim: int = 0


@dataclass(frozen=True, slots=True)
class Completed:
    """The handler dealt with it (``rule`` None) or a rule says that nothing is to be done (``rule`` set)."""

    delivery: Delivery
    detail: Mapping[str, Any] = field(default_factory=dict)
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class RetryAt:
    """It failed and is to be tried again at a time; the try is spent."""

    delivery: Delivery
    at: datetime
    error: str
    reason: str


@dataclass(frozen=True, slots=True)
class Park:
    """It can't run now and spends no try: until one of ``on`` is announced or ``until`` has come.

    Attributes:
        on: what it waits for: ``destination:<name>`` or keys of facts.
        until: when it becomes ready by itself. None: never.
    """

    delivery: Delivery
    on: tuple[str, ...]
    until: datetime | None
    error: str
    reason: str


@dataclass(frozen=True, slots=True)
class Bury:
    """It will not be tried again by itself: a dead letter."""

    delivery: Delivery
    error: str
    reason: str


@dataclass(frozen=True, slots=True)
class Release:
    """It was claimed and not tried (shutdown): it is pending again, as it was."""

    delivery: Delivery


Verdict: TypeAlias = Completed | RetryAt | Park | Bury | Release


@dataclass(frozen=True, slots=True)
class Attempt:
    """One failed try: when, the class of the error, and its text."""

    at: datetime
    error: str
    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal, as a search shows it.

    Attributes:
        id: the delivery's id; for a message that nobody could read, an id of its own.
        event: None when no event could be made of the message.
        handler: name of the handler; empty when no event could be made.
        rule: why it was dropped or discarded.
        detail: what the handler said of a delivery that is done.
        attempts: the tries that failed, oldest first.
        retry_at: when it will be tried again.
        parked_on: what it waits for.
        message_id: key of the raw message, for ``Journal.raw``.
    """

    id: str
    state: DeliveryState
    event: Event | None
    handler: str
    error: str | None
    reason: str | None
    rule: str | None
    detail: Mapping[str, Any]
    attempts: tuple[Attempt, ...]
    first_seen: datetime
    changed: datetime
    retry_at: datetime | None
    parked_on: tuple[str, ...]
    message_id: str | None
    source: str
    message_name: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """What to search for; an empty member does not restrict.

    Attributes:
        text: part of the unit or key, the source, the event id, the message name or the reason.
        since: journalled at or after.
        before: journalled before.
        limit: most entries to give, oldest first.
        after: id of the last entry seen, to page on.
    """

    ids: tuple[str, ...] = ()
    states: tuple[DeliveryState, ...] = ()
    handler: str | None = None
    event_type: str | None = None
    event_id: str | None = None
    key: str | None = None
    source: str | None = None
    error: str | None = None
    message_name: str | None = None
    text: str | None = None
    since: datetime | None = None
    before: datetime | None = None
    limit: int = 100
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """The sums of a journal.

    Attributes:
        received: messages taken in, by transport (published events count under an empty name).
        duplicates: events that had been received before, by transport.
        events: different events taken in.
        unwanted: events that no handler was due to.
        deliveries: number of deliveries by handler and state. Messages that nobody could read count under
            an empty handler name.
        oldest_open: when the oldest unsettled delivery was journalled.
    """

    received: Mapping[str, int]
    duplicates: Mapping[str, int]
    events: int
    unwanted: int
    deliveries: Mapping[str, Mapping[DeliveryState, int]]
    oldest_open: datetime | None

    def count(self, *states: DeliveryState) -> int:
        """Give the number of deliveries in any of the states, over all handlers."""
        return sum(by_state.get(state, 0) for by_state in self.deliveries.values() for state in states)

    @property
    def open(self) -> int:
        """Number of deliveries that are not settled."""
        return self.count(*(state for state in DeliveryState if not state.is_settled))
