"""What comes into the journal in SQLite: receipts, facts, and messages that are read again."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from typing import Final, NamedTuple

from pywats_events.event import Event
from pywats_events.journal.records import (
    Appended,
    Fact,
    RawRecord,
    Receipt,
)
from pywats_events.journal.sqlite_fresh import Fresh
from pywats_events.journal.sqlite_lanes import DEAD, PENDING, Lanes
from pywats_events.journal.sqlite_sets import Row, found_in_sets, in_sets
from pywats_events.journal.stored_values import (
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

#: IGNORE and FAIL, because with any other way out SQLite keeps copies of the pages that a statement changes.
_EVENTS: Final = "INSERT OR IGNORE INTO events (pk, id, document, seen) {rows}"
_MESSAGES: Final = """
    INSERT INTO messages
        (id, parts, transport, address, content_type, content_encoding, properties, received_at) {rows}
"""
_BODIES: Final = "INSERT INTO bodies {rows}"
_DELIVERIES: Final = """
    INSERT OR FAIL INTO deliveries
        (state, seq, event, message, ready, handler, key, unit, first_seen, changed, event_type, source,
        message_name) {rows}
"""
#: The fourth says whether it is the first of its lane in this statement, the next two which lane that is.
_DELIVERY: Final = """(
    0, ?, ?, ?, ? AND NOT EXISTS (SELECT 1 FROM deliveries WHERE handler = ? AND key = ? AND state < 4),
    ?, ?, ?, ?, ?, ?, ?, ?
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
        self._event = next(self._counter(lanes, "SELECT max(pk) FROM events"))
        self._message = self._counter(lanes, "SELECT seq FROM sqlite_sequence WHERE name = 'messages'")
        self._delivery = self._counter(lanes, "SELECT seq FROM sqlite_sequence WHERE name = 'deliveries'")

    @staticmethod
    def _counter(lanes: Lanes, sql: str) -> count[int]:
        row = lanes.db.execute(sql).fetchone()
        return count((row[0] if row and row[0] else 0) + 1)

    def events(self, number: int) -> int:
        """Give the first of so many numbers of events."""
        first = self._event
        self._event += number
        return first

    def message(self) -> int:
        """Give the next message's number."""
        return next(self._message)

    def delivery(self) -> int:
        """Give the next delivery's number."""
        return next(self._delivery)


@dataclass(slots=True)
class Prepared:
    """A receipt with what is stored of it, as far as that can be said without the file.

    Attributes:
        ids: of its events and then of its unreadable parts: id, document and time.
        deliveries: of each event, the values of its deliveries that ``_DELIVERY`` ends with.
    """

    receipt: Receipt
    now: int
    transport: Text
    ids: list[tuple[Text, bytes | None, int]]
    deliveries: list[list[Row]]


def prepare(receipt: Receipt) -> Prepared:
    """Make a receipt ready to be written.

    Raises:
        ValueError: an event could not be read again.
        TypeError: a payload is no JSON data.
    """
    raw = receipt.raw
    now = stamp(raw.received_at if raw else datetime.now(UTC))
    ids: list[tuple[Text, bytes | None, int]] = []
    deliveries: list[list[Row]] = []
    for routed in receipt.events:
        event, handlers = routed.event, routed.handlers
        stored = document(event)  # made also when nobody wants it: a mistake shows
        ids.append((text(event.id), stored if handlers else None, now))
        deliveries.append(rows_of(event, handlers, now))
    ids += [(text(part.id), None, now) for part in receipt.unreadable]
    return Prepared(receipt, now, text(raw.transport) if raw else "", ids, deliveries)


def rows_of(event: Event, handlers: Iterable[str], now: int) -> list[Row]:
    """Give the values of an event's deliveries that ``_DELIVERY`` ends with."""
    key = text(event.key)
    about = (
        unit_of(event),
        now,
        now,
        event.event_type._value_,
        text(event.source),
        text(event.metadata.message_name),
    )
    lanes = [(text(handler), key) for handler in handlers]
    return [(*lane, *lane, *about) for lane in lanes]


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
        self._taken: set[Row] = set()  # lanes that have a delivery among these

    def know(self, wanted: Sequence[tuple[Text, bytes | None, int]]) -> list[int | None]:
        """Note ids of events, each with its document and time.

        Returns:
            For each its number; None when the id was known already, or stands twice among these.
        """
        first = self._numbers.events(len(wanted))
        rows = [(pk, *one) for pk, one in enumerate(wanted, first)]
        if in_sets(self.lanes.db, _EVENTS, rows) == len(rows):
            return list(range(first, first + len(rows)))
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

    def delivery(self, pk: int, message: int | None, row: Row) -> int:
        """Note a delivery: one of those that ``rows_of`` has given; give its number."""
        seq = self._numbers.delivery()
        lane = row[:2]
        is_first = lane not in self._taken
        self._taken.add(lane)
        self._deliveries.append((seq, pk, message, is_first, *row))
        return seq

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
        for handler, number in Counter(row[4] for row in self._deliveries).items():
            self.lanes.tally(handler, PENDING, number)
        in_sets(db, _UNREADABLE, self._unreadable)


def unit_of(event: Event) -> Text | None:
    """Give the unit's identifier, where the key does not say it."""
    unit = event.payload.get("unit_id")
    return text(unit) if isinstance(unit, str) and unit != event.key else None


def append(lanes: Lanes, numbers: Numbers, receipts: Sequence[Prepared]) -> list[Appended]:
    """Write receipts down, in order."""
    writing = Writing(lanes, numbers)
    known = iter(writing.know([one for receipt in receipts for one in receipt.ids]))
    shapes: Counter[_Shape] = Counter()
    answers: list[Appended] = []
    unsure: list[int] = []
    facts: list[Fact] = []
    for one in receipts:
        answer, shape = _note(writing, one, known)
        shapes[shape] += 1
        if answer.duplicates:
            unsure.append(len(answers))
        answers.append(answer)
        if answer.new:
            facts += one.receipt.facts
    for shape, number in shapes.items():
        _count(lanes, shape, number)
    writing.write()
    learn(lanes, facts)
    for place in unsure:
        answers[place] = _with_open(lanes, receipts[place].receipt, answers[place])
    return answers


class _Shape(NamedTuple):
    """What the sums need of a receipt."""

    transport: Text
    fresh: int
    wanted: int
    parts: int
    repeats: int


def _note(writing: Writing, one: Prepared, known: Iterator[int | None]) -> tuple[Appended, _Shape]:
    """Note the rows of one receipt; in the answer those are open that are new and due to somebody."""
    receipt = one.receipt
    fresh: list[tuple[int, Event, bytes | None, list[Row]]] = []
    parts: list[tuple[int, Unreadable]] = []
    repeats: list[str] = []
    due = 0
    # each part of zip is as long as the events, but for the ids, which go on with the parts
    for routed, (_id, stored, _now), rows in zip(receipt.events, one.ids, one.deliveries, strict=False):
        pk = next(known)
        if pk is None:
            repeats.append(routed.event.id)
        else:
            fresh.append((pk, routed.event, stored, rows))
            due += len(rows)
    for part in receipt.unreadable:
        pk = next(known)
        if pk is None:
            repeats.append(part.id)
        else:
            parts.append((pk, part))
    parts_of_it = due + len(parts)
    message = writing.message(receipt.raw, parts_of_it)
    for pk, _event, stored, rows in fresh:
        for row in rows:
            seq = writing.delivery(pk, message, row)
            if stored is not None:
                writing.lanes.in_flight.fresh.note(
                    seq, Fresh(pk, message, one.transport, parts_of_it == 1, stored)
                )
    for pk, part in parts:
        writing.unreadable(pk, message, part, one.now)
    new = tuple([event.id for _pk, event, _stored, _rows in fresh])
    wanted = tuple([event.id for _pk, event, _stored, rows in fresh if rows])
    shape = _Shape(one.transport, len(new), len(wanted), len(parts), len(repeats))
    return Appended(new, tuple(repeats), wanted), shape


def _count(lanes: Lanes, shape: _Shape, number: int) -> None:
    """Count so many receipts."""
    transport, fresh, wanted, parts, repeats = shape
    lanes.count("received", transport, number)
    if repeats:
        lanes.count("duplicates", transport, number * repeats)
    if fresh:
        lanes.count("events", transport, number * fresh)
    if wanted != fresh:
        lanes.count("unwanted", transport, number * (fresh - wanted))
    if wanted:
        lanes.count("waiting", transport, number)
    elif parts:
        lanes.count("dead", transport, number)
    elif repeats and not fresh:
        lanes.count("repeated", transport, number)
    else:
        lanes.count("dropped", transport, number)


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
