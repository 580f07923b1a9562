"""What is done to the journal in PostgreSQL now and then."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pywats_events.event import Event
from pywats_events.journal.fingerprint import fingerprint
from pywats_events.journal.postgres_connection import Connection
from pywats_events.journal.postgres_questions import (
    APPEND,
    LEARN,
    SETTLE,
    AppendRequest,
    LearnRequest,
    SettleRequest,
    unit_digest,
)
from pywats_events.journal.postgres_reading import found_dead
from pywats_events.journal.postgres_values import digest, number_of, text, untext
from pywats_events.journal.records import READ_AGAIN, Amended, Bury, Hold, Query, Receipt, Routed
from pywats_events.journal.stored_values import attempt, document, stamp
from pywats_events.message import Unreadable

#: Most messages that are removed in one transaction: nobody else writes meanwhile.
PRUNED_AT_ONCE: Final = 1000


async def _number(connection: Connection, statement: str, *parameters: Any) -> int:
    found = await connection.execute(statement.encode(), parameters)
    ((number,),) = await found.fetchall()
    return int(number or 0)


async def replay(connection: Connection, query: Query, *, now: int) -> int:
    """Make dead letters pending again."""
    seqs = await found_dead(connection, query)
    return await _number(connection, "SELECT replay(%s::bigint[], %s)", seqs, now)


async def discard(connection: Connection, query: Query, *, reason: str, now: int) -> int:
    """Put dead letters away for good."""
    seqs = await found_dead(connection, query)
    return await _number(connection, "SELECT discard(%s::bigint[], %s, %s)", seqs, text(reason), now)


# --- dead letters that are told of -------------------------------------------------------------------------


async def settle_and_tell(connection: Connection, *, request: SettleRequest, now: int) -> list[str]:
    """Write down what became of claims that still hold, and what tells of the dead letters among them.

    It keeps its turn like ``amend``.

    Returns:
        The ids of the events that are closed by it.
    """
    telling = {
        (one.seq, one.claim): one.verdict.tell
        for one in request.rulings
        if isinstance(one.verdict, Bury) and one.verdict.tell is not None
    }
    async with connection.transaction():
        await connection.execute("SELECT turn()")
        found = await connection.execute(
            """
            SELECT d.seq, d.claim FROM unnest(%s::bigint[], %s::bigint[]) AS given (seq, claim)
            JOIN deliveries d ON d.seq = given.seq AND d.claim = given.claim AND d.state = 1
            """,
            ([seq for seq, _ in telling], [claim for _, claim in telling]),
        )
        held = set(await found.fetchall())
        settled = await connection.execute(SETTLE.statement.encode(), SETTLE.parameters([request]))
        closed = SETTLE.answers([request], await settled.fetchall())[0]
        receipts = [receipt for claim, receipt in telling.items() if claim in held]
        if receipts:
            told = AppendRequest.of(receipts, now)
            await connection.execute(APPEND.statement.encode(), APPEND.parameters([told]))
    return closed


# --- a new reading ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Known:
    """What the journal has of an event: its message, and its deliveries (number, handler, state)."""

    message: int | None
    rows: Sequence[tuple[int, str, int]]


async def amend(connection: Connection, message_id: str, reading: Receipt, *, now: int) -> Amended:
    """Put a message's new reading in the place of the old one.

    This alone keeps its turn while it asks one thing after the other: others wait for some milliseconds, and
    when this process is stopped right then, until the server ends its session.

    Raises:
        LookupError: there is no such message, or it is kept no more.
    """
    async with connection.transaction():
        await connection.execute("SELECT turn()")
        return await _amend(connection, number_of(message_id), reading, now)


async def _amend(connection: Connection, message: int, reading: Receipt, now: int) -> Amended:
    if not await _number(connection, "SELECT count(*) FROM messages WHERE id = %s AND has_raw", message):
        raise LookupError(f"journal: message {message} is not there, or is kept no more")
    changed: list[str] = []
    new: list[str] = []
    for routed in reading.events:
        known = await _known(connection, routed.event.id)
        if known is not None and await _replace(connection, routed.event, known):
            changed.append(routed.event.id)
        if await _add_missing(connection, routed, known, message, now):
            new.append(routed.event.id)
    read = await _read_again(connection, message, reading.unreadable)
    for part in reading.unreadable:
        if await _known(connection, part.id) is None:
            await _add_unreadable(connection, part, message, now)
    await connection.execute(
        "SELECT discard(%s::bigint[], %s, %s)", ([seq for seq, _ in read], READ_AGAIN, now)
    )
    await connection.execute("SELECT account(ARRAY[%s::bigint], %s)", (message, now))
    if (changed or new or read) and reading.facts:
        await connection.execute(
            LEARN.statement.encode(), LEARN.parameters([LearnRequest(reading.facts, now)])
        )
    return Amended(tuple(changed), tuple(new), tuple(part_id for _, part_id in read))


async def _known(connection: Connection, event_id: str) -> _Known | None:
    found = await connection.execute("SELECT message FROM events WHERE hash = %b", (digest(event_id),))
    for (message,) in await found.fetchall():
        rows = await connection.execute(
            "SELECT seq, handler, state FROM deliveries WHERE message = %s AND event = %b",
            (message, digest(event_id)),
        )
        return _Known(
            message, [(seq, untext(handler), state) for seq, handler, state in await rows.fetchall()]
        )
    return None


async def _replace(connection: Connection, event: Event, known: _Known) -> bool:
    """Give a known event its new document, if it is dead and nothing of it is open."""
    states = {state for _, _, state in known.rows}
    if 6 not in states or any(state < 4 for state in states):  # noqa: PLR2004  # see STATES
        return False
    await connection.execute(
        "UPDATE events SET document = %b WHERE hash = %b", (document(event), digest(event.id))
    )
    await connection.execute(
        """
        UPDATE deliveries SET lane = %b, unit = %b, key = %s, event_type = %s, source = %s, message_name = %s
        WHERE seq = ANY (%s::bigint[])
        """,
        (
            *(digest(event.key), unit_digest(event), text(event.key), event.event_type.value),
            *(text(event.source), text(event.metadata.message_name)),
            [seq for seq, _, state in known.rows if state == 6],  # noqa: PLR2004  # dead
        ),
    )
    return True


async def _add_missing(
    connection: Connection, routed: Routed, known: _Known | None, message: int, now: int
) -> bool:
    """Add the deliveries of an event that are not there yet."""
    event = routed.event
    due_to = {handler for _, handler, _ in known.rows} if known else set()
    missing = [handler for handler in dict.fromkeys(routed.handlers) if handler not in due_to]
    if known is None:
        await connection.execute(
            "INSERT INTO sums SELECT s.name, m.transport, 1 FROM messages m, unnest(%s::text[]) AS s (name) "
            "WHERE m.id = %s",
            (["events"] if routed.handlers else ["events", "unwanted"], message),
        )
    await connection.execute(
        """
        INSERT INTO events AS known (hash, seen, message, id, document) VALUES (%b, %s, %s, %s, %b)
        ON CONFLICT (hash) DO UPDATE SET message = excluded.message, document = excluded.document
        WHERE known.message IS NULL AND excluded.message IS NOT NULL
        """,
        (
            digest(event.id),
            now,
            message if missing else None,
            text(event.id),
            document(event) if missing else None,
        ),
    )
    if known is not None and known.message is not None:
        message = known.message
    for handler in missing:
        await connection.execute(
            """
            INSERT INTO deliveries (
                event, message, lane, unit, handler, key, state, ready, first_seen, changed, event_type,
                source, message_name
            ) VALUES (%b, %s, %b, %b, %s, %s, 0, false, %s, %s, %s, %s, %s)
            """,
            (
                *(
                    digest(event.id),
                    message,
                    digest(event.key),
                    unit_digest(event),
                    text(handler),
                    text(event.key),
                ),
                *(now, now, event.event_type.value, text(event.source), text(event.metadata.message_name)),
            ),
        )
        await connection.execute("INSERT INTO sums VALUES ('0', %s, 1)", (text(handler),))
        await connection.execute(
            "SELECT offer(ARRAY[%b::bytea], ARRAY[%s::text]), account(ARRAY[%s::bigint], %s)",
            (digest(event.key), text(handler), message, now),
        )
    return bool(missing)


async def _read_again(
    connection: Connection, message: int, still: Iterable[Unreadable]
) -> list[tuple[int, str]]:
    """Give the dead parts of a message that could not be read before and can be now."""
    found = await connection.execute(
        """
        SELECT d.seq, e.id FROM deliveries d JOIN events e ON e.hash = d.event
        WHERE d.message = %s AND d.handler = '' AND d.state = 6 AND d.event <> ALL (%s::bytea[])
        ORDER BY d.seq
        """,
        (message, [digest(part.id) for part in still]),
    )
    return [(seq, untext(part_id)) for seq, part_id in await found.fetchall()]


async def _add_unreadable(connection: Connection, part: Unreadable, message: int, now: int) -> None:
    await connection.execute(
        "INSERT INTO events (hash, seen, message, id) VALUES (%b, %s, %s, %s)",
        (digest(part.id), now, message, text(part.id)),
    )
    await connection.execute(
        """
        INSERT INTO deliveries (
            event, message, handler, state, ready, first_seen, changed, source, message_name, error, reason,
            attempts, fingerprint
        ) VALUES (%b, %s, '', 6, false, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            *(
                digest(part.id),
                message,
                now,
                now,
                text(part.source),
                text(part.message_name),
                text(part.error),
            ),
            *(text(part.reason), attempt(now, part.error, part.reason)),
            fingerprint("", part.error, part.reason),
        ),
    )
    await connection.execute("INSERT INTO sums VALUES ('6', '', 1)")


