"""What goes into a journal and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias

import msgspec

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


#: Rule of a delivery that a later one has made needless.
SUPERSEDED: Final = "superseded by a later one"
#: Rule of an unreadable part that could be read later.
READ_AGAIN: Final = "read again"
#: Fewer characters, unless they are all, name no event in a search for a text: those of a hexadecimal id may
#: spell any short word.
ID_DIGITS: Final = 8
#: So many times of being left alone for different reasons stand apart in a delivery's history; from then on
#: those that follow each other count as one, whatever their reasons.
MOST_PARKINGS: Final = 20

_SETTLED = frozenset({DeliveryState.DONE, DeliveryState.DROPPED, DeliveryState.DEAD, DeliveryState.DISCARDED})


@dataclass(frozen=True, slots=True)
class MessageHead:
    """A raw message without its bytes."""

    address: str
    properties: Mapping[str, Any]
    received_at: datetime


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


class Appended(msgspec.Struct, frozen=True):  # one for every message: made three times as fast as a dataclass
    """What the journal made of one receipt.

    Attributes:
        new: ids of the events that it did not have yet.
        duplicates: ids of those that it had.
        open: ids of its events, new or old, that have deliveries which are not settled.
    """

    new: tuple[str, ...]
    duplicates: tuple[str, ...]
    open: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Amended:
    """What the journal made of a message's new reading.

    Attributes:
        changed: ids of the events whose document was replaced.
        new: ids of the events that have new deliveries.
        read: ids of the parts that could not be read before and can be now.
    """

    changed: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    read: tuple[str, ...] = ()


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


class Completed(msgspec.Struct, frozen=True):  # one for nearly every delivery, as above
    """The handler dealt with it (``rule`` None) or a rule says that nothing is to be done (``rule`` set)."""

    delivery: Delivery
    detail: Mapping[str, Any] = msgspec.field(default_factory=dict)
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
    """It will not be tried again by itself: a dead letter.

    Attributes:
        tell: the events that tell of it, to be written down in the same commit, if the claim still holds.
    """

    delivery: Delivery
    error: str
    reason: str
    tell: Receipt | None = None


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
class Parking:
    """A time during which it was left alone; those that follow each other for one reason count as one.

    Attributes:
        at: when it was parked, the first time.
        error: class of the error.
        reason: what it said, the last time.
        times: how often.
        last: when it was parked the last time.
        freed: when it was set free after that; None while it is parked.
    """

    at: datetime
    error: str
    reason: str
    times: int
    last: datetime
    freed: datetime | None


@dataclass(frozen=True, slots=True)
class Replay:
    """Somebody has put the dead letter through again, at this time."""

    at: datetime


#: Something that a delivery came through on its way to the state that it is in.
Passed: TypeAlias = Attempt | Parking | Replay


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal, as a search shows it.

    Attributes:
        id: the delivery's id; for a message that nobody could read, an id of its own.
        event: None when no event could be made of the message.
        handler: name of the handler; empty when no event could be made.
        rule: why it was dropped or discarded.
        detail: what the handler said of a delivery that is done.
        history: what it came through, oldest first; what it came to is ``state``, since ``changed``.
        retry_at: when it will be tried again.
        parked_on: what it waits for.
        message_id: key of the raw message, for ``Journal.raw``.
        part_id: id of the ``Unreadable`` that no event could be made of; None for deliveries.
        fingerprint: joins the dead letters that died of one cause; None while it has not died.
    """

    id: str
    state: DeliveryState
    event: Event | None
    handler: str
    error: str | None
    reason: str | None
    rule: str | None
    detail: Mapping[str, Any]
    history: tuple[Passed, ...]
    first_seen: datetime
    changed: datetime
    retry_at: datetime | None
    parked_on: tuple[str, ...]
    message_id: str | None
    source: str
    message_name: str | None
    part_id: str | None = None
    fingerprint: str | None = None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The tries that failed, oldest first."""
        return tuple(one for one in self.history if isinstance(one, Attempt))


@dataclass(frozen=True, slots=True)
class DeadGroup:
    """Dead letters that died of one cause.

    Attributes:
        fingerprint: what joins them, for ``Query.fingerprint``.
        handler: the handler; empty for what nobody could read.
        error: class of the error.
        reason: what it said, with "…" for numbers, ids and quoted parts.
        count: how many.
        first: when the first of them died.
        last: when the last of them died.
        example: id of the newest entry.
    """

    fingerprint: str
    handler: str
    error: str
    reason: str
    count: int
    first: datetime
    last: datetime
    example: str


@dataclass(frozen=True, slots=True)
class Query:
    """What to search for; an empty member does not restrict.

    Attributes:
        event_id: id of an event, or of a part that nobody could read.
        unit: the key, or the payload's ``unit_id``.
        fingerprint: cause of death, see ``DeadGroup``.
        text: part of the unit or key, the source, the message name or the reason; or an event id, whole or
            by its first ``ID_DIGITS`` or more.
        since: journalled at or after.
        before: journalled before.
        limit: most entries to give.
        after: id of the last entry seen, to page on.
        newest_first: the other way round; by default oldest first.
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
    unit: str | None = None
    fingerprint: str | None = None
    message_id: str | None = None
    newest_first: bool = False


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


