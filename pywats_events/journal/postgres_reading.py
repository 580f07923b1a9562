"""What is looked up in the journal in PostgreSQL."""

from __future__ import annotations

import asyncio
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pywats_events.journal.fates import Fate
from pywats_events.journal.fingerprint import pattern
from pywats_events.journal.postgres_connection import Connection
from pywats_events.journal.postgres_values import (
    CODES,
    STATES,
    digest,
    from_json,
    history_of,
    number_of,
    text,
    untext,
)
from pywats_events.journal.records import (
    ID_DIGITS,
    DeadGroup,
    DeliveryState,
    Entry,
    Health,
    Hold,
    Ledger,
    MessageHead,
    MessageSums,
    Parking,
    Query,
    RawRecord,
    Stats,
)
from pywats_events.journal.stored_values import event_of, moment, stamp, to_json

#: What became of messages, by the number that stands for it.
FATES: Final = (Fate.WAITING, Fate.DEAD, Fate.DONE, Fate.DISCARDED, Fate.DROPPED)

_TABLES: Final = "deliveries d JOIN events e ON e.hash = d.event JOIN messages m ON m.id = d.message"
_ENTRY: Final = f"""
    SELECT d.seq, d.state, e.document, e.id, d.handler, d.error, d.reason, d.rule, d.detail, d.attempts,
        d.first_seen, d.changed, d.due, CASE WHEN m.has_raw THEN m.id::text END, d.source, d.message_name,
        d.fingerprint,
        CASE WHEN d.state = 3
            THEN ARRAY(SELECT p.name FROM parked p WHERE p.delivery = d.seq ORDER BY p.place) END,
        d.parks, d.parked_since, d.parked_last, d.freed
    FROM {_TABLES}
"""  # noqa: S608  # words of ours
_TIMED: Final = (DeliveryState.WAITING, DeliveryState.PARKED)
#: Where texts are looked for.
_MENTIONS: Final = " OR ".join(
    f"strpos(comparable({column}), comparable(%(text)s)) > 0"
    for column in (
        "d.source",
        "d.message_name",
        "d.reason",
        "d.key",
    )
)
#: An event id goes by its beginning.
_BEGINS: Final = (
    "strpos(comparable(e.id), comparable(%(text)s)) = 1 "
    f"AND length(comparable(%(text)s)) >= least({ID_DIGITS}, length(e.id))"
)
#: The conditions of a query's members, and how their values are stored.
_TERMS: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "ids": ("d.seq = ANY (%(ids)s::bigint[])", lambda ids: [number_of(one) for one in ids]),
    "event_id": ("d.event = %(event_id)s AND d.message = e.message", digest),
    "key": ("d.lane = %(key)s", digest),
    "unit": ("(d.lane = %(unit)s OR d.unit = %(unit)s)", digest),
    "message_id": ("d.message = %(message_id)s AND m.has_raw", number_of),
    "handler": ("d.handler = %(handler)s", text),
    "event_type": ("d.event_type = %(event_type)s", str),
    "source": ("d.source = %(source)s", text),
    "error": ("d.error = %(error)s", text),
    "message_name": ("d.message_name = %(message_name)s", text),
    "fingerprint": ("d.fingerprint = %(fingerprint)s", text),
    "since": ("d.first_seen >= %(since)s", stamp),
    "before": ("d.first_seen < %(before)s", stamp),
    "text": (f"({_MENTIONS} OR {_BEGINS})", text),
}


async def search(connection: Connection, query: Query, *, skew: int) -> list[Entry]:
    """Find entries, in the order of the journal or the other way round.

    Args:
        connection: where to look.
        query: what to look for.
        skew: microseconds by which the server's clock is before ours.
    """
    condition, values = _condition(query)
    order = "DESC" if query.newest_first else "ASC"
    found = await connection.execute(
        f"{_ENTRY} WHERE {condition} ORDER BY d.seq {order} LIMIT %(limit)s".encode(), values, binary=True
    )
    rows = await found.fetchall()
    return await asyncio.to_thread(lambda: [_entry(row, skew) for row in rows])  # documents take time to read


