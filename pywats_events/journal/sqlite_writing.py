"""What comes into the journal in SQLite: receipts, facts, and messages that are read again."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Final, TypeAlias

import msgspec

from pywats_events.event import Event
from pywats_events.journal.records import (
    Appended,
    Fact,
    RawRecord,
    Receipt,
)
from pywats_events.journal.sqlite_in_flight import Held
from pywats_events.journal.sqlite_lanes import DEAD, PENDING, Lanes
from pywats_events.journal.sqlite_sets import Row, found_in_sets, in_sets
from pywats_events.journal.stored_values import (
    Text,
    attempt,
    fingerprint_of,
    history,
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
        (state, seq, event, message, ready, first_seen, changed, handler, key, unit, event_type, source,
        message_name)
    SELECT 0, column1, column2, column3, column4 AND NOT EXISTS (
        SELECT 1 FROM deliveries WHERE handler = column6 AND key = column7 AND state < 4
    ), column5, column5, column6, column7, column8, column9, column10, column11 FROM ({rows})
"""
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


#: What the sums need of a receipt: transport, new events, those that somebody wants, unreadable parts,
#: repeats.
Shape: TypeAlias = tuple[Text, int, int, int, int]
#: What is stored of an event, or of a part that nobody could read: id, document and time.
Stored: TypeAlias = tuple[Text, bytes | None, int]


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


class Prepared(msgspec.Struct, eq=False):
    """A receipt with what is stored of it, as far as that can be said without the file.

    Attributes:
        ids: of its events and then of its unreadable parts.
        deliveries: of each event, the values of its deliveries that ``_DELIVERIES`` ends with.
        answer: to be given when everything in it is new.
        shape: what the sums need of it then.
    """

    receipt: Receipt
    now: int
    transport: Text
    ids: list[Stored]
    deliveries: list[list[Row]]
    answer: Appended
    shape: Shape


def rows_of(event: Event, handlers: Iterable[str]) -> list[Row]:
    """Give the values of an event's deliveries that ``_DELIVERIES`` ends with."""
    about = (
        text(event.key),
        unit_of(event),
        event.event_type._value_,
        text(event.source),
        text(event.metadata.message_name),
    )
    return [(text(handler), *about) for handler in handlers]


def message_row(number: int, raw: RawRecord | None, parts: int) -> Row:
    """Give the values of a message with so many deliveries."""
    if raw is None:
        return (number, parts, "", "", None, None, "{}", stamp(datetime.now(UTC)))
    return (
        number,
        parts,
        text(raw.transport),
        text(raw.address),
        text(raw.content_type),
        text(raw.content_encoding),
        to_json(raw.properties),
        stamp(raw.received_at),
    )


def body_of(raw: RawRecord) -> bytes:
    """Give a message's bytes as they are stored."""
    return zlib.compress(raw.body, _COMPRESSION)


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

    def know(self, wanted: Sequence[Stored]) -> list[int | None]:
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
        self._messages.append(message_row(number, raw, parts))
        if raw is not None:
            self._bodies.append((number, body_of(raw)))
        return number

    def delivery(self, pk: int, message: int | None, now: int, row: Row) -> int:
        """Note a delivery: one of those that ``rows_of`` has given; give its number."""
        seq = self._numbers.delivery()
        lane = row[:2]
        is_first = lane not in self._taken
        self._taken.add(lane)
        self._deliveries.append((seq, pk, message, is_first, now, *row))
        return seq

    def fresh(
        self, one: Prepared, pk: int, message: int | None, row: Row, stored: Stored, *, is_alone: bool
    ) -> None:
        """Note a delivery of a new event, which may be claimed next."""
        seq = self.delivery(pk, message, one.now, row)
        name, document, now = stored
        if document is not None:
            held = Held(
                seq, row[0], row[1], pk, name, message, one.transport, is_alone, now, document, is_fresh=True
            )
            self.lanes.in_flight.fresh.note([held])

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
                history(None, attempt(now, part.error, part.reason)),
                fingerprint_of("", part.error, part.reason),
            )
        )
        self.lanes.tally("", DEAD)

    def write(self) -> None:
        """Write down what was noted."""
        db = self.lanes.db
        in_sets(db, _MESSAGES, self._messages)
        in_sets(db, _BODIES, self._bodies)
        in_sets(db, _DELIVERIES, self._deliveries)
        for handler, number in Counter(row[5] for row in self._deliveries).items():
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
    shapes: Counter[Shape] = Counter()
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
        count_receipts(lanes, shape, number)
    writing.write()
    learn(lanes, facts)
    for place in unsure:
        answers[place] = _with_open(lanes, receipts[place].receipt, answers[place])
    return answers


def _note(writing: Writing, one: Prepared, known: Iterator[int | None]) -> tuple[Appended, Shape]:
    """Note the rows of one receipt; in the answer those are open that are new and due to somebody."""
    receipt = one.receipt
    fresh: list[tuple[int, str, Stored, list[Row]]] = []
    parts: list[tuple[int, Unreadable]] = []
    repeats: list[str] = []
    due = 0
    # each part of zip is as long as the events, but for the ids, which go on with the parts
    for routed, stored, rows in zip(receipt.events, one.ids, one.deliveries, strict=False):
        pk = next(known)
        if pk is None:
            repeats.append(routed.event.id)
        else:
            fresh.append((pk, routed.event.id, stored, rows))
            due += len(rows)
    for part in receipt.unreadable:
        pk = next(known)
        if pk is None:
            repeats.append(part.id)
        else:
            parts.append((pk, part))
    parts_of_it = due + len(parts)
    message = writing.message(receipt.raw, parts_of_it)
    for pk, _name, stored, rows in fresh:
        for row in rows:
            writing.fresh(one, pk, message, row, stored, is_alone=parts_of_it == 1)
    for pk, part in parts:
        writing.unreadable(pk, message, part, one.now)
    new = tuple([name for _pk, name, _stored, _rows in fresh])
    wanted = tuple([name for _pk, name, _stored, rows in fresh if rows])
    shape = (one.transport, len(new), len(wanted), len(parts), len(repeats))
    return Appended(new, tuple(repeats), wanted), shape


def count_receipts(lanes: Lanes, shape: Shape, number: int) -> None:
    """Count so many receipts of one shape."""
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
    return Appended(answer.new, answer.duplicates, tuple(name for name in named if name in is_open))


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
