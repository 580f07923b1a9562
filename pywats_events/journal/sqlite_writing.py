"""What comes into the journal in SQLite: receipts, facts, and messages that are read again."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from typing import Final

from pywats_events.event import Event
from pywats_events.journal.records import (
    Appended,
    Fact,
    RawRecord,
    Receipt,
    Routed,
)
from pywats_events.journal.sqlite_lanes import DEAD, PENDING, Lanes
from pywats_events.journal.sqlite_sets import Row, found_in_sets, in_sets
from pywats_events.journal.sqlite_values import (
    Text,
    document,
    fingerprint_of,
    one_more,
    stamp,
    text,
    to_json,
)
from pywats_events.message import Unreadable

#: Bytes are compressed once and mostly never read again.
_COMPRESSION: Final = 1

_EVENTS: Final = "INSERT INTO events (pk, id, document, seen) {rows} ON CONFLICT DO NOTHING"
_MESSAGES: Final = """
    INSERT INTO messages
        (id, parts, transport, address, content_type, content_encoding, properties, received_at) {rows}
"""
_BODIES: Final = "INSERT INTO bodies {rows}"
_DELIVERIES: Final = """
    INSERT INTO deliveries
        (seq, event, message, handler, key, unit, state, first_seen, changed, event_type, source,
        message_name, ready) {rows}
"""
#: The last three say whether it is the first of its lane in this statement, and which lane that is.
_DELIVERY: Final = """(
    ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?,
    ? AND NOT EXISTS (SELECT 1 FROM deliveries WHERE handler = ? AND key = ? AND state < 4)
)"""
_UNREADABLE: Final = """
    INSERT INTO deliveries
        (seq, event, message, handler, state, first_seen, changed, source, message_name, error, reason,
        attempts, fingerprint) {rows}
"""
_FACTS: Final = """
    INSERT INTO facts (key, value, time, learnt) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
    SET value = excluded.value, time = excluded.time, learnt = excluded.learnt
    WHERE excluded.time >= time
"""


class Numbers:
    """The next number of each table. One that a rollback leaves unused is never given again."""

    def __init__(self, lanes: Lanes) -> None:
        self._event = self._counter(lanes, "SELECT max(pk) FROM events")
        self._message = self._counter(lanes, "SELECT seq FROM sqlite_sequence WHERE name = 'messages'")
        self._delivery = self._counter(lanes, "SELECT seq FROM sqlite_sequence WHERE name = 'deliveries'")

    @staticmethod
    def _counter(lanes: Lanes, sql: str) -> count[int]:
        row = lanes.db.execute(sql).fetchone()
        return count((row[0] if row and row[0] else 0) + 1)

    def event(self) -> int:
        """Give the next event's number."""
        return next(self._event)

    def message(self) -> int:
        """Give the next message's number."""
        return next(self._message)

    def delivery(self) -> int:
        """Give the next delivery's number."""
        return next(self._delivery)


@dataclass(slots=True)
class Prepared:
    """A receipt with its events as they are stored."""

    receipt: Receipt
    documents: list[bytes | None]
    now: int


def prepare(receipt: Receipt) -> Prepared:
    """Make a receipt ready to be written.

    Raises:
        ValueError: an event could not be read again.
        TypeError: a payload is no JSON data.
    """
    now = stamp(receipt.raw.received_at if receipt.raw else datetime.now(UTC))
    documents: list[bytes | None] = []
    for routed in receipt.events:
        stored = document(
            routed.event
        )  # made also when it is not kept because nobody wants it: a mistake shows
        documents.append(stored if routed.handlers else None)
    return Prepared(receipt, documents, now)


class Writing:
    """Rows that are collected receipt by receipt and written with few statements.

    Args:
        lanes: what they are written through.
        numbers: their numbers.
    """

    def __init__(self, lanes: Lanes, numbers: Numbers) -> None:
        self.lanes = lanes
        self._numbers = numbers
        self._messages: list[Row] = []
        self._bodies: list[Row] = []
        self._deliveries: list[Row] = []
        self._unreadable: list[Row] = []
        self._taken: set[tuple[Text, Text]] = set()  # lanes that have a delivery among these

    def know(self, wanted: Sequence[tuple[str, bytes | None, int]]) -> list[int | None]:
        """Note ids of events, each with its document and time.

        Returns:
            For each its number; None when the id was known already, or stands twice among these.
        """
        rows = [(self._numbers.event(), text(name), stored, seen) for name, stored, seen in wanted]
        if in_sets(self.lanes.db, _EVENTS, rows) == len(rows):
            return [row[0] for row in rows]
        found = found_in_sets(
            self.lanes.db, "SELECT pk FROM events WHERE pk IN ({rows})", [(row[0],) for row in rows]
        )
        new = {pk for (pk,) in found}
        return [row[0] if row[0] in new else None for row in rows]

    def message(self, raw: RawRecord | None, parts: int) -> int | None:
        """Note a message with so many deliveries; None when it needs no row of its own."""
        if not parts or (raw is None and parts == 1):
            return None
        number = self._numbers.message()
        if raw is None:
            self._messages.append((number, parts, "", "", None, None, "{}", stamp(datetime.now(UTC))))
            return number
        self._messages.append(
            (
                number,
                parts,
                text(raw.transport),
                text(raw.address),
                text(raw.content_type),
                text(raw.content_encoding),
                to_json(raw.properties),
                stamp(raw.received_at),
            )
        )
        self._bodies.append((number, zlib.compress(raw.body, _COMPRESSION)))
        return number

    def delivery(self, pk: int, message: int | None, event: Event, handler: Text, now: int) -> None:
        """Note a delivery."""
        key = text(event.key)
        lane = (handler, key)
        is_first = lane not in self._taken
        self._taken.add(lane)
        self._deliveries.append(
            (
                self._numbers.delivery(),
                pk,
                message,
                handler,
                key,
                unit_of(event),
                now,
                now,
                event.event_type._value_,
                text(event.source),
                text(event.metadata.message_name),
                is_first,
                handler,
                key,
            )
        )
        self.lanes.tally(handler, PENDING)

    def unreadable(self, pk: int, message: int | None, part: Unreadable, now: int) -> None:
        """Note a part that nobody could read: a dead letter."""
        self._unreadable.append(
            (
                self._numbers.delivery(),
                pk,
                message,
                "",
                DEAD,
                now,
                now,
                text(part.source),
                text(part.message_name),
                text(part.error),
                text(part.reason),
                one_more(None, now, part.error, part.reason),
                fingerprint_of("", part.error, part.reason),
            )
        )
        self.lanes.tally("", DEAD)

    def write(self) -> None:
        """Write down what was noted."""
        db = self.lanes.db
        in_sets(db, _MESSAGES, self._messages)
        in_sets(db, _BODIES, self._bodies)
        in_sets(db, _DELIVERIES, self._deliveries, _DELIVERY)
        in_sets(db, _UNREADABLE, self._unreadable)