async def found_dead(connection: Connection, query: Query) -> list[int]:
    """Give the numbers of the dead letters that a query means."""
    if query.states and DeliveryState.DEAD not in query.states:
        return []
    condition, values = _condition(replace(query, states=(DeliveryState.DEAD,)))
    order = "DESC" if query.newest_first else "ASC"
    found = await connection.execute(
        f"SELECT d.seq FROM {_TABLES} WHERE {condition} "  # noqa: S608  # words of ours
        f"ORDER BY d.seq {order} LIMIT %(limit)s".encode(),
        values,
    )
    return [seq for (seq,) in await found.fetchall()]


def _condition(query: Query) -> tuple[str, dict[str, Any]]:
    """Give the SQL of a query. Values go beside it; in the text stand only words and numbers of ours."""
    values: dict[str, Any] = {"limit": query.limit}
    terms = ["true", *_narrow(query)] if query.states else ["true"]
    for name, (term, convert) in _TERMS.items():
        wanted = getattr(query, name)
        if wanted is not None and wanted != ():
            terms.append(term)
            values[name] = convert(wanted)
    if query.after is not None:
        terms.append(f"d.seq {'<' if query.newest_first else '>'} %(after)s")
        values["after"] = number_of(query.after)
    return " AND ".join(terms), values


def _narrow(query: Query) -> Iterator[str]:
    """Give the condition with its numbers in the text: so the planner sees which index holds them all."""
    codes = sorted({CODES[state] for state in query.states})
    yield f"d.state IN ({', '.join(map(str, codes))})"
    if codes[-1] < CODES[DeliveryState.DONE]:
        yield "d.state < 4"


def _entry(row: Sequence[Any], skew: int) -> Entry:
    (
        seq,
        code,
        document,
        event_id,
        handler,
        error,
        reason,
        rule,
        detail,
        attempts,
        first_seen,
        changed,
        due,
        *rest,
    ) = row
    message_id, source, message_name, fingerprint, parked_on, parks, since, last, freed = rest
    history = history_of(attempts)
    if parks:
        until = None if freed is None else moment(freed)
        parking = Parking(moment(since), untext(error), untext(reason), parks, moment(last), until)
        history = (*history, parking)
    state = STATES[code]
    return Entry(
        id=str(seq),
        state=state,
        event=event_of(document),
        handler=untext(handler),
        error=untext(error),
        reason=untext(reason),
        rule=untext(rule),
        detail=from_json(detail),
        history=history,
        first_seen=moment(first_seen),
        changed=moment(changed),
        retry_at=moment(due - skew) if due is not None and state in _TIMED else None,
        parked_on=tuple(untext(name) for name in parked_on or ()),
        message_id=message_id,
        source=untext(source),
        message_name=untext(message_name),
        part_id=None if handler else untext(event_id),
        fingerprint=fingerprint,
    )


async def groups(connection: Connection, query: Query) -> list[DeadGroup]:
    """Give the dead letters by what they died of."""
    wanted = replace(query, states=(DeliveryState.DEAD,), after=None)
    condition, values = _condition(wanted)
    found = await connection.execute(
        f"""
        SELECT g.*, d.handler, d.error, d.reason FROM (
            SELECT d.fingerprint, count(*) AS number, min(d.changed), max(d.changed), max(d.seq) AS example
            FROM {_TABLES} WHERE {condition} GROUP BY 1
        ) g JOIN deliveries d ON d.seq = g.example
        ORDER BY g.number DESC, g.fingerprint COLLATE "C" LIMIT %(limit)s
        """.encode(),  # noqa: S608  # words of ours
        values,
    )
    return [
        DeadGroup(
            fingerprint=cause,
            handler=untext(handler),
            error=untext(error) or "",
            reason=pattern(untext(reason) or ""),
            count=count,
            first=moment(first),
            last=moment(last),
            example=str(example),
        )
        for cause, count, first, last, example, handler, error, reason in await found.fetchall()
    ]


async def raw(connection: Connection, message_id: str) -> RawRecord | None:
    """Give a message back."""
    found = await connection.execute(
        """
        SELECT body, content_type, content_encoding, transport, address, properties, received_at
        FROM messages JOIN bodies ON message = id WHERE id = %s
        """,
        (number_of(message_id),),
        binary=True,
    )
    for (
        body,
        content_type,
        content_encoding,
        transport,
        address,
        properties,
        received_at,
    ) in await found.fetchall():
        return RawRecord(
            body=await asyncio.to_thread(zlib.decompress, body),
            content_type=untext(content_type),
            content_encoding=untext(content_encoding),
            transport=untext(transport),
            address=untext(address),
            properties=from_json(properties),
            received_at=moment(received_at),
        )
    return None


