"""What people decide in the journal in SQLite: dead letters, notes, destinations left alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pywats_events.journal.records import Hold, Query
from pywats_events.journal.sqlite_lanes import DEAD, DISCARDED, PENDING, Lanes
from pywats_events.journal.sqlite_reading import DeadRow, found_dead
from pywats_events.journal.stored_values import moment, stamp, text, untext
from pywats_events.journal.stored_values import replay as stored_replay


def replay(lanes: Lanes, query: Query, now: int) -> int:
    """Make dead letters pending again, each in its place."""
    rows = [row for row in found_dead(lanes.db, query) if row.has_event]
    before = lanes.fates(_messages(rows))
    for row in rows:
        lanes.withdraw(row.handler, row.key)
        lanes.db.execute(
            """
            UPDATE deliveries SET state = ?, tries = 0, error = NULL, reason = NULL, fingerprint = NULL,
                attempts = history(attempts, ?), changed = ? WHERE seq = ?
            """,
            (PENDING, stored_replay(now), now, row.seq),
        )
        lanes.offer([(row.handler, row.key)])
        _note(lanes, row, PENDING)
    _move(lanes, before)
    return len(rows)


def discard(lanes: Lanes, query: Query, reason: str, now: int) -> int:
    """Put dead letters away for good."""
    rows = found_dead(lanes.db, query)
    before = lanes.fates(_messages(rows))
    for row in rows:
        lanes.db.execute(
            "UPDATE deliveries SET state = ?, rule = ?, changed = ? WHERE seq = ?",
            (DISCARDED, text(reason), now, row.seq),
        )
        _note(lanes, row, DISCARDED)
    _move(lanes, before)
    return len(rows)


def _messages(rows: Sequence[DeadRow]) -> list[int]:
    return list({row.message for row in rows if row.message is not None})


def _note(lanes: Lanes, row: DeadRow, state: int) -> None:
    lanes.move(row.handler, DEAD, state)
    if row.message is None:
        lanes.alone(DEAD, state, "")


def _move(lanes: Lanes, before: Mapping[int, tuple[Any, Any]]) -> None:
    for message, (transport, fate) in lanes.fates(list(before)).items():
        lanes.move_fate(transport, before[message][1], fate)


# --- notes and holds ----------------------------------------------------------------------------------------


def put_note(lanes: Lanes, name: str, value: str | None) -> None:
    """Keep a note, which is JSON; None removes it."""
    if value is None:
        lanes.db.execute("DELETE FROM notes WHERE name = ?", (text(name),))
    else:
        lanes.db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (text(name), value))


def notes(lanes: Lanes, prefix: str) -> dict[str, Any]:
    """Give the notes whose names begin so."""
    rows = lanes.db.execute("SELECT name, value FROM notes ORDER BY name").fetchall()
    named = ((untext(name), value) for name, value in rows)
    return {name: json.loads(value) for name, value in named if name.startswith(prefix)}


def holds(lanes: Lanes) -> dict[str, Hold]:
    """Give the destinations that are left alone."""
    rows = lanes.db.execute(
        "SELECT destination, reason, since, probe_at, needs_attention FROM holds ORDER BY destination"
    ).fetchall()
    return {
        untext(destination): Hold(untext(reason), moment(since), moment(probe_at), bool(attention))
        for destination, reason, since, probe_at, attention in rows
    }


def hold(lanes: Lanes, destination: str, hold: Hold | None) -> None:
    """Leave a destination alone, or not any more."""
    if hold is None:
        lanes.db.execute("DELETE FROM holds WHERE destination = ?", (text(destination),))
        return
    lanes.db.execute(
        "INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?, ?, NULL)",
        (
            text(destination),
            text(hold.reason),
            stamp(hold.since),
            stamp(hold.probe_at),
            hold.needs_attention,
        ),
    )


def try_probe(lanes: Lanes, destination: str, now: int, until: int) -> bool:
    """Ask to be the one that probes. A hold that began in the future is due: the clock was set back."""
    done = lanes.db.execute(
        """
        UPDATE holds SET probed_until = ?1
        WHERE destination = ?2 AND (probe_at <= ?3 OR since > ?3)
            AND (probed_until IS NULL OR probed_until <= ?3)
        """,
        (until, text(destination), now),
    )
    return bool(done.rowcount)