def unit_of(event: Event) -> Text | None:
    """Give the unit's identifier, where the key does not say it."""
    unit = event.payload.get("unit_id")
    return text(unit) if isinstance(unit, str) and unit != event.key else None


def append(lanes: Lanes, numbers: Numbers, receipts: Sequence[Prepared]) -> list[Appended]:
    """Write receipts down, in order."""
    writing = Writing(lanes, numbers)
    wanted: list[tuple[str, bytes | None, int]] = []
    for one in receipts:
        events = zip(one.receipt.events, one.documents, strict=True)
        wanted += [(routed.event.id, stored, one.now) for routed, stored in events]
        wanted += [(part.id, None, one.now) for part in one.receipt.unreadable]
    known = iter(writing.know(wanted))
    answers: list[Appended] = []
    unsure: list[int] = []
    facts: list[Fact] = []
    for one in receipts:
        answer = _note(writing, one, known)
        if answer.duplicates:
            unsure.append(len(answers))
        answers.append(answer)
        if answer.new:
            facts += one.receipt.facts
    writing.write()
    learn(lanes, facts)
    for place in unsure:
        answers[place] = _with_open(lanes, receipts[place].receipt, answers[place])
    return answers


def _note(writing: Writing, one: Prepared, known: Iterator[int | None]) -> Appended:
    """Note the rows of one receipt; in the answer those are open that are new and due to somebody."""
    receipt, now = one.receipt, one.now
    fresh: list[tuple[int, Routed]] = []
    parts: list[tuple[int, Unreadable]] = []
    repeats: list[str] = []
    due = 0
    for routed in receipt.events:
        pk = next(known)
        if pk is None:
            repeats.append(routed.event.id)
        else:
            fresh.append((pk, routed))
            due += len(routed.handlers)
    for part in receipt.unreadable:
        pk = next(known)
        if pk is None:
            repeats.append(part.id)
        else:
            parts.append((pk, part))
    message = writing.message(receipt.raw, due + len(parts))
    for pk, routed in fresh:
        for handler in routed.handlers:
            writing.delivery(pk, message, routed.event, text(handler), now)
    for pk, part in parts:
        writing.unreadable(pk, message, part, now)
    _count(writing.lanes, receipt, fresh, len(parts), len(repeats))
    return Appended(
        tuple([routed.event.id for _, routed in fresh]),
        tuple(repeats),
        tuple([routed.event.id for _, routed in fresh if routed.handlers]),
    )


def _count(
    lanes: Lanes, receipt: Receipt, fresh: Sequence[tuple[int, Routed]], parts: int, repeats: int
) -> None:
    transport = text(receipt.raw.transport) if receipt.raw else ""
    wanted = sum([1 for _, routed in fresh if routed.handlers])
    lanes.count("received", transport)
    if repeats:
        lanes.count("duplicates", transport, repeats)
    if fresh:
        lanes.count("events", transport, len(fresh))
    if wanted != len(fresh):
        lanes.count("unwanted", transport, len(fresh) - wanted)
    if wanted:
        lanes.count("waiting", transport)
    elif parts:
        lanes.count("dead", transport)
    elif repeats and not fresh:
        lanes.count("repeated", transport)
    else:
        lanes.count("dropped", transport)


def _with_open(lanes: Lanes, receipt: Receipt, answer: Appended) -> Appended:
    """Say of a receipt with repeats which of its events are open, the known ones too."""
    is_open = set(answer.open)
    is_open |= {name for name in answer.duplicates if name not in is_open and _is_open(lanes, name)}
    named = (routed.event.id for routed in receipt.events)
    return replace(answer, open=tuple(name for name in named if name in is_open))


def _is_open(lanes: Lanes, event_id: str) -> bool:
    found = lanes.db.execute(
        "SELECT 1 FROM deliveries WHERE event = (SELECT pk FROM events WHERE id = ?) AND +state < 4 LIMIT 1",
        (text(event_id),),
    )
    return bool(found.fetchall())


def learn(lanes: Lanes, facts: Iterable[Fact]) -> None:
    """Write facts down, and set free what waits for them."""
    now = stamp(datetime.now(UTC))
    for fact in facts:
        key = text(fact.key)
        learnt = lanes.db.execute(_FACTS, (key, to_json(fact.value), stamp(fact.time), now))
        if learnt.rowcount:
            lanes.free_parked(key, now)
