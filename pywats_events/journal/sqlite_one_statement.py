"""What a bus asks of the journal in SQLite most of the time, for all who wait, in one statement.

Every call into SQLite gives up the interpreter's lock and has to get it back from the loop, and a transaction
of many statements is as many such calls. One statement that is a transaction by itself is one call, during
which the loop works on. It has rows of several kinds and goes to a view; triggers, which this connection
alone has, put each row where it belongs. Nothing of that is in the file.

Only what needs no answer of the file goes this way: new events, and deliveries that are done. A known id, or
whatever else is not that simple, lets the whole statement fail or never begin, and the long way is taken.

Values are numbers, texts and ``bytearray``, and 0 stands for NULL where a column may have it: of all types it
is those that Python's sqlite3 hands over as they are. For None and bytes it first looks whether somebody has
registered how to adapt them, which costs more than the rest of a row.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

import msgspec

from pywats_events.journal.records import Appended, Receipt
from pywats_events.journal.sqlite_claiming import settle_done
from pywats_events.journal.sqlite_in_flight import Held
from pywats_events.journal.sqlite_lanes import PENDING, Lanes
from pywats_events.journal.sqlite_sets import Row
from pywats_events.journal.sqlite_writing import (
    Numbers,
    Prepared,
    Stored,
    body_of,
    count_receipts,
    message_row,
    rows_of,
)
from pywats_events.journal.stored_values import document, stamp, text

#: Kinds of rows. The first pads a statement to a length that is prepared already.
_NOTHING, _EVENT_AND_DELIVERY, _DELIVERY, _EVENT, _MESSAGE, _DONE, _TALLY, _COUNTER = range(8)
#: As many values as a row has, and the places of numbers that are given last.
_WIDTH: Final = 13
_EVENTS_NUMBER, _DELIVERYS_NUMBER, _MESSAGES_NUMBER = 1, 5, 6
_PADDING: Final = (_NOTHING, *[0] * (_WIDTH - 1))
_shape: Final = attrgetter("shape")
_handler: Final = attrgetter("handler")
#: Most rows of a statement; what is more takes the long way. Up to a few, lengths differ by little.
_MOST: Final = 1024
_FEW: Final = 64

_INSERT_EVENT: Final = """
    INSERT INTO events (pk, id, document, seen) VALUES (NEW.event, NEW.id, nullif(NEW.document, 0), NEW.time);
"""
_INSERT_DELIVERY: Final = """
    INSERT INTO deliveries
        (seq, event, message, state, ready, first_seen, changed, handler, key, unit, event_type, source,
        message_name)
    VALUES (NEW.seq, NEW.event, nullif(NEW.message, 0), 0, NOT EXISTS (
        SELECT 1 FROM deliveries WHERE handler = NEW.handler AND key = NEW.key AND state < 4
    ), NEW.time, NEW.time, NEW.handler, NEW.key, nullif(NEW.unit, 0), NEW.event_type, NEW.source,
    nullif(NEW.message_name, 0));
"""
#: The names are those of an event with its delivery; a message has its transport as ``id``, its body as
#: ``document``, its parts as ``seq``, and so on.
_INSERT_MESSAGE: Final = """
    INSERT INTO messages
        (id, parts, transport, address, content_type, content_encoding, properties, received_at)
    VALUES (NEW.message, NEW.seq, NEW.id, NEW.handler, nullif(NEW.key, 0), nullif(NEW.unit, 0),
        NEW.event_type, NEW.time);
    INSERT INTO bodies SELECT NEW.message, NEW.document WHERE NEW.document <> 0;
"""
#: ``id`` has the numbers of what is done.
_SETTLE: Final = """
    UPDATE deliveries SET state = 4, ready = 0, fingerprint = NULL, changed = NEW.time
    WHERE seq IN (SELECT value FROM json_each(NEW.id));
    UPDATE deliveries SET ready = 1 WHERE state = 0 AND ready = 0 AND seq IN (
        SELECT (
            SELECT next.seq FROM deliveries AS next
            WHERE next.handler = done.handler AND next.key = done.key AND next.state < 4
            ORDER BY next.seq LIMIT 1
        ) FROM json_each(NEW.id) JOIN deliveries AS done ON done.seq = value
    );