async def recent_messages(
    connection: Connection, transport: str, limit: int, having: Mapping[str, str]
) -> list[MessageHead]:
    """Give the messages that were taken in last, the newest first."""
    # a word is looked for first: reading the properties of all messages would take far longer
    words = [to_json({name: value})[1:-1] for name, value in having.items()]
    found = await connection.execute(
        """
        SELECT address, properties, received_at FROM messages
        WHERE has_raw AND transport = %s AND NOT EXISTS (
            SELECT FROM unnest(%s::text[]) AS word WHERE strpos(properties, word) = 0
        )
        ORDER BY id DESC LIMIT %s
        """,
        (text(transport), words, limit),
        binary=True,
    )
    heads = [
        MessageHead(untext(address), from_json(properties), moment(received_at))
        for address, properties, received_at in await found.fetchall()
    ]
    return [head for head in heads if having.items() <= head.properties.items()]


async def _sums(connection: Connection) -> Mapping[str, Mapping[str, int]]:
    found = await connection.execute(
        "SELECT name, part, sum(number)::bigint FROM sums GROUP BY 1, 2 HAVING sum(number) <> 0"
    )
    sums: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, part, number in await found.fetchall():
        sums[name][untext(part)] = number
    return sums


def _deliveries(sums: Mapping[str, Mapping[str, int]]) -> dict[str, dict[DeliveryState, int]]:
    deliveries: defaultdict[str, dict[DeliveryState, int]] = defaultdict(dict)
    for code, state in enumerate(STATES):
        for handler, number in sums.get(str(code), {}).items():
            deliveries[handler][state] = number
    return dict(deliveries)


async def stats(connection: Connection) -> Stats:
    """Give the sums, which are kept with every change."""
    sums = await _sums(connection)
    return Stats(
        received=dict(sums.get("received", {})),
        duplicates=dict(sums.get("duplicates", {})),
        events=sum(sums.get("events", {}).values()),
        unwanted=sum(sums.get("unwanted", {}).values()),
        deliveries=_deliveries(sums),
        oldest_open=await _oldest(connection, "WHERE class = 0 ORDER BY since"),
    )


async def _oldest(connection: Connection, which: str) -> Any:
    found = await connection.execute(f"SELECT received_at FROM messages {which} LIMIT 1".encode())  # noqa: S608  # words of ours
    rows = await found.fetchall()
    return moment(rows[0][0]) if rows else None


async def ledger(connection: Connection) -> Ledger:
    """Give the books."""
    sums = await _sums(connection)
    by_transport: defaultdict[str, dict[str, int]] = defaultdict(dict)
    names = {"received": "received", "repeated": "repeated"}
    names |= {f"m{number}": fate.value for number, fate in enumerate(FATES)}
    for name, member in names.items():
        for transport, number in sums.get(name, {}).items():
            by_transport[transport][member] = number
    return Ledger({name: MessageSums(**parts) for name, parts in by_transport.items()}, _deliveries(sums))


async def health(connection: Connection) -> Health:
    """Give what the tables take and how far back they go. The server's disk can't be seen from here."""
    found = await connection.execute(
        """
        SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
        """
    )
    ((used,),) = await found.fetchall()
    return Health(
        used=used,
        oldest_open=await _oldest(connection, "WHERE class = 0 ORDER BY since"),
        oldest_dead=await _oldest(connection, "WHERE class = 1 ORDER BY since"),
        oldest=await _oldest(connection, "ORDER BY id"),
    )


async def holds(connection: Connection, *, skew: int) -> dict[str, Hold]:
    """Give the destinations that are left alone."""
    found = await connection.execute(
        "SELECT destination, reason, since, probe_at, needs_attention FROM holds"
    )
    return {
        untext(name): Hold(untext(reason), moment(since), moment(probe_at - skew), needs_attention)
        for name, reason, since, probe_at, needs_attention in await found.fetchall()
    }
