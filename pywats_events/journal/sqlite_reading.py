"""What is looked up in the journal in SQLite."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from pywats_events.journal.fates import Fate
from pywats_events.journal.fingerprint import pattern
from pywats_events.journal.records import (
    ID_DIGITS,
    DeadGroup,
    DeliveryState,
    Entry,
    Ledger,
    MessageHead,
    MessageSums,
    Parking,
    Query,
    RawRecord,
    Stats,
)
from pywats_events.journal.sqlite_schema import CODES, STATES
from pywats_events.journal.stored_values import (
    Text,
    event_of,
    history_of,
    moment,
    stamp,
    text,
    to_json,
    untext,
)

_ENTRY: Final = """
    SELECT seq, state, document, handler, error, reason, rule, detail, attempts, first_seen, changed, due,
        message, source, message_name, fingerprint, CASE handler WHEN '' THEN id END,
        parks, parked_since, parked_last, freed
    FROM deliveries LEFT JOIN events ON pk = event
"""
_DEAD: Final = """
    SELECT seq, handler, key, message, handler <> '' AND document IS NOT NULL
    FROM deliveries LEFT JOIN events ON pk = event
"""
_GROUPS: Final = """
    SELECT fingerprint, handler, error, reason, number, first, last, seq FROM (
        SELECT fingerprint, count(*) AS number, min(changed) AS first, max(changed) AS last,
            max(seq) AS newest
        FROM deliveries LEFT JOIN events ON pk = event WHERE {condition} GROUP BY fingerprint
    ) JOIN deliveries USING (fingerprint) WHERE seq = newest
    ORDER BY number DESC, fingerprint LIMIT :limit
"""
_MENTIONS: Final = """
    (instr(casefold(source), :text) OR instr(casefold(message_name), :text)
    OR instr(casefold(reason), :text) OR instr(casefold(key), :text)
    OR (instr(casefold(id), :text) = 1 AND length(:text) >= min(:id_digits, length(id))))