@dataclass(frozen=True, slots=True)
class MessageSums:
    """What became of the messages of one transport. A message counts once, by the first that fits.

    Attributes:
        received: messages taken in.
        repeated: those of which every event was known already; they count in nothing below.
        waiting: a delivery of it is open.
        dead: a delivery, or a part that nobody could read, is dead.
        done: a handler dealt with it.
        discarded: a person has put it away.
        dropped: a rule, or that no handler wants it, says that nothing is to be done.
    """

    received: int = 0
    repeated: int = 0
    waiting: int = 0
    dead: int = 0
    done: int = 0
    discarded: int = 0
    dropped: int = 0

    @property
    def difference(self) -> int:
        """Messages that were received and are nowhere. Anything but 0 is a fault of the journal."""
        parts = self.waiting + self.dead + self.done + self.discarded + self.dropped
        return self.received - self.repeated - parts


@dataclass(frozen=True, slots=True)
class Ledger:
    """The books of a journal, over its whole life.

    Attributes:
        messages: by transport; events that were published without a message count under an empty name.
        deliveries: number of deliveries by handler and state; unreadable parts under an empty name.
    """

    messages: Mapping[str, MessageSums]
    deliveries: Mapping[str, Mapping[DeliveryState, int]]

    def waiting_of(self, handler: str) -> int:
        """Give how many deliveries of a handler are not settled."""
        by_state = self.deliveries.get(handler, {})
        return sum(number for state, number in by_state.items() if not state.is_settled)

    @property
    def difference(self) -> int:
        """Sum of all transports' differences, none hiding another: 0 when the books balance."""
        return sum(abs(sums.difference) for sums in self.messages.values())


@dataclass(frozen=True, slots=True)
class Health:
    """What a journal takes and may take.

    Attributes:
        used: bytes that its contents take; what was removed and can be used again is left out.
        limit: most bytes that it may take; None: as the disk allows.
        free: bytes that its disk has left; None where that can't be known.
        is_full: it takes nothing in now.
        oldest_open: when the oldest unsettled delivery was journalled.
        oldest_dead: when the oldest dead letter was journalled.
        oldest: when the oldest entry was journalled that is kept.
    """

    used: int
    limit: int | None = None
    free: int | None = None
    is_full: bool = False
    oldest_open: datetime | None = None
    oldest_dead: datetime | None = None
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A destination that is left alone.

    Attributes:
        reason: why, for people.
        since: since when.
        probe_at: from when on one delivery may try whether it is back.
        needs_attention: it will not come back by itself (credentials refused, for instance).
    """

    reason: str
    since: datetime
    probe_at: datetime
    needs_attention: bool = False
