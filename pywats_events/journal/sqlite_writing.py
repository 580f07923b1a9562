"""What is written to the journal in SQLite: each function is one job in one transaction."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from pywats_events.journal.records import (
    Appended,
    Fact,
    RawRecord,
    Receipt,
    Routed,
)
from pywats_events.journal.sqlite_lanes import DEAD, PENDING, Lanes
from pywats_events.journal.sqlite_values import document, one_more, stamp, text, to_json
from pywats_events.message import Unreadable

#: Bytes are compressed once and mostly never read again.
_COMPRESSION: Final = 1


def append(lanes: Lanes, receipts: Sequence[Receipt]) -> list[Appended]:
    """Write receipts down, in order."""
    return [_append(lanes, receipt) for receipt in receipts]


def _append(lanes: Lanes, receipt: Receipt) -> Appended:
    now = stamp(receipt.raw.received_at if receipt.raw else datetime.now(UTC))
    transport = text(receipt.raw.transport) if receipt.raw else ""
    duplicates: list[str] = []
    fresh: list[tuple[int, Routed]] = []
    for routed in receipt.events:
        event = routed.event
        pk = _know(lanes, event.id, document(event))
        if pk is None:
            duplicates.append(event.id)
        else:
            fresh.append((pk, routed))
    broken: list[Unreadable] = []
    for part in receipt.unreadable:
        if _know(lanes, part.id, None) is None:
            duplicates.append(part.id)
        else:
            broken.append(part)
    users = sum(len(routed.handlers) for _, routed in fresh) + len(broken)
    message = _keep_raw(lanes, receipt.raw, users) if receipt.raw and users else None
    for pk, routed in fresh:
        _add_deliveries(lanes, pk, routed, message, now)
    for part in broken:
        _add_unreadable(lanes, part, message, now)
    lanes.count("received", transport, 1)
    lanes.count("duplicates", transport, len(duplicates))
    lanes.count("events", transport, len(fresh))
    lanes.count("unwanted", transport, sum(not routed.handlers for _, routed in fresh))
    if fresh:
        learn(lanes, receipt.facts)
    new = tuple(routed.event.id for _, routed in fresh)
    is_open = {routed.event.id: bool(routed.handlers) for _, routed in fresh}
    for event_id in duplicates:
        if event_id not in is_open:
            is_open[event_id] = _is_open(lanes, event_id)
    named = (routed.event.id for routed in receipt.events)
    return Appended(new, tuple(duplicates), tuple(event_id for event_id in named if is_open[event_id]))


def _know(lanes: Lanes, event_id: str, stored: bytes | None) -> int | None:
    """Note an event's id; give its row, or None when it is known already."""
    done = lanes.db.execute(
        "INSERT INTO events (id, document) VALUES (?, ?) ON CONFLICT DO NOTHING", (text(event_id), stored)
    )
    return done.lastrowid if done.rowcount else None


def _is_open(lanes: Lanes, event_id: str) -> bool:
    found = lanes.db.execute(
        "SELECT 1 FROM deliveries WHERE event = (SELECT pk FROM events WHERE id = ?) AND +state < 4 LIMIT 1",
        (text(event_id),),
    )
    return bool(found.fetchall())


def _keep_raw(lanes: Lanes, raw: RawRecord, users: int) -> int:
    row = lanes.db.execute(
        """
        INSERT INTO messages
            (users, transport, address, content_type, content_encoding, properties, received_at)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """,
        (
            users,
            text(raw.transport),
            text(raw.address),
            text(raw.content_type),
            text(raw.content_encoding),
            to_json(raw.properties),
            stamp(raw.received_at),
        ),
    ).lastrowid
    assert row is not None  # noqa: S101  # an INSERT that was done has a row
    lanes.db.execute("INSERT INTO bodies VALUES (?, ?)", (row, zlib.compress(raw.body, _COMPRESSION)))
    return row


def _add_deliveries(lanes: Lanes, pk: int, routed: Routed, message: int | None, now: int) -> None:
    event = routed.event
    key, source, name = text(event.key), text(event.source), text(event.metadata.message_name)
    for handler in map(text, routed.handlers):
        lanes.db.execute(
            """
            INSERT INTO deliveries
                (event, message, handler, key, state, ready, first_seen, changed,
                 event_type, source, message_name)
            VALUES (
                ?1, ?2, ?3, ?4, 0,
                NOT EXISTS (SELECT 1 FROM deliveries WHERE handler = ?3 AND key = ?4 AND state < 4),
                ?5, ?5, ?6, ?7, ?8
            )
            """,
            (pk, message, handler, key, now, event.event_type.value, source, name),
        )
        lanes.tally(handler, PENDING)


def _add_unreadable(lanes: Lanes, part: Unreadable, message: int | None, now: int) -> None:
    attempts = one_more(None, now, part.error, part.reason)
    lanes.db.execute(
        """
        INSERT INTO deliveries
            (message, handler, state, first_seen, changed, source, message_name, error, reason, attempts)
        VALUES (?, '', ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            message,
            DEAD,
            now,
            now,
            text(part.source),
            text(part.message_name),
            text(part.error),
            text(part.reason),
            attempts,
        ),
    )
    lanes.tally("", DEAD)


def learn(lanes: Lanes, facts: Iterable[Fact]) -> None:
    """Write facts down, and set free what waits for them."""
    for fact in facts:
        key = text(fact.key)
        learnt = lanes.db.execute(
            """
            INSERT INTO facts VALUES (?, ?, ?) ON CONFLICT DO UPDATE
            SET value = excluded.value, time = excluded.time WHERE excluded.time >= time
            """,
            (key, json.dumps(fact.value, separators=(",", ":")), stamp(fact.time)),
        )
        if learnt.rowcount:
            lanes.free_parked(key, stamp(datetime.now(UTC)))