"""
_TIMED: Final = (DeliveryState.WAITING, DeliveryState.PARKED)
_DIED: Final = (DeliveryState.DEAD, DeliveryState.DISCARDED)
#: Times of the oldest entries; each goes by an index.
_OLDEST_OPEN: Final = "SELECT first_seen FROM deliveries WHERE state < 4 ORDER BY seq LIMIT 1"
_OLDEST_DEAD: Final = "SELECT first_seen FROM deliveries WHERE state = 6 ORDER BY seq LIMIT 1"
_OLDEST: Final = "SELECT first_seen FROM deliveries ORDER BY seq LIMIT 1"


#: Both stand in the file as pending.
_ONE_OF_TWO: Final = {
    DeliveryState.PENDING: "(state <> 0 OR seq NOT IN (SELECT value FROM json_each(:flying)))",
    DeliveryState.IN_FLIGHT: "(state <> 0 OR seq IN (SELECT value FROM json_each(:flying)))",
}


class DeadRow(NamedTuple):
    """What a decision about a dead letter needs."""

    seq: int
    handler: Text
    key: Text | None
    message: int | None
    has_event: bool


def search(db: sqlite3.Connection, query: Query, flying: Mapping[int, Text]) -> list[Entry]:
    """Find entries, in the order of the journal; what is in flight stands in the file as pending."""
    condition, values = _condition(query, flying)
    order = "DESC" if query.newest_first else "ASC"
    rows = db.execute(f"{_ENTRY} WHERE {condition} ORDER BY seq {order} LIMIT :limit", values).fetchall()
    return [_entry(db, row, flying) for row in rows]


def found_dead(db: sqlite3.Connection, query: Query) -> list[DeadRow]:
    """Find the dead letters that a query means."""
    if query.states and DeliveryState.DEAD not in query.states:
        return []
    condition, values = _condition(replace(query, states=(DeliveryState.DEAD,)), {})
    order = "DESC" if query.newest_first else "ASC"
    rows = db.execute(f"{_DEAD} WHERE {condition} ORDER BY seq {order} LIMIT :limit", values).fetchall()
    return [DeadRow(*row) for row in rows]


def groups(db: sqlite3.Connection, query: Query) -> list[DeadGroup]:
    """Give the dead letters that a query means by their cause."""
    dead = replace(query, states=(DeliveryState.DEAD,), after=None, newest_first=False)
    condition, values = _condition(dead, {})
    rows = db.execute(_GROUPS.replace("{condition}", condition), values).fetchall()
    return [
        DeadGroup(
            fingerprint=cause,
            handler=untext(handler),
            error=untext(error),
            reason=pattern(untext(reason)),
            count=number,
            first=moment(first),
            last=moment(last),
            example=str(seq),
        )
        for cause, handler, error, reason, number, first, last, seq in rows
    ]


def _condition(query: Query, flying: Mapping[int, Text]) -> tuple[str, dict[str, Any]]:  # noqa: C901  # one for each member
    """Give the SQL of a query. Values go beside it; in the text stand only words and numbers of ours."""
    terms: list[str] = []
    values: dict[str, Any] = {"limit": query.limit}

    def also(term: str, **value: Any) -> None:
        terms.append(term)
        values.update(value)

    if query.after is not None:
        also("seq < :after" if query.newest_first else "seq > :after", after=int(query.after))
    if query.ids:
        ids = [int(one) for one in query.ids if one.isdecimal()]
        also("seq IN (SELECT value FROM json_each(:ids))", ids=json.dumps(ids))
    if query.states:
        also(_states(query.states))
        asked = {DeliveryState.PENDING, DeliveryState.IN_FLIGHT}.intersection(query.states)
        if len(asked) == 1:
            also(_ONE_OF_TWO[asked.pop()], flying=json.dumps(list(flying)))
    if query.event_id is not None:
        also("event = (SELECT pk FROM events WHERE id = :event_id)", event_id=text(query.event_id))
    if query.unit is not None:
        also("(key = :unit OR unit = :unit)", unit=text(query.unit))
    if query.message_id is not None:
        message = int(query.message_id) if query.message_id.isdecimal() else 0
        also("message = :message", message=message)
    for name in ("key", "handler", "event_type", "source", "error", "message_name", "fingerprint"):
        wanted = getattr(query, name)
        if wanted is not None:
            also(f"{name} = :{name}", **{name: text(str(wanted))})
    if query.since is not None:
        also("first_seen >= :since", since=stamp(query.since))
    if query.before is not None:
        also("first_seen < :before", before=stamp(query.before))
    if query.text is not None:
        also(_MENTIONS, text=text(query.text.casefold()), id_digits=ID_DIGITS)
    return " AND ".join(terms) or "true", values


def _states(states: Collection[DeliveryState]) -> str:
    """Give the condition with its numbers in the text: so the planner sees which index holds them all."""
    pending = CODES[DeliveryState.PENDING]
    codes = sorted({pending if state is DeliveryState.IN_FLIGHT else CODES[state] for state in states})
    if len(codes) == 1:
        return f"state = {codes[0]}" + (" AND state < 4" if codes[0] < CODES[DeliveryState.DONE] else "")
    chosen = f"state IN ({', '.join(map(str, codes))})"
    return f"{chosen} AND state < 4" if codes[-1] < CODES[DeliveryState.DONE] else chosen


def _entry(db: sqlite3.Connection, row: tuple[Any, ...], flying: Mapping[int, Text]) -> Entry:
    seq, code, document, handler, error, reason, rule, detail, attempts, first_seen, changed, due, *rest = row
    message, source, message_name, cause, part_id, parks, since, last, freed = rest
    history = history_of(attempts)
    if parks:
        until = None if freed is None else moment(freed)
        parking = Parking(moment(since), untext(error), untext(reason), parks, moment(last), until)
        history = (*history, parking)
    state = STATES[code]
    if seq in flying and state is DeliveryState.PENDING:
        state = DeliveryState.IN_FLIGHT
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
        history=history,
        first_seen=moment(first_seen),
        changed=moment(changed),
        retry_at=moment(due) if due is not None and state in _TIMED else None,
        parked_on=parked_on,
        message_id=None if message is None else str(message),
        source=untext(source),
        message_name=untext(message_name),
        part_id=untext(part_id),
        fingerprint=cause if state in _DIED else None,
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


def recent_messages(
    db: sqlite3.Connection, transport: str, limit: int, having: Mapping[str, str]
) -> list[MessageHead]:
    """Give the messages that were taken in last, the newest first."""
    # a word is looked for first: reading the properties of all messages would take far longer
    words = [to_json({name: value})[1:-1] for name, value in having.items()]
    found = db.execute(
        f"""
        SELECT address, properties, received_at FROM messages
        WHERE transport = ? {"AND instr(properties, ?) " * len(words)}ORDER BY id DESC LIMIT ?
        """,  # noqa: S608  # words of ours
        (text(transport), *words, limit),
    )
    heads = (
        MessageHead(untext(address), json.loads(properties), moment(received_at))
        for address, properties, received_at in found
    )
    return [head for head in heads if having.items() <= head.properties.items()]


def stats(db: sqlite3.Connection, flying: Mapping[int, Text]) -> Stats:
    """Give the sums, which are kept with every change."""
    by_name: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, transport, number in db.execute("SELECT name, transport, number FROM counters").fetchall():
        by_name[name][untext(transport)] = number
    return Stats(
        received=by_name["received"],
        duplicates={name: number for name, number in by_name["duplicates"].items() if number},
        events=sum(by_name["events"].values()),
        unwanted=sum(by_name["unwanted"].values()),
        deliveries=_deliveries(db, flying),
        oldest_open=_time(db, _OLDEST_OPEN),
    )


def _deliveries(db: sqlite3.Connection, flying: Mapping[int, Text]) -> dict[str, dict[DeliveryState, int]]:
    deliveries: defaultdict[str, dict[DeliveryState, int]] = defaultdict(dict)
    for handler, code, number in db.execute("SELECT handler, state, number FROM tally").fetchall():
        if number:
            deliveries[untext(handler)][STATES[code]] = number
    for name, number in Counter(map(untext, flying.values())).items():
        states = deliveries[name]
        # the file may have been read a moment before or after the claims were
        in_flight = min(number, states.get(DeliveryState.PENDING, 0))
        for state, change in ((DeliveryState.PENDING, -in_flight), (DeliveryState.IN_FLIGHT, in_flight)):
            states[state] = states.get(state, 0) + change
            if not states[state]:
                del states[state]
    return dict(deliveries)


def ledger(db: sqlite3.Connection, flying: Mapping[int, Text]) -> Ledger:
    """Give the books, which are kept with every change."""
    messages: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, transport, number in db.execute("SELECT name, transport, number FROM counters").fetchall():
        if name in _BOOKS:
            messages[untext(transport)][name] = number
    return Ledger({name: MessageSums(**sums) for name, sums in messages.items()}, _deliveries(db, flying))


_BOOKS: Final = frozenset({"received", "repeated", *Fate})


def oldest(db: sqlite3.Connection) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Give the times of the oldest open entry, the oldest dead one, and the oldest."""
    return _time(db, _OLDEST_OPEN), _time(db, _OLDEST_DEAD), _time(db, _OLDEST)


def _time(db: sqlite3.Connection, sql: str) -> datetime | None:
    row = db.execute(sql).fetchone()
    return moment(row[0]) if row else None


def recall(db: sqlite3.Connection, keys: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
    """Give the facts that are known."""
    known: dict[str, Mapping[str, Any]] = {}
    for key in keys:
        for (value,) in db.execute("SELECT value FROM facts WHERE key = ?", (text(key),)).fetchall():
            known[key] = json.loads(value)
    return known
