"""What is looked up in the journal in SQLite."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from pywats_events.journal.records import DeliveryState, Entry, Query, RawRecord, Stats
from pywats_events.journal.sqlite_schema import CODES, STATES
from pywats_events.journal.sqlite_values import Text, attempts_of, event_of, moment, stamp, text, untext

_ENTRY: Final = """
    SELECT seq, state, document, handler, error, reason, rule, detail, attempts, first_seen, changed, due,
        message, source, message_name
    FROM deliveries LEFT JOIN events ON pk = event
"""
_DEAD: Final = (
    "SELECT seq, handler, key, message, event IS NOT NULL FROM deliveries LEFT JOIN events ON pk = event"
)
_MENTIONS: Final = """
    (instr(casefold(source), :text) OR instr(casefold(message_name), :text)
    OR instr(casefold(reason), :text) OR instr(casefold(key), :text) OR instr(casefold(id), :text))
"""
_TIMED: Final = (DeliveryState.WAITING, DeliveryState.PARKED)


class DeadRow(NamedTuple):
    """What a decision about a dead letter needs."""

    seq: int
    handler: Text
    key: Text | None
    message: int | None
    has_event: bool


def search(db: sqlite3.Connection, query: Query) -> list[Entry]:
    """Find entries, in the order of the journal."""
    condition, values = _condition(query)
    rows = db.execute(f"{_ENTRY} WHERE {condition} ORDER BY seq LIMIT :limit", values).fetchall()
    return [_entry(db, row) for row in rows]


def found_dead(db: sqlite3.Connection, query: Query) -> list[DeadRow]:
    """Find the dead letters that a query means."""
    if query.states and DeliveryState.DEAD not in query.states:
        return []
    condition, values = _condition(replace(query, states=(DeliveryState.DEAD,)))
    rows = db.execute(f"{_DEAD} WHERE {condition} ORDER BY seq LIMIT :limit", values).fetchall()
    return [DeadRow(*row) for row in rows]


def _condition(query: Query) -> tuple[str, dict[str, Any]]:
    """Give the SQL of a query. Values go beside it; in the text stand only words and numbers of ours."""
    terms = ["seq > :after"]
    values: dict[str, Any] = {"limit": query.limit, "after": int(query.after) if query.after else 0}

    def also(term: str, **value: Any) -> None:
        terms.append(term)
        values.update(value)

    if query.ids:
        ids = [int(one) for one in query.ids if one.isdecimal()]
        also("seq IN (SELECT value FROM json_each(:ids))", ids=json.dumps(ids))
    if query.states:
        also(_states(query.states))
    if query.event_id is not None:
        also("event = (SELECT pk FROM events WHERE id = :event_id)", event_id=text(query.event_id))
    for name in ("key", "handler", "event_type", "source", "error", "message_name"):
        wanted = getattr(query, name)
        if wanted is not None:
            also(f"{name} = :{name}", **{name: text(str(wanted))})
    if query.since is not None:
        also("first_seen >= :since", since=stamp(query.since))
    if query.before is not None:
        also("first_seen < :before", before=stamp(query.before))
    if query.text is not None:
        also(_MENTIONS, text=text(query.text.casefold()))
    return " AND ".join(terms), values


def _states(states: Collection[DeliveryState]) -> str:
    """Give the condition with its numbers in the text: so the planner sees which index holds them all."""
    codes = sorted({CODES[state] for state in states})
    if len(codes) == 1:
        return f"state = {codes[0]}" + (" AND state < 4" if codes[0] < CODES[DeliveryState.DONE] else "")
    chosen = f"state IN ({', '.join(map(str, codes))})"
    return f"{chosen} AND state < 4" if codes[-1] < CODES[DeliveryState.DONE] else chosen


def _entry(db: sqlite3.Connection, row: tuple[Any, ...]) -> Entry:
    seq, code, document, handler, error, reason, rule, detail, attempts, first_seen, changed, due, *rest = row
    message, source, message_name = rest
    state = STATES[code]
    parked_on: tuple[str, ...] = ()
    if state is DeliveryState.PARKED:
        names = db.execute("SELECT name FROM parked WHERE delivery = ? ORDER BY place", (seq,)).fetchall()
        parked_on = tuple(untext(name) for (name,) in names)
    return Entry(
        id=str(seq),
        state=state,
        event=event_of(document),
        handler=untext(handler),
        error=untext(error),
        reason=untext(reason),
        rule=untext(rule),
        detail=json.loads(detail) if detail else {},
        attempts=attempts_of(attempts),
        first_seen=moment(first_seen),
        changed=moment(changed),
        retry_at=moment(due) if due is not None and state in _TIMED else None,
        parked_on=parked_on,
        message_id=None if message is None else str(message),
        source=untext(source),
        message_name=untext(message_name),
    )


def raw(db: sqlite3.Connection, message_id: str) -> RawRecord | None:
    """Give a message back."""
    if not message_id.isdecimal():
        return None
    found = db.execute(
        """
        SELECT body, content_type, content_encoding, transport, address, properties, received_at
        FROM messages JOIN bodies ON message = id WHERE id = ?
        """,
        (int(message_id),),
    ).fetchall()
    for body, content_type, content_encoding, transport, address, properties, received_at in found:
        return RawRecord(
            body=zlib.decompress(body),
            content_type=untext(content_type),
            content_encoding=untext(content_encoding),
            transport=untext(transport),
            address=untext(address),
            properties=json.loads(properties),
            received_at=moment(received_at),
        )
    return None


def stats(db: sqlite3.Connection) -> Stats:
    """Give the sums, which are kept with every change."""
    by_transport: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, transport, number in db.execute("SELECT name, transport, number FROM counters").fetchall():
        by_transport[name][untext(transport)] = number
    deliveries: defaultdict[str, dict[DeliveryState, int]] = defaultdict(dict)
    for handler, code, number in db.execute("SELECT handler, state, number FROM tally").fetchall():
        if number:
            deliveries[untext(handler)][STATES[code]] = number
    oldest = db.execute("SELECT first_seen FROM deliveries WHERE state < 4 ORDER BY seq LIMIT 1").fetchall()
    return Stats(
        received=dict(by_transport["received"]),
        duplicates=dict(by_transport["duplicates"]),
        events=sum(by_transport["events"].values()),
        unwanted=sum(by_transport["unwanted"].values()),
        deliveries=dict(deliveries),
        oldest_open=moment(oldest[0][0]) if oldest else None,
    )


def recall(db: sqlite3.Connection, keys: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
    """Give the facts that are known."""
    known: dict[str, Mapping[str, Any]] = {}
    for key in keys:
        for (value,) in db.execute("SELECT value FROM facts WHERE key = ?", (text(key),)).fetchall():
            known[key] = json.loads(value)
    return known
