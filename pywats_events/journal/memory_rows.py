"""The rows of the journal in memory, the lanes they wait in, and how they are found."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pywats_events.event import Event
from pywats_events.journal.fingerprint import fingerprint
from pywats_events.journal.memory_messages import Message
from pywats_events.journal.records import (
    ID_DIGITS,
    MOST_PARKINGS,
    Attempt,
    DeliveryState,
    Entry,
    Parking,
    Passed,
    Query,
    Replay,
)


@dataclass(slots=True, eq=False)
class Row:
    """One delivery, or one message that nobody could read (then without event and handler)."""

    seq: int
    id: str
    state: DeliveryState
    event: Event | None
    handler: str
    source: str
    message_name: str | None
    message: Message
    first_seen: datetime
    changed: datetime
    error: str | None = None
    reason: str | None = None
    rule: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    tries: int = 0
    history: tuple[Passed, ...] = ()
    due: datetime | None = None
    parked_on: tuple[str, ...] = ()
    claim: int = 0
    lane: Lane | None = None
    part_id: str | None = None
    fingerprint: str | None = None

    @property
    def event_id(self) -> str:
        """Id of the event, or of the part that nobody could read."""
        return self.event.id if self.event is not None else self.part_id or ""

    def note_failure(self, error: str, reason: str, now: datetime) -> None:
        """Write a failed try down."""
        self.tries += 1
        self.error, self.reason = error, reason
        self.history = (*self.history, Attempt(now, error, reason))
        self.fingerprint = fingerprint(self.handler, error, reason)

    def note_parking(self, error: str, reason: str, now: datetime) -> None:
        """Write down that it is left alone: as one with the time before, if nothing but that lies between."""
        self.error, self.reason = error, reason
        *before, last = self.history or (None,)
        if isinstance(last, Parking) and (
            (last.error, last.reason) == (error, reason)
            or sum(isinstance(one, Parking) for one in before) >= MOST_PARKINGS
        ):
            again = Parking(last.at, error, reason, last.times + 1, now, None)
            self.history = (*self.history[:-1], again)
        else:
            self.history = (*self.history, Parking(now, error, reason, 1, now, None))

    def note_freed(self, now: datetime) -> None:
        """Write down that it is left alone no more."""
        last = self.history[-1]
        if isinstance(last, Parking):
            self.history = (*self.history[:-1], replace(last, freed=now))

    def note_replay(self, now: datetime) -> None:
        """Write down that it was put through again, with all its tries."""
        self.tries, self.error, self.reason = 0, None, None
        self.history = (*self.history, Replay(now))

    def to_entry(self) -> Entry:
        """Give it as a search shows it."""
        return Entry(
            id=self.id,
            state=self.state,
            event=self.event,
            handler=self.handler,
            error=self.error,
            reason=self.reason,
            rule=self.rule,
            detail=self.detail,
            history=self.history,
            first_seen=self.first_seen,
            changed=self.changed,
            retry_at=self.due if self.state in TIMED else None,
            parked_on=self.parked_on,
            message_id=self.message.id,
            source=self.source,
            message_name=self.message_name,
            part_id=self.part_id,
            fingerprint=self.fingerprint if self.state in _DIED else None,
        )


@dataclass(slots=True, eq=False)
class Lane:
    """The unsettled deliveries of one handler and key, oldest first. One of them at most is in flight."""

    key: tuple[str, str]
    rows: deque[Row] = field(default_factory=deque)
    in_flight: Row | None = None

    @property
    def ready(self) -> Row | None:
        """The delivery that may be claimed."""
        head = self.rows[0]
        return head if self.in_flight is None and head.state is DeliveryState.PENDING else None

    def supersedes(self, row: Row) -> bool:
        """Tell whether a later one of the same type is pending."""
        return any(
            other.seq > row.seq
            and other.state is DeliveryState.PENDING
            and other.event is not None
            and row.event is not None
            and other.event.event_type is row.event.event_type
            for other in self.rows
        )

    def insert(self, row: Row) -> None:
        """Put it in its place."""
        if not self.rows or self.rows[-1].seq < row.seq:
            self.rows.append(row)
        else:  # a replayed one goes back to its place
            self.rows.insert(next(at for at, other in enumerate(self.rows) if other.seq > row.seq), row)


TIMED = frozenset({DeliveryState.WAITING, DeliveryState.PARKED})
_DIED = frozenset({DeliveryState.DEAD, DeliveryState.DISCARDED})


def fits(row: Row, query: Query) -> bool:
    """Tell whether a query means this row."""
    event = row.event
    return (
        (not query.states or row.state in query.states)
        and (query.handler is None or row.handler == query.handler)
        and (query.event_type is None or (event is not None and event.event_type == query.event_type))
        and (query.event_id is None or row.event_id == query.event_id)
        and (query.message_id is None or row.message.id == query.message_id)
        and (query.unit is None or (event is not None and query.unit in (event.key, _unit(event))))
        and (query.fingerprint is None or (row.state in _DIED and row.fingerprint == query.fingerprint))
        and (query.key is None or (event is not None and event.key == query.key))
        and (query.source is None or row.source == query.source)
        and (query.error is None or row.error == query.error)
        and (query.message_name is None or row.message_name == query.message_name)
        and (query.since is None or row.first_seen >= query.since)
        and (query.before is None or row.first_seen < query.before)
        and (query.text is None or _mentions(row, query.text.casefold()))
    )


def _unit(event: Event) -> object:
    return event.payload.get("unit_id")


def _mentions(row: Row, text: str) -> bool:
    places = (row.source, row.message_name, row.reason, row.event.key if row.event else None)
    return any(text in place.casefold() for place in places if place) or _begins(row.event_id, text)


def _begins(event_id: str, text: str) -> bool:
    return event_id.casefold().startswith(text) and len(text) >= min(ID_DIGITS, len(event_id))