"""
_ADD_TO_TALLY: Final = """
    INSERT INTO tally VALUES (NEW.handler, NEW.event, NEW.seq)
    ON CONFLICT DO UPDATE SET number = number + excluded.number;
"""
_ADD_TO_COUNTER: Final = """
    INSERT INTO counters VALUES (NEW.id, NEW.handler, NEW.seq)
    ON CONFLICT DO UPDATE SET number = number + excluded.number;
"""
_TRIGGERS: Final = {
    _EVENT_AND_DELIVERY: _INSERT_EVENT + _INSERT_DELIVERY,
    _DELIVERY: _INSERT_DELIVERY,
    _EVENT: _INSERT_EVENT,
    _MESSAGE: _INSERT_MESSAGE,
    _DONE: _SETTLE,
    _TALLY: _ADD_TO_TALLY,
    _COUNTER: _ADD_TO_COUNTER,
}
_VIEW: Final = """
    CREATE TEMP VIEW work AS SELECT 0 AS kind, 0 AS event, 0 AS id, 0 AS document, 0 AS time, 0 AS seq,
        0 AS message, 0 AS handler, 0 AS key, 0 AS unit, 0 AS event_type, 0 AS source, 0 AS message_name
"""


def make_ready(db: sqlite3.Connection) -> None:
    """Give a connection what the statement needs."""
    db.execute(_VIEW)
    for kind, statements in _TRIGGERS.items():
        db.execute(
            f"CREATE TEMP TRIGGER work_{kind} INSTEAD OF INSERT ON work WHEN NEW.kind = {kind} "
            f"BEGIN {statements} END"
        )


class Draft(msgspec.Struct, eq=False):
    """A receipt on its way into the file: what can be said of it without the file is said.

    Attributes:
        prepared: for the long way.
        values: of the rows of its events and deliveries, with 0 where their numbers will be.
        held: what may be claimed next, one for each delivery.
    """

    prepared: Prepared
    values: list[Any]
    held: list[Held]


def draft(receipt: Receipt) -> Draft:
    """Make a receipt ready to be written.

    Raises:
        ValueError: an event could not be read again.
        TypeError: a payload is no JSON data.
    """
    raw = receipt.raw
    now = time.time_ns() // 1000 if raw is None else stamp(raw.received_at)
    transport = "" if raw is None else text(raw.transport)
    is_alone = len(receipt.unreadable) + sum([len(routed.handlers) for routed in receipt.events]) == 1
    ids: list[Stored] = []
    deliveries: list[list[Row]] = []
    new: list[str] = []
    wanted: list[str] = []
    values: list[Any] = []
    held: list[Held] = []
    for routed in receipt.events:
        event = routed.event
        name, stored = text(event.id), document(event)  # made also when nobody wants it: a mistake shows
        new.append(event.id)
        if not routed.handlers:
            ids.append((name, None, now))
            deliveries.append([])
            values += (_EVENT, 0, name, 0, now, *_PADDING[5:])
            continue
        wanted.append(event.id)
        ids.append((name, stored, now))
        rows = rows_of(event, routed.handlers)
        deliveries.append(rows)
        kind, contents = _EVENT_AND_DELIVERY, _value(stored)
        for handler, key, unit, event_type, source, message_name in rows:
            values += (
                kind, 0, name, contents, now, 0, 0, handler, key, 0 if unit is None else unit, event_type,
                source, 0 if message_name is None else message_name,
            )  # fmt: skip
            held.append(Held(0, handler, key, 0, name, None, transport, is_alone, now, stored, is_fresh=True))
            kind, contents = _DELIVERY, 0
    ids += [(text(part.id), None, now) for part in receipt.unreadable]
    shape = (transport, len(new), len(wanted), len(receipt.unreadable), 0)
    answer = Appended(tuple(new), (), tuple(wanted))
    return Draft(Prepared(receipt, now, transport, ids, deliveries, answer, shape), values, held)


class OneStatement:
    """The rows of one statement, as they are collected; what it answers is true when the statement is done.

    Args:
        lanes: what is claimed, and the sums.
        numbers: the next number of each table.
    """

    def __init__(self, lanes: Lanes, numbers: Numbers) -> None:
        self._lanes = lanes
        self._numbers = numbers
        self._values: list[Any] = []
        self._receipts: list[Prepared] = []
        self._due: list[Held] = []

    def append(self, drafts: Sequence[Draft]) -> list[Appended] | None:
        """Note new receipts; None when they are not as simple as that."""
        answers: list[Appended] = []
        for one in drafts:
            prepared = one.prepared
            receipt, parts = prepared.receipt, len(one.held)
            if receipt.unreadable or receipt.facts:
                return None
            message = None
            if parts > 1 or (parts and receipt.raw is not None):
                message = self._note_message(prepared, parts)
            self._number(one, message)
            self._values += one.values
            self._receipts.append(prepared)
            answers.append(prepared.answer)
        return answers

    def _number(self, one: Draft, message: int | None) -> None:
        """Give events and deliveries their numbers."""
        values, numbers = one.values, self._numbers
        self._due += one.held
        if len(values) == _WIDTH and one.held:  # most have one row
            (delivery,) = one.held
            delivery.event = values[_EVENTS_NUMBER] = numbers.events(1)
            delivery.seq = values[_DELIVERYS_NUMBER] = numbers.delivery()
            if message is not None:
                delivery.message = values[_MESSAGES_NUMBER] = message
            return
        event = numbers.events(len(one.prepared.ids)) - 1
        held = iter(one.held)
        for place in range(0, len(values), _WIDTH):
            kind = values[place]
            if kind != _DELIVERY:
                event += 1
            values[place + _EVENTS_NUMBER] = event
            if kind != _EVENT:
                delivery = next(held)
                delivery.event = event
                delivery.seq = values[place + _DELIVERYS_NUMBER] = numbers.delivery()
                if message is not None:
                    delivery.message = values[place + _MESSAGES_NUMBER] = message

    def _note_message(self, one: Prepared, parts: int) -> int:
        raw, number = one.receipt.raw, self._numbers.message()
        _id, _parts, transport, *rest, received_at = message_row(number, raw, parts)
        body = None if raw is None else body_of(raw)
        self._add(_MESSAGE, 0, transport, body, received_at, parts, number, *rest)
        return number

    def _add(self, *row: Any) -> None:
        self._values += map(_value, row)
        self._values += _PADDING[len(row) :]

    def settle(self, claims: Sequence[tuple[int, int]], now: int) -> list[str] | None:
        """Note that claims are done; None when they are not as simple as that."""
        answer = settle_done(self._lanes, claims)
        if answer is None:
            return None
        done, closed = answer
        if done:
            self._add(_DONE, 0, json.dumps(done), 0, now)
        return closed

    def finish(self) -> list[Any] | None:
        """Give the values of the statement; None when they are too many."""
        for shape, number in Counter(map(_shape, self._receipts)).items():
            count_receipts(self._lanes, shape, number)
        for handler, number in Counter(map(_handler, self._due)).items():
            self._lanes.tally(handler, PENDING, number)
        self._lanes.in_flight.fresh.note(self._due)
        tally, counters = self._lanes.sums()
        for handler, state, number in tally:
            self._add(_TALLY, state, 0, 0, 0, number, 0, handler)
        for name, transport, number in counters:
            self._add(_COUNTER, 0, name, 0, 0, number, 0, transport)
        rows = len(self._values) // _WIDTH
        if rows > _MOST:
            return None
        self._values += _PADDING * (_length(rows) - rows)
        return self._values


def _value(value: Any) -> Any:
    """Give a value as it is handed over."""
    if value is None:
        return 0
    return bytearray(value) if type(value) is bytes else value


def execute(db: sqlite3.Connection, values: list[Any]) -> None:
    """Write the rows down, in a transaction of their own."""
    if values:
        db.execute(_text(len(values) // _WIDTH), values)


def _length(rows: int) -> int:
    """Give a length for so many rows that few statements have to be prepared."""
    step = 8 if rows <= _FEW else 1 << (rows.bit_length() - 3)
    return -(-rows // step) * step


@lru_cache(maxsize=64)
def _text(rows: int) -> str:
    row = f"({', '.join('?' * _WIDTH)})"
    return f"INSERT INTO work VALUES {', '.join([row] * rows)}"  # noqa: S608  # question marks only