# --- retention ----------------------------------------------------------------------------------------------


async def prune_messages(connection: Connection, *, before: int) -> tuple[int, bool]:
    """Remove some messages that were closed before a time.

    Returns:
        How many deliveries and unreadable parts went, and whether there may be more.
    """
    found = await connection.execute("SELECT * FROM prune(%s, %s)", (before, PRUNED_AT_ONCE))
    ((messages, rows),) = await found.fetchall()
    return rows, messages == PRUNED_AT_ONCE


async def prune_facts(connection: Connection, *, before: int) -> None:
    """Remove facts that were learnt before a time and that nobody can need."""
    await connection.execute(
        """
        DELETE FROM facts f WHERE learnt < %(before)s
        AND NOT EXISTS (SELECT FROM parked p WHERE p.hash = f.hash)
        AND NOT EXISTS (SELECT FROM messages WHERE class = 0 AND since < %(before)s)
        """,
        {"before": before},
    )


async def prune_ids(connection: Connection, *, before: int) -> None:
    """Forget the ids of removed events that were journalled before a time."""
    await connection.execute("DELETE FROM events WHERE message IS NULL AND seen < %s", (before,))


# --- notes and holds ----------------------------------------------------------------------------------------


async def put_note(connection: Connection, name: str, value: Any) -> None:
    """Keep a note; None removes it."""
    if value is None:
        await connection.execute("DELETE FROM notes WHERE name = %s", (text(name),))
        return
    await connection.execute(
        "INSERT INTO notes VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (text(name), json.dumps(value, separators=(",", ":"))),
    )


async def hold(connection: Connection, destination: str, hold: Hold | None, *, skew: int) -> None:
    """Leave a destination alone, or not any more; a probe under way is over."""
    if hold is None:
        await connection.execute("DELETE FROM holds WHERE destination = %s", (text(destination),))
    else:
        await connection.execute(
            """
            INSERT INTO holds (destination, reason, since, probe_at, needs_attention)
            VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (destination) DO UPDATE SET reason = excluded.reason, since = excluded.since,
                probe_at = excluded.probe_at, needs_attention = excluded.needs_attention, probed_until = 0
            """,
            (
                *(text(destination), text(hold.reason), stamp(hold.since)),
                *(stamp(hold.probe_at) + skew, hold.needs_attention),
            ),
        )
    await connection.execute("SELECT wake()")


async def try_probe(connection: Connection, destination: str, *, now: int, until: int) -> bool:
    """Ask to be the one that probes."""
    done = await connection.execute(
        "UPDATE holds SET probed_until = %s WHERE destination = %s AND probe_at <= %s AND probed_until <= %s",
        (until, text(destination), now, now),
    )
    return done.rowcount == 1
